//! What real daemons refuse, and connections that come to nothing: each says why.
#![allow(clippy::unwrap_used)]
#![cfg(feature = "cli")]

mod common;

use std::collections::BTreeMap;

use common::{capture, keyring_of, msgr2, run};
use serde_json::Value;

/// The findings of each connection of a capture: severities and texts.
fn findings(name: &str) -> BTreeMap<u64, Vec<(String, String)>> {
    let path = capture(name);
    let mut command = msgr2();
    command.args(["decode", "--json"]);
    if let Some(keyring) = keyring_of(&path) {
        command.arg("--keyring").arg(keyring);
    }
    let mut all = BTreeMap::<u64, Vec<_>>::new();
    for line in run(command.arg(path)).lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        for finding in line["findings"].as_array().unwrap() {
            let text = |key: &str| finding[key].as_str().unwrap().to_owned();
            if finding["kind"] == "old_key_type" {
                continue;
            }
            all.entry(line["stream"].as_u64().unwrap()).or_default().push((text("severity"), text("text")));
        }
    }
    all
}

fn texts(name: &str) -> Vec<Vec<String>> {
    let all = findings(name).into_values();
    all.map(|all| all.iter().map(|(severity, text)| format!("{severity}: {text}")).collect()).collect()
}

#[test]
fn each_says_why() {
    let mut found = texts("refused.pcap");
    let last = found.pop().unwrap();
    let expected = [
        "warn: Authentication denied: EACCES for client.admin; the key of client.admin is another than the keyring's",
        "note: Client to come again",
        "warn: Authentication denied: EACCES for client.nobody",
        "warn: Authentication method refused: asked for none, allowed [cephx]",
        "warn: Connection mode refused: asked for [secure], allowed [crc]",
        "warn: Wrong protocol: this side speaks msgr1, the other one msgr2",
        "warn: Wrong protocol: the other side speaks msgr1 (packet 100)",
        "warn: Wrong protocol: this side speaks HTTP, the other one msgr2",
        "warn: Required protocol feature not supported: 0x8000000000000000",
        "note: Connection closed before its session began: HELLO was due",
        "warn: No answer from the client in the handshake: AUTH_REQUEST was due from the client",
        "warn: Connection reset before its session began: a banner was due",
    ];
    assert_eq!(found.concat(), expected);
    // behind its refusal the osd takes another CLIENT_IDENT
    assert_eq!(
        last[..2],
        ["chat: Session to be resumed: connect_seq 1, received up to 0", "warn: Session reset: full"]
    );
    assert!(last[2].starts_with("warn: Required protocol feature not supported: UID|PGID64|"), "{last:?}");
    assert_eq!(last.len(), 3);
}

#[test]
fn what_heals_by_itself_is_no_warning() {
    let found = texts("rare.pcapng").concat();
    let count = |start: &str| found.iter().filter(|text| text.starts_with(start)).count();
    assert_eq!(count("note: Session to be resumed with a higher global_seq: global_seq "), 2, "{found:#?}");
    assert_eq!(count("note: Session to be resumed with a higher connect_seq: connect_seq "), 2);
    assert_eq!(count("warn: Authentication method refused: asked for none, allowed [cephx]"), 1);
    assert_eq!(count("warn: Connection mode refused: asked for [secure], allowed [crc]"), 1);
    assert_eq!(count("warn: Authentication denied: EACCES"), 3);
    assert_eq!(count("warn: Session reset: full"), 2);
    assert_eq!(count("note: Client to come again"), 1);
}
