//! Who comes to a server and speaks something else.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use msgr2::net::{Config, Tap};
use msgr2::peer::{ConnectionId, Time};
use msgr2::wire::Role;
use tokio::sync::mpsc;

use crate::advice;
use crate::peer::Dialect;

/// How many of a client's first bytes are looked at.
const KEPT: usize = 64;
/// How many lines wait to be printed; what is more isn't told.
const LINES: usize = 64;

/// Sees what clients begin with, says what it is if it isn't what this server speaks, and passes all on to a recorder.
pub(crate) struct Porter {
    dialect: Dialect,
    /// Who is at the door, with what was said so far.
    waiting: HashMap<ConnectionId, (SocketAddr, Vec<u8>)>,
    lines: mpsc::Sender<String>,
    next: Option<Arc<Mutex<dyn Tap>>>,
}

impl Porter {
    /// Puts one before the recorder, if there is a recorder. Its lines are to be printed.
    pub(crate) fn install(dialect: Dialect, config: &mut Config) -> mpsc::Receiver<String> {
        let (lines, told) = mpsc::channel(LINES);
        let porter = Porter { dialect, waiting: HashMap::new(), lines, next: config.capture.take() };
        config.capture = Some(Arc::new(Mutex::new(porter)));
        told
    }

    fn next(&self, tell: impl FnOnce(&mut dyn Tap)) {
        if let Some(next) = &self.next {
            tell(&mut *next.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// A client has said something, or has nothing more to say.
    fn look(&mut self, connection: ConnectionId, bytes: &[u8], ended: bool) {
        let Some((from, first)) = self.waiting.get_mut(&connection) else { return };
        first.extend_from_slice(&bytes[..bytes.len().min(KEPT.saturating_sub(first.len()))]);
        let stranger = advice::stranger(self.dialect, *from, first, ended);
        if let Some(line) = &stranger {
            // who isn't told of one is told of others
            let _ = self.lines.try_send(line.clone());
        }
        if ended || stranger.is_some() || first.len() == KEPT {
            self.waiting.remove(&connection);
        }
    }
}

impl Tap for Porter {
    fn opened(&mut self, connection: ConnectionId, client: SocketAddr, server: SocketAddr, now: Time) {
        self.waiting.insert(connection, (client, Vec::new()));
        self.next(|tap| tap.opened(connection, client, server, now));
    }

    fn data(&mut self, connection: ConnectionId, from: Role, bytes: &[u8], now: Time) {
        if from == Role::Client {
            self.look(connection, bytes, false);
        }
        self.next(|tap| tap.data(connection, from, bytes, now));
    }

    fn closed(&mut self, connection: ConnectionId, from: Role, now: Time) {
        self.look(connection, &[], true);
        self.next(|tap| tap.closed(connection, from, now));
    }

    fn reset(&mut self, connection: ConnectionId, from: Role, now: Time) {
        self.look(connection, &[], true);
        self.next(|tap| tap.reset(connection, from, now));
    }
}
