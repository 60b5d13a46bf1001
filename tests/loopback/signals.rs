//! Programs that are told to end: what they have recorded is whole.

use std::io::Read as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::{msgr2, run};
use crate::programs::{Client, Keys, Server};

const SIGNALS: [&str; 3] = ["INT", "TERM", "HUP"];

/// A recording holds a message there and one back.
fn is_whole(path: &Path, keyring: &str) {
    let shown = run(msgr2().args(["decode", path.to_str().unwrap(), "--keyring", keyring]));
    let messages = shown.lines().filter(|line| line.contains(" PING ")).count();
    assert_eq!(messages, 2, "{shown}");
}

#[test]
fn recordings_of_a_client() {
    let keys = Keys::make("aes");
    let (keyring, path) = (keys.keyring(), keys.path("client.pcapng"));
    for dialect in ["v2.1", "proposal"] {
        let server = keys.echo("mon.a", &["--dialect", dialect]);
        for signal in SIGNALS {
            let options = ["--dialect", dialect, "--keyring", &keyring, "--capture", path.to_str().unwrap()];
            let mut client = Client::start(&server.addr, &options);
            client.say("hello\n");
            assert_eq!(client.hear(), "hello\n");
            let ended = client.stop_by(signal);
            assert!(!ended.success && ended.said.contains(&format!("broken off by SIG{signal}")), "{}", ended.said);
            is_whole(&path, &keyring);
        }
    }
}

#[test]
fn recordings_of_a_server() {
    let keys = Keys::make("aes");
    let (keyring, path) = (keys.keyring(), keys.path("server.pcapng"));
    for behaviour in ["echo", "mon"] {
        for signal in SIGNALS {
            let capture = path.to_str().unwrap();
            let server = Server::start(&["--behave", behaviour, "--keyring", &keyring, "--capture", capture]);
            let mut client = Client::start(&server.addr, &["--keyring", &keyring]);
            client.say("hello\n");
            assert!(!client.hear().is_empty());
            let ended = server.stop_by(signal);
            assert!(ended.success, "{}", ended.said);
            is_whole(&path, &keyring);
        }
    }
}

#[test]
fn recordings_of_a_check() {
    // a server that says nothing, so that the check is there to be broken off
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let keys = Keys::make("aes");
    let path = keys.path("check.pcapng");
    let addr = silent.local_addr().unwrap().to_string();
    let mut child = msgr2()
        .args(["connect", "--no-conf", "--mon", &addr, "--capture", path.to_str().unwrap()])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let (mut stream, _) = silent.accept().unwrap();
    stream.read_exact(&mut [0; 26]).unwrap();
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert!(!child.wait().unwrap().success());
    let shown = run(msgr2().args(["decode", "--json", path.to_str().unwrap()]));
    assert!(shown.contains("BANNER") || shown.contains("HELLO"), "{shown}");
}
