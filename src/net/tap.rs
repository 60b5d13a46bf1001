//! Who listens to what goes over the sockets.

use std::net::SocketAddr;

use crate::peer::{ConnectionId, Time};
use crate::wire::Role;

/// Is told all that the sockets of an endpoint send and receive, in the order in which they do.
///
/// It is called where the sockets are served, so it should be quick. A writer of capture files is one:
/// `net::Recorder`, with the feature `capture`.
pub trait Tap: Send {
    /// A connection is there.
    fn opened(&mut self, connection: ConnectionId, client: SocketAddr, server: SocketAddr, now: Time);
    /// Bytes went, as a socket took or gave them.
    fn data(&mut self, connection: ConnectionId, from: Role, bytes: &[u8], now: Time);
    /// A side sends nothing more.
    fn closed(&mut self, connection: ConnectionId, from: Role, now: Time);
    /// A side has broken the connection off.
    fn reset(&mut self, connection: ConnectionId, from: Role, now: Time);
}
