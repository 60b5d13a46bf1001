//! A packet looks the same whenever it is looked at: on two passes, in any order.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::common::{Scratch, With, capture, captures, has, keyring_of, tshark, wireshark};

/// Our lines of PDML.
fn ours(path: &Path, options: &[&str]) -> Vec<String> {
    let text = tshark(path, [options, &["-T", "pdml"]].concat());
    // the first line has the time of day; where the bytes of a segment are shown only a second pass can know
    let later = |line: &str| line.contains("the frame goes on") || line.contains("msgr2.reassembled_in");
    let ours = text.lines().filter(|line| line.contains("msgr2") && !line.starts_with("<pdml") && !later(line));
    ours.map(String::from).collect()
}

#[test]
fn two_passes_show_what_one_shows() {
    for path in captures() {
        same_in_two_passes(&path, &[]);
        if let Some(keyring) = keyring_of(&path) {
            same_in_two_passes(&path, &["-o", &format!("msgr2.keyring:{}", keyring.display())]);
        }
    }
}

/// Compares what one pass and two passes show of a capture.
pub(crate) fn same_in_two_passes(path: &Path, options: &[&str]) {
    let (once, twice) = (ours(path, options), ours(path, &[options, &["-2"]].concat()));
    assert_eq!(once.is_empty(), path.to_string_lossy().contains("msgr1"), "{}", path.display());
    let other = once.iter().zip(&twice).find(|(a, b)| a != b);
    assert!(once.len() == twice.len() && other.is_none(), "{}: {other:?}", path.display());
}

/// The number of a question that is none about a packet.
const LOAD: u32 = 1_000_000;

/// Preferences: names and values.
type Settings<'a> = &'a [(&'a str, &'a str)];

/// The tree of each of these packets, in this order, as the GUI would get it.
fn trees(path: &Path, settings: Settings<'_>, packets: impl IntoIterator<Item = u32>) -> Vec<(u32, Value)> {
    let setting = |(name, value): &(&str, &str)| json!({"jsonrpc": "2.0", "id": LOAD, "method": "setconf", "params": {"name": name, "value": value}});
    let mut questions: Vec<Value> = settings.iter().map(setting).collect();
    questions.push(json!({"jsonrpc": "2.0", "id": LOAD, "method": "load", "params": {"file": path}}));
    questions.extend(packets.into_iter().map(|number| {
        json!({"jsonrpc": "2.0", "id": number, "method": "frame", "params": {"frame": number, "proto": true, "columns": true}})
    }));
    let mut sharkd = wireshark("sharkd", With::Plugin)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = sharkd.stdin.take().unwrap();
    // answers are long: they are read while questions are asked
    let asking = std::thread::spawn(move || {
        for question in questions {
            writeln!(stdin, "{question}").unwrap();
        }
    });
    let output = sharkd.wait_with_output().unwrap();
    asking.join().unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|mut answer| Some((answer["id"].as_u64()? as u32, answer["result"].take())))
        .filter(|(id, _)| *id != LOAD)
        .collect()
}

#[test]
fn any_order_shows_the_same() {
    let scratch = Scratch::new();
    let copy = |from: &Path| {
        let path = scratch.file(&from.file_name().unwrap().to_string_lossy());
        std::fs::copy(from, &path).unwrap();
        path
    };
    for name in ["crc-mon-cephx.pcap", "rare.pcapng", "secure-mon.pcap"] {
        same_in_any_order(&copy(&capture(name)), &[]);
    }
    for name in ["proposal-ticket.pcapng", "proposal-reconnect.pcapng", "secure-tickets.pcap", "compressed.pcapng"] {
        let keyring = copy(&keyring_of(&capture(name)).unwrap()).display().to_string();
        same_in_any_order(&copy(&capture(name)), &[("msgr2.keyring", &keyring)]);
    }
}

/// Compares what packets of a capture show when they are looked at in the order of the capture and in others.
pub(crate) fn same_in_any_order(path: &Path, settings: Settings<'_>) {
    if !has("sharkd") {
        return;
    }
    let name = path.display();
    let count = tshark(path, ["-T", "fields", "-e", "frame.number"]).lines().count() as u32;
    let forward: BTreeMap<u32, Value> = trees(path, settings, 1..=count).into_iter().collect();
    assert_eq!(forward.len() as u32, count, "{name}");
    let ours = forward.values().filter(|tree| tree.to_string().contains("msgr2.tag")).count();
    assert!(ours > 5, "{name}: {ours} packets with frames");
    let hops = (1..=count).map(|n| n * 7 % (count + 1)).filter(|n| *n > 0);
    let order: Vec<u32> = (1..=count).rev().chain(hops).chain((1..=count).rev()).collect();
    let answers = trees(path, settings, order.iter().copied());
    assert_eq!(answers.len(), order.len(), "{name}");
    for (number, tree) in answers {
        assert_eq!(tree, forward[&number], "{name}: packet {number}");
    }
}
