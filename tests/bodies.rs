//! Message bodies of real clusters: every one is read to its last byte and written as it was, and says what the
//! daemons' logs say.
#![allow(clippy::unwrap_used)]

mod common;
mod listen;
mod talk;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use common::{captures, keyring_of, run, shared};
use listen::listen;
use msgr2::auth::Keyring;
use msgr2::frame::{self, Check, Dialect, Ending, Revision, secure};
use msgr2::messages::Body;
use msgr2::tracker::{Event, Knowledge, Mode, Stream, Unit, UnitKind, show};
use msgr2::types::{MessageHeader, MessageType, Msgr2Features};
use msgr2::v2_1::Frame;
use msgr2::wire::{Blob, Encode, Recorder, Segments, tree};
use msgr2::{Context, FindingKind, proposal, v2_0, v2_1};
use msgr2_spec::expr::parse_hex;
use serde_json::{Value, json};
use talk::{BOTH, C, NOTHING, S, Talk};

/// Recordings of whole clusters, and which release they are of.
const RECORDINGS: [&str; 8] = [
    "nautilus-14.2.21-crc",
    "nautilus-14.2.21-msgr20-crc",
    "pacific-16.2.15-crc-fs",
    "pacific-16.2.15-crc",
    "pacific-16.2.15-mixed",
    "pacific-16.2.15-none",
    "pacific-16.2.15-secure",
    "reef-18.2.7-crc",
];

/// A message as its header and body tell of it.
struct Told {
    stream: u32,
    header: MessageHeader,
    line: String,
    info: String,
    sizes: [usize; 3],
}

/// The segments of a frame of v2.0 or v2.1 in crc mode, decrypted or decompressed.
fn segments<'a>(unit: &Unit, bytes: &'a [u8]) -> Option<Segments<'a>> {
    let revision = unit.dialect.and_then(Dialect::revision)?;
    match unit.kind {
        UnitKind::Frame(head) if head.compressed() => None,
        UnitKind::Frame(head) if unit.mode == Mode::Secure => Some(secure::open_view(&head, revision, bytes).segments),
        UnitKind::Segments(head) => {
            let mut at = 0;
            Some(Segments::new(head.lengths.map(|length| {
                let start = at;
                at += length as usize;
                (start, &bytes[start..at])
            })))
        }
        UnitKind::Frame(head) => Some(frame::open(&head, revision, bytes, Check::Nothing).segments),
        _ => None,
    }
}

/// A message whose body is known, checked; counts go by type.
fn check(stream: u32, unit: &Unit, bytes: &[u8], told: &mut Vec<Told>) {
    assert!(unit.findings.iter().all(|finding| finding.kind != FindingKind::MalformedBody), "{:?}", unit.findings);
    let Some(segments) = segments(unit, bytes) else { return };
    let frame = Frame::decode(v2_1::Tag(unit.tag().unwrap()), &segments, &unit.context, &mut ());
    let Ok(Frame::Message(message)) = frame else { return };
    let header = message.header.clone();
    let read = Body::decode(header.r#type, header.version, &segments, &Context::default(), &mut ());
    let Some(read) = read else { return };
    let body = read.unwrap_or_else(|error| panic!("{}: {error}", header.r#type));
    let what = format!("{} {body:?}", header.r#type);
    let (newest, compat) = body.versions();
    assert_eq!(body.message_type(), header.r#type, "{what}");
    assert!(header.version <= newest && header.compat_version <= compat, "{what}");
    // what the senders sent is all in the fields
    let parts = [&message.front, &message.middle, &message.data];
    assert_eq!(body.encode().unwrap().each_ref().map(|part| &part[..]), parts.map(|part| &part.0[..]), "{what}");
    assert!(
        !what.contains("extra: [") || what.matches("extra: []").count() == what.matches("extra: [").count(),
        "{what}"
    );

    // as JSON it is shown in the place of the bytes, and can be read back
    let mut recorder = Recorder::new();
    let line = show(unit, bytes, &mut recorder).to_string();
    recorder.finish(bytes.len());
    let json = tree::to_json(&recorder, &[bytes]);
    let fields = json["message"].as_object().unwrap();
    let name = header.r#type.name().unwrap().to_lowercase();
    assert!(fields.len() == 2 && fields.contains_key("header") && fields.contains_key(&name), "{json}");
    for kept in ["extra", "middle", "data", "middle_extra", "data_extra"] {
        assert_eq!(fields[&name].get(kept), None, "{kept} of {json}");
    }
    let mut shown = fields.clone();
    shown.remove("header");
    assert_eq!(serde_json::from_value::<Body<'_>>(shown.into()).unwrap(), body, "{json}");

    let info = body.info().map(ToString::to_string).unwrap_or_default();
    let sizes = parts.map(|part| part.len());
    told.push(Told { stream, header, line, info, sizes });
}

fn walk(stream: u32, unit: &Unit, bytes: &Bytes, told: &mut Vec<Told>) {
    check(stream, unit, bytes, told);
    let Some(view) = (!unit.inner().is_empty()).then(|| unit.open(bytes)).flatten() else { return };
    let (view, mut at) = (Bytes::from(view), 0);
    for inner in unit.inner() {
        let end = view.len().min(at + inner.length as usize);
        walk(stream, inner, &view.slice(at..end), told);
        at = end;
    }
}

/// All messages of a capture whose bodies are known.
fn messages(path: &Path, knowledge: &Knowledge) -> Vec<Told> {
    let mut told = Vec::new();
    listen(path, knowledge, |stream, unit, bytes| walk(stream, unit, bytes, &mut told));
    told
}

fn counts(told: &[Told]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for message in told {
        *counts.entry(message.header.r#type.name().unwrap()).or_default() += 1;
    }
    counts
}

#[test]
fn bodies_of_our_captures() {
    let mut all = BTreeMap::new();
    for path in captures() {
        let knowledge = Knowledge::default();
        if let Some(keyring) = keyring_of(&path) {
            knowledge.add_text(&fs::read(keyring).unwrap()).unwrap();
        }
        for (name, count) in counts(&messages(&path, &knowledge)) {
            *all.entry(name).or_insert(0) += count;
        }
    }
    assert!(["CONFIG", "MON_GET_MAP", "MON_MAP", "MON_SUBSCRIBE"].iter().all(|name| all[name] > 0), "{all:?}");
}

#[test]
fn bodies_of_recordings_are_as_the_logs_say() {
    for name in RECORDINGS {
        let Some(path) = shared(&format!("{name}.pcapng")) else { continue };
        let beside = |ending: &str| fs::read(path.with_extension(ending)).unwrap_or_default();
        let knowledge = Knowledge::default();
        for keys in ["keyring", "auth"] {
            knowledge.add_keyring(&Keyring::parse(String::from_utf8(beside(keys)).unwrap()).unwrap());
        }
        let told = messages(&path, &knowledge);
        let counts = counts(&told);
        eprintln!("{name}: {counts:?}");
        assert!(["CONFIG", "MON_GET_MAP", "MON_MAP", "MON_SUBSCRIBE"].iter().all(|name| counts[name] > 0));
        let said = |line: &str| told.iter().any(|message| message.line.ends_with(line));
        assert!(said(": {}") && said(": {config=0+,monmap=0+}") && said(": {osd_max_backfills=2}"));
        assert!(name.ends_with("none") || said("AUTH v1 seq 3 tid 0: cephx get_rotating_key"));

        let log = run(Command::new("gzip").args(["-dc"]).arg(path.with_file_name(format!("{name}.log.gz"))));
        compare(&told, &log);
        compare_operations(&told, &log);
    }
}

/// Operations as the logs of their senders and receivers print them, for example
/// ` -- 127.0.0.1:0/939 --> v2:127.0.0.1:6800/8 -- osd_op(unknown.0.0:3 1.7 1:e9f41391:::small:head [write 0~5 in=5b]
/// snapc 0=[] ondisk+write e11) v8 -- ` and ` <== client.4113 127.0.0.1:0/939 2 ==== osd_op(client.4113.0:3 1.7 1.898228ab
/// (undecoded) ondisk+write e11) v8 ==== `. Those of each connection in the log are those of one in the capture, with
/// the same transactions, objects, operations, offsets, lengths, flags and epochs, and in the order of their receiver.
fn compare_operations(told: &[Told], log: &str) {
    // releases before Pacific don't tell the input's length, and none tells flags of operations without an extent
    let plain = |text: &str| {
        let mut text = text.replace(" [excl]", "").replace(" [failok]", "");
        while let Some(at) = text.find(" in=") {
            let end = at + text[at..].find('b').unwrap();
            text.replace_range(at..=end, "");
        }
        text
    };
    let (mut sent, mut received) = (BTreeMap::<&str, Vec<String>>::new(), BTreeMap::<&str, Vec<String>>::new());
    for line in log.lines() {
        if let Some((ends, text)) = line.split_once(" -- osd_op(") {
            let (Some((_, ends)), Some((text, _))) = (ends.split_once(" -- "), text.split_once(") v")) else {
                continue;
            };
            if ends.contains(" --> ") {
                sent.entry(ends).or_default().push(plain(text.split_once(':').unwrap().1));
            }
        } else if let Some((ends, text)) = line.split_once(" ==== osd_op(") {
            let Some((_, ends)) = ends.split_once(" -- ").filter(|(_, ends)| ends.contains(" <== ")) else { continue };
            let (ends, _) = ends.rsplit_once(' ').unwrap();
            let tid = text.split_once(':').unwrap().1.split(' ').next().unwrap();
            received.entry(ends).or_default().push(tid.to_owned());
        }
    }
    let mut found: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for message in told.iter().filter(|message| message.header.r#type == MessageType::OSD_OP) {
        let text = format!("{} {}", message.header.tid, plain(&message.info));
        found.entry(message.stream).or_default().push(text);
    }
    let mut found: Vec<Vec<String>> = found.into_values().collect();
    let tid = |text: &String| text.split(' ').next().unwrap().to_owned();
    let mut orders: Vec<Vec<String>> = found.iter().map(|texts| texts.iter().map(tid).collect()).collect();
    assert!(!sent.is_empty() && !received.is_empty());
    for (ends, tids) in received {
        let at = orders.iter().position(|order| *order == tids);
        orders.swap_remove(at.unwrap_or_else(|| panic!("{ends}: {tids:?}")));
    }
    // several threads of a sender log what they send in another order
    found.iter_mut().for_each(|operations| operations.sort());
    for (ends, mut operations) in sent {
        operations.sort();
        let at = found.iter().position(|found| *found == operations);
        found.swap_remove(at.unwrap_or_else(|| panic!("{ends}: {operations:#?}")));
    }
    assert!(found.is_empty() && orders.is_empty(), "{found:#?} {orders:#?}");
}

/// A text without spaces and commas.
fn squeezed(text: &str) -> String {
    text.replace([' ', ','], "")
}

/// A message as a log prints it when it was received, for example
/// `<== osd.0 v2:127.0.0.1:6802/1 3 ==== mon_subscribe({osdmap=5}) v3 ==== 29+0+0 (crc`.
fn compare(told: &[Told], log: &str) {
    let mut logged: BTreeMap<String, usize> = BTreeMap::new();
    for line in log.lines() {
        let mut parts = line.split(" ==== ");
        let (Some(head), Some(text), Some(sizes)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let known = [
            "mon_subscribe(",
            "config(",
            "mon_map ",
            "mon_getmap ",
            "auth(",
            "auth_reply(",
            "mon_get_version(",
            "mon_get_version_reply(",
            "osd_map(",
            "command(",
        ];
        // which versions came isn't told in the line
        let text = match text.strip_prefix("osd_map(").and_then(|text| text.split_once(' ')) {
            Some((_, src)) => &format!("osd_map({src}"),
            // a command in several parts is joined in another way
            None if text.starts_with("command(") => &squeezed(text),
            None => text,
        };
        if head.contains(" <== ") && known.iter().any(|known| text.starts_with(known)) {
            let sizes = sizes.split(' ').next().unwrap();
            *logged.entry(format!("{text} {sizes}")).or_default() += 1;
        }
    }
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for Told { header, info, sizes, .. } in told {
        let text = match header.r#type {
            MessageType::MON_SUBSCRIBE => format!("mon_subscribe({info})"),
            MessageType::CONFIG => format!("config({} keys)", info.matches('=').count()),
            MessageType::MON_MAP => "mon_map magic: 0".to_owned(),
            MessageType::MON_GET_VERSION => format!("mon_get_version({info})"),
            MessageType::MON_GET_VERSION_REPLY => format!("mon_get_version_reply({info})"),
            MessageType::OSD_MAP => format!("osd_map({info})"),
            MessageType::COMMAND => {
                squeezed(&format!("command(tid {}: {}) v{}", header.tid, &info[1..info.len() - 1], header.version))
            }
            MessageType::MON_GET_MAP => "mon_getmap magic: 0".to_owned(),
            _ => continue,
        };
        let [front, middle, data] = sizes;
        let version =
            if header.r#type == MessageType::COMMAND { String::new() } else { format!(" v{}", header.version) };
        *found.entry(format!("{text}{version} {front}+{middle}+{data}")).or_default() += 1;
    }
    logged.retain(|text, _| !text.starts_with("auth"));
    assert!(logged.len() > 10, "{logged:?}");
    for (text, count) in &logged {
        // what a peer that is closing doesn't read is in the capture alone
        let captured = found.get(text).copied().unwrap_or_default();
        assert!(captured >= *count, "{text}: {count} in the log, {captured} in the capture");
    }
    let (logged, captured) = (logged.values().sum::<usize>(), found.values().sum::<usize>());
    assert!(captured - logged < 20, "{logged} in the log, {captured} in the capture");
}

/// The same message in both dialects, behind banners alone: its findings, its line, and how its fields are shown.
fn one_message(header: &MessageHeader, front: &[u8], middle: &[u8], data: &[u8]) -> [(Vec<String>, String, Value); 2] {
    let [front, middle, data] = [front, middle, data].map(|part| Blob::from(part.to_vec()));
    let parts = || (header.clone(), front.clone(), middle.clone(), data.clone());
    let shipped = {
        let (header, front, middle, data) = parts();
        let frame = Frame::Message(v2_1::Message { header, front, middle, data });
        let features = v2_0::BannerFeatures { supported: Msgr2Features::REVISION_1, ..Default::default() };
        let banner = v2_0::Banner { features: Some(features) }.to_bytes().unwrap();
        let mut out = Vec::new();
        frame::assemble(
            Revision::V2_1,
            frame.tag(),
            Default::default(),
            &frame.encode().unwrap().map(Into::into),
            Ending::Complete,
            &mut out,
        );
        (banner, out.concat())
    };
    let proposed = {
        let (header, front, middle, data) = parts();
        let frame = proposal::Frame::Msg(proposal::Msg { header, front, middle, data });
        let mut talk = Talk::new((BOTH, NOTHING), (BOTH, NOTHING));
        let banner = talk.pieces[0].1.clone();
        let said = talk.pieces.len();
        talk.bare(C, &frame);
        (banner, talk.pieces[said].1.clone())
    };
    [shipped, proposed].map(|(banner, message)| {
        let mut stream = Stream::new(Some(C));
        let mut last = None;
        let mut out = |event| match event {
            Event::Unit(unit, bytes) => last = Some((unit, bytes)),
            Event::Foreign => panic!("taken for something else"),
        };
        stream.push(C, &banner, &mut out);
        stream.push(S, &banner, &mut out);
        stream.push(C, &message, &mut out);
        let (unit, bytes) = last.unwrap();
        let mut recorder = Recorder::new();
        let line = show(&unit, &bytes, &mut recorder).to_string();
        recorder.finish(bytes.len());
        let shown = tree::to_json(&recorder, &[&bytes]);
        let findings = unit.findings.iter().filter(|finding| finding.kind == FindingKind::MalformedBody);
        let findings = findings.map(|finding| {
            let at = finding.start as usize;
            format!("{finding} ({:02x})", bytes[at])
        });
        let fields = ["message", "msg"].iter().find_map(|name| shown.get(name)).unwrap();
        (findings.collect(), line, fields.clone())
    })
}

#[test]
fn both_dialects_show_bodies() {
    let header = MessageHeader { seq: 7, r#type: MessageType::MON_SUBSCRIBE, version: 3, ..Default::default() };
    let front = parse_hex("01000000 03000000 6f7364 0500000000000000 01 02000000 766d ee").unwrap().concat();
    let body = json!({
        "what": [["osd", {"start": 5, "flags": "once"}]], "hostname": "vm", "extra": "ee", "middle": "aa", "data": "bbcc",
    });
    for (findings, line, fields) in one_message(&header, &front, &[0xaa], &[0xbb, 0xcc]) {
        assert_eq!((findings.len(), &fields["mon_subscribe"], fields.get("front")), (0, &body, None), "{line}");
        assert!(line.ends_with(" MON_SUBSCRIBE v3 seq 7 tid 0: {osd=5}"), "{line}");
    }
    // before version 3 the name of the host is something that a newer sender appended
    let older = MessageHeader { version: 2, ..header.clone() };
    for (findings, _, fields) in one_message(&older, &front, &[], &[]) {
        assert_eq!((findings.len(), &fields["mon_subscribe"]["extra"]), (0, &json!("02000000766dee")));
    }
    // nothing but a header
    let empty = MessageHeader { r#type: MessageType::MON_GET_MAP, version: 1, ..header.clone() };
    for (findings, line, fields) in one_message(&empty, &[], &[], &[]) {
        assert_eq!((findings.len(), &fields["mon_get_map"]), (0, &json!({})));
        assert!(line.ends_with(" MON_GET_MAP v1 seq 7 tid 0"), "{line}");
    }
    // of these the spec says nothing
    let other = MessageHeader { r#type: MessageType(0x7fff), ..header };
    for (findings, _, fields) in one_message(&other, &front, &[0xaa], &[]) {
        let parts = ["front", "middle", "data"].map(|part| fields[part].as_str().unwrap().len() / 2);
        assert_eq!((findings.len(), parts), (0, [front.len(), 1, 0]));
    }
}

#[test]
fn a_body_that_cannot_be_read_is_told_and_shown_as_bytes() {
    let header = MessageHeader { r#type: MessageType::CONFIG, version: 1, ..Default::default() };
    let front = parse_hex("02000000 01000000 61 01000000 62 09000000 63").unwrap().concat();
    for (findings, line, fields) in one_message(&header, &front, &[], &[0xdd]) {
        assert_eq!(findings.len(), 1, "{findings:?}");
        let what = &findings[0];
        assert!(what.starts_with("Malformed message body: CONFIG v1: config[1].entry.key at byte "), "{what}");
        // the place is that of the last byte of the front
        assert!(what.ends_with("ends 8 byte(s) early (63)"), "{what}");
        assert_eq!(fields["front"], json!("02000000010000006101000000620900000063"));
        assert_eq!((&fields["data"], fields.get("config")), (&json!("dd"), None));
        assert!(line.ends_with(" CONFIG v1 seq 0 tid 0"), "{line}");
    }
}
