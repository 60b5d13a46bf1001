//! The length and the tag in front of every payload.

use std::fmt;

use crate::Context;
use crate::proposal::{Frame, FrameHeader, Tag};
use crate::wire::{Composite, Error};

/// The bytes in front of a payload.
pub const HEADER_LEN: usize = <FrameHeader as Composite<'_, Context>>::MIN_SIZE;
/// Those of them that `frame_len` doesn't count.
const LEN: usize = 4;

/// How long a frame is, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The bytes of tag and payload.
    pub frame_len: u32,
    /// The tag.
    pub tag: Tag,
}

/// Why a frame can't begin like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeadError {
    /// A frame without a tag.
    Empty,
    /// A frame_len above the limit.
    TooLarge {
        /// The frame_len, in bytes.
        frame_len: u32,
        /// The limit, in bytes.
        limit: u32,
    },
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeadError::Empty => f.write_str("a frame_len of 0"),
            HeadError::TooLarge { frame_len, limit } => write!(f, "a frame_len of {frame_len}, the limit is {limit}"),
        }
    }
}

impl std::error::Error for HeadError {}

impl Head {
    /// Reads the beginning of a frame. `None` asks for [`HEADER_LEN`] bytes; a bad length is noticed as soon as it
    /// is there.
    pub fn parse(bytes: &[u8], limit: u32) -> Result<Option<Head>, HeadError> {
        let Some(length) = bytes.first_chunk::<LEN>() else { return Ok(None) };
        let frame_len = u32::from_le_bytes(*length);
        if frame_len == 0 {
            return Err(HeadError::Empty);
        }
        if frame_len > limit {
            return Err(HeadError::TooLarge { frame_len, limit });
        }
        Ok(bytes.get(LEN).map(|&tag| Head { frame_len, tag: Tag(tag) }))
    }

    /// The bytes of the whole frame.
    pub fn total_len(&self) -> usize {
        LEN + self.frame_len as usize
    }
}

/// A frame from tag and payload.
pub fn assemble(tag: Tag, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(HEADER_LEN + payload.len());
    frame.extend_from_slice(&(payload.len() as u32 + 1).to_le_bytes());
    frame.push(tag.0);
    frame.extend_from_slice(payload);
    frame
}

/// A frame from values. What a reader would have to refuse is an error.
pub fn encode(frame: &Frame<'_>) -> Result<Vec<u8>, Error> {
    let [payload, ..] = frame.encode()?;
    Ok(assemble(frame.tag(), &payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths() {
        assert_eq!(Head::parse(&[9, 0, 0], 100), Ok(None));
        assert_eq!(Head::parse(&[9, 0, 0, 0], 100), Ok(None));
        let head = Head::parse(&[9, 0, 0, 0, Tag::START.0], 100).unwrap().unwrap();
        assert_eq!((head.tag, head.total_len()), (Tag::START, 13));
        assert_eq!(Head::parse(&[0; 4], 100), Err(HeadError::Empty));
        assert_eq!(Head::parse(&[101, 0, 0, 0], 100), Err(HeadError::TooLarge { frame_len: 101, limit: 100 }));
    }
}
