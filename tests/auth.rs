//! Real handshakes, opened with the keys of their clusters (which no longer exist): every seal, every proof, and both
//! signatures, also in secure mode.
#![allow(clippy::unwrap_used)]

#[cfg(feature = "cli")]
mod common;
#[cfg(not(feature = "cli"))]
#[allow(dead_code)]
#[path = "common/packets.rs"]
mod packets;
#[cfg(feature = "cli")]
use common::packets;

use std::path::Path;

use msgr2::Context;
#[cfg(feature = "cli")]
use msgr2::auth::cephx::passive::{InSession, Renewed};
use msgr2::auth::cephx::passive::{Learnt, Shut};
use msgr2::auth::cephx::{Keys, client};
use msgr2::auth::{Entity, EntityName, Key, Keyring, ServiceKeys};
use msgr2::crypto::{FixedRandom, Gcm, hmac_sha256};
use msgr2::frame::{self, Check, Head, PREAMBLE_LEN, Revision};
use msgr2::types::*;
use msgr2::v2_1::*;
use msgr2::wire::{Composite, Reader, Segments};
use proptest::prelude::*;

/// client.admin of the clusters that the captures are of.
const CRC: &str = "[client.admin]\n key = AQBP9wJr0mSsFRAAwn3VmJRlmDGgSJ18TqxdtA==\n";
const SECURE: &str = "[client.admin]\n key = AQDo9AJr2Hy/MxAAjXAn3G6jr51iVw6fGjGnrQ==\n";
const V20: &str = "[client.admin]\n key = AQCn9QJr/8n+CBAAeHhxll7eRw4JdJ8D8m9tyQ==\n";
const REEF: &str = "[client.admin]\n key = AQDu9QJr2G2DMhAAJ62vQcmKzE5psYwRFytBYg==\n";

/// The rotating key that the mon of the first one logged.
const OSD: &str = "[service.osd]\n key.2 = AQBP9wJrsrZYIRAAhCzckh2rt4exbNoCER01hw==\n";

/// What one side said up to the end of its clear part: how long that is, and the frames of authentication.
struct Side {
    bytes: Vec<u8>,
    clear: usize,
    frames: Vec<(u8, Vec<u8>)>,
}

/// A captured handshake.
struct Handshake {
    revision: Revision,
    client: Side,
    server: Side,
    context: Context,
}

impl Side {
    fn new(bytes: Vec<u8>, revision: Revision, last: Tag) -> Self {
        let mut at = banner(&bytes).1;
        let (mut clear, mut frames) = (at, Vec::new());
        while let Some(Ok(head)) = bytes[at..].first_chunk().map(|p| Head::parse(p, revision)) {
            let length = head.frame_len(revision);
            if head.tag > last.0 || bytes.len() < at + length {
                break;
            }
            let opened = frame::open(&head, revision, &bytes[at..at + length], Check::Crc);
            assert_eq!(opened.bad_crc, None);
            frames.push((head.tag, opened.segments.bytes(0).to_vec()));
            at += length;
            clear = at;
        }
        Side { bytes, clear, frames }
    }

    fn transcript(&self) -> &[u8] {
        &self.bytes[..self.clear]
    }

    fn frame(&self, tag: Tag, context: &Context) -> Option<Frame<'_>> {
        let (_, payload) = self.frames.iter().rev().find(|(found, _)| *found == tag.0)?;
        Some(Frame::decode(tag, &Segments::one(payload), context, &mut ()).unwrap())
    }

    /// The signature behind the clear part: in secure mode it is in the first encrypted frame.
    fn signature(&self, revision: Revision, secure: Option<(&[u8], &[u8])>) -> Vec<u8> {
        let rest = &self.bytes[self.clear..];
        let Some((key, nonce)) = secure else {
            let head = Head::parse(rest.first_chunk().unwrap(), revision).unwrap();
            assert_eq!(head.tag, Tag::AUTH_SIGNATURE.0);
            return rest[PREAMBLE_LEN..PREAMBLE_LEN + 32].to_vec();
        };
        // in v2.1 the preamble and the first 48 bytes of the payload
        let mut block = rest[..PREAMBLE_LEN + 48].to_vec();
        let tag = rest[block.len()..].first_chunk().unwrap();
        Gcm::new(key.try_into().unwrap()).decrypt_in_place(nonce.try_into().unwrap(), &[], &mut block, tag).unwrap();
        assert_eq!(block[0], Tag::AUTH_SIGNATURE.0);
        block[PREAMBLE_LEN..PREAMBLE_LEN + 32].to_vec()
    }
}

fn banner(bytes: &[u8]) -> (Msgr2Features, usize) {
    let mut reader = Reader::new(bytes);
    let banner = Banner::decode(&mut reader, &Context::default(), &mut ()).unwrap();
    (banner.features.unwrap().supported, reader.offset())
}

fn handshake(capture: &str) -> Handshake {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures").join(capture);
    let said = packets::conversation(&path);
    let of = |client| said.iter().filter(|s| s.client == client).flat_map(|s| s.bytes.clone()).collect::<Vec<u8>>();
    let (client, server) = (of(true), of(false));
    let revision = Revision::negotiated(banner(&client).0, banner(&server).0);
    let mut handshake = Handshake {
        revision,
        client: Side::new(client, revision, Tag::AUTH_REQUEST_MORE),
        server: Side::new(server, revision, Tag::AUTH_DONE),
        context: Context::default(),
    };
    let context = match handshake.client.frame(Tag::AUTH_REQUEST, &Context::default()) {
        Some(Frame::AuthRequest(AuthRequest { method, payload: Some(AuthRequestPayload::Cephx(request)), .. })) => {
            Context { auth_method: Some(method), auth_mode: Some(request.auth_mode), ..Default::default() }
        }
        other => panic!("{other:?}"),
    };
    handshake.context = context;
    handshake
}

impl Handshake {
    fn request(&self) -> CephxRequestBody<'_> {
        match self.client.frame(Tag::AUTH_REQUEST, &self.context) {
            Some(Frame::AuthRequest(AuthRequest { payload: Some(AuthRequestPayload::Cephx(r)), .. })) => r.body,
            other => panic!("{other:?}"),
        }
    }

    fn challenge(&self) -> CephxReplyMoreChallenge<'_> {
        match self.server.frame(Tag::AUTH_REPLY_MORE, &self.context) {
            Some(Frame::AuthReplyMore(AuthReplyMore { payload: Some(AuthReplyMorePayload::Cephx(r)), .. })) => {
                r.challenge
            }
            other => panic!("{other:?}"),
        }
    }

    fn answer(&self) -> CephxRequestMoreAnswer<'_> {
        match self.client.frame(Tag::AUTH_REQUEST_MORE, &self.context) {
            Some(Frame::AuthRequestMore(AuthRequestMore {
                payload: Some(AuthRequestMorePayload::Cephx(r)), ..
            })) => r.answer,
            other => panic!("{other:?}"),
        }
    }

    fn done(&self) -> (u64, ConnectionMode, CephxDoneReply<'_>) {
        match self.server.frame(Tag::AUTH_DONE, &self.context) {
            Some(Frame::AuthDone(done)) => match done.payload {
                Some(AuthDonePayload::Cephx(r)) => (done.global_id, done.connection_mode, r.reply),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    /// Each side signs what it has received.
    fn check_signatures(&self, keys: &Keys, mode: ConnectionMode) {
        let secret = keys.connection_secret.expose();
        let secure = mode == ConnectionMode::SECURE;
        assert_eq!(secret.len(), if secure { 64 } else { 0 });
        let nonce = |range: std::ops::Range<usize>| secure.then(|| (&secret[..16], &secret[range]));
        let key = keys.session_key.secret().expose();
        assert_eq!(
            self.server.signature(self.revision, nonce(16..28)),
            hmac_sha256(key, &[self.client.transcript()]),
            "the server's"
        );
        assert_eq!(
            self.client.signature(self.revision, nonce(28..40)),
            hmac_sha256(key, &[self.server.transcript()]),
            "the client's"
        );
    }
}

fn admin() -> EntityName {
    "client.admin".parse().unwrap()
}

/// To the mon: opens it all, and returns what was learnt.
fn mon(capture: &str, keyring: &str, revision: Revision, mode: ConnectionMode) -> Learnt {
    let handshake = handshake(capture);
    assert_eq!(handshake.revision, revision);
    let CephxRequestBody::Mon(request) = handshake.request() else { panic!("to the mon") };
    let name = EntityName::try_from(&request.entity).unwrap();
    assert_eq!((&name, request.global_id), (&admin(), 0));
    let CephxReplyMoreChallenge::Mon(challenge) = handshake.challenge() else { panic!("of the mon") };
    let CephxRequestMoreAnswer::Mon(answer) = handshake.answer() else { panic!("to the mon") };
    let (global_id, found, CephxDoneReply::Mon(reply)) = handshake.done() else { panic!("of the mon") };
    assert_eq!(found, mode);

    let mut learnt = Learnt::new(Keyring::parse(keyring).unwrap());
    assert_eq!(learnt.proof_matches(&name, challenge.server_challenge, &answer.authenticate), Ok(()));
    let heard = learnt.authenticate(&name, global_id, Some(&answer.authenticate.old_ticket), &reply).unwrap();
    handshake.check_signatures(&heard.keys, mode);
    // every ticket was learnt
    let tickets = reply.service_tickets.iter().flatten().map(|list| list.tickets.len()).sum::<usize>();
    assert_eq!(learnt.generation(), 1 + tickets as u64);
    assert_eq!(learnt.name(global_id), Some(&name));

    // our own client takes the same from it
    let key = learnt.keyring().get(&name).unwrap().key.clone();
    let wanted = answer.authenticate.other_keys.unwrap();
    let own = client::Authenticate::new(&client::Credentials::new(name.clone(), key), wanted, NOW);
    let got = own.finish(&reply, global_id, NOW).unwrap();
    assert_eq!(got.keys, heard.keys);
    assert_eq!(got.tickets.len(), 1 + tickets);
    assert!(got.tickets.iter().all(|ticket| ticket.secret_id == 2));
    assert_eq!(got.tickets[0].valid_until, NOW + std::time::Duration::from_secs(72 * 3600));

    // with another key nothing opens
    let mut keyring = Keyring::new();
    keyring.insert(name.clone(), Entity::new(Key::from_base64("AQAA8VNlAAAAABAAAAECAwQFBgcICQoLDA0ODw==").unwrap()));
    let mut other = Learnt::new(keyring);
    let differs = Shut::KeyDiffers(name.clone());
    assert_eq!(other.proof_matches(&name, challenge.server_challenge, &answer.authenticate), Err(differs.clone()));
    assert_eq!(other.authenticate(&name, global_id, None, &reply), Err(differs));
    let mut nobody = Learnt::new(Keyring::new());
    assert_eq!(nobody.authenticate(&name, global_id, None, &reply), Err(Shut::NoKey(name)));
    learnt
}

const NOW: msgr2::auth::Time = msgr2::auth::Time::from_secs(1_800_000_000);

#[test]
fn to_the_mon_in_crc_mode() {
    mon("crc-mon-cephx.pcap", CRC, Revision::V2_1, ConnectionMode::CRC);
}

#[test]
fn to_the_mon_in_secure_mode() {
    mon("secure-mon.pcap", SECURE, Revision::V2_1, ConnectionMode::SECURE);
}

#[test]
fn to_the_mon_in_revision_2_0() {
    mon("v20-mon.pcap", V20, Revision::V2_0, ConnectionMode::CRC);
}

#[test]
fn to_a_mon_of_reef() {
    mon("reef-compression.pcap", REEF, Revision::V2_1, ConnectionMode::CRC);
}

#[test]
fn to_an_osd_with_its_rotating_key() {
    let handshake = handshake("osd-cephx.pcap");
    let CephxRequestBody::Authorizer(first) = handshake.request() else { panic!("to a daemon") };
    let CephxReplyMoreChallenge::Authorizer(challenge) = handshake.challenge() else { panic!("of a daemon") };
    let CephxRequestMoreAnswer::Authorizer(second) = handshake.answer() else { panic!("to a daemon") };
    let (_, mode, CephxDoneReply::Authorizer(reply)) = handshake.done() else { panic!("of a daemon") };

    let mut learnt = Learnt::new(Keyring::new());
    let (service, secret_id) = (EntityType::OSD, 2);
    assert_eq!(learnt.shown(&first), Err(Shut::NoTicket { name: None, service, secret_id }));
    learnt.add_service_keys(&ServiceKeys::parse(OSD).unwrap());
    let shown = learnt.shown(&first).unwrap();
    assert_eq!(shown.name, Some(admin()));
    let keys = learnt.authorize(&second.authorizer, &reply).unwrap();
    assert_eq!(keys.session_key, shown.session_key);
    handshake.check_signatures(&keys, mode);

    // the challenge and its answer, too
    let key = &shown.session_key;
    let number = challenge.sealed.take(key, |challenge| challenge.server_challenge).unwrap();
    let proofs = [&first, &second.authorizer].map(|authorizer| authorizer.proof.take(key, |proof| proof).unwrap());
    assert_eq!(proofs[0].nonce, proofs[1].nonce);
    assert_eq!(proofs.each_ref().map(|proof| proof.have_challenge.unwrap().get()), [false, true]);
    assert_eq!(proofs.map(|proof| proof.server_challenge_plus_one.unwrap()), [0, number.wrapping_add(1)]);
}

/// Lines as files have them, whole and broken.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("[client.admin]".to_owned()),
        Just("[global]".to_owned()),
        Just("[service.osd]".to_owned()),
        Just("\tkey = AQBP9wJr0mSsFRAAwn3VmJRlmDGgSJ18TqxdtA==".to_owned()),
        Just("key.1 = AQBP9wJr0mSsFRAAwn3VmJRlmDGgSJ18TqxdtA== # one".to_owned()),
        Just("caps mon = \"allow \\\"*\\\"\" \\".to_owned()),
        "[ -~\\\\\"'=#;\\[\\]_]{0,30}",
        any::<String>(),
    ]
}

proptest! {
    #[test]
    fn no_file_is_too_bad(lines in prop::collection::vec(line(), 0..12), bytes in prop::collection::vec(any::<u8>(), 0..20)) {
        let text = lines.join("\n");
        if let Ok(keyring) = Keyring::parse(&text) {
            prop_assert_eq!(Keyring::parse(keyring.to_text().as_bytes()), Ok(keyring));
        }
        if let Ok(keys) = ServiceKeys::parse(&text) {
            prop_assert_eq!(ServiceKeys::parse(keys.to_text().as_bytes()), Ok(keys));
        }
        let mut whole = text.into_bytes();
        whole.extend(bytes);
        if let Err(error) = Keyring::parse(&whole) {
            prop_assert!((1..=1 + whole.iter().filter(|byte| **byte == b'\n').count()).contains(&error.line));
        }
    }

    #[test]
    fn no_ciphertext_is_too_bad(kind in 1..=2_u16, secret in prop::array::uniform32(any::<u8>()), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let key = Key::new(CryptoType(kind), Default::default(), secret.into()).unwrap();
        prop_assert!(key.open(0x30, &bytes).is_err());
        let sealed = key.seal(0x30, &bytes, &mut FixedRandom::new(&secret));
        prop_assert_eq!(&**key.open(0x30, &sealed).unwrap(), &*bytes);
    }
}

/// Whole recordings of clusters, if they are there: all of their connections open, and secure mode's keys are those that
/// the daemons gave to OpenSSL.
#[cfg(feature = "cli")]
mod recordings {
    use std::collections::{HashMap, HashSet};
    use std::fs;

    use serde_json::Value;

    use super::*;

    /// What a connection said so far.
    #[derive(Default)]
    struct Said {
        request: Value,
        challenge: Value,
        answer: Value,
    }

    fn read<T: serde::de::DeserializeOwned>(value: &Value, path: &str) -> Option<T> {
        value.pointer(path).map(|value| serde_json::from_value(value.clone()).unwrap())
    }

    fn open_all(recording: &str) {
        let Some(capture) = common::shared(&format!("{recording}.pcapng")) else { return };
        let beside = |ending: &str| fs::read_to_string(capture.with_file_name(format!("{recording}.{ending}")));
        let keyring = Keyring::parse(beside("keyring").unwrap() + &beside("auth").unwrap()).unwrap();
        let mut learnt = Learnt::new(keyring);
        let logged: Vec<(EntityType, u64, Key)> = beside("service-keys.tsv")
            .unwrap()
            .lines()
            .map(|line| {
                let [service, id, key] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
                let name: EntityName = format!("{service}.").parse().unwrap();
                (name.kind, id.parse().unwrap(), Key::from_base64(key).unwrap())
            })
            .collect();
        let gcm: HashSet<String> =
            beside("gcmkeys").unwrap_or_default().lines().map(|l| l.split(' ').nth(4).unwrap().to_owned()).collect();

        let (mut connections, mut mons, mut resumed, mut secure) = (HashMap::<u64, Said>::new(), 0, 0, 0);
        let (mut services, mut rotating) = (0, 0);
        // rotating keys are in daemons' sessions: no other way leads into what mons say to the mgr
        let keys = capture.with_file_name(format!("{recording}.keyring"));
        let mut decode = common::msgr2();
        decode.args(["decode", "--json", "--max-bytes", "0", "--keyring"]).args([&keys, &capture]);
        let frames = common::run(&mut decode);
        for frame in frames.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
            let said = connections.entry(frame["stream"].as_u64().unwrap()).or_default();
            let payload = &frame["fields"]["payload"]["cephx"];
            match frame["name"].as_str().unwrap() {
                "AUTH_REQUEST" => said.request = payload.clone(),
                "AUTH_REPLY_MORE" => said.challenge = payload.clone(),
                "AUTH_REQUEST_MORE" => said.answer = payload.clone(),
                "AUTH_DONE" => {
                    let global_id = frame["fields"]["global_id"].as_u64().unwrap();
                    let keys = if let Some(reply) = read(payload, "/reply/mon") {
                        let entity = read::<AuthEntityName<'_>>(&said.request, "/body/mon/entity").unwrap();
                        let name = EntityName::try_from(&entity).unwrap();
                        let challenge: CephxServerChallenge<'_> = read(&said.challenge, "/challenge/mon").unwrap();
                        let answer: CephxAuthenticateRequest<'_> = read(&said.answer, "/answer/mon").unwrap();
                        let answer = answer.authenticate;
                        assert_eq!(learnt.proof_matches(&name, challenge.server_challenge, &answer), Ok(()));
                        let heard = learnt.authenticate(&name, global_id, Some(&answer.old_ticket), &reply).unwrap();
                        mons += 1;
                        if !answer.old_ticket.ticket.bytes.is_empty() {
                            resumed += 1;
                            assert!(heard.old_session_key.is_some(), "{name} showed a ticket that was seen");
                        }
                        heard.keys
                    } else if let Some(reply) = read(payload, "/reply/authorizer") {
                        let answer: CephxAuthorizer<'_> = read(&said.answer, "/answer/authorizer/authorizer").unwrap();
                        services += 1;
                        learnt.authorize(&answer, &reply).unwrap()
                    } else {
                        continue;
                    };
                    if frame["fields"]["connection_mode"] == "secure" {
                        secure += 1;
                        let key = &keys.connection_secret.expose()[..16];
                        let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
                        assert!(gcm.contains(&key), "{recording}: {key}");
                    } else {
                        assert!(keys.connection_secret.is_empty());
                    }
                }
                "MESSAGE" if frame["fields"]["header"]["type"] == "AUTH_REPLY" => {
                    let entity = read::<AuthEntityName<'_>>(&said.request, "/body/mon/entity").unwrap();
                    let name = EntityName::try_from(&entity).unwrap();
                    let reply: CephxSessionReply<'_> =
                        read(&frame["fields"]["auth_reply"], "/result_bl/cephx").unwrap();
                    assert_eq!((reply.status, reply.extra.len()), (Errno::OK, 0));
                    let session = InSession { name: &name, session_key: None, request: None };
                    assert!(matches!(learnt.in_session(&session, &reply), Ok(Renewed::Rotating { .. })));
                    rotating += 1;
                }
                _ => {}
            }
        }
        eprintln!(
            "{recording}: {mons} to the mon ({resumed} resumed), {services} to services, {secure} secure, \
             {rotating} times rotating keys"
        );
        assert!(mons > 0 && services > 0);
        assert!(rotating > 0);
        for (kind, id, key) in logged {
            let has_daemon = [EntityType::OSD, EntityType::MGR].contains(&kind)
                || (kind == EntityType::MDS && recording.ends_with("-fs"));
            if has_daemon {
                assert_eq!(learnt.service_key(kind, id), Some(&key), "{recording}: {kind} {id}");
                // three generations, of which the logs show the one in use
                assert!([id - 1, id + 1].into_iter().all(|id| learnt.service_key(kind, id).is_some()));
            }
        }
        assert_eq!(secure > 0, !gcm.is_empty());
    }

    /// Our client at a real mon whose tickets last a minute, and the AUTH ticket three: the mon has taken what it asked.
    #[test]
    fn tickets_that_a_real_mon_has_renewed() {
        let capture = common::capture("renewal.pcapng");
        let keyring = Keyring::parse(fs::read(capture.with_extension("keyring")).unwrap()).unwrap();
        let (admin, mut learnt) = ("client.admin".parse().unwrap(), Learnt::new(keyring));
        let frames = common::run(common::msgr2().args(["decode", "--json", "--max-bytes", "0"]).arg(&capture));
        let (mut said, mut session_key, mut request, mut renewed) = (Said::default(), None, Value::Null, Vec::new());
        for frame in frames.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
            let fields = &frame["fields"];
            match (frame["name"].as_str().unwrap(), fields["header"]["type"].as_str()) {
                ("AUTH_REPLY_MORE", _) => said.challenge = fields["payload"]["cephx"].clone(),
                ("AUTH_DONE", _) => {
                    let reply = read(fields, "/payload/cephx/reply/mon").unwrap();
                    session_key = Some(learnt.authenticate(&admin, 4111, None, &reply).unwrap().keys.session_key);
                }
                ("MESSAGE", Some("AUTH")) => request = fields["auth"].clone(),
                ("MESSAGE", Some("AUTH_REPLY")) => {
                    let asked: CephxSessionRequest<'_> = read(&request, "/payload/cephx").unwrap();
                    if let CephxSessionRequestBody::GetAuthSessionKey(proof) = &asked.body {
                        let challenge: CephxServerChallenge<'_> = read(&said.challenge, "/challenge/mon").unwrap();
                        assert_eq!(learnt.proof_matches(&admin, challenge.server_challenge, proof), Ok(()));
                    }
                    let reply: CephxSessionReply<'_> = read(&fields["auth_reply"], "/result_bl/cephx").unwrap();
                    let before = learnt.generation();
                    let session = InSession { name: &admin, session_key: None, request: Some(&asked) };
                    let answer = learnt.in_session(&session, &reply).unwrap();
                    assert_eq!(learnt.generation() - before, if renewed.len() == 2 { 4 } else { 3 }, "all open");
                    renewed.push(answer);
                }
                _ => {}
            }
        }
        let old = session_key.unwrap();
        let [Renewed::Tickets { session_key: first }, Renewed::Tickets { session_key: second }, Renewed::Auth { .. }] =
            &*renewed
        else {
            panic!("{renewed:?}")
        };
        assert_eq!((first, second), (&old, &old));
        let Renewed::Auth { old_session_key, session_key, .. } = &renewed[2] else { panic!("{renewed:?}") };
        assert_eq!(old_session_key.as_ref(), Some(&old), "the ticket is sealed with it once more");
        assert_ne!(*session_key, old);
    }

    #[test]
    fn all_of_their_connections_open() {
        for recording in [
            "nautilus-14.2.21-crc",
            "nautilus-14.2.21-msgr20-crc",
            "pacific-16.2.15-crc-fs",
            "pacific-16.2.15-crc",
            "pacific-16.2.15-mixed",
            "pacific-16.2.15-secure",
            "reef-18.2.7-crc",
        ] {
            open_all(recording);
        }
    }
}
