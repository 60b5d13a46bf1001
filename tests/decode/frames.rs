//! Frames as lines of text and of JSON.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::common::packets::{self, Wire, conversation, cut};
use crate::common::{Scratch, capture, captures, decode, file, msgr2, run};
use crate::{fails, text};

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
        "file": capture("none-mon.pcap").to_str(), "packet": 8,
        "time": {"text": "2026-11-22T14:08:54.051723Z", "seconds": 1795356534, "nanoseconds": 51723000}, "stream": 0, "src": "127.0.0.1:3300", "dst": "127.0.0.1:50826",
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
    assert_eq!(text(&path, &["-v", "--max-bytes", "64"]), text(&path, &["-v"]));
}

#[test]
fn what_json_cuts_is_an_object() {
    let path = capture("keepalive.pcap");
    let lines = |options: &[&str]| -> Vec<Value> {
        let all = run(msgr2().args(["decode", "--json", "-v"]).args(options).arg(&path));
        all.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let (cut, whole) = (lines(&["--max-bytes", "4"]), lines(&[]));
    assert_eq!(whole, lines(&["--max-bytes", "0"]));
    let mut seen = [0, 0];
    for (cut, whole) in cut.iter().zip(&whole) {
        same_but_cut(cut, whole, 4, &mut seen);
    }
    assert!(seen.iter().all(|count| *count > 3), "bytes and texts are cut: {seen:?}");
}

/// Whether a value is another one of which long bytes and texts were cut; counts which.
fn same_but_cut(cut: &Value, whole: &Value, most: usize, seen: &mut [u32; 2]) {
    match (cut, whole) {
        (Value::Object(cut), Value::String(whole)) => {
            assert_eq!(cut.len(), 2, "{cut:?}");
            let length = cut["length"].as_u64().unwrap() as usize;
            let (kind, start, unit) = match (cut.get("hex"), cut.get("text")) {
                (Some(hex), None) => (0, hex.as_str().unwrap(), 2),
                (None, Some(text)) => (1, text.as_str().unwrap(), 1),
                _ => panic!("{cut:?}"),
            };
            assert!(length > most && whole.starts_with(start));
            assert_eq!((start.len(), whole.len()), (most * unit, length * unit), "{whole}");
            seen[kind] += 1;
        }
        (Value::Object(cut), Value::Object(whole)) => {
            assert!(cut.keys().eq(whole.keys()));
            cut.values().zip(whole.values()).for_each(|(cut, whole)| same_but_cut(cut, whole, most, seen));
        }
        (Value::Array(cut), Value::Array(whole)) => {
            assert_eq!(cut.len(), whole.len());
            cut.iter().zip(whole).for_each(|(cut, whole)| same_but_cut(cut, whole, most, seen));
        }
        _ => assert_eq!(cut, whole),
    }
}

#[test]
fn both_formats_of_captures() {
    assert!(captures().iter().any(|path| path.extension().unwrap() == "pcapng"));
    for path in captures() {
        let legacy = path.to_string_lossy().contains("msgr1");
        assert_eq!(decode(&path).is_empty(), legacy, "{}", path.display());
    }
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
    let (out, said) = fails(&[Path::new("decode"), Path::new("--time=none"), &path]);
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
