//! A connection of v2.0 or v2.1.
//!
//! What guards mean is in `guards`, what actions do in `actions`, what is in the frames in `frames` and `auth`. Frames
//! of the handshake go out as the moves of the spec's tables name them; what is sent in between is in `transmit`.

mod actions;
mod auth;
mod frames;
mod guards;
mod inbound;
mod outbound;
mod session;
mod transcripts;
mod transmit;

use bytes::Bytes;

use self::inbound::{Inbound, Next, Whole};
use self::outbound::Outbound;
use self::session::Decision;
pub(super) use self::session::key;
use self::transcripts::Transcripts;
use super::auth::{ClientExchange, Identity, ServerExchange};
use super::config::V2;
use super::engine::Engine;
use super::link::Link;
use super::protocol::Protocol;
use super::shared::Shared;
use super::{ConnectionId, Dropped, Error, PeerInfo, SessionId, Target, Time, Why};
use crate::auth::EntityName;
use crate::frame::Revision;
use crate::session::PeerKey;
use crate::types::{
    AuthMethod, CephFeatures, CompressionAlgorithm, ConnectionMode, EntityAddr, EntityType, Errno, Msgr2Features,
};
use crate::v2_1::{CLIENT_STATES, Frame, SERVER_STATES, Tag, client, decode_banner, server};
use crate::wire::{ErrorKind, Reader, Role, State};
use crate::{Action, Context, Guard, limits};

/// Where tags stand, this is the banner.
const BANNER: u8 = 0;

/// A client that has begun a method more often than this has run mad.
const MOST_REQUESTS: usize = 16;

/// A client that has asked for its session more often than this has run mad, and so has a server that sends it on.
const MOST_RECONNECTS: usize = 16;

/// What the peer's IDENT says.
struct PeerIdent {
    addrs: Vec<EntityAddr<'static>>,
    gid: i64,
    global_seq: u64,
    features: CephFeatures,
    cookie: u64,
}

/// The method's exchange.
enum Exchange {
    Client(Box<ClientExchange>),
    Server(Box<ServerExchange>),
}

/// What the server said to a method that it refused.
#[derive(Clone, Debug)]
struct BadMethod {
    method: AuthMethod,
    result: Errno,
    allowed_methods: Vec<AuthMethod>,
    allowed_modes: Vec<ConnectionMode>,
}

/// One connection.
pub(super) struct Connection {
    link: Link,
    /// Known once the peer's banner is there.
    revision: Option<Revision>,
    both_compress: bool,
    transcripts: Transcripts,
    exchange: Exchange,
    identity: Option<Identity>,
    /// The modes that the client would take, as it said with its last request.
    wanted_modes: Vec<ConnectionMode>,
    mode: ConnectionMode,
    bad_method: Option<BadMethod>,
    /// The peer's, by its HELLO.
    peer_type: EntityType,
    /// This side's address as the peer sees it.
    own_addr: Option<EntityAddr<'static>>,
    /// The number that this side says it has.
    own_gid: i64,
    own_cookie: u64,
    global_seq: u64,
    peer: Option<PeerIdent>,
    lossy: bool,
    /// Features that the peer lacks.
    lacks: CephFeatures,
    reconnects: usize,
    /// What the server makes of the client's wish for a session, and the session with the same addresses.
    decision: Option<Decision>,
    known: Option<SessionId>,
    key: Option<PeerKey>,
    /// The global_seq that made this connection come too late.
    stale_at: u64,
    /// What the server answers to the client's wishes.
    chosen: (bool, CompressionAlgorithm),
    compression: CompressionAlgorithm,
    inbound: Inbound,
    outbound: Outbound,
}

impl Connection {
    /// A connection that has just been made, with what goes out at once.
    pub(super) fn new(
        id: ConnectionId,
        role: Role,
        session: Option<SessionId>,
        shared: &mut Shared,
    ) -> Result<Self, Error> {
        let link = Link::new(id, role, session, shared.now);
        let config = &shared.config;
        let exchange = match link.entry(shared) {
            Some(entry) if role == Role::Client => {
                let server = entry.target.as_ref().and_then(Target::expects).unwrap_or_default();
                let may = |method| !modes(config.v2.dial_modes_to(server), method).is_empty();
                let exchange = ClientExchange::new(entry, may);
                if !exchange.has_choice() {
                    return Err(Error::MethodsExhausted { tried: Vec::new(), allowed: Vec::new() });
                }
                Exchange::Client(Box::new(exchange))
            }
            _ => Exchange::Server(Box::default()),
        };
        let mut connection = Connection {
            link,
            revision: None,
            both_compress: false,
            transcripts: Transcripts::default(),
            exchange,
            identity: None,
            wanted_modes: Vec::new(),
            mode: ConnectionMode::CRC,
            bad_method: None,
            peer_type: EntityType::NONE,
            own_addr: None,
            own_gid: 0,
            own_cookie: 0,
            global_seq: 0,
            peer: None,
            lossy: true,
            lacks: CephFeatures::default(),
            reconnects: 0,
            decision: None,
            known: None,
            key: None,
            stale_at: 0,
            chosen: (false, CompressionAlgorithm::NONE),
            compression: CompressionAlgorithm::NONE,
            inbound: Inbound::default(),
            outbound: Outbound::default(),
        };
        connection.link.state = match role {
            Role::Client => client::BANNER_CONNECTING,
            Role::Server => server::BANNER_ACCEPTING,
        };
        connection.own_gid = connection.gid(shared);
        if role == Role::Client {
            shared.global_seq += 1;
            connection.global_seq = shared.global_seq;
            if let Some(entry) = connection.link.entry_mut(shared).filter(|entry| entry.session.can_resume()) {
                entry.session.connect_seq = entry.session.connect_seq.saturating_add(1);
            }
        }
        connection.send_banner(shared)?;
        Ok(connection)
    }

    /// The revision; that of the newest as long as it isn't known.
    fn revision(&self) -> Revision {
        self.revision.unwrap_or(Revision::V2_1)
    }

    /// Reads the banner, and answers it.
    fn read_banner(&mut self, shared: &mut Shared) -> Result<bool, Error> {
        let mut reader = Reader::new(self.inbound.peek());
        let banner = match decode_banner(&mut reader, &Context::default(), &mut ()) {
            Ok(banner) => banner,
            Err(error) if matches!(error.kind, ErrorKind::Incomplete { .. }) => return Ok(false),
            Err(error) => return Err(Error::Banner(error)),
        };
        let length = reader.offset();
        let text = banner.to_string();
        let (supported, required) =
            banner.features.map(|features| (features.supported, features.required)).unwrap_or_default();
        let bytes = self.inbound.skip(length);
        self.transcripts.add(self.link.role, self.link.role.other(), &bytes);
        if shared.config.report_handshake {
            self.link.report(shared, false, "BANNER", text);
        }
        let V2 { features, required: wanted, .. } = shared.config.v2;
        let unsupported = required & !features;
        if unsupported != Msgr2Features::default() {
            return Err(Error::Msgr2FeaturesUnsupported { features: unsupported });
        }
        let missing = wanted & !supported;
        if missing != Msgr2Features::default() {
            return Err(Error::Msgr2FeaturesRequired { features: missing });
        }
        self.revision = Some(Revision::negotiated(features, supported));
        self.both_compress = (features & supported).contains(Msgr2Features::COMPRESSION);
        self.link.heard(shared.now);
        self.make(shared, BANNER, None, None)?;
        Ok(true)
    }

    /// The largest frame that the peer may send: the bytes of all its segments.
    fn limit_in(&self, shared: &Shared) -> u64 {
        let limits = &shared.config.limits;
        let limit = if self.link.established { limits.frame } else { limits.early_frame };
        u64::from(limit).min(limits::MAX_FRAME)
    }

    /// Who is at the other end.
    fn peer_info(&self) -> Option<PeerInfo> {
        let (peer, identity) = (self.peer.as_ref()?, self.identity.as_ref()?);
        let entity = match self.link.role {
            Role::Server => identity.name.clone(),
            Role::Client => EntityName::new(self.peer_type, ""),
        };
        let secure = self.mode == ConnectionMode::SECURE;
        Some(PeerInfo {
            entity,
            gid: peer.gid as u64,
            addrs: peer.addrs.clone(),
            features: peer.features,
            method: identity.method,
            global_id: identity.gid,
            server_challenge: identity.server_challenge,
            lossy: self.lossy,
            signed: identity.keys.is_some(),
            sealed_out: secure,
            sealed_in: secure,
            dialect: self.revision().into(),
            mode: self.mode,
            compression: self.compression,
            own_addr: self.own_addr.clone(),
        })
    }
}

/// Of these modes those in which a method can be used: without keys nothing can be encrypted.
fn modes(modes: &[ConnectionMode], method: AuthMethod) -> Vec<ConnectionMode> {
    let may = |mode: &ConnectionMode| method != AuthMethod::NONE || *mode == ConnectionMode::CRC;
    modes.iter().copied().filter(may).collect()
}

/// Frames that come and go once messages flow.
fn is_chatter(tag: Tag) -> bool {
    matches!(tag, Tag::MESSAGE | Tag::ACK | Tag::KEEPALIVE2 | Tag::KEEPALIVE2_ACK)
}

impl Engine for Connection {
    type Received = Whole;
    type Frame<'f> = Frame<'f>;

    fn link(&self) -> &Link {
        &self.link
    }

    fn link_mut(&mut self) -> &mut Link {
        &mut self.link
    }

    fn table(&self) -> &'static [State<Guard, Action>] {
        match self.link.role {
            Role::Client => CLIENT_STATES,
            Role::Server => SERVER_STATES,
        }
    }

    fn tag(number: u8) -> super::Tag {
        Tag(number).into()
    }

    fn number(received: &Whole) -> u8 {
        received.tag.0
    }

    /// `None` is a request whose payload can't be read, which the server answers.
    fn decode<'f>(&mut self, _: &Shared, whole: &'f Whole) -> Result<Option<Frame<'f>>, Error> {
        let (auth_method, auth_mode) = match &self.exchange {
            Exchange::Client(exchange) => (exchange.tried.last().copied(), Some(exchange.mode())),
            Exchange::Server(exchange) => (exchange.method, exchange.first().map(|first| first.mode())),
        };
        let context = Context { auth_method, auth_mode, ..Context::default() };
        match Frame::decode(whole.tag, &whole.segments(), &context, &mut ()) {
            Ok(frame) => Ok(Some(frame)),
            Err(error) if self.unreadable(whole, &error) => Ok(None),
            Err(error) => Err(Error::Malformed { tag: whole.tag.into(), error }),
        }
    }

    fn describe(frame: &Frame<'_>) -> Option<String> {
        (!is_chatter(frame.tag())).then(|| frame.info().map(|info| info.to_string()).unwrap_or_default())
    }

    fn check(&mut self, shared: &mut Shared, frame: &Frame<'_>) -> Result<(), Error> {
        self.check_frame(shared, frame)
    }

    fn holds(&self, shared: &Shared, guard: Guard, frame: Option<&Frame<'_>>) -> bool {
        self.guard_holds(shared, guard, frame)
    }

    fn act(
        &mut self,
        shared: &mut Shared,
        action: Action,
        received: Option<&Whole>,
        frame: Option<&Frame<'_>>,
    ) -> Result<(), Error> {
        self.act_on(shared, action, received, frame)
    }

    fn send(&mut self, shared: &mut Shared, tag: u8) -> Result<(), Error> {
        self.send_frame(shared, Tag(tag))
    }

    fn why_closed(&self, frame: Option<&Frame<'_>>) -> Option<Why> {
        Some(match frame {
            Some(Frame::AuthBadMethod(_)) => Why::Failed(self.why_bad_method()),
            Some(Frame::IdentMissingFeatures(missing)) => {
                Why::Failed(Error::FeaturesLacking { features: missing.features })
            }
            Some(Frame::ClientIdent(ident)) => {
                let (global_seq, session) = (ident.global_seq, self.stale_at);
                Why::Failed(Error::LateStart { global_seq, session })
            }
            Some(Frame::Wait(_)) => Why::Wait,
            _ => Why::Ended,
        })
    }
}

impl Protocol for Connection {
    fn link(&self) -> &Link {
        &self.link
    }

    fn link_mut(&mut self) -> &mut Link {
        &mut self.link
    }

    fn state_name(&self) -> &'static str {
        self.row().name
    }

    fn is_closed(&self) -> bool {
        self.at_end()
    }

    fn receive(&mut self, shared: &mut Shared, bytes: &[u8]) -> Result<(), Error> {
        self.inbound.extend(bytes);
        if self.revision.is_none() && !self.read_banner(shared)? {
            return Ok(());
        }
        while self.link.over.is_none() && !self.at_end() {
            let limit = self.limit_in(shared);
            match self.inbound.next(self.revision(), limit)? {
                Next::Nothing => break,
                Next::Aborted(tag) => {
                    self.link.heard(shared.now);
                    shared.drop_frame(self.link.id, Dropped::Aborted { tag: tag.0 });
                }
                Next::Frame(whole) => {
                    self.link.heard(shared.now);
                    self.transcripts.add(self.link.role, self.link.role.other(), &whole.bytes);
                    self.step(shared, &whole)?;
                }
            }
        }
        Ok(())
    }

    fn buffered(&self) -> usize {
        self.inbound.len() + self.transcripts.len()
    }

    fn wants_transmit(&self, shared: &Shared) -> bool {
        !self.outbound.is_empty() || self.next_tag(shared).is_some() || self.is_done(shared)
    }

    fn transmit(&mut self, shared: &mut Shared, out: &mut Vec<u8>, room: usize) -> Result<(), Error> {
        self.write(shared, out, room)
    }

    fn deadline(&self, shared: &Shared) -> Option<Time> {
        self.link.over.is_none().then(|| self.link.deadline(shared))
    }

    fn tick(&mut self, shared: &mut Shared) -> Result<(), Error> {
        if self.link.over.is_some() { Ok(()) } else { self.link.tick(shared) }
    }

    fn fail(&mut self, why: Why) {
        self.outbound.clear();
        self.inbound = Inbound::default();
        // a client that wasn't let in goes by itself
        self.link.over = Some(match (why, self.refusal()) {
            (Why::Ended, Some(refusal)) => Why::Failed(Error::Refused(refusal)),
            (why, _) => why,
        });
    }
}

/// Nothing.
const EMPTY: Bytes = Bytes::new();
