//! Frames from segments. Large segments are handed on, not copied.

use bytes::{BufMut, Bytes, BytesMut};

use super::crc::{PREAMBLE_COVERED, preamble_crc};
use super::head::EPILOGUE_LEN;
use super::{PREAMBLE_LEN, Revision, SEGMENT_SEED, crc32c};
use crate::types::PreambleFlags;
use crate::v2_0::LateFlags;
use crate::v2_1::{Frame, LateStatus, Tag};
use crate::wire::{Error, Writer};

/// Segments up to this size are copied: one buffer is cheaper than one more element of a vectored write.
const COPY_UP_TO: usize = 4096;
/// What most frames fit in.
const SMALL: usize = 128;
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
    buffer.put_slice(&preamble(tag, flags, segments.each_ref().map(Bytes::len), count));
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

/// A frame in crc mode and one buffer: the quick way for all that isn't a large message.
pub fn encode(revision: Revision, frame: &Frame<'_>) -> Result<Vec<u8>, Error> {
    let mut writer = Writer::with_capacity(SMALL);
    writer.put(&[0; PREAMBLE_LEN]);
    if !frame.encode_single(&mut writer)? {
        let mut out = Vec::new();
        let segments = frame.encode()?.map(Bytes::from);
        assemble(revision, frame.tag(), PreambleFlags(0), &segments, Ending::Complete, &mut out);
        return Ok(out.concat());
    }
    let mut buffer = writer.into_vec();
    let segment = &buffer[PREAMBLE_LEN..];
    let (length, crc) = (segment.len(), crc32c(SEGMENT_SEED, segment).to_le_bytes());
    buffer[..PREAMBLE_LEN].copy_from_slice(&preamble(frame.tag(), PreambleFlags(0), [length, 0, 0, 0], 1));
    match revision {
        Revision::V2_0 => {
            let mut epilogue = [0; EPILOGUE_LEN[0]];
            epilogue[0] = Ending::Complete.late(revision);
            epilogue[1..5].copy_from_slice(&crc);
            buffer.extend_from_slice(&epilogue);
        }
        Revision::V2_1 if length == 0 => {}
        Revision::V2_1 => buffer.extend_from_slice(&crc),
    }
    Ok(buffer)
}

/// A preamble.
#[inline]
pub(super) fn preamble(tag: Tag, flags: PreambleFlags, lengths: [usize; 4], count: usize) -> [u8; PREAMBLE_LEN] {
    let mut bytes = [0; PREAMBLE_LEN];
    (bytes[0], bytes[1]) = (tag.0, count as u8);
    for (index, length) in lengths.into_iter().enumerate().take(count) {
        let alignment = if index == 3 && tag == Tag::MESSAGE { DATA_ALIGNMENT } else { ALIGNMENT };
        let at = 2 + 6 * index;
        bytes[at..at + 4].copy_from_slice(&(length as u32).to_le_bytes());
        bytes[at + 4..at + 6].copy_from_slice(&alignment.to_le_bytes());
    }
    bytes[26] = flags.0;
    let crc = preamble_crc(bytes.first_chunk().expect("it is shorter than the preamble"));
    bytes[PREAMBLE_COVERED..].copy_from_slice(&crc.to_le_bytes());
    bytes
}
