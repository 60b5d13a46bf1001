//! What an endpoint tells the application and whoever drives its sockets.

use std::fmt;
use std::net::SocketAddr;

use super::{Error, Time};
use crate::auth::EntityName;
use crate::frame::Dialect;
use crate::session::Message;
use crate::types::{AuthMethod, CephFeatures, CompressionAlgorithm, ConnectionMode, EntityAddr};

/// A connection of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub(crate) u64);

/// A session of an endpoint. It keeps its id over all its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub(crate) u64);

impl ConnectionId {
    /// A number that no other connection of this endpoint has.
    pub fn index(self) -> u64 {
        self.0
    }
}

impl SessionId {
    /// A number that no other session of this endpoint has.
    pub fn index(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection {}", self.0)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session {}", self.0)
    }
}

/// What happened, or is to be done.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A socket is to be opened; [`connected`](super::Endpoint::connected) or
    /// [`dial_failed`](super::Endpoint::dial_failed) is the answer.
    Dial {
        /// For this session.
        session: SessionId,
        /// To this address.
        addr: SocketAddr,
    },
    /// A frame of the handshake was sent or received. Only if the configuration asks for it.
    Handshake {
        /// On this connection.
        connection: ConnectionId,
        /// It was sent by this side.
        sent: bool,
        /// Its name.
        frame: &'static str,
        /// What is in it, without secrets.
        text: String,
    },
    /// Messages can flow. A server learns of a new session by this.
    Established {
        /// The session.
        session: SessionId,
        /// Its connection.
        connection: ConnectionId,
        /// Who is there.
        peer: PeerInfo,
        /// The session was there before.
        resumed: bool,
    },
    /// A message came.
    Message {
        /// In this session.
        session: SessionId,
        /// The message.
        message: Message,
    },
    /// There is room again for who got [`SendError::Full`](super::SendError::Full).
    Writable {
        /// In this session.
        session: SessionId,
    },
    /// The server knows the session no more. It goes on anew.
    Reset {
        /// The session.
        session: SessionId,
        /// How many of this side's messages may not have been delivered.
        lost: usize,
    },
    /// The session is without a connection for now. A client dials again by itself, a server waits.
    Disconnected {
        /// The session.
        session: SessionId,
        /// What ended the connection.
        why: Why,
    },
    /// The session is over. Nothing more comes of it.
    Closed {
        /// The session.
        session: SessionId,
        /// What ended it.
        why: Why,
        /// How many of this side's messages were not acknowledged.
        unacked: usize,
    },
    /// A connection that had no session yet ended by an error.
    Failed {
        /// The connection.
        connection: ConnectionId,
        /// The error.
        error: Error,
    },
    /// The answer to a KEEPALIVE2 came.
    Keepalive {
        /// The session.
        session: SessionId,
        /// Its connection.
        connection: ConnectionId,
        /// When it was asked.
        sent: Time,
        /// How long ago that is.
        round_trip: Time,
    },
    /// Something has no effect. It is counted.
    Dropped {
        /// On this connection.
        connection: ConnectionId,
        /// What it is.
        what: Dropped,
    },
    /// What `transmit` still gives is to be written and the socket to be closed.
    Hangup {
        /// The connection.
        connection: ConnectionId,
    },
}

/// What ended a session or its connection.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Why {
    /// One of the sides closed the session.
    Closed,
    /// The connection ended.
    Ended,
    /// The connection ended in the middle of a frame.
    CutOff,
    /// The socket couldn't be opened.
    DialFailed,
    /// The peer began a new session.
    Replaced,
    /// The session was too long without a connection.
    Expired,
    /// The server can't say now whether the session goes on.
    Wait,
    /// An error.
    Failed(Error),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Closed => f.write_str("closed"),
            Why::Ended => f.write_str("the connection ended"),
            Why::CutOff => f.write_str("the connection ended in the middle of a frame"),
            Why::DialFailed => f.write_str("nobody answers there"),
            Why::Replaced => f.write_str("the peer began a new session"),
            Why::Expired => f.write_str("too long without a connection"),
            Why::Wait => f.write_str("the server asks to come again later"),
            Why::Failed(error) => error.fmt(f),
        }
    }
}

/// What was dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dropped {
    /// A frame without a signature.
    Unsigned {
        /// Its tag.
        tag: u8,
    },
    /// A signature without a frame.
    Signature,
    /// A request that belongs to a refused method.
    Request,
    /// A frame that its sender gave up.
    Aborted {
        /// Its tag.
        tag: u8,
    },
    /// A message that was there before.
    Known {
        /// Its number.
        seq: u64,
    },
    /// Nothing: messages are missing in a lossy session.
    Gap {
        /// The number that was to come.
        expected: u64,
        /// The number that came.
        found: u64,
    },
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dropped::Unsigned { tag } => write!(f, "a frame with tag {tag:#04x} and no signature is dropped"),
            Dropped::Signature => f.write_str("a signature without a frame is dropped"),
            Dropped::Request => f.write_str("a request of the refused method is dropped"),
            Dropped::Aborted { tag } => write!(f, "a frame with tag {tag:#04x} that its sender gave up is dropped"),
            Dropped::Known { seq } => write!(f, "message {seq} was there before and is dropped"),
            Dropped::Gap { expected, found } => write!(f, "message {found} came where {expected} was to come"),
        }
    }
}

/// Who is at the other end.
#[derive(Clone, Debug)]
pub struct PeerInfo {
    /// Its name. A server says its type alone: the id is empty.
    pub entity: EntityName,
    /// Its number.
    pub gid: u64,
    /// Its addresses.
    pub addrs: Vec<EntityAddr<'static>>,
    /// The features that it supports.
    pub features: CephFeatures,
    /// How the client was authenticated.
    pub method: AuthMethod,
    /// The client's number in the cluster, as authentication has it.
    pub global_id: u64,
    /// The challenge by which a mon has authenticated the client; what is asked for within the session needs it once more.
    pub server_challenge: Option<u64>,
    /// The session ends with the connection.
    pub lossy: bool,
    /// Frames are signed.
    pub signed: bool,
    /// What this side sends is encrypted.
    pub sealed_out: bool,
    /// What the peer sends is encrypted.
    pub sealed_in: bool,
    /// What both speak.
    pub dialect: Dialect,
    /// The mode of frames; the proposal has none, and says [`UNKNOWN`](ConnectionMode::UNKNOWN).
    pub mode: ConnectionMode,
    /// How frames may be compressed.
    pub compression: CompressionAlgorithm,
    /// This side's address as the peer sees it, if the dialect says it.
    pub own_addr: Option<EntityAddr<'static>>,
}

/// Numbers of an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections, dialled and accepted.
    pub connections: usize,
    /// Accepted connections in the handshake.
    pub half_open: usize,
    /// Sessions.
    pub sessions: usize,
    /// Bytes in receive buffers.
    pub memory: usize,
    /// Frames that had no effect.
    pub dropped_frames: u64,
}

/// Why a connection isn't accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// There are as many as allowed.
    Connections {
        /// How many that is.
        limit: usize,
    },
    /// As many as allowed are in the handshake.
    HalfOpen {
        /// How many that is.
        limit: usize,
    },
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Connections { limit } => write!(f, "{limit} connections are open, the limit"),
            Refused::HalfOpen { limit } => write!(f, "{limit} connections are in the handshake, the limit"),
        }
    }
}

impl std::error::Error for Refused {}
