//! What is in the frames that this side sends.

use super::auth::offered;
use super::{Connection, Exchange, HEADER_LEN, OwnIdent};
use crate::frame::proposal::encode;
use crate::limits;
use crate::peer::Error;
use crate::peer::auth::Identity;
use crate::peer::engine::Engine as _;
use crate::peer::shared::Shared;
use crate::proposal::{
    AuthBadMethod, AuthMethods, AuthSetMethod, Banner, EncryptBegin, Frame, Ident, IdentMissingFeatures, Reconnect,
    ReconnectOk, ReconnectReset, ReconnectRetryGlobal, ReconnectRetrySession, Start, Tag,
};
use crate::session::PeerKey;
use crate::types::{CephFeatures, Cipher, ConnectionFlags, Errno, ProposalFeatures};
use crate::wire::{Bool, Encode, FixedBytes, Role};

impl Connection {
    pub(super) fn send_banner(&mut self, shared: &mut Shared) -> Result<(), Error> {
        let banner = Banner { supported: self.features, required: self.required };
        let bytes = banner.to_bytes().map_err(Error::Banner)?;
        self.transcripts.add(self.link.role, &bytes);
        self.outbound.raw(&bytes);
        if shared.config.report_handshake {
            self.link.report(shared, true, "BANNER", banner.to_string());
        }
        Ok(())
    }

    /// The largest frame_len that the peer takes. Its own limits aren't known.
    pub(super) fn limit_out(&self) -> u32 {
        let limit = if self.link.established { limits::PROPOSAL_MAX_FRAME } else { limits::PROPOSAL_MAX_EARLY_FRAME };
        limit as u32
    }

    /// Sends a frame that a move names.
    pub(super) fn send_frame(&mut self, shared: &mut Shared, tag: Tag) -> Result<(), Error> {
        if tag == Tag::CLOSE {
            // it goes behind what is queued; see `transmit`
            return Ok(());
        }
        let frame = self.frame(shared, tag)?;
        let bytes = encode(&frame).map_err(|error| Error::Unwritable { tag: tag.into(), error })?;
        if shared.config.report_handshake
            && let Some(text) = Self::describe(&frame)
        {
            self.link.report(shared, true, tag.name().unwrap_or("?"), text);
        }
        if self.key.is_none() {
            self.transcripts.add(self.link.role, &bytes);
        }
        self.outbound.push(&bytes, tag != Tag::ENCRYPT_BEGIN, self.limit_out())?;
        match frame {
            Frame::AuthReply(_) => self.take_keys(),
            Frame::EncryptBegin(begin) => {
                if let Some(key) = &self.key {
                    self.outbound.seal(key, self.link.role, &begin.salt.0);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// What is in a frame.
    fn frame(&mut self, shared: &mut Shared, tag: Tag) -> Result<Frame<'static>, Error> {
        let nothing = Error::NotAllowed { state: self.row().name, tag: tag.into() };
        let encrypted = self.required.contains(ProposalFeatures::ENCRYPT);
        Ok(match (tag, &mut self.exchange) {
            (Tag::AUTH_METHODS, _) => {
                Frame::AuthMethods(AuthMethods { methods: offered(&shared.config.server, encrypted) })
            }
            (Tag::AUTH_SET_METHOD, Exchange::Client(exchange)) => {
                let entry =
                    self.link.session.and_then(|session| shared.sessions.get(&session)).ok_or(nothing.clone())?;
                let method = exchange.choose(entry, shared).ok_or(nothing)?;
                Frame::AuthSetMethod(AuthSetMethod { method })
            }
            (Tag::AUTH_REQUEST, _) => Frame::AuthRequest(self.auth_request(shared)?),
            (Tag::AUTH_BAD_METHOD, Exchange::Server(exchange)) => Frame::AuthBadMethod(AuthBadMethod {
                method: exchange.chosen,
                result: Errno::EOPNOTSUPP,
                allowed_methods: offered(&shared.config.server, encrypted),
            }),
            (Tag::AUTH_REPLY, _) => Frame::AuthReply(self.auth_reply()),
            (Tag::ENCRYPT_BEGIN, _) => {
                let mut salt = [0; 16];
                shared.random.fill(&mut salt);
                Frame::EncryptBegin(EncryptBegin { cipher: Cipher::AES_128_GCM, salt: FixedBytes(salt) })
            }
            (Tag::IDENT, _) => Frame::Ident(self.ident(shared)),
            (Tag::IDENT_MISSING_FEATURES, _) => {
                Frame::IdentMissingFeatures(IdentMissingFeatures { features: self.lacks })
            }
            (Tag::START, _) => Frame::Start(Start { flags: 0 }),
            (Tag::RECONNECT, _) => Frame::Reconnect(self.reconnect(shared)?.ok_or(nothing)?),
            (Tag::RECONNECT_OK, _) => {
                let entry = self.link.session.and_then(|session| shared.sessions.get_mut(&session));
                let msg_seq = entry.map_or(0, |entry| entry.session.incoming.ack());
                Frame::ReconnectOk(ReconnectOk { msg_seq })
            }
            (Tag::RECONNECT_RETRY_SESSION, _) => {
                let connect_seq = self.same_peer(shared, |session| session.connect_seq);
                Frame::ReconnectRetrySession(ReconnectRetrySession { connect_seq })
            }
            (Tag::RECONNECT_RETRY_GLOBAL, _) => {
                let global_seq = self.same_peer(shared, |session| session.global_seq);
                Frame::ReconnectRetryGlobal(ReconnectRetryGlobal { global_seq })
            }
            (Tag::RECONNECT_WAIT, _) => Frame::ReconnectWait(Default::default()),
            (Tag::RECONNECT_RESET, _) => {
                Frame::ReconnectReset(ReconnectReset { full: Bool(self.full_reset(shared).into()) })
            }
            _ => return Err(nothing),
        })
    }

    /// Something of the session with this connection's peer.
    fn same_peer(&self, shared: &Shared, what: impl Fn(&crate::session::Session) -> u64) -> u64 {
        let id = self.peer_key().and_then(|key| shared.table.get(&key));
        id.and_then(|id| shared.sessions.get(&id)).map_or(0, |entry| what(&entry.session))
    }

    /// Whether messages of the session that the client asks for may be lost. They aren't if its START never took
    /// effect; it may still be on its way on the connection where the cookie was given, which therefore ends.
    fn full_reset(&self, shared: &mut Shared) -> bool {
        let Some(peer) = self.peer_key() else { return true };
        match shared.given.unstarted(shared.now, self.asked_cookie, &peer) {
            Some(connection) => {
                shared.endings.extend((connection != self.link.id).then_some(connection));
                false
            }
            None => true,
        }
    }

    fn ident(&mut self, shared: &mut Shared) -> Ident<'static> {
        let lossy = !shared.stateful() || !self.both(ProposalFeatures::RECONNECT);
        let cookie = if lossy { 0 } else { shared.cookie() };
        self.own = OwnIdent { cookie, lossy };
        if self.link.role == Role::Server {
            shared.global_seq += 1;
            self.global_seq = shared.global_seq;
            if let (Some(Identity { name, gid, .. }), false) = (&self.identity, lossy) {
                let (entity_type, id) = (name.kind.0, name.id.clone().into_bytes());
                let peer = PeerKey { entity_type, id, gid: *gid, addrs: Vec::new() };
                shared.given.add(shared.now, cookie, peer, self.link.id);
            }
        }
        let config = &shared.config;
        let entry = self.link.session.and_then(|session| shared.sessions.get(&session));
        let (entity_type, gid) = match (&self.identity, self.link.role) {
            (Some(identity), Role::Client) => (identity.name.kind, identity.gid),
            _ => (config.entity.kind, config.gid),
        };
        debug_assert!(self.link.role == Role::Server || entry.is_some());
        Ident {
            addrs: config.addrs.clone(),
            entity_type,
            gid,
            global_seq: self.global_seq,
            features_supported: config.features_supported | CephFeatures::MSG_ADDR2,
            features_required: config.features_required | CephFeatures::MSG_ADDR2,
            flags: if lossy { ConnectionFlags::LOSSY } else { ConnectionFlags::default() },
            cookie,
        }
    }

    fn reconnect(&mut self, shared: &mut Shared) -> Result<Option<Reconnect>, Error> {
        let limit = limits::PROPOSAL_MAX_RECONNECTS as usize;
        if self.reconnects >= limit {
            return Err(Error::TooManyReconnects { limit });
        }
        let Some(entry) = self.link.session.and_then(|session| shared.sessions.get_mut(&session)) else {
            return Ok(None);
        };
        let session = &mut entry.session;
        if self.reconnects == 0 {
            session.connect_seq = session.connect_seq.saturating_add(1);
        }
        self.reconnects += 1;
        Ok(Some(Reconnect {
            client_cookie: session.client_cookie,
            server_cookie: session.server_cookie,
            global_seq: self.global_seq,
            connect_seq: session.connect_seq,
            msg_seq: session.incoming.ack(),
        }))
    }
}

const _: () = assert!(HEADER_LEN == 5);
