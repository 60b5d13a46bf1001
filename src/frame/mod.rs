//! Frames: from bytes to payloads and back. Those of v2.0 and v2.1 are here, those of the proposal in [`proposal`].
//!
//! What stands where says `envelope` in the spec files of the two dialects; this module follows it by hand,
//! and `tests/envelope.rs` holds it against them. Crc mode is in this module, secure mode in [`secure`],
//! and what may be done to segments before either in [`compress`].

pub mod compress;
mod crc;
mod dialect;
mod head;
pub mod proposal;
mod read;
pub mod secure;
mod write;

pub use crc::{SEGMENT_SEED, crc32c};
pub use dialect::Dialect;
pub use head::{Head, HeadError, PREAMBLE_LEN};
pub use read::{BadCrc, Check, Late, Opened, open, trace_envelope};
pub use write::{Ending, assemble, encode};

use crate::{v2_0, v2_1};

/// The revision of the frame format. Both directions of a connection use the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Revision {
    /// msgr2.0.
    V2_0,
    /// msgr2.1.
    V2_1,
}

impl Revision {
    /// The dialect's name.
    pub fn name(self) -> &'static str {
        match self {
            Revision::V2_0 => v2_0::NAME,
            Revision::V2_1 => v2_1::NAME,
        }
    }

    /// What two banners agree on: 2.1 if both announce it.
    pub fn negotiated(one: crate::types::Msgr2Features, other: crate::types::Msgr2Features) -> Self {
        let both = one & other;
        if both.contains(crate::types::Msgr2Features::REVISION_1) { Revision::V2_1 } else { Revision::V2_0 }
    }
}
