//! What is in the frames that this side sends.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::session::Decision;
use super::{Connection, MOST_RECONNECTS};
use crate::peer::config::{entity_addr, socket_addr};
use crate::peer::engine::Engine as _;
use crate::peer::shared::{Entry, Shared};
use crate::peer::{ClientAuth, Error};
use crate::session::ReconnectDecision;
use crate::types::{AddrType, CephFeatures, ConnectionFlags, EntityAddr, EntityAddrvec, EntityType};
use crate::v2_1::{
    AuthSignature, Banner, BannerFeatures, ClientIdent, CompressionDone, CompressionRequest, Frame, Hello,
    IdentMissingFeatures, ServerIdent, SessionReconnect, SessionReconnectOk, SessionReset, SessionRetry,
    SessionRetryGlobal, Tag, Wait,
};
use crate::wire::{Bool, Encode, FixedBytes, Role};

impl Connection {
    pub(super) fn send_banner(&mut self, shared: &mut Shared) -> Result<(), Error> {
        let v2 = &shared.config.v2;
        let features = BannerFeatures { supported: v2.features, required: v2.required, ..Default::default() };
        let banner = Banner { features: Some(features) };
        let bytes = banner.to_bytes().map_err(Error::Banner)?;
        self.transcripts.add(self.link.role, self.link.role, &bytes);
        self.outbound.raw(&bytes);
        if shared.config.report_handshake {
            self.link.report(shared, true, "BANNER", banner.to_string());
        }
        Ok(())
    }

    /// Sends a frame that a move names.
    pub(super) fn send_frame(&mut self, shared: &mut Shared, tag: Tag) -> Result<(), Error> {
        let frame = self.frame(shared, tag)?;
        let segments = frame.encode().map_err(|error| Error::Unwritable { tag: tag.into(), error })?.map(Bytes::from);
        if shared.config.report_handshake
            && let Some(text) = Self::describe(&frame)
        {
            self.link.report(shared, true, tag.name().unwrap_or("?"), text);
        }
        let bytes = self.outbound.push(self.revision(), tag, &segments)?;
        self.transcripts.add(self.link.role, self.link.role, bytes);
        match frame {
            Frame::AuthDone(_) => self.take_keys()?,
            Frame::CompressionDone(done) => self.set_compression(shared, done.is_compress.get(), done.algorithm)?,
            _ => {}
        }
        Ok(())
    }

    /// What is in a frame.
    fn frame(&mut self, shared: &mut Shared, tag: Tag) -> Result<Frame<'static>, Error> {
        let nothing = Error::NotAllowed { state: self.row().name, tag: tag.into() };
        Ok(match tag {
            Tag::HELLO => Frame::Hello(self.hello(shared).ok_or(nothing)?),
            Tag::AUTH_REQUEST => Frame::AuthRequest(self.auth_request(shared)?),
            Tag::AUTH_REQUEST_MORE => Frame::AuthRequestMore(self.auth_request_more(shared)?),
            Tag::AUTH_BAD_METHOD | Tag::AUTH_REPLY_MORE | Tag::AUTH_DONE => self.auth_answer(shared, tag)?,
            Tag::AUTH_SIGNATURE => {
                let signature = FixedBytes(self.transcripts.signature().ok_or(nothing)?);
                Frame::AuthSignature(AuthSignature { signature, ..Default::default() })
            }
            Tag::COMPRESSION_REQUEST => {
                let wish = shared.config.v2.compression.towards(self.peer_type, self.mode);
                Frame::CompressionRequest(CompressionRequest {
                    is_compress: Bool(wish.force.into()),
                    preferred_algorithms: wish.algorithms,
                    ..Default::default()
                })
            }
            Tag::COMPRESSION_DONE => {
                let (is_compress, algorithm) = (Bool(self.chosen.0.into()), self.chosen.1);
                Frame::CompressionDone(CompressionDone { is_compress, algorithm, ..Default::default() })
            }
            Tag::CLIENT_IDENT => Frame::ClientIdent(self.client_ident(shared).ok_or(nothing)?),
            Tag::SERVER_IDENT => Frame::ServerIdent(self.server_ident(shared)),
            Tag::IDENT_MISSING_FEATURES => {
                Frame::IdentMissingFeatures(IdentMissingFeatures { features: self.lacks, ..Default::default() })
            }
            Tag::SESSION_RECONNECT => Frame::SessionReconnect(self.session_reconnect(shared)?.ok_or(nothing)?),
            Tag::SESSION_RESET => {
                let full = matches!(self.decision, Some(Decision::Reconnect(ReconnectDecision::Reset { full: true })));
                Frame::SessionReset(SessionReset { full: Bool(full.into()), ..Default::default() })
            }
            Tag::SESSION_RETRY => {
                let Some(Decision::Reconnect(ReconnectDecision::Retry { connect_seq })) = self.decision else {
                    return Err(nothing);
                };
                Frame::SessionRetry(SessionRetry { connect_seq, ..Default::default() })
            }
            Tag::SESSION_RETRY_GLOBAL => {
                let Some(Decision::Reconnect(ReconnectDecision::RetryGlobal { global_seq })) = self.decision else {
                    return Err(nothing);
                };
                Frame::SessionRetryGlobal(SessionRetryGlobal { global_seq, ..Default::default() })
            }
            Tag::WAIT => {
                self.kick(shared);
                Frame::Wait(Wait::default())
            }
            Tag::SESSION_RECONNECT_OK => {
                let msg_seq = self.link.entry_mut(shared).map_or(0, |entry| entry.session.incoming.ack());
                Frame::SessionReconnectOk(SessionReconnectOk { msg_seq, ..Default::default() })
            }
            _ => return Err(nothing),
        })
    }

    fn hello(&self, shared: &Shared) -> Option<Hello<'static>> {
        let config = &shared.config;
        let peer_addr = match self.link.role {
            Role::Client => self.target_addr(shared)?,
            Role::Server => entity_addr(AddrType::MSGR2, self.link.remote?, 0),
        };
        let entity_type = config.v2.entity_type.unwrap_or(config.entity.kind);
        Some(Hello { entity_type, peer_addr, ..Default::default() })
    }

    /// The address that the client dials.
    pub(super) fn target_addr(&self, shared: &Shared) -> Option<EntityAddr<'static>> {
        self.link.entry(shared)?.target.as_ref().map(|target| target.dialled())
    }

    /// This side's addresses. What it doesn't know of them it has learnt from the peer.
    fn own_addrs(&self, shared: &Shared) -> EntityAddrvec<'static> {
        let seen = self.own_addr.as_ref().and_then(socket_addr);
        let learnt = |addr: &EntityAddr<'static>| match (socket_addr(addr), seen) {
            (Some(own), Some(seen)) if own.ip().is_unspecified() && addr.sockaddr.is_some() => {
                let ip: IpAddr = seen.ip();
                entity_addr(addr.r#type, SocketAddr::new(ip, own.port()), addr.nonce)
            }
            _ => addr.clone(),
        };
        EntityAddrvec { addrs: shared.config.addrs.iter().map(learnt).collect() }
    }

    /// The number that this side says it has.
    pub(super) fn gid(&self, shared: &Shared) -> i64 {
        let config = &shared.config;
        let known = || {
            let entry = self.link.entry(shared)?;
            let of_ticket = || match entry.target.as_ref()?.auth.first()? {
                ClientAuth::Authorize { ticket } => Some(ticket.global_id),
                _ => None,
            };
            Some(entry.gid).filter(|gid| *gid != 0).or_else(of_ticket)
        };
        let own = (config.gid != 0 || self.link.role == Role::Server).then_some(config.gid);
        config.v2.gid.unwrap_or_else(|| own.or_else(known).map_or(-1, |gid| gid as i64))
    }

    fn flags(lossy: bool) -> ConnectionFlags {
        if lossy { ConnectionFlags::LOSSY } else { ConnectionFlags::default() }
    }

    fn client_ident(&mut self, shared: &mut Shared) -> Option<ClientIdent<'static>> {
        let lossy = self.policy(shared).lossy;
        let target_addr = self.target_addr(shared)?;
        let kept = self.link.entry(shared)?.session.client_cookie;
        self.own_cookie = match (lossy, kept) {
            (true, _) => 0,
            (false, 0) => shared.cookie(),
            (false, kept) => kept,
        };
        self.lossy = lossy;
        if let Some(entry) = self.link.entry_mut(shared) {
            entry.session.client_cookie = self.own_cookie;
        }
        let config = &shared.config;
        Some(ClientIdent {
            addrs: self.own_addrs(shared),
            target_addr,
            gid: self.own_gid,
            global_seq: self.global_seq,
            features_supported: config.features_supported | CephFeatures::MSG_ADDR2,
            features_required: config.features_required | CephFeatures::MSG_ADDR2,
            flags: Self::flags(lossy),
            cookie: self.own_cookie,
            ..Default::default()
        })
    }

    fn server_ident(&mut self, shared: &mut Shared) -> ServerIdent<'static> {
        let config = &shared.config;
        ServerIdent {
            addrs: self.own_addrs(shared),
            gid: self.own_gid,
            global_seq: self.global_seq,
            features_supported: config.features_supported | CephFeatures::MSG_ADDR2,
            features_required: config.features_required | CephFeatures::MSG_ADDR2,
            flags: Self::flags(self.lossy),
            cookie: self.own_cookie,
            ..Default::default()
        }
    }

    fn session_reconnect(&mut self, shared: &mut Shared) -> Result<Option<SessionReconnect<'static>>, Error> {
        if self.reconnects >= MOST_RECONNECTS {
            return Err(Error::TooManyReconnects { limit: MOST_RECONNECTS });
        }
        self.reconnects += 1;
        let addrs = self.own_addrs(shared);
        let global_seq = self.global_seq;
        let Some(Entry { session, .. }) = self.link.entry_mut(shared) else { return Ok(None) };
        Ok(Some(SessionReconnect {
            addrs,
            client_cookie: session.client_cookie,
            server_cookie: session.server_cookie,
            global_seq,
            connect_seq: session.connect_seq,
            msg_seq: session.incoming.ack(),
            ..Default::default()
        }))
    }

    /// The type that the server must have.
    pub(super) fn expected_type(&self, shared: &Shared) -> Option<EntityType> {
        self.link.entry(shared)?.target.as_ref()?.expects()
    }
}
