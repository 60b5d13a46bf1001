//! What goes over a socket, seen from beside it: it tells where a handshake has stopped.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use msgr2::net::Tap;
use msgr2::peer::{ConnectionId, Time};
use msgr2::wire::Role;

/// How many of the server's first bytes are kept.
const KEPT: usize = 64;

/// How the server ended the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It closed it.
    Closed,
    /// It, or something in between, broke it off.
    Reset,
}

/// What was seen of the last connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// The server's first bytes.
    pub(crate) first: Vec<u8>,
    /// How many bytes the server has sent.
    pub(crate) received: u64,
    /// How the server has ended it.
    pub(crate) ending: Option<Ending>,
    /// The last frame of this side.
    pub(crate) last_sent: Option<&'static str>,
    /// The last frame of the server.
    pub(crate) last_received: Option<&'static str>,
}

impl Seen {
    /// Notes a frame of the handshake.
    pub(crate) fn frame(&mut self, sent: bool, frame: &'static str) {
        let last = if sent { &mut self.last_sent } else { &mut self.last_received };
        *last = Some(frame);
    }
}

/// Sees what goes over the sockets, and passes it on to a recorder.
pub(crate) struct Witness {
    seen: Arc<Mutex<Seen>>,
    next: Option<Arc<Mutex<dyn Tap>>>,
}

impl Witness {
    pub(crate) fn new(seen: Arc<Mutex<Seen>>, next: Option<Arc<Mutex<dyn Tap>>>) -> Self {
        Witness { seen, next }
    }

    fn see(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn next(&self, tell: impl FnOnce(&mut dyn Tap)) {
        if let Some(next) = &self.next {
            tell(&mut *next.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

impl Tap for Witness {
    fn opened(&mut self, connection: ConnectionId, client: SocketAddr, server: SocketAddr, now: Time) {
        self.see(|seen| *seen = Seen::default());
        self.next(|tap| tap.opened(connection, client, server, now));
    }

    fn data(&mut self, connection: ConnectionId, from: Role, bytes: &[u8], now: Time) {
        if from == Role::Server {
            self.see(|seen| {
                let room = KEPT.saturating_sub(seen.first.len());
                seen.first.extend_from_slice(&bytes[..bytes.len().min(room)]);
                seen.received += bytes.len() as u64;
            });
        }
        self.next(|tap| tap.data(connection, from, bytes, now));
    }

    fn closed(&mut self, connection: ConnectionId, from: Role, now: Time) {
        if from == Role::Server {
            self.see(|seen| seen.ending = Some(Ending::Closed));
        }
        self.next(|tap| tap.closed(connection, from, now));
    }

    fn reset(&mut self, connection: ConnectionId, from: Role, now: Time) {
        if from == Role::Server {
            self.see(|seen| seen.ending = Some(Ending::Reset));
        }
        self.next(|tap| tap.reset(connection, from, now));
    }
}
