//! The program `msgr2`: what it prints of captures, what of the spec, and what it says when it can't.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;
use std::process::Output;

use common::packets::{self, Wire, conversation, cut};
use common::{Scratch, capture, captures, decode, file, msgr2, run};
use msgr2::auth::Key;
use msgr2::crypto::Secret;
use msgr2::tracker::SECRETS_TYPE;
use msgr2::types::CryptoType;
use msgr2::wire::Utime;
use serde_json::{Value, json};

fn text(capture: &Path, options: &[&str]) -> Vec<String> {
    run(msgr2().arg("decode").args(options).arg(capture)).lines().map(String::from).collect()
}

/// The line of the first frame with a tag.
fn frame(capture: &Path, tag: u64) -> Value {
    decode(capture).into_iter().find(|line| line["tag"] == tag).unwrap()
}

#[test]
fn a_line_for_each_frame() {
    let lines = text(&capture("none-mon.pcap"), &[]);
    assert_eq!(
        [&lines[..2], &lines[6..8], &lines[12..]].concat(),
        [
            "4 0 127.0.0.1:50826 > 127.0.0.1:3300 v2 crc Banner supported REVISION_1, required 0",
            "6 0 127.0.0.1:3300 > 127.0.0.1:50826 v2 crc Banner supported REVISION_1, required 0",
            "14 0 127.0.0.1:50826 > 127.0.0.1:3300 v2.1 crc AUTH_SIGNATURE good",
            "15 0 127.0.0.1:3300 > 127.0.0.1:50826 v2.1 crc AUTH_SIGNATURE good",
            "19 0 127.0.0.1:3300 > 127.0.0.1:50826 v2.1 crc MESSAGE MON_MAP v1 seq 1 tid 0: epoch 1 fsid 8775c1b0-85ec-4fe9-afe3-3e24bad80622 {a=[v2:127.0.0.1:3300/0]}",
            "19 0 127.0.0.1:3300 > 127.0.0.1:50826 v2.1 crc MESSAGE CONFIG v1 seq 2 tid 0: {}",
            "19 0 127.0.0.1:3300 > 127.0.0.1:50826 v2.1 crc MESSAGE MON_MAP v1 seq 3 tid 0: epoch 1 fsid 8775c1b0-85ec-4fe9-afe3-3e24bad80622 {a=[v2:127.0.0.1:3300/0]}",
        ]
    );
}

#[test]
fn a_json_object_for_each_frame() {
    let expected = json!({
        "packet": 8, "stream": 0, "src": "127.0.0.1:3300", "dst": "127.0.0.1:50826",
        "dialect": "v2.1", "mode": "crc", "tag": 1, "name": "HELLO",
        "fields": {
            "entity_type": "mon",
            "peer_addr": {
                "marker": 1, "struct_v": 1, "struct_compat": 1, "struct_len": 28,
                "type": "msgr2", "nonce": 0,
                "sockaddr": {"family": "inet", "address": {"inet": {
                    "port": 50826, "ip": "127.0.0.1", "zero": "0000000000000000",
                }}},
            },
        },
        "findings": [],
        "frame_len": 72,
    });
    assert_eq!(frame(&capture("none-mon.pcap"), 1), expected);
}

#[test]
fn dialect_and_mode() {
    let all = |name: &str, key: &str| -> Vec<Value> {
        let mut seen: Vec<Value> = Vec::new();
        for line in decode(&capture(name)) {
            if !seen.contains(&line[key]) {
                seen.push(line[key].clone());
            }
        }
        seen
    };
    assert_eq!(all("v20-mon.pcap", "dialect"), [json!(null), json!("v2.0")]);
    assert_eq!(all("crc-mon-cephx.pcap", "dialect"), [json!(null), json!("v2.1")]);
    assert_eq!(all("secure-mon.pcap", "mode"), [json!("crc"), json!("secure")]);
}

#[test]
fn verbose_has_the_place_of_each_field() {
    let path = capture("none-mon.pcap");
    let lines = text(&path, &["--verbose"]);
    let hello = lines.iter().position(|line| line.contains(" HELLO mon")).unwrap();
    let squeeze = |line: &String| line.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(squeeze(&lines[hello + 1]), "0+32 Preamble: HELLO");
    assert_eq!(squeeze(&lines[hello + 2]), "0+1 Tag: HELLO (1)");
    assert!(lines[hello..].iter().take(50).any(|line| squeeze(line) == "32+1 Entity type: mon (1)"));
    // the frame as a whole, with what stands around the payload
    let all = run(msgr2().args(["decode", "--json", "--verbose"]).arg(&path));
    let hello: Value = serde_json::from_str(all.lines().nth(2).unwrap()).unwrap();
    assert_eq!(hello["frame"]["preamble"]["tag"], json!("HELLO"), "{hello}");
    assert_eq!(hello["frame"]["hello"], hello["fields"]);
}

#[test]
fn long_contents_are_cut_as_asked() {
    let path = capture("keepalive.pcap");
    let size = |options: &[&str]| text(&path, options).iter().map(String::len).sum::<usize>();
    let (cut, normal, whole) = (size(&["-v", "--max-bytes", "4"]), size(&["-v"]), size(&["-v", "--max-bytes", "0"]));
    assert!(cut < normal && normal < whole, "{cut} {normal} {whole}");
    assert!(text(&path, &["-v", "--max-bytes", "4"]).iter().any(|line| line.contains("… (")));
}

#[test]
fn both_formats_of_captures() {
    assert!(captures().iter().any(|path| path.extension().unwrap() == "pcapng"));
    for path in captures() {
        let legacy = path.to_string_lossy().contains("msgr1");
        assert_eq!(decode(&path).is_empty(), legacy, "{}", path.display());
    }
}

/// Runs `msgr2` so that it fails, and returns what it printed and what it said.
fn fails(arguments: &[&Path]) -> (String, String) {
    let Output { status, stdout, stderr } = msgr2().args(arguments).output().unwrap();
    assert_eq!(status.code(), Some(1), "{arguments:?}");
    (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn errors_say_what_is_wrong() {
    let scratch = Scratch::new();
    let decode = Path::new("decode");

    let (out, said) = fails(&[decode, &scratch.file("nothing")]);
    assert!(out.is_empty() && said.starts_with("msgr2: ") && said.contains("nothing: can't be opened"), "{said}");

    let (out, said) = fails(&[decode, &file("Cargo.toml")]);
    assert!(out.is_empty() && said.contains("Cargo.toml: is not a pcap or pcapng file"), "{said}");

    let empty = scratch.file("empty.pcap");
    fs::write(&empty, "").unwrap();
    let (out, said) = fails(&[decode, &empty]);
    assert!(out.is_empty() && said.contains("empty.pcap: is empty"), "{said}");

    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn of_a_cut_file_the_whole_packets_are_shown() {
    let scratch = Scratch::new();
    let path = scratch.file("cut.pcap");
    fs::write(&path, &fs::read(capture("none-mon.pcap")).unwrap()[..2000]).unwrap();
    let (out, said) = fails(&[Path::new("decode"), &path]);
    let whole = text(&capture("none-mon.pcap"), &[]);
    let shown: Vec<&str> = out.lines().collect();
    assert!(shown.len() > 5 && shown.len() < whole.len());
    assert_eq!(shown, whole[..shown.len()]);
    assert!(said.contains("cut.pcap: shown as far as it goes:") && said.contains("packet 16"), "{said}");
}

#[test]
fn gaps_cost_only_what_is_missing() {
    let said = conversation(&capture("crc-mon-cephx.pcap"));
    let scratch = Scratch::new();
    let path = scratch.file("gap.pcap");
    let tags = |path: &Path| decode(path).iter().filter_map(|line| line["tag"].as_u64()).collect::<Vec<_>>();
    let whole = tags(&capture("crc-mon-cephx.pcap"));
    // a message of the server is lost
    let lost = said.iter().rposition(|segment| !segment.client).unwrap();
    let mut wire = Wire::new();
    let mut c = wire.open("192.0.2.1:20000", "192.0.2.2:3300");
    for (number, segment) in said.iter().enumerate() {
        match number == lost {
            true => wire.skip(&mut c, false, segment.bytes.len()),
            false => wire.say(&mut c, segment),
        }
    }
    // what comes behind the gap
    wire.say(&mut c, &said[lost]);
    wire.close(&mut c);
    packets::write(&path, &wire.packets);
    assert_eq!(tags(&path), whole);
}

#[test]
fn however_tcp_cuts_it() {
    let said = conversation(&capture("crc-mon-cephx.pcap"));
    let scratch = Scratch::new();
    let path = scratch.file("pieces.pcap");
    let names = |path: &Path| {
        decode(path).iter().map(|line| (line["name"].clone(), line["fields"].clone())).collect::<Vec<_>>()
    };
    for most in [1, 2, 31, 33, 1000] {
        let mut wire = Wire::new();
        wire.connection("[2001:db8::1]:20000", "[2001:db8::2]:3300", &cut(&said, most));
        packets::write(&path, &wire.packets);
        assert_eq!(names(&path), names(&capture("crc-mon-cephx.pcap")), "pieces of {most}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let script =
        format!("{} decode -v {} | head -n 1", env!("CARGO_BIN_EXE_msgr2"), capture("keepalive.pcap").display());
    let output = std::process::Command::new("bash").args(["-o", "pipefail", "-c", &script]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn the_spec_is_without_faults() {
    for arguments in [&["spec", "lint"][..], &["spec", "lint", "spec"]] {
        let said = run(msgr2().args(arguments).current_dir(file("")));
        assert!(said.starts_with("no faults: 3 dialects"), "{said}");
    }
}

#[test]
fn a_faulty_spec_is_refused() {
    let scratch = Scratch::new();
    let folder = scratch.file("spec");
    run(std::process::Command::new("cp").arg("-r").arg(file("spec")).arg(&folder));
    let states = folder.join("dialects/v2.0/states.yaml");
    let text = fs::read_to_string(&states).unwrap();
    fs::write(&states, text.replacen("to: hello_connecting,", "to: nowhere,", 1)).unwrap();
    for what in ["lint", "rust", "doc"] {
        let (out, said) = fails(&[Path::new("spec"), Path::new(what), &folder]);
        assert!(out.is_empty() && said.contains("nowhere"), "{what}: {said}");
    }
    let (_, said) = fails(&[Path::new("spec"), Path::new("lint"), &scratch.file("absent")]);
    assert!(said.contains("absent"), "{said}");
}

#[test]
fn what_is_made_of_the_spec() {
    let schema: Value = serde_json::from_str(&run(msgr2().args(["spec", "schema"]))).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let code = run(msgr2().args(["spec", "rust"]));
    assert_eq!(code, fs::read_to_string(concat!(env!("OUT_DIR"), "/generated.rs")).unwrap(), "what build.rs made");
    let doc = run(msgr2().args(["spec", "doc"]));
    for words in ["# Ceph's messenger v2", "SESSION_RECONNECT_OK", "msgr2.hello.entity_type", "stateDiagram"] {
        assert!(doc.contains(words), "{words} is missing");
    }
}

/// The exchange in the spec, a packet for each flight, and the keys of the service.
fn exchange() -> (Wire, String) {
    let spec = msgr2_spec::Spec::embedded().unwrap();
    let exchange = &spec.dialects["proposal"].exchanges["pipelined"];
    let bytes = |hex: &str| msgr2_spec::expr::parse_hex(hex).unwrap().concat();
    let said: Vec<_> = exchange
        .flights
        .iter()
        .map(|flight| packets::Segment {
            client: flight.from == msgr2_spec::model::Role::Client,
            bytes: bytes(&flight.hex),
        })
        .collect();
    let mut wire = Wire::new();
    wire.connection("192.0.2.10:20000", "192.0.2.1:6800", &said);
    let (secret, created) = (bytes(&exchange.secrets["rotating_key"]), Utime::default());
    let key = Key::new(CryptoType::AES, created, Secret::from(secret)).unwrap();
    (wire, format!("[service.osd]\nkey.2 = {}\n", *key.to_base64()))
}

#[test]
fn the_proposal_is_decrypted_with_a_keyring() {
    let scratch = Scratch::new();
    let (capture, keys) = (scratch.file("exchange.pcap"), scratch.file("keys"));
    let (wire, text) = exchange();
    packets::write(&capture, &wire.packets);
    fs::write(&keys, text).unwrap();
    let read = |json: bool, verbose: bool, keyring: bool| {
        let mut command = msgr2();
        command.arg("decode");
        for (option, wanted) in [("--json", json), ("--verbose", verbose)] {
            if wanted {
                command.arg(option);
            }
        }
        if keyring {
            command.arg("--keyring").arg(&keys);
        }
        run(command.arg(&capture))
    };
    let parts = |line: &str| line.split(' ').skip(5).collect::<Vec<_>>().join(" ");
    let shut: Vec<String> = read(false, false, false).lines().map(parts).collect();
    assert_eq!(shut[0], "proposal plain Banner supported ENCRYPT|RECONNECT, required 0");
    let records = shut.iter().filter(|line| line.starts_with("proposal secure Encrypted record"));
    assert_eq!((shut.len(), records.count()), (13, 5));
    let why = shut.iter().find(|line| line.contains("[Chat: Encrypted")).unwrap();
    assert!(why.contains("osd"), "{why}");

    let open: Vec<String> = read(false, false, true).lines().map(parts).collect();
    assert_eq!(open.len(), 8 + 10, "{open:#?}");
    assert!(open[8].starts_with("proposal secure SIGNATURE good (signs "), "{open:#?}");
    assert!(open[16].starts_with("proposal secure MSG PING"), "{open:#?}");
    let old = "[Chat: Key of the old type aes: service osd]";
    assert!(open.iter().all(|line| !line.contains(": ") || line.ends_with(old)), "no other findings: {open:#?}");

    let lines: Vec<Value> = read(true, false, true).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let message = lines.iter().rfind(|line| line["name"] == "MSG").unwrap();
    assert_eq!((&message["mode"], &message["record"], &message["tag"]), (&json!("secure"), &json!(1), &json!(7)));
    assert_eq!(message["fields"]["front"], json!("6c696b6577697365"));
    let last = lines.last().unwrap();
    assert_eq!(last["signature"], json!("good"));
    assert_eq!(last["relations"], json!([{"kind": "signs", "packet": last["packet"]}]));
    // all of a record's bytes
    let verbose = read(false, true, true);
    assert_eq!(verbose.matches("Sealed len: ").count(), 5, "{verbose}");
    assert!(verbose.contains("GCM tag: ") && verbose.contains("Frame len: "));
}

#[test]
fn keys_in_the_capture_itself_are_used() {
    let scratch = Scratch::new();
    let path = scratch.file("exchange.pcapng");
    let (wire, text) = exchange();
    let block = |kind: u32, content: &[u8]| {
        let padded = [content, &vec![0; content.len().next_multiple_of(4) - content.len()]].concat();
        let length = (padded.len() as u32 + 12).to_le_bytes();
        [&kind.to_le_bytes()[..], &length, &padded, &length].concat()
    };
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
    let with = |text: &str| {
        let mut file = block(0x0a0d_0d0a, &words(&[0x1a2b_3c4d, 1, u32::MAX, u32::MAX]));
        file.extend(block(10, &[words(&[SECRETS_TYPE, text.len() as u32]), text.into()].concat()));
        file.extend(block(1, &words(&[1, 0])));
        for packet in &wire.packets {
            let length = packet.bytes.len() as u32;
            file.extend(block(6, &[words(&[0, 0, 0, length, length]), packet.bytes.clone()].concat()));
        }
        fs::write(&path, file).unwrap();
        msgr2().arg("decode").arg(&path).output().unwrap()
    };
    let Output { status, stdout, stderr } = with(&text);
    assert!(status.success() && stderr.is_empty());
    assert_eq!(String::from_utf8(stdout).unwrap().matches(" SIGNATURE good").count(), 5);
    let Output { status, stdout, stderr } = with("[service.osd]\nkey.2 = no key\n");
    let said = String::from_utf8(stderr).unwrap();
    assert!(status.success() && said.contains("the keys in it can't be used: line 2: "), "{said}");
    assert_eq!(String::from_utf8(stdout).unwrap().matches(" Encrypted record ").count(), 5);
}

#[test]
fn a_keyring_that_is_none_is_told_with_its_line_and_changes_nothing() {
    let scratch = Scratch::new();
    let keys = scratch.file("keys");
    let with = |capture: &Path| {
        let output = msgr2().args(["decode", "--keyring"]).arg(&keys).arg(capture).output().unwrap();
        assert!(output.status.success());
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let garbage = (0..2000u32).map(|n| ((n * 167) >> 3) as u8).collect::<Vec<_>>();
    for (text, line) in
        [(&b"[client.admin]\n\tcaps mon = \"allow *\"\n\tkey = AQ\n"[..], "line 3: "), (&garbage, "line ")]
    {
        fs::write(&keys, text).unwrap();
        for name in ["none-mon.pcap", "crc-mon-cephx.pcap", "secure-mon.pcap"] {
            let (out, said) = with(&capture(name));
            assert!(said.contains("keys: no key of it is used: ") && said.contains(line), "{said}");
            assert_eq!((said.lines().count(), out), (1, run(msgr2().arg("decode").arg(capture(name)))));
        }
    }
    let missing = scratch.file("missing");
    let (out, said) = fails(&[Path::new("decode"), Path::new("--keyring"), &missing, &capture("none-mon.pcap")]);
    assert!(out.is_empty() && said.contains("missing: "), "{said}");
}

/// What is shown behind the addresses.
fn shown(capture: &Path, keyring: Option<&Path>) -> Vec<String> {
    let mut command = msgr2();
    command.arg("decode");
    if let Some(keyring) = keyring {
        command.arg("--keyring").arg(keyring);
    }
    let parts = |line: &str| line.split(' ').skip(5).collect::<Vec<_>>().join(" ");
    run(command.arg(capture)).lines().map(parts).collect()
}

#[test]
fn secure_connections_are_decrypted_with_the_clients_key() {
    let path = capture("secure-tickets.pcap");
    let keyring = path.with_extension("keyring");
    let shut = shown(&path, None);
    let why: Vec<&str> =
        shut.iter().filter_map(|line| line.split_once("[Chat: Encrypted ").map(|(_, why)| why)).collect();
    assert_eq!(
        why,
        [
            "from here on: no key for client.admin]",
            "from here on: the ticket of client.admin for mgr was not seen, and there is no service key #2]",
            "from here on: the ticket of client.admin for osd was not seen, and there is no service key #2]",
        ]
    );
    let open = shown(&path, Some(&keyring));
    let fine = |line: &String| {
        !line.contains("Encrypted")
            && line.matches("[Chat").count() == line.matches("[Chat: Key of the old type").count()
    };
    assert!(open.iter().all(fine), "{open:#?}");
    assert_eq!(open.iter().filter(|line| *line == "v2.1 secure AUTH_SIGNATURE good").count(), 6);
    for (frame, count) in
        [("CLIENT_IDENT ", 3), ("SERVER_IDENT ", 3), ("MESSAGE OSD_OP ", 2), ("MESSAGE MON_SUBSCRIBE ", 3)]
    {
        let begins = format!("v2.1 secure {frame}");
        assert_eq!(open.iter().filter(|line| line.starts_with(&begins)).count(), count, "{frame}: {open:#?}");
    }
    // what is in the clear is as it was
    let clear = |lines: &[String]| lines.iter().filter(|line| !line.contains(" secure ")).cloned().collect::<Vec<_>>();
    assert_eq!(clear(&shut), clear(&open));

    let lines = run(msgr2().args(["decode", "--json", "--keyring"]).args([&keyring, &path]));
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let signature = lines.iter().find(|line| line["name"] == "AUTH_SIGNATURE").unwrap();
    assert_eq!((&signature["mode"], &signature["signature"]), (&json!("secure"), &json!("good")));
    let operation = lines.iter().find(|line| line["fields"]["header"]["type"] == "OSD_OP").unwrap();
    assert_eq!((&operation["tag"], &operation["dialect"]), (&json!(17), &json!("v2.1")));
    // what is known of it besides its bytes
    let header = |part: &str| operation["fields"]["header"][part].clone();
    let length = |part: &str| operation[part].as_u64().unwrap();
    assert!(length("frame_len") > length("front_len") && length("front_len") > 0 && length("middle_len") == 0);
    assert_eq!(header("type"), "OSD_OP");
    // the frame around it only when asked for
    let verbose = run(msgr2().args(["decode", "--json", "-v", "--keyring"]).args([&keyring, &path]));
    let count = |text: &str| text.matches("\"name\":\"SECURE_FRAME\"").count();
    let secure = lines.iter().filter(|line| line["mode"] == "secure").count();
    assert_eq!(count(&verbose), secure);
    let outer = verbose.lines().filter(|line| line.contains("\"name\":\"SECURE_FRAME\""));
    assert!(outer.clone().all(|line| line.contains("\"opened\":true")));
    // its own line says what is in it
    let text = run(msgr2().args(["decode", "-v", "--keyring"]).args([&keyring, &path]));
    assert!(
        text.contains(" secure Secure frame: MESSAGE OSD_OP\n") && text.contains(" Secure frame: AUTH_SIGNATURE\n")
    );
}

#[test]
fn a_wrong_key_is_named_and_changes_nothing_else() {
    let scratch = Scratch::new();
    let keys = scratch.file("keys");
    fs::write(&keys, "[client.admin]\nkey = AQBP9wJr0mSsFRAAwn3VmJRlmDGgSJ18TqxdtA==\n").unwrap();
    for name in ["secure-tickets.pcap", "crc-mon-cephx.pcap", "v20-mon.pcap", "rare.pcapng"] {
        let (without, with) = (shown(&capture(name), None), shown(&capture(name), Some(&keys)));
        let notes = |line: &str| {
            let before = |line: &str, mark| line.split(mark).next().unwrap().to_string();
            before(&before(line, " [Chat: "), " [Warn: Authentication denied: ")
        };
        let [without, bare] = [&without, &with].map(|lines| lines.iter().map(|line| notes(line)).collect::<Vec<_>>());
        let signed = name == "crc-mon-cephx.pcap";
        assert_eq!(without == bare, !signed, "{name}: it is the key of one of them");
        if name == "secure-tickets.pcap" {
            let why = "[Chat: Encrypted from here on: the key of client.admin is another than the keyring's]";
            assert_eq!(with.iter().filter(|line| line.ends_with(why)).count(), 1, "{with:#?}");
        }
    }
}

#[test]
fn signatures_are_checked_in_crc_mode_too() {
    let scratch = Scratch::new();
    let keys = scratch.file("keys");
    fs::write(&keys, "[client.admin]\nkey = AQBP9wJr0mSsFRAAwn3VmJRlmDGgSJ18TqxdtA==\n").unwrap();
    let verdicts = |name: &str, keyring: Option<&Path>| -> Vec<String> {
        let lines = shown(&capture(name), keyring);
        lines
            .iter()
            .filter_map(|line| line.split_once("AUTH_SIGNATURE ").map(|(_, verdict)| verdict.to_string()))
            .collect()
    };
    assert_eq!(verdicts("crc-mon-cephx.pcap", Some(&keys)), ["good", "good"]);
    assert_eq!(verdicts("crc-mon-cephx.pcap", None), ["unchecked", "unchecked"]);
    assert_eq!(verdicts("none-mon.pcap", None), ["good", "good"], "zeros, with no key");
}

#[test]
fn compressed_frames_are_shown_decompressed() {
    let path = capture("compressed.pcapng");
    let keyring = path.with_extension("keyring");
    let lines = shown(&path, Some(&keyring));
    let pings = |mode: &str| {
        let begins = format!("v2.1 {mode} MESSAGE OSD_PING v5 seq ");
        lines.iter().filter(|line| line.starts_with(&begins) && !line.contains('[')).count()
    };
    assert_eq!((pings("crc"), pings("secure")), (30, 6), "{lines:#?}");
    let verbose = run(msgr2().args(["decode", "-v", "--keyring"]).args([&keyring, &path]));
    assert_eq!(verbose.matches(" Compressed frame: MESSAGE OSD_PING\n").count(), 36);
    let json = run(msgr2().args(["decode", "--json", "--keyring"]).args([&keyring, &path]));
    let lines: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let message = lines.iter().rfind(|line| line["tag"] == 17).unwrap();
    assert_eq!((&message["name"], &message["fields"]["header"]["type"]), (&json!("MESSAGE"), &json!("OSD_PING")));
}
