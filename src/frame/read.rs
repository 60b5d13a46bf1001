//! A whole frame in crc mode, taken apart and checked.

use super::head::{EPILOGUE_LEN, SEGMENT_CRC_LEN};
use super::{Head, PREAMBLE_LEN, Revision, SEGMENT_SEED, crc32c};
use crate::wire::{Composite as _, Error, Reader, Segments, Trace, Walker};
use crate::{built_in, field, v2_0, v2_1};

/// A frame taken apart. Nothing is copied.
#[derive(Clone, Debug)]
pub struct Opened<'a> {
    /// The segments, with their places in the frame.
    pub segments: Segments<'a>,
    /// The first CRC that doesn't match.
    pub bad_crc: Option<BadCrc>,
    /// How the frame ended.
    pub late: Late,
    /// Where the epilogue stands, or would stand.
    pub epilogue: usize,
}

/// A CRC that doesn't match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadCrc {
    /// The segment.
    pub segment: usize,
    /// Where the CRC stands in the frame.
    pub at: usize,
    /// What the bytes give.
    pub computed: u32,
    /// What stands there.
    pub found: u32,
}

/// How a frame ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// It is whole.
    Complete,
    /// The sender gave it up.
    Aborted,
    /// Neither: a protocol error.
    Bad(u8),
}

/// Whether CRCs of segments are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// They are.
    Crc,
    /// They aren't.
    Nothing,
}

/// Takes a frame apart. `frame` holds it whole ([`Head::frame_len`]); of one that was cut short the segments are what
/// there is of them, and nothing is checked.
#[inline]
pub fn open<'a>(head: &Head, revision: Revision, frame: &'a [u8], check: Check) -> Opened<'a> {
    let mut at = PREAMBLE_LEN;
    let parts = std::array::from_fn(|index| {
        let length = head.lengths[index] as usize;
        if length == 0 {
            return (at.min(frame.len()), &[][..]);
        }
        let part = (at.min(frame.len()), part_of(frame, at, length));
        at += length;
        if index == 0 && revision == Revision::V2_1 {
            at += SEGMENT_CRC_LEN;
        }
        part
    });
    let segments = Segments::new(parts);
    if frame.len() < head.frame_len(revision) {
        return Opened { segments, bad_crc: None, late: Late::Complete, epilogue: at };
    }
    let late = match revision {
        Revision::V2_1 if head.num_segments == 1 => Late::Complete,
        _ => late(revision, frame[at]),
    };
    let bad_crc = if check == Check::Crc { first_bad(head, revision, frame, &segments, at) } else { None };
    Opened { segments, bad_crc, late, epilogue: at }
}

/// What the byte at the end of a frame says.
pub(super) fn late(revision: Revision, byte: u8) -> Late {
    match revision {
        Revision::V2_0 if v2_0::LateFlags(byte).contains(v2_0::LateFlags::ABORTED) => Late::Aborted,
        Revision::V2_0 => Late::Complete,
        // the upper four bits are reserved
        Revision::V2_1 => match v2_1::LateStatus(byte & 0x0f) {
            v2_1::LateStatus::COMPLETE => Late::Complete,
            v2_1::LateStatus::ABORTED => Late::Aborted,
            _ => Late::Bad(byte),
        },
    }
}

#[inline]
fn part_of(frame: &[u8], at: usize, length: usize) -> &[u8] {
    let end = (at + length).min(frame.len());
    &frame[at.min(end)..end]
}

#[inline]
fn first_bad(
    head: &Head,
    revision: Revision,
    frame: &[u8],
    segments: &Segments<'_>,
    epilogue: usize,
) -> Option<BadCrc> {
    (0..usize::from(head.num_segments)).find_map(|segment| {
        let at = match (revision, segment) {
            (Revision::V2_0, _) => epilogue + 1 + 4 * segment,
            // an empty one has none
            (Revision::V2_1, 0) if head.lengths[0] == 0 => return None,
            (Revision::V2_1, 0) => PREAMBLE_LEN + head.lengths[0] as usize,
            (Revision::V2_1, _) => epilogue + 1 + 4 * (segment - 1),
        };
        let found = u32::from_le_bytes(*frame[at..].first_chunk()?);
        // who runs with ms_crc_data off sends 0, and that is nowhere announced
        if found == 0 {
            return None;
        }
        let computed = crc32c(SEGMENT_SEED, segments.bytes(segment));
        (computed != found).then_some(BadCrc { segment, at, computed, found })
    })
}

/// Tells a trace the blocks around the segments; `payload` is called where the segments are to be told.
pub fn trace_envelope<T: Trace>(
    head: &Head,
    revision: Revision,
    frame: &[u8],
    trace: &mut T,
    payload: impl FnOnce(&mut T),
) -> Result<(), Error> {
    let mut reader = Reader::new(frame);
    Walker::new(built_in(), &[]).structure_in(&mut reader, field::COMMON_PREAMBLE, v2_0::Preamble::LAYOUT, trace)?;
    payload(trace);
    let mut at = PREAMBLE_LEN + head.lengths[0] as usize;
    if revision == Revision::V2_1 && head.lengths[0] > 0 {
        block(frame, at, SEGMENT_CRC_LEN, v2_1::SegmentCrc::LAYOUT, trace)?;
        at += SEGMENT_CRC_LEN;
    }
    at += head.lengths[1..].iter().map(|&n| n as usize).sum::<usize>();
    match revision {
        Revision::V2_0 => boxed(frame, at, EPILOGUE_LEN[0], v2_0::Epilogue::LAYOUT, trace),
        Revision::V2_1 if head.num_segments > 1 => boxed(frame, at, EPILOGUE_LEN[1], v2_1::Epilogue::LAYOUT, trace),
        Revision::V2_1 => Ok(()),
    }
}

/// A block whose fields stand by themselves.
fn block<T: Trace>(frame: &[u8], at: usize, length: usize, layout: usize, trace: &mut T) -> Result<(), Error> {
    Walker::new(built_in(), &[]).structure(
        &mut Reader::at(part_of(frame, at, length), at.min(frame.len())),
        layout,
        trace,
    )
}

/// A block in a field of its own.
pub(super) fn boxed<T: Trace>(
    frame: &[u8],
    at: usize,
    length: usize,
    layout: usize,
    trace: &mut T,
) -> Result<(), Error> {
    let mut reader = Reader::at(part_of(frame, at, length), at.min(frame.len()));
    Walker::new(built_in(), &[]).structure_in(&mut reader, field::COMMON_EPILOGUE, layout, trace)
}
