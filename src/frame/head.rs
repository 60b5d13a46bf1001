//! The preamble, which says how long a frame is.

use std::fmt;

use super::Revision;
use super::crc::{PREAMBLE_COVERED, preamble_crc};
use crate::wire::Composite;
use crate::{Context, v2_0, v2_1};

/// The bytes of a preamble.
pub const PREAMBLE_LEN: usize = <v2_0::Preamble as Composite<'_, Context>>::MIN_SIZE;
/// The part of it that its CRC covers.
const COVERED: usize = PREAMBLE_COVERED;
const _: () = assert!(COVERED + 4 == PREAMBLE_LEN);
/// The bytes of the CRC behind the first segment in v2.1.
pub(super) const SEGMENT_CRC_LEN: usize = <v2_1::SegmentCrc as Composite<'_, Context>>::MIN_SIZE;
/// The bytes of the epilogue in v2.0 and v2.1.
pub(super) const EPILOGUE_LEN: [usize; 2] =
    [<v2_0::Epilogue as Composite<'_, Context>>::MIN_SIZE, <v2_1::Epilogue as Composite<'_, Context>>::MIN_SIZE];

/// What the rest of the frame depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The tag.
    pub tag: u8,
    /// The number of segments, 1 to 4.
    pub num_segments: u8,
    /// The bytes of each segment; 0 from `num_segments` on.
    pub lengths: [u32; 4],
    /// The preamble's flags.
    pub flags: u8,
}

/// Why a preamble is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeadError {
    /// Its CRC doesn't match.
    BadCrc {
        /// What the bytes give.
        computed: u32,
        /// What stands there.
        found: u32,
    },
    /// Not 1 to 4 segments.
    NumSegments(u8),
    /// Several segments of which the last is empty.
    EmptyLast,
    /// More bytes than the limit.
    TooLarge {
        /// The bytes of the whole frame.
        length: u64,
        /// The limit.
        limit: u64,
    },
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeadError::BadCrc { computed, found } => {
                write!(f, "the preamble's CRC is {found:#010x}, its bytes give {computed:#010x}")
            }
            HeadError::NumSegments(n) => write!(f, "{n} segments where 1 to 4 are allowed"),
            HeadError::EmptyLast => write!(f, "the last of several segments is empty"),
            HeadError::TooLarge { length, limit } => write!(f, "a frame of {length} bytes, the limit is {limit}"),
        }
    }
}

impl std::error::Error for HeadError {}

impl Head {
    /// Reads a preamble and checks it.
    #[inline]
    pub fn parse(bytes: &[u8; PREAMBLE_LEN], revision: Revision) -> Result<Head, HeadError> {
        let &[.., a, b, c, d] = bytes;
        let found = u32::from_le_bytes([a, b, c, d]);
        let computed = preamble_crc(bytes.first_chunk().expect("it is shorter than the preamble"));
        if computed != found {
            return Err(HeadError::BadCrc { computed, found });
        }
        let (tag, num_segments) = (bytes[0], bytes[1]);
        if !(1..=4).contains(&num_segments) {
            return Err(HeadError::NumSegments(num_segments));
        }
        let mut lengths = [0; 4];
        for (index, length) in lengths.iter_mut().enumerate().take(num_segments.into()) {
            let at = 2 + 6 * index;
            *length = u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        }
        let last = usize::from(num_segments) - 1;
        // 14.2.0 announced trailing segments loosely
        if revision == Revision::V2_1 && last > 0 && lengths[last] == 0 {
            return Err(HeadError::EmptyLast);
        }
        let head = Head { tag, num_segments, lengths, flags: bytes[26] };
        let (length, limit) = (head.payload_len(), crate::limits::MAX_FRAME);
        if length > limit {
            return Err(HeadError::TooLarge { length, limit });
        }
        Ok(head)
    }

    /// The bytes of all segments.
    #[inline]
    pub fn payload_len(&self) -> u64 {
        self.lengths.iter().map(|&n| u64::from(n)).sum()
    }

    /// The bytes of the whole frame in crc mode.
    #[inline]
    pub fn frame_len(&self, revision: Revision) -> usize {
        let around = match revision {
            Revision::V2_0 => EPILOGUE_LEN[0],
            Revision::V2_1 => {
                let crc = if self.lengths[0] > 0 { SEGMENT_CRC_LEN } else { 0 };
                crc + if self.num_segments > 1 { EPILOGUE_LEN[1] } else { 0 }
            }
        };
        // the limit on a frame keeps this far from the end of usize
        PREAMBLE_LEN + self.payload_len() as usize + around
    }

    /// Whether the segments are compressed.
    pub fn compressed(&self) -> bool {
        self.flags & crate::types::PreambleFlags::COMPRESSED.0 != 0
    }

    /// A quick look whether a preamble may begin here; what it lets through [`Head::parse`] must still check.
    #[inline]
    pub fn plausible(bytes: &[u8]) -> bool {
        matches!(bytes, [1..=MAX_TAG, 1..=4, ..]) && bytes.len() >= PREAMBLE_LEN && bytes[27] == 0
    }
}

/// The highest tag that a search for preambles takes for one.
const MAX_TAG: u8 = crate::v2_1::Tag::COMPRESSION_DONE.0;
