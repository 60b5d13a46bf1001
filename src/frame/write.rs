//! Frames from segments. Large segments are handed on, not copied.

use bytes::{BufMut, Bytes, BytesMut};

use super::head::EPILOGUE_LEN;
use super::{PREAMBLE_LEN, Revision, SEGMENT_SEED, crc32c};
use crate::types::PreambleFlags;
use crate::v2_0::LateFlags;
use crate::v2_1::{LateStatus, Tag};

/// Segments up to this size are copied: one buffer is cheaper than one more element of a vectored write.
const COPY_UP_TO: usize = 4096;
/// The alignments that real senders announce: a pointer's size, and a page for the data of a message.
const ALIGNMENT: u16 = 8;
const DATA_ALIGNMENT: u16 = 4096;

/// How a sender ends a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// It is whole.
    #[default]
    Complete,
    /// It is given up: the receiver drops it. In v2.1 only a frame with several segments can say so.
    Aborted,
}

impl Ending {
    /// The byte that says so at the end of a frame.
    pub(super) fn late(self, revision: Revision) -> u8 {
        match (revision, self) {
            (Revision::V2_0, Ending::Complete) => 0,
            (Revision::V2_0, Ending::Aborted) => LateFlags::ABORTED.0,
            (Revision::V2_1, Ending::Complete) => LateStatus::COMPLETE.0,
            (Revision::V2_1, Ending::Aborted) => LateStatus::ABORTED.0,
        }
    }
}

/// How many segments are sent: trailing empty ones are left out, as the protocol demands.
pub(super) fn count(segments: &[Bytes; 4]) -> usize {
    segments.iter().rposition(|s| !s.is_empty()).map_or(1, |last| last + 1)
}

/// A frame in crc mode, as buffers to be written one after the other.
pub fn assemble(
    revision: Revision,
    tag: Tag,
    flags: PreambleFlags,
    segments: &[Bytes; 4],
    ending: Ending,
    out: &mut Vec<Bytes>,
) {
    let count = count(segments);
    let copied: usize = segments.iter().map(Bytes::len).filter(|&n| n <= COPY_UP_TO).sum();
    let mut buffer = BytesMut::with_capacity(PREAMBLE_LEN + copied + EPILOGUE_LEN[0] + 4);
    put_preamble(&mut buffer, tag, flags, segments, count);
    let crcs: [u32; 4] = std::array::from_fn(|i| if i < count { crc32c(SEGMENT_SEED, &segments[i]) } else { 0 });
    for (index, segment) in segments.iter().enumerate().take(count) {
        if segment.len() <= COPY_UP_TO {
            buffer.put_slice(segment);
        } else {
            out.push(buffer.split().freeze());
            out.push(segment.clone());
        }
        if revision == Revision::V2_1 && index == 0 && !segment.is_empty() {
            buffer.put_u32_le(crcs[0]);
        }
    }
    match revision {
        Revision::V2_0 => {
            buffer.put_u8(ending.late(revision));
            crcs.iter().for_each(|&crc| buffer.put_u32_le(crc));
        }
        Revision::V2_1 if count > 1 => {
            buffer.put_u8(ending.late(revision));
            crcs[1..].iter().for_each(|&crc| buffer.put_u32_le(crc));
        }
        Revision::V2_1 => {}
    }
    if !buffer.is_empty() {
        out.push(buffer.freeze());
    }
}

/// A frame with one segment, in one buffer.
pub fn small(revision: Revision, tag: Tag, segment: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(1);
    let segments = [Bytes::copy_from_slice(segment), Bytes::new(), Bytes::new(), Bytes::new()];
    assemble(revision, tag, PreambleFlags(0), &segments, Ending::Complete, &mut out);
    match out.as_slice() {
        [one] => one.clone(),
        several => several.concat().into(),
    }
}

/// The preamble, with its CRC.
pub(super) fn put_preamble(buffer: &mut BytesMut, tag: Tag, flags: PreambleFlags, segments: &[Bytes; 4], count: usize) {
    let start = buffer.len();
    buffer.put_u8(tag.0);
    buffer.put_u8(count as u8);
    for (index, segment) in segments.iter().enumerate() {
        let alignment = match index {
            _ if index >= count => 0,
            3 if tag == Tag::MESSAGE => DATA_ALIGNMENT,
            _ => ALIGNMENT,
        };
        buffer.put_u32_le(segment.len() as u32);
        buffer.put_u16_le(alignment);
    }
    buffer.put_u8(flags.0);
    buffer.put_u8(0);
    let crc = crc32c(0, &buffer[start..]);
    buffer.put_u32_le(crc);
}
