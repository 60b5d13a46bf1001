//! All connections and sessions of a process.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::net::SocketAddr;

use super::protocol::{Protocol, begin};
use super::shared::Shared;
use super::{
    ClientAuth, Config, ConnectionId, Error, Event, Family, Message, Refused, SendError, SessionId, Stats, Target,
    Time, Why,
};
use crate::auth::cephx::client::Credentials;
use crate::crypto::Random;
use crate::proposal::Msg;
use crate::types::MessageHeader;
use crate::wire::{Composite, Role};
use crate::{Context, limits};

/// What a message's frame has besides its parts in the proposal, as frame_len counts: tag, header, three lengths.
const PROPOSAL_OVERHEAD: usize = 1 + <Msg<'_> as Composite<'_, Context>>::MIN_SIZE;

/// Whose time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Connection(ConnectionId),
    Session(SessionId),
}

/// All connections and sessions of a process. See the [module](super) for how it is driven.
pub struct Endpoint {
    pub(super) shared: Shared,
    pub(super) connections: HashMap<ConnectionId, Box<dyn Protocol>>,
    /// Connections that may have something to transmit.
    dirty: VecDeque<ConnectionId>,
    timers: BinaryHeap<Reverse<(Time, Timer)>>,
    next_connection: u64,
    accepted: usize,
    half_open: usize,
}

// whoever drives it may do so from any thread
const _: fn() = || {
    fn is_send<T: Send>() {}
    is_send::<Endpoint>();
};

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("entity", &self.shared.config.entity).field("stats", &self.stats()).finish()
    }
}

impl Endpoint {
    /// An endpoint without connections. Outside of tests the random bytes must be fit for keys.
    pub fn new(config: Config, random: Box<dyn Random + Send>) -> Endpoint {
        Endpoint {
            shared: Shared::new(config, random),
            connections: HashMap::new(),
            dirty: VecDeque::new(),
            timers: BinaryHeap::new(),
            next_connection: 0,
            accepted: 0,
            half_open: 0,
        }
    }

    /// Its configuration.
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    /// Begins a session with a server. [`Event::Dial`] follows; messages may be queued at once.
    pub fn connect(&mut self, now: Time, target: Target) -> SessionId {
        self.advance(now);
        let addr = target.addr;
        let mut entry = self.shared.client_entry(&target);
        entry.target = Some(target);
        entry.dialling = true;
        entry.lost_since = Some(self.shared.now);
        let key = entry.key.clone();
        let session = self.shared.add_session(entry);
        if let Some(key) = key {
            self.shared.table.insert(key, session);
        }
        self.shared.events.push_back(Event::Dial { session, addr });
        self.arm_session(session);
        session
    }

    /// The socket of an [`Event::Dial`] is open. `None` if the session doesn't want it any more.
    pub fn connected(&mut self, now: Time, session: SessionId) -> Option<ConnectionId> {
        self.advance(now);
        let entry = self.shared.sessions.get_mut(&session)?;
        if !std::mem::take(&mut entry.dialling) || entry.connection.is_some() {
            return None;
        }
        let id = self.next_id();
        if let Some(entry) = self.shared.sessions.get_mut(&session) {
            entry.connection = Some(id);
        }
        match begin(id, Role::Client, Some(session), &mut self.shared) {
            Ok(connection) => {
                self.connections.insert(id, connection);
                self.after(id);
                Some(id)
            }
            Err(error) => {
                self.lose(session, id, Why::Failed(error));
                None
            }
        }
    }

    /// The socket of an [`Event::Dial`] can't be opened. A stateful session dials again after a pause.
    pub fn dial_failed(&mut self, now: Time, session: SessionId) {
        self.advance(now);
        if let Some(entry) = self.shared.sessions.get_mut(&session)
            && std::mem::take(&mut entry.dialling)
        {
            self.lost(session, Why::DialFailed);
        }
    }

    /// A socket was accepted.
    pub fn accept(&mut self, now: Time, from: SocketAddr) -> Result<ConnectionId, Refused> {
        self.advance(now);
        let limits = &self.shared.config.limits;
        if self.accepted >= limits.connections {
            return Err(Refused::Connections { limit: limits.connections });
        }
        if self.half_open >= limits.half_open {
            return Err(Refused::HalfOpen { limit: limits.half_open });
        }
        let id = self.next_id();
        match begin(id, Role::Server, None, &mut self.shared) {
            Ok(mut connection) => {
                connection.half_open = true;
                connection.remote = Some(from);
                self.connections.insert(id, connection);
                self.accepted += 1;
                self.half_open += 1;
                self.after(id);
            }
            Err(error) => {
                self.shared.events.push_back(Event::Failed { connection: id, error });
                self.shared.events.push_back(Event::Hangup { connection: id });
            }
        }
        Ok(id)
    }

    /// Bytes came from a socket, in any pieces. What comes after [`Event::Hangup`] is ignored.
    pub fn receive(&mut self, now: Time, connection: ConnectionId, bytes: &[u8]) {
        self.advance(now);
        let Some(link) = self.connections.get_mut(&connection) else { return };
        if link.over.is_some() || link.is_closed() {
            return;
        }
        if let Err(error) = link.receive(&mut self.shared, bytes) {
            link.fail(Why::Failed(error));
        }
        self.charge(connection);
        self.after(connection);
    }

    /// A socket has come to its end, by the peer or by an error, or was closed because of [`Event::Hangup`].
    pub fn ended(&mut self, now: Time, connection: ConnectionId) {
        self.advance(now);
        let Some(link) = self.connections.get_mut(&connection) else { return };
        if link.over.is_none() {
            let cut_off = link.established && link.buffered() > 0;
            link.fail(if cut_off { Why::CutOff } else { Why::Ended });
            link.hangup = false;
        }
        self.charge(connection);
        self.after(connection);
        if self.connections.remove(&connection).is_some_and(|link| link.role == Role::Server) {
            self.accepted -= 1;
        }
    }

    /// Appends the bytes that a connection wants to write, whole frames, until `room` bytes are reached; the last may
    /// exceed it. Returns how many bytes were appended; 0 if there is nothing to write now.
    pub fn transmit(&mut self, now: Time, connection: ConnectionId, out: &mut Vec<u8>, room: usize) -> usize {
        self.advance(now);
        let start = out.len();
        let Some(link) = self.connections.get_mut(&connection) else { return 0 };
        if let Err(error) = link.transmit(&mut self.shared, out, room) {
            link.fail(Why::Failed(error));
        }
        self.settle(connection);
        self.arm_connection(connection);
        out.len() - start
    }

    /// Whether a connection has something to write.
    pub fn wants_transmit(&self, connection: ConnectionId) -> bool {
        self.connections.get(&connection).is_some_and(|link| link.wants_transmit(&self.shared))
    }

    /// The next connection that may have something to write since it was last named.
    pub fn dirty(&mut self) -> Option<ConnectionId> {
        while let Some(id) = self.dirty.pop_front() {
            if let Some(link) = self.connections.get_mut(&id) {
                link.dirty = false;
                return Some(id);
            }
        }
        None
    }

    /// The next event.
    pub fn event(&mut self) -> Option<Event> {
        self.shared.events.pop_front()
    }

    /// When [`tick`](Endpoint::tick) is due; it may be early.
    pub fn timeout(&self) -> Option<Time> {
        self.timers.peek().map(|Reverse((time, _))| *time)
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Time) {
        self.advance(now);
        while let Some(&Reverse((time, timer))) = self.timers.peek()
            && time <= self.shared.now
        {
            self.timers.pop();
            match timer {
                Timer::Connection(id) => {
                    let Some(link) = self.connections.get_mut(&id) else { continue };
                    if link.armed == Some(time) {
                        link.armed = None;
                        if let Err(error) = link.tick(&mut self.shared) {
                            link.fail(Why::Failed(error));
                            self.charge(id);
                        }
                        self.after(id);
                    }
                }
                Timer::Session(id) => {
                    let Some(entry) = self.shared.sessions.get_mut(&id) else { continue };
                    if entry.armed == Some(time) {
                        entry.armed = None;
                        self.tick_session(id);
                    }
                }
            }
        }
    }

    /// Queues a message. If there is no room for it now, the error gives it back.
    #[expect(clippy::result_large_err, reason = "the message is given back")]
    pub fn send(&mut self, now: Time, session: SessionId, message: Message) -> Result<(), SendError> {
        self.advance(now);
        let limit = self.largest_message();
        let entry = self.shared.sessions.get_mut(&session).filter(|entry| !entry.closing).ok_or(SendError::Closed)?;
        let size = message.size();
        if size > limit {
            return Err(SendError::TooLarge { size, limit });
        }
        entry.session.outgoing.push(message).map_err(|message| SendError::Full { message })?;
        match entry.connection {
            Some(connection) if entry.established => self.mark(connection),
            None if entry.standby => self.leave_standby(session),
            _ => {}
        }
        Ok(())
    }

    /// There is something to send for a session that did without a connection.
    fn leave_standby(&mut self, session: SessionId) {
        let Some(entry) = self.shared.sessions.get_mut(&session) else { return };
        if let Some(target) = entry.target.as_ref().filter(|_| entry.dials()) {
            let addr = target.addr;
            (entry.standby, entry.dialling) = (false, true);
            entry.lost_since = Some(self.shared.now);
            self.shared.events.push_back(Event::Dial { session, addr });
            self.arm_session(session);
        }
    }

    /// Tells where a session that the peer began can be dialled, so that this side can do so when the connection is
    /// lost. Only who is no server to the peer dials; see [`Policy`](crate::session::Policy).
    pub fn set_target(&mut self, session: SessionId, target: Target) {
        if let Some(entry) = self.shared.sessions.get_mut(&session) {
            entry.target = Some(target);
        }
    }

    /// The bytes that the parts of a message may have.
    fn largest_message(&self) -> usize {
        let config = &self.shared.config;
        let (most, overhead) = match config.family {
            Family::Proposal => (limits::PROPOSAL_MAX_FRAME, PROPOSAL_OVERHEAD),
            Family::Msgr2 => (limits::MAX_FRAME, MessageHeader::MIN_SIZE),
        };
        (u64::from(config.limits.frame).min(most) as usize).saturating_sub(overhead)
    }

    /// Asks the peer whether it is there; [`Event::Keepalive`] tells of its answer. `false` if there is no connection
    /// on which it could be asked.
    pub fn keepalive(&mut self, now: Time, session: SessionId) -> bool {
        self.advance(now);
        let Some(entry) = self.shared.sessions.get(&session).filter(|entry| entry.established) else { return false };
        let Some(id) = entry.connection else { return false };
        if let Some(link) = self.connections.get_mut(&id) {
            link.keepalive_due = true;
        }
        self.mark(id);
        true
    }

    /// Closes a session behind what is queued. [`Event::Closed`] follows. A session that has no connection and nothing
    /// queued ends at once.
    pub fn close(&mut self, now: Time, session: SessionId) {
        self.advance(now);
        let Some(entry) = self.shared.sessions.get_mut(&session) else { return };
        entry.closing = true;
        let nothing = entry.session.outgoing.is_empty();
        match entry.connection {
            None if nothing => self.end(session, Why::Closed),
            Some(_) if nothing && !entry.known => self.end(session, Why::Closed),
            Some(connection) => self.mark(connection),
            None => {}
        }
    }

    /// Ends a session at once, without telling the peer.
    pub fn abandon(&mut self, now: Time, session: SessionId) {
        self.advance(now);
        self.end(session, Why::Closed);
    }

    /// What a client got by authenticating to a mon: its number and its tickets.
    pub fn credentials(&self, session: SessionId) -> Option<&Credentials> {
        self.shared.sessions.get(&session)?.credentials.as_ref()
    }

    /// Shows something else from the next connection on, for example a ticket that isn't about to expire.
    pub fn set_auth(&mut self, session: SessionId, auth: Vec<ClientAuth>) {
        if let Some(entry) = self.shared.sessions.get_mut(&session)
            && let Some(target) = &mut entry.target
        {
            target.auth = auth;
            entry.credentials = None;
        }
    }

    /// The address of the other end, as the socket has it.
    pub fn remote(&self, connection: ConnectionId) -> Option<SocketAddr> {
        let link = self.connections.get(&connection)?;
        let target = || Some(self.shared.sessions.get(&link.session?)?.target.as_ref()?.addr);
        link.remote.or_else(target)
    }

    /// The connection of a session.
    pub fn connection_of(&self, session: SessionId) -> Option<ConnectionId> {
        self.shared.sessions.get(&session)?.connection
    }

    /// Numbers for whoever watches.
    pub fn stats(&self) -> Stats {
        Stats {
            connections: self.connections.len(),
            half_open: self.half_open,
            sessions: self.shared.sessions.len(),
            memory: self.shared.memory,
            dropped_frames: self.shared.dropped,
        }
    }

    /// The name of a connection's state, for messages and tests.
    pub fn state_name(&self, connection: ConnectionId) -> Option<&'static str> {
        self.connections.get(&connection).map(|connection| connection.state_name())
    }

    fn advance(&mut self, now: Time) {
        self.shared.now = self.shared.now.max(now);
    }

    fn next_id(&mut self) -> ConnectionId {
        self.next_connection += 1;
        ConnectionId(self.next_connection)
    }

    fn mark(&mut self, id: ConnectionId) {
        if let Some(link) = self.connections.get_mut(&id)
            && !std::mem::replace(&mut link.dirty, true)
        {
            self.dirty.push_back(id);
        }
    }

    /// Charges a connection for what it keeps of received bytes.
    fn charge(&mut self, id: ConnectionId) {
        let Some(link) = self.connections.get_mut(&id) else { return };
        let shared = &mut self.shared;
        // a connection pays as one in the handshake until it has nothing left from there
        shared.memory -= link.charged;
        shared.handshake_memory -= link.charged_early;
        (link.charged, link.charged_early) = (0, 0);
        if link.over.is_some() {
            return;
        }
        let kept = link.buffered();
        let early = if link.established { 0 } else { kept };
        let limit = shared.config.limits.memory;
        if shared.memory + kept > limit {
            link.fail(Why::Failed(Error::MemoryExhausted { limit }));
            return;
        }
        (link.charged, link.charged_early) = (kept, early);
        shared.memory += kept;
        shared.handshake_memory += early;
        if shared.handshake_memory > limit / 2 {
            self.relieve();
        }
    }

    /// Connections in the handshake keep too much: the one that keeps most ends, which isn't one that means well.
    fn relieve(&mut self) {
        let limit = self.shared.config.limits.memory;
        let most = self.connections.iter_mut().max_by_key(|(_, link)| link.charged_early);
        if let Some((&id, link)) = most {
            link.fail(Why::Failed(Error::MemoryExhausted { limit }));
            self.charge(id);
            self.settle(id);
        }
    }

    /// What is to be seen to whenever something has happened on a connection.
    fn after(&mut self, id: ConnectionId) {
        while let Some(taken_over) = self.shared.endings.pop() {
            if let Some(link) = self.connections.get_mut(&taken_over)
                && link.over.is_none()
            {
                link.fail(Why::Ended);
                self.charge(taken_over);
                self.settle(taken_over);
            }
        }
        while let Some(kicked) = self.shared.kicked.pop() {
            self.arm_session(kicked);
        }
        self.settle(id);
        if self.wants_transmit(id) {
            self.mark(id);
        }
        self.arm_connection(id);
    }

    /// Takes note of the end of a connection.
    fn settle(&mut self, id: ConnectionId) {
        let Some(link) = self.connections.get_mut(&id) else { return };
        if link.half_open && (link.established || link.over.is_some()) {
            link.half_open = false;
            self.half_open -= 1;
        }
        let Some(why) = link.over.clone() else { return };
        if std::mem::replace(&mut link.settled, true) {
            return;
        }
        link.drop_held(&mut self.shared);
        let (session, hangup) = (link.session, link.hangup);
        self.charge(id);
        if hangup {
            self.mark(id);
        }
        match session {
            Some(session) => self.lose(session, id, why),
            None => {
                if let Why::Failed(error) = why {
                    self.shared.events.push_back(Event::Failed { connection: id, error });
                }
            }
        }
        if hangup {
            self.shared.events.push_back(Event::Hangup { connection: id });
        }
    }

    /// A session has lost this connection, unless it has another one by now.
    fn lose(&mut self, session: SessionId, connection: ConnectionId, why: Why) {
        if let Some(entry) = self.shared.sessions.get_mut(&session)
            && entry.connection == Some(connection)
        {
            entry.connection = None;
            entry.established = false;
            self.lost(session, why);
        }
    }

    /// A session is without a connection: it waits for another one, or it is over.
    fn lost(&mut self, session: SessionId, why: Why) {
        let shared = &mut self.shared;
        let Some(entry) = shared.sessions.get_mut(&session) else { return };
        let hopeless = matches!(&why, Why::Failed(error) if error.is_final() && !entry.known);
        let closed = why == Why::Closed || (entry.closing && entry.session.outgoing.is_empty());
        if hopeless || closed || !entry.session.stateful {
            self.end(session, why);
            return;
        }
        if entry.policy.standby && !entry.policy.server && entry.known && why != Why::Wait {
            // two that dial each other: the session goes on when one of them has something to send
            entry.standby = entry.session.outgoing.is_empty() || !entry.dials();
            if entry.standby {
                shared.events.push_back(Event::Disconnected { session, why });
                return;
            }
        }
        entry.lost_since.get_or_insert(shared.now);
        if entry.dials() {
            let times = &shared.config.times;
            let at_once = entry.known && why != Why::Wait;
            let longest = why == Why::Wait && shared.config.family == Family::Msgr2;
            let pause = match entry.attempts.checked_sub(at_once.into()) {
                // the peer's own connection is on its way
                _ if longest => times.pause_most,
                None => Time::ZERO,
                Some(doublings) => times
                    .pause_first
                    .saturating_mul(1u32.checked_shl(doublings).unwrap_or(u32::MAX))
                    .min(times.pause_most),
            };
            entry.attempts = entry.attempts.saturating_add(1);
            entry.redial_at = Some(shared.now.saturating_add(pause));
        }
        shared.events.push_back(Event::Disconnected { session, why });
        self.arm_session(session);
    }

    /// A session is over.
    fn end(&mut self, session: SessionId, why: Why) {
        let Some(entry) = self.shared.sessions.remove(&session) else { return };
        if let Some(key) = &entry.key {
            self.shared.table.remove(key, session);
        }
        let unacked = entry.session.outgoing.len();
        self.shared.events.push_back(Event::Closed { session, why, unacked });
        if let Some(id) = entry.connection
            && let Some(link) = self.connections.get_mut(&id)
            && link.over.is_none()
        {
            link.fail(Why::Closed);
            self.charge(id);
            self.settle(id);
        }
    }

    fn tick_session(&mut self, id: SessionId) {
        let shared = &mut self.shared;
        let Some(entry) = shared.sessions.get_mut(&id) else { return };
        if entry.expires(&shared.config.times).is_some_and(|at| shared.now >= at) {
            self.end(id, Why::Expired);
            return;
        }
        if entry.redial_at.is_some_and(|at| shared.now >= at) {
            entry.redial_at = None;
            entry.dialling = true;
            if let Some(target) = &entry.target {
                shared.events.push_back(Event::Dial { session: id, addr: target.addr });
            }
        }
        self.arm_session(id);
    }

    fn arm_connection(&mut self, id: ConnectionId) {
        let Some(link) = self.connections.get_mut(&id) else { return };
        let Some(deadline) = link.deadline(&self.shared) else { return };
        if link.armed.is_none_or(|armed| deadline < armed) {
            link.armed = Some(deadline);
            self.timers.push(Reverse((deadline, Timer::Connection(id))));
        }
    }

    fn arm_session(&mut self, id: SessionId) {
        let shared = &mut self.shared;
        let Some(entry) = shared.sessions.get_mut(&id) else { return };
        let expires = entry.expires(&shared.config.times);
        let Some(deadline) = expires.into_iter().chain(entry.redial_at).min() else { return };
        if entry.armed.is_none_or(|armed| deadline < armed) {
            entry.armed = Some(deadline);
            self.timers.push(Reverse((deadline, Timer::Session(id))));
        }
    }
}
