//! Damaged frames are told apart from whole ones, and harm no others.

use crate::common::packets::{self, Packet, Segment, Wire, conversation, tcp};
use crate::common::{Scratch, capture, decode};
use crate::segments::is_subsequence;
use crate::table::{Row, findings, rows, told};

/// A place in a capture where a frame begins.
struct Place {
    /// The packet, from 1.
    packet: usize,
    /// Its first byte in the packet's payload.
    start: usize,
    length: usize,
    tag: u8,
    segments: [usize; 4],
}

/// All frames of a capture that has a whole number of them in each packet, by the lengths in their preambles.
fn frames_of(packets: &[Packet], epilogue: impl Fn(&[usize; 4]) -> usize) -> Vec<Place> {
    let mut places = Vec::new();
    for (index, packet) in packets.iter().enumerate() {
        let tcp = tcp(packet);
        let payload = &packet.bytes[tcp.payload..];
        let mut start = 0;
        while !tcp.syn && start < payload.len() && !payload[start..].starts_with(b"ceph") {
            let preamble = &payload[start..];
            let length = |n: usize| u32::from_le_bytes(preamble[2 + 6 * n..6 + 6 * n].try_into().unwrap()) as usize;
            let segments = [0, 1, 2, 3].map(length);
            let length = 32 + segments.iter().sum::<usize>() + epilogue(&segments);
            places.push(Place { packet: index + 1, start, length, tag: preamble[0], segments });
            start += length;
        }
    }
    places
}

/// msgr2.1: a CRC behind the first segment if it isn't empty, and an epilogue if there are more.
fn behind(segments: &[usize; 4]) -> usize {
    let first = if segments[0] > 0 { 4 } else { 0 };
    if segments[1..].iter().any(|length| *length > 0) { first + 13 } else { first }
}

/// What a flipped bit must lead to.
fn consequence(place: &Place, at: usize) -> &'static [&'static str] {
    let epilogue = place.length - 13;
    if at < 32 {
        &["bad_preamble_crc"]
    } else if behind(&place.segments) > 4 && at == epilogue {
        &["bad_epilogue", "aborted"]
    } else {
        &["bad_segment_crc"]
    }
}

/// Whether a byte is one that nothing depends on: the CRC of a segment that isn't there.
fn unused(place: &Place, at: usize) -> bool {
    if behind(&place.segments) <= 4 {
        return false;
    }
    let crcs = place.length - 12;
    at >= crcs && place.segments[1 + (at - crcs) / 4] == 0
}

/// A connection for each flipped bit, all in one capture: client ports count up.
fn flipped(name: &str) {
    let original = packets::read(&capture(name));
    let ports = tcp(&original[0]).ports;
    let whole = told(&rows(&capture(name), &[]), 0, ports.1);
    let places = frames_of(&original, behind);
    let count = whole.iter().map(Vec::len).sum::<usize>();
    assert_eq!(places.len(), count, "{name}: the frames of the capture");

    let scratch = Scratch::new();
    let path = scratch.file("flipped.pcap");
    let (mut all, mut cases) = (Vec::new(), Vec::new());
    for place in &places {
        for at in (0..place.length).step_by(place.length / 24 + 1).chain([place.length - 1]) {
            let mut copy = original.clone();
            packets::change_port(&mut copy, ports.0, 10_000 + cases.len() as u16);
            let from = tcp(&copy[place.packet - 1]).payload + place.start;
            copy[place.packet - 1].bytes[from + at] ^= 1 << ((at * 5 + place.packet) % 8);
            cases.push((place, at, all.len()));
            all.extend(copy);
        }
    }
    packets::write(&path, &all);
    let shown = rows(&path, &[]);
    for (stream, (place, at, before)) in cases.into_iter().enumerate() {
        let what = format!("{name}: tag {} in packet {}, a bit of byte {at} flipped", place.tag, place.packet);
        let own: Vec<Row> = shown.iter().filter(|row| row.stream == stream as u32).cloned().collect();
        let told = told(&own, stream as u32, ports.1);
        let mut found = findings(&own);
        // bytes of a frame whose preamble is damaged, if they come with the next segment
        found.retain(|(_, kind)| *kind != "lost");
        if unused(place, at) {
            assert_eq!((found, told), (vec![], whole.clone()), "{what}");
            continue;
        }
        let [(packet, kind)] = found.as_slice() else { panic!("{what}: {found:?}") };
        assert!(consequence(place, at).contains(kind), "{what}: {kind}");
        assert_eq!(*packet as usize, before + place.packet, "{what}");
        assert!(own.iter().all(|row| !row.findings.iter().any(|kind| kind == "not_shown")), "{what}");
        if *kind == "bad_preamble_crc" {
            assert!(told.iter().zip(&whole).all(|(told, sent)| is_subsequence(told, sent)), "{what}: {told:?}");
            assert_eq!(told.iter().map(Vec::len).sum::<usize>(), count - 1, "{what}: {told:?}");
        } else {
            assert_eq!(told, whole, "{what}");
        }
    }
}

#[test]
fn a_flipped_bit_in_a_connection_to_a_mon() {
    flipped("crc-mon-cephx.pcap");
}

#[test]
fn a_flipped_bit_in_a_connection_to_an_osd() {
    flipped("osd-cephx.pcap");
}

#[test]
fn crcs_need_not_be_checked() {
    let mut packets = packets::read(&capture("crc-mon-cephx.pcap"));
    let place = &frames_of(&packets, behind)[0];
    let at = tcp(&packets[place.packet - 1]).payload + place.start + place.length - 1;
    packets[place.packet - 1].bytes[at] ^= 1;
    let scratch = Scratch::new();
    let path = scratch.file("crc.pcap");
    packets::write(&path, &packets);
    assert_eq!(findings(&rows(&path, &[])), [(place.packet as u32, "bad_segment_crc")]);
    assert_eq!(findings(&rows(&path, &["-2"])), [(place.packet as u32, "bad_segment_crc")]);
    assert_eq!(findings(&rows(&path, &["-o", "msgr2.verify_crc:FALSE"])), []);
}

/// What is said, with two pieces exchanged.
fn exchanged(said: &[Segment], one: usize, other: usize) -> Vec<Segment> {
    let mut said = said.to_vec();
    assert_eq!(said[one].client, said[other].client);
    said.swap(one, other);
    said
}

#[test]
fn frames_in_the_wrong_order() {
    let said = conversation(&capture("crc-mon-cephx.pcap"));
    // each of these segments is one frame
    let place = |client: bool, tag: u8| said.iter().position(|s| s.client == client && s.bytes[0] == tag).unwrap();
    let cases = [
        ("SERVER_IDENT before AUTH_SIGNATURE", exchanged(&said, place(false, 7), place(false, 9)), 9),
        ("AUTH_SIGNATURE before AUTH_REQUEST", exchanged(&said, place(true, 2), place(true, 7)), 7),
        (
            "AUTH_REQUEST_MORE, with AUTH_DONE and AUTH_REPLY_MORE exchanged",
            exchanged(&said, place(false, 4), place(false, 6)),
            5,
        ),
        ("AUTH_REQUEST before HELLO", exchanged(&said, place(true, 1), place(true, 2)), 2),
    ];
    let scratch = Scratch::new();
    for (what, said, first) in cases {
        let mut wire = Wire::new();
        wire.connection("192.0.2.1:20000", "192.0.2.2:3300", &said);
        let path = scratch.file("order.pcap");
        packets::write(&path, &wire.packets);
        let rows = rows(&path, &[]);
        let wrong: Vec<&Row> =
            rows.iter().filter(|row| row.findings.iter().any(|kind| kind == "illegal_order")).collect();
        assert!(wrong.iter().any(|row| row.tags.contains(&first)), "{what}: {wrong:?}");
        let others: Vec<_> = findings(&rows).into_iter().filter(|(_, kind)| *kind != "illegal_order").collect();
        assert_eq!(others, [], "{what}");
        let decoded: Vec<(u32, String)> = decode(&path)
            .iter()
            .flat_map(|line| {
                let packet = line["packet"].as_u64().unwrap() as u32;
                let kinds = line["findings"].as_array().unwrap().iter();
                kinds.map(move |finding| (packet, finding["kind"].as_str().unwrap().to_string())).collect::<Vec<_>>()
            })
            .filter(|(_, kind)| kind != "old_key_type")
            .collect();
        let shown: Vec<(u32, String)> =
            findings(&rows).into_iter().map(|(packet, kind)| (packet, kind.into())).collect();
        assert_eq!(shown, decoded, "{what}: tshark and msgr2 decode");
        assert_eq!(rows.iter().map(|row| row.tags.len()).sum::<usize>(), 15, "{what}: all frames are shown");
    }
}
