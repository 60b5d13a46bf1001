//! Captures that `msgr2::pcapng` writes, as Wireshark and our own reader see them.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::{Scratch, decode, plain_tshark};
use msgr2::pcapng::Writer;

const CHECKED: [&str; 6] =
    ["-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "tcp.relative_sequence_numbers:TRUE"];

fn at(milliseconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000) + Duration::from_millis(milliseconds)
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// What is sent: nothing that a dissector would take for its own.
fn bytes(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|i| 0x80 | (i * 7 + i / 128 + seed) as u8).collect()
}

/// Three connections at a time, of both families, with much and little data, that end in three ways.
fn mixed(folder: &Scratch) -> PathBuf {
    let mut writer = Writer::new(Vec::new()).unwrap();
    writer.secrets(0x7fff_0001, b"a key that nobody knows").unwrap();
    let server = address("192.0.2.7:7777");
    let one = writer.connection(address("192.0.2.1:40001"), server, at(0)).unwrap();
    let two = writer.connection(address("[2001:db8::1]:40002"), address("[2001:db8::7]:7777"), at(1)).unwrap();
    let three = writer.connection(address("192.0.2.1:40003"), server, at(2)).unwrap();
    for round in 0..40 {
        writer.data(one, true, &bytes(100 + round, round), at(10 + 4 * round as u64)).unwrap();
        writer.data(two, round % 3 == 0, &bytes(50_000, round), at(11 + 4 * round as u64)).unwrap();
        writer.data(one, false, &bytes(1, round), at(12 + 4 * round as u64)).unwrap();
        writer.data(three, round < 20, &bytes(16_384, round), at(13 + 4 * round as u64)).unwrap();
    }
    writer.secrets(0x7fff_0001, b"one in the middle").unwrap();
    writer.shut_down(one, true, at(500)).unwrap();
    writer.comment("after the client's end").unwrap();
    writer.data(one, false, &bytes(70_000, 0), at(501)).unwrap();
    writer.shut_down(one, false, at(502)).unwrap();
    writer.close(two, false, at(503)).unwrap();
    writer.reset(three, true, at(504)).unwrap();
    let path = folder.file("mixed.pcapng");
    fs::write(&path, writer.into_inner()).unwrap();
    path
}

#[test]
fn wireshark_finds_no_fault() {
    let folder = Scratch::new();
    let capture = mixed(&folder);
    let fields = |filter: &str, fields: &[&str]| {
        let fields: Vec<_> = fields.iter().flat_map(|field| ["-e", field]).collect();
        let all = [&CHECKED[..], &["-2", "-Y", filter, "-T", "fields"], &fields].concat();
        plain_tshark(&capture, all).lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let all = fields("frame", &["frame.number"]).len();
    let good = fields("tcp.checksum.status == 1 && (ipv6 || ip.checksum.status == 1)", &["frame.number"]).len();
    assert_eq!(good, all);
    let streams = fields("tcp.flags.syn == 1 && tcp.flags.ack == 0", &["tcp.stream", "tcp.srcport", "tcp.dstport"]);
    assert_eq!(streams, ["0\t40001\t7777", "1\t40002\t7777", "2\t40003\t7777"]);
    // two passes, so that each packet tells of the whole. 31: SYN, SYN and ACK, ACK, data, FIN. 47: as well, with RST
    assert_eq!(fields("frame", &["tcp.completeness"]).iter().filter(|&c| c == "31" || c == "47").count(), all);
    let stream = |number: u32| fields(&format!("tcp.stream == {number}"), &["tcp.completeness"])[0].clone();
    assert_eq!([0, 1, 2].map(stream), ["31", "31", "47"]);
    assert_eq!(
        fields("tcp.flags.fin == 1", &["tcp.stream", "tcp.srcport"]),
        ["0\t40001", "0\t7777", "1\t7777", "1\t40002"]
    );
    assert_eq!(fields("frame.comment", &["tcp.stream", "frame.comment"]), ["0\tafter the client's end"]);
    assert_eq!(fields("frame.number == 1", &["frame.time_epoch"]), ["1700000000.000000000"]);
    let sent: usize = fields("tcp.stream == 1 && tcp.srcport == 7777", &["tcp.len"])
        .iter()
        .map(|len| len.parse::<usize>().unwrap())
        .sum();
    assert_eq!(sent, 26 * 50_000);

    // beginnings and ends are told; a reset is the only thing to warn of
    let known = ["SYN", "FIN", "initiates the connection closing", "undergoes the connection closing", "RST"];
    let expert = plain_tshark(&capture, [&CHECKED[..], &["-q", "-z", "expert"]].concat());
    let items: Vec<&str> = expert.lines().filter(|line| line.contains("TCP")).collect();
    assert!(items.len() >= 4, "{expert}");
    for item in items {
        assert!(known.iter().any(|known| item.contains(known)), "{expert}");
    }
    assert!(!expert.contains("Errors ("), "{expert}");
}

#[test]
fn followed_streams_are_what_was_sent() {
    let folder = Scratch::new();
    let mut writer = Writer::new(Vec::new()).unwrap();
    let (client, server) = (address("[::1]:50000"), address("[::1]:7777"));
    let connection = writer.connection(client, server, at(0)).unwrap();
    let (question, answer) = (bytes(40_000, 1), bytes(33, 2));
    writer.data(connection, true, &question, at(1)).unwrap();
    writer.data(connection, false, &answer, at(2)).unwrap();
    writer.close(connection, true, at(3)).unwrap();
    // the same addresses and ports again
    let connection = writer.connection(client, server, at(4)).unwrap();
    writer.data(connection, true, &answer, at(5)).unwrap();
    let capture = folder.file("followed.pcapng");
    fs::write(&capture, writer.into_inner()).unwrap();
    let followed = |stream: u32| {
        let said = plain_tshark(&capture, ["-q", "-z", &format!("follow,tcp,raw,{stream}")]);
        let hex = |line: &str| line.trim().chars().all(|c| c.is_ascii_hexdigit()) && !line.trim().is_empty();
        let (from_client, from_server): (Vec<&str>, _) =
            said.lines().filter(|line| hex(line)).partition(|line| !line.starts_with('\t'));
        [from_client, from_server].map(|lines| lines.iter().map(|line| line.trim()).collect::<String>())
    };
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    assert_eq!(followed(0), [hex(&question), hex(&answer)]);
    assert_eq!(followed(1), [hex(&answer), String::new()]);
}

#[test]
fn our_own_reader_finds_the_frames() {
    let folder = Scratch::new();
    let banner = b"ceph v2\n\x10\0\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let mut writer = Writer::new(Vec::new()).unwrap();
    let connection = writer.connection(address("127.0.0.1:40000"), address("127.0.0.1:3300"), at(0)).unwrap();
    writer.secrets(0x7fff_0001, b"passed over").unwrap();
    // in pieces, and from both sides at once
    for piece in banner.chunks(5) {
        writer.data(connection, true, piece, at(1)).unwrap();
        writer.data(connection, false, piece, at(2)).unwrap();
    }
    writer.close(connection, true, at(3)).unwrap();
    let capture = folder.file("frames.pcapng");
    fs::write(&capture, writer.into_inner()).unwrap();
    let mut frames = decode(&capture);
    // nothing came of the connection, which is told at its end
    frames.retain(|frame| frame["name"] != "END");
    assert_eq!(frames.len(), 2, "{frames:?}");
    for frame in &frames {
        assert!(frame.to_string().to_lowercase().contains("banner"), "{frame}");
    }
}
