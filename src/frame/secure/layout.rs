//! Where things stand in a frame, encrypted and decrypted.

use crate::frame::read::{boxed, late};
use crate::frame::{Head, Late, Opened, PREAMBLE_LEN, Revision};
use crate::wire::{Composite, Error, Reader, Segments, Trace, Walker};
use crate::{Context, built_in, field, v2_0, v2_1};

/// The bytes of a GCM tag.
pub(super) const TAG_LEN: usize = crate::crypto::Gcm::TAG;
/// What of the first segment goes with the preamble in v2.1.
const INLINE: usize = 48;
/// The plain bytes of the first operation in v2.1.
pub(super) const FIRST_LEN: usize = PREAMBLE_LEN + INLINE;
/// The bytes of the epilogue.
pub(super) const EPILOGUE_LEN: usize = <v2_1::SecureEpilogue as Composite<'_, Context>>::MIN_SIZE;
const _: () = assert!(EPILOGUE_LEN == <v2_0::SecureEpilogue as Composite<'_, Context>>::MIN_SIZE);

/// A segment's bytes with its padding.
pub(super) fn padded(length: u32) -> usize {
    (length as usize).next_multiple_of(16)
}

/// Where the second segment begins in the view.
fn second(head: &Head, revision: Revision) -> usize {
    let first = padded(head.lengths[0]);
    PREAMBLE_LEN + if revision == Revision::V2_1 { first.max(INLINE) } else { first }
}

/// Where the epilogue begins in the view.
fn epilogue(head: &Head, revision: Revision) -> usize {
    second(head, revision) + head.lengths[1..].iter().map(|&length| padded(length)).sum::<usize>()
}

/// Whether there is an epilogue.
fn has_epilogue(head: &Head, revision: Revision) -> bool {
    revision == Revision::V2_0 || head.num_segments > 1
}

/// The plain bytes of each operation of a frame, one after the other in the view; the first is never 0.
pub(super) fn operations(head: &Head, revision: Revision) -> [usize; 3] {
    let end = epilogue(head, revision) + if has_epilogue(head, revision) { EPILOGUE_LEN } else { 0 };
    match revision {
        Revision::V2_0 => [end, 0, 0],
        Revision::V2_1 => {
            let second = second(head, revision);
            [FIRST_LEN, second - FIRST_LEN, end - second]
        }
    }
}

/// Takes the decrypted view of a frame apart. Its segments' places are those in the view. There is no CRC to check
/// behind the preamble.
pub fn open_view<'a>(head: &Head, revision: Revision, view: &'a [u8]) -> Opened<'a> {
    let starts = [PREAMBLE_LEN, second(head, revision)];
    let mut at = starts[0];
    let parts = std::array::from_fn(|index| {
        if index == 1 {
            at = starts[1];
        }
        let start = at.min(view.len());
        let end = (start + head.lengths[index] as usize).min(view.len());
        at += padded(head.lengths[index]);
        (start, &view[start..end])
    });
    let epilogue = epilogue(head, revision);
    let late = match view.get(epilogue) {
        Some(&byte) if has_epilogue(head, revision) => late(revision, byte),
        _ => Late::Complete,
    };
    Opened { segments: Segments::new(parts), bad_crc: None, late, epilogue }
}

/// Tells a trace the blocks around the segments of a decrypted view; `payload` is called where the segments are to be told.
pub fn trace_view<T: Trace>(
    head: &Head,
    revision: Revision,
    view: &[u8],
    trace: &mut T,
    payload: impl FnOnce(&mut T),
) -> Result<(), Error> {
    let mut reader = Reader::new(view);
    Walker::new(built_in(), &[]).structure_in(&mut reader, field::COMMON_PREAMBLE, v2_0::Preamble::LAYOUT, trace)?;
    payload(trace);
    if !has_epilogue(head, revision) {
        return Ok(());
    }
    let at = epilogue(head, revision);
    match revision {
        Revision::V2_0 => boxed(view, at, EPILOGUE_LEN, v2_0::SecureEpilogue::LAYOUT, trace),
        Revision::V2_1 => boxed(view, at, EPILOGUE_LEN, v2_1::SecureEpilogue::LAYOUT, trace),
    }
}
