//! Every way to authenticate, with and without encryption, stateful and lossy.

use std::fs;

use crate::common::Scratch;
use crate::programs::{Ended, Keys, Server, connect_proposal, lines};

/// A client's lines come back, and both programs are content.
fn echoes(server: Server, arguments: &[&str]) -> String {
    let Ended { success, out, said } = connect_proposal(&server.addr, arguments, &lines());
    assert!(success, "{arguments:?}: {said}");
    assert_eq!(out, lines(), "{arguments:?}");
    let ended = server.stop();
    assert!(ended.success, "{arguments:?}: {}", ended.said);
    said
}

/// All the ways to hold a session.
fn manners(encrypted: &[bool]) -> Vec<Vec<&'static str>> {
    let mut all = Vec::new();
    for &encrypt in encrypted {
        for lossy in [false, true] {
            let mut options = vec!["--events"];
            options.extend(encrypt.then_some("--encrypt"));
            options.extend(lossy.then_some("--lossy"));
            all.push(options);
        }
    }
    all
}

/// Each side decides for what it sends.
fn encryption(options: &[&str]) -> &'static [&'static str] {
    if options.contains(&"--encrypt") { &["--encrypt"] } else { &[] }
}

/// What the client says about the session is what was asked for.
fn check(said: &str, options: &[&str], method: &str) {
    let line = said.lines().find(|line| line.starts_with("connected to ")).unwrap_or_else(|| panic!("{said}"));
    assert!(line.contains(&format!("method {method}")), "{line}");
    let lossy = options.contains(&"--lossy");
    assert!(line.ends_with(if lossy { "lossy" } else { "stateful" }), "{line}");
    let expected = match (method, options.contains(&"--encrypt")) {
        ("none", _) => ", neither signed nor encrypted,",
        (_, true) => ", encrypted,",
        (_, false) => ", signed,",
    };
    assert!(line.contains(expected), "{line}");
}

#[test]
fn method_none() {
    for options in manners(&[false]) {
        let said = echoes(Server::proposal(&[]), &options);
        check(&said, &options, "none");
    }
}

#[test]
fn authenticate() {
    for kind in ["aes", "aes256krb5"] {
        let keys = Keys::make(kind);
        let keyring = keys.keyring();
        for mut options in manners(&[false, true]) {
            options.extend(["--keyring", &keyring]);
            let said = echoes(keys.mon(encryption(&options)), &options);
            check(&said, &options, "cephx");
        }
    }
}

#[test]
fn authorize() {
    let keys = Keys::make("aes");
    let keyring = keys.keyring();
    for mut options in manners(&[false, true]) {
        let mon = keys.mon(&[]);
        options.extend(["--keyring", &keyring, "--ticket-from", &mon.addr]);
        let said = echoes(keys.osd(encryption(&options)), &options);
        check(&said, &options, "cephx");
    }
}

#[test]
fn authorize_with_a_challenge() {
    let keys = Keys::make("aes256krb5");
    let keyring = keys.keyring();
    for mut options in manners(&[false, true]) {
        let mon = keys.mon(&[]);
        options.extend(["--keyring", &keyring, "--ticket-from", &mon.addr]);
        let said = echoes(keys.osd(&[encryption(&options), &["--challenge"]].concat()), &options);
        check(&said, &options, "cephx");
        assert_eq!(said.matches("> AUTH_REQUEST").count(), 4, "two rounds with each server: {said}");
    }
}

#[test]
fn encryption_that_the_server_requires() {
    let keys = Keys::make("aes");
    let keyring = keys.keyring();
    let said = echoes(keys.mon(&["--encrypt=required"]), &["--keyring", &keyring, "--events"]);
    assert!(said.contains(", encrypted,"), "{said}");
}

#[test]
fn a_service_other_than_osd() {
    let keys = Keys::make("aes");
    let (keyring, services) = (keys.keyring(), keys.services());
    let mon = keys.mon(&[]);
    let mds = Server::proposal(&["--name", "mds.x", "--service-keys", &services]);
    echoes(mds, &["--keyring", &keyring, "--ticket-from", &mon.addr, "--service", "mds"]);
}

#[test]
fn a_script() {
    let scratch = Scratch::new();
    let script = scratch.file("script");
    fs::write(&script, "expect PING one\nsend PING 1\nexpect PING # anything\nsend MON_MAP 2\n").unwrap();
    let behave = format!("script={}", script.display());
    let server = Server::proposal(&["--once", "--behave", &behave]);
    let ended = connect_proposal(&server.addr, &[], "one\ntwo\n");
    assert!(ended.success, "{}", ended.said);
    assert_eq!(ended.out, "1\n2\n");
    let ended = server.end();
    assert!(ended.success, "{}", ended.said);

    let server = Server::proposal(&["--once", "--behave", &behave]);
    let client = connect_proposal(&server.addr, &[], "other\n");
    assert!(!client.success && client.said.contains("the server has closed the session"), "{}", client.said);
    let ended = server.end();
    assert!(!ended.success && ended.said.contains("script line 1: "), "{}", ended.said);
}

#[test]
fn one_way() {
    let server = Server::proposal(&["--behave", "sink", "--sessions", "2"]);
    for _ in 0..2 {
        let ended = connect_proposal(&server.addr, &["--one-way"], &lines());
        assert!(ended.success && ended.out.is_empty(), "{}", ended.said);
    }
    assert!(server.end().success);
}

#[test]
fn measure() {
    let keys = Keys::make("aes");
    let keyring = keys.keyring();
    let server = keys.mon(&["--once"]);
    let options = ["--keyring", &keyring, "--measure", "--count", "300", "--size", "1000", "--window", "7"];
    let ended = connect_proposal(&server.addr, &options, "");
    assert!(ended.success, "{}", ended.said);
    assert!(ended.out.starts_with("300 messages of 1000 bytes there and back in "), "{}", ended.out);
    assert!(server.end().success);
}
