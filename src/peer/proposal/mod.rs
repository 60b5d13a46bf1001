//! A connection of the dialect `proposal`.
//!
//! What guards mean is in `guards`, what actions do in `actions`, what is in the frames in `frames` and `auth`. What a
//! side may send without being asked it sends at once.

mod actions;
mod auth;
mod frames;
mod guards;
mod inbound;
mod outbound;
mod transmit;

use self::inbound::{Inbound, Whole};
use self::outbound::Outbound;
use super::auth::{ClientExchange, Identity, ServerExchange};
use super::config::Encryption;
use super::engine::Engine;
use super::link::Link;
use super::protocol::Protocol;
use super::shared::Shared;
use super::{Awaited, ConnectionId, Dropped, Error, PeerInfo, Refusal, SessionId, Time, Why};
use crate::auth::EntityName;
use crate::frame::Dialect;
use crate::frame::proposal::{ConnectionKey, HEADER_LEN, Head, Transcripts, Verifier};
use crate::proposal::{Banner, CLIENT_STATES, Frame, SERVER_STATES, Tag, client, decode_banner, server};
use crate::types::{
    AuthMethod, AuthMode, CephFeatures, CompressionAlgorithm, ConnectionMode, EntityAddr, Errno, ProposalFeatures,
};
use crate::wire::{ErrorKind, Reader, Role, Segments, State};
use crate::{Action, Context, Guard, limits};

/// A client that has chosen more methods than this has run mad.
const MOST_CHOICES: usize = limits::PROPOSAL_MAX_METHODS as usize;

/// What the peer's IDENT says.
struct PeerIdent {
    addrs: Vec<EntityAddr<'static>>,
    /// The same, as they stand there.
    addr_bytes: Vec<u8>,
    entity_type: crate::types::EntityType,
    gid: u64,
    global_seq: u64,
    features: CephFeatures,
    lossy: bool,
    cookie: u64,
}

/// What this side said in its IDENT.
#[derive(Default)]
struct OwnIdent {
    cookie: u64,
    lossy: bool,
}

/// The method's exchange.
enum Exchange {
    Client(Box<ClientExchange>),
    Server(Box<ServerExchange>),
}

/// One connection.
pub(crate) struct Connection {
    link: Link,
    features: ProposalFeatures,
    required: ProposalFeatures,
    their_banner: Option<Banner>,
    transcripts: Transcripts,
    exchange: Exchange,
    identity: Option<Identity>,
    key: Option<ConnectionKey>,
    verifier: Option<Verifier>,
    /// A frame whose signature hasn't come.
    held: Option<Whole>,
    /// How many frames came since authentication.
    frames_since: u64,
    inbound: Inbound,
    outbound: Outbound,
    own: OwnIdent,
    /// The global_seq of this connection.
    global_seq: u64,
    peer: Option<PeerIdent>,
    reconnects: usize,
    /// The server_cookie of the client's last RECONNECT.
    asked_cookie: u64,
    /// Features that the peer lacks.
    lacks: CephFeatures,
    ack_since: Option<Time>,
    close_since: Option<Time>,
    /// The peer's CLOSE is to be answered behind what is queued.
    farewell: bool,
}

impl Connection {
    /// A connection that has just been made, with what goes out at once.
    pub(crate) fn new(
        id: ConnectionId,
        role: Role,
        session: Option<SessionId>,
        shared: &mut Shared,
    ) -> Result<Self, Error> {
        let config = &shared.config;
        let mut features = ProposalFeatures::default();
        let mut required = ProposalFeatures::default();
        if config.encryption != Encryption::Never {
            features = features | ProposalFeatures::ENCRYPT;
        }
        if config.encryption == Encryption::Required {
            required = required | ProposalFeatures::ENCRYPT;
        }
        if config.reconnect {
            features = features | ProposalFeatures::RECONNECT;
        }
        let exchange = match session.and_then(|session| shared.sessions.get(&session)) {
            Some(entry) if role == Role::Client => {
                let encrypted = config.encryption == Encryption::Required;
                let may = |method| !(encrypted && method == AuthMethod::NONE);
                Exchange::Client(Box::new(ClientExchange::new(entry, may)))
            }
            _ => Exchange::Server(Box::default()),
        };
        let mut connection = Connection {
            link: Link::new(id, role, session, shared.now),
            features,
            required,
            their_banner: None,
            transcripts: Transcripts::default(),
            exchange,
            identity: None,
            key: None,
            verifier: None,
            held: None,
            frames_since: 0,
            inbound: Inbound::default(),
            outbound: Outbound::default(),
            own: OwnIdent::default(),
            global_seq: 0,
            peer: None,
            reconnects: 0,
            asked_cookie: 0,
            lacks: CephFeatures::default(),
            ack_since: None,
            close_since: None,
            farewell: false,
        };
        connection.link.state = match role {
            Role::Client => client::CONNECTING,
            Role::Server => server::GREETING,
        };
        connection.begin(shared)?;
        Ok(connection)
    }

    /// Sends what can be sent without the peer.
    fn begin(&mut self, shared: &mut Shared) -> Result<(), Error> {
        self.send_banner(shared)?;
        match self.link.role {
            Role::Client => {
                shared.global_seq += 1;
                self.global_seq = shared.global_seq;
                match &self.exchange {
                    Exchange::Client(exchange) if exchange.has_choice() => {
                        self.act_with(shared, Tag::AUTH_SET_METHOD.0)
                    }
                    _ => Err(Error::MethodsExhausted { tried: Vec::new(), allowed: Vec::new() }),
                }
            }
            Role::Server => self.act_with(shared, Tag::AUTH_METHODS.0),
        }
    }

    /// The largest frame_len that the peer may send.
    fn limit_in(&self, shared: &Shared) -> u32 {
        let limits = &shared.config.limits;
        let early = limits.early_frame.min(limits::PROPOSAL_MAX_EARLY_FRAME as u32);
        match self.peer {
            None => early,
            Some(_) => limits.frame.min(limits::PROPOSAL_MAX_FRAME as u32),
        }
    }

    fn read_banner(&mut self, shared: &mut Shared) -> Result<bool, Error> {
        let bytes = self.inbound.peek();
        let mut reader = Reader::new(bytes);
        let banner = match decode_banner(&mut reader, &Context::default(), &mut ()) {
            Ok(banner) => banner,
            Err(error) if matches!(error.kind, ErrorKind::Incomplete { .. }) => return Ok(false),
            Err(error) => return Err(Error::Banner(error)),
        };
        let length = reader.offset();
        self.transcripts.add(self.link.role.other(), &bytes[..length]);
        self.inbound.skip(length);
        if shared.config.report_handshake {
            self.link.report(shared, false, "BANNER", banner.to_string());
        }
        let unsupported = banner.required & !self.features;
        if unsupported != ProposalFeatures::default() {
            return Err(Error::FeaturesUnsupported { features: unsupported });
        }
        let missing = self.required & !banner.supported;
        if missing != ProposalFeatures::default() {
            return Err(Error::FeaturesRequired { features: missing });
        }
        self.their_banner = Some(banner);
        self.link.last_frame = shared.now;
        Ok(true)
    }

    fn next_frame(&mut self, limit: u32) -> Result<Option<Whole>, Error> {
        let signed = self.verifier.is_some();
        let must_encrypt = self.awaits_encryption();
        let may_encrypt = self.may_encrypt();
        self.inbound.next(limit, |head: &Head| match head.tag {
            Tag::ENCRYPT_BEGIN if signed && !may_encrypt => Err(Error::EncryptOutOfPlace),
            Tag::ENCRYPT_BEGIN => Ok(()),
            tag if must_encrypt => Err(Error::NotEncrypted { tag: tag.into() }),
            _ => Ok(()),
        })
    }

    fn awaits_encryption(&self) -> bool {
        self.link.state
            == match self.link.role {
                Role::Client => client::AWAITING_ENCRYPTION,
                Role::Server => server::AWAITING_ENCRYPTION,
            }
    }

    /// ENCRYPT_BEGIN is the peer's first frame since authentication, if there is one.
    fn may_encrypt(&self) -> bool {
        self.frames_since == 0 && !self.inbound.is_sealed() && !self.row().moves(Tag::ENCRYPT_BEGIN.0).is_empty()
    }

    /// A whole frame came: it waits for its signature, or takes effect.
    fn take(&mut self, shared: &mut Shared, frame: Whole) -> Result<(), Error> {
        let Some(verifier) = &mut self.verifier else {
            if self.identity.is_none() {
                self.transcripts.add(self.link.role.other(), &frame.bytes);
            }
            return self.step(shared, &frame);
        };
        self.frames_since += 1;
        match frame.tag {
            Tag::ENCRYPT_BEGIN => self.step(shared, &frame),
            Tag::SIGNATURE => {
                let Some(held) = self.held.take() else {
                    shared.drop_frame(self.link.id, Dropped::Signature);
                    return Ok(());
                };
                let number = verifier.count();
                let signature = frame.bytes.get(HEADER_LEN..).unwrap_or_default();
                if !verifier.verify(&held.bytes, signature) {
                    return Err(Error::BadSignature { number });
                }
                self.step(shared, &held)
            }
            _ => {
                self.drop_held(shared);
                self.held = Some(frame);
                Ok(())
            }
        }
    }

    /// Who is at the other end.
    fn peer_info(&self) -> Option<PeerInfo> {
        let (peer, identity) = (self.peer.as_ref()?, self.identity.as_ref()?);
        let entity = match self.link.role {
            Role::Server => identity.name.clone(),
            Role::Client => EntityName::new(peer.entity_type, ""),
        };
        Some(PeerInfo {
            entity,
            gid: peer.gid,
            addrs: peer.addrs.clone(),
            features: peer.features,
            method: identity.method,
            global_id: identity.gid,
            server_challenge: identity.server_challenge,
            lossy: self.is_lossy(),
            signed: self.verifier.is_some(),
            sealed_out: self.outbound.is_sealed(),
            sealed_in: self.inbound.is_sealed(),
            dialect: Dialect::Proposal,
            mode: ConnectionMode::UNKNOWN,
            compression: CompressionAlgorithm::NONE,
            own_addr: None,
        })
    }

    /// Whether one of the sides has said LOSSY.
    fn is_lossy(&self) -> bool {
        self.own.lossy || self.peer.as_ref().is_some_and(|peer| peer.lossy)
    }

    /// Whether both banners offer a feature.
    fn both(&self, feature: ProposalFeatures) -> bool {
        let theirs = self.their_banner.as_ref().map(|banner| banner.supported).unwrap_or_default();
        (self.features & theirs).contains(feature)
    }
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

    /// `None` is a request whose blob can't be read, which the server answers.
    fn decode<'f>(&mut self, _: &Shared, whole: &'f Whole) -> Result<Option<Frame<'f>>, Error> {
        let bytes: &'f [u8] = &whole.bytes;
        let payload = bytes.get(HEADER_LEN..).unwrap_or_default();
        let end = bytes.len();
        let segments = Segments::new([(HEADER_LEN, payload), (end, &[]), (end, &[]), (end, &[])]);
        let (auth_method, auth_mode) = match &self.exchange {
            Exchange::Client(exchange) => (exchange.tried.last().copied(), Some(exchange.mode())),
            Exchange::Server(exchange) => (exchange.method, None::<AuthMode>),
        };
        let context = Context { auth_method, auth_mode, ..Context::default() };
        match Frame::decode(whole.tag, &segments, &context, &mut ()) {
            Ok(frame) => Ok(Some(frame)),
            Err(error) => {
                let path = error.path();
                let inside = path.split_once('.').map_or("", |(_, inside)| inside);
                let in_blob = path.starts_with("payload.") || inside.starts_with("payload.");
                let left_over = path.ends_with("payload") && matches!(error.kind, ErrorKind::Trailing { .. });
                if let Exchange::Server(exchange) = &mut self.exchange
                    && whole.tag == Tag::AUTH_REQUEST
                    && (in_blob || left_over)
                {
                    exchange.refuse(Refusal::Unreadable(error));
                    return Ok(None);
                }
                Err(Error::Malformed { tag: whole.tag.into(), error })
            }
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
        if self.farewell {
            return None;
        }
        let refusal = match &self.exchange {
            Exchange::Server(exchange) => exchange.refusal(),
            Exchange::Client(_) => None,
        };
        Some(match (frame, &self.exchange) {
            (Some(Frame::AuthBadMethod(_)), Exchange::Client(exchange)) => {
                let (tried, allowed) = (exchange.tried.clone(), exchange.allowed.clone());
                Why::Failed(Error::MethodsExhausted { tried, allowed })
            }
            (Some(Frame::AuthReply(reply)), _) => {
                let (result, message): (Errno, _) = (reply.result, reply.message.to_string());
                Why::Failed(Error::Denied { result, message })
            }
            (Some(Frame::Ident(_)), _) => Why::Failed(Error::FeaturesMissing { features: self.lacks }),
            (Some(Frame::IdentMissingFeatures(missing)), _) => {
                Why::Failed(Error::FeaturesLacking { features: missing.features })
            }
            (Some(Frame::ReconnectWait(_)), _) => Why::Wait,
            (Some(Frame::Close(_)), _) => Why::Closed,
            _ => match refusal {
                Some(refusal) => Why::Failed(Error::Refused(refusal)),
                None => Why::Ended,
            },
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
        if self.their_banner.is_none() && !self.read_banner(shared)? {
            return Ok(());
        }
        while self.link.over.is_none() && !self.at_end() {
            let limit = self.limit_in(shared);
            let Some(frame) = self.next_frame(limit)? else { break };
            self.link.heard(shared.now);
            self.take(shared, frame)?;
        }
        Ok(())
    }

    fn buffered(&self) -> usize {
        self.inbound.len() + self.held.as_ref().map_or(0, |held| held.bytes.len())
    }

    fn wants_transmit(&self, shared: &Shared) -> bool {
        !self.outbound.is_empty() || self.next_tag(shared).is_some()
    }

    fn transmit(&mut self, shared: &mut Shared, out: &mut Vec<u8>, room: usize) -> Result<(), Error> {
        self.write(shared, out, room)
    }

    fn deadline(&self, shared: &Shared) -> Option<Time> {
        if self.link.over.is_some() {
            return None;
        }
        let times = &shared.config.times;
        let ack = self.ack_since.map(|since| since.saturating_add(times.ack));
        let close = self.close_since.map(|since| since.saturating_add(times.close));
        let own = if self.link.established { [ack, close] } else { [None, None] };
        own.into_iter().flatten().chain([self.link.deadline(shared)]).min()
    }

    fn tick(&mut self, shared: &mut Shared) -> Result<(), Error> {
        if self.link.over.is_some() {
            return Ok(());
        }
        self.link.tick(shared)?;
        if !self.link.established {
            return Ok(());
        }
        let (times, now) = (&shared.config.times, shared.now);
        let past = |since: Option<Time>, wait: Time| since.is_some_and(|since| now >= since.saturating_add(wait));
        if past(self.close_since, times.close) {
            return Err(Error::TimedOut { what: Awaited::Close });
        }
        if past(self.ack_since, times.ack) {
            return Err(Error::TimedOut { what: Awaited::Ack });
        }
        Ok(())
    }

    fn fail(&mut self, why: Why) {
        self.outbound.clear();
        self.farewell = false;
        self.inbound = Inbound::default();
        self.link.over = Some(why);
    }

    fn drop_held(&mut self, shared: &mut Shared) {
        if let Some(held) = self.held.take() {
            shared.drop_frame(self.link.id, Dropped::Unsigned { tag: held.tag.0 });
        }
    }

    #[cfg(test)]
    fn forget_signature(&mut self) {
        self.outbound.forget = true;
    }
}

/// Frames that come and go once messages flow.
fn is_chatter(tag: Tag) -> bool {
    matches!(tag, Tag::MSG | Tag::ACK | Tag::KEEPALIVE2 | Tag::KEEPALIVE2_ACK)
}
