//! A peer that follows a script: an endpoint at its other end hears exactly what a test wants, in the clear and with
//! method none.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::*;
use crate::Context;
use crate::frame::{Check, Head, PREAMBLE_LEN, Revision, encode, open};
use crate::peer::tests::network::START;
use crate::peer::{ConnectionId, Event, Message, Time};
use crate::types::{
    AuthMode, AuthNoneRequest, CephFeatures, ConnectionFlags, ConnectionMode, EntityAddr, EntityAddrvec, MessageHeader,
    MessageType, Msgr2Features,
};
use crate::v2_1::{
    AuthDone, AuthRequest, AuthRequestPayload, AuthSignature, Banner, BannerFeatures, ClientIdent, Frame, Hello,
    ServerIdent, SessionReconnect, Tag,
};
use crate::wire::{Blob, Encode as _, Segments};

/// The nonce of the endpoint's address, in the middle of what a scripted peer may have.
pub(super) const NONCE: u32 = 5;

/// A frame that the endpoint has sent.
pub(super) struct Said {
    tag: Tag,
    parts: [Vec<u8>; 4],
}

impl Said {
    /// Reads it.
    pub(super) fn frame(&self) -> Frame<'_> {
        let segments = Segments::new(self.parts.each_ref().map(|part| (0, part.as_slice())));
        Frame::decode(self.tag, &segments, &Context::default(), &mut ()).unwrap()
    }

    /// Its name, and what a test may want to compare.
    pub(super) fn text(&self) -> String {
        match self.frame() {
            Frame::Message(message) => {
                let front = String::from_utf8_lossy(&self.parts[1]).into_owned();
                format!("MESSAGE {} {front}", message.header.seq)
            }
            Frame::Ack(ack) => format!("ACK {}", ack.seq),
            Frame::SessionReset(reset) => format!("RESET {}", if reset.full.get() { "full" } else { "half" }),
            Frame::SessionRetry(retry) => format!("RETRY {}", retry.connect_seq),
            Frame::SessionRetryGlobal(retry) => format!("RETRY_GLOBAL {}", retry.global_seq),
            Frame::SessionReconnectOk(ok) => format!("RECONNECT_OK {}", ok.msg_seq),
            frame => frame.tag().name().unwrap().to_owned(),
        }
    }
}

/// What was said, for comparison.
pub(super) fn texts(said: &[Said]) -> Vec<String> {
    said.iter().map(Said::text).collect()
}

/// An endpoint whose peers follow a script.
pub(super) struct Script {
    pub(super) endpoint: Endpoint,
    pub(super) now: Time,
    /// What the endpoint has told, in words; sessions are numbered as they come.
    pub(super) log: Vec<String>,
    pub(super) sessions: Vec<SessionId>,
    /// Sessions for which a socket is wanted.
    pub(super) dials: VecDeque<SessionId>,
    /// What each connection has written and nobody has read.
    written: HashMap<ConnectionId, Vec<u8>>,
    /// The texts of the messages that came.
    pub(super) received: Vec<String>,
    /// The nonce of the peer's address, by which races are decided.
    pub(super) nonce: u32,
}

impl Script {
    /// An OSD with such a policy for all, whose peer has the higher address.
    pub(super) fn new(policy: Policy) -> Self {
        let mut config = Config::new(EntityName::new(EntityType::OSD, "1"));
        config.gid = 1;
        config.addrs = vec![entity_addr(AddrType::MSGR2, addr(1), NONCE)];
        config.server = ServerAuth { methods: vec![AuthMethod::NONE], ..Default::default() };
        config.v2.policies = Some(Policies::all(policy));
        Script {
            endpoint: endpoint(config, "scripted"),
            now: START,
            log: Vec::new(),
            sessions: Vec::new(),
            dials: VecDeque::new(),
            written: HashMap::new(),
            received: Vec::new(),
            nonce: NONCE + 1,
        }
    }

    /// The peer's address.
    pub(super) fn addr(&self) -> EntityAddr<'static> {
        entity_addr(AddrType::MSGR2, addr(2), self.nonce)
    }

    /// The endpoint begins a session with the peer.
    pub(super) fn connect(&mut self) -> SessionId {
        let mut target = Target::new(addr(2), vec![ClientAuth::None { service: EntityType::OSD }]);
        target.entity_addrs = vec![self.addr()];
        let session = self.endpoint.connect(self.now, target);
        self.drain();
        session
    }

    /// The peer dials, and comes as far as CLIENT_IDENT.
    pub(super) fn accept(&mut self) -> ConnectionId {
        let id = self.endpoint.accept(self.now, addr(2)).unwrap();
        self.greet(id);
        let entity = EntityName::new(EntityType::OSD, "2");
        let none = AuthNoneRequest {
            auth_mode: AuthMode::AUTHORIZER,
            entity: entity.to_wire(),
            global_id: 2,
            ..Default::default()
        };
        self.say(
            id,
            &Frame::AuthRequest(AuthRequest {
                method: AuthMethod::NONE,
                preferred_modes: vec![ConnectionMode::CRC],
                payload: Some(AuthRequestPayload::None(none)),
                ..Default::default()
            }),
        );
        self.say(id, &Frame::AuthSignature(AuthSignature::default()));
        assert_eq!(self.endpoint.state_name(id), Some("session_accepting"), "{:?}", self.log);
        id
    }

    /// The peer takes the endpoint's call, as far as its CLIENT_IDENT or SESSION_RECONNECT, which is returned.
    pub(super) fn answer(&mut self) -> (ConnectionId, Said) {
        let session = self.dials.pop_front().expect("a socket is wanted");
        let id = self.endpoint.connected(self.now, session).expect("and still is");
        self.drain();
        self.greet(id);
        self.say(
            id,
            &Frame::AuthDone(AuthDone { global_id: 1, connection_mode: ConnectionMode::CRC, ..Default::default() }),
        );
        let mut said = self.say(id, &Frame::AuthSignature(AuthSignature::default()));
        (id, said.pop().expect("a wish for a session"))
    }

    /// Banner and HELLO, without compression.
    pub(super) fn greet(&mut self, id: ConnectionId) {
        let features = BannerFeatures { supported: Msgr2Features::REVISION_1, ..Default::default() };
        let banner = Banner { features: Some(features) };
        self.bytes(id, &banner.to_bytes().unwrap());
        // the endpoint's banner
        self.written.remove(&id);
        let peer_addr = entity_addr(AddrType::MSGR2, addr(1), NONCE);
        self.say(id, &Frame::Hello(Hello { entity_type: EntityType::OSD, peer_addr, ..Default::default() }));
    }

    /// The peer says something; what the endpoint says to it.
    pub(super) fn say(&mut self, id: ConnectionId, frame: &Frame<'_>) -> Vec<Said> {
        self.bytes(id, &encode(Revision::V2_1, frame).unwrap());
        self.heard(id)
    }

    /// What the endpoint has said on a connection since.
    pub(super) fn heard(&mut self, id: ConnectionId) -> Vec<Said> {
        self.drain();
        let bytes = self.written.remove(&id).unwrap_or_default();
        let mut rest = bytes.as_slice();
        let mut said = Vec::new();
        while let Some(preamble) = rest.first_chunk::<PREAMBLE_LEN>() {
            let head = Head::parse(preamble, Revision::V2_1).unwrap();
            let (frame, behind) = rest.split_at(head.frame_len(Revision::V2_1));
            let opened = open(&head, Revision::V2_1, frame, Check::Crc);
            assert_eq!(opened.bad_crc, None);
            said.push(Said {
                tag: Tag(head.tag),
                parts: std::array::from_fn(|index| opened.segments.bytes(index).to_vec()),
            });
            rest = behind;
        }
        assert!(rest.is_empty());
        said
    }

    pub(super) fn bytes(&mut self, id: ConnectionId, bytes: &[u8]) {
        self.endpoint.receive(self.now, id, bytes);
        self.drain();
    }

    /// The connection breaks. What is to be done at once about it is done.
    pub(super) fn cut(&mut self, id: ConnectionId) {
        self.endpoint.ended(self.now, id);
        self.pass(Duration::ZERO);
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(next) = self.endpoint.timeout().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.endpoint.tick(self.now);
            self.drain();
        }
        self.now = end;
        self.endpoint.tick(end);
        self.drain();
    }

    /// The endpoint sends a message.
    pub(super) fn send(&mut self, session: SessionId, text: &str) {
        let message = Message::new(MessageType::PING, text.as_bytes().to_vec());
        self.endpoint.send(self.now, session, message).unwrap();
        self.drain();
    }

    fn number(&mut self, session: SessionId) -> usize {
        self.sessions.iter().position(|known| *known == session).unwrap_or_else(|| {
            self.sessions.push(session);
            self.sessions.len() - 1
        })
    }

    /// Takes whatever the endpoint has to tell and to write.
    fn drain(&mut self) {
        loop {
            if let Some(event) = self.endpoint.event() {
                self.note(event);
            } else if let Some(id) = self.endpoint.dirty() {
                let out = self.written.entry(id).or_default();
                while self.endpoint.transmit(self.now, id, out, 1 << 16) > 0 {}
            } else {
                return;
            }
        }
    }

    fn note(&mut self, event: Event) {
        let line = match event {
            Event::Dial { session, .. } => {
                self.dials.push_back(session);
                return;
            }
            Event::Message { message, .. } => {
                self.received.push(String::from_utf8_lossy(&message.front).into_owned());
                return;
            }
            Event::Established { session, resumed, .. } => {
                format!("{} {}", self.number(session), if resumed { "goes on" } else { "begins" })
            }
            Event::Disconnected { session, why } => format!("{} waits: {why}", self.number(session)),
            Event::Closed { session, why, unacked } => {
                format!("{} is over: {why}, {unacked} unacked", self.number(session))
            }
            Event::Reset { session, lost } => format!("{} is reset, {lost} lost", self.number(session)),
            Event::Failed { error, .. } => format!("failed: {error}"),
            Event::Dropped { what, .. } => format!("dropped: {what}"),
            Event::Hangup { .. } => "hangup".to_owned(),
            _ => return,
        };
        self.log.push(line);
    }

    /// What was told since this was asked last.
    pub(super) fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    /// CLIENT_IDENT of the peer.
    pub(super) fn ident(&self, cookie: u64, global_seq: u64) -> Frame<'static> {
        Frame::ClientIdent(ClientIdent {
            addrs: EntityAddrvec { addrs: vec![self.addr()] },
            target_addr: entity_addr(AddrType::MSGR2, addr(1), NONCE),
            gid: 2,
            global_seq,
            features_supported: CephFeatures::MSG_ADDR2,
            features_required: CephFeatures::MSG_ADDR2,
            flags: ConnectionFlags::default(),
            cookie,
            ..Default::default()
        })
    }

    /// SERVER_IDENT of the peer.
    pub(super) fn server_ident(&self, cookie: u64, global_seq: u64) -> ServerIdent<'static> {
        ServerIdent {
            addrs: EntityAddrvec { addrs: vec![self.addr()] },
            gid: 2,
            global_seq,
            features_supported: CephFeatures::MSG_ADDR2,
            features_required: CephFeatures::MSG_ADDR2,
            flags: if cookie == 0 { ConnectionFlags::LOSSY } else { ConnectionFlags::default() },
            cookie,
            ..Default::default()
        }
    }

    /// SESSION_RECONNECT of the peer; the server's cookie isn't looked at.
    pub(super) fn reconnect(&self, client_cookie: u64, seqs: [u64; 3]) -> Frame<'static> {
        let [global_seq, connect_seq, msg_seq] = seqs;
        Frame::SessionReconnect(SessionReconnect {
            addrs: EntityAddrvec { addrs: vec![self.addr()] },
            client_cookie,
            server_cookie: 1,
            global_seq,
            connect_seq,
            msg_seq,
            ..Default::default()
        })
    }
}

/// A message of the peer.
pub(super) fn message(seq: u64, ack_seq: u64, text: &'static str) -> Frame<'static> {
    let header = MessageHeader { seq, ack_seq, r#type: MessageType::PING, ..Default::default() };
    Frame::Message(crate::v2_1::Message { header, front: Blob(text.as_bytes().into()), ..Default::default() })
}
