//! Compressed frames.

use super::{Connection, PREAMBLE_LEN};
use crate::FindingKind;
use crate::frame::compress::{DecompressError, decompress_segments};
use crate::frame::{self, Check, Dialect, Head, Revision, secure};
use crate::tracker::order::Order;
use crate::tracker::show::one_behind_the_other;
use crate::tracker::unit::{Mode, Opens, Sealed, Unit, UnitKind};
use crate::types::{CompressionAlgorithm, PreambleFlags};
use crate::v2_1::Tag;
use crate::wire::Segments;

/// Why a frame must not be compressed.
const NOT_AGREED: &str = "no algorithm was agreed upon";
/// The most bytes that one frame may decompress to: far more than real ones have.
const MOST_BYTES: usize = 96 << 20;

/// The segments of a compressed frame, decompressed, from the frame's bytes or from its decrypted view.
pub(in crate::tracker) fn decompressed(
    unit: &Unit,
    head: &Head,
    algorithm: CompressionAlgorithm,
    bytes: &[u8],
) -> Result<[Vec<u8>; 4], (usize, DecompressError)> {
    let revision = unit.dialect.and_then(Dialect::revision).unwrap_or(Revision::V2_1);
    let opened = match unit.mode {
        Mode::Secure => secure::open_view(head, revision, bytes),
        _ => frame::open(head, revision, bytes, Check::Nothing),
    };
    decompress_segments(algorithm, &opened.segments, MOST_BYTES)
}

impl Connection {
    /// What is in a compressed frame.
    pub(super) fn compressed(&mut self, unit: &mut Unit, head: &Head, segments: &Segments<'_>) {
        if unit.cut {
            return;
        }
        let Some(algorithm) = self.compression else {
            // what was agreed upon may be among the bytes that are missing
            if self.order.as_ref().is_none_or(Order::is_blind) {
                let detail = "its algorithm isn't known: the handshake was not captured";
                return unit.report(FindingKind::NotDecompressed, 0, PREAMBLE_LEN, detail.into());
            }
            return unit.report(FindingKind::BadCompression, 0, PREAMBLE_LEN, NOT_AGREED.into());
        };
        if algorithm == CompressionAlgorithm::NONE {
            return unit.report(FindingKind::BadCompression, 0, PREAMBLE_LEN, NOT_AGREED.into());
        }
        let parts = match decompress_segments(algorithm, segments, MOST_BYTES) {
            Ok(parts) => parts,
            Err((segment, error)) => {
                let (start, length) = (segments.reader(segment).offset(), segments.bytes(segment).len());
                let detail = format!("segment {segment}: {error}");
                return unit.report(FindingKind::BadCompression, start, length, detail);
            }
        };
        let view = parts.concat();
        let now = Head {
            lengths: parts.each_ref().map(|part| part.len() as u32),
            flags: head.flags & !PreambleFlags::COMPRESSED.0,
            ..*head
        };
        let mut inner = self.unit(UnitKind::Segments(now), unit.direction, view.len());
        (inner.mode, inner.sender) = (unit.mode, unit.sender);
        self.payload(&mut inner, Tag(head.tag), &one_behind_the_other(&now, &view));
        unit.context = inner.context;
        let how = Opens::Compressed { head: *head, algorithm };
        unit.sealed = Some(Box::new(Sealed { units: vec![inner], how }));
    }
}
