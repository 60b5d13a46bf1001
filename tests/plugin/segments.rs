//! However TCP cuts a connection into segments, its frames stay the same.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::packets::{self, Segment, Wire, conversation, cut, joined};
use crate::common::{Scratch, capture, decode, run, tshark};
use crate::table::{Row, decoded_frames, findings, frames, rows, told};

const SERVER: u16 = 3300;

/// What both sides of the whole capture told.
fn original(name: &str) -> [Vec<u8>; 2] {
    let rows = rows(&capture(name), &[]);
    let port = rows.iter().find(|row| row.stream == 0 && row.port < 10_000).unwrap().port;
    told(&rows, 0, port)
}

/// A wire with connections from ever new ports.
struct Lab {
    wire: Wire,
    names: Vec<String>,
}

impl Lab {
    fn new() -> Self {
        Lab { wire: Wire::new(), names: Vec::new() }
    }

    fn addresses(&mut self, name: String) -> (String, String) {
        let port = 20_000 + self.names.len();
        let six = self.names.len() % 2 == 1;
        self.names.push(name);
        if six {
            (format!("[2001:db8::1]:{port}"), format!("[2001:db8::2]:{SERVER}"))
        } else {
            (format!("192.0.2.1:{port}"), format!("192.0.2.2:{SERVER}"))
        }
    }

    fn add(&mut self, name: impl Into<String>, said: &[Segment]) {
        let (client, server) = self.addresses(name.into());
        self.wire.connection(&client, &server, said);
    }

    /// Each of the connections, in the order in which they came.
    fn show(&self, path: &Path, options: &[&str]) -> Vec<Row> {
        packets::write(path, &self.wire.packets);
        let rows = rows(path, options);
        assert!(rows.iter().all(|row| !row.malformed));
        rows
    }

    fn all_tell(&self, path: &Path, options: &[&str], expected: &[Vec<u8>; 2]) {
        let rows = self.show(path, options);
        for (stream, name) in self.names.iter().enumerate() {
            assert_eq!(told(&rows, stream as u32, SERVER), *expected, "{name}");
        }
        assert_eq!(findings(&rows), [], "with {options:?}");
    }
}

#[test]
fn split_anywhere() {
    for name in ["crc-mon-cephx.pcap", "v20-mon.pcap"] {
        let (said, expected) = (conversation(&capture(name)), original(name));
        let mut lab = Lab::new();
        // a split within each segment, at places that move along
        for at in 1..44 {
            let pieces = |segment: &Segment| {
                let (client, bytes) = (segment.client, &segment.bytes);
                let at = if at <= 40 { at } else { bytes.len().saturating_sub(44 - at).max(1) };
                let (one, two) = bytes.split_at(at.min(bytes.len() - 1).max(1));
                [one, two].map(|bytes| Segment { client, bytes: bytes.to_vec() })
            };
            lab.add(format!("{name}: split after {at} bytes"), &said.iter().flat_map(pieces).collect::<Vec<_>>());
        }
        for most in [2, 3, 7, 31, 33, 100] {
            lab.add(format!("{name}: pieces of {most}"), &cut(&said, most));
        }
        lab.add(format!("{name}: as it was, IPv4"), &said);
        lab.add(format!("{name}: as it was, IPv6"), &said);
        lab.add(format!("{name}: joined, IPv4"), &joined(&said));
        lab.add(format!("{name}: joined, IPv6"), &joined(&said));
        let scratch = Scratch::new();
        let path = scratch.file("split.pcap");
        lab.all_tell(&path, &[], &expected);
        lab.all_tell(&path, &["-2"], &expected);
        assert_eq!(frames(&rows(&path, &[])), decoded_frames(&decode(&path)), "{name}: the program sees the same");
    }
}

#[test]
fn byte_by_byte() {
    for name in ["crc-mon-cephx.pcap", "reef-compression.pcap"] {
        let mut lab = Lab::new();
        let said = cut(&conversation(&capture(name)), 1);
        lab.add("IPv4", &said);
        lab.add("IPv6", &said);
        let scratch = Scratch::new();
        lab.all_tell(&scratch.file("bytes.pcap"), &[], &original(name));
    }
}

/// The fields, not only the tags, of what was put together from pieces.
#[test]
fn fields_survive_a_split() {
    let fields = [
        "msgr2.hello.entity_type",
        "msgr2.message.type",
        "msgr2.message.seq",
        "msgr2.entity_addr.nonce",
        "msgr2.sender",
    ];
    let all = |path: &Path| -> Vec<Vec<String>> {
        let mut arguments = vec!["-Y", "msgr2", "-T", "fields"];
        arguments.extend(fields.iter().flat_map(|field| ["-e", field]));
        let text = tshark(path, arguments);
        let column = |n: usize| {
            let cells = text.lines().map(|line| line.split('\t').nth(n).unwrap());
            cells.flat_map(|cell| cell.split(',')).filter(|one| !one.is_empty()).map(String::from).collect()
        };
        (0..fields.len()).map(column).collect()
    };
    let scratch = Scratch::new();
    let path = scratch.file("pieces.pcap");
    for most in [1, 10, 50] {
        let mut wire = Wire::new();
        wire.connection("192.0.2.1:20000", "192.0.2.2:3300", &cut(&conversation(&capture("crc-mon-cephx.pcap")), most));
        packets::write(&path, &wire.packets);
        assert_eq!(all(&path), all(&capture("crc-mon-cephx.pcap")), "pieces of {most}");
    }
}

#[test]
fn a_direction_in_one_segment() {
    let said = conversation(&capture("crc-mon-cephx.pcap"));
    let side = |client: bool| Segment {
        client,
        bytes: said.iter().filter(|s| s.client == client).flat_map(|s| s.bytes.clone()).collect(),
    };
    let scratch = Scratch::new();
    let mut lab = Lab::new();
    lab.add("client first", &[side(true), side(false)]);
    lab.add("server first", &[side(false), side(true)]);
    let rows = lab.show(&scratch.file("two.pcap"), &[]);
    for stream in 0..2 {
        assert_eq!(told(&rows, stream, SERVER), original("crc-mon-cephx.pcap"));
    }
}

#[test]
fn sent_twice() {
    let said = conversation(&capture("crc-mon-cephx.pcap"));
    let mut lab = Lab::new();
    for most in [usize::MAX, 40, 13] {
        let (client, server) = lab.addresses(format!("at once, pieces of {most}"));
        let mut c = lab.wire.open(&client, &server);
        for segment in cut(&said, most) {
            lab.wire.segment(&c, &segment, 0);
            lab.wire.say(&mut c, &segment);
        }
        lab.wire.close(&mut c);
        let (client, server) = lab.addresses(format!("after the other side, pieces of {most}"));
        let mut c = lab.wire.open(&client, &server);
        for segment in cut(&said, most) {
            lab.wire.say(&mut c, &segment);
            lab.wire.segment(&c, &segment, -(segment.bytes.len() as i64));
        }
        lab.wire.close(&mut c);
    }
    let scratch = Scratch::new();
    let path = scratch.file("twice.pcap");
    lab.all_tell(&path, &[], &original("crc-mon-cephx.pcap"));
    lab.all_tell(&path, &["-2"], &original("crc-mon-cephx.pcap"));
}

#[test]
fn out_of_order() {
    let said = conversation(&capture("crc-mon-cephx.pcap"));
    let mut lab = Lab::new();
    for most in [usize::MAX, 60, 25] {
        let (client, server) = lab.addresses(format!("pieces of {most}"));
        let mut c = lab.wire.open(&client, &server);
        let pieces = cut(&said, most);
        let mut at = 0;
        while let Some(one) = pieces.get(at) {
            match pieces.get(at + 1).filter(|two| two.client == one.client) {
                Some(two) => {
                    lab.wire.segment(&c, two, one.bytes.len() as i64);
                    lab.wire.segment(&c, one, 0);
                    lab.wire.skip(&mut c, one.client, one.bytes.len() + two.bytes.len());
                    at += 2;
                }
                None => {
                    lab.wire.say(&mut c, one);
                    at += 1;
                }
            }
        }
        lab.wire.close(&mut c);
    }
    let scratch = Scratch::new();
    let path = scratch.file("swapped.pcap");
    lab.all_tell(&path, &["-o", "tcp.reassemble_out_of_order:TRUE"], &original("crc-mon-cephx.pcap"));
    lab.all_tell(&path, &["-2", "-o", "tcp.reassemble_out_of_order:TRUE"], &original("crc-mon-cephx.pcap"));
    lab.all_tell(&path, &[], &original("crc-mon-cephx.pcap"));
    lab.all_tell(&path, &["-2"], &original("crc-mon-cephx.pcap"));
}

/// Whether what is shown is what was sent, with parts left out.
pub(crate) fn is_subsequence(shown: &[u8], sent: &[u8]) -> bool {
    let mut sent = sent.iter();
    shown.iter().all(|tag| sent.any(|other| other == tag))
}

#[test]
fn begun_in_the_middle() {
    let scratch = Scratch::new();
    let path = scratch.file("middle.pcap");
    for name in ["crc-mon-cephx.pcap", "v20-mon.pcap", "keepalive.pcap"] {
        let packets = packets::read(&capture(name));
        let whole = rows(&capture(name), &[]);
        for first in [5, 8, 9, 13, 16] {
            packets::write(&path, &packets[first..]);
            let mut expected: Vec<u8> = Vec::new();
            for row in whole.iter().filter(|row| row.packet as usize > first) {
                expected.extend(&row.tags);
            }
            let rows = rows(&path, &[]);
            let shown: Vec<u8> = rows.iter().flat_map(|row| row.tags.iter().copied()).collect();
            assert_eq!(shown, expected, "{name} from packet {}", first + 1);
            let found = findings(&rows);
            assert!(found.iter().all(|(_, kind)| *kind == "resumed"), "{name} from packet {}: {found:?}", first + 1);
            assert!(found.len() <= 2, "once for each side: {found:?}");
            assert_eq!(found.is_empty(), expected.is_empty(), "{name} from packet {}", first + 1);
        }
    }
}

fn editcap(arguments: &[&str], from: &Path, to: PathBuf) -> PathBuf {
    run(Command::new("editcap").args(arguments).arg(from).arg(&to));
    to
}

#[test]
fn cut_packets() {
    let scratch = Scratch::new();
    for name in ["crc-mon-cephx.pcap", "rare.pcapng", "secure-mon.pcap"] {
        let sent: Vec<u8> = rows(&capture(name), &[]).iter().flat_map(|row| row.tags.clone()).collect();
        for length in ["80", "92", "130", "400"] {
            let path = editcap(&["-F", "pcap", "-s", length], &capture(name), scratch.file("cut.pcap"));
            for options in [&["-2"][..], &["-o", "tcp.desegment_tcp_streams:FALSE"]] {
                let shown = rows(&path, options);
                let bad = shown.iter().find(|row| row.malformed || row.findings.iter().any(|kind| kind == "not_shown"));
                assert!(bad.is_none(), "{name} cut to {length}, {options:?}: {bad:?}");
                let tags: Vec<u8> = shown.iter().flat_map(|row| row.tags.clone()).collect();
                assert!(tags.iter().all(|tag| sent.contains(tag)), "{name} cut to {length}: {tags:?}");
                assert!(length != "400" || tags.len() * 2 > sent.len(), "{name} cut to {length}: {tags:?}");
            }
        }
    }
}

/// A segment that the capture lacks costs the frames in it, and none behind it is called damaged.
#[test]
fn lost_packets() {
    let said = conversation(&capture("crc-mon-cephx.pcap"));
    let whole = original("crc-mon-cephx.pcap");
    let mut lab = Lab::new();
    for most in [usize::MAX, 50] {
        let pieces = cut(&said, most);
        // beginning behind the banners: without one of those the connection is one found in the middle
        for lost in 2..pieces.len() {
            let (client, server) = lab.addresses(format!("pieces of {most}, without number {lost}"));
            let mut c = lab.wire.open(&client, &server);
            for (number, piece) in pieces.iter().enumerate() {
                if number == lost {
                    lab.wire.skip(&mut c, piece.client, piece.bytes.len());
                } else {
                    lab.wire.say(&mut c, piece);
                }
            }
            lab.wire.close(&mut c);
        }
    }
    let scratch = Scratch::new();
    let rows = lab.show(&scratch.file("lost.pcap"), &[]);
    for (stream, name) in lab.names.iter().enumerate() {
        let told = told(&rows, stream as u32, SERVER);
        assert!(told.iter().zip(&whole).all(|(told, sent)| is_subsequence(told, sent)), "{name}: {told:?}");
        let missing = whole.iter().map(Vec::len).sum::<usize>() - told.iter().map(Vec::len).sum::<usize>();
        assert!(missing <= 3, "{name}: {told:?}");
        let own: Vec<Row> = rows.iter().filter(|row| row.stream == stream as u32).cloned().collect();
        let found = findings(&own);
        assert!(found.iter().all(|(_, kind)| ["lost", "resumed", "illegal_order"].contains(kind)), "{name}: {found:?}");
        // an answer to what is missing, before the next segment shows that something is
        assert!(found.iter().filter(|(_, kind)| *kind == "illegal_order").count() <= 1, "{name}: {found:?}");
    }
}

#[test]
fn without_reassembly() {
    for name in ["crc-mon-cephx.pcap", "keepalive.pcap"] {
        let whole = frames(&rows(&capture(name), &[]));
        for option in [
            "tcp.desegment_tcp_streams:FALSE",
            "tcp.reassemble_out_of_order:TRUE",
            "tcp.analyze_sequence_numbers:FALSE",
        ] {
            let rows = rows(&capture(name), &["-o", option]);
            assert_eq!(frames(&rows), whole, "{name} {option}");
            assert!(rows.iter().all(|row| !row.malformed), "{name} {option}");
        }
    }
}

/// Who looks at a segment that tells no frame by itself finds the packets that do.
#[test]
fn segments_lead_to_their_frames() {
    let said = cut(&conversation(&capture("crc-mon-cephx.pcap")), 70);
    let mut lab = Lab::new();
    let (client, server) = lab.addresses("every piece twice".into());
    let mut c = lab.wire.open(&client, &server);
    for piece in &said {
        lab.wire.say(&mut c, piece);
        lab.wire.segment(&c, piece, -(piece.bytes.len() as i64));
    }
    lab.wire.close(&mut c);
    let scratch = Scratch::new();
    let path = scratch.file("leads.pcap");
    packets::write(&path, &lab.wire.packets);
    let columns = ["frame.number", "msgr2.tag", "msgr2.segment", "msgr2.reassembled_in", "msgr2.retransmission_of"];
    let mut arguments = vec!["-2", "-Y", "tcp.len > 0", "-T", "fields"];
    arguments.extend(columns.iter().flat_map(|column| ["-e", column]));
    let text = tshark(&path, arguments);
    let numbers = |cell: &str| -> Vec<u32> {
        cell.split(',').filter(|one| !one.is_empty()).map(|one| one.parse().unwrap()).collect()
    };
    let rows: Vec<Vec<Vec<u32>>> = text.lines().map(|line| line.split('\t').map(numbers).collect()).collect();
    let at = |packet: u32| rows.iter().find(|row| row[0] == [packet]).unwrap();
    let (mut joined, mut again) = (0, 0);
    for row in &rows {
        let packet = row[0][0];
        if let [first] = row[4][..] {
            again += 1;
            assert!(row[1].is_empty() && first < packet && at(first)[4].is_empty(), "{row:?}");
        }
        if let [complete] = row[3][..] {
            assert!(complete > packet && at(complete)[2].contains(&packet), "{row:?}: {:?}", at(complete));
        }
        joined += usize::from(!row[2].is_empty());
        assert!(row[2].iter().all(|segment| *segment <= packet), "{row:?}");
    }
    assert_eq!(again, said.len(), "each piece came twice");
    assert!(joined > 5, "{text}");
    // and the page of a frame that was put together has its bytes
    let bytes = tshark(&path, ["-x", "-Y", "msgr2.auth_done"]);
    assert!(bytes.contains("Reassembled msgr2 frame"), "{bytes}");
}
