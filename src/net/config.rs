//! What an endpoint on TCP is told.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::fault::Fault;
use super::tap::Tap;
use crate::auth::EntityName;
use crate::peer;

/// What an endpoint is told: the peer's configuration, and what the sockets add to it.
#[derive(Clone)]
pub struct Config {
    /// The peer: who it is, how it authenticates, its limits and times. If its addresses are left empty, the
    /// endpoint announces where it listens, or a blank address, either with a random nonce.
    pub peer: peer::Config,
    /// How long [`connect`](super::Endpoint::connect) tries; 30 s unless told otherwise.
    pub connect_timeout: Duration,
    /// How many messages of a session may wait for the application before its socket is no longer read; 1,024 unless
    /// told otherwise. What one read brings may go above it.
    pub inbox_messages: usize,
    /// The same in bytes of messages; 16 MiB unless told otherwise.
    pub inbox_bytes: usize,
    /// The same for all sessions together, in bytes; 256 MiB unless told otherwise.
    pub waiting_bytes: usize,
    /// Is told all that goes over the sockets.
    pub capture: Option<Arc<Mutex<dyn Tap>>>,
    /// What goes wrong with the sockets, on purpose.
    pub faults: Vec<Fault>,
}

impl Config {
    /// For this entity; everything else as it is unless told otherwise.
    pub fn new(entity: EntityName) -> Self {
        let mut peer = peer::Config::new(entity);
        peer.addrs.clear();
        Config {
            peer,
            connect_timeout: Duration::from_secs(30),
            inbox_messages: 1024,
            inbox_bytes: 16 << 20,
            waiting_bytes: 256 << 20,
            capture: None,
            faults: Vec::new(),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Config { peer, connect_timeout, inbox_messages, inbox_bytes, waiting_bytes, capture, faults } = self;
        f.debug_struct("Config")
            .field("peer", peer)
            .field("connect_timeout", connect_timeout)
            .field("inbox_messages", inbox_messages)
            .field("inbox_bytes", inbox_bytes)
            .field("waiting_bytes", waiting_bytes)
            .field("capture", &capture.is_some())
            .field("faults", faults)
            .finish()
    }
}
