//! The dialect of the proposal: its own exchange, opened with the keys that the user gives and without them, whole and
//! in pieces, and what becomes of it when somebody changes it on the way.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::slice;

use msgr2::auth::{Key, ServiceKeys};
use msgr2::crypto::Secret;
use msgr2::frame::proposal::{ConnectionKey, Opener, Sealer, Signer, Transcripts, assemble};
use msgr2::proposal::Tag;
use msgr2::tracker::Role;
use msgr2::types::{CryptoType, EntityType};
use msgr2::wire::Utime;

use crate::again::{same_in_any_order, same_in_two_passes};
use crate::common::packets::{self, Segment, Wire, cut, joined};
use crate::common::{Scratch, capture, file, keyring_of, msgr2, run, tshark};
use crate::pdml::{self, Item};
use crate::table::{self, Row, findings, rows, told};

const SERVER: u16 = 6800;

/// The exchange of the spec, byte for byte.
struct Exchange {
    flights: Vec<Segment>,
    secrets: BTreeMap<String, String>,
}

fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "{text}");
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// Reads the bytes of the flights and the secrets from the spec's file, whose form is always the same.
fn exchange() -> Exchange {
    let text = fs::read_to_string(file("spec/dialects/proposal/exchange.yaml")).unwrap();
    let (mut flights, mut secrets) = (Vec::new(), BTreeMap::new());
    let mut lines = text.lines().map(str::trim).skip_while(|line| *line != "secrets:").skip(1).peekable();
    while let Some(line) = lines.next_if(|line| *line != "flights:") {
        if let Some((name, value)) = line.split_once(": ").filter(|_| !line.starts_with('#')) {
            secrets.insert(name.to_string(), value.trim_matches('"').to_string());
        }
    }
    while let Some(line) = lines.next() {
        let Some(from) = line.strip_prefix("- from: ") else { continue };
        lines.by_ref().find(|line| line.starts_with("hex:")).unwrap();
        let mut hex = String::new();
        while let Some(line) = lines.next_if(|line| line.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b' ')) {
            hex.extend(line.split_whitespace());
        }
        flights.push(Segment { client: from == "client", bytes: unhex(&hex) });
    }
    assert!(flights.len() == 7 && secrets.len() > 8, "{} flights, {secrets:?}", flights.len());
    Exchange { flights, secrets }
}

impl Exchange {
    fn secret(&self, name: &str) -> Vec<u8> {
        unhex(&self.secrets[name])
    }

    /// What a user has who has the cluster's keys.
    fn keyring(&self) -> String {
        let created = Utime { sec: self.secrets["rotating_key_created"].parse().unwrap(), nsec: 0 };
        let key = Key::new(CryptoType::AES, created, Secret::from(self.secret("rotating_key"))).unwrap();
        let mut keys = ServiceKeys::new();
        keys.insert(EntityType::OSD, 2, key).unwrap();
        keys.to_text().to_string()
    }

    /// The flights up to the end of authentication, with other words in the banners: server, client, server.
    fn handshake(&self, server: &str, client: &str) -> Vec<Segment> {
        let mut said = self.flights[..3].to_vec();
        for (flight, words) in said.iter_mut().zip([server, client]) {
            let end = flight.bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
            flight.bytes.splice(..end, format!("ceph {words}\n").into_bytes());
        }
        said
    }

    /// What follows authentication, in the clear and without signatures.
    fn frames(&self) -> Vec<(Role, Vec<u8>)> {
        let key = self.key(&self.flights[..3]);
        let opener = |role, name: &str| Opener::new(&key, role, &self.secret(name).try_into().unwrap());
        let mut openers = [opener(Role::Client, "client_salt"), opener(Role::Server, "server_salt")];
        let mut frames = Vec::new();
        for flight in &self.flights[3..] {
            let (role, opener) =
                if flight.client { (Role::Client, &mut openers[0]) } else { (Role::Server, &mut openers[1]) };
            let mut rest = flight.bytes.as_slice();
            if rest[4] == Tag::ENCRYPT_BEGIN.0 && rest[..4] == [21, 0, 0, 0] {
                frames.push((role, rest[..25].to_vec()));
                rest = &rest[25..];
            }
            while !rest.is_empty() {
                let (record, behind) = rest.split_at(4 + u32::from_le_bytes(rest[..4].try_into().unwrap()) as usize);
                let mut plain = Vec::new();
                opener.open(record, &mut plain).unwrap();
                let length = 4 + u32::from_le_bytes(plain[..4].try_into().unwrap()) as usize;
                assert_eq!((plain.len() - length, plain[length + 4]), (37, Tag::SIGNATURE.0));
                plain.truncate(length);
                frames.push((role, plain));
                rest = behind;
            }
        }
        frames
    }

    fn key(&self, handshake: &[Segment]) -> ConnectionKey {
        let mut transcripts = Transcripts::default();
        for flight in handshake {
            transcripts.add(if flight.client { Role::Client } else { Role::Server }, &flight.bytes);
        }
        transcripts.connection_key(&self.secret("session_key"), &self.secret("connection_secret"))
    }
}

/// A connection that is like the exchange up to the end of authentication, and goes on as a test wants it.
struct Talk {
    said: Vec<Segment>,
    key: ConnectionKey,
    signers: [Signer; 2],
    sealers: [Option<Sealer>; 2],
}

impl Talk {
    fn new(exchange: &Exchange, server: &str, client: &str) -> Self {
        let said = exchange.handshake(server, client);
        let key = exchange.key(&said);
        let signers = [Role::Client, Role::Server].map(|role| Signer::new(&key, role));
        Talk { said, key, signers, sealers: [None, None] }
    }

    /// Bytes as they are, in a record if the direction is sealed by now.
    fn bytes(&mut self, role: Role, bytes: &[u8]) {
        let mut out = Vec::new();
        match &mut self.sealers[role as usize] {
            Some(sealer) => sealer.seal(bytes, &mut out).unwrap(),
            None => out.extend(bytes),
        }
        self.said.push(Segment { client: role == Role::Client, bytes: out });
    }

    /// The SIGNATURE of a frame.
    fn signature(&mut self, role: Role, frame: &[u8]) -> Vec<u8> {
        assemble(Tag::SIGNATURE, &self.signers[role as usize].sign(frame))
    }

    /// A frame as it should be.
    fn frame(&mut self, role: Role, frame: &[u8]) {
        if frame[4] == Tag::ENCRYPT_BEGIN.0 {
            self.bytes(role, frame);
            let sealer = Sealer::new(&self.key, role, frame[9..].try_into().unwrap());
            self.sealers[role as usize] = Some(sealer);
            return;
        }
        let signature = self.signature(role, frame);
        self.bytes(role, &[frame, &signature].concat());
    }
}

/// The whole exchange without sealing, each frame handed to `change` first, which says it in its own way or not.
fn in_the_clear(exchange: &Exchange, mut change: impl FnMut(&mut Talk, Role, Tag, &[u8]) -> bool) -> Vec<Segment> {
    let mut talk = Talk::new(exchange, "2 0", "2 0");
    for (role, frame) in exchange.frames() {
        let tag = Tag(frame[4]);
        if tag != Tag::ENCRYPT_BEGIN && !change(&mut talk, role, tag, &frame) {
            talk.frame(role, &frame);
        }
    }
    talk.said
}

/// A folder with keys, and captures of connections to a port of ours.
struct Lab {
    scratch: Scratch,
    keyring: String,
}

impl Lab {
    fn new(exchange: &Exchange) -> Self {
        let scratch = Scratch::new();
        fs::write(scratch.file("keyring"), exchange.keyring()).unwrap();
        let keyring = format!("msgr2.keyring:{}", scratch.file("keyring").display());
        Lab { scratch, keyring }
    }

    /// A capture with each of these connections.
    fn capture(&self, all: &[Vec<Segment>]) -> PathBuf {
        self.capture_at(all, SERVER)
    }

    fn capture_at(&self, all: &[Vec<Segment>], port: u16) -> PathBuf {
        let mut wire = Wire::new();
        for (n, said) in all.iter().enumerate() {
            wire.connection(&format!("192.0.2.10:{}", 40_000 + n), &format!("192.0.2.1:{port}"), said);
        }
        let path = self.scratch.file(&format!("proposal-{port}.pcap"));
        packets::write(&path, &wire.packets);
        path
    }

    fn rows(&self, path: &Path) -> Vec<Row> {
        rows(path, &["-o", &self.keyring])
    }

    /// The findings of a connection, with the keys.
    fn findings(&self, said: &[Segment]) -> Vec<String> {
        let rows = self.rows(&self.capture(&[said.to_vec()]));
        findings(&rows).into_iter().map(|(_, kind)| kind.to_string()).collect()
    }

    /// The lines of `-T fields`, with the keys.
    fn values(&self, path: &Path, filter: &str, wanted: &[&str]) -> Vec<String> {
        let mut arguments = vec!["-o", &self.keyring, "-Y", filter, "-T", "fields"];
        arguments.extend(wanted.iter().flat_map(|field| ["-e", field]));
        tshark(path, arguments).lines().map(String::from).collect()
    }
}

/// The tags of the exchange: what the client says, what the server says.
fn expected() -> [Vec<u8>; 2] {
    let client = [Tag::AUTH_SET_METHOD, Tag::AUTH_REQUEST, Tag::ENCRYPT_BEGIN, Tag::IDENT, Tag::SIGNATURE, Tag::START];
    let client = client.into_iter().chain([Tag::SIGNATURE, Tag::MSG, Tag::SIGNATURE]);
    let server = [Tag::AUTH_METHODS, Tag::AUTH_REPLY, Tag::ENCRYPT_BEGIN, Tag::IDENT, Tag::SIGNATURE, Tag::MSG];
    let server = server.into_iter().chain([Tag::SIGNATURE]);
    [client.map(|tag| tag.0).collect(), server.map(|tag| tag.0).collect()]
}

#[test]
fn with_the_key_everything_is_shown() {
    let exchange = exchange();
    let lab = Lab::new(&exchange);
    let path = lab.capture(slice::from_ref(&exchange.flights));
    let rows = lab.rows(&path);
    assert_eq!(told(&rows, 0, SERVER), expected());
    assert_eq!(findings(&rows), []);
    assert!(rows.iter().all(|row| !row.malformed));

    let info = lab.values(&path, "msgr2", &["_ws.col.Protocol", "_ws.col.Info", "msgr2.dialect", "msgr2.mode"]);
    assert_eq!(info.len(), 7, "{info:?}");
    for (line, words) in info.iter().zip([
        &["Banner", "AUTH_METHODS"][..],
        &["Banner", "AUTH_SET_METHOD", "AUTH_REQUEST"],
        &["AUTH_REPLY"],
        &["ENCRYPT_BEGIN", "IDENT", "SIGNATURE"],
        &["ENCRYPT_BEGIN", "IDENT", "SIGNATURE"],
        &["START", "SIGNATURE", "MSG", "SIGNATURE"],
        &["MSG", "SIGNATURE"],
    ]) {
        let cells: Vec<&str> = line.split('\t').collect();
        assert_eq!(cells[0], "MSGR2");
        let mut rest = cells[1];
        for word in words {
            rest = rest.split_once(word).unwrap_or_else(|| panic!("{word} in {line}")).1;
        }
        assert!(!cells[1].contains("Record"), "{line}");
    }
    let last = info[6].split('\t').nth(3).unwrap();
    assert!(last.split(',').all(|mode| mode == "secure"), "{last}");
    let status = lab.values(&path, "msgr2.signature.status", &["msgr2.signature.status"]);
    assert_eq!(status.join(","), ["good"; 5].join(","));
    // the frame that is signed came in the same packet
    for line in lab.values(&path, "msgr2.signs", &["frame.number", "msgr2.signs"]) {
        let (packet, signs) = line.split_once('\t').unwrap();
        assert!(signs.split(',').all(|signs| signs == packet), "{line}");
    }
}

#[test]
fn what_was_sealed_has_a_pane_of_its_own() {
    let exchange = exchange();
    let lab = Lab::new(&exchange);
    let path = lab.capture(slice::from_ref(&exchange.flights));
    let text = tshark(&path, ["-o", &lab.keyring, "-x"]);
    assert_eq!(text.matches("Decrypted msgr2 record").count(), 5, "{text}");
    // what the messages say is there to be read
    assert!(text.contains("hello"), "{text}");

    // inner frames stand under their record
    let packets = pdml::read(&tshark(&path, ["-o", &lab.keyring, "-T", "pdml"]));
    let last = packets.iter().rfind(|p| p.protos.iter().any(|proto| proto.name == "msgr2")).unwrap();
    let records: Vec<&Item> = last.protos.iter().filter(|proto| proto.name == "msgr2").collect();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    let inner: Vec<&Item> = record.children.iter().filter(|child| child.name == "msgr2").collect();
    let [message, signature] = inner.as_slice() else { panic!("{record:?}") };
    assert_eq!((record.size, message.size, signature.size), (4 + 129, 129 - 16 - 37, 37));
    // their places are in the pane: the signature's begins where the message ends
    assert_eq!(signature.pos, message.size);
}

/// All there is to see without a key.
fn without_key(rows: &[Row]) {
    let [client, server] = told(rows, 0, SERVER);
    assert_eq!(client, expected()[0][..3]);
    assert_eq!(server, expected()[1][..3]);
    assert!(rows.iter().all(|row| !row.malformed));
}

#[test]
fn without_the_key_records_are_told_apart() {
    let exchange = exchange();
    let lab = Lab::new(&exchange);
    let path = lab.capture(slice::from_ref(&exchange.flights));
    let rows = rows(&path, &[]);
    without_key(&rows);
    let kinds: Vec<&str> = findings(&rows).into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(kinds, ["encrypted"]);
    let lengths = tshark(&path, ["-Y", "msgr2.record", "-T", "fields", "-e", "msgr2.record_header.sealed_len"]);
    assert_eq!(lengths.lines().collect::<Vec<_>>(), ["147", "147", "66,126", "129"]);
    let numbers = tshark(&path, ["-Y", "msgr2.record", "-T", "fields", "-e", "msgr2.record"]);
    assert_eq!(numbers.lines().collect::<Vec<_>>(), ["0", "0", "1,2", "1"]);
    // why nothing can be read is said where the first record is
    let text = tshark(&path, ["-V", "-O", "msgr2"]);
    let why = text.lines().find_map(|line| line.trim().strip_prefix("Encrypted from here on: ")).unwrap();
    assert!(why.contains("osd"), "it says which key is missing: {why}");
}

#[test]
fn a_keyring_that_is_none_is_told_once() {
    let exchange = exchange();
    let lab = Lab::new(&exchange);
    let path = lab.capture(&[exchange.flights.clone(), exchange.flights.clone()]);
    let garbled = lab.scratch.file("garbled");
    fs::write(&garbled, exchange.keyring().replace("key.2", "\n# a comment\nkey:2")).unwrap();
    let empty = lab.scratch.file("empty");
    fs::create_dir(&empty).unwrap();
    fs::set_permissions(&empty, fs::Permissions::from_mode(0o755)).unwrap();
    for (name, words) in
        [(garbled, "line 4"), (lab.scratch.file("missing"), "No such file"), (empty, "no file in this folder")]
    {
        let option = format!("msgr2.keyring:{}", name.display());
        let with = rows(&path, &["-o", &option]);
        let kinds: Vec<(u32, &str)> = findings(&with);
        assert_eq!(kinds.iter().filter(|(_, kind)| *kind == "bad_keyring").count(), 1, "{kinds:?}");
        assert_eq!(kinds.iter().find(|(_, kind)| *kind == "bad_keyring").unwrap().0, 4, "the first packet: {kinds:?}");
        let text = tshark(&path, ["-o", &option, "-2", "-V", "-O", "msgr2", "-Y", "msgr2.finding.bad_keyring"]);
        assert!(text.contains(words) && text.contains(&*name.to_string_lossy()), "{text}");
        // nothing else changes
        let rest = |rows: &[Row]| -> Vec<Row> {
            rows.iter()
                .cloned()
                .map(|mut row| {
                    row.findings.retain(|kind| kind != "bad_keyring");
                    row
                })
                .collect()
        };
        assert_eq!(rest(&with), rows(&path, &[]));
        // who has no use for keys isn't bothered
        let others = rows(&capture("none-mon.pcap"), &["-o", &option]);
        assert_eq!(findings(&others), []);
    }
}

#[test]
fn passes_and_orders_show_the_same() {
    let exchange = exchange();
    let lab = Lab::new(&exchange);
    let pieces = cut(&exchange.flights, 50);
    let path = lab.capture(&[exchange.flights.clone(), pieces, in_the_clear(&exchange, |_, _, _, _| false)]);
    same_in_two_passes(&path, &["-o", &lab.keyring]);
    same_in_two_passes(&path, &[]);
    let keyring = lab.scratch.file("keyring").display().to_string();
    same_in_any_order(&path, &[("msgr2.keyring", &keyring)]);
    same_in_any_order(&path, &[]);
}

#[test]
fn in_pieces_it_is_the_same() {
    let exchange = exchange();
    let lab = Lab::new(&exchange);
    let mut all: Vec<Vec<Segment>> = [1, 2, 3, 7, 20, 37, 100, 1000].map(|most| cut(&exchange.flights, most)).into();
    all.push(joined(&exchange.flights));
    // the two sides don't wait for each other's IDENT
    let mut crossed = exchange.flights.clone();
    crossed.swap(3, 4);
    all.push(crossed.clone());
    all.push(cut(&crossed, 61));
    let path = lab.capture(&all);
    for options in [&["-o", lab.keyring.as_str()][..], &["-2", "-o", lab.keyring.as_str()]] {
        let rows = rows(&path, options);
        for stream in 0..all.len() as u32 {
            assert_eq!(told(&rows, stream, SERVER), expected(), "connection {stream} with {options:?}");
        }
        assert_eq!(findings(&rows), [], "{options:?}");
    }
    // without the keys too
    let rows = rows(&path, &[]);
    let kinds = findings(&rows);
    assert!(kinds.len() == all.len() && kinds.iter().all(|(_, kind)| *kind == "encrypted"), "{kinds:?}");
}

#[test]
fn found_on_any_port_and_not_elsewhere() {
    let exchange = exchange();
    let lab = Lab::new(&exchange);
    let path = lab.capture_at(slice::from_ref(&exchange.flights), 19_999);
    assert_eq!(told(&lab.rows(&path), 0, 19_999), expected());
    let foreign =
        ["ceph 3 0 \n", "ceph 3 0\r\n", "ceph A 0\n", "ceph add 1 x\n", "ceph 3\n", "ceph 11111111111111111 0\n"];
    let said = |text: &str| {
        let line = Segment { client: true, bytes: text.into() };
        vec![line.clone(), Segment { client: false, ..line }]
    };
    let all: Vec<Vec<Segment>> = foreign.map(said).into();
    for port in [19_998, SERVER] {
        let path = lab.capture_at(&all, port);
        assert_eq!(tshark(&path, ["-Y", "msgr2"]), "", "port {port}");
    }
}

#[test]
fn signed_without_sealing() {
    let exchange = exchange();
    let lab = Lab::new(&exchange);
    let said = in_the_clear(&exchange, |_, _, _, _| false);
    let path = lab.capture(&[said]);
    let rows = lab.rows(&path);
    assert_eq!(findings(&rows), []);
    let without = |tags: &[u8]| -> Vec<u8> { tags.iter().copied().filter(|t| *t != Tag::ENCRYPT_BEGIN.0).collect() };
    assert_eq!(told(&rows, 0, SERVER), expected().map(|tags| without(&tags)));
    let status = ["msgr2.mode", "msgr2.signature.status"];
    assert_eq!(lab.values(&path, "msgr2.start", &status), ["signed,signed\tgood"]);
    // without the key all can be read, but not verified
    let text = tshark(&path, ["-Y", "msgr2.signature.status==\"unchecked\"", "-T", "fields", "-e", "msgr2.tag"]);
    assert_eq!(text.lines().count(), 5, "{text}");
}

#[test]
fn what_somebody_changes_is_told() {
    let exchange = exchange();
    let lab = Lab::new(&exchange);
    // a message without a signature, and one behind it that has one
    let unsigned = in_the_clear(&exchange, |talk, role, tag, frame| {
        if role == Role::Client && tag == Tag::MSG {
            talk.bytes(role, frame);
        }
        false
    });
    assert_eq!(lab.findings(&unsigned), ["unsigned"]);
    // a signature that isn't right
    let bad = in_the_clear(&exchange, |talk, role, tag, frame| {
        let changed = role == Role::Client && tag == Tag::MSG;
        if changed {
            let mut signature = talk.signature(role, frame);
            *signature.last_mut().unwrap() ^= 1;
            talk.bytes(role, &[frame, &signature].concat());
        }
        changed
    });
    assert!(lab.findings(&bad).contains(&"bad_signature".to_string()), "{:?}", lab.findings(&bad));
    let path = lab.capture(&[bad]);
    assert_eq!(lab.values(&path, "msgr2.signature.status==\"bad\"", &["msgr2.tag"]).len(), 1);
    // a frame at a time when nobody may send it
    let early = in_the_clear(&exchange, |talk, role, tag, frame| {
        if role == Role::Client && tag == Tag::IDENT {
            let start = assemble(Tag::START, &[0; 8]);
            talk.frame(role, &start);
        }
        let _ = frame;
        false
    });
    assert!(lab.findings(&early).contains(&"illegal_order".to_string()), "{:?}", lab.findings(&early));
    // a changed byte in a record: it isn't opened, but those of the other side are
    let mut flights = exchange.flights.clone();
    let last = flights[5].bytes.len() - 20;
    flights[5].bytes[last] ^= 0x10;
    let kinds = lab.findings(&flights);
    assert!(kinds.contains(&"bad_record".to_string()), "{kinds:?}");
}

#[test]
fn names_of_tags_can_be_filtered_for() {
    let exchange = exchange();
    let lab = Lab::new(&exchange);
    let path = lab.capture(slice::from_ref(&exchange.flights));
    let packets = |filter: &str| lab.values(&path, filter, &["frame.number"]);
    assert_eq!(packets("msgr2.tag == \"IDENT\""), packets("msgr2.tag == 0x26"));
    assert_eq!(packets("msgr2.tag == \"IDENT\"").len(), 2);
    assert_eq!(packets("msgr2.ident").len(), 2);
    assert_eq!(packets("msgr2.tag == \"AUTH_METHODS\"").len(), 1);
    // the shipped protocol's names still mean its numbers
    let shipped = |filter: &str| {
        let text = tshark(&capture("crc-mon-cephx.pcap"), ["-Y", filter, "-T", "fields", "-e", "frame.number"]);
        text.lines().count()
    };
    for (name, number) in [("AUTH_DONE", 6), ("HELLO", 1), ("AUTH_REQUEST", 2), ("ACK", 20), ("SERVER_IDENT", 9)] {
        let by_name = shipped(&format!("msgr2.tag == \"{name}\""));
        assert_eq!(by_name, shipped(&format!("msgr2.tag == {number}")), "{name}");
        assert!(by_name > 0 || name == "ACK", "{name}");
    }
    assert_eq!(shipped("msgr2.tag == \"IDENT\""), 0);
}

/// One of our own captures, with the keys beside it.
fn with_keys(name: &str) -> (PathBuf, String) {
    let path = capture(name);
    let keyring = format!("msgr2.keyring:{}", keyring_of(&path).unwrap().display());
    (path, keyring)
}

#[test]
fn a_resumed_session_leads_to_where_it_began() {
    let (path, keyring) = with_keys("proposal-reconnect.pcapng");
    assert_eq!(findings(&rows(&path, &["-o", &keyring])), []);
    let ask = |filter: &str, field: &str| {
        let text = tshark(&path, ["-o", &keyring, "-Y", filter, "-T", "fields", "-e", field]);
        text.lines().map(String::from).collect::<Vec<_>>()
    };
    let began = ask("msgr2.start", "frame.number");
    let resumes = ask("msgr2.reconnect", "msgr2.resumes");
    assert_eq!((began.len(), &began), (1, &resumes));
    // Wireshark knows the field as a packet's number, which the GUI goes to at a double click
    let field = table::fields().iter().find(|field| field.filter == "msgr2.resumes").unwrap();
    assert_eq!(field.kind, "FT_FRAMENUM");
    // each message came once, also those that were on the way when the connection broke
    let seqs = |port: &str| {
        let told = ask(&format!("msgr2.msg and {port}"), "msgr2.message.seq");
        told.iter().flat_map(|line| line.split(',')).map(String::from).collect::<Vec<_>>()
    };
    assert_eq!(seqs("tcp.dstport == 3300"), ["1", "2", "3", "4"]);
    assert_eq!(seqs("tcp.srcport == 3300"), ["1", "2", "3", "4"]);
}

#[test]
fn recorded_sessions_are_shown_in_full() {
    for (name, messages) in
        [("proposal-exchange.pcapng", 2), ("proposal-ticket.pcapng", 4), ("proposal-reconnect.pcapng", 8)]
    {
        let (path, keyring) = with_keys(name);
        let rows = rows(&path, &["-o", &keyring]);
        assert_eq!(findings(&rows), [], "{name}");
        let count = rows.iter().flat_map(|row| &row.tags).filter(|tag| **tag == Tag::MSG.0).count();
        assert_eq!(count, messages, "{name}");
        let status =
            tshark(&path, ["-o", &keyring, "-Y", "msgr2.signature", "-T", "fields", "-e", "msgr2.signature.status"]);
        assert!(status.lines().flat_map(|line| line.split(',')).all(|status| status == "good"), "{name}: {status}");
        // and msgr2 decode sees the same frames
        let keys = path.with_extension("keyring");
        let lines = run(msgr2().args(["decode", "--json", "--keyring"]).arg(keys).arg(&path));
        let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(table::frames(&rows), table::decoded_frames(&lines), "{name}");
    }
}
