//! What a peer records can be read again.

use crate::common::decode;
use crate::programs::{Keys, connect_proposal};

/// How often a text is in a file.
fn count(bytes: &[u8], text: &[u8]) -> usize {
    bytes.windows(text.len()).filter(|window| *window == text).count()
}

#[test]
fn both_sides_record_the_same() {
    let keys = Keys::make("aes");
    let keyring = keys.keyring();
    let (near, far) = (keys.path("near.pcapng"), keys.path("far.pcapng"));
    let mon = keys.mon(&["--once", "--capture", far.to_str().unwrap()]);
    let ended = connect_proposal(&mon.addr, &["--keyring", &keyring, "--capture", near.to_str().unwrap()], "hello\n");
    assert!(ended.success, "{}", ended.said);
    let mon_addr = mon.addr.clone();
    assert!(mon.end().success);
    for path in [&near, &far] {
        let bytes = std::fs::read(path).unwrap();
        assert_eq!(count(&bytes, b"ceph 3 0\n"), 2, "a banner of each side");
        assert_eq!(count(&bytes, b"hello"), 2, "there and back");
    }
    // what each side has sent, frame for frame
    let sent = |path, client: bool| -> Vec<String> {
        let lines = decode(path).into_iter();
        let own = lines.filter(|line| (line["dst"].as_str() == Some(&mon_addr)) == client);
        own.map(|line| line["name"].to_string()).collect()
    };
    for client in [true, false] {
        assert_eq!(sent(&near, client), sent(&far, client));
        assert!(sent(&near, client).len() > 5, "{:?}", sent(&near, client));
    }
    let lines = decode(&near);
    assert!(lines.iter().all(|line| line["dialect"] == "proposal"), "{lines:?}");
}

#[test]
fn keys_in_a_recording_open_it() {
    let keys = Keys::make("aes256krb5");
    let (keyring, path) = (keys.keyring(), keys.path("opened.pcapng"));
    let (mon, osd) = (keys.mon(&[]), keys.osd(&["--encrypt=required", "--challenge"]));
    let from = mon.addr.clone();
    let mut options = vec!["--keyring", &keyring, "--ticket-from", &from, "--capture", path.to_str().unwrap()];
    let messages = |options: &[&str]| {
        let ended = connect_proposal(&osd.addr, options, "hello\n");
        assert!(ended.success, "{}", ended.said);
        let lines = decode(&path);
        let bad: Vec<_> = lines
            .iter()
            .flat_map(|line| line["findings"].as_array().unwrap())
            .filter(|finding| finding["severity"] != "note" && finding["severity"] != "chat")
            .collect();
        assert!(bad.is_empty(), "{bad:?}");
        lines.iter().filter(|line| line["name"] == "MSG").count()
    };
    assert_eq!(messages(&options), 0, "nobody reads what is encrypted");
    options.push("--capture-secrets");
    assert_eq!(messages(&options), 2, "there and back");
}

#[test]
fn a_ticket_is_fetched_in_the_same_file() {
    let keys = Keys::make("aes");
    let (keyring, path) = (keys.keyring(), keys.path("two.pcapng"));
    let (mon, osd) = (keys.mon(&[]), keys.osd(&[]));
    let from = mon.addr.clone();
    let options = ["--keyring", &keyring, "--ticket-from", &from, "--capture", path.to_str().unwrap()];
    let ended = connect_proposal(&osd.addr, &options, "hello\n");
    assert!(ended.success, "{}", ended.said);
    assert_eq!(count(&std::fs::read(&path).unwrap(), b"ceph 3 0\n"), 4, "two connections");
}

#[test]
fn keys_only_if_asked_for() {
    let keys = Keys::make("aes");
    let keyring = keys.keyring();
    let text = std::fs::read(&keyring).unwrap();
    for secrets in [false, true] {
        let path = keys.path("secrets.pcapng");
        let mon = keys.mon(&[]);
        let mut options = vec!["--keyring", &keyring, "--capture", path.to_str().unwrap()];
        options.extend(secrets.then_some("--capture-secrets"));
        let ended = connect_proposal(&mon.addr, &options, "hello\n");
        assert!(ended.success, "{}", ended.said);
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(count(&bytes, &text) > 0, secrets);
    }
}
