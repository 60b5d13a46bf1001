//! Whatever TCP did to a capture, its messages stay the same: in the plugin, in one pass and in two, and in `msgr2 decode`.
//!
//! All of our captures are tried with each change, in one pass or in two by turns. With `MSGR2_TRAFFIC=all` they are tried in
//! both, and those of ../shared/captures as well, which takes long (`make check-traffic`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::packets::{self, Packet, tcp};
use crate::common::{Scratch, captures, decode_with, file, keyring_of, run, tshark};
use crate::table::fields;

/// What each side of each connection says: the tags of its frames, and type and number of each message.
type Told = BTreeMap<(u32, u16), Vec<String>>;

/// What is shown of a capture.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    told: Told,
    /// How often there is each kind of finding.
    findings: BTreeMap<String, usize>,
}

/// By `msgr2 decode`.
fn decoded(capture: &Path, keyring: Option<&Path>) -> Seen {
    let mut seen = Seen { told: Told::new(), findings: BTreeMap::new() };
    for line in decode_with(capture, keyring) {
        let port = line["src"].as_str().and_then(|src| src.rsplit_once(':')).unwrap().1.parse().unwrap();
        let stream = line["stream"].as_u64().unwrap() as u32;
        let said = seen.told.entry((stream, port)).or_default();
        if let Some(tag) = line["tag"].as_u64() {
            said.push(tag.to_string());
        }
        for finding in line["findings"].as_array().unwrap() {
            *seen.findings.entry(finding["kind"].as_str().unwrap().into()).or_default() += 1;
        }
    }
    seen.told.retain(|_, said| !said.is_empty());
    seen
}

/// By the plugin.
fn dissected(capture: &Path, keyring: Option<&Path>, options: &[&str]) -> Seen {
    let kinds: Vec<&str> = fields().iter().filter_map(|field| field.filter.strip_prefix("msgr2.finding.")).collect();
    let mut arguments: Vec<String> = options.iter().map(ToString::to_string).collect();
    if let Some(keyring) = keyring {
        arguments.extend(["-o".into(), format!("msgr2.keyring:{}", keyring.display())]);
    }
    arguments.extend(["-Y", "msgr2", "-T", "fields"].map(String::from));
    let columns = ["tcp.stream", "tcp.srcport", "tcp.dstport", "msgr2.tag", "msgr2.from_receiver"].map(String::from);
    let finding_fields = kinds.iter().map(|kind| format!("msgr2.finding.{kind}"));
    arguments.extend(columns.into_iter().chain(finding_fields).flat_map(|field| ["-e".to_string(), field]));
    let mut seen = Seen { told: Told::new(), findings: BTreeMap::new() };
    for line in tshark(capture, &arguments).lines() {
        let cells: Vec<Vec<&str>> =
            line.split('\t').map(|cell| cell.split(',').filter(|one| !one.is_empty()).collect()).collect();
        // inside a tunnel the inner connection is the last one
        let last = |at: usize| cells[at].last().unwrap().parse::<u32>().unwrap();
        let (stream, sender, receiver) = (last(0), last(1) as u16, last(2) as u16);
        for (index, tag) in cells[3].iter().enumerate() {
            let other = cells[4].get(index).is_some_and(|other| ["1", "True"].contains(other));
            let port = if other { receiver } else { sender };
            seen.told.entry((stream, port)).or_default().push(tag.to_string());
        }
        for (kind, found) in kinds.iter().zip(&cells[5..]) {
            if !found.is_empty() {
                *seen.findings.entry(kind.to_string()).or_default() += found.len();
            }
        }
    }
    seen
}

/// A change that leaves every byte in the capture.
type Change = fn(&[Packet]) -> Vec<Packet>;

/// So many packets with data, evenly over the capture.
fn places(packets: &[Packet], count: usize) -> Vec<usize> {
    let with_data: Vec<usize> = (0..packets.len()).filter(|at| payload(&packets[*at]) > 0).collect();
    let step = with_data.len().div_ceil(count).max(1);
    with_data.into_iter().skip(step / 2).step_by(step).collect()
}

fn payload(packet: &Packet) -> usize {
    packet.bytes.len() - tcp(packet).payload
}

/// A segment that is sent again: behind `dups` acknowledgements that say that it didn't arrive, so much later.
fn sent_again(packets: &[Packet], dups: usize, later: u64) -> Vec<Packet> {
    let chosen = places(packets, 20);
    let mut out: Vec<Packet> = packets.to_vec();
    for at in chosen {
        let original = &packets[at];
        let ports = tcp(original).ports;
        let answer = packets[..at].iter().rev().find(|packet| tcp(packet).ports == (ports.1, ports.0));
        if let Some(answer) = answer {
            out.extend((1..=dups as u64).map(|n| bare_ack(answer, original, original.time + n)));
        }
        out.push(Packet { time: original.time + later, bytes: original.bytes.clone() });
    }
    out.sort_by_key(|packet| packet.time);
    out
}

/// An acknowledgement without data, that says the segment to be missing.
fn bare_ack(answer: &Packet, missing: &Packet, time: u64) -> Packet {
    let (from, lost) = (tcp(answer), tcp(missing));
    let mut bytes = answer.bytes[..from.payload].to_vec();
    let ip = 14;
    let head = ip + usize::from(bytes[ip] & 15) * 4;
    let length = (bytes.len() - ip) as u16;
    bytes[ip + 2..ip + 4].copy_from_slice(&length.to_be_bytes());
    let ends = u32::from(from.syn) + u32::from(from.fin);
    let next = from.seq.wrapping_add(ends).wrapping_add(payload(answer) as u32);
    bytes[head + 4..head + 8].copy_from_slice(&next.to_be_bytes());
    bytes[head + 8..head + 12].copy_from_slice(&lost.seq.to_be_bytes());
    bytes[head + 13] = 0x10;
    Packet { time, bytes }
}

/// Two packets with data of one direction, one directly behind the other in that direction, in the other order.
fn swapped(packets: &[Packet]) -> Vec<Packet> {
    let mut out = packets.to_vec();
    for at in places(packets, 20) {
        let ports = tcp(&packets[at]).ports;
        let next = (at + 1..packets.len().min(at + 20)).find(|next| tcp(&packets[*next]).ports == ports);
        if let Some(next) = next.filter(|next| payload(&packets[*next]) > 0 && !between(&packets[at + 1..*next], ports))
        {
            let (one, two) = (out[at].bytes.clone(), out[next].bytes.clone());
            (out[at].bytes, out[next].bytes) = (two, one);
        }
    }
    out
}

/// Whether the other side says anything meanwhile: swapping around that would be no fault of TCP's.
fn between(packets: &[Packet], ports: (u16, u16)) -> bool {
    packets.iter().any(|packet| tcp(packet).ports == (ports.1, ports.0) && payload(packet) > 0)
}

fn doubled(packets: &[Packet]) -> Vec<Packet> {
    packets.iter().flat_map(|packet| [packet.clone(), packet.clone()]).collect()
}

/// What two machines captured of the same packets: the clock of the second is behind.
fn merged(packets: &[Packet]) -> Vec<Packet> {
    let late = packets.iter().map(|packet| Packet { time: packet.time + 3000, bytes: packet.bytes.clone() });
    let mut out: Vec<Packet> = packets.iter().cloned().chain(late).collect();
    out.sort_by_key(|packet| packet.time);
    out
}

fn in_vxlan(packets: &[Packet]) -> Vec<Packet> {
    let wrap = |packet: &Packet| {
        let udp = (8 + 8 + packet.bytes.len()) as u16;
        let mut bytes = vec![2, 0, 0, 0, 0, 3, 2, 0, 0, 0, 0, 4, 8, 0, 0x45, 0];
        bytes.extend((20 + udp).to_be_bytes());
        bytes.extend([0, 0, 0x40, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 0x9c, 0x40]);
        bytes.extend(4789u16.to_be_bytes());
        bytes.extend(udp.to_be_bytes());
        bytes.extend([0, 0, 8, 0, 0, 0, 0, 0, 42, 0]);
        bytes.extend(&packet.bytes);
        Packet { time: packet.time, bytes }
    };
    packets.iter().map(wrap).collect()
}

fn in_ipv6(packets: &[Packet]) -> Vec<Packet> {
    let wrap = |packet: &Packet| {
        let mut bytes = packet.bytes[..12].to_vec();
        let inner = &packet.bytes[14..];
        bytes.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
        bytes.extend((inner.len() as u16).to_be_bytes());
        bytes.extend([4, 64]);
        bytes.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        bytes.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
        bytes.extend(inner);
        Packet { time: packet.time, bytes }
    };
    packets.iter().map(wrap).collect()
}

const CHANGES: [(&str, Change); 7] = [
    ("fast retransmissions", |packets| sent_again(packets, 4, 60)),
    ("retransmissions after a time-out", |packets| sent_again(packets, 0, 300_000)),
    ("neighbours swapped", swapped),
    ("every packet doubled", doubled),
    ("merged with itself", merged),
    ("in VXLAN", in_vxlan),
    ("in IPv6", in_ipv6),
];

/// A capture in the simple format, its packets, and its keys.
fn prepared(scratch: &Scratch, path: &Path) -> (Vec<Packet>, Option<PathBuf>) {
    let simple = scratch.file(&format!("{}.simple.pcap", path.file_stem().unwrap().to_string_lossy()));
    run(Command::new("editcap").args(["-F", "pcap"]).arg(path).arg(&simple));
    (packets::read(&simple), keyring_of(path))
}

/// Whether everything is to be tried.
fn everything() -> bool {
    std::env::var_os("MSGR2_TRAFFIC").is_some_and(|what| what == "all")
}

/// The captures that are tried: ours, and if all are wanted the shared ones.
fn tried() -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = captures();
    if everything() {
        let folder = file("../shared/captures");
        let shared = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
        all.extend(shared.filter(|path| path.extension().is_some_and(|e| e == "pcapng")));
    }
    all.retain(|path| !path.to_string_lossy().contains("msgr1"));
    if let Some(only) = std::env::var_os("MSGR2_TRAFFIC_ONLY") {
        all.retain(|path| path.to_string_lossy().contains(&*only.to_string_lossy()));
    }
    all
}

#[test]
fn messages_stay_the_same() {
    let scratch = Scratch::new();
    let mut count = 0;
    for path in tried() {
        let (original, keyring) = prepared(&scratch, &path);
        let keyring = keyring.as_deref();
        let whole = decoded(&path, keyring);
        same(&dissected(&path, keyring, &[]), &whole, &path.display().to_string());
        let changed = scratch.file("changed.pcap");
        for (name, change) in CHANGES {
            count += 1;
            packets::write(&changed, &change(&original));
            let what = format!("{}, {name}", path.display());
            same(&decoded(&changed, keyring), &whole, &format!("{what}, decoded"));
            let passes = [&[][..], &["-2"]];
            for options in if everything() { &passes[..] } else { &passes[count % 2..][..1] } {
                same(&dissected(&changed, keyring, options), &whole, &format!("{what}, plugin {options:?}"));
            }
        }
    }
}

/// The same messages, and no finding that there wasn't before.
fn same(seen: &Seen, whole: &Seen, what: &str) {
    for (side, said) in &whole.told {
        assert_eq!(seen.told.get(side), Some(said), "{what}: {side:?}");
    }
    assert_eq!(seen.told.len(), whole.told.len(), "{what}");
    for (kind, count) in &seen.findings {
        assert!(whole.findings.get(kind).is_some_and(|before| count <= before), "{what}: {kind}, {count} times");
    }
}

/// What accuses a peer of something; behind bytes that are missing nobody can know.
const BLAME: [&str; 10] = [
    "illegal_order",
    "malformed_banner",
    "malformed_payload",
    "malformed_body",
    "bad_preamble",
    "bad_preamble_crc",
    "bad_segment_crc",
    "bad_signature",
    "bad_secure_frame",
    "rule_broken",
];

#[test]
fn lost_packets_blame_nobody() {
    let scratch = Scratch::new();
    for path in tried() {
        let (original, keyring) = prepared(&scratch, &path);
        let keyring = keyring.as_deref();
        let whole = decoded(&path, keyring);
        let changed = scratch.file("lossy.pcap");
        for seed in 1..=if everything() { 8u64 } else { 2 } {
            // a xorshift, so that a failure can be made anew
            let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mut kept = original.clone();
            kept.retain(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state % 100 != 0
            });
            packets::write(&changed, &kept);
            let what = format!("{}, seed {seed}", path.display());
            let (decoded, shown) = (decoded(&changed, keyring), dissected(&changed, keyring, &["-2"]));
            for (side, said) in &decoded.told {
                assert_eq!(shown.told.get(side), Some(said), "{what}: {side:?}, plugin and program");
            }
            assert_eq!(shown.told.len(), decoded.told.len(), "{what}");
            assert_eq!(shown.findings, decoded.findings, "{what}");
            for kind in BLAME {
                let before = whole.findings.get(kind).copied().unwrap_or_default();
                assert!(shown.findings.get(kind).is_none_or(|count| *count <= before), "{what}: {kind}");
            }
        }
    }
}
