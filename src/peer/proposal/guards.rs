//! What the guards of the spec mean, and what frames must fulfil that no guard says.

use super::{Connection, Encryption, Exchange, MOST_CHOICES, PeerIdent};
use crate::peer::auth::Said;
use crate::peer::error::wrong_type;
use crate::peer::shared::{Entry, Shared};
use crate::peer::{Error, SessionId};
use crate::proposal::{Frame, Ident, Tag};
use crate::session::PeerKey;
use crate::types::{AuthPurpose, CephFeatures, Cipher, ConnectionFlags, EntityType, ProposalFeatures};
use crate::wire::Role;
use crate::{Guard, limits};

/// Features that the sender of an IDENT must name in both of its words.
const ALWAYS: CephFeatures = CephFeatures::MSG_ADDR2;

impl Connection {
    /// Whether a guard holds.
    pub(super) fn guard_holds(&self, shared: &Shared, guard: Guard, frame: Option<&Frame<'_>>) -> bool {
        match guard {
            Guard::MethodAllowed => matches!(&self.exchange, Exchange::Server(exchange) if exchange.method.is_some()),
            Guard::MethodLeft => matches!(&self.exchange, Exchange::Client(exchange) if exchange.has_choice()),
            Guard::NoMethodLeft => !self.guard_holds(shared, Guard::MethodLeft, frame),
            Guard::Refused => match &self.exchange {
                Exchange::Client(exchange) => exchange.said == Some(Said::Denied),
                Exchange::Server(exchange) => exchange.is_refused(),
            },
            Guard::MoreNeeded => match &self.exchange {
                Exchange::Client(exchange) => exchange.said == Some(Said::More),
                Exchange::Server(exchange) => exchange.needs_more(),
            },
            Guard::EncryptionPossible => self.has_keys() && self.both(ProposalFeatures::ENCRYPT),
            Guard::EncryptionRequired => {
                let theirs = self.their_banner.as_ref().map(|banner| banner.required).unwrap_or_default();
                self.has_keys() && (self.required | theirs).contains(ProposalFeatures::ENCRYPT)
            }
            Guard::EncryptionWanted => {
                self.guard_holds(shared, Guard::EncryptionPossible, frame)
                    && shared.config.encryption == Encryption::Wanted
            }
            Guard::Stateful => !self.is_lossy(),
            Guard::FeaturesMissing => match frame {
                Some(Frame::Ident(ident)) => self.lacking(shared, ident) != CephFeatures::default(),
                _ => false,
            },
            Guard::OldSession => {
                let resumable = self.link.entry(shared).is_some_and(|entry| entry.session.can_resume());
                resumable && self.both(ProposalFeatures::RECONNECT)
            }
            Guard::NewSession => !self.guard_holds(shared, Guard::OldSession, frame),
            Guard::MustWait => self.peer.as_ref().is_some_and(|peer| shared.dials(&peer.addrs)),
            Guard::NoSession => self.found(shared, frame).is_none(),
            Guard::GlobalSeqOld => match (self.found(shared, frame), frame) {
                (Some((_, entry)), Some(Frame::Reconnect(frame))) => entry.session.global_seq > frame.global_seq,
                _ => false,
            },
            Guard::ConnectSeqOld => match (self.found(shared, frame), frame) {
                (Some((_, entry)), Some(Frame::Reconnect(frame))) => entry.session.connect_seq > frame.connect_seq,
                _ => false,
            },
            Guard::SessionFound => self.found(shared, frame).is_some(),
            // guards of other dialects decide nothing here
            _ => false,
        }
    }

    fn has_keys(&self) -> bool {
        self.identity.as_ref().is_some_and(|identity| identity.keys.is_some())
    }

    /// What the sender of an IDENT lacks.
    pub(super) fn lacking(&self, shared: &Shared, ident: &Ident<'_>) -> CephFeatures {
        (shared.config.features_required | ALWAYS) & !ident.features_supported
    }

    /// The server's session that a RECONNECT means.
    pub(super) fn found<'s>(&self, shared: &'s Shared, frame: Option<&Frame<'_>>) -> Option<(SessionId, &'s Entry)> {
        let Some(Frame::Reconnect(frame)) = frame else { return None };
        let id = shared.table.get(&self.peer_key()?)?;
        let entry = shared.sessions.get(&id)?;
        let session = &entry.session;
        let same = session.stateful
            && session.client_cookie == frame.client_cookie
            && session.server_cookie == frame.server_cookie;
        (same && !self.is_lossy()).then_some((id, entry))
    }

    /// What tells this connection's peer from others.
    pub(super) fn peer_key(&self) -> Option<PeerKey> {
        let identity = self.identity.as_ref()?;
        Some(PeerKey {
            entity_type: identity.name.kind.0,
            id: identity.name.id.clone().into_bytes(),
            gid: identity.gid,
            addrs: self.peer.as_ref().map(|peer| peer.addr_bytes.clone()).unwrap_or_default(),
        })
    }

    /// Holds a frame against what no guard says, and takes from it what guards want to know.
    pub(super) fn check_frame(&mut self, shared: &mut Shared, frame: &Frame<'_>) -> Result<(), Error> {
        let bad = |tag: Tag, field, found| Err(Error::BadValue { tag: tag.into(), field, found });
        match (frame, &mut self.exchange) {
            (Frame::AuthMethods(methods), Exchange::Client(exchange)) => exchange.allowed = methods.methods.clone(),
            (Frame::AuthSetMethod(choice), Exchange::Server(exchange)) => {
                let offered =
                    super::auth::offered(&shared.config.server, self.required.contains(ProposalFeatures::ENCRYPT));
                exchange.choose(choice.method, &offered);
                if exchange.choices > MOST_CHOICES {
                    return Err(Error::TooManyMethods { limit: MOST_CHOICES });
                }
            }
            (Frame::AuthBadMethod(bad_method), Exchange::Client(exchange)) => {
                let method = bad_method.method;
                if exchange.round_of(method) != Some(0) {
                    return bad(Tag::AUTH_BAD_METHOD, "method", method.0.into());
                }
                exchange.refused(bad_method.allowed_methods.clone());
            }
            (Frame::AuthRequest(request), _) => self.asked(shared, request)?,
            (Frame::AuthReply(reply), _) => self.answered(shared, reply)?,
            (Frame::EncryptBegin(begin), _) if begin.cipher != Cipher::AES_128_GCM => {
                return Err(Error::UnknownCipher { cipher: begin.cipher.0 });
            }
            (Frame::Ident(ident), _) => {
                let lossy = ident.flags.contains(ConnectionFlags::LOSSY);
                if (ident.flags & !ConnectionFlags::LOSSY) != ConnectionFlags::default() {
                    return bad(Tag::IDENT, "flags", ident.flags.0);
                }
                if ident.addrs.is_empty() {
                    return Err(Error::NoAddress);
                }
                if lossy != (ident.cookie == 0) {
                    return Err(Error::CookieMismatch { cookie: ident.cookie });
                }
                if !lossy && !self.both(ProposalFeatures::RECONNECT) {
                    return Err(Error::NotLossy);
                }
                if !ident.features_required.contains(ALWAYS) {
                    return bad(Tag::IDENT, "features_required", ident.features_required.0);
                }
            }
            (Frame::ReconnectReset(reset), _) if reset.full.0 > 1 => {
                return bad(Tag::RECONNECT_RESET, "full", reset.full.0.into());
            }
            (Frame::Start(start), _) if start.flags != 0 => return bad(Tag::START, "flags", start.flags),
            (Frame::Reconnect(reconnect), _) => {
                self.asked_cookie = reconnect.server_cookie;
                self.reconnects += 1;
                let limit = limits::PROPOSAL_MAX_RECONNECTS as usize;
                if self.reconnects > limit {
                    return Err(Error::TooManyReconnects { limit });
                }
            }
            (Frame::Msg(msg), _) => {
                let header = &msg.header;
                if header.data_pre_padding_len != 0 {
                    return bad(Tag::MSG, "header.data_pre_padding_len", header.data_pre_padding_len.into());
                }
                if header.reserved != 0 {
                    return bad(Tag::MSG, "header.reserved", header.reserved.into());
                }
                if self.is_lossy() && header.ack_seq != 0 {
                    return bad(Tag::MSG, "header.ack_seq", header.ack_seq);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Holds the peer's IDENT against what was authenticated.
    pub(super) fn check_identity(&mut self, shared: &Shared, ident: &Ident<'_>) -> Result<(), Error> {
        let mismatch = |field, found, expected| Err(Error::IdentityMismatch { field, found, expected });
        match (&self.exchange, &self.identity) {
            (Exchange::Server(_), Some(identity)) => {
                if ident.entity_type != identity.name.kind {
                    return Err(wrong_type(ident.entity_type, identity.name.kind));
                }
                if ident.gid != identity.gid {
                    return mismatch("gid", ident.gid, identity.gid);
                }
            }
            (Exchange::Client(exchange), Some(identity)) => {
                let expected = match identity.purpose {
                    AuthPurpose::AUTHENTICATE => EntityType::MON,
                    _ => exchange.service(),
                };
                if ident.entity_type != expected {
                    return Err(wrong_type(ident.entity_type, expected));
                }
                let target = self.link.entry(shared).and_then(|entry| entry.target.as_ref());
                match target.and_then(|target| target.peer_gid) {
                    Some(gid) if gid != ident.gid => return mismatch("gid", ident.gid, gid),
                    _ => {}
                }
            }
            (_, None) => {}
        }
        Ok(())
    }

    /// Keeps what the peer's IDENT says.
    pub(super) fn keep_ident(&mut self, ident: &Ident<'_>, payload: &[u8]) {
        // entity_type, five words, flags and cookie stand behind the addresses
        const BEHIND: usize = 1 + 5 * 8 + 8;
        let addr_bytes = payload[..payload.len().saturating_sub(BEHIND)].to_vec();
        self.peer = Some(PeerIdent {
            addrs: ident.addrs.iter().map(crate::peer::link::owned).collect(),
            addr_bytes,
            entity_type: ident.entity_type,
            gid: ident.gid,
            global_seq: ident.global_seq,
            features: ident.features_supported,
            lossy: ident.flags.contains(ConnectionFlags::LOSSY),
            cookie: ident.cookie,
        });
        debug_assert!(self.link.role == Role::Client || self.link.session.is_none());
    }
}
