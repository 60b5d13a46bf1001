//! What keys open.

use std::fs;
use std::path::Path;
use std::process::Output;

use msgr2::auth::Key;
use msgr2::crypto::Secret;
use msgr2::tracker::SECRETS_TYPE;
use msgr2::types::CryptoType;
use msgr2::wire::Utime;
use serde_json::{Value, json};

use crate::common::packets::{self, Wire};
use crate::common::{Scratch, capture, msgr2, run};
use crate::fails;

fn shown(capture: &Path, keyring: Option<&Path>) -> Vec<String> {
    let mut command = msgr2();
    command.args(["decode", "--time", "none"]);
    if let Some(keyring) = keyring {
        command.arg("--keyring").arg(keyring);
    }
    let parts = |line: &str| line.split(' ').skip(5).collect::<Vec<_>>().join(" ");
    run(command.arg(capture)).lines().map(parts).collect()
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
        command.args(["decode", "--time", "none"]);
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
    assert_eq!(last["relations"], json!([{"kind": "signs", "file": last["file"], "packet": last["packet"]}]));
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
    let length = |part: &str| operation[part].as_u64().unwrap();
    assert!(length("frame_len") > length("front_len") && length("front_len") > 0 && length("middle_len") == 0);
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
        // findings may say more with a key, as that it is another than the one that was refused
        let findings =
            |line: &str| ["Chat", "Note", "Warn"].iter().filter_map(|s| line.find(&format!(" [{s}: "))).min();
        let frame = |line: &String| line[..findings(line).unwrap_or(line.len())].to_string();
        let [without, bare] = [&without, &with].map(|lines| lines.iter().map(frame).collect::<Vec<_>>());
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
