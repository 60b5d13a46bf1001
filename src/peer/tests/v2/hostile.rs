//! What nobody should send: each fault has its own name, others go on, and memory stays bounded.

use super::script::{Script, message, texts};
use super::*;
use crate::frame::{Ending, PREAMBLE_LEN, Revision, assemble, encode};
use crate::peer::tests::network::START;
use crate::peer::{ConnectionId, Refused};
use crate::types::{Msgr2Features, PreambleFlags};
use crate::v2_1::{Banner, BannerFeatures, Frame, Keepalive2, Tag};
use crate::wire::{Encode as _, Utime};

const SERVER: Policy = Policy::STATEFUL_SERVER;

fn banner(supported: Msgr2Features, required: Msgr2Features) -> Vec<u8> {
    Banner { features: Some(BannerFeatures { supported, required, ..Default::default() }) }.to_bytes().unwrap()
}

/// What is told of bytes, at once and one by one, behind what a connection is led to.
fn after(lead: impl Fn(&mut Script) -> ConnectionId, bytes: &[u8]) -> Vec<String> {
    let told = |pieces: usize| {
        let mut script = Script::new(SERVER);
        let id = lead(&mut script);
        script.told();
        bytes.chunks(pieces).for_each(|piece| script.bytes(id, piece));
        let told = script.told();
        assert_eq!(told.last().map(String::as_str) == Some("hangup"), !told.is_empty(), "{told:?}");
        told
    };
    let whole = told(usize::MAX);
    assert_eq!(whole, told(1));
    whole
}

fn fresh(script: &mut Script) -> ConnectionId {
    script.endpoint.accept(script.now, addr(2)).unwrap()
}

fn greeted(script: &mut Script) -> ConnectionId {
    let id = fresh(script);
    script.greet(id);
    id
}

fn begun(script: &mut Script) -> ConnectionId {
    let id = script.accept();
    assert_eq!(texts(&script.say(id, &script.ident(0xc, 1))), ["SERVER_IDENT"]);
    id
}

/// A preamble with these fields, and the CRC that belongs to it.
fn preamble(tag: Tag, count: u8, lengths: [u32; 4], flags: u8) -> [u8; PREAMBLE_LEN] {
    let mut bytes = [0; PREAMBLE_LEN];
    (bytes[0], bytes[1], bytes[26]) = (tag.0, count, flags);
    for (index, length) in lengths.into_iter().enumerate() {
        bytes[2 + 6 * index..][..4].copy_from_slice(&length.to_le_bytes());
    }
    let crc = crate::frame::crc32c(0, &bytes[..28]);
    bytes[28..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

#[test]
fn banners() {
    let unknown = Msgr2Features(1 << 40);
    let good = banner(Msgr2Features::REVISION_1, Msgr2Features(0));
    assert!(after(fresh, &good).is_empty());
    for (bytes, text) in [
        (b"GET / HTTP/1.1\r\n".to_vec(), "the peer's banner isn't that of this dialect"),
        (b"ceph v027\x01\x02\x03".to_vec(), "the peer's banner isn't that of this dialect"),
        (banner(Msgr2Features::REVISION_1, unknown), "the peer's banner requires"),
        ([&good[..8], &[0xff, 0xff], &good[10..]].concat(), ""),
    ] {
        let told = after(fresh, &bytes);
        match text {
            // longer than what is known, and the rest may still come
            "" => assert!(told.is_empty(), "{told:?}"),
            _ => assert!(told[0].contains(text), "{bytes:?}: {told:?}"),
        }
    }
}

#[test]
fn preambles() {
    let mut damaged = preamble(Tag::HELLO, 1, [8, 0, 0, 0], 0);
    damaged[4] ^= 1;
    for (bytes, text) in [
        (damaged, "the preamble's CRC is"),
        (preamble(Tag::AUTH_REQUEST, 0, [8, 0, 0, 0], 0), "0 segments where 1 to 4 are allowed"),
        (preamble(Tag::AUTH_REQUEST, 5, [8, 0, 0, 0], 0), "5 segments where 1 to 4 are allowed"),
        (preamble(Tag::AUTH_REQUEST, 2, [8, 0, 0, 0], 0), "the last of several segments is empty"),
        (preamble(Tag::AUTH_REQUEST, 4, [u32::MAX; 4], 0), "a frame of 17179869180 bytes, the limit is 268435456"),
        (preamble(Tag::AUTH_REQUEST, 1, [65_537, 0, 0, 0], 0), "a frame of 65537 bytes, the limit is 65536"),
    ] {
        let told = after(greeted, &bytes);
        assert!(told[0].contains(text), "{text}: {told:?}");
    }
    // with a session more is allowed, and all of it has to come first
    assert!(after(begun, &preamble(Tag::MESSAGE, 1, [65_537, 0, 0, 0], 0)).is_empty());
}

#[test]
fn compression_that_was_not_agreed_on() {
    let mut out = Vec::new();
    let segments = [vec![0; 41].into(), vec![1; 9].into(), Vec::new().into(), Vec::new().into()];
    assemble(Revision::V2_1, Tag::MESSAGE, PreambleFlags::COMPRESSED, &segments, Ending::Complete, &mut out);
    let told = after(begun, &out.concat());
    assert!(told[0].contains("compress"), "{told:?}");
}

#[test]
fn a_length_alone_takes_no_memory() {
    let mut script = Script::new(SERVER);
    let id = begun(&mut script);
    script.bytes(id, &preamble(Tag::MESSAGE, 4, [41, 0, 0, 64 << 20], 0));
    script.bytes(id, &[7; 100]);
    assert_eq!(script.endpoint.stats().memory, PREAMBLE_LEN + 100);
}

#[test]
fn keepalives_without_end_take_no_memory() {
    let mut script = Script::new(SERVER);
    let id = begun(&mut script);
    let keepalive = Frame::Keepalive2(Keepalive2 { timestamp: Utime { sec: 1, nsec: 2 }, ..Default::default() });
    let keepalive = encode(Revision::V2_1, &keepalive).unwrap();
    // nothing is taken from it in between
    for _ in 0..10_000 {
        script.endpoint.receive(script.now, id, &keepalive);
    }
    let answers = script.heard(id);
    assert_eq!(texts(&answers), ["KEEPALIVE2_ACK"; 16], "the oldest go without an answer");
}

#[test]
fn who_asks_for_sessions_again_and_again() {
    let mut script = Script::new(SERVER);
    let first = begun(&mut script);
    assert!(script.endpoint.connection_of(script.sessions[0]) == Some(first));
    let id = script.accept();
    let mut asked = 0;
    script.told();
    while script.log.is_empty() && asked < 100 {
        // one is answered with RETRY_GLOBAL, the other has no session
        let frame = if asked % 2 == 0 { script.reconnect(0xc, [0, 1, 0]) } else { script.reconnect(0xbad, [9, 1, 0]) };
        script.say(id, &frame);
        asked += 1;
    }
    assert_eq!((asked, script.told().len()), (17, 2));
}

#[test]
fn two_thousand_hostile_connections() {
    let limit = 16 << 20;
    let (mut network, [session, other]) = established(Auth::Authorize(CryptoType::AES), |_, server| {
        server.limits.memory = limit;
        server.limits.half_open = 3000;
    });
    let good = banner(Msgr2Features::REVISION_1, Msgr2Features(0));
    let (mut open, mut most): (Vec<ConnectionId>, usize) = (Vec::new(), 0);
    for index in 0..2000u32 {
        let server = &mut network.nodes[1].endpoint;
        let connection = server.accept(network.now, addr(66)).unwrap();
        open.push(connection);
        // all but the last bytes of the largest frame, or of a banner, or noise
        let bytes = match index % 4 {
            0 => [&good[..], &preamble(Tag::HELLO, 1, [65_536, 0, 0, 0], 0), &[7; 65_000]].concat(),
            1 => good[..good.len() - 1].to_vec(),
            2 => [&good[..], &[index as u8; 200]].concat(),
            _ => [&good[..], &preamble(Tag::MESSAGE, 1, [1, 0, 0, 0], 0), &[0; 3]].concat(),
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
}

#[test]
fn limits_on_connections() {
    let mut config = server_config(Auth::NoneToOsd);
    config.limits.half_open = 2;
    let mut server = endpoint(config, "server");
    assert!(server.accept(START, addr(2)).is_ok());
    assert!(server.accept(START, addr(2)).is_ok());
    assert_eq!(server.accept(START, addr(2)), Err(Refused::HalfOpen { limit: 2 }));
}

#[test]
fn messages_in_the_wrong_order() {
    let mut script = Script::new(SERVER);
    let id = begun(&mut script);
    script.told();
    script.say(id, &message(2, 0, "two"));
    script.say(id, &message(2, 0, "two again"));
    // as Ceph does unless it was told otherwise: a gap is told of, and nothing more
    assert_eq!(script.received, ["two"]);
    assert_eq!(script.told().len(), 2);
    assert_eq!(script.endpoint.state_name(id), Some("ready"));
}
