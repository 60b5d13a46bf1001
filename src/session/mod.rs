//! Sessions, which outlive their connections: queues, sequence numbers, cookies, and who has a session with whom.
//!
//! Nothing here knows how frames look. A peer of any dialect drives a [`Session`]: it queues messages in its
//! [`Outgoing`], takes them out in order for a connection, and tells it what the other side has received; its
//! [`Incoming`] says which messages are new.

mod accept;
mod incoming;
mod message;
mod outgoing;
mod policy;
mod race;
mod table;
#[cfg(test)]
mod tests;

pub use accept::{
    Existing, IdentDecision, IdentRule, ReconnectDecision, ReconnectRule, Stage, client_ident, session_reconnect,
};
pub use incoming::{Incoming, Taken};
pub use message::{Message, SendError};
pub use outgoing::{Outgoing, QueueLimits, Unsent};
pub use policy::{Policies, Policy};
pub use race::compare_addrs;
pub use table::{Given, PeerKey, SessionTable};

/// What both sides keep of a session.
#[derive(Debug)]
pub struct Session {
    /// Whether it outlives its connections.
    pub stateful: bool,
    /// The cookie of the client's IDENT when the session began; 0 before, and without state.
    pub client_cookie: u64,
    /// The cookie of the server's IDENT when the session began; 0 before, and without state.
    pub server_cookie: u64,
    /// The client's global_seq, as the server knows it.
    pub global_seq: u64,
    /// How often the session was resumed.
    pub connect_seq: u64,
    /// What is to be sent.
    pub outgoing: Outgoing,
    /// What was received.
    pub incoming: Incoming,
}

impl Session {
    /// A session that hasn't begun.
    pub fn new(stateful: bool, limits: QueueLimits) -> Self {
        Session {
            stateful,
            client_cookie: 0,
            server_cookie: 0,
            global_seq: 0,
            connect_seq: 0,
            outgoing: Outgoing::new(limits),
            incoming: Incoming::default(),
        }
    }

    /// Whether there is something that could be resumed.
    pub fn can_resume(&self) -> bool {
        self.stateful && self.server_cookie != 0
    }

    /// Begins it, with the cookies of the two IDENTs.
    pub fn begin(&mut self, client_cookie: u64, server_cookie: u64, stateful: bool) {
        (self.client_cookie, self.server_cookie) = (client_cookie, server_cookie);
        self.stateful = stateful;
        self.connect_seq = 0;
        self.incoming = Incoming::default();
    }

    /// Forgets what only the peer could have gone on with. What is queued stays, with its numbers, and so does the
    /// client's cookie.
    pub fn reset_half(&mut self) {
        (self.server_cookie, self.connect_seq) = (0, 0);
        self.incoming = Incoming::default();
        self.outgoing.requeue();
    }

    /// Forgets the state, so that it can begin anew; a full reset drops what is queued too. Returns how many messages
    /// that were.
    pub fn reset(&mut self, full: bool) -> usize {
        (self.client_cookie, self.server_cookie, self.connect_seq) = (0, 0, 0);
        self.incoming = Incoming::default();
        self.outgoing.reset(full)
    }
}
