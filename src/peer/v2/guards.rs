//! What the guards of the spec mean, and what frames must fulfil that no guard says.

use super::session::Decision;
use super::{Connection, Exchange, MOST_RECONNECTS, PeerIdent};
use crate::Guard;
use crate::peer::Error;
use crate::peer::auth::Said;
use crate::peer::config::{same_addr, socket_addr};
use crate::peer::error::wrong_type;
use crate::peer::link::owned;
use crate::peer::shared::Shared;
use crate::session::{IdentDecision, ReconnectDecision};
use crate::types::{CephFeatures, CompressionAlgorithm, ConnectionFlags, EntityAddr};
use crate::v2_1::{Frame, Hello, ServerIdent, Tag};
use crate::wire::Role;

/// Features that every peer must have.
const ALWAYS: CephFeatures = CephFeatures::MSG_ADDR2;

impl Connection {
    /// Whether a guard holds.
    pub(super) fn guard_holds(&self, shared: &Shared, guard: Guard, _: Option<&Frame<'_>>) -> bool {
        match guard {
            Guard::Compression => self.both_compress,
            Guard::MethodLeft => matches!(&self.exchange, Exchange::Client(exchange) if exchange.has_choice()),
            Guard::NoMethodLeft => !self.guard_holds(shared, Guard::MethodLeft, None),
            Guard::Refused => match &self.exchange {
                Exchange::Client(exchange) => exchange.said == Some(Said::Denied),
                Exchange::Server(exchange) => exchange.is_refused(),
            },
            Guard::MoreNeeded => match &self.exchange {
                Exchange::Client(exchange) => exchange.said == Some(Said::More),
                Exchange::Server(exchange) => exchange.needs_more(),
            },
            Guard::OldSession => self.link.entry(shared).is_some_and(|entry| entry.session.can_resume()),
            Guard::NewSession => !self.guard_holds(shared, Guard::OldSession, None),
            Guard::IdentStale => self.decision == Some(Decision::Ident(IdentDecision::Stale)),
            Guard::MustWait => matches!(
                self.decision,
                Some(Decision::Ident(IdentDecision::Wait) | Decision::Reconnect(ReconnectDecision::Wait))
            ),
            Guard::NoSession => {
                matches!(self.decision, Some(Decision::Reconnect(ReconnectDecision::Reset { .. })))
            }
            Guard::GlobalSeqOld => {
                matches!(self.decision, Some(Decision::Reconnect(ReconnectDecision::RetryGlobal { .. })))
            }
            Guard::ConnectSeqOld => {
                matches!(self.decision, Some(Decision::Reconnect(ReconnectDecision::Retry { .. })))
            }
            Guard::SessionFound => self.decision == Some(Decision::Reconnect(ReconnectDecision::Resume)),
            Guard::FeaturesMissing => self.lacks != CephFeatures::default(),
            // guards of other dialects decide nothing here
            _ => false,
        }
    }

    /// Holds a frame against what no guard says, and takes from it what guards want to know.
    pub(super) fn check_frame(&mut self, shared: &mut Shared, frame: &Frame<'_>) -> Result<(), Error> {
        match frame {
            Frame::Hello(hello) => self.greet(hello),
            Frame::AuthRequest(request) => self.asked(shared, request)?,
            Frame::AuthRequestMore(request) => self.asked_more(shared, request)?,
            Frame::AuthBadMethod(bad) => self.refused(bad)?,
            Frame::AuthReplyMore(reply) => self.challenged(shared, reply)?,
            Frame::AuthDone(done) => self.let_in(shared, done)?,
            Frame::CompressionRequest(request) => {
                let wish = shared.config.v2.compression.towards(self.peer_type, self.mode);
                let both = wish.force && request.is_compress.get();
                // the client's preference decides
                let mut theirs = request.preferred_algorithms.iter().copied();
                let algorithm = theirs.find(|algorithm| wish.algorithms.contains(algorithm)).filter(|_| both);
                self.chosen = (algorithm.is_some(), algorithm.unwrap_or(CompressionAlgorithm::NONE));
            }
            Frame::ClientIdent(ident) => {
                self.one_more_attempt()?;
                if ident.addrs.addrs.is_empty() {
                    return Err(Error::NoAddress);
                }
                let anything = |own: &EntityAddr<'_>| socket_addr(own).is_none_or(|own| own.port() == 0);
                let mine = &shared.config.addrs;
                if !mine.iter().any(|own| anything(own) || same_addr(own, &ident.target_addr)) {
                    return Err(Error::WrongAddress { found: ident.target_addr.to_string() });
                }
                self.lacks = (shared.config.features_required | ALWAYS) & !ident.features_supported;
                self.peer = Some(PeerIdent {
                    addrs: ident.addrs.addrs.iter().map(owned).collect(),
                    gid: ident.gid,
                    global_seq: ident.global_seq,
                    features: ident.features_supported & shared.config.features_supported,
                    cookie: ident.cookie,
                });
                self.decide_ident(shared, ident);
            }
            Frame::SessionReconnect(reconnect) => {
                if reconnect.addrs.addrs.is_empty() {
                    return Err(Error::NoAddress);
                }
                self.one_more_attempt()?;
                self.decide_reconnect(shared, reconnect);
            }
            _ => {}
        }
        Ok(())
    }

    /// A client asks for a session. Who does so for ever, whatever it is answered, would make the answers pile up.
    fn one_more_attempt(&mut self) -> Result<(), Error> {
        self.reconnects += 1;
        if self.reconnects > MOST_RECONNECTS {
            return Err(Error::TooManyReconnects { limit: MOST_RECONNECTS });
        }
        Ok(())
    }

    /// Keeps what the peer says of itself, and of this side.
    fn greet(&mut self, hello: &Hello<'_>) {
        self.peer_type = hello.entity_type;
        self.own_addr = Some(owned(&hello.peer_addr));
    }

    /// Holds what the server says against whom the client wants to talk to.
    pub(super) fn check_identity(&mut self, shared: &Shared, frame: Option<&Frame<'_>>) -> Result<(), Error> {
        match (frame, self.link.role) {
            (Some(Frame::Hello(hello)), Role::Client) => match self.expected_type(shared) {
                Some(expected) if expected != hello.entity_type => Err(wrong_type(hello.entity_type, expected)),
                _ => Ok(()),
            },
            (Some(Frame::ServerIdent(ident)), _) => self.check_server(shared, ident),
            _ => Ok(()),
        }
    }

    fn check_server(&mut self, shared: &Shared, ident: &ServerIdent<'_>) -> Result<(), Error> {
        let target = self.target_addr(shared);
        if let Some(target) = target.filter(|target| !ident.addrs.addrs.iter().any(|addr| same_addr(addr, target))) {
            return Err(Error::WrongAddress { found: target.to_string() });
        }
        let wanted = self.link.entry(shared).and_then(|entry| entry.target.as_ref()?.peer_gid);
        if let Some(expected) = wanted.filter(|gid| *gid != ident.gid as u64) {
            return Err(Error::IdentityMismatch { field: "gid", found: ident.gid as u64, expected });
        }
        let features = (shared.config.features_required | ALWAYS) & !ident.features_supported;
        if features != CephFeatures::default() {
            return Err(Error::FeaturesMissing { features });
        }
        // the server decides
        let lossy = ident.flags.contains(ConnectionFlags::LOSSY);
        if !lossy && ident.cookie == 0 {
            return Err(Error::BadValue { tag: Tag::SERVER_IDENT.into(), field: "cookie", found: 0 });
        }
        self.lossy = lossy;
        self.peer = Some(PeerIdent {
            addrs: ident.addrs.addrs.iter().map(owned).collect(),
            gid: ident.gid,
            global_seq: ident.global_seq,
            features: ident.features_supported & shared.config.features_supported,
            cookie: ident.cookie,
        });
        Ok(())
    }
}
