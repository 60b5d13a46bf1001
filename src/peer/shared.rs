//! What the connections of an endpoint have in common.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use super::config::socket_addr;
use super::{Config, ConnectionId, Dropped, Event, Family, SessionId, Target, Time, Times, Why, v2};
use crate::auth::EntityName;
use crate::auth::cephx::client::Credentials;
use crate::crypto::Random;
use crate::session::{Given, PeerKey, Policy, Session, SessionTable};
use crate::types::{CephFeatures, EntityAddr};
use crate::wire::Role;

/// A server remembers this many cookies whose START it hasn't seen.
const GIVEN_COOKIES: usize = 16_384;

/// What the connections of an endpoint have in common.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) random: Box<dyn Random + Send>,
    /// The highest time that was told.
    pub(crate) now: Time,
    pub(crate) events: VecDeque<Event>,
    pub(crate) sessions: HashMap<SessionId, Entry>,
    /// The sessions of the server by peer.
    pub(crate) table: SessionTable<SessionId>,
    pub(crate) given: Given<ConnectionId>,
    /// How many connections (of a server: IDENTs) there were.
    pub(crate) global_seq: u64,
    /// The next number for a client that comes without one, by method none.
    pub(crate) next_gid: u64,
    /// Bytes in receive buffers; of all, and of connections in the handshake.
    pub(crate) memory: usize,
    pub(crate) handshake_memory: usize,
    pub(crate) dropped: u64,
    /// Sessions whose time to dial has changed.
    pub(crate) kicked: Vec<SessionId>,
    /// Connections that have lost their session to another one, and are to be ended.
    pub(crate) endings: Vec<ConnectionId>,
    pub(crate) next_session: u64,
}

/// A session, and what the endpoint keeps for it.
pub(crate) struct Entry {
    pub(crate) session: Session,
    pub(crate) role: Role,
    /// Whom a client connects to.
    pub(crate) target: Option<Target>,
    /// What a client got by authenticating.
    pub(crate) credentials: Option<Credentials>,
    /// A client's number, once it has one.
    pub(crate) gid: u64,
    /// The peer, if it is in the table.
    pub(crate) key: Option<PeerKey>,
    /// The peer's name, as it was authenticated by this side.
    pub(crate) name: Option<EntityName>,
    /// Number and features of the peer, as its IDENT said them.
    pub(crate) peer: Option<(i64, CephFeatures)>,
    /// What this side does about such a peer.
    pub(crate) policy: Policy,
    pub(crate) connection: Option<ConnectionId>,
    /// The connection is past START or RECONNECT_OK.
    pub(crate) established: bool,
    /// It was established at some time.
    pub(crate) known: bool,
    /// The application wants it closed.
    pub(crate) closing: bool,
    /// Connections in a row on which nothing was got forward.
    pub(crate) attempts: u32,
    /// Since when it is without a connection that is established.
    pub(crate) lost_since: Option<Time>,
    /// When the client dials again.
    pub(crate) redial_at: Option<Time>,
    /// It does without a connection until there is something to send.
    pub(crate) standby: bool,
    /// A socket is being opened for it.
    pub(crate) dialling: bool,
    /// The deadline under which a timer is set.
    pub(crate) armed: Option<Time>,
}

impl Entry {
    pub(crate) fn new(role: Role, session: Session) -> Self {
        Entry {
            session,
            role,
            target: None,
            credentials: None,
            gid: 0,
            key: None,
            name: None,
            peer: None,
            policy: Policy::LOSSLESS_CLIENT,
            connection: None,
            established: false,
            known: false,
            closing: false,
            attempts: 0,
            lost_since: None,
            redial_at: None,
            standby: false,
            dialling: false,
            armed: None,
        }
    }

    /// Whether this side opens its connections.
    pub(crate) fn dials(&self) -> bool {
        self.target.is_some() && !self.policy.server
    }

    /// When it has been too long without a connection. Who has closed it and is a server can only wait for a client
    /// that may have got the CLOSE, and won't come again.
    pub(crate) fn expires(&self, times: &Times) -> Option<Time> {
        let given_up = self.closing && self.role == Role::Server;
        let wait = if given_up { times.close.min(times.session) } else { times.session };
        self.lost_since.map(|since| since.saturating_add(wait))
    }
}

impl Shared {
    pub(crate) fn new(config: Config, random: Box<dyn Random + Send>) -> Self {
        let given = Given::new(GIVEN_COOKIES, config.times.session);
        Shared {
            config,
            random,
            now: Time::ZERO,
            events: VecDeque::new(),
            sessions: HashMap::new(),
            table: SessionTable::default(),
            given,
            global_seq: 0,
            next_gid: 1,
            memory: 0,
            handshake_memory: 0,
            dropped: 0,
            kicked: Vec::new(),
            endings: Vec::new(),
            next_session: 0,
        }
    }

    /// Whether sessions of this side may outlive their connections.
    pub(crate) fn stateful(&self) -> bool {
        !self.config.lossy && self.config.reconnect
    }

    /// A session that is to be begun with a server.
    pub(crate) fn client_entry(&self, target: &Target) -> Entry {
        let queue = self.config.limits.queue();
        if self.config.family == Family::Proposal {
            return Entry::new(Role::Client, Session::new(self.stateful(), queue));
        }
        let policy = self.config.policies().of(target.expects().unwrap_or_default());
        let mut session = Session::new(!policy.lossy, queue);
        session.outgoing.rank();
        let mut entry = Entry::new(Role::Client, session);
        entry.policy = policy;
        // of several sessions with the same peer the first is the one that is known
        entry.key = v2::key(&target.addrs()).filter(|key| policy.register && self.table.get(key).is_none());
        entry
    }

    pub(crate) fn add_session(&mut self, entry: Entry) -> SessionId {
        let id = SessionId(self.next_session);
        self.next_session += 1;
        self.sessions.insert(id, entry);
        id
    }

    /// A session is the one with this peer from here on; the one before is over.
    pub(crate) fn register(&mut self, key: PeerKey, id: SessionId) {
        if let Some(old) = self.table.insert(key, id)
            && let Some(entry) = self.sessions.remove(&old)
        {
            self.endings.extend(entry.connection);
            let unacked = entry.session.outgoing.len();
            self.events.push_back(Event::Closed { session: old, why: Why::Replaced, unacked });
        }
    }

    /// The peer knows of a later connection than ours; returns a number that is later than both.
    pub(crate) fn raise_global_seq(&mut self, theirs: u64) -> u64 {
        self.global_seq = self.global_seq.max(theirs).saturating_add(1);
        self.global_seq
    }

    pub(crate) fn drop_frame(&mut self, connection: ConnectionId, what: Dropped) {
        self.dropped += 1;
        self.events.push_back(Event::Dropped { connection, what });
    }

    /// A random number that isn't 0.
    pub(crate) fn cookie(&mut self) -> u64 {
        loop {
            let mut bytes = [0; 8];
            self.random.fill(&mut bytes);
            let cookie = u64::from_le_bytes(bytes);
            if cookie != 0 {
                return cookie;
            }
        }
    }

    /// A number for a client that has none.
    pub(crate) fn new_gid(&mut self) -> u64 {
        match &self.config.server.authority {
            Some(authority) => authority.new_global_id(),
            None => {
                let gid = self.next_gid;
                self.next_gid += 1;
                gid
            }
        }
    }

    /// Whether this endpoint is itself dialling somebody with one of these addresses.
    pub(crate) fn dials(&self, addrs: &[EntityAddr<'_>]) -> bool {
        let theirs: Vec<SocketAddr> = addrs.iter().filter_map(socket_addr).collect();
        self.sessions.values().any(|entry| {
            let under_way = !entry.established && (entry.dialling || entry.connection.is_some());
            let target = entry.target.as_ref().map(|target| target.addr);
            entry.role == Role::Client && under_way && target.is_some_and(|addr| theirs.contains(&addr))
        })
    }

    /// Tells that there is room again, if somebody waits for it.
    pub(crate) fn writable(&mut self, id: SessionId) {
        if let Some(entry) = self.sessions.get_mut(&id)
            && entry.session.outgoing.room_again()
        {
            self.events.push_back(Event::Writable { session: id });
        }
    }
}
