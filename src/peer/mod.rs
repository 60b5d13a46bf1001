//! One side of connections: a state machine without I/O.
//!
//! An [`Endpoint`] owns all connections and sessions of a process, as client and as server. Whoever drives it opens
//! and closes sockets, tells it what came from them and what time it is, and writes what it wants written:
//!
//! - after every call it takes all [`Event`]s, and for each connection that [`Endpoint::dirty`] names it calls
//!   [`Endpoint::transmit`] and writes the bytes;
//! - it calls [`Endpoint::tick`] when [`Endpoint::timeout`] is reached;
//! - after [`Event::Hangup`] it writes what `transmit` still gives, closes the socket and calls [`Endpoint::ended`].
//!
//! What all dialects have in common (sessions, queues, limits, timers, events) is here; each dialect has a module of
//! its own, so far [`proposal`](crate::proposal).
//!
//! Random bytes are drawn from one stream, per connection in this order: what cephx draws (a client its nonce or
//! challenge; a server its challenge and the connection secret), 16 bytes of salt if the side encrypts, 8 bytes of
//! cookie if it isn't lossy.

mod auth;
mod config;
mod endpoint;
mod engine;
mod error;
mod event;
mod link;
mod proposal;
mod protocol;
mod shared;
mod tag;
#[cfg(test)]
mod tests;
mod v2;

pub use config::socket_addr;
pub use config::{
    ClientAuth, Compression, Config, Encryption, Family, Limits, ServerAuth, Target, Times, V2, entity_addr,
};
pub use endpoint::Endpoint;
pub use error::{Awaited, Error, Refusal};
pub use event::{ConnectionId, Dropped, Event, PeerInfo, Refused, SessionId, Stats, Why};
pub use tag::Tag;

pub use crate::session::{Message, SendError};

/// Since the Unix epoch. It never goes back: an endpoint takes the highest that it was told.
pub type Time = std::time::Duration;
