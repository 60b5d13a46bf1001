//! Captures of a few bytes that hold any amount of others: the program stays small, and says what it leaves out.
#![allow(clippy::unwrap_used)]

mod common;
mod talk;

use std::path::Path;
use std::process::{Command, Output};

use bytes::Bytes;
use common::Scratch;
use common::packets::{self, Segment, Wire};
use msgr2::frame::compress::{ALGORITHMS, compress};
use msgr2::frame::{Ending, Revision};
use msgr2::types::*;
use msgr2::v2_1::*;
use msgr2::wire::Encode as _;
use serde_json::Value;
use talk::shipped::Shipped;
use talk::{C, Cluster, S};

/// The address space that the program gets, in KiB: code, stacks and all.
const ROOM: u32 = 300_000;
/// The ways to print.
const WAYS: [&[&str]; 4] = [&[], &["--verbose"], &["--json"], &["--json", "--verbose"]];
/// The most bytes of a TCP segment.
const SEGMENT: usize = 60_000;
/// In front of the list in a MON_COMMAND: paxos header and fsid.
const BEFORE_LIST: usize = 18 + 16;

/// The segments of a MON_COMMAND of so many empty texts.
fn command(texts: u32) -> [Bytes; 4] {
    let header = MessageHeader { r#type: MessageType::MON_COMMAND, version: 1, ..Default::default() };
    let mut front = vec![0; BEFORE_LIST];
    front.extend(texts.to_le_bytes());
    front.resize(front.len() + 4 * texts as usize, 0);
    [header.to_bytes().unwrap().into(), front.into(), Bytes::new(), Bytes::new()]
}

/// A connection on which this algorithm was agreed upon.
fn agreed(mode: ConnectionMode, algorithm: CompressionAlgorithm) -> (Shipped, Cluster) {
    let mut cluster = Cluster::new();
    let mut talk = Shipped::with_features(Revision::V2_1, mode, EntityType::MON, Msgr2Features::COMPRESSION);
    let mut credentials = cluster.credentials();
    talk.authenticate(&mut cluster, &mut credentials);
    talk.agree(algorithm);
    (talk, cluster)
}

fn bomb(talk: &mut Shipped, algorithm: CompressionAlgorithm, texts: u32) {
    let segments = compress(algorithm, &command(texts)).unwrap();
    talk.segments(C, Tag::MESSAGE, PreambleFlags::COMPRESSED, &segments, Ending::Complete);
}

/// Writes what was said as a capture; the last so many pieces come in one packet, if they fit.
fn write(path: &Path, talk: &Shipped, together: usize) {
    let pieces = &talk.pieces;
    let (apart, last) = pieces.split_at(pieces.len() - together);
    let mut said: Vec<_> =
        apart.iter().map(|(from, bytes)| Segment { client: *from == C, bytes: bytes.clone() }).collect();
    let bytes: Vec<u8> = last.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    if together > 0 {
        assert!(bytes.len() <= SEGMENT, "{} bytes don't fit in a packet", bytes.len());
        said.push(Segment { client: true, bytes });
    }
    let mut wire = Wire::new();
    wire.connection("10.0.0.1:40000", "10.0.0.2:3300", &packets::cut(&said, SEGMENT));
    packets::write(path, &wire.packets);
}

/// What `msgr2 decode` prints that has so little room.
fn decode_in(room: u32, options: &[&str], capture: &Path) -> String {
    let script = format!("ulimit -v {room}; exec \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_msgr2"), "decode"]).args(options).arg(capture);
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(status.success(), "{options:?} {}: {status} {}", capture.display(), String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

fn decode(options: &[&str], capture: &Path) -> String {
    decode_in(ROOM, options, capture)
}

#[test]
fn the_room_is_really_small() {
    // less than this the program needs to begin: so the limit is obeyed, and other tests can fail
    let script = "ulimit -v 2000; exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_msgr2"), "--version"]);
    assert!(!command.output().unwrap().status.success());
}

#[test]
fn one_frame_of_empty_texts() {
    let scratch = Scratch::new();
    for algorithm in ALGORITHMS {
        // the first opens and has too many items, the second is too large at once
        for (texts, why) in [(5_000_000, "more than 1048576 items"), (12_000_000, "when decompressed, of one")] {
            let path = scratch.file("bomb.pcap");
            let (mut talk, _) = agreed(ConnectionMode::CRC, algorithm);
            bomb(&mut talk, algorithm, texts);
            write(&path, &talk, 0);
            // all ways cost time without optimisation
            let ways = if algorithm == CompressionAlgorithm::ZSTD { &WAYS[..] } else { &WAYS[3..] };
            for options in ways {
                let shown = decode(options, &path);
                assert!(shown.contains(why), "{algorithm} {texts} {options:?}: {}", last(&shown));
            }
        }
    }
}

#[test]
fn twelve_frames_in_one_packet() {
    let scratch = Scratch::new();
    for mode in [ConnectionMode::CRC, ConnectionMode::SECURE] {
        let path = scratch.file("bombs.pcap");
        let (mut talk, cluster) = agreed(mode, CompressionAlgorithm::ZSTD);
        for _ in 0..12 {
            bomb(&mut talk, CompressionAlgorithm::ZSTD, 5_000_000);
        }
        write(&path, &talk, 12);
        let keyring = scratch.file("keyring");
        std::fs::write(&keyring, cluster.authority.entities().to_text().as_bytes()).unwrap();
        for options in [WAYS[0], WAYS[3]] {
            let options = [&["--keyring", keyring.to_str().unwrap()], options].concat();
            let shown = decode(&options, &path);
            let (items, refused) =
                (shown.matches("than 1048576 items").count(), shown.matches("of one packet").count());
            assert_eq!((items, refused), (1, 11), "{mode} {options:?}: {}", last(&shown));
        }
    }
}

#[test]
fn more_fields_than_are_shown() {
    let scratch = Scratch::new();
    let path = scratch.file("fields.pcap");
    let (mut talk, _) = agreed(ConnectionMode::CRC, CompressionAlgorithm::ZSTD);
    let frames = 4;
    for _ in 0..frames {
        bomb(&mut talk, CompressionAlgorithm::ZSTD, 1_000_000);
    }
    write(&path, &talk, frames);
    let json = decode(&["--json"], &path);
    let messages: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let messages: Vec<&Value> = messages.iter().filter(|line| line["name"] == "MESSAGE").collect();
    assert_eq!(messages.len(), frames);
    let shown = |line: &Value| line["fields"]["mon_command"]["cmd"].as_array().map_or(0, Vec::len);
    let left_out: Vec<u64> = messages.iter().map(|line| line["left_out"].as_u64().unwrap()).collect();
    // a frame's bound, the packet's after the first two
    assert!((100_000..=1 << 17).contains(&shown(messages[0])), "{}", shown(messages[0]));
    assert_eq!(
        shown(messages[0]) as u64 + left_out[0] - 1_000_000,
        shown(messages[1]) as u64 + left_out[1] - 1_000_000
    );
    assert!(shown(messages[2]) < 10_000 && shown(messages[3]) < 10_000);
    assert!(left_out[3] > 990_000, "{left_out:?}");
    let verbose = decode(&["--verbose"], &path);
    assert_eq!(verbose.matches("more fields left out: there are too many").count(), frames);
    // who asks for lines alone gets them all
    assert!(!decode(&[], &path).contains("left out"));
}

#[test]
fn compression_that_nobody_agreed_upon() {
    let scratch = Scratch::new();
    let algorithm = CompressionAlgorithm::ZSTD;
    let request = |algorithms: Vec<CompressionAlgorithm>| {
        let is_compress = true.into();
        Frame::CompressionRequest(CompressionRequest {
            is_compress,
            preferred_algorithms: algorithms,
            ..Default::default()
        })
    };
    let done = |yes: bool| {
        Frame::CompressionDone(CompressionDone { is_compress: yes.into(), algorithm, ..Default::default() })
    };
    let (zstd, lz4) = (vec![algorithm], vec![CompressionAlgorithm::LZ4]);
    let able = Msgr2Features::COMPRESSION;
    let cases = [
        ("agreed", able, vec![(C, request(zstd.clone())), (S, done(true))], true),
        ("not asked", able, vec![(S, done(true))], false),
        ("another was offered", able, vec![(C, request(lz4)), (S, done(true))], false),
        ("refused", able, vec![(C, request(zstd.clone())), (S, done(false))], false),
        ("said by the client", able, vec![(C, request(zstd.clone())), (C, done(true))], false),
        ("neither side can", Msgr2Features(0), vec![(C, request(zstd)), (S, done(true))], false),
        ("nothing", able, vec![], false),
    ];
    for (what, features, said, opens) in cases {
        let mut cluster = Cluster::new();
        let mut talk = Shipped::with_features(Revision::V2_1, ConnectionMode::CRC, EntityType::MON, features);
        let mut credentials = cluster.credentials();
        talk.authenticate(&mut cluster, &mut credentials);
        for (from, frame) in &said {
            talk.say(*from, frame);
        }
        bomb(&mut talk, algorithm, 7);
        let path = scratch.file("compression.pcap");
        write(&path, &talk, 0);
        let shown = decode(&[], &path);
        assert_eq!(shown.contains("MON_COMMAND"), opens, "{what}: {}", last(&shown));
        assert_eq!(shown.contains("no algorithm was agreed upon"), !opens, "{what}: {}", last(&shown));
    }
}

#[test]
fn frames_that_never_end() {
    let scratch = Scratch::new();
    let path = scratch.file("stalled.pcap");
    let mut wire = Wire::new();
    let mut connections = Vec::new();
    // each announces 200 MiB and sends 40; together they are more than may wait
    let (announced, sent, count) = (200 << 20, 40 << 20, 8);
    let header = MessageHeader { r#type: MessageType::OSD_OP, version: 8, ..Default::default() };
    let parts = [header.to_bytes().unwrap().into(), Bytes::new(), Bytes::new(), vec![0; announced].into()];
    let mut frame = Vec::new();
    msgr2::frame::assemble(Revision::V2_1, Tag::MESSAGE, PreambleFlags(0), &parts, Ending::Complete, &mut frame);
    let frame = frame.concat();
    for port in 0..count {
        let talk = Shipped::new(Revision::V2_1, ConnectionMode::CRC, EntityType::OSD);
        let mut connection = wire.open(&format!("10.0.0.1:{}", 40_000 + port), "10.0.0.2:6800");
        for (from, bytes) in talk.pieces {
            wire.say(&mut connection, &Segment { client: from == C, bytes });
        }
        connections.push(connection);
    }
    for connection in &mut connections {
        for piece in frame[..sent].chunks(SEGMENT) {
            wire.say(connection, &Segment { client: true, bytes: piece.to_vec() });
        }
    }
    packets::write(&path, &wire.packets);
    drop(wire);
    let shown = decode_in(2 * ROOM, &[], &path);
    let given_up: Vec<&str> = shown.lines().filter(|line| line.contains("long in coming")).collect();
    // 256 MiB hold six of them; the seventh and the eighth drive out who came first
    assert_eq!(given_up.len(), 2, "{given_up:#?}");
    for (line, port) in given_up.iter().zip(40_000..) {
        assert!(line.contains(&format!("10.0.0.1:{port} > ")) && line.contains("OSD_OP"), "{line}");
    }
}

fn last(text: &str) -> String {
    let line = text.lines().rev().find(|line| line.contains("MESSAGE") || line.contains("ompress"));
    line.unwrap_or_default().chars().take(600).collect()
}
