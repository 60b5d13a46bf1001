//! What our own peers record of themselves, in every way there is to hold a session: Wireshark shows all of it, and
//! finds nothing wrong.

use std::path::Path;

use msgr2::proposal::Tag;

use crate::common::tshark;
use crate::programs::{Keys, Server, connect_proposal};
use crate::table::{findings, rows};

/// The lines that the client sends, and gets back.
const LINES: &str = "hello\n\nthere is more\n";

/// One way.
struct Way {
    name: String,
    /// What `msgr2 connect` is told besides.
    options: Vec<String>,
    /// Whether the session is encrypted, and whether frames are signed.
    encrypted: bool,
    signed: bool,
}

impl Way {
    /// How the server is told to encrypt: each side decides for what it sends.
    fn of_server(encrypted: bool) -> &'static [&'static str] {
        if encrypted { &["--encrypt"] } else { &[] }
    }
}

fn ways(encrypted: bool, signed: bool, name: &str, options: &[&str]) -> Vec<Way> {
    let way = |lossy: bool| {
        let more = [encrypted.then_some("--encrypt"), lossy.then_some("--lossy")];
        let options = options.iter().copied().chain(more.into_iter().flatten()).map(String::from).collect();
        Way { name: format!("{name}, encrypted {encrypted}, lossy {lossy}"), options, encrypted, signed }
    };
    [false, true].map(way).into()
}

/// Runs the client and looks at what it recorded.
fn check(keys: &Keys, server: &Server, way: &Way) {
    let name = &way.name;
    let path = keys.path("recording.pcapng");
    let mut options: Vec<&str> = way.options.iter().map(String::as_str).collect();
    options.extend(["--capture", path.to_str().unwrap()]);
    let ended = connect_proposal(&server.addr, &options, LINES);
    assert!(ended.success && ended.out == LINES, "{name}: {}", ended.said);

    let keyring = format!("msgr2.keyring:{}", keys.keyring());
    let with_keys = rows(&path, &["-o", &keyring]);
    assert_eq!(findings(&with_keys), [], "{name}");
    assert!(with_keys.iter().all(|row| !row.malformed), "{name}");
    let messages = |rows: &[crate::table::Row]| -> usize {
        rows.iter().flat_map(|row| &row.tags).filter(|tag| **tag == Tag::MSG.0).count()
    };
    assert_eq!(messages(&with_keys), 2 * LINES.lines().count(), "{name}");
    let status = told(&path, &keyring, "msgr2.signature.status");
    assert_eq!(status.is_empty(), !way.signed, "{name}");
    assert!(status.iter().all(|status| status == "good"), "{name}: {status:?}");
    assert_eq!(!told(&path, &keyring, "msgr2.record").is_empty(), way.encrypted, "{name}");

    // who hasn't the keys sees as much as isn't encrypted
    let without = rows(&path, &[]);
    assert!(without.iter().all(|row| !row.malformed), "{name}");
    assert_eq!(messages(&without), if way.encrypted { 0 } else { 2 * LINES.lines().count() }, "{name}");
    let kinds = findings(&without);
    assert!(kinds.iter().all(|(_, kind)| way.encrypted && *kind == "encrypted"), "{name}: {kinds:?}");
}

/// All values of a field.
fn told(path: &Path, keyring: &str, field: &str) -> Vec<String> {
    let text = tshark(path, ["-o", keyring, "-Y", field, "-T", "fields", "-e", field]);
    text.lines().flat_map(|line| line.split(',')).map(String::from).collect()
}

#[test]
fn method_none() {
    let keys = Keys::make("aes");
    let server = Server::proposal(&["--auth", "none"]);
    for way in ways(false, false, "none", &["--auth", "none"]) {
        check(&keys, &server, &way);
    }
}

#[test]
fn authenticate() {
    for kind in ["aes", "aes256krb5"] {
        let keys = Keys::make(kind);
        let keyring = keys.keyring();
        for encrypted in [false, true] {
            let mon = keys.mon(Way::of_server(encrypted));
            for way in ways(encrypted, true, kind, &["--keyring", &keyring]) {
                check(&keys, &mon, &way);
            }
        }
    }
}

#[test]
fn authorize_with_and_without_challenge() {
    let keys = Keys::make("aes");
    let keyring = keys.keyring();
    let mon = keys.mon(&[]);
    for challenge in [&[][..], &["--challenge"]] {
        for encrypted in [false, true] {
            let osd = keys.osd(&[challenge, Way::of_server(encrypted)].concat());
            let name = format!("ticket {challenge:?}");
            for way in ways(encrypted, true, &name, &["--keyring", &keyring, "--ticket-from", &mon.addr]) {
                check(&keys, &osd, &way);
            }
        }
    }
}
