//! The fields of a unit, told to a trace, and a unit in one line.

use std::fmt;
use std::ops::Range;

use super::body;
use super::unit::{Mode, Unit, UnitKind};
use crate::frame::{self, Head, Revision, secure};
use crate::wire::{Composite as _, Error, Info, Reader, Segments, Trace, Value, Walker};
use crate::{built_in, field, proposal, protocol, v2_1};

/// A unit in one line, with its bytes: its name, and the facts that matter. It is read for that when it is printed.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    unit: &'a Unit,
    bytes: &'a [u8],
}

/// Tells the fields of a unit. `bytes` are the unit's, as many as were captured. What can't be read is told as far as
/// it can; the unit's findings say why it can't. Sealed structures are opened with the unit's keys, each in a view of its
/// own.
pub fn show<'a, T: Trace>(unit: &'a Unit, bytes: &'a [u8], trace: &mut T) -> Shown<'a> {
    let bytes = &bytes[..bytes.len().min(unit.length as usize)];
    trace.unseal_with(unit.keys.unseal());
    let numbers = unit.context.numbers();
    tell(unit, bytes, &mut Walker::new(protocol(), &numbers), trace);
    trace.unseal_with(None);
    Shown { unit, bytes }
}

/// A frame as the value that the codec makes of it.
#[derive(Debug)]
pub enum AnyFrame<'a> {
    /// One of v2.0 or v2.1.
    Shipped(v2_1::Frame<'a>),
    /// One of the proposal.
    Proposal(proposal::Frame<'a>),
}

/// The frame in a unit's bytes. Nothing if it is no frame, is compressed, or can't be read.
pub fn frame_of<'a>(unit: &Unit, bytes: &'a [u8]) -> Option<AnyFrame<'a>> {
    let bytes = &bytes[..bytes.len().min(unit.length as usize)];
    let shipped = |tag, segments: &Segments<'a>| {
        v2_1::Frame::decode(v2_1::Tag(tag), segments, &unit.context, &mut ()).ok().map(AnyFrame::Shipped)
    };
    match unit.kind {
        UnitKind::Frame(head) if !head.compressed() => shipped(head.tag, &segments(unit, &head, bytes)),
        UnitKind::Segments(head) => shipped(head.tag, &one_behind_the_other(&head, bytes)),
        UnitKind::Plain(head) => {
            let payload = behind(frame::proposal::HEADER_LEN.min(bytes.len()), bytes);
            proposal::Frame::decode(head.tag, &payload, &unit.context, &mut ()).ok().map(AnyFrame::Proposal)
        }
        _ => None,
    }
}

fn tell<T: Trace>(unit: &Unit, bytes: &[u8], walker: &mut Walker<'_>, trace: &mut T) {
    match unit.kind {
        UnitKind::Banner => {
            // as far as it goes
            let _ = walker.banner(&mut Reader::new(bytes), dialect(unit), trace, |_| ());
        }
        UnitKind::Frame(head) => framed(unit, &head, bytes, walker, trace),
        UnitKind::Segments(head) => {
            frame(unit, head.tag, &one_behind_the_other(&head, bytes), walker, trace);
        }
        UnitKind::Plain(head) => {
            let start = frame::proposal::HEADER_LEN.min(bytes.len());
            block(bytes, 0..start, proposal::FrameHeader::LAYOUT, trace);
            frame(unit, head.tag.0, &behind(start, bytes), walker, trace);
        }
        UnitKind::Record => record(bytes, unit.length as usize, trace),
        UnitKind::Secure | UnitKind::Encrypted => {
            trace.value(field::COMMON_ENCRYPTED, 0..bytes.len(), Value::Bytes(bytes));
        }
        UnitKind::Lost => trace.value(field::COMMON_UNDECODED, 0..bytes.len(), Value::Bytes(bytes)),
        UnitKind::Ended => {}
    }
}

/// The tables of a unit's dialect. v2.1 has all frames that v2.0 has.
fn dialect(unit: &Unit) -> &'static msgr2_tables::Dialect {
    static NONE: msgr2_tables::Dialect =
        msgr2_tables::Dialect { name: String::new(), banner: None, frames: Vec::new() };
    let proposal = matches!(unit.dialect, Some(frame::Dialect::Proposal));
    protocol().dialect(if proposal { proposal::NAME } else { v2_1::NAME }).unwrap_or(&NONE)
}

/// The segments of a frame of v2.0 or v2.1: in crc mode, or decrypted.
fn segments<'a>(unit: &Unit, head: &Head, bytes: &'a [u8]) -> Segments<'a> {
    let revision = revision(unit);
    match unit.mode {
        Mode::Secure => secure::open_view(head, revision, bytes).segments,
        _ => frame::open(head, revision, bytes, frame::Check::Nothing).segments,
    }
}

fn revision(unit: &Unit) -> Revision {
    unit.dialect.and_then(frame::Dialect::revision).unwrap_or(Revision::V2_1)
}

/// A frame of v2.0 or v2.1 with what stands around its segments.
fn framed<T: Trace>(unit: &Unit, head: &Head, bytes: &[u8], walker: &mut Walker<'_>, trace: &mut T) {
    let (revision, segments) = (revision(unit), segments(unit, head, bytes));
    let tell = |trace: &mut T| {
        if head.compressed() {
            segments.opaque(trace, field::COMMON_COMPRESSED);
        } else {
            frame(unit, head.tag, &segments, walker, trace);
        }
    };
    // the blocks around the payload end where the capture ends
    let _ = match unit.mode {
        Mode::Secure => secure::trace_view(head, revision, bytes, trace, tell),
        _ => frame::trace_envelope(head, revision, bytes, trace, tell),
    };
}

/// Segments of these lengths without anything between them.
pub(super) fn one_behind_the_other<'a>(head: &Head, bytes: &'a [u8]) -> Segments<'a> {
    let mut at = 0;
    Segments::new(head.lengths.map(|length| {
        let (start, end) = (at.min(bytes.len()), (at + length as usize).min(bytes.len()));
        at += length as usize;
        (start, &bytes[start..end])
    }))
}

/// All bytes from here on as one segment.
fn behind(start: usize, bytes: &[u8]) -> Segments<'_> {
    let end = bytes.len();
    Segments::new([(start, &bytes[start.min(end)..]), (end, &[]), (end, &[]), (end, &[])])
}

/// The payload of a frame; of a message that can be read, the body in the place of its bytes.
fn frame<T: Trace>(unit: &Unit, tag: u8, segments: &Segments<'_>, walker: &mut Walker<'_>, trace: &mut T) {
    let depth = trace.depth();
    let read = match body::of(unit, tag, segments) {
        Some(body) if matches!(body.read(walker), Some(Ok(()))) => {
            walker.message_frame(dialect(unit), tag, segments, body.parts(), trace)
        }
        _ => walker.frame(dialect(unit), tag, segments, trace, |_| ()),
    };
    if let Err(error) = read {
        close(trace, depth, &error);
    }
}

/// What stands around the ciphertext of a record, and the ciphertext.
fn record<T: Trace>(bytes: &[u8], length: usize, trace: &mut T) {
    let head = proposal::RecordHeader::MIN_SIZE.min(bytes.len());
    let tag = length.saturating_sub(proposal::RecordTag::MIN_SIZE);
    let tag = tag.clamp(head, bytes.len().max(head));
    block(bytes, 0..head, proposal::RecordHeader::LAYOUT, trace);
    trace.value(field::COMMON_ENCRYPTED, head..tag, Value::Bytes(&bytes[head..tag]));
    block(bytes, tag..bytes.len(), proposal::RecordTag::LAYOUT, trace);
}

/// One of the blocks that the envelope names; cut short it is told as far as it goes.
fn block<T: Trace>(bytes: &[u8], at: Range<usize>, layout: usize, trace: &mut T) {
    let depth = trace.depth();
    if let Err(error) =
        Walker::new(built_in(), &[]).structure(&mut Reader::at(&bytes[at.clone()], at.start), layout, trace)
    {
        close(trace, depth, &error);
    }
}

/// Fields that an error left open are closed where it happened.
fn close<T: Trace>(trace: &mut T, depth: usize, error: &Error) {
    while trace.depth() > depth {
        trace.close(error.offset, None);
    }
}

/// The most frames of a record that its line names.
const MOST_HELD: usize = 8;

/// The frames in a unit that is opened, by their names, behind a colon; nothing if there are none.
struct Holds<'u>(&'u Unit);

impl fmt::Display for Holds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut todo: Vec<&Unit> = self.0.inner().iter().rev().collect();
        let mut named = 0;
        while let Some(unit) = todo.pop() {
            todo.extend(unit.inner().iter().rev());
            let tag: &dyn fmt::Display = match &unit.kind {
                _ if !unit.inner().is_empty() => continue,
                UnitKind::Frame(head) | UnitKind::Segments(head) => &v2_1::Tag(head.tag),
                UnitKind::Plain(head) => &head.tag,
                _ => continue,
            };
            f.write_str(if named == 0 { ": " } else { ", " })?;
            if named == MOST_HELD {
                return f.write_str("…");
            }
            named += 1;
            tag.fmt(f)?;
            if let Some(message) = unit.message {
                write!(f, " {message}")?;
            }
        }
        Ok(())
    }
}

/// A unit in one line: what it turned out to be, what a signature is worth, and whether it is whole.
#[derive(Debug)]
pub struct Line<'u, 'a>(pub &'u Unit, pub &'u Shown<'a>);

impl fmt::Display for Line<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Line(unit, shown) = self;
        shown.fmt(f)?;
        if let Some(verdict) = unit.verdict {
            write!(f, " {}", verdict.name())?;
        }
        if unit.cut { f.write_str(" [cut short]") } else { Ok(()) }
    }
}

impl fmt::Display for Shown<'_> {
    /// The tag's name and the facts that matter, in one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shown { unit, bytes } = *self;
        let opened = !unit.inner().is_empty();
        match unit.kind {
            UnitKind::Banner => {
                f.write_str("Banner")?;
                let numbers = unit.context.numbers();
                let mut walker = Walker::new(protocol(), &numbers);
                let read = walker.banner(&mut Reader::new(bytes), dialect(unit), &mut (), |info| facts(f, " ", info));
                read.unwrap_or(Ok(()))
            }
            UnitKind::Frame(_) if opened => write!(f, "Compressed frame{}", Holds(unit)),
            UnitKind::Frame(head) if head.compressed() => write!(f, "{}", v2_1::Tag(head.tag)),
            UnitKind::Frame(head) => line(f, &v2_1::Tag(head.tag), unit, head.tag, &segments(unit, &head, bytes)),
            UnitKind::Segments(head) => {
                line(f, &v2_1::Tag(head.tag), unit, head.tag, &one_behind_the_other(&head, bytes))
            }
            UnitKind::Plain(head) => {
                let start = frame::proposal::HEADER_LEN.min(bytes.len());
                line(f, &head.tag, unit, head.tag.0, &behind(start, bytes))
            }
            UnitKind::Record => {
                let number = unit.record().unwrap_or_default();
                if opened {
                    write!(f, "Record {number}{}", Holds(unit))
                } else {
                    write!(f, "Encrypted record {number}")
                }
            }
            UnitKind::Secure if opened => write!(f, "Secure frame{}", Holds(unit)),
            UnitKind::Secure => f.write_str("Encrypted frame"),
            UnitKind::Encrypted => f.write_str("Encrypted"),
            UnitKind::Lost => f.write_str("Undecoded bytes"),
            UnitKind::Ended => f.write_str("End of connection"),
        }
    }
}

/// A frame in one line: its name, its facts, and the facts of a message's body.
fn line(
    f: &mut fmt::Formatter<'_>,
    name: &dyn fmt::Display,
    unit: &Unit,
    tag: u8,
    segments: &Segments<'_>,
) -> fmt::Result {
    write!(f, "{name}")?;
    let numbers = unit.context.numbers();
    let walker = &mut Walker::new(protocol(), &numbers);
    let Ok(told) = walker.frame(dialect(unit), tag, segments, &mut (), |info| facts(f, " ", info)) else {
        return Ok(());
    };
    told?;
    match body::of(unit, tag, segments) {
        Some(body) => body.tell(walker, |info| facts(f, ": ", info)).unwrap_or(Ok(())),
        None => Ok(()),
    }
}

/// What there is to say, behind a separator. Fields that are empty at its end leave their spaces.
fn facts(f: &mut fmt::Formatter<'_>, separator: &str, info: Info<'_>) -> fmt::Result {
    let Some(info) = info else { return Ok(()) };
    let text = info.to_string();
    if text.is_empty() { Ok(()) } else { write!(f, "{separator}{}", text.trim_end()) }
}
