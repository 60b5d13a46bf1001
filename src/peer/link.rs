//! What every connection has, whatever is spoken on it.

use std::collections::VecDeque;
use std::net::SocketAddr;

use bytes::Bytes;

use super::shared::{Entry, Shared};
use super::{Awaited, ConnectionId, Error, Event, PeerInfo, SessionId, Time, Why};
use crate::types::{EntityAddr, Sockaddr, SockaddrAddress};
use crate::wire::{Role, Utime};

/// So many KEEPALIVE2 wait for their answer; of more, the oldest go without.
const MOST_KEEPALIVES: usize = 16;

/// What the endpoint knows of a connection.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) id: ConnectionId,
    pub(crate) role: Role,
    pub(crate) session: Option<SessionId>,
    /// The state's place in the table.
    pub(crate) state: u8,
    /// When it was connected.
    pub(crate) begun: Time,
    /// When the last frame came.
    pub(crate) last_frame: Time,
    /// The handshake has ended.
    pub(crate) established: bool,
    /// Where an accepted connection comes from, and where a dialled one leads.
    pub(crate) remote: Option<SocketAddr>,
    /// Why it is over.
    pub(crate) over: Option<Why>,
    /// The endpoint has taken note of that.
    pub(crate) settled: bool,
    /// It is counted among those in the handshake.
    pub(crate) half_open: bool,
    /// In the list of those that may have something to transmit.
    pub(crate) dirty: bool,
    /// The deadline under which a timer is set.
    pub(crate) armed: Option<Time>,
    /// What of the receive buffers' memory it is charged for.
    pub(crate) charged: usize,
    /// The same as one in the handshake.
    pub(crate) charged_early: usize,
    /// Whether the socket is still to be closed.
    pub(crate) hangup: bool,
    /// What is to be answered.
    pub(crate) keepalives: VecDeque<Utime>,
    pub(crate) keepalive_due: bool,
    pub(crate) keepalive_sent: bool,
    /// When this side asked, as far as it wasn't answered.
    pub(crate) asked: VecDeque<Time>,
}

impl Link {
    /// A connection that has just been made.
    pub(crate) fn new(id: ConnectionId, role: Role, session: Option<SessionId>, now: Time) -> Self {
        Link {
            id,
            role,
            session,
            state: 0,
            begun: now,
            last_frame: now,
            established: false,
            remote: None,
            over: None,
            settled: false,
            half_open: false,
            dirty: false,
            armed: None,
            charged: 0,
            charged_early: 0,
            hangup: true,
            keepalives: VecDeque::new(),
            keepalive_due: false,
            keepalive_sent: false,
            asked: VecDeque::new(),
        }
    }

    /// This connection's session.
    pub(super) fn entry<'s>(&self, shared: &'s Shared) -> Option<&'s Entry> {
        shared.sessions.get(&self.session?)
    }

    /// The same, to be changed.
    pub(super) fn entry_mut<'s>(&self, shared: &'s mut Shared) -> Option<&'s mut Entry> {
        shared.sessions.get_mut(&self.session?)
    }

    /// A session goes on here; its old connection ends, and nothing more is taken from it.
    pub(super) fn take_over(&mut self, shared: &mut Shared, id: SessionId) {
        self.session = Some(id);
        if let Some(entry) = shared.sessions.get_mut(&id) {
            shared.endings.extend(entry.connection.filter(|&old| old != self.id));
        }
    }

    /// The server knows of a later attempt to resume the session than ours.
    pub(super) fn raise_connect_seq(&self, shared: &mut Shared, theirs: u64) {
        if let Some(entry) = self.entry_mut(shared) {
            entry.session.connect_seq = theirs.saturating_add(1);
        }
    }

    /// A frame came.
    pub(super) fn heard(&mut self, now: Time) {
        self.last_frame = now;
        self.keepalive_sent = false;
    }

    /// A KEEPALIVE2 is to be answered.
    pub(super) fn owe_keepalive(&mut self, timestamp: Utime) {
        if self.keepalives.len() >= MOST_KEEPALIVES {
            self.keepalives.pop_front();
        }
        self.keepalives.push_back(timestamp);
    }

    /// A KEEPALIVE2 goes out.
    pub(super) fn asks_keepalive(&mut self, now: Time) {
        self.keepalive_due = false;
        if self.asked.len() >= MOST_KEEPALIVES {
            self.asked.pop_front();
        }
        self.asked.push_back(now);
    }

    /// Messages can flow.
    pub(super) fn establish(&mut self, shared: &mut Shared, peer: Option<PeerInfo>, resumed: bool) {
        self.established = true;
        self.last_frame = shared.now;
        let (Some(session), Some(peer)) = (self.session, peer) else { return };
        if let Some(entry) = shared.sessions.get_mut(&session) {
            entry.connection = Some(self.id);
            (entry.established, entry.known) = (true, true);
            (entry.lost_since, entry.redial_at, entry.standby) = (None, None, false);
        }
        shared.events.push_back(Event::Established { session, connection: self.id, peer, resumed });
        shared.writable(session);
    }

    pub(super) fn report(&self, shared: &mut Shared, sent: bool, frame: &'static str, text: String) {
        shared.events.push_back(Event::Handshake { connection: self.id, sent, frame, text });
    }

    /// When something that all dialects wait for is due, at the latest.
    pub(super) fn deadline(&self, shared: &Shared) -> Time {
        let times = &shared.config.times;
        if !self.established {
            return self.begun.saturating_add(times.handshake);
        }
        let idle = self.last_frame.saturating_add(times.idle);
        if self.keepalive_sent { idle } else { idle.min(self.last_frame.saturating_add(times.keepalive)) }
    }

    /// Does what is due of that.
    pub(super) fn tick(&mut self, shared: &Shared) -> Result<(), Error> {
        let (times, now) = (&shared.config.times, shared.now);
        let past = |since: Time, wait: Time| now >= since.saturating_add(wait);
        if !self.established {
            let late = past(self.begun, times.handshake);
            return if late { Err(Error::TimedOut { what: Awaited::Handshake }) } else { Ok(()) };
        }
        if past(self.last_frame, times.idle) {
            return Err(Error::TimedOut { what: Awaited::Frame });
        }
        if !self.keepalive_sent && past(self.last_frame, times.keepalive) {
            (self.keepalive_sent, self.keepalive_due) = (true, true);
        }
        Ok(())
    }
}

/// The bytes of a message's part, without keeping a large buffer for a small part.
pub(super) fn part(frame: &Bytes, part: &[u8]) -> Bytes {
    const SMALL: usize = 4096;
    if part.len() <= SMALL { Bytes::copy_from_slice(part) } else { frame.slice_ref(part) }
}

/// The same address, with bytes of its own.
pub(super) fn owned(addr: &EntityAddr<'_>) -> EntityAddr<'static> {
    let sockaddr = addr.sockaddr.as_ref().map(|sockaddr| Sockaddr {
        family: sockaddr.family,
        address: match &sockaddr.address {
            SockaddrAddress::Inet(inet) => SockaddrAddress::Inet(inet.clone()),
            SockaddrAddress::Inet6(inet) => SockaddrAddress::Inet6(inet.clone()),
            SockaddrAddress::Other(bytes) => SockaddrAddress::Other(bytes.clone().into_owned()),
        },
        extra: sockaddr.extra.clone().into_owned(),
    });
    EntityAddr {
        struct_v: addr.struct_v,
        struct_compat: addr.struct_compat,
        r#type: addr.r#type,
        nonce: addr.nonce,
        sockaddr,
        extra: addr.extra.clone().into_owned(),
    }
}
