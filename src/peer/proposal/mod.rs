//! A connection of the dialect `proposal`: an engine that runs the spec's tables of states.
//!
//! A frame is looked up in the table of the state; the first move whose guard holds is made: its actions are done, its
//! frames are sent, in this order, and its state is the next. What guards mean is in `guards`, what actions do
//! in `actions`, what is in the frames in `frames`. What a side may send without being asked it sends at once.

mod actions;
mod client_auth;
mod frames;
mod guards;
mod inbound;
mod outbound;
mod server_auth;
mod transmit;

use std::collections::VecDeque;
use std::net::SocketAddr;

use bytes::Bytes;

use self::client_auth::ClientExchange;
use self::inbound::{Inbound, Whole};
use self::outbound::Outbound;
use self::server_auth::ServerExchange;
use super::config::Encryption;
use super::shared::Shared;
use super::{Awaited, ConnectionId, Dropped, Error, Event, PeerInfo, SessionId, Time, Why};
use crate::auth::EntityName;
use crate::auth::cephx::Keys;
use crate::frame::proposal::{ConnectionKey, HEADER_LEN, Head, Transcripts, Verifier};
use crate::proposal::{Banner, CLIENT_STATES, Frame, SERVER_STATES, Tag, client, decode_banner, server};
use crate::types::{AuthMethod, AuthMode, AuthPurpose, CephFeatures, EntityAddr, Errno, ProposalFeatures};
use crate::wire::{ErrorKind, Reader, Role, Segments, State, Utime};
use crate::{Action, Context, Guard, limits};

/// A client that has chosen more methods than this has run mad.
const MOST_CHOICES: usize = limits::PROPOSAL_MAX_METHODS as usize;

/// Who was authenticated, and with which keys.
pub(crate) struct Identity {
    name: EntityName,
    gid: u64,
    method: AuthMethod,
    purpose: AuthPurpose,
    keys: Option<Keys>,
}

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
    pub(crate) id: ConnectionId,
    pub(crate) role: Role,
    pub(crate) session: Option<SessionId>,
    /// The state's place in the table.
    pub(super) state: u8,
    /// When it was connected.
    begun: Time,
    /// When the last frame came.
    last_frame: Time,
    /// When the handshake ended.
    pub(crate) established: bool,
    /// Where an accepted connection comes from.
    pub(crate) remote: Option<SocketAddr>,
    /// Why it is over.
    pub(crate) over: Option<Why>,
    /// The endpoint has taken note of that.
    pub(crate) settled: bool,
    /// It is counted among those in the handshake.
    pub(crate) half_open: bool,
    /// In the list of those that may have something to transmit.
    pub(crate) dirty: bool,
    /// The deadline under which a timer is set.
    pub(crate) armed: Option<Time>,
    /// What of the receive buffers' memory it is charged for.
    pub(crate) charged: usize,
    /// The same as one in the handshake.
    pub(crate) charged_early: usize,
    /// Whether the socket is still to be closed.
    pub(crate) hangup: bool,
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
    keepalives: VecDeque<Utime>,
    keepalive_due: bool,
    keepalive_sent: bool,
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
                Exchange::Client(Box::new(ClientExchange::new(entry, encrypted)))
            }
            _ => Exchange::Server(Box::default()),
        };
        let mut connection = Connection {
            id,
            role,
            session,
            state: match role {
                Role::Client => client::CONNECTING,
                Role::Server => server::GREETING,
            },
            begun: shared.now,
            last_frame: shared.now,
            established: false,
            remote: None,
            over: None,
            settled: false,
            half_open: false,
            dirty: false,
            armed: None,
            charged: 0,
            charged_early: 0,
            hangup: true,
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
            keepalives: VecDeque::new(),
            keepalive_due: false,
            keepalive_sent: false,
            ack_since: None,
            close_since: None,
            farewell: false,
        };
        connection.begin(shared)?;
        Ok(connection)
    }

    /// Sends what can be sent without the peer.
    fn begin(&mut self, shared: &mut Shared) -> Result<(), Error> {
        self.send_banner(shared)?;
        match self.role {
            Role::Client => {
                shared.global_seq += 1;
                self.global_seq = shared.global_seq;
                match &self.exchange {
                    Exchange::Client(exchange) if exchange.has_choice() => self.act_with(shared, Tag::AUTH_SET_METHOD),
                    _ => Err(Error::MethodsExhausted { tried: Vec::new(), allowed: Vec::new() }),
                }
            }
            Role::Server => self.act_with(shared, Tag::AUTH_METHODS),
        }
    }

    pub(super) fn table(&self) -> &'static [State<Guard, Action>] {
        match self.role {
            Role::Client => CLIENT_STATES,
            Role::Server => SERVER_STATES,
        }
    }

    /// The row of the table for the state.
    pub(super) fn row(&self) -> &'static State<Guard, Action> {
        &self.table()[usize::from(self.state)]
    }

    /// The name of the state, for tests and messages.
    pub(crate) fn state_name(&self) -> &'static str {
        self.row().name
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state
            == match self.role {
                Role::Client => client::CLOSED,
                Role::Server => server::CLOSED,
            }
    }

    /// Bytes came. An error ends the connection.
    pub(crate) fn receive(&mut self, shared: &mut Shared, bytes: &[u8]) -> Result<(), Error> {
        self.inbound.extend(bytes);
        if self.their_banner.is_none() && !self.read_banner(shared)? {
            return Ok(());
        }
        while self.over.is_none() && !self.is_closed() {
            let limit = self.limit_in(shared);
            let Some(frame) = self.next_frame(limit)? else { break };
            self.last_frame = shared.now;
            self.keepalive_sent = false;
            self.take(shared, frame)?;
        }
        Ok(())
    }

    /// How many bytes are kept until more come.
    pub(crate) fn buffered(&self) -> usize {
        self.inbound.len() + self.held.as_ref().map_or(0, |held| held.bytes.len())
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
        self.transcripts.add(self.role.other(), &bytes[..length]);
        self.inbound.skip(length);
        if shared.config.report_handshake {
            self.report(shared, false, "BANNER", banner.to_string());
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
        self.last_frame = shared.now;
        Ok(true)
    }

    fn next_frame(&mut self, limit: u32) -> Result<Option<Whole>, Error> {
        let signed = self.verifier.is_some();
        let must_encrypt = self.awaits_encryption();
        let may_encrypt = self.may_encrypt();
        self.inbound.next(limit, |head: &Head| match head.tag {
            Tag::ENCRYPT_BEGIN if signed && !may_encrypt => Err(Error::EncryptOutOfPlace),
            Tag::ENCRYPT_BEGIN => Ok(()),
            tag if must_encrypt => Err(Error::NotEncrypted { tag }),
            _ => Ok(()),
        })
    }

    fn awaits_encryption(&self) -> bool {
        self.state
            == match self.role {
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
                self.transcripts.add(self.role.other(), &frame.bytes);
            }
            return self.step(shared, &frame);
        };
        self.frames_since += 1;
        match frame.tag {
            Tag::ENCRYPT_BEGIN => self.step(shared, &frame),
            Tag::SIGNATURE => {
                let Some(held) = self.held.take() else {
                    shared.drop_frame(self.id, Dropped::Signature);
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

    /// A frame that waits for its signature won't get it.
    pub(crate) fn drop_held(&mut self, shared: &mut Shared) {
        if let Some(held) = self.held.take() {
            shared.drop_frame(self.id, Dropped::Unsigned { tag: held.tag.0 });
        }
    }

    /// A frame takes effect.
    fn step(&mut self, shared: &mut Shared, whole: &Whole) -> Result<(), Error> {
        let tag = whole.tag;
        let row = self.row();
        let moves = row.moves(tag.0);
        let not_allowed = Error::NotAllowed { state: row.name, tag };
        if moves.is_empty() {
            return Err(if tag.name().is_none() { Error::UnknownTag { tag: tag.0 } } else { not_allowed });
        }
        if let [only] = moves
            && only.actions == [Action::Drop]
        {
            shared.drop_frame(self.id, Dropped::Request);
            self.state = only.to;
            return Ok(());
        }
        let Some(frame) = self.decode(whole)? else { return self.make(shared, whole, None, not_allowed) };
        if shared.config.report_handshake && !is_chatter(tag) {
            let text = frame.info().map(|info| info.to_string()).unwrap_or_default();
            self.report(shared, false, frame_name(tag), text);
        }
        self.check(shared, &frame)?;
        self.make(shared, whole, Some(&frame), not_allowed)
    }

    /// Makes the first move whose guard holds.
    fn make(
        &mut self,
        shared: &mut Shared,
        whole: &Whole,
        frame: Option<&Frame<'_>>,
        not_allowed: Error,
    ) -> Result<(), Error> {
        let moves = self.row().moves(whole.tag.0);
        let held = |guard: Option<Guard>| guard.is_none_or(|guard| self.holds(shared, guard, frame));
        let chosen = moves.iter().find(|chosen| held(chosen.guard)).ok_or(not_allowed)?;
        for &action in chosen.actions {
            self.act(shared, action, whole, frame)?;
        }
        for &tag in chosen.sends {
            self.send(shared, Tag(tag))?;
        }
        self.state = chosen.to;
        if self.is_closed() && !self.farewell && self.over.is_none() {
            self.over = Some(self.why_closed(frame));
        }
        Ok(())
    }

    /// Sends a frame on this side's own initiative.
    fn act_with(&mut self, shared: &mut Shared, tag: Tag) -> Result<(), Error> {
        let row = self.row();
        let held = |guard: Option<Guard>| guard.is_none_or(|guard| self.holds(shared, guard, None));
        let chosen = row.acting(tag.0).iter().find(|chosen| held(chosen.guard));
        let chosen = chosen.ok_or(Error::NotAllowed { state: row.name, tag })?;
        self.send(shared, tag)?;
        for &tag in chosen.sends {
            self.send(shared, Tag(tag))?;
        }
        self.state = chosen.to;
        Ok(())
    }

    /// Reads a frame. `None` is a request whose blob can't be read, which the server answers.
    fn decode<'a>(&mut self, whole: &'a Whole) -> Result<Option<Frame<'a>>, Error> {
        let bytes: &'a [u8] = &whole.bytes;
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
                    exchange.unreadable(error);
                    return Ok(None);
                }
                Err(Error::Malformed { tag: whole.tag, error })
            }
        }
    }

    /// What ended the connection, when a frame has led to the state `closed`.
    fn why_closed(&self, frame: Option<&Frame<'_>>) -> Why {
        let refusal = match &self.exchange {
            Exchange::Server(exchange) => exchange.refusal(),
            Exchange::Client(_) => None,
        };
        match (frame, &self.exchange) {
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
        }
    }

    fn report(&self, shared: &mut Shared, sent: bool, frame: &'static str, text: String) {
        shared.events.push_back(Event::Handshake { connection: self.id, sent, frame, text });
    }

    /// Who is at the other end.
    fn peer_info(&self) -> Option<PeerInfo> {
        let (peer, identity) = (self.peer.as_ref()?, self.identity.as_ref()?);
        let entity = match self.role {
            Role::Server => identity.name.clone(),
            Role::Client => EntityName::new(peer.entity_type, ""),
        };
        Some(PeerInfo {
            entity,
            gid: peer.gid,
            addrs: peer.addrs.clone(),
            features: peer.features,
            method: identity.method,
            lossy: self.is_lossy(),
            signed: self.verifier.is_some(),
            sealed_out: self.outbound.is_sealed(),
            sealed_in: self.inbound.is_sealed(),
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

    /// When something is due, at the latest.
    pub(crate) fn deadline(&self, shared: &Shared) -> Option<Time> {
        if self.over.is_some() {
            return None;
        }
        let times = &shared.config.times;
        if !self.established {
            return Some(self.begun.saturating_add(times.handshake));
        }
        let keepalive = (!self.keepalive_sent).then(|| self.last_frame.saturating_add(times.keepalive));
        let ack = self.ack_since.map(|since| since.saturating_add(times.ack));
        let close = self.close_since.map(|since| since.saturating_add(times.close));
        [keepalive, ack, close].into_iter().flatten().chain([self.last_frame.saturating_add(times.idle)]).min()
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self, shared: &mut Shared) -> Result<(), Error> {
        let times = &shared.config.times;
        let now = shared.now;
        let past = |since: Time, wait: Time| now >= since.saturating_add(wait);
        let timed_out = |what| Err(Error::TimedOut { what });
        if self.over.is_some() {
            return Ok(());
        }
        if !self.established {
            return if past(self.begun, times.handshake) { timed_out(Awaited::Handshake) } else { Ok(()) };
        }
        if past(self.last_frame, times.idle) {
            return timed_out(Awaited::Frame);
        }
        if self.close_since.is_some_and(|since| past(since, times.close)) {
            return timed_out(Awaited::Close);
        }
        if self.ack_since.is_some_and(|since| past(since, times.ack)) {
            return timed_out(Awaited::Ack);
        }
        if !self.keepalive_sent && past(self.last_frame, times.keepalive) {
            (self.keepalive_sent, self.keepalive_due) = (true, true);
        }
        Ok(())
    }

    /// It ends at once: nothing of what waits is sent.
    pub(crate) fn fail(&mut self, why: Why) {
        self.outbound.clear();
        self.farewell = false;
        self.inbound = Inbound::default();
        self.over = Some(why);
    }

    /// The bytes of a message's part, without keeping a large buffer for a small part.
    fn part(frame: &Bytes, part: &[u8]) -> Bytes {
        const SMALL: usize = 4096;
        if part.len() <= SMALL { Bytes::copy_from_slice(part) } else { frame.slice_ref(part) }
    }
}

/// The name of a tag.
fn frame_name(tag: Tag) -> &'static str {
    tag.name().unwrap_or("?")
}

/// Frames that come and go once messages flow.
fn is_chatter(tag: Tag) -> bool {
    matches!(tag, Tag::MSG | Tag::ACK | Tag::KEEPALIVE2 | Tag::KEEPALIVE2_ACK)
}
