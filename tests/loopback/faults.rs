//! Connections that break: a stateful session gets over it.

use std::fmt::Write as _;

use crate::programs::{Keys, Server, connect};

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
        let ended = connect(&mon.addr, &options, &lines);
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
    let server = Server::start(&["--once", "--fault", "kill-after-frames=100", "--fault", "split=7"]);
    let ended = connect(&server.addr, &["--events", "--fault", "delay=2"], &lines);
    assert!(ended.success, "{}", ended.said);
    assert!(ended.out == lines, "lines are lost, doubled or out of order");
    assert_eq!(ended.said.matches(" resumed on ").count(), 1, "{}", ended.said);
    assert!(server.end().success);
}

#[test]
fn a_lossy_session_says_that_it_ends() {
    let server = Server::start(&[]);
    let ended = connect(&server.addr, &["--lossy", "--fault", "kill-after-bytes=3000"], &numbers(500));
    assert!(!ended.success);
    assert!(ended.said.contains("the session is"), "{}", ended.said);
}
