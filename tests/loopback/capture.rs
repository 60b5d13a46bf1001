//! What a peer records can be read again.

use crate::common::decode;
use crate::programs::{Keys, connect};

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
    let ended = connect(&mon.addr, &["--keyring", &keyring, "--capture", near.to_str().unwrap()], "hello\n");
    assert!(ended.success, "{}", ended.said);
    assert!(mon.end().success);
    for path in [&near, &far] {
        let bytes = std::fs::read(path).unwrap();
        assert_eq!(count(&bytes, b"ceph 3 0\n"), 2, "a banner of each side");
        assert_eq!(count(&bytes, b"hello"), 2, "there and back");
    }
    let tags = |path| decode(path).into_iter().map(|line| line["tag"].clone()).collect::<Vec<_>>();
    assert_eq!(tags(&near).len(), tags(&far).len());
}

#[test]
fn a_ticket_is_fetched_in_the_same_file() {
    let keys = Keys::make("aes");
    let (keyring, path) = (keys.keyring(), keys.path("two.pcapng"));
    let (mon, osd) = (keys.mon(&[]), keys.osd(&[]));
    let from = mon.addr.clone();
    let options = ["--keyring", &keyring, "--ticket-from", &from, "--capture", path.to_str().unwrap()];
    let ended = connect(&osd.addr, &options, "hello\n");
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
        let ended = connect(&mon.addr, &options, "hello\n");
        assert!(ended.success, "{}", ended.said);
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(count(&bytes, &text) > 0, secrets);
    }
}
