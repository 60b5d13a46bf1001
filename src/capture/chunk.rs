//! What comes out of connections: data, gaps, ends.

use std::net::SocketAddr;
use std::time::Duration;

pub use crate::wire::End;

/// Which way data goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// From who opened the connection, or sent its first packet in the capture.
    ToServer,
    /// The other way.
    ToClient,
}

/// What comes out of one direction of a connection, piece after piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// The connection, as in Wireshark's `tcp.stream`.
    pub stream: u32,
    /// Which way it goes.
    pub direction: Direction,
    /// Who sent it.
    pub src: SocketAddr,
    /// To whom.
    pub dst: SocketAddr,
    /// The packet that made it deliverable; it may not be the one that carried it.
    pub packet: u32,
    /// The packet that carried it; of what isn't data the same as `packet`.
    pub carrier: u32,
    /// The time of that packet.
    pub time: Duration,
    /// What it is.
    pub kind: Kind<'a>,
}

/// What a [`Chunk`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'a> {
    /// The next bytes.
    Data(&'a [u8]),
    /// So many bytes are not in the capture.
    Gap(u64),
    /// Nothing more will come.
    Closed(End),
}

/// Where a segment stands in its connection. Places are counted in bytes from where a direction starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The connection, as in Wireshark's `tcp.stream`.
    pub stream: u32,
    /// Which way it goes.
    pub direction: Direction,
    /// The place of its first byte; negative for what comes from before the capture's start.
    pub place: i64,
    /// The place of the byte that was due when it came.
    pub due: i64,
    /// Whether it waits for what ought to have come before it.
    pub waits: bool,
}

/// Takes chunks. Its error ends the call that led to it; the reassembler is of no use then.
pub type Sink<'a, E> = dyn FnMut(Chunk<'_>) -> Result<(), E> + 'a;
