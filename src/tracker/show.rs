//! The fields of a unit, told to a trace.

use std::fmt;
use std::ops::Range;

use super::body;
use super::unit::{Mode, Unit, UnitKind};
use crate::frame::{self, Check, Dialect, Head, Revision, secure};
use crate::messages::Body;
use crate::wire::{Composite, Error, Reader, Segments, Trace, Value};
use crate::{Context, field, proposal, v2_0, v2_1};

/// What a unit turned out to be.
#[derive(Debug)]
pub enum Shown<'a> {
    /// A banner of v2.0 or v2.1.
    Banner(Option<v2_0::BannerFeatures<'a>>),
    /// A frame of v2.0 or v2.1, and the body of a message that could be read.
    Frame(v2_1::Frame<'a>, Option<Box<Body<'a>>>),
    /// A frame of v2.0 or v2.1 whose payload can't be read.
    Opaque(v2_1::Tag),
    /// A banner of the proposal.
    ProposalBanner(Option<proposal::Banner>),
    /// A frame of the proposal, and the body of a message that could be read.
    Plain(proposal::Frame<'a>, Option<Box<Body<'a>>>),
    /// A frame of the proposal whose payload can't be read.
    OpaquePlain(proposal::Tag),
    /// A sealed record of the proposal.
    Record {
        /// Its number in its direction, from 0.
        number: u64,
        /// Whether it could be opened.
        opened: bool,
        /// What is in it.
        holds: Holds,
    },
    /// A secure frame of v2.0 or v2.1.
    Secure {
        /// Whether it could be opened.
        opened: bool,
        /// What is in it.
        holds: Holds,
    },
    /// A compressed frame of v2.0 or v2.1 that could be decompressed: what is in it.
    Compressed(Holds),
    /// Bytes in secure mode.
    Encrypted,
    /// Bytes outside any frame.
    Lost,
    /// The end of a direction.
    Ended,
}

/// Tells the fields of a unit. `bytes` are the unit's, as many as were captured. What can't be read is told as far as
/// it can; the unit's findings say why it can't. Sealed structures are opened with the unit's keys, each in a view of its
/// own.
pub fn show<'a, T: Trace>(unit: &Unit, bytes: &'a [u8], trace: &mut T) -> Shown<'a> {
    trace.unseal_with(unit.keys.unseal());
    let shown = tell(unit, bytes, trace);
    trace.unseal_with(None);
    shown
}

fn tell<'a, T: Trace>(unit: &Unit, bytes: &'a [u8], trace: &mut T) -> Shown<'a> {
    let bytes = &bytes[..bytes.len().min(unit.length as usize)];
    match unit.kind {
        UnitKind::Banner if unit.dialect == Some(Dialect::Proposal) => {
            let read = proposal::decode_banner(&mut Reader::new(bytes), &unit.context, trace);
            Shown::ProposalBanner(read.ok())
        }
        UnitKind::Banner => {
            let read = v2_0::decode_banner(&mut Reader::new(bytes), &unit.context, trace);
            Shown::Banner(read.ok().and_then(|banner| banner.features))
        }
        UnitKind::Frame(head) => framed(unit, &head, bytes, trace),
        UnitKind::Segments(head) => {
            let tag = v2_1::Tag(head.tag);
            let payload = payload(tag, &one_behind_the_other(&head, bytes), &unit.context, trace);
            payload.map_or(Shown::Opaque(tag), |(frame, body)| Shown::Frame(frame, body))
        }
        UnitKind::Plain(head) => {
            let payload = plain(head.tag, bytes, &unit.context, trace);
            payload.map_or(Shown::OpaquePlain(head.tag), |(frame, body)| Shown::Plain(frame, body))
        }
        UnitKind::Record => {
            record(bytes, unit.length as usize, &unit.context, trace);
            Shown::Record {
                number: unit.record().unwrap_or_default(),
                opened: !unit.inner().is_empty(),
                holds: Holds::of(unit),
            }
        }
        UnitKind::Secure => {
            trace.value(field::COMMON_ENCRYPTED, 0..bytes.len(), Value::Bytes(bytes));
            Shown::Secure { opened: !unit.inner().is_empty(), holds: Holds::of(unit) }
        }
        UnitKind::Encrypted => {
            trace.value(field::COMMON_ENCRYPTED, 0..bytes.len(), Value::Bytes(bytes));
            Shown::Encrypted
        }
        UnitKind::Lost => {
            trace.value(field::COMMON_UNDECODED, 0..bytes.len(), Value::Bytes(bytes));
            Shown::Lost
        }
        UnitKind::Ended => Shown::Ended,
    }
}

/// A frame of v2.0 or v2.1: in crc mode, or decrypted.
fn framed<'a, T: Trace>(unit: &Unit, head: &Head, bytes: &'a [u8], trace: &mut T) -> Shown<'a> {
    let revision = unit.dialect.and_then(Dialect::revision).unwrap_or(Revision::V2_1);
    let secure = unit.mode == Mode::Secure;
    let segments = if secure {
        secure::open_view(head, revision, bytes).segments
    } else {
        frame::open(head, revision, bytes, Check::Nothing).segments
    };
    let tag = v2_1::Tag(head.tag);
    let mut shown = if unit.inner().is_empty() { Shown::Opaque(tag) } else { Shown::Compressed(Holds::of(unit)) };
    let tell = |trace: &mut T| {
        if head.compressed() {
            segments.opaque(trace, field::COMMON_COMPRESSED);
        } else if let Ok((frame, body)) = payload(tag, &segments, &unit.context, trace) {
            shown = Shown::Frame(frame, body);
        }
    };
    // the blocks around the payload end where the capture ends
    let _ = if secure {
        secure::trace_view(head, revision, bytes, &unit.context, trace, tell)
    } else {
        frame::trace_envelope(head, revision, bytes, &unit.context, trace, tell)
    };
    shown
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

/// A frame of the proposal, with what stands in front of its payload.
fn plain<'a, T: Trace>(
    tag: proposal::Tag,
    bytes: &'a [u8],
    context: &Context,
    trace: &mut T,
) -> Result<(proposal::Frame<'a>, Option<Box<Body<'a>>>), Error> {
    let start = frame::proposal::HEADER_LEN.min(bytes.len());
    let end = bytes.len();
    block::<proposal::FrameHeader, T>(bytes, 0..start, context, trace);
    let segments = Segments::new([(start, &bytes[start..]), (end, &[]), (end, &[]), (end, &[])]);
    if let Some((frame, body)) = body::msg(tag, &segments, context, trace) {
        return Ok((frame, Some(Box::new(body))));
    }
    let depth = trace.depth();
    let result = proposal::Frame::decode(tag, &segments, context, trace);
    if let Err(error) = &result {
        close(trace, depth, error);
    }
    result.map(|frame| (frame, None))
}

/// What stands around the ciphertext of a record, and the ciphertext.
fn record<T: Trace>(bytes: &[u8], length: usize, context: &Context, trace: &mut T) {
    let head = <proposal::RecordHeader as Composite<'_, Context>>::MIN_SIZE.min(bytes.len());
    let tag = length.saturating_sub(<proposal::RecordTag as Composite<'_, Context>>::MIN_SIZE);
    let tag = tag.clamp(head, bytes.len().max(head));
    block::<proposal::RecordHeader, T>(bytes, 0..head, context, trace);
    trace.value(field::COMMON_ENCRYPTED, head..tag, Value::Bytes(&bytes[head..tag]));
    block::<proposal::RecordTag, T>(bytes, tag..bytes.len(), context, trace);
}

/// One of the blocks that the envelope names; cut short it is told as far as it goes.
fn block<'a, S: Composite<'a, Context>, T: Trace>(bytes: &'a [u8], at: Range<usize>, context: &Context, trace: &mut T) {
    let depth = trace.depth();
    if let Err(error) = S::decode(&mut Reader::at(&bytes[at.clone()], at.start), context, trace) {
        close(trace, depth, &error);
    }
}

/// Fields that an error left open are closed where it happened.
fn close<T: Trace>(trace: &mut T, depth: usize, error: &Error) {
    while trace.depth() > depth {
        trace.close(error.offset, None);
    }
}

/// The payload.
fn payload<'a, T: Trace>(
    tag: v2_1::Tag,
    segments: &crate::wire::Segments<'a>,
    context: &crate::Context,
    trace: &mut T,
) -> Result<(v2_1::Frame<'a>, Option<Box<Body<'a>>>), Error> {
    if let Some((frame, body)) = body::message(tag, segments, context, trace) {
        return Ok((frame, Some(Box::new(body))));
    }
    let depth = trace.depth();
    let result = v2_1::Frame::decode(tag, segments, context, trace);
    if let Err(error) = &result {
        close(trace, depth, error);
    }
    result.map(|frame| (frame, None))
}

/// The most frames of a record that its line names.
const MOST_HELD: usize = 8;

/// The frames in a unit that is opened, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holds(String);

impl Holds {
    fn of(unit: &Unit) -> Self {
        let mut names = Vec::new();
        let mut todo: Vec<&Unit> = unit.inner().iter().rev().collect();
        while let Some(unit) = todo.pop().filter(|_| names.len() <= MOST_HELD) {
            todo.extend(unit.inner().iter().rev());
            let tag = match unit.kind {
                _ if !unit.inner().is_empty() => continue,
                UnitKind::Frame(head) | UnitKind::Segments(head) => v2_1::Tag(head.tag).to_string(),
                UnitKind::Plain(head) => head.tag.to_string(),
                _ => continue,
            };
            names.push(unit.message.map_or(tag.clone(), |message| format!("{tag} {message}")));
        }
        if names.len() > MOST_HELD {
            names.truncate(MOST_HELD);
            names.push("…".into());
        }
        Holds(names.join(", "))
    }
}

impl fmt::Display for Holds {
    /// Nothing, or the names behind a colon.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, ": {}", self.0) }
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

/// A frame in one line: its name, its facts, and the facts of a message's body.
fn line(f: &mut fmt::Formatter<'_>, name: &dyn fmt::Display, info: Facts<'_>, body: Option<&Body<'_>>) -> fmt::Result {
    write!(f, "{name}")?;
    if let Some(info) = info {
        write!(f, " {info}")?;
    }
    if let Some(info) = body.and_then(Body::info) {
        // fields that are empty leave their spaces
        write!(f, ": {}", info.to_string().trim_end())?;
    }
    Ok(())
}

/// The facts that matter, if there are any.
type Facts<'f> = Option<&'f dyn fmt::Display>;

impl fmt::Display for Shown<'_> {
    /// The tag's name and the facts that matter, in one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shown::Banner(Some(features)) => write!(f, "Banner {features}"),
            Shown::Banner(None) => f.write_str("Banner"),
            Shown::Frame(frame, body) => line(f, &frame.tag(), frame.info(), body.as_deref()),
            Shown::Opaque(tag) => write!(f, "{tag}"),
            Shown::ProposalBanner(Some(banner)) => write!(f, "Banner {banner}"),
            Shown::ProposalBanner(None) => f.write_str("Banner"),
            Shown::Plain(frame, body) => line(f, &frame.tag(), frame.info(), body.as_deref()),
            Shown::OpaquePlain(tag) => write!(f, "{tag}"),
            Shown::Record { number, opened: true, holds } => write!(f, "Record {number}{holds}"),
            Shown::Record { number, opened: false, .. } => write!(f, "Encrypted record {number}"),
            Shown::Secure { opened: true, holds } => write!(f, "Secure frame{holds}"),
            Shown::Secure { opened: false, .. } => f.write_str("Encrypted frame"),
            Shown::Compressed(holds) => write!(f, "Compressed frame{holds}"),
            Shown::Encrypted => f.write_str("Encrypted"),
            Shown::Lost => f.write_str("Undecoded bytes"),
            Shown::Ended => f.write_str("End of connection"),
        }
    }
}
