//! Conversations of v2.0 and v2.1: what a client and a server send, piece by piece, signed, and sealed if that was agreed.

use msgr2::auth::cephx::Keys;
use msgr2::auth::cephx::client::{Authenticate, Authorize, Credentials, Ticket};
use msgr2::auth::cephx::server::{self, Expected, Outcome, Round};
use msgr2::crypto::hmac_sha256;
use msgr2::frame::secure::{ConnectionKey, Sealer};
use msgr2::frame::{self, Ending, Revision};
use msgr2::tracker::Direction;
use msgr2::types::*;
use msgr2::v2_1::*;
use msgr2::wire::{Blob, Encode, FixedBytes, Role};

use super::{C, Cluster, NOW, S};

/// What has been sent so far, and what it takes to send more.
pub(crate) struct Shipped {
    pub(crate) pieces: Vec<(Direction, Vec<u8>)>,
    pub(crate) sealers: Option<[Sealer; 2]>,
    revision: Revision,
    mode: ConnectionMode,
    heard: [Vec<u8>; 2],
    /// What stands behind the client's first request, for who wants it to be long.
    pub(crate) extra: usize,
    /// The signatures are made with this on top.
    pub(crate) spoil: u8,
}

impl Shipped {
    /// The banners and who is who.
    pub(crate) fn new(revision: Revision, mode: ConnectionMode, server: EntityType) -> Self {
        Shipped::with_features(revision, mode, server, Msgr2Features(0))
    }

    /// The same with more features in the banners.
    pub(crate) fn with_features(
        revision: Revision,
        mode: ConnectionMode,
        server: EntityType,
        features: Msgr2Features,
    ) -> Self {
        let mut talk = Shipped {
            pieces: Vec::new(),
            sealers: None,
            revision,
            mode,
            heard: Default::default(),
            extra: 0,
            spoil: 0,
        };
        let supported = if revision == Revision::V2_1 { Msgr2Features::REVISION_1 } else { Msgr2Features(0) };
        for direction in [C, S] {
            let features = BannerFeatures { supported: supported | features, ..Default::default() };
            talk.raw(direction, Banner { features: Some(features) }.to_bytes().unwrap());
        }
        talk.say(C, &Frame::Hello(Hello { entity_type: EntityType::CLIENT, ..Default::default() }));
        talk.say(S, &Frame::Hello(Hello { entity_type: server, ..Default::default() }));
        talk
    }

    fn raw(&mut self, direction: Direction, bytes: Vec<u8>) {
        self.heard[direction.other() as usize].extend(&bytes);
        self.pieces.push((direction, bytes));
    }

    /// A frame.
    pub(crate) fn say(&mut self, direction: Direction, frame: &Frame<'_>) {
        self.say_with(direction, frame, PreambleFlags(0), Ending::Complete);
    }

    /// A frame with these flags and this end.
    pub(crate) fn say_with(&mut self, direction: Direction, frame: &Frame<'_>, flags: PreambleFlags, ending: Ending) {
        let segments = frame.encode().unwrap().map(Into::into);
        self.segments(direction, frame.tag(), flags, &segments, ending);
    }

    /// Segments as they are.
    pub(crate) fn segments(
        &mut self,
        direction: Direction,
        tag: Tag,
        flags: PreambleFlags,
        segments: &[bytes::Bytes; 4],
        ending: Ending,
    ) {
        let mut out = Vec::new();
        match &mut self.sealers {
            Some(sealers) => sealers[direction as usize].assemble(tag, flags, segments, ending, &mut out).unwrap(),
            None => frame::assemble(self.revision, tag, flags, segments, ending, &mut out),
        }
        self.raw(direction, out.concat());
    }

    /// A compressed frame.
    pub(crate) fn compressed(&mut self, direction: Direction, algorithm: CompressionAlgorithm, frame: &Frame<'_>) {
        let segments = frame.encode().unwrap().map(Into::into);
        let segments = frame::compress::compress(algorithm, &segments).unwrap();
        self.segments(direction, frame.tag(), PreambleFlags::COMPRESSED, &segments, Ending::Complete);
    }

    /// What both sides say about compression.
    pub(crate) fn agree(&mut self, algorithm: CompressionAlgorithm) {
        let is_compress = (algorithm != CompressionAlgorithm::NONE).into();
        let preferred_algorithms = vec![algorithm];
        let request = CompressionRequest { is_compress, preferred_algorithms, ..Default::default() };
        self.say(C, &Frame::CompressionRequest(request));
        self.say(S, &Frame::CompressionDone(CompressionDone { is_compress, algorithm, ..Default::default() }));
    }

    fn request(&mut self, auth_mode: AuthMode, body: CephxRequestBody<'_>) {
        let request = AuthRequest {
            method: AuthMethod::CEPHX,
            preferred_modes: vec![self.mode],
            payload: Some(AuthRequestPayload::Cephx(CephxRequest { auth_mode, body })),
            extra: Blob::from(vec![0; self.extra]),
        };
        self.say(C, &Frame::AuthRequest(request));
    }

    fn more(&mut self, challenge: CephxReplyMoreChallenge<'_>) {
        let payload = Some(AuthReplyMorePayload::Cephx(CephxReplyMore { challenge }));
        self.say(S, &Frame::AuthReplyMore(AuthReplyMore { payload, ..Default::default() }));
    }

    fn answer(&mut self, answer: CephxRequestMoreAnswer<'_>) {
        let payload = Some(AuthRequestMorePayload::Cephx(CephxRequestMore { answer }));
        self.say(C, &Frame::AuthRequestMore(AuthRequestMore { payload, ..Default::default() }));
    }

    fn done(&mut self, global_id: u64, reply: CephxDoneReply<'_>, keys: &Keys) {
        let payload = Some(AuthDonePayload::Cephx(CephxDone { reply }));
        let done = AuthDone { global_id, connection_mode: self.mode, payload, ..Default::default() };
        self.say(S, &Frame::AuthDone(done));
        if self.mode == ConnectionMode::SECURE {
            let key = ConnectionKey::new(&keys.connection_secret, self.revision).unwrap();
            self.sealers = Some([key.sealer(Role::Client), key.sealer(Role::Server)]);
        }
        let secret = keys.session_key.secret().expose();
        let signatures = [C, S].map(|signer| hmac_sha256(secret, &[&self.heard[signer as usize]]));
        for direction in [S, C] {
            let mut signature = signatures[direction as usize];
            signature[31] ^= self.spoil;
            let signature = AuthSignature { signature: FixedBytes(signature), ..Default::default() };
            self.say(direction, &Frame::AuthSignature(signature));
        }
    }

    fn secret(&self) -> usize {
        if self.mode == ConnectionMode::SECURE { 64 } else { 0 }
    }

    /// The client authenticates at a monitor, and gets tickets.
    pub(crate) fn authenticate(&mut self, cluster: &mut Cluster, credentials: &mut Credentials) {
        let client = Authenticate::new(credentials, CephxServices::AUTH | CephxServices::OSD, NOW);
        let entity = AuthEntityName { r#type: EntityTypeWord::CLIENT, id: "admin".into() };
        let request = CephxMonRequest { entity, global_id: client.global_id(), ..Default::default() };
        self.request(AuthMode::MON, CephxRequestBody::Mon(request));
        let server_challenge = server::challenge(&mut cluster.random);
        self.more(CephxReplyMoreChallenge::Mon(CephxServerChallenge { server_challenge, ..Default::default() }));
        let answer = client.answer(server_challenge, &mut cluster.random).unwrap();
        self.answer(CephxRequestMoreAnswer::Mon(answer.clone()));
        let (name, id, secret) = (Cluster::name(), client.global_id(), self.secret());
        let Cluster { authority, random } = cluster;
        let granted = authority.authenticate(&name, id, &answer, server_challenge, secret, NOW, random).unwrap();
        credentials.learn(&client.finish(&granted.reply, granted.global_id, NOW).unwrap());
        self.done(granted.global_id, CephxDoneReply::Mon(granted.reply), &granted.keys);
    }

    /// The client shows its ticket to an osd.
    pub(crate) fn authorize(&mut self, cluster: &mut Cluster, ticket: &Ticket) {
        let expected = Expected { service: EntityType::OSD, name: None, global_id: None };
        let client = Authorize::new(ticket, &mut cluster.random);
        let shown = client.request(None, &mut cluster.random).unwrap();
        self.request(AuthMode::AUTHORIZER, CephxRequestBody::Authorizer(shown.authorizer.clone()));
        let (services, secret) = (cluster.authority.services(), self.secret());
        let round = Round::First { want_challenge: true };
        let outcome = services.authorize(&shown, &expected, round, secret, NOW, &mut cluster.random).unwrap();
        let Outcome::Challenge(sealed, pending) = outcome else { panic!("no challenge") };
        let challenge = client.challenge(&sealed).unwrap();
        self.more(CephxReplyMoreChallenge::Authorizer(sealed));
        let shown = client.request(Some(challenge), &mut cluster.random).unwrap();
        self.answer(CephxRequestMoreAnswer::Authorizer(shown.clone()));
        let round = Round::Answer(&pending);
        let outcome = services.authorize(&shown, &expected, round, secret, NOW, &mut cluster.random).unwrap();
        let Outcome::Granted(granted) = outcome else { panic!("another challenge") };
        self.done(ticket.global_id, CephxDoneReply::Authorizer(granted.reply), &granted.keys);
    }

    /// Both sides say who they are, and a few messages.
    pub(crate) fn session(&mut self) {
        let flags = ConnectionFlags::LOSSY;
        self.say(C, &Frame::ClientIdent(ClientIdent { gid: -1, flags, ..Default::default() }));
        self.say(S, &Frame::ServerIdent(ServerIdent { flags, ..Default::default() }));
        for (seq, size) in [(1, 0), (2, 5000), (3, 17)] {
            self.say(C, &message(seq, size));
            self.say(S, &message(seq, size / 2));
        }
        self.say(C, &Frame::Keepalive2(Keepalive2::default()));
        self.say(S, &Frame::Keepalive2Ack(Keepalive2Ack::default()));
        self.say(C, &message(4, 100));
        self.say(S, &message(4, 1));
    }
}

pub(crate) fn message(seq: u64, data: usize) -> Frame<'static> {
    let header = MessageHeader { seq, r#type: MessageType::OSD_EC_WRITE, version: 8, ..Default::default() };
    let part = |n: usize| vec![seq as u8; n].into();
    Frame::Message(Message { header, front: part(100), middle: part(0), data: part(data) })
}
