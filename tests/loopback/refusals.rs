//! What goes wrong, and what is said then.

use std::fs;
use std::net::TcpListener;
use std::process::Stdio;

use crate::common::msgr2;
use crate::programs::{Keys, Server, connect, connect_proposal};

/// A client that fails, and says all of this.
fn fails(addr: &str, arguments: &[&str], words: &[&str]) {
    let ended = connect_proposal(addr, arguments, "hello\n");
    assert!(!ended.success, "{arguments:?} should fail");
    assert_eq!(ended.out, "", "{arguments:?}");
    for word in words {
        assert!(ended.said.contains(word), "{arguments:?}: {word:?} isn't in {:?}", ended.said);
    }
}

#[test]
fn no_server() {
    let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    fails(&addr, &[], &[&format!("no connection to {addr}"), "Connection refused", "msgr2 serve --listen"]);
    fails("nowhere", &[], &["\"nowhere\" is no address"]);
}

#[test]
fn wrong_key_and_unknown_name() {
    let (keys, others) = (Keys::make("aes"), Keys::make("aes"));
    let mon = keys.mon(&[]);
    let other = others.keyring();
    fails(&mon.addr, &["--keyring", &other], &["the handshake with", "same key"]);
    // no difference is to be seen
    let stranger = keys.path("stranger");
    fs::write(&stranger, fs::read_to_string(&other).unwrap().replace("client.admin", "client.stranger")).unwrap();
    let stranger = stranger.to_str().unwrap();
    let said = |arguments: &[&str]| connect_proposal(&mon.addr, arguments, "").said;
    assert_eq!(
        said(&["--keyring", &other]),
        said(&["--keyring", stranger, "--name", "client.stranger"]),
        "an unknown name and a wrong key are told apart"
    );
    // others still get in
    let keyring = keys.keyring();
    assert!(connect_proposal(&mon.addr, &["--keyring", &keyring], "x\n").success);
}

#[test]
fn method_refused() {
    let keys = Keys::make("aes");
    let mon = keys.mon(&[]);
    fails(&mon.addr, &["--auth", "none"], &["none", "cephx", "--auth"]);
    let open = Server::proposal(&[]);
    let keyring = keys.keyring();
    fails(&open.addr, &["--keyring", &keyring], &["cephx", "none", "--auth"]);
    // unless both will do
    let ended = connect_proposal(&open.addr, &["--keyring", &keyring, "--auth", "cephx,none"], "hello\n");
    assert!(ended.success && ended.out == "hello\n", "{}", ended.said);
}

#[test]
fn tickets() {
    let (keys, others) = (Keys::make("aes"), Keys::make("aes"));
    let keyring = keys.keyring();
    let mon = keys.mon(&[]);
    let from = ["--keyring", &keyring, "--ticket-from", &mon.addr];
    // of another cluster
    let osd = others.osd(&[]);
    fails(&osd.addr, &from, &["the handshake with"]);
    // for another service
    let mds = Server::proposal(&["--name", "mds.a", "--service-keys", &keys.services()]);
    fails(&mds.addr, &from, &["the handshake with"]);
    // for one that the mon doesn't know
    fails(&mds.addr, &[&from[..], &["--service", "mgr"]].concat(), &["gave no ticket for mgr", "--service-keys"]);
    // none at all
    fails(&osd.addr, &["--keyring", &keyring, "--service", "osd"], &["--ticket-from"]);
}

#[test]
fn encryption_refused() {
    let keys = Keys::make("aes");
    let keyring = keys.keyring();
    let open = Server::proposal(&["--auth", "none"]);
    fails(&open.addr, &["--keyring", &keyring, "--encrypt=required"], &["the handshake with"]);
    fails(&open.addr, &["--auth", "none", "--encrypt=required"], &["no keys to encrypt with"]);
}

#[test]
fn options() {
    let refused = |arguments: &[&str], word: &str| {
        let (verb, rest) = arguments.split_first().unwrap();
        let alone: &[&str] = if *verb == "connect" { &["--no-conf"] } else { &[] };
        let output = msgr2().arg(verb).args(alone).args(rest).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(word), "{arguments:?}: {said}");
    };
    refused(&["connect", "127.0.0.1:1", "--dialect", "v3"], "v2.1, v2.0, proposal");
    refused(&["connect", "127.0.0.1:1", "--dialect", "v2.1", "--encrypt"], "--mode secure");
    refused(&["connect", "127.0.0.1:1", "--dialect", "v2.0", "--lossy"], "proposal");
    refused(&["connect", "127.0.0.1:1", "--encrypt"], "--mode secure");
    refused(&["connect", "127.0.0.1:1", "--dialect", "proposal", "--mode", "crc"], "--encrypt");
    refused(&["connect", "127.0.0.1:1", "--dialect", "proposal", "--nonce", "1"], "--nonce");
    refused(&["connect", "--mon", "127.0.0.1", "--dialect", "proposal"], "--mon");
    refused(&["connect", "127.0.0.1:1", "--mon", "127.0.0.1"], "--mon");
    refused(&["connect"], "ADDR");
    refused(&["serve", "--listen", "127.0.0.1:0", "--setting", "debug_ms=1"], "WHO/OPTION=VALUE");
    refused(&["connect", "127.0.0.1:1", "--auth", "cephx"], "--keyring");
    refused(&["connect", "127.0.0.1:1", "--fault", "explode=1"], "corrupt-byte=N");
    refused(&["connect", "127.0.0.1:1", "--keyring", "/nonexistent"], "msgr2 keyring new");
    refused(&["serve", "--listen", "127.0.0.1:0", "--name", "osd.1", "--auth", "cephx"], "--service-keys");
    refused(&["serve", "--listen", "127.0.0.1:0", "--auth", "cephx"], "--keyring");
    refused(&["serve", "--listen", "somewhere"], "HOST:PORT");
    refused(&["serve", "--listen", "127.0.0.1:0", "--behave", "badly"], "echo, sink, mon");
    refused(&["keyring", "new", "admin"], "admin");
}

#[test]
fn what_can_not_work_together() {
    let keys = Keys::make("aes");
    let (keyring, services) = (keys.keyring(), keys.services());
    let refused = |arguments: &[&str], words: &[&str]| {
        let mut child = msgr2();
        let (verb, rest) = arguments.split_first().unwrap();
        let rest: &[&str] = if *verb == "connect" {
            &[&["--no-conf"], rest].concat()
        } else {
            &[&["--listen", "127.0.0.1:0"], rest].concat()
        };
        let output = child.arg(verb).args(rest).stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{arguments:?} isn't refused");
        assert!(words.iter().all(|word| said.contains(word)), "{arguments:?}: {words:?} isn't in {said}");
    };
    let secure = ["no keys", "mode secure", "--auth cephx"];
    for method in [&["--auth", "none"][..], &[]] {
        for dialect in ["v2.1", "v2.0"] {
            let with = ["--mode", "secure", "--dialect", dialect];
            refused(&[&["serve"], method, &with].concat(), &secure);
            refused(&[&["serve", "--behave", "echo"], method, &with].concat(), &secure);
            refused(&[&["connect", "127.0.0.1:1"], method, &with].concat(), &secure);
            refused(&[&["connect", "127.0.0.1:1", "--check"], method, &with].concat(), &secure);
            refused(&[&["connect", "--mon", "127.0.0.1:1"], method, &with].concat(), &secure);
        }
        for encrypt in ["--encrypt", "--encrypt=required"] {
            let with = ["--dialect", "proposal", encrypt];
            refused(&[&["serve"], method, &with].concat(), &["no keys to encrypt with"]);
            refused(&[&["connect", "127.0.0.1:1"], method, &with].concat(), &["no keys to encrypt with"]);
        }
    }
    refused(&["connect", "127.0.0.1:1", "--ticket-from", "127.0.0.1:1"], &["no tickets", "--ticket-from"]);
    refused(&["connect", "127.0.0.1:1", "--check", "--ticket-from", "127.0.0.1:1"], &["no tickets", "--keyring"]);
    refused(
        &["connect", "127.0.0.1:1", "--keyring", &keyring, "--ticket-from", "127.0.0.1:1", "--service", "mon"],
        &["mons take no tickets"],
    );
    refused(&["serve", "--keyring", &keyring, "--challenge"], &["--challenge"]);
    refused(&["serve", "--name", "osd.0", "--challenge"], &["--challenge"]);
    refused(&["serve", "--name", "osd.0", "--service-keys", &services, "--behave", "mon"], &["osd.0 isn't a mon"]);
    refused(&["serve", "--behave", "echo", "--setting", "client/a=1"], &["--behave mon"]);
    refused(&["serve", "--dialect", "proposal", "--monmap-addr", "127.0.0.1:1"], &["--behave mon"]);
    // with another method, or mode, it works
    let mon = Server::start(&["--auth", "none,cephx", "--keyring", &keyring, "--mode", "secure"]);
    let ended = connect(&mon.addr, &["--auth", "none,cephx", "--keyring", &keyring, "--mode", "secure"], "x\n");
    assert!(ended.success, "{}", ended.said);
}

#[test]
fn a_keyring_with_a_fault() {
    let keys = Keys::make("aes");
    let bad = keys.path("bad");
    fs::write(&bad, "[client.admin]\n\tkey = not a key\n").unwrap();
    fails("127.0.0.1:1", &["--keyring", bad.to_str().unwrap()], &["line 2"]);
}

#[test]
fn secrets_stay_secret() {
    let keys = Keys::make("aes");
    let keyring = keys.keyring();
    let mon = keys.mon(&["--events"]);
    let osd = keys.osd(&["--events", "--challenge"]);
    let from = mon.addr.clone();
    let client = connect_proposal(&osd.addr, &["--keyring", &keyring, "--ticket-from", &from, "--events"], "hello\n");
    assert!(client.success, "{}", client.said);
    let said = [client.said, mon.stop().said, osd.stop().said].concat();
    assert!(said.contains("AUTH_REPLY"), "{said}");
    for file in [keys.keyring(), keys.services()] {
        for line in fs::read_to_string(file).unwrap().lines() {
            if let Some((_, key)) = line.split_once(" = ") {
                assert!(!said.contains(key.trim()), "a key was printed");
            }
        }
    }
}
