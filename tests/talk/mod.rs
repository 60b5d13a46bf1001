//! Conversations of the proposal: what a client and a server send, piece by piece, signed and sealed as they go.
#![allow(dead_code)]

pub(crate) mod shipped;

use msgr2::auth::cephx::Keys;
use msgr2::auth::cephx::client::{Authenticate, Authorize, Credentials, Ticket};
use msgr2::auth::cephx::server::{self, Authority, Expected, Outcome, Round};
use msgr2::auth::{Entity, EntityName, Key, Keyring, ServiceKeys, Time};
use msgr2::crypto::FixedRandom;
use msgr2::frame::proposal::{ConnectionKey, Sealer, Signer, Transcripts, encode};
use msgr2::proposal::*;
use msgr2::tracker::Direction;
use msgr2::wire::{Encode, FixedBytes, Role, Utime};

pub(crate) const C: Direction = Direction::Forward;
pub(crate) const S: Direction = Direction::Backward;
pub(crate) const NOW: Time = Time::from_secs(1_464_000_000);
pub(crate) const BOTH: ProposalFeatures = ProposalFeatures(3);
pub(crate) const NOTHING: ProposalFeatures = ProposalFeatures(0);
const SECRET: usize = 64;

/// Who there is: a client, a monitor that hands out tickets, an osd that takes them.
pub(crate) struct Cluster {
    pub(crate) authority: Authority,
    pub(crate) random: FixedRandom,
}

impl Cluster {
    pub(crate) fn new() -> Self {
        let mut random = FixedRandom::new(b"a cluster that talks");
        let mut keyring = Keyring::new();
        let key = Key::generate(CryptoType::AES, Utime::default(), &mut random).unwrap();
        keyring.insert("client.admin".parse().unwrap(), Entity::new(key));
        let mut services = ServiceKeys::new();
        for service in [EntityType::AUTH, EntityType::MON, EntityType::OSD] {
            for _ in 0..2 {
                services.rotate(service, CryptoType::AES, Utime::default(), &mut random).unwrap();
            }
        }
        Cluster { authority: Authority::new(keyring, services, 4107, &mut random).unwrap(), random }
    }

    pub(crate) fn name() -> EntityName {
        "client.admin".parse().unwrap()
    }

    pub(crate) fn credentials(&self) -> Credentials {
        let name = Self::name();
        Credentials::new(name.clone(), self.authority.entities().get(&name).unwrap().key.clone())
    }
}

/// What has been sent so far, and what it takes to send more.
pub(crate) struct Talk {
    pub(crate) pieces: Vec<(Direction, Vec<u8>)>,
    pub(crate) transcripts: Transcripts,
    pub(crate) key: Option<ConnectionKey>,
    pub(crate) signers: [Option<Signer>; 2],
    pub(crate) sealers: [Option<Sealer>; 2],
}

pub(crate) fn role(direction: Direction) -> Role {
    if direction == C { Role::Client } else { Role::Server }
}

impl Talk {
    /// The banners, with these features supported and required.
    pub(crate) fn new(
        client: (ProposalFeatures, ProposalFeatures),
        server: (ProposalFeatures, ProposalFeatures),
    ) -> Self {
        let mut talk = Talk {
            pieces: Vec::new(),
            transcripts: Transcripts::default(),
            key: None,
            signers: [None, None],
            sealers: [None, None],
        };
        for (direction, (supported, required)) in [(S, server), (C, client)] {
            talk.raw(direction, Banner { supported, required }.to_bytes().unwrap());
        }
        talk
    }

    /// Bytes as they are.
    pub(crate) fn raw(&mut self, direction: Direction, bytes: Vec<u8>) {
        if self.key.is_none() {
            self.transcripts.add(role(direction), &bytes);
        }
        self.pieces.push((direction, bytes));
    }

    /// A frame without a signature, sealed if that has begun.
    pub(crate) fn bare(&mut self, direction: Direction, frame: &Frame<'_>) {
        let bytes = encode(frame).unwrap();
        self.sealed(direction, &bytes);
    }

    /// Frames as they are, in one record if sealing has begun.
    pub(crate) fn sealed(&mut self, direction: Direction, bytes: &[u8]) {
        match &mut self.sealers[direction as usize] {
            Some(sealer) => {
                let mut record = Vec::new();
                sealer.seal(bytes, &mut record).unwrap();
                self.raw(direction, record);
            }
            None => self.raw(direction, bytes.to_vec()),
        }
    }

    /// The bytes of a frame's SIGNATURE.
    pub(crate) fn signature(&mut self, direction: Direction, frame: &[u8]) -> Vec<u8> {
        let signature = self.signers[direction as usize].as_mut().unwrap().sign(frame);
        encode(&Frame::Signature(Signature { signature: FixedBytes(signature) })).unwrap()
    }

    /// A frame with its signature, as pieces of their own, or in one record.
    pub(crate) fn say(&mut self, direction: Direction, frame: Frame<'_>) {
        let bytes = encode(&frame).unwrap();
        if self.signers[direction as usize].is_none() || matches!(frame, Frame::EncryptBegin(_)) {
            return self.sealed(direction, &bytes);
        }
        let signature = self.signature(direction, &bytes);
        if self.sealers[direction as usize].is_some() {
            self.sealed(direction, &[bytes, signature].concat());
        } else {
            self.raw(direction, bytes);
            self.raw(direction, signature);
        }
    }

    /// Both sides begin to seal.
    pub(crate) fn encrypt(&mut self) {
        for direction in [C, S] {
            let salt = [direction as u8 + 7; 16];
            self.say(
                direction,
                Frame::EncryptBegin(EncryptBegin { cipher: Cipher::AES_128_GCM, salt: FixedBytes(salt) }),
            );
            let key = self.key.as_ref().unwrap();
            self.sealers[direction as usize] = Some(Sealer::new(key, role(direction), &salt));
        }
    }

    fn keyed(&mut self, keys: &Keys) {
        let key = self.transcripts.connection_key(keys.session_key.secret().expose(), keys.connection_secret.expose());
        self.signers = [C, S].map(|direction| Some(Signer::new(&key, role(direction))));
        self.key = Some(key);
    }

    fn method(&mut self, method: AuthMethod) {
        self.say(S, Frame::AuthMethods(AuthMethods { methods: vec![method] }));
        self.say(C, Frame::AuthSetMethod(AuthSetMethod { method }));
    }

    /// Method none.
    pub(crate) fn none(&mut self) {
        self.method(AuthMethod::NONE);
        self.request(AuthPurpose::AUTHENTICATE, 0, None);
        self.reply(AuthStatus::DONE, 4107, None);
    }

    fn request(&mut self, purpose: AuthPurpose, global_id: u64, payload: Option<AuthRequestPayload<'_>>) {
        let (entity_type, entity_id) = (EntityType::CLIENT, "admin".into());
        self.say(C, Frame::AuthRequest(AuthRequest { purpose, entity_type, entity_id, global_id, payload }));
    }

    fn reply(&mut self, status: AuthStatus, global_id: u64, payload: Option<AuthReplyPayload<'_>>) {
        self.say(S, Frame::AuthReply(AuthReply { status, global_id, payload, ..Default::default() }));
    }

    fn more(&mut self, challenge: CephxReplyMoreChallenge<'_>) {
        self.reply(AuthStatus::MORE, 0, Some(AuthReplyPayload::More(CephxReplyMore { challenge })));
    }

    fn done(&mut self, global_id: u64, reply: CephxDoneReply<'_>) {
        self.reply(AuthStatus::DONE, global_id, Some(AuthReplyPayload::Done(CephxDone { reply })));
    }

    /// The client authenticates at a monitor, and gets tickets.
    pub(crate) fn authenticate(&mut self, cluster: &mut Cluster, credentials: &mut Credentials) {
        let client = Authenticate::new(credentials, CephxServices::AUTH | CephxServices::OSD, NOW);
        self.method(AuthMethod::CEPHX);
        self.request(AuthPurpose::AUTHENTICATE, client.global_id(), None);
        let server_challenge = server::challenge(&mut cluster.random);
        self.more(CephxReplyMoreChallenge::Mon(CephxServerChallenge { server_challenge, ..Default::default() }));
        let answer = client.answer(server_challenge, &mut cluster.random).unwrap();
        self.request(
            AuthPurpose::AUTHENTICATE,
            client.global_id(),
            Some(AuthRequestPayload::Authenticate(answer.clone())),
        );
        let granted = cluster
            .authority
            .authenticate(
                &Cluster::name(),
                client.global_id(),
                &answer,
                server_challenge,
                SECRET,
                NOW,
                &mut cluster.random,
            )
            .unwrap();
        credentials.learn(&client.finish(&granted.reply, granted.global_id, NOW).unwrap());
        self.done(granted.global_id, CephxDoneReply::Mon(granted.reply));
        self.keyed(&granted.keys);
    }

    /// The client shows its ticket to an osd.
    pub(crate) fn authorize(&mut self, cluster: &mut Cluster, ticket: &Ticket, challenged: bool) {
        let expected = Expected { service: EntityType::OSD, name: None, global_id: None };
        let client = Authorize::new(ticket, &mut cluster.random);
        self.method(AuthMethod::CEPHX);
        let shown = client.request(None, &mut cluster.random).unwrap();
        self.request(AuthPurpose::AUTHORIZE, ticket.global_id, Some(AuthRequestPayload::Authorize(shown.clone())));
        let services = cluster.authority.services();
        let round = Round::First { want_challenge: challenged };
        let mut outcome = services.authorize(&shown, &expected, round, SECRET, NOW, &mut cluster.random).unwrap();
        if let Outcome::Challenge(sealed, pending) = outcome {
            let challenge = client.challenge(&sealed).unwrap();
            self.more(CephxReplyMoreChallenge::Authorizer(sealed));
            let shown = client.request(Some(challenge), &mut cluster.random).unwrap();
            self.request(AuthPurpose::AUTHORIZE, ticket.global_id, Some(AuthRequestPayload::Authorize(shown.clone())));
            let round = Round::Answer(&pending);
            outcome = services.authorize(&shown, &expected, round, SECRET, NOW, &mut cluster.random).unwrap();
        }
        let Outcome::Granted(granted) = outcome else { panic!("another challenge") };
        self.done(ticket.global_id, CephxDoneReply::Authorizer(granted.reply));
        self.keyed(&granted.keys);
    }

    /// Both sides say who they are.
    pub(crate) fn idents(&mut self, server: EntityType, lossy: bool, cookies: u64) {
        self.say(C, ident(EntityType::CLIENT, 4107, lossy, cookies));
        self.say(S, ident(server, 3, lossy, cookies + 1));
    }

    /// A session of a few messages.
    pub(crate) fn session(&mut self, lossy: bool) {
        self.say(C, Frame::Start(Start { flags: 0 }));
        self.say(C, message(1, 0));
        self.say(S, message(1, u64::from(!lossy)));
        self.say(C, message(2, u64::from(!lossy)));
        if !lossy {
            self.say(S, Frame::Ack(Ack { seq: 2 }));
        }
        self.say(S, Frame::Keepalive2(Keepalive2::default()));
        self.say(C, Frame::Keepalive2Ack(Keepalive2Ack::default()));
        self.say(S, message(2, if lossy { 0 } else { 2 }));
        self.say(C, Frame::Close(Close {}));
        self.say(S, Frame::Close(Close {}));
    }
}

pub(crate) fn ident(entity_type: EntityType, gid: u64, lossy: bool, cookie: u64) -> Frame<'static> {
    Frame::Ident(Ident {
        addrs: vec![EntityAddr::default()],
        entity_type,
        gid,
        global_seq: 1,
        features_supported: CephFeatures::MSG_ADDR2,
        features_required: CephFeatures::MSG_ADDR2,
        flags: if lossy { ConnectionFlags::LOSSY } else { ConnectionFlags(0) },
        cookie: if lossy { 0 } else { cookie },
    })
}

pub(crate) fn message(seq: u64, ack_seq: u64) -> Frame<'static> {
    let flags = MessageFlags(3);
    let header = MessageHeader { seq, ack_seq, r#type: MessageType::PING, flags, ..Default::default() };
    Frame::Msg(Msg { header, front: vec![seq as u8; 30].into(), middle: Vec::new().into(), data: vec![7; 9].into() })
}
