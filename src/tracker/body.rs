//! Message bodies. Frames keep front, middle and data as bytes; here they are judged, and told as fields.

use crate::messages::Body;
use crate::tracker::unit::Unit;
use crate::types::MessageHeader;
use crate::wire::{Blob, Error, Reader, Segments, Trace};
use crate::{Context, FindingKind, field, proposal, v2_1};

/// The body of a message; nothing if the spec doesn't lay it out. `segments` are those of a MESSAGE frame.
fn read<'a, T: Trace>(
    header: &MessageHeader,
    segments: &Segments<'a>,
    context: &Context,
    trace: &mut T,
) -> Option<Result<Body<'a>, Error>> {
    Body::decode(header.r#type, header.version, segments, context, trace)
}

/// Reports a body that can't be read.
fn judge(unit: &mut Unit, header: &MessageHeader, segments: &Segments<'_>, context: &Context) {
    unit.message = Some(header.r#type);
    if unit.cut {
        return;
    }
    if let Some(Err(error)) = read(header, segments, context, &mut ()) {
        let detail = format!("{} v{}: {error}", header.r#type, header.version);
        unit.report(FindingKind::MalformedBody, error.offset, 1, detail);
    }
}

/// Reports the body of a frame of v2.0 or v2.1, if it is a message's and can't be read.
pub(super) fn judge_message(unit: &mut Unit, frame: &v2_1::Frame<'_>, segments: &Segments<'_>, context: &Context) {
    if let v2_1::Frame::Message(message) = frame {
        judge(unit, &message.header, segments, context);
    }
}

/// The same of a frame of the proposal.
pub(super) fn judge_msg(unit: &mut Unit, frame: &proposal::Frame<'_>, payload: &Segments<'_>, context: &Context) {
    if let proposal::Frame::Msg(msg) = frame {
        judge(unit, &msg.header, &parts(msg, payload), context);
    }
}

/// Where front, middle and data of the proposal's message stand: behind each other, at the end of the payload.
fn parts<'a>(msg: &proposal::Msg<'_>, payload: &Segments<'a>) -> Segments<'a> {
    let (bytes, mut end) = (payload.bytes(0), payload.bytes(0).len());
    let mut last = |part: &Blob<'_>| {
        let start = end.saturating_sub(part.len());
        let found = (payload.start() + start, &bytes[start..end]);
        end = start;
        found
    };
    let (data, middle, front) = (last(&msg.data), last(&msg.middle), last(&msg.front));
    Segments::new([(front.0, &[]), front, middle, data])
}

/// Tells a message with the fields of its body. Nothing is told, and none returned, of what is no message of v2.0 or v2.1
/// or has no body that can be read.
pub(super) fn message<'a, T: Trace>(
    tag: v2_1::Tag,
    segments: &Segments<'a>,
    context: &Context,
    trace: &mut T,
) -> Option<(v2_1::Frame<'a>, Body<'a>)> {
    if tag != v2_1::Tag::MESSAGE {
        return None;
    }
    let frame = v2_1::Frame::decode(tag, segments, context, &mut ()).ok()?;
    let v2_1::Frame::Message(message) = &frame else { return None };
    read(&message.header, segments, context, &mut ())?.ok()?;
    trace.open(field::V2_0_MESSAGE_FRAME, segments.start());
    again(segments.reader(0).composite::<MessageHeader, _, _>(trace, field::V2_0_MESSAGE_HEADER, context));
    let body = read(&message.header, segments, context, trace);
    trace.close(segments.end(), None);
    Some((frame, body?.ok()?))
}

/// The same for the proposal.
pub(super) fn msg<'a, T: Trace>(
    tag: proposal::Tag,
    payload: &Segments<'a>,
    context: &Context,
    trace: &mut T,
) -> Option<(proposal::Frame<'a>, Body<'a>)> {
    if tag != proposal::Tag::MSG {
        return None;
    }
    let frame = proposal::Frame::decode(tag, payload, context, &mut ()).ok()?;
    let proposal::Frame::Msg(msg) = &frame else { return None };
    let parts = parts(msg, payload);
    read(&msg.header, &parts, context, &mut ())?.ok()?;
    let reader: &mut Reader<'a> = &mut payload.reader(0);
    trace.open(field::PROPOSAL_MSG_FRAME, payload.start());
    again(reader.composite::<MessageHeader, _, _>(trace, field::PROPOSAL_MSG_HEADER, context));
    for length in [field::PROPOSAL_MSG_FRONT_LEN, field::PROPOSAL_MSG_MIDDLE_LEN, field::PROPOSAL_MSG_DATA_LEN] {
        again(reader.scalar::<u32, _>(trace, length));
    }
    let body = read(&msg.header, &parts, context, trace);
    trace.close(payload.end(), None);
    Some((frame, body?.ok()?))
}

/// What was read without a trace reads with one, too.
fn again<R>(_: R) {}
