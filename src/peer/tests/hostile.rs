//! What nobody should send: each fault has its own name, and other connections go on.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::network::START;
use super::raw::*;
use super::*;
use crate::frame::proposal::encode;
use crate::peer::{ConnectionId, Dropped, Error, Event, Refused};
use crate::proposal::{Ack, Frame, Ident, Msg, Reconnect, Start, Tag};
use crate::types::{AuthPurpose, CephFeatures, ConnectionFlags, MessageHeader};

const SECOND: Duration = Duration::from_secs(1);

/// The name of the error that these bytes lead to, one byte at a time too.
fn after(mut raw: impl FnMut() -> Raw, bytes: &[u8]) -> String {
    let mut whole = raw();
    whole.receive(bytes);
    let error = whole.error();
    let mut pieces = raw();
    bytes.iter().for_each(|byte| pieces.receive(&[*byte]));
    assert_eq!(error, pieces.error());
    assert!(error.is_some() || whole.endpoint.stats().half_open == 1);
    error.map_or_else(String::new, |error| format!("{}: {error}", error.name()))
}

fn fresh() -> Raw {
    Raw::new(server_config(Auth::None))
}

fn greeted() -> Raw {
    let mut raw = fresh();
    raw.receive(BANNER);
    raw
}

fn authenticated() -> Raw {
    let mut raw = greeted();
    raw.frame(&set_method(AuthMethod::NONE));
    raw.frame(&none_request());
    raw
}

fn started() -> Raw {
    let mut raw = identified();
    raw.frame(&Frame::Start(Start { flags: 0 }));
    raw
}

#[test]
fn banners() {
    let cases: &[(&[u8], &str)] = &[
        (b"ceph v2\n\x10\x00", "banner"),
        (b"ceph 3 A\n", "banner"),
        (b"ceph 3\n", "banner"),
        (b"ceph 3  0\n", "banner"),
        (b"ceph 00000000000000003 0\n", "banner"),
        (b"GET / HTTP/1.1\r\n", "banner"),
        (&[0; 39], "banner"),
        (b"ceph 3 4\n", "features_unsupported"),
        (b"ceph ff 0\n", ""),
        (b"ceph 0000000000000003 0000000000000002\n", ""),
    ];
    for (bytes, name) in cases {
        let found = after(fresh, bytes);
        assert_eq!(found.split(':').next().unwrap(), *name, "{}", String::from_utf8_lossy(bytes));
    }
    let strict = || {
        let mut config = server_config(Auth::Authorize);
        config.encryption = Encryption::Required;
        Raw::new(config)
    };
    assert!(after(strict, b"ceph 2 0\n").starts_with("features_required"));
}

#[test]
fn lengths_and_tags() {
    let long_id = [&[2, 8][..], &257u32.to_le_bytes()].concat();
    let cases: &[(&[u8], &str)] = &[
        (&[0, 0, 0, 0], "frame_empty"),
        (&65_537u32.to_le_bytes(), "frame_too_large"),
        (&any(0x77, b""), "unknown_tag"),
        (&any(Tag::START.0, &[0; 8]), "not_allowed"),
        (&any(Tag::SIGNATURE.0, &[0; 32]), "not_allowed"),
        (&any(Tag::SIGNATURE.0, &[0; 31]), "signature_length"),
        (&any(Tag::ENCRYPT_BEGIN.0, &[0; 20]), "not_allowed"),
        (&any(Tag::AUTH_SET_METHOD.0, &[1, 0]), "malformed"),
        (&any(Tag::AUTH_SET_METHOD.0, &[1, 0, 0, 0, 0]), "malformed"),
        (&[encode(&set_method(AuthMethod::NONE)).unwrap(), any(Tag::AUTH_REQUEST.0, &long_id)].concat(), "malformed"),
        (&encode(&set_method(AuthMethod::NONE)).unwrap().repeat(2), "not_allowed"),
        (&encode(&set_method(AuthMethod::GSS)).unwrap().repeat(16), ""),
        (&encode(&set_method(AuthMethod::GSS)).unwrap().repeat(17), "too_many_methods"),
    ];
    for (bytes, name) in cases {
        let found = after(greeted, bytes);
        assert_eq!(found.split(':').next().unwrap(), *name, "{bytes:02x?}: {found}");
    }
    let found = after(greeted, &any(Tag::AUTH_SET_METHOD.0, &[1, 0]));
    assert_eq!(found, "malformed: AUTH_SET_METHOD can't be read: method at byte 5: ends 2 byte(s) early");
}

#[test]
fn idents() {
    type Change = fn(&mut Ident<'static>);
    let cases: &[(Change, &str)] = &[
        (|ident| ident.addrs.clear(), "no_address"),
        (|ident| ident.gid = 13, "identity_mismatch"),
        (|ident| ident.entity_type = EntityType::MON, "identity_mismatch"),
        (|ident| ident.cookie = 0, "cookie_mismatch"),
        (|ident| ident.flags = ConnectionFlags::LOSSY, "cookie_mismatch"),
        (|ident| ident.flags = ConnectionFlags(2), "bad_value"),
        (|ident| ident.features_supported = CephFeatures(0), "features_missing"),
        (|ident| ident.features_required = CephFeatures(0), "bad_value"),
        (|_| {}, ""),
    ];
    for (change, name) in cases {
        let mut ident = ident();
        change(&mut ident);
        let found = after(authenticated, &encode(&Frame::Ident(ident)).unwrap());
        assert_eq!(found.split(':').next().unwrap(), *name, "{found}");
    }
    let too_many = [&[2][..], &17u32.to_le_bytes()].concat();
    assert!(after(authenticated, &any(Tag::IDENT.0, &too_many)).starts_with("malformed: IDENT can't be read: addrs"));
    // the peer is told what it lacks
    let mut raw = authenticated();
    raw.written();
    raw.frame(&Frame::Ident(Ident { features_supported: CephFeatures(0), ..ident() }));
    assert_eq!(raw.written(), any(Tag::IDENT_MISSING_FEATURES.0, &CephFeatures::MSG_ADDR2.0.to_le_bytes()));
    let lossless = || {
        let mut raw = fresh();
        raw.receive(b"ceph 1 0\n");
        raw.frame(&set_method(AuthMethod::NONE));
        raw.frame(&none_request());
        raw
    };
    assert!(after(lossless, &encode(&Frame::Ident(ident())).unwrap()).starts_with("not_lossy"));
}

#[test]
fn sessions() {
    let message = |seq: u64, ack_seq: u64, padding: u32, reserved: u16| {
        let header = MessageHeader { seq, ack_seq, data_pre_padding_len: padding, reserved, ..Default::default() };
        encode(&Frame::Msg(Msg { header, ..Default::default() })).unwrap()
    };
    let start = encode(&Frame::Start(Start { flags: 0 })).unwrap();
    let reconnect = encode(&Frame::Reconnect(Reconnect { server_cookie: 5, ..Default::default() })).unwrap();
    let early: &[(&[u8], &str)] = &[
        (&any(Tag::START.0, &[1, 0, 0, 0, 0, 0, 0, 0]), "bad_value"),
        (&message(1, 0, 0, 0), "not_allowed"),
        (&encode(&Frame::Ident(ident())).unwrap(), "not_allowed"),
        (&reconnect.repeat(10), ""),
        (&reconnect.repeat(11), "too_many_reconnects"),
        (&[start.clone(), start].concat(), "not_allowed"),
        (&0x600_0001u32.to_le_bytes(), "frame_too_large"),
    ];
    for (bytes, name) in early {
        let found = after(identified, bytes);
        assert_eq!(found.split(':').next().unwrap(), *name, "{found}");
    }
    let late: &[(&[u8], &str)] = &[
        (&message(2, 0, 0, 0), "sequence_gap"),
        (&message(0, 0, 0, 0), "sequence_gap"),
        (&message(1, 1, 0, 0), "ack_of_unsent"),
        (&message(1, 0, 1, 0), "bad_value"),
        (&message(1, 0, 0, 1), "bad_value"),
        (&encode(&Frame::Ack(Ack { seq: 1 })).unwrap(), "ack_of_unsent"),
        (&any(Tag::KEEPALIVE2.0, &[0; 7]), "malformed"),
        (&reconnect, "not_allowed"),
    ];
    for (bytes, name) in late {
        let mut raw = started();
        raw.receive(bytes);
        let found = raw.error().map(|error| error.name());
        assert_eq!(found, Some(*name));
    }
    let mut raw = started();
    raw.receive(&message(1, 0, 0, 0).repeat(3));
    assert_eq!((raw.error(), raw.endpoint.stats().dropped_frames), (None, 2), "known messages are dropped");
}

#[test]
fn a_late_start() {
    let mut raw = started();
    let late = raw.endpoint.accept(START, addr(10)).unwrap();
    // its IDENT has a lower global_seq than the session that is there
    raw.endpoint.shared.sessions.values_mut().for_each(|entry| entry.session.global_seq = 2);
    let first = std::mem::replace(&mut raw.connection, late);
    raw.receive(BANNER);
    raw.frame(&set_method(AuthMethod::NONE));
    raw.frame(&none_request());
    raw.frame(&Frame::Ident(ident()));
    raw.frame(&Frame::Start(Start { flags: 0 }));
    assert_eq!(raw.error(), Some(Error::LateStart { global_seq: 1, session: 2 }));
    assert_eq!(raw.endpoint.state_name(first), Some("ready"), "the session goes on");
}

#[test]
fn acks_in_lossy_sessions() {
    let mut raw = authenticated();
    raw.frame(&Frame::Ident(Ident { flags: ConnectionFlags::LOSSY, cookie: 0, ..ident() }));
    raw.frame(&Frame::Start(Start { flags: 0 }));
    raw.frame(&Frame::Ack(Ack { seq: 0 }));
    assert_eq!(raw.error(), Some(Error::NotAllowed { state: "ready", tag: Tag::ACK.into() }));
}

#[test]
fn more_sessions_than_allowed() {
    let mut config = server_config(Auth::None);
    config.limits.sessions = 1;
    let mut raw = Raw::new(config);
    for (host, nonce) in [(10, 1), (11, 2)] {
        raw.connection = raw.endpoint.accept(START, addr(host)).unwrap();
        raw.receive(BANNER);
        raw.frame(&set_method(AuthMethod::NONE));
        raw.frame(&none_request());
        raw.frame(&Frame::Ident(Ident { addrs: vec![entity_addr(AddrType::ANY, addr(host), nonce)], ..ident() }));
        raw.frame(&Frame::Start(Start { flags: 0 }));
    }
    assert_eq!(raw.error(), Some(Error::TooManySessions { limit: 1 }));
    assert_eq!(raw.endpoint.stats().sessions, 1);
}

#[test]
fn gaps_in_lossy_sessions() {
    let mut raw = authenticated();
    raw.frame(&Frame::Ident(Ident { flags: ConnectionFlags::LOSSY, cookie: 0, ..ident() }));
    raw.frame(&Frame::Start(Start { flags: 0 }));
    let message = |seq: u64| {
        let header = MessageHeader { seq, ..Default::default() };
        Frame::Msg(Msg { header, ..Default::default() })
    };
    raw.frame(&message(2));
    let events: Vec<_> = std::iter::from_fn(|| raw.endpoint.event()).collect();
    let gap = Dropped::Gap { expected: 1, found: 2 };
    assert!(events.iter().any(|event| matches!(event, Event::Dropped { what, .. } if *what == gap)), "{events:?}");
    assert!(events.iter().any(|event| matches!(event, Event::Message { message, .. } if message.seq == 2)));
    raw.frame(&message(1));
    raw.frame(&message(3));
    let events: Vec<_> = std::iter::from_fn(|| raw.endpoint.event()).collect();
    assert!(matches!(&events[..], [Event::Dropped { .. }, Event::Message { .. }]), "{events:?}");
}

#[test]
fn refused_methods() {
    let mut raw = Raw::new(server_config(Auth::Authorize));
    raw.receive(BANNER);
    raw.written();
    raw.frame(&set_method(AuthMethod::NONE));
    raw.frame(&none_request());
    raw.frame(&none_request());
    let refusal = [1u32.to_le_bytes(), (-95i32).to_le_bytes(), 1u32.to_le_bytes(), 2u32.to_le_bytes()].concat();
    assert_eq!(raw.written(), any(Tag::AUTH_BAD_METHOD.0, &refusal));
    assert_eq!((raw.error(), raw.endpoint.stats().dropped_frames), (None, 2));
    raw.frame(&set_method(AuthMethod::CEPHX));
    assert_eq!(raw.endpoint.state_name(raw.connection), Some("authenticating"));
    // a client that would rather not, but can
    let (mut client, server) = (client_config(), server_config(Auth::Authorize));
    client.report_handshake = true;
    let mut network = Network::new(vec![(endpoint(client, "client"), addr(10)), (endpoint(server, "server"), addr(1))]);
    let auth = vec![ClientAuth::None { service: EntityType::OSD }, ClientAuth::Authorize { ticket: ticket() }];
    let session = network.nodes[0].endpoint.connect(network.now, Target::new(addr(1), auth.clone()));
    network.send(0, session, "hello");
    network.run_until(SECOND, |network| !network.texts(1).is_empty());
    assert!(network.logged(0, "< AUTH_BAD_METHOD") && network.logged(1, "dropped: a request of the refused method"));
    // and one that can't
    let target = Target::new(addr(1), auth[..1].to_vec());
    network.nodes[0].endpoint.connect(network.now, target);
    network.run_for(SECOND);
    assert!(network.logged(0, "closed: no method is left: tried none, the server allows cephx"));
    // who requires encryption doesn't even try
    let mut config = client_config();
    config.encryption = Encryption::Required;
    network.nodes[0].endpoint = endpoint(config, "strict");
    network.nodes[0].endpoint.connect(network.now, Target::new(addr(1), auth[..1].to_vec()));
    network.run_for(SECOND);
    assert!(network.logged(0, "closed: no method is left: tried nothing"));
}

/// What both sides say when a client isn't let in.
fn refusal(auth: Auth, change: impl FnOnce(&mut Config), choice: Option<ClientAuth>) -> (String, String) {
    let mut server = server_config(auth);
    change(&mut server);
    let mut network =
        Network::new(vec![(endpoint(client_config(), "client"), addr(10)), (endpoint(server, "server"), addr(1))]);
    let choices = choice.map_or_else(|| client_auth(auth), |choice| vec![choice]);
    network.nodes[0].endpoint.connect(network.now, Target::new(addr(1), choices));
    network.run_for(SECOND);
    let last = |node: usize| network.nodes[node].log.last().cloned().unwrap_or_default();
    assert_eq!(network.nodes[1].endpoint.stats(), Default::default());
    (last(0), last(1))
}

#[test]
fn who_is_not_let_in() {
    let access = "closed: the server denies access: EACCES, 0 unacked";
    let with = |name: &str, seed: &[u8]| ClientAuth::Authenticate {
        credentials: Credentials::new(EntityName::new(EntityType::CLIENT, name), key(seed)),
        services: CephxServices::OSD,
    };
    let same = |text: &str| text.to_lowercase();
    let (client, server) = refusal(Auth::Authenticate, |_| {}, Some(with("admin", b"another key")));
    assert_eq!(same(&client), same(access));
    assert!(server.starts_with("failed refused: access denied"), "{server}");
    let (other, _) = refusal(Auth::Authenticate, |_| {}, Some(with("nobody", b"the admin's key")));
    assert_eq!(other, client, "an unknown name is no different");
    // a ticket where none is taken, a key where a ticket is wanted
    let ticket = ticket();
    let authorize = |ticket: Ticket| Some(ClientAuth::Authorize { ticket });
    for (auth, choice) in
        [(Auth::Authenticate, authorize(ticket.clone())), (Auth::Authorize, Some(with("admin", b"the admin's key")))]
    {
        let (client, _) = refusal(auth, |_| {}, choice);
        assert!(same(&client).contains("eopnotsupp"), "{client}");
    }
    // tickets of somebody else, that don't open, that have expired
    let mut somebody = ticket.clone();
    somebody.name = EntityName::new(EntityType::CLIENT, "somebody");
    let mut number = ticket.clone();
    number.global_id += 1;
    let mut broken = ticket.clone();
    broken.blob[20] ^= 1;
    let mut unknown = ticket.clone();
    unknown.secret_id = 17;
    let mut key_differs = ticket.clone();
    key_differs.session_key = key(b"no session key");
    for ticket in [somebody, number, broken, unknown, key_differs] {
        let (client, server) = refusal(Auth::Authorize, |_| {}, authorize(ticket));
        assert_eq!(same(&client), same(access), "{server}");
    }
    let (client, server) = refusal(Auth::Authorize, |server| server.entity.kind = EntityType::MGR, authorize(ticket));
    assert!(same(&client).contains("eopnotsupp"), "no keys for a service, so it isn't served: {server}");
}

#[test]
fn an_expired_ticket() {
    let mut network = pair(Auth::Authorize, |_, _| {}).0;
    network.now += 3601 * SECOND;
    let mut fresh = Network::new(vec![
        (endpoint(client_config(), "client"), addr(10)),
        (endpoint(server_config(Auth::Authorize), "server"), addr(1)),
    ]);
    fresh.now = network.now;
    fresh.nodes[0].endpoint.connect(fresh.now, Target::new(addr(1), client_auth(Auth::Authorize)));
    fresh.run_for(SECOND);
    assert!(fresh.logged(0, "closed: the server denies access"), "{:?}", fresh.nodes[0].log);
}

#[test]
fn requests_that_cannot_be_read() {
    let request = |purpose: AuthPurpose, payload: &[u8]| {
        let head = [&[purpose.0, 8][..], &5u32.to_le_bytes(), b"admin", &0u64.to_le_bytes()].concat();
        any(Tag::AUTH_REQUEST.0, &[&head[..], &(payload.len() as u32).to_le_bytes(), payload].concat())
    };
    let denied = |errno: i32| any(Tag::AUTH_REPLY.0, &[&[2][..], &errno.to_le_bytes(), &[0; 16]].concat());
    let cases = [
        (Auth::Authorize, request(AuthPurpose::AUTHORIZE, &[1, 2, 3]), -22),
        (Auth::Authorize, request(AuthPurpose::AUTHORIZE, &[]), -22),
        (Auth::Authorize, request(AuthPurpose(7), &[1, 2, 3]), -95),
        (Auth::Authenticate, request(AuthPurpose::AUTHENTICATE, &[0, 1, 3]), -22),
        (Auth::Authenticate, request(AuthPurpose::AUTHENTICATE, &[0; 60]), -22),
    ];
    for (auth, bytes, errno) in cases {
        let mut raw = Raw::new(server_config(auth));
        raw.receive(BANNER);
        raw.frame(&set_method(AuthMethod::CEPHX));
        raw.written();
        raw.receive(&bytes);
        assert_eq!(raw.error().map(|error| error.name()), Some("refused"), "{bytes:02x?}");
        assert_eq!(raw.written(), denied(errno), "{bytes:02x?}");
    }
    let mut raw = greeted();
    raw.frame(&set_method(AuthMethod::NONE));
    raw.written();
    raw.receive(&request(AuthPurpose::AUTHORIZE, &[9; 20]));
    assert_eq!(raw.written(), denied(-22), "none has no blob");
}

/// A signed session of a client; what it writes after that goes through `tamper`, frame by frame with signatures.
/// Returns the network once things have settled.
fn tampered(mut tamper: impl FnMut(usize, Vec<Vec<u8>>) -> Vec<Vec<u8>> + 'static) -> Network {
    let (mut network, [session, _]) = established(Auth::Authorize, |_, _| {});
    network.run_for(SECOND);
    let mut flight = 0;
    network.tamper = Some(Box::new(move |node, bytes| {
        if node != 0 || bytes.starts_with(b"ceph") || flight > 5 {
            return bytes;
        }
        flight += 1;
        tamper(flight, frames(&bytes)).concat()
    }));
    // the first flight has two messages
    for texts in [&["one", "two"][..], &["three"]] {
        texts.iter().for_each(|text| network.send(0, session, text));
        network.run_for(SECOND);
    }
    network
}

#[test]
fn signed_frames_on_their_way() {
    let expected = ["one", "two", "three"];
    // a frame and its signature are changed, taken away, repeated, moved
    type Change = fn(Vec<Vec<u8>>) -> Vec<Vec<u8>>;
    let bad: &[(Change, &str)] = &[
        (
            |mut frames| {
                let last = frames[0].len() - 1;
                frames[0][last] ^= 1;
                frames
            },
            "signature 2 of the peer doesn't verify",
        ),
        (
            |mut frames| {
                frames[1][20] ^= 1;
                frames
            },
            "signature 2 of the peer doesn't verify",
        ),
        (|frames| [frames.clone(), frames].concat(), "signature 4 of the peer doesn't verify"),
        (|_| Vec::new(), "signature 2 of the peer doesn't verify"),
        (|frames| [&frames[2..], &frames[..2]].concat(), "signature 2 of the peer doesn't verify"),
        (|frames| frames[2..].to_vec(), "signature 2 of the peer doesn't verify"),
        (|frames| [frames, vec![any(Tag::ENCRYPT_BEGIN.0, &[0; 20])]].concat(), "ENCRYPT_BEGIN isn't the first frame"),
        (|frames| [frames, vec![any(Tag::SIGNATURE.0, &[0; 31])]].concat(), "a SIGNATURE with a frame_len of 32"),
        (|frames| [frames, vec![vec![0; 4]]].concat(), "a frame_len of 0"),
        (|frames| vec![frames[0].clone()], "signature 2 of the peer doesn't verify"),
        (|frames| vec![frames[1].clone()], "dropped: a signature without a frame"),
    ];
    for (change, error) in bad {
        let network = tampered(move |flight, frames| if flight == 1 { change(frames) } else { frames });
        assert!(network.logged(1, error), "{error}: {:#?}", network.nodes[1].log);
        assert_eq!(network.texts(1), expected, "the session goes on: {error}");
    }
    // what somebody puts in between two signed pairs has no effect
    let good: &[(Change, &str)] = &[
        (|frames| [vec![any(Tag::CLOSE.0, &[])], frames].concat(), "dropped: a frame with tag 0x06 and no signature"),
        (|frames| [vec![any(0x99, b"x")], frames].concat(), "dropped: a frame with tag 0x99 and no signature"),
        (|frames| [frames, vec![any(Tag::SIGNATURE.0, &[0; 32])]].concat(), "dropped: a signature without a frame"),
    ];
    for (change, what) in good {
        let network = tampered(move |flight, frames| if flight == 1 { change(frames) } else { frames });
        assert!(network.logged(1, what), "{what}: {:#?}", network.nodes[1].log);
        assert!(!network.logged(1, "disconnected"), "{what}");
        assert_eq!(network.texts(1), expected);
    }
}

#[test]
fn sealed_records_on_their_way() {
    type Change = fn(Vec<u8>) -> Vec<u8>;
    let changes: &[(Change, &str)] = &[
        (
            |mut bytes| {
                bytes[10] ^= 0x80;
                bytes
            },
            "doesn't authenticate",
        ),
        (|bytes| bytes.repeat(2), "record 3 doesn't authenticate"),
        (|_| Vec::new(), "record 2 doesn't authenticate"),
        (|bytes| [vec![16, 0, 0, 0], bytes].concat(), "a sealed_len of 16 holds no frame"),
        (|bytes| [vec![255; 4], bytes].concat(), "a sealed_len of 4294967295, the limit is"),
        (|bytes| [vec![20, 0, 0, 0], vec![0; 20], bytes].concat(), "record 2 doesn't authenticate"),
    ];
    for (change, error) in changes {
        let (mut network, [session, _]) = established(Auth::Authorize, |client, _| {
            client.encryption = Encryption::Required;
        });
        network.run_for(SECOND);
        let mut first = true;
        network.tamper = Some(Box::new(
            move |node, bytes| {
                if node == 0 && std::mem::take(&mut first) { change(bytes) } else { bytes }
            },
        ));
        for text in ["one", "two", "three"] {
            network.send(0, session, text);
            network.run_for(SECOND);
        }
        assert!(network.logged(1, error), "{error}: {:#?}", network.nodes[1].log);
        assert_eq!(network.texts(1), ["one", "two", "three"], "the session goes on: {error}");
    }
}

#[test]
fn nobody_takes_a_feature_away_unnoticed() {
    for (client, server, error) in [
        (Encryption::Wanted, Encryption::Wanted, "doesn't verify"),
        (Encryption::Required, Encryption::Possible, "though encryption is required"),
    ] {
        let (mut network, session) = pair(Auth::Authorize, |c, s| {
            (c.encryption, s.encryption) = (client, server);
            // the first attempt is the one to look at
            c.times.pause_first = 100 * SECOND;
        });
        network.send(0, session, "a secret");
        let leaked = Rc::new(Cell::new(false));
        let seen = leaked.clone();
        network.tamper = Some(Box::new(move |node, mut bytes| {
            if node == 0 && bytes.starts_with(b"ceph 3 ") {
                bytes[5..8].copy_from_slice(b"2 0");
            }
            seen.set(seen.get() || bytes.windows(8).any(|window| window == b"a secret"));
            bytes
        }));
        network.run_for(SECOND);
        let logs = [&network.nodes[0].log, &network.nodes[1].log];
        assert!(logs.iter().any(|log| log.iter().any(|line| line.contains(error))), "{logs:#?}");
        assert!(!leaked.get() && network.texts(1).is_empty());
    }
}

#[test]
fn a_recorded_flight_is_worth_nothing() {
    let recorded = Rc::new(std::cell::RefCell::new(Vec::new()));
    let (mut network, session) = pair(Auth::Authorize, |_, _| {});
    let record = recorded.clone();
    network.tamper = Some(Box::new(move |node, bytes| {
        if node == 0 {
            record.borrow_mut().extend_from_slice(&bytes);
        }
        bytes
    }));
    network.send(0, session, "pay 100");
    network.run_for(SECOND);
    assert_eq!(network.texts(1), ["pay 100"]);
    let server = &mut network.nodes[1].endpoint;
    let connection = server.accept(network.now, addr(66)).unwrap();
    server.receive(network.now, connection, &recorded.borrow());
    network.pump();
    assert!(network.logged(1, "failed bad_signature: signature 0 of the peer doesn't verify"));
    assert_eq!(network.texts(1), ["pay 100"]);
    assert_eq!(network.nodes[1].endpoint.stats().sessions, 1);
}

#[test]
fn two_thousand_hostile_connections() {
    let limit = 16 << 20;
    let (mut network, [session, other]) = established(Auth::Authorize, |_, server| {
        server.limits.memory = limit;
        server.limits.half_open = 3000;
    });
    let mut open: Vec<ConnectionId> = Vec::new();
    let mut most = 0;
    for index in 0..2000u32 {
        let server = &mut network.nodes[1].endpoint;
        let connection = server.accept(network.now, addr(66)).unwrap();
        open.push(connection);
        // all but the last byte of the largest frame, or of a banner, or noise
        let bytes = match index % 4 {
            0 => [BANNER, &65_536u32.to_le_bytes(), &[Tag::AUTH_SET_METHOD.0], &[7; 65_000]].concat(),
            1 => b"ceph 3".to_vec(),
            2 => [BANNER, &[index as u8; 200]].concat(),
            _ => [BANNER, &encode(&set_method(AuthMethod::CEPHX)).unwrap(), &[0; 3]].concat(),
        };
        for piece in bytes.chunks(7000) {
            server.receive(network.now, connection, piece);
        }
        most = most.max(server.stats().memory);
        if index % 100 == 0 {
            network.send(0, session, "still here");
            network.send(1, other, "me too");
            network.run_for(SECOND / 1000);
        }
    }
    assert!(most > limit / 3 && most <= limit, "{most}");
    // somebody else who means well gets in
    let mut config = client_config();
    config.addrs = vec![entity_addr(AddrType::ANY, SocketAddr::from(([192, 0, 2, 11], 0)), 99)];
    network.join(endpoint(config, "another client"), addr(11));
    let target = Target::new(addr(1), client_auth(Auth::Authorize));
    let newcomer = network.nodes[2].endpoint.connect(network.now, target);
    network.run_for(SECOND / 4);
    assert!(network.logged(2, "established"), "{:?}", network.nodes[2].log);
    network.nodes[2].endpoint.close(network.now, newcomer);
    network.run_for(SECOND / 4);
    assert!(network.nodes[1].log.iter().any(|line| line.contains("memory_exhausted")));
    assert_eq!((network.texts(1).len(), network.texts(0).len()), (20, 20), "the good session went on");
    // those that wait for nothing are given up in time
    network.run_for(11 * SECOND);
    for connection in open {
        network.nodes[1].endpoint.ended(network.now, connection);
    }
    let stats = network.nodes[1].endpoint.stats();
    assert_eq!((stats.connections, stats.half_open, stats.memory), (1, 0, 0));
    assert_eq!(network.nodes[1].log.iter().filter(|line| line.contains("disconnected")).count(), 0);
}

#[test]
fn limits_on_connections() {
    let mut config = server_config(Auth::None);
    config.limits.half_open = 2;
    config.limits.connections = 3;
    let mut raw = Raw::new(config);
    let first = raw.connection;
    assert!(raw.endpoint.accept(START, addr(2)).is_ok());
    assert_eq!(raw.endpoint.accept(START, addr(2)), Err(Refused::HalfOpen { limit: 2 }));
    raw.receive(BANNER);
    raw.frame(&set_method(AuthMethod::NONE));
    raw.frame(&none_request());
    raw.frame(&Frame::Ident(ident()));
    raw.frame(&Frame::Start(Start { flags: 0 }));
    assert_eq!(raw.endpoint.stats().half_open, 1);
    assert!(raw.endpoint.accept(START, addr(2)).is_ok());
    assert_eq!(raw.endpoint.accept(START, addr(2)), Err(Refused::Connections { limit: 3 }));
    raw.endpoint.ended(START, first);
    assert_eq!(raw.endpoint.accept(START, addr(2)), Err(Refused::HalfOpen { limit: 2 }));
    assert_eq!(raw.endpoint.stats().connections, 2);
}

#[test]
fn a_length_alone_takes_no_memory() {
    let mut raw = started();
    raw.receive(&0x600_0000u32.to_le_bytes());
    raw.receive(&[Tag::MSG.0; 100]);
    assert_eq!(raw.error(), None);
    assert_eq!(raw.endpoint.stats().memory, 104);
}

#[test]
fn keepalives_without_end_take_no_memory() {
    let mut raw = started();
    raw.written();
    for _ in 0..10_000 {
        raw.receive(&any(Tag::KEEPALIVE2.0, &[1; 8]));
    }
    assert_eq!(raw.written().len(), 16 * 13, "the oldest go without an answer");
}
