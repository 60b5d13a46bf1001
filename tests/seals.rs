//! What cephx seals, opened as the dissector shows it: every seal of real handshakes and of the proposal's, with the
//! keys of their clusters (which no longer exist), with others, and without any.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{Scratch, capture, file, keyring_of, msgr2, run, shared};
use msgr2::Context;
use msgr2::auth::{EntityName, Key, ServiceKeys};
use msgr2::field::{self, FIELDS};
use msgr2::tracker::{Direction, Event, Knowledge, Stream, Unit, show};
use msgr2::types::{
    CephxHeldTicket, CephxSealedTicket, CephxServiceTicketInfo, CephxTicketBlob, CryptoKey, CryptoType, EntityType,
};
use msgr2::wire::{Blob, Composite, Encode, Reader, Recorded, Recorder, Sealed, Trace as _, Unseal, tree};
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// client.admin of the clusters that our captures of the shipped protocol are of.
const ADMIN: [(&str, &str); 3] = [
    ("crc-mon-cephx.pcap", "AQBP9wJr0mSsFRAAwn3VmJRlmDGgSJ18TqxdtA=="),
    ("secure-mon.pcap", "AQDo9AJr2Hy/MxAAjXAn3G6jr51iVw6fGjGnrQ=="),
    ("v20-mon.pcap", "AQCn9QJr/8n+CBAAeHhxll7eRw4JdJ8D8m9tyQ=="),
];
/// The rotating key of the cluster of another one.
const OSD: &str = "[service.osd]\nkey.2 = AQBP9wJrsrZYIRAAhCzckh2rt4exbNoCER01hw==\n";
/// A key of nobody.
const OTHER: &str = "AQAA8VNlAAAAABAA8PHy8/T19vf4+fr7/P3+/w==";
/// Captures of the proposal that have a keyring.
const PROPOSAL: [&str; 3] = ["proposal-exchange.pcapng", "proposal-ticket.pcapng", "proposal-reconnect.pcapng"];

/// How many seals of each kind opened and stayed shut, by the frame's name and the path of the field.
type Seals = BTreeMap<String, (usize, usize)>;

fn frames(capture: &Path, keyrings: &[&Path]) -> Vec<Value> {
    let mut command = msgr2();
    command.args(["decode", "--json", "--max-bytes", "0"]);
    for keyring in keyrings {
        command.arg("--keyring").arg(keyring);
    }
    run(command.arg(capture)).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The names of sealed fields.
fn sealed_names() -> Vec<&'static str> {
    let sealed = FIELDS.iter().filter_map(|field| field.filter.strip_suffix(".opened"));
    sealed.map(|filter| filter.rsplit('.').next().unwrap()).collect()
}

fn count(value: &Value, path: &str, names: &[&str], seals: &mut Seals) {
    let name = path.rsplit('.').next().unwrap();
    match value {
        Value::Object(fields) if fields.contains_key("opened") => {
            assert!(fields["sealed"].is_string() && fields.len() == 2, "{path}: {value}");
            seals.entry(path.to_owned()).or_default().0 += 1;
            count(&fields["opened"], &format!("{path}.opened"), names, seals);
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                count(value, &format!("{path}.{name}"), names, seals);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| count(item, path, names, seals)),
        Value::String(text) if !text.is_empty() && names.contains(&name) => {
            seals.entry(path.to_owned()).or_default().1 += 1;
        }
        _ => {}
    }
}

fn seals(capture: &Path, keyrings: &[&Path]) -> Seals {
    let (mut seals, names) = (Seals::new(), sealed_names());
    for frame in frames(capture, keyrings) {
        let name = frame["name"].as_str().unwrap();
        // messages are another matter
        if name.starts_with("AUTH") {
            count(&frame["fields"], name, &names, &mut seals);
        }
    }
    assert!(seals.keys().any(|path| path.contains(".reply")), "{}: no handshake: {seals:?}", capture.display());
    seals
}

/// What is a ticket itself, which only services and monitors can open.
fn is_ticket(path: &str) -> bool {
    path.ends_with(".ticket.ticket") || path.ends_with(".plain.ticket") || path.ends_with(".old_ticket.ticket")
}

fn keyring(scratch: &Scratch, text: &str) -> PathBuf {
    let path = scratch.file("keyring");
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn all_that_a_client_can_open_is_opened() {
    let scratch = Scratch::new();
    let mut captures: Vec<(PathBuf, PathBuf)> = PROPOSAL
        .map(|name| {
            let path = capture(name);
            let keys = keyring_of(&path).unwrap();
            (path, keys)
        })
        .into();
    for (name, key) in ADMIN {
        let path = scratch.file(&format!("{name}.keyring"));
        fs::write(&path, format!("[client.admin]\nkey = {key}\n")).unwrap();
        captures.push((capture(name), path));
    }
    for (capture, keys) in &captures {
        let (with, without) = (seals(capture, &[keys]), seals(capture, &[]));
        assert!(without.values().all(|(opened, shut)| *opened == 0 && *shut > 0), "{without:?}");
        assert!(with.values().any(|(opened, _)| *opened > 0), "{}: {with:?}", capture.display());
        for (path, (_, shut)) in with {
            assert!(shut == 0 || is_ticket(&path), "{}: {shut} times {path}", capture.display());
        }
    }
}

#[test]
fn a_ticket_opens_with_the_key_of_its_service() {
    let scratch = Scratch::new();
    let (osd, keys) = (capture("osd-cephx.pcap"), keyring(&scratch, OSD));
    let opened = seals(&osd, &[&keys]);
    assert!(opened.len() >= 6 && opened.values().all(|(_, shut)| *shut == 0), "{opened:?}");

    let shown = frames(&osd, &[&keys]);
    let request = shown.iter().find(|frame| frame["name"] == "AUTH_REQUEST").unwrap();
    let ticket = &request["fields"]["payload"]["cephx"]["body"]["authorizer"]["ticket"]["ticket"]["opened"];
    assert_eq!(ticket["ticket"]["name"], json!({"type": "client", "id": "admin"}), "{request}");
    assert_eq!(ticket["session_key"]["type"], "aes");
    assert_eq!(ticket["session_key"]["secret"], "16 bytes, secret");
    let seconds = |name: &str| -> f64 { ticket["ticket"][name].as_str().unwrap().parse().unwrap() };
    assert_eq!(seconds("expires") - seconds("created"), 3600.0, "{ticket}");
}

#[test]
fn a_reply_tells_how_long_tickets_last() {
    let path = capture("proposal-ticket.pcapng");
    let shown = frames(&path, &[&keyring_of(&path).unwrap()]);
    let reply = shown.iter().find(|frame| frame["fields"]["status"] == "done").unwrap();
    let reply = &reply["fields"]["payload"]["done"]["reply"]["mon"];
    let first = &reply["tickets"]["tickets"][0]["service_ticket"]["opened"];
    assert_eq!(first["validity"], "259200.000000000", "{reply}");
    let secret = &reply["connection_secret"]["sealed"]["opened"]["secret"];
    assert_eq!(secret, "64 bytes, secret", "{reply}");
}

#[test]
fn other_keys_change_nothing() {
    let scratch = Scratch::new();
    let keys = keyring(
        &scratch,
        &format!("[client.admin]\nkey = {OTHER}\n[mon.]\nkey = {OTHER}\n[service.osd]\nkey.2 = {OTHER}\n"),
    );
    for name in PROPOSAL.into_iter().chain(ADMIN.map(|(name, _)| name)).chain(["osd-cephx.pcap"]) {
        let fields = |keyrings: &[&Path]| -> Vec<Value> {
            frames(&capture(name), keyrings).into_iter().map(|frame| frame["fields"].clone()).collect()
        };
        assert_eq!(fields(&[&keys]), fields(&[]), "{name}");
    }
}

/// The secrets of the exchange in the spec, in hex.
fn secrets() -> Vec<String> {
    let text = fs::read_to_string(file("spec/dialects/proposal/exchange.yaml")).unwrap();
    let secrets: Vec<String> = text
        .lines()
        .filter_map(|line| line.trim().split_once(": "))
        .filter(|(name, _)| ["session_key", "connection_secret"].contains(name))
        .map(|(_, value)| value.trim_matches('"').to_owned())
        .collect();
    assert!(secrets.len() == 2 && secrets.iter().all(|secret| secret.len() >= 32), "{secrets:?}");
    secrets
}

#[test]
fn secrets_are_told_by_their_length() {
    let path = capture("proposal-exchange.pcapng");
    let keys = keyring_of(&path).unwrap();
    for style in ["--json", "--verbose"] {
        let shown =
            run(msgr2().args(["decode", style, "--max-bytes", "0", "--keyring"]).arg(&keys).arg(&path)).to_lowercase();
        assert!(shown.contains("16 bytes, secret") && shown.contains("64 bytes, secret"), "{shown}");
        for secret in secrets() {
            assert!(!shown.contains(&secret), "{style}: {secret}");
        }
    }
    let key = CryptoKey { r#type: CryptoType::AES, secret: vec![0xab; 16].into(), ..Default::default() };
    assert!(format!("{key:?}").ends_with("secret: 16 bytes, secret }"), "{key:?}");
}

/// The units of a handshake with their bytes, followed with the key of the service.
fn handshake() -> Vec<(Unit, Vec<u8>)> {
    let knowledge = Knowledge::default();
    knowledge.add_text(OSD.as_bytes()).unwrap();
    let mut stream = Stream::new(None);
    stream.set_knowledge(knowledge);
    let mut units = Vec::new();
    for said in common::packets::conversation(&capture("osd-cephx.pcap")) {
        let direction = if said.client { Direction::Forward } else { Direction::Backward };
        stream.push(direction, &said.bytes, &mut |event| {
            if let Event::Unit(unit, bytes) = event {
                units.push((unit, bytes.to_vec()));
            }
        });
    }
    units
}

#[test]
fn what_is_shown_depends_on_no_order() {
    let units = handshake();
    assert_eq!(units.iter().filter(|(unit, _)| !unit.keys.is_empty()).count(), 4);
    let mut recorder = Recorder::new();
    let mut told = |index: usize| {
        let (unit, bytes) = &units[index];
        recorder.clear();
        show(unit, bytes, &mut recorder);
        recorder.finish(bytes.len());
        for node in recorder.nodes() {
            if let (Recorded::Secret(length), Some(view)) = (node.value, recorder.view(node.view)) {
                let end = (node.start + node.length) as usize;
                assert!(length > 0 && view.bytes()[end - length as usize..end].iter().all(|byte| *byte == 0));
            }
        }
        let views: Vec<_> = recorder.views().iter().map(|view| (view.field.label, view.bytes().to_vec())).collect();
        (tree::to_json(&recorder, &[bytes]), views)
    };
    let once: Vec<_> = (0..units.len()).map(&mut told).collect();
    for index in (0..units.len()).rev().chain((0..units.len()).map(|n| n * 7 % units.len())) {
        assert_eq!(told(index), once[index]);
    }
    let names: Vec<&str> = once.iter().flat_map(|(_, views)| views).map(|(name, _)| *name).collect();
    let shown = ["Decrypted ticket", "Decrypted proof"];
    assert_eq!(names, [&shown[..], &["Decrypted challenge"], &shown, &["Decrypted reply"]].concat());
}

/// Opens what begins with its byte.
#[derive(Debug)]
struct Byte(u8);

impl Unseal for Byte {
    fn unseal(&self, usage: u32, bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let rest = bytes.strip_prefix(&[self.0])?;
        // the spec says so of both that are sealed here
        assert!(usage == 0x05 || usage == 0x30);
        Some(Zeroizing::new(rest.to_vec()))
    }
}

fn sealed(plain: &[u8]) -> Vec<u8> {
    [&[0xee], plain].concat()
}

/// A ticket sealed once more, whose own seal holds this.
fn resealed(info: &[u8]) -> Vec<u8> {
    let blob = CephxTicketBlob { ticket: Sealed::new(Blob::from(sealed(info))), ..Default::default() };
    let held = CephxHeldTicket { ticket: Some(blob) };
    CephxSealedTicket { sealed: Sealed::new(Blob::from(sealed(&held.to_bytes().unwrap()))) }.to_bytes().unwrap()
}

fn told(bytes: &[u8]) -> Recorder {
    let mut recorder = Recorder::new();
    recorder.unseal_with(Some(Arc::new(Byte(0xee))));
    CephxSealedTicket::decode(&mut Reader::new(bytes), &Context::default(), &mut recorder).unwrap();
    recorder.finish(bytes.len());
    recorder
}

#[test]
fn seals_within_seals() {
    let mut info = CephxServiceTicketInfo::default();
    info.session_key.secret = vec![0x77; 16].into();
    let plain = info.to_bytes().unwrap();
    let bytes = resealed(&plain);
    let recorder = told(&bytes);
    let of = |field| recorder.nodes().iter().find(|node| node.field == field).unwrap();

    let outer = of(field::CEPHX_SEALED_TICKET_SEALED);
    assert_eq!((outer.view, outer.depth, outer.start, outer.length as usize), (0, 0, 0, bytes.len()));
    let opened = of(field::CEPHX_SEALED_TICKET_SEALED_OPENED);
    assert_eq!((opened.view, opened.depth, opened.start, opened.length as usize), (1, 1, 0, bytes.len() - 1));
    let inner = of(field::CEPHX_TICKET_BLOB_TICKET);
    assert_eq!((inner.view, inner.depth), (1, 3));
    let ticket = of(field::CEPHX_TICKET_BLOB_TICKET_OPENED);
    assert_eq!((ticket.view, ticket.depth, ticket.start, ticket.length as usize), (2, 4, 0, plain.len()));
    let secret = of(field::CRYPTO_KEY_SECRET);
    assert_eq!((secret.view, secret.length, secret.value), (2, 18, Recorded::Secret(16)));

    // the view has everything but the secret
    let mut masked = plain.clone();
    let at = masked.windows(16).position(|window| window == [0x77; 16]).unwrap();
    masked[at..at + 16].fill(0);
    assert_eq!(recorder.view(2).unwrap().bytes(), masked);
    assert!(recorder.view(0).is_none() && recorder.view(3).is_none());
    assert!(!format!("{recorder:?}").contains("119, 119"), "{recorder:?}");

    let shown = tree::to_json(&recorder, &[&bytes]);
    let ticket = &shown["sealed"]["opened"]["ticket"]["ticket"]["opened"];
    assert_eq!(ticket["session_key"]["secret"], "16 bytes, secret", "{shown}");
    // what was shown can be read back
    let read: CephxSealedTicket<'_> = serde_json::from_value(shown).unwrap();
    assert_eq!(read.to_bytes().unwrap(), bytes);
}

#[test]
fn what_cannot_be_read_is_not_shown() {
    let mut info = CephxServiceTicketInfo::default();
    info.session_key.secret = vec![0x77; 16].into();
    let plain = info.to_bytes().unwrap();
    for length in 0..plain.len() {
        let recorder = told(&resealed(&plain[..length]));
        let view = recorder.view(2).unwrap();
        assert_eq!(view.bytes().len(), length);
        assert!(!view.bytes().contains(&0x77), "{length}: {:?}", view.bytes());
        // all fields are closed where the reading ended
        for node in recorder.nodes().iter().filter(|node| node.view == 2) {
            assert!((node.start + node.length) as usize <= length);
        }
    }
}

#[test]
fn how_deep_and_how_much() {
    // a frame with more than a mebibyte of ciphertext is not looked into any further
    let recorder = told(&[&[0xee][..], &vec![0; 1 << 20]].concat());
    assert!(recorder.views().is_empty());
    let recorder = told(&[&[0xee][..], &vec![0; (1 << 20) - 1]].concat());
    assert_eq!(recorder.views().len(), 1);
    // without keys there is nothing to open, and none are left over from the frame before
    let mut recorder = told(&resealed(&[]));
    assert_eq!(recorder.views().len(), 2);
    recorder.clear();
    assert!(recorder.views().is_empty());
}

/// All keys of a recorded cluster, service keys too.
fn all_keys(recording: &Path) -> String {
    let beside = |ending: &str| fs::read_to_string(recording.with_extension(ending)).unwrap();
    let mut services = ServiceKeys::new();
    for line in beside("service-keys.tsv").lines() {
        let [service, id, key] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        // the monitors' own service has a name that no entity has
        let kind = match service {
            "auth" => EntityType::AUTH,
            other => format!("{other}.").parse::<EntityName>().unwrap().kind,
        };
        services.insert(kind, id.parse().unwrap(), Key::from_base64(key).unwrap()).unwrap();
    }
    beside("keyring") + "\n" + &beside("auth") + "\n" + &services.to_text()
}

#[test]
fn every_seal_of_the_recordings_opens() {
    let scratch = Scratch::new();
    for recording in [
        "nautilus-14.2.21-crc",
        "nautilus-14.2.21-msgr20-crc",
        "pacific-16.2.15-crc-fs",
        "pacific-16.2.15-crc",
        "pacific-16.2.15-mixed",
        "pacific-16.2.15-secure",
        "reef-18.2.7-crc",
    ] {
        let Some(path) = shared(&format!("{recording}.pcapng")) else { continue };
        let keys = keyring(&scratch, &all_keys(&path));
        let opened = seals(&path, &[&keys]);
        assert!(opened.len() > 10, "{recording}: {opened:?}");
        for (seal, (opened, shut)) in opened {
            assert!(opened > 0 && shut == 0, "{recording}: {seal}: {opened} opened, {shut} shut");
        }
    }
}
