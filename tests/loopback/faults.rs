//! Connections that break: a stateful session gets over it.

use std::fmt::Write as _;

use crate::programs::{Client, Keys, Server, connect, connect_proposal};

/// Many lines, each different.
fn numbers(count: usize) -> String {
    (0..count).fold(String::new(), |mut text, n| {
        writeln!(text, "line {n} of many").unwrap();
        text
    })
}

#[test]
fn each_line_once_and_in_order() {
    let keys = Keys::make("aes");
    let keyring = keys.keyring();
    let lines = numbers(3000);
    for encrypt in [&[][..], &["--encrypt"]] {
        let mon = keys.mon(&["--once"]);
        let mut options = vec!["--keyring", &keyring, "--fault", "kill-every-bytes=20011", "--events"];
        options.extend(encrypt);
        let ended = connect_proposal(&mon.addr, &options, &lines);
        assert!(ended.success, "{}", ended.said);
        assert!(ended.out == lines, "lines are lost, doubled or out of order");
        let resumed = ended.said.matches(" resumed on ").count();
        assert!(resumed > 10, "{resumed} times resumed");
        assert!(mon.end().success);
    }
}

#[test]
fn faults_of_the_server() {
    let lines = numbers(500);
    let server = Server::proposal(&["--once", "--fault", "kill-after-frames=100", "--fault", "split=7"]);
    let ended = connect_proposal(&server.addr, &["--events", "--fault", "delay=2"], &lines);
    assert!(ended.success, "{}", ended.said);
    assert!(ended.out == lines, "lines are lost, doubled or out of order");
    assert_eq!(ended.said.matches(" resumed on ").count(), 1, "{}", ended.said);
    assert!(server.end().success);
}

#[test]
fn a_lossy_session_says_that_it_ends() {
    let server = Server::proposal(&[]);
    let ended = connect_proposal(&server.addr, &["--lossy", "--fault", "kill-after-bytes=3000"], &numbers(500));
    assert!(!ended.success);
    assert!(ended.said.contains("the session is"), "{}", ended.said);
}

/// Every 5,000 bytes the connection breaks: the handshakes are a third of that.
const OFTEN: [&str; 3] = ["--events", "--fault", "kill-every-bytes=5000"];

#[test]
fn connections_that_carry_little() {
    let keys = Keys::make("aes");
    let keyring = keys.keyring();
    let lines = numbers(150);
    for how in [&["--auth", "none"][..], &["--keyring", &keyring], &["--keyring", &keyring, "--encrypt"]] {
        let mon = match how.len() {
            2 if how[0] == "--auth" => Server::proposal(&["--once"]),
            2 => keys.mon(&["--once"]),
            _ => keys.mon(&["--once", "--encrypt"]),
        };
        let ended = connect_proposal(&mon.addr, &[how, &OFTEN].concat(), &lines);
        assert!(ended.success && ended.out == lines, "{how:?}: {}", ended.said);
        assert!(ended.said.matches(" resumed on ").count() > 3, "{how:?}: {}", ended.said);
        assert!(mon.end().success);
    }
    // in the shipped dialects it is a client of an MDS whose session is resumed
    let mon = keys.echo("mon.a", &[]);
    for dialect in ["v2.1", "v2.0"] {
        for mode in ["crc", "secure"] {
            let mds = keys.echo("mds.a", &["--dialect", dialect]);
            let how = ["--dialect", dialect, "--mode", mode, "--service", "mds", "--keyring", &keyring];
            let how = [&how[..], &["--ticket-from", &mon.addr], &OFTEN].concat();
            let ended = connect(&mds.addr, &how, &lines);
            assert!(ended.success && ended.out == lines, "{dialect} {mode}: {}", ended.said);
            assert!(ended.said.matches(" resumed on ").count() > 3, "{dialect} {mode}: {}", ended.said);
            assert!(mds.stop().success);
        }
    }
}

#[test]
fn a_server_that_has_forgotten_the_session() {
    for dialect in ["v2.1", "v2.0", "proposal"] {
        for more in [&[][..], &["--one-way"], &["--measure", "--count", "100000000", "--window", "10"]] {
            let how = ["--dialect", dialect, "--name", "mds.a", "--behave", "echo"];
            let first = Server::start(&how);
            let addr = first.addr.clone();
            let options = [&["--dialect", dialect, "--service", "mds", "--events"], more].concat();
            let mut client = Client::start(&addr, &options);
            if more.is_empty() {
                client.say("one\n");
                assert_eq!(client.hear(), "one\n");
            } else {
                client.expect("begun on");
            }
            drop(first);
            if !more.contains(&"--measure") {
                client.say("two\nthree\n");
            }
            let second = Server::start_at(&addr, &how);
            let ended = client.end();
            assert!(!ended.success, "{dialect} {more:?}: {}", ended.said);
            let line = ended.said.lines().find(|line| line.contains("the server has forgotten the session"));
            let line = line.unwrap_or_else(|| panic!("{dialect} {more:?}: {}", ended.said));
            assert!(line.contains("message(s) may be lost"), "{line}");
            // two lines, of which none was acknowledged
            assert!(!more.is_empty() || line.contains(" 2 message(s)"), "{line}");
            drop(second);
        }
    }
}
