//! What can go wrong with sessions.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::peer::{Message, Why};

/// Why a session is over, other than by CLOSE.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Ended {
    /// The peer's side of the protocol says so.
    #[error("the session is over: {0}")]
    Because(Why),
    /// The endpoint has been shut down.
    #[error("the endpoint has been shut down")]
    Stopped,
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nobody answers there.
    #[error("no connection to {addr}")]
    Unreachable {
        /// The address.
        addr: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The handshake has failed, and would fail again.
    #[error("the handshake with {addr} failed: {why}")]
    Handshake {
        /// The address.
        addr: SocketAddr,
        /// What has ended it.
        why: Why,
    },
    /// It took longer than `Config::connect_timeout`.
    #[error("no session with {addr} within {after:?}{}", last.as_ref().map(|w| format!("; last: {w}")).unwrap_or_default())]
    TimedOut {
        /// The address.
        addr: SocketAddr,
        /// How long was waited.
        after: Duration,
        /// What ended the last connection, if there was one.
        last: Option<Why>,
    },
    /// The endpoint has been shut down.
    #[error("the endpoint has been shut down")]
    Stopped,
}

/// Why a message isn't sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// As much is queued and unacked as may be; only [`Session::try_send`](super::Session::try_send) says so.
    #[error("the queue is full")]
    Full(
        /// It comes back.
        Box<Message>,
    ),
    /// It is larger than the peer takes.
    #[error("a message of {size} bytes; {limit} are the most")]
    TooLarge {
        /// Its size, in bytes.
        size: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The session is over, or being closed.
    #[error("the session is closed")]
    Closed,
}
