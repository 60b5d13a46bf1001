//! The fields of a unit, told to a trace.

use std::fmt;

use super::unit::{Unit, UnitKind};
use crate::frame::{self, Check};
use crate::wire::{Error, Reader, Trace, Value};
use crate::{field, v2_0, v2_1};

/// What a unit turned out to be.
#[derive(Debug)]
pub enum Shown<'a> {
    /// A banner.
    Banner(Option<v2_0::BannerFeatures<'a>>),
    /// A frame.
    Frame(v2_1::Frame<'a>),
    /// A frame whose payload can't be read.
    Opaque(v2_1::Tag),
    /// Bytes in secure mode.
    Encrypted,
    /// Bytes outside any frame.
    Lost,
}

/// Tells the fields of a unit. `bytes` are the unit's, as many as were captured. What can't be read is told as far as
/// it can; the unit's findings say why it can't.
pub fn show<'a, T: Trace>(unit: &Unit, bytes: &'a [u8], trace: &mut T) -> Shown<'a> {
    let bytes = &bytes[..bytes.len().min(unit.length as usize)];
    match unit.kind {
        UnitKind::Banner => {
            let read = v2_0::decode_banner(&mut Reader::new(bytes), &unit.context, trace);
            Shown::Banner(read.ok().and_then(|banner| banner.features))
        }
        UnitKind::Frame(head) => {
            let revision = unit.revision.unwrap_or(frame::Revision::V2_1);
            let opened = frame::open(&head, revision, bytes, Check::Nothing);
            let tag = v2_1::Tag(head.tag);
            let mut shown = Shown::Opaque(tag);
            // the blocks around the payload end where the capture ends
            let _ = frame::trace_envelope(&head, revision, bytes, &unit.context, trace, |trace| {
                if head.compressed() {
                    opened.segments.opaque(trace, field::COMMON_UNDECODED);
                } else if let Ok(frame) = payload(tag, &opened.segments, &unit.context, trace) {
                    shown = Shown::Frame(frame);
                }
            });
            shown
        }
        UnitKind::Encrypted => {
            trace.value(field::COMMON_ENCRYPTED, 0..bytes.len(), Value::Bytes(bytes));
            Shown::Encrypted
        }
        UnitKind::Lost => {
            trace.value(field::COMMON_UNDECODED, 0..bytes.len(), Value::Bytes(bytes));
            Shown::Lost
        }
    }
}

/// The payload; fields that an error left open are closed where it happened.
fn payload<'a, T: Trace>(
    tag: v2_1::Tag,
    segments: &crate::wire::Segments<'a>,
    context: &crate::Context,
    trace: &mut T,
) -> Result<v2_1::Frame<'a>, Error> {
    let depth = trace.depth();
    let result = v2_1::Frame::decode(tag, segments, context, trace);
    if let Err(error) = &result {
        while trace.depth() > depth {
            trace.close(error.offset, None);
        }
    }
    result
}

impl fmt::Display for Shown<'_> {
    /// The tag's name and the facts that matter, in one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shown::Banner(Some(features)) => write!(f, "Banner {features}"),
            Shown::Banner(None) => f.write_str("Banner"),
            Shown::Frame(frame) => match frame.info() {
                Some(info) => write!(f, "{} {info}", frame.tag()),
                None => write!(f, "{}", frame.tag()),
            },
            Shown::Opaque(tag) => write!(f, "{tag}"),
            Shown::Encrypted => f.write_str("Encrypted"),
            Shown::Lost => f.write_str("Undecoded bytes"),
        }
    }
}
