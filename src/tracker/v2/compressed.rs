//! Compressed frames.

use super::{Connection, PREAMBLE_LEN};
use crate::FindingKind;
use crate::frame::compress::{DecompressError, decompress_joined};
use crate::frame::{self, Check, Dialect, Head, Revision, secure};
use crate::tracker::show::one_behind_the_other;
use crate::tracker::unit::{Direction, Mode, Opens, Sealed, Unit, UnitKind};
use crate::types::{CompressionAlgorithm, Msgr2Features, PreambleFlags};
use crate::v2_1::{CompressionDone, CompressionRequest, Tag};
use crate::wire::{Role, Segments};

/// Why a frame must not be compressed.
const NOT_AGREED: &str = "no algorithm was agreed upon";

/// What the sides of a connection have agreed on.
#[derive(Clone, Debug, Default)]
pub(super) struct Agreement {
    /// What the client's COMPRESSION_REQUEST offers, once it has come.
    asked: Option<Vec<CompressionAlgorithm>>,
    /// What the server's COMPRESSION_DONE has chosen.
    agreed: Option<CompressionAlgorithm>,
}

/// The segments of a compressed frame, decompressed, one behind the other, from the frame's bytes or from its decrypted
/// view. They are as long as they were when the unit was made.
pub(in crate::tracker) fn decompressed(
    unit: &Unit,
    head: &Head,
    algorithm: CompressionAlgorithm,
    bytes: &[u8],
) -> Option<Vec<u8>> {
    let revision = unit.dialect.and_then(Dialect::revision).unwrap_or(Revision::V2_1);
    let opened = match unit.mode {
        Mode::Secure => secure::open_view(head, revision, bytes),
        _ => frame::open(head, revision, bytes, Check::Nothing),
    };
    let length = unit.inner().iter().map(|inner| inner.length as usize).sum();
    decompress_joined(algorithm, &opened.segments, length).ok().map(|(view, _)| view)
}

impl Connection {
    pub(super) fn compression_asked(&mut self, direction: Direction, request: &CompressionRequest<'_>) {
        if self.compression.asked.is_none() && self.role(direction) != Some(Role::Server) {
            let offered = if request.is_compress.get() { request.preferred_algorithms.clone() } else { Vec::new() };
            self.compression.asked = Some(offered);
        }
    }

    /// The server's choice is believed if both sides can compress and the client has offered it. Where the beginning was
    /// not captured that can't be known, and the server is believed.
    pub(super) fn compression_answered(&mut self, direction: Direction, done: &CompressionDone<'_>) {
        let whole = self.is_whole();
        let able = self.sides.iter().all(|side| match side.features {
            Some(features) => features.contains(Msgr2Features::COMPRESSION),
            None => !whole,
        });
        let offered = self.compression.asked.as_ref().map_or(!whole, |asked| asked.contains(&done.algorithm));
        let first = self.compression.agreed.is_none() || !whole;
        if first && able && offered && done.is_compress.get() && self.role(direction) != Some(Role::Client) {
            self.compression.agreed = Some(done.algorithm);
        }
    }

    /// Whether nothing is missing of what was said.
    fn is_whole(&self) -> bool {
        self.order.as_ref().is_some_and(|order| !order.is_blind())
    }

    fn role(&self, direction: Direction) -> Option<Role> {
        self.order.as_ref().and_then(|order| order.role(direction))
    }

    /// What is in a compressed frame.
    pub(super) fn compressed(&mut self, unit: &mut Unit, head: &Head, segments: &Segments<'_>) {
        if unit.cut {
            return;
        }
        let agreed = self.compression.agreed.filter(|algorithm| *algorithm != CompressionAlgorithm::NONE);
        let Some(algorithm) = agreed else {
            // what was agreed upon may be among the bytes that are missing
            if !self.is_whole() {
                let detail = "its algorithm isn't known: the handshake was not captured";
                return unit.report(FindingKind::NotDecompressed, 0, PREAMBLE_LEN, detail.into());
            }
            return unit.report(FindingKind::BadCompression, 0, PREAMBLE_LEN, NOT_AGREED.into());
        };
        let grant = self.knowledge.may_decompress(self.packet, unit.length as usize);
        let made = decompress_joined(algorithm, segments, usize::try_from(grant.amount).unwrap_or(usize::MAX));
        // what was made in vain was made all the same
        let cost = match &made {
            Ok((view, _)) => view.len() as u64,
            Err((_, DecompressError::TooLarge { .. })) => grant.amount,
            Err(_) => 0,
        };
        self.knowledge.decompressed(cost);
        let (view, lengths) = match made {
            Ok(made) => made,
            Err((segment, error)) => {
                let (start, length) = (segments.reader(segment).offset(), segments.bytes(segment).len());
                let detail = match error {
                    DecompressError::TooLarge { .. } => format!("segment {segment}: {error}, of one {}", grant.scope),
                    error => format!("segment {segment}: {error}"),
                };
                return unit.report(FindingKind::BadCompression, start, length, detail);
            }
        };
        let now = Head { lengths, flags: head.flags & !PreambleFlags::COMPRESSED.0, ..*head };
        let mut inner = self.unit(UnitKind::Segments(now), unit.direction, view.len());
        (inner.mode, inner.sender) = (unit.mode, unit.sender);
        self.payload(&mut inner, Tag(head.tag), &one_behind_the_other(&now, &view));
        unit.context = inner.context;
        let how = Opens::Compressed { head: *head, algorithm };
        unit.sealed = Some(Box::new(Sealed { units: vec![inner], how }));
    }
}
