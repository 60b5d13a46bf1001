//! A frame that is whole or cut: its checks, its place in the order, and what follows from it.

use super::auth::{asked_for, chosen_mode};
use super::monitor::MonSession;
use super::refusal;
use super::{Connection, PREAMBLE_LEN};
use crate::FindingKind;
use crate::frame::{Head, Late, Opened};
use crate::tracker::order::Facts;
use crate::tracker::unit::{Unit, Verdict};
use crate::tracker::{body, key_types};
use crate::types::{CephxDoneReply, CephxRequestBody, ConnectionMode};
use crate::v2_0::{AuthDonePayload, AuthRequestPayload};
use crate::v2_1::{AuthDone, Frame, Tag};
use crate::wire::Segments;

impl Connection {
    /// A frame, taken apart.
    pub(super) fn take(&mut self, unit: &mut Unit, head: &Head, opened: &Opened<'_>) {
        let epilogue = opened.epilogue;
        match opened.late {
            Late::Complete => {}
            Late::Aborted => unit.report(FindingKind::Aborted, epilogue, 1, String::new()),
            Late::Bad(status) => {
                unit.report(FindingKind::BadEpilogue, epilogue, 1, format!("late status {status:#04x}"))
            }
        }
        if let Some(bad) = opened.bad_crc {
            let detail = format!("segment {}: {:#010x}, its bytes give {:#010x}", bad.segment, bad.found, bad.computed);
            unit.report(FindingKind::BadSegmentCrc, bad.at, 4, detail);
        }
        self.follow_order(unit, head.tag, opened.late == Late::Aborted);
        if opened.bad_crc.is_some() || opened.late != Late::Complete {
            return; // nothing in it can be trusted
        }
        if head.compressed() {
            return self.compressed(unit, head, &opened.segments);
        }
        self.payload(unit, Tag(head.tag), &opened.segments);
    }

    /// The segments of a frame.
    pub(super) fn payload(&mut self, unit: &mut Unit, tag: Tag, segments: &Segments<'_>) {
        let frame = match Frame::decode(tag, segments, &self.context, &mut ()) {
            Ok(frame) => Some(frame),
            Err(_) if unit.cut => None,
            Err(error) => {
                unit.report(FindingKind::MalformedPayload, error.offset, 1, error.to_string());
                None
            }
        };
        if let Some(frame) = &frame {
            body::judge_message(unit, frame, segments);
            self.learn(unit, frame, segments);
        }
        match (tag, &frame) {
            (Tag::AUTH_DONE, Some(Frame::AuthDone(done))) => self.authenticated(unit, Some(done), segments),
            (Tag::AUTH_DONE, _) => self.authenticated(unit, None, segments),
            (Tag::AUTH_SIGNATURE, None) => unit.verdict = Some(Verdict::Unchecked),
            _ => {}
        }
    }

    pub(super) fn follow_order(&mut self, unit: &mut Unit, tag: u8, aborted: bool) {
        let other = unit.direction.other();
        let unheard = self.awaits_banner(other).then_some(other);
        let Some(order) = &mut self.order else { return };
        if Tag(tag).name().is_none() {
            unit.report(FindingKind::UnknownTag, 0, 1, format!("tag {tag}"));
            return;
        }
        // of a frame that its receiver drops nothing follows, but its sender has gone on
        if let Err(why) = order.judge(unit.direction, tag, Facts::default(), unheard)
            && !aborted
        {
            unit.report(FindingKind::IllegalOrder, 0, 1, why);
        }
        unit.sender = order.role(unit.direction);
    }

    fn learn(&mut self, unit: &mut Unit, frame: &Frame<'_>, segments: &Segments<'_>) {
        unit.keys = self.seals.frame(frame, &self.knowledge);
        if let Some((kind, detail)) = refusal::finding(frame) {
            unit.report(kind, 0, unit.length as usize, detail);
        }
        match frame {
            Frame::AuthRequest(request) => {
                self.context.auth_method = Some(request.method);
                self.context.auth_mode = asked_for(request);
                unit.context = self.context;
                self.auth.request(request, segments.bytes(0));
                if let Some(AuthRequestPayload::Cephx(cephx)) = &request.payload
                    && let CephxRequestBody::Authorizer(shown) = &cephx.body
                {
                    key_types::note(unit, key_types::of_authorizer(shown));
                }
            }
            // who asked is forgotten when authentication is complete, which is told behind this
            Frame::AuthDone(done) => {
                if let Some(AuthDonePayload::Cephx(cephx)) = &done.payload
                    && let CephxDoneReply::Mon(reply) = &cephx.reply
                {
                    key_types::note(unit, key_types::of_login(self.auth.name(&self.context), reply));
                }
            }
            Frame::AuthReplyMore(more) => self.auth.challenge(more),
            Frame::AuthRequestMore(more) => self.auth.more(more, segments.bytes(0), &self.context, &self.knowledge),
            Frame::AuthBadMethod(refused) => {
                let (kind, detail) = self.auth.refused(refused, &self.context);
                unit.report(kind, 0, unit.length as usize, detail);
            }
            Frame::AuthSignature(signature) => {
                let verdict = self.auth.verdict(unit.direction, &signature.signature.0);
                unit.verdict = Some(verdict);
                if verdict == Verdict::Bad {
                    let (start, length) = (PREAMBLE_LEN, signature.signature.0.len());
                    unit.report(FindingKind::BadSignature, start, length, "of what was received before it".into());
                }
            }
            Frame::CompressionRequest(request) => self.compression_asked(unit.direction, request),
            Frame::CompressionDone(done) => self.compression_answered(unit.direction, done),
            Frame::Message(message) => {
                let keys =
                    self.mon.as_mut().and_then(|mon| mon.message(message, segments, &self.context, &self.knowledge));
                unit.keys = keys.unwrap_or_default();
            }
            _ => {}
        }
    }

    /// An AUTH_DONE, which can't be read to its end if `done` is missing.
    fn authenticated(&mut self, unit: &mut Unit, done: Option<&AuthDone<'_>>, segments: &Segments<'_>) {
        if self.auth.complete() {
            return; // a second one, reported as out of place
        }
        let keys = self.auth.done(unit.direction, done, &self.context, &self.knowledge);
        let keys = keys.cloned().map_err(ToString::to_string);
        if let (Ok(keys), Some(name)) = (&keys, self.auth.at_mon()) {
            self.mon = Some(MonSession::new(name.clone(), keys.session_key.clone()));
        }
        if chosen_mode(segments.bytes(0)) != Some(ConnectionMode::SECURE) {
            return;
        }
        // what the client sent before it had read this was captured before it
        match keys {
            Ok(keys) => self.begin_secure(unit.direction, &keys),
            Err(why) => self.shut(why),
        }
    }
}
