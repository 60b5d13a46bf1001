//! A message, as applications see it.

use std::fmt;

use bytes::Bytes;

use crate::types::{MessageFlags, MessageHeader, MessageType};

/// A message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Its number in its direction of the session, from 1. The session sets it.
    pub seq: u64,
    /// The sender's transaction, which ties a reply to its request.
    pub tid: u64,
    /// What it is.
    pub kind: MessageType,
    /// 64 is low, 127 the default, 196 high, 255 highest.
    pub priority: u16,
    /// The version of its layout.
    pub version: u16,
    /// The oldest version whose reader understands it; 0 if not said.
    pub compat_version: u16,
    /// A hint where the data is to be put in memory.
    pub data_off: u16,
    /// The first part of its body.
    pub front: Bytes,
    /// The second part, which few messages have.
    pub middle: Bytes,
    /// Bulk data.
    pub data: Bytes,
}

impl Default for Message {
    fn default() -> Self {
        Message {
            seq: 0,
            tid: 0,
            kind: MessageType::default(),
            priority: 127,
            version: 1,
            compat_version: 1,
            data_off: 0,
            front: Bytes::new(),
            middle: Bytes::new(),
            data: Bytes::new(),
        }
    }
}

impl Message {
    /// A message with a front alone.
    pub fn new(kind: MessageType, front: impl Into<Bytes>) -> Self {
        Message { kind, front: front.into(), ..Message::default() }
    }

    /// What came with a header.
    pub(crate) fn received(header: &MessageHeader, [front, middle, data]: [Bytes; 3]) -> Self {
        Message {
            seq: header.seq,
            tid: header.tid,
            kind: header.r#type,
            priority: header.priority,
            version: header.version,
            compat_version: header.compat_version,
            data_off: header.data_off,
            front,
            middle,
            data,
        }
    }

    /// Its header, which also says what has arrived from the other side.
    pub(crate) fn header(&self, ack_seq: u64) -> MessageHeader {
        MessageHeader {
            seq: self.seq,
            tid: self.tid,
            r#type: self.kind,
            priority: self.priority,
            version: self.version,
            data_pre_padding_len: 0,
            data_off: self.data_off,
            ack_seq,
            flags: MessageFlags::COMPLETE | MessageFlags::NOCRC,
            compat_version: self.compat_version,
            reserved: 0,
        }
    }

    /// The bytes of its three parts.
    pub fn size(&self) -> usize {
        self.front.len() + self.middle.len() + self.data.len()
    }
}

/// Why a message isn't taken.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SendError {
    /// The queue is full; `Event::Writable` says when there is room again.
    Full {
        /// The message.
        message: Message,
    },
    /// It doesn't fit into a frame.
    TooLarge {
        /// The bytes of its parts.
        size: usize,
        /// How many there may be.
        limit: usize,
    },
    /// There is no such session, or it is closing.
    Closed,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Full { .. } => f.write_str("the session's queue is full"),
            SendError::TooLarge { size, limit } => write!(f, "a message of {size} bytes, the limit is {limit}"),
            SendError::Closed => f.write_str("the session is closed"),
        }
    }
}

impl std::error::Error for SendError {}
