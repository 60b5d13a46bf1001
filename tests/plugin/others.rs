//! What isn't ours stays as it was; what is ours is found where it is.

use std::path::{Path, PathBuf};

use crate::common::packets::{self, Packet, Segment, Wire, change_port};
use crate::common::{Scratch, capture, decode, plain_tshark, tshark};
use crate::table::{frames, rows};

/// Captures one after the other, in one file.
fn merged(scratch: &Scratch, names: &[&str]) -> PathBuf {
    let mut all: Vec<Packet> = Vec::new();
    for name in names {
        let mut more = packets::read(&capture(name));
        let start = all.last().map_or(0, |packet| packet.time + 1_000_000);
        let first = more[0].time;
        for packet in &mut more {
            packet.time = packet.time - first + start;
        }
        all.extend(more);
    }
    let path = scratch.file("merged.pcap");
    packets::write(&path, &all);
    path
}

fn same_as_without(path: &Path, options: &[&str]) -> String {
    let options = [&["-V"], options].concat();
    let (with, without) = (tshark(path, &options), plain_tshark(path, &options));
    let other = with.lines().zip(without.lines()).position(|(a, b)| a != b);
    let line = other.map(|n| (with.lines().nth(n), without.lines().nth(n)));
    assert!(with == without, "with and without the plugin: {line:?}");
    with
}

#[test]
fn the_legacy_messenger_is_shown_as_without_us() {
    for name in ["msgr1-mon.pcap", "msgr1-mgr.pcap"] {
        let path = capture(name);
        for options in [&["-2"][..], &["-o", "tcp.try_heuristic_first:TRUE"]] {
            let text = same_as_without(&path, options);
            assert!(
                text.lines().filter(|line| line.starts_with("Ceph")).count() >= 3,
                "{name}: the built-in one knows it"
            );
        }
        assert_eq!(tshark(&path, ["-Y", "msgr2"]), "");
    }
}

#[test]
fn both_messengers_in_one_file() {
    let scratch = Scratch::new();
    let names = ["msgr1-mon.pcap", "crc-mon-cephx.pcap", "msgr1-mgr.pcap", "osd-cephx.pcap"];
    let path = merged(&scratch, &names);
    let legacy = "tcp.port in {33046,53344}";
    let text = same_as_without(&path, &["-Y", legacy]);
    assert!(text.lines().any(|line| line.starts_with("Ceph")));

    let tags =
        |path: &Path, stream| -> Vec<u8> { frames(&rows(path, &[]))[&stream].iter().map(|(_, tag)| *tag).collect() };
    assert_eq!(tags(&path, 1), tags(&capture("crc-mon-cephx.pcap"), 0));
    assert_eq!(tags(&path, 3), tags(&capture("osd-cephx.pcap"), 0));

    // also where nothing but the heuristics decides
    let mut packets = packets::read(&path);
    for (from, to) in [(3300, 19_300), (6800, 19_800), (6789, 19_789), (6804, 19_804)] {
        change_port(&mut packets, from, to);
    }
    let moved = scratch.file("moved.pcap");
    packets::write(&moved, &packets);
    same_as_without(&moved, &["-Y", legacy]);
    assert_eq!(tags(&moved, 1), tags(&capture("crc-mon-cephx.pcap"), 0));
    assert_eq!(tags(&moved, 3), tags(&capture("osd-cephx.pcap"), 0));
}

fn said(lines: &[(bool, &[u8])]) -> Vec<Segment> {
    lines.iter().map(|(client, bytes)| Segment { client: *client, bytes: bytes.to_vec() }).collect()
}

/// Bytes without meaning, always the same.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn foreign_traffic_on_our_ports_is_shown_as_without_us() {
    let http = said(&[
        (true, b"GET / HTTP/1.1\r\nHost: example.net\r\n\r\n"),
        (false, b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n"),
    ]);
    let torrent = said(&[
        (true, b"\x13BitTorrent protocol\0\0\0\0\0\0\0\0aaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbb"),
        (false, b"\x13BitTorrent protocol\0\0\0\0\0\0\0\0aaaaaaaaaaaaaaaaaaaacccccccccccccccccccc"),
        (true, b"\0\0\0\x05\x14\0\0\0\0"),
    ]);
    let rtsp = said(&[
        (true, b"OPTIONS rtsp://example.net/ RTSP/1.0\r\nCSeq: 1\r\n\r\n"),
        (false, b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n"),
    ]);
    let gryphon = said(&[(true, &[0, 0, 0, 0, 0, 4, 1, 0, 1, 0, 0, 0]), (false, &noise(24))]);
    let random = said(&[(true, &noise(300)), (false, &noise(1400)), (true, &noise(5))]);
    let almost = said(&[(true, b"ceph w2\n"), (false, b"cepheid\n"), (true, b"ceph v1\n")]);

    let scratch = Scratch::new();
    let mut wire = Wire::new();
    let mut port = 40_000;
    for server in [3300, 6800, 6881, 7000, 7075, 7171, 7236, 7275, 7568, 9999] {
        for said in [&http, &torrent, &rtsp, &gryphon, &random, &almost] {
            wire.connection(&format!("192.0.2.1:{port}"), &format!("192.0.2.2:{server}"), said);
            port += 1;
        }
    }
    let path = scratch.file("foreign.pcap");
    packets::write(&path, &wire.packets);
    for options in [&[][..], &["-2"]] {
        let text = same_as_without(&path, options);
        assert!(!text.contains("Messenger v2"));
        assert!(text.contains("BitTorrent") && text.contains("Hypertext Transfer Protocol"));
    }
}

#[test]
fn a_banner_that_never_comes_harms_nobody() {
    let scratch = Scratch::new();
    let mut wire = Wire::new();
    let beginnings: [&[u8]; 5] = [b"c", b"ceph", b"ceph v2", b"ceph v2\n", b"ceph v2\n\xff\xff"];
    for (number, bytes) in beginnings.iter().enumerate() {
        for (server, base) in [(3300, 41_000), (6900, 42_000), (9999, 43_000)] {
            let said = said(&[(true, bytes), (false, b"what?\r\n"), (true, &noise(64)), (false, &noise(64))]);
            wire.connection(&format!("192.0.2.1:{}", base + number), &format!("192.0.2.2:{server}"), &said);
        }
    }
    let path = scratch.file("beginnings.pcap");
    packets::write(&path, &wire.packets);
    for options in [&[][..], &["-2"]] {
        let rows = rows(&path, options);
        assert!(rows.iter().all(|row| row.tags.is_empty()), "{rows:?}");
        assert!(rows.iter().all(|row| !row.findings.iter().any(|kind| kind == "not_shown")), "{rows:?}");
    }
}

/// A capture whose server has another port.
fn moved(scratch: &Scratch, name: &str, from: u16, to: u16) -> PathBuf {
    let mut packets = packets::read(&capture(name));
    change_port(&mut packets, from, to);
    let path = scratch.file(&format!("{to}-{name}"));
    packets::write(&path, &packets);
    path
}

#[test]
fn found_on_any_port() {
    let scratch = Scratch::new();
    let expected = frames(&rows(&capture("crc-mon-cephx.pcap"), &[]));
    for port in [80, 9999, 6881, 7171, 443] {
        let path = moved(&scratch, "crc-mon-cephx.pcap", 3300, port);
        let options = if port < 1000 { &["-o", "tcp.try_heuristic_first:TRUE"][..] } else { &[] };
        assert_eq!(frames(&rows(&path, options)), expected, "port {port}");
    }
}

/// Who speaks something else to a msgr2 port is told, whoever spoke first, on our ports and elsewhere; and what the msgr2
/// side said is shown.
#[test]
fn strangers_at_a_msgr2_port() {
    const V2: &[u8] = b"ceph v2\n\x10\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let msgr1 = [&b"ceph v027"[..], &[0; 136 + 136]].concat();
    let strangers =
        [("msgr1", &msgr1[..]), ("HTTP", b"GET / HTTP/1.1\r\nHost: mon\r\n\r\n"), ("TLS", &[0x16, 3, 1, 0, 200, 1])];
    let scratch = Scratch::new();
    let path = scratch.file("strangers.pcap");
    for (name, bytes) in strangers {
        for (port, client_first) in [(3300, true), (3300, false), (6800, true), (6800, false)] {
            let mut said = [
                packets::Segment { client: true, bytes: bytes.to_vec() },
                packets::Segment { client: false, bytes: V2.to_vec() },
            ];
            if !client_first {
                said.reverse();
            }
            let mut wire = packets::Wire::new();
            wire.connection("192.0.2.1:20000", &format!("192.0.2.2:{port}"), &said);
            packets::write(&path, &wire.packets);
            for options in [&[][..], &["-2"]] {
                let text = tshark(&path, [options, &["-q", "-z", "expert"]].concat());
                let line = text
                    .lines()
                    .find(|line| line.contains("Wrong protocol"))
                    .unwrap_or_else(|| panic!("{name} {port}: {text}"));
                assert!(line.contains(name), "{line}");
                let shown = tshark(&path, [options, &["-Y", "msgr2.banner"]].concat());
                assert_eq!(shown.lines().count(), 1, "{name} {port} {client_first} {options:?}: {shown}");
            }
            let decoded = decode(&path);
            assert!(
                decoded.iter().any(|line| line["findings"].to_string().contains("wrong_protocol")),
                "{name}: {decoded:?}"
            );
        }
    }
}

const NO_HEURISTICS: [&str; 4] = ["--disable-heuristic", "msgr2_tcp", "--disable-heuristic", "ceph_tcp"];

#[test]
fn found_where_the_user_says() {
    let scratch = Scratch::new();
    let path = moved(&scratch, "crc-mon-cephx.pcap", 3300, 9999);
    let expected = frames(&rows(&capture("crc-mon-cephx.pcap"), &[]));
    let with = |options: &[&str]| frames(&rows(&path, &[&NO_HEURISTICS, options].concat()));
    assert!(with(&[]).is_empty(), "nobody could know");
    assert_eq!(with(&["-d", "tcp.port==9999,msgr2"]), expected, "decode as");
    assert_eq!(with(&["-o", "msgr2.tcp.port:9999"]), expected, "preference");
    assert_eq!(with(&["-o", "msgr2.tcp.port:3300,9990-10010"]), expected, "preference");
}

#[test]
fn ports_are_found_without_heuristics() {
    for name in ["crc-mon-cephx.pcap", "osd-cephx.pcap"] {
        let path = capture(name);
        assert_eq!(frames(&rows(&path, &NO_HEURISTICS)), frames(&rows(&path, &[])), "{name}");
    }
}

#[test]
fn it_can_be_switched_off() {
    let path = capture("crc-mon-cephx.pcap");
    let text = tshark(&path, ["--disable-protocol", "msgr2"]);
    assert!(!text.contains("MSGR2"), "{text}");
}
