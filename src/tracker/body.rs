//! Message bodies. Frames keep front, middle and data as bytes; here they are found and judged.

use crate::tracker::unit::Unit;
use crate::types::{MessageHeader, MessageType};
use crate::wire::{Blob, Error, Info, Segments, Walker};
use crate::{FindingKind, frame, proposal, protocol, v2_1};

/// A message whose frame can be read.
pub(super) struct Message<'a> {
    kind: MessageType,
    version: u16,
    /// Front, middle and data as segments 1 to 3.
    parts: Segments<'a>,
}

/// The message that a frame brings.
pub(super) fn of<'a>(unit: &Unit, tag: u8, segments: &Segments<'a>) -> Option<Message<'a>> {
    match unit.dialect {
        Some(frame::Dialect::Proposal) if tag == proposal::Tag::MSG.0 => {
            let frame = proposal::Frame::decode(proposal::Tag::MSG, segments, &unit.context, &mut ()).ok()?;
            in_proposal(&frame, segments)
        }
        Some(frame::Dialect::Proposal) => None,
        _ if tag == v2_1::Tag::MESSAGE.0 => {
            let frame = v2_1::Frame::decode(v2_1::Tag::MESSAGE, segments, &unit.context, &mut ()).ok()?;
            shipped(&frame, segments)
        }
        _ => None,
    }
}

/// The message of a frame of v2.0 or v2.1.
fn shipped<'a>(frame: &v2_1::Frame<'a>, segments: &Segments<'a>) -> Option<Message<'a>> {
    let v2_1::Frame::Message(message) = frame else { return None };
    Some(Message::new(&message.header, segments.clone()))
}

/// The message of a frame of the proposal.
fn in_proposal<'a>(frame: &proposal::Frame<'a>, payload: &Segments<'a>) -> Option<Message<'a>> {
    let proposal::Frame::Msg(msg) = frame else { return None };
    Some(Message::new(&msg.header, parts(msg, payload)))
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

impl<'a> Message<'a> {
    fn new(header: &MessageHeader, parts: Segments<'a>) -> Self {
        Message { kind: header.r#type, version: header.version, parts }
    }

    /// Its type, its version, and its parts.
    pub(super) fn parts(&self) -> (u16, u16, &Segments<'a>) {
        (self.kind.0, self.version, &self.parts)
    }

    /// Reads its body, if the spec lays it out, and tells it in one line.
    pub(super) fn tell<R>(&self, walker: &mut Walker<'_>, tell: impl FnOnce(Info<'_>) -> R) -> Option<R> {
        walker.message(self.kind.0, self.version, &self.parts, &mut (), tell)?.ok()
    }

    /// Reads its body. Nothing, if the spec doesn't lay it out.
    pub(super) fn read(&self, walker: &mut Walker<'_>) -> Option<Result<(), Error>> {
        walker.message(self.kind.0, self.version, &self.parts, &mut (), |_| ())
    }

    /// Reports a body that can't be read.
    fn judge(&self, unit: &mut Unit) {
        unit.message = Some(self.kind);
        if unit.cut {
            return;
        }
        let numbers = unit.context.numbers();
        let mut walker = Walker::new(protocol(), &numbers);
        if let Some(Err(error)) = self.read(&mut walker) {
            let detail = format!("{} v{}: {error}", self.kind, self.version);
            unit.report(FindingKind::MalformedBody, error.offset, 1, detail);
        }
    }
}

/// Reports the body of a frame of v2.0 or v2.1, if it is a message's and can't be read.
pub(super) fn judge_message(unit: &mut Unit, frame: &v2_1::Frame<'_>, segments: &Segments<'_>) {
    if let Some(message) = shipped(frame, segments) {
        message.judge(unit);
    }
}

/// The same of a frame of the proposal.
pub(super) fn judge_msg(unit: &mut Unit, frame: &proposal::Frame<'_>, payload: &Segments<'_>) {
    if let Some(message) = in_proposal(frame, payload) {
        message.judge(unit);
    }
}
