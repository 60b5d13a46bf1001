//! What follows from a frame, apart from the frame: it is kept until the frame's signature comes.

use crate::FindingKind;
use crate::proposal::Frame;
use crate::types::{CephFeatures, Cipher, ConnectionFlags, EntityType};
use crate::wire::Join;

/// What follows from a frame.
#[derive(Clone, Debug)]
pub(super) enum Effect {
    /// Nothing beyond its place in the order.
    None,
    /// What follows isn't known: the frame is cut, or can't be read.
    Unread {
        ident: bool,
    },
    Ident(Ident),
    Start,
    Reconnect {
        msg_seq: u64,
    },
    ReconnectOk {
        msg_seq: u64,
    },
    Msg {
        seq: u64,
        ack: u64,
    },
    Ack(u64),
}

/// What an IDENT says.
#[derive(Clone, Debug)]
pub(super) struct Ident {
    pub(super) entity_type: EntityType,
    pub(super) gid: u64,
    pub(super) supported: CephFeatures,
    pub(super) required: CephFeatures,
    pub(super) lossy: bool,
    pub(super) cookie: u64,
}

impl Effect {
    pub(super) fn of(frame: &Frame<'_>) -> Self {
        match frame {
            Frame::Ident(ident) => Effect::Ident(Ident {
                entity_type: ident.entity_type,
                gid: ident.gid,
                supported: ident.features_supported,
                required: ident.features_required,
                lossy: ident.flags.contains(ConnectionFlags::LOSSY),
                cookie: ident.cookie,
            }),
            Frame::Start(_) => Effect::Start,
            Frame::Reconnect(reconnect) => Effect::Reconnect { msg_seq: reconnect.msg_seq },
            Frame::ReconnectOk(ok) => Effect::ReconnectOk { msg_seq: ok.msg_seq },
            Frame::Msg(msg) => Effect::Msg { seq: msg.header.seq, ack: msg.header.ack_seq },
            Frame::Ack(ack) => Effect::Ack(ack.seq),
            _ => Effect::None,
        }
    }
}

/// What is to be said of a frame by which the other side is refused, or the session begins in another way than it was
/// meant to.
pub(super) fn refusal(frame: &Frame<'_>) -> Option<(FindingKind, String)> {
    let kind = match frame {
        Frame::AuthBadMethod(refused) => {
            let (method, allowed) = (refused.method, Join(&refused.allowed_methods));
            return Some((FindingKind::MethodRefused, format!("asked for {method}, allowed {allowed}")));
        }
        Frame::IdentMissingFeatures(_) => FindingKind::MissingFeatures,
        Frame::ReconnectReset(reset) => {
            let how = if reset.full.get() { "full" } else { "not full" };
            return Some((FindingKind::SessionReset, how.into()));
        }
        Frame::ReconnectRetrySession(_) => FindingKind::SessionRetry,
        Frame::ReconnectRetryGlobal(_) => FindingKind::SessionRetryGlobal,
        Frame::Reconnect(again) => {
            let detail = format!("connect_seq {}, received up to {}", again.connect_seq, again.msg_seq);
            return Some((FindingKind::SessionReconnect, detail));
        }
        Frame::ReconnectWait(_) => FindingKind::SessionWait,
        _ => return None,
    };
    Some((kind, frame.info().map(ToString::to_string).unwrap_or_default()))
}

/// Rules that a frame breaks all by itself.
pub(super) fn broken_rules(frame: &Frame<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    let mut rule = |kept: bool, text: &str| {
        if !kept {
            broken.push(text.to_string());
        }
    };
    match frame {
        Frame::AuthReply(reply) => {
            use crate::types::AuthStatus;
            let (done, denied) = (reply.status == AuthStatus::DONE, reply.status == AuthStatus::DENIED);
            rule(reply.status.name().is_some(), "a status that doesn't exist");
            rule(denied || reply.result.0 == 0, "result is 0 unless denied");
            rule(!denied || reply.result.0 != 0, "denied without a result");
            rule(done == (reply.global_id != 0), "global_id is 0 until done, then not");
        }
        Frame::EncryptBegin(begin) => rule(begin.cipher == Cipher::AES_128_GCM, "a cipher that doesn't exist"),
        Frame::Ident(ident) => {
            let lossy = ident.flags.contains(ConnectionFlags::LOSSY);
            let addr2 = CephFeatures::MSG_ADDR2;
            rule(!ident.addrs.is_empty(), "no address");
            rule(lossy == (ident.cookie == 0), "cookie is 0 exactly if LOSSY");
            rule(ident.flags.0 & !ConnectionFlags::LOSSY.0 == 0, "flags are LOSSY or nothing");
            rule(ident.global_seq != 0, "global_seq counts from 1");
            rule(ident.features_supported.contains(addr2), "MSG_ADDR2 is not supported");
            rule(ident.features_required.contains(addr2), "MSG_ADDR2 is not required");
        }
        Frame::Start(start) => rule(start.flags == 0, "flags are 0"),
        Frame::Msg(msg) => {
            rule(msg.header.data_pre_padding_len == 0, "data_pre_padding_len is 0");
            rule(msg.header.reserved == 0, "reserved is 0");
            rule(msg.header.seq != 0, "seq counts from 1");
        }
        _ => {}
    }
    broken
}
