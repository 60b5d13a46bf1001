//! Bytes by hand: what an endpoint makes of frames that no endpoint sends.

use super::network::START;
use super::*;
use crate::frame::proposal::{assemble, encode};
use crate::peer::{ConnectionId, Error, Event, Why};
use crate::proposal::{AuthRequest, AuthSetMethod, Frame, Ident, Tag};
use crate::types::{AuthPurpose, CephFeatures, ConnectionFlags};

pub(super) const BANNER: &[u8] = b"ceph 3 0\n";

/// A server, with a client that is made by hand.
pub(super) struct Raw {
    pub(super) endpoint: Endpoint,
    pub(super) connection: ConnectionId,
}

impl Raw {
    pub(super) fn new(config: Config) -> Self {
        let mut endpoint = endpoint(config, "server");
        let connection = endpoint.accept(START, addr(10)).unwrap();
        Raw { endpoint, connection }
    }

    pub(super) fn receive(&mut self, bytes: &[u8]) {
        self.endpoint.receive(START, self.connection, bytes);
    }

    pub(super) fn frame(&mut self, frame: &Frame<'_>) {
        self.receive(&encode(frame).unwrap());
    }

    pub(super) fn written(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        while self.endpoint.transmit(START, self.connection, &mut out, 1 << 20) > 0 {}
        out
    }

    /// The error that the connection has ended with.
    pub(super) fn error(&mut self) -> Option<Error> {
        while let Some(event) = self.endpoint.event() {
            match event {
                Event::Failed { error, .. }
                | Event::Disconnected { why: Why::Failed(error), .. }
                | Event::Closed { why: Why::Failed(error), .. } => return Some(error),
                _ => {}
            }
        }
        None
    }
}

pub(super) fn set_method(method: AuthMethod) -> Frame<'static> {
    Frame::AuthSetMethod(AuthSetMethod { method })
}

pub(super) fn none_request() -> Frame<'static> {
    Frame::AuthRequest(AuthRequest {
        purpose: AuthPurpose::AUTHORIZE,
        entity_type: EntityType::CLIENT,
        entity_id: "admin".into(),
        global_id: 12,
        payload: None,
    })
}

pub(super) fn ident() -> Ident<'static> {
    Ident {
        addrs: client_config().addrs,
        entity_type: EntityType::CLIENT,
        gid: 12,
        global_seq: 1,
        features_supported: CephFeatures::MSG_ADDR2,
        features_required: CephFeatures::MSG_ADDR2,
        flags: ConnectionFlags::default(),
        cookie: 77,
    }
}

/// A client made by hand that has got in by method none, and has said who it is.
pub(super) fn identified() -> Raw {
    let mut raw = Raw::new(server_config(Auth::None));
    raw.receive(BANNER);
    raw.frame(&set_method(AuthMethod::NONE));
    raw.frame(&none_request());
    raw.frame(&Frame::Ident(ident()));
    assert_eq!(raw.error(), None);
    raw
}

/// The frames of bytes in the clear, a banner apart.
pub(super) fn frames(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut rest = bytes;
    if rest.starts_with(b"ceph ") {
        let end = rest.iter().position(|&byte| byte == b'\n').unwrap() + 1;
        frames.push(rest[..end].to_vec());
        rest = &rest[end..];
    }
    while let Some(length) = rest.first_chunk::<4>() {
        let end = 4 + u32::from_le_bytes(*length) as usize;
        frames.push(rest[..end].to_vec());
        rest = &rest[end..];
    }
    assert!(rest.is_empty());
    frames
}

/// Any frame at all.
pub(super) fn any(tag: u8, payload: &[u8]) -> Vec<u8> {
    assemble(Tag(tag), payload)
}
