//! What is spoken unless told otherwise, and what is said of who speaks something else.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::programs::{Ended, Keys, Server, connect, connect_proposal, lines};

/// A server that everybody may come to.
fn open(arguments: &[&str]) -> Server {
    Server::start(&[&["--name", "osd.0"], arguments].concat())
}

#[test]
fn sessions_end_well_in_each_mode() {
    let keys = Keys::make("aes");
    let keyring = keys.keyring();
    let mon = keys.echo("mon.a", &[]);
    for name in ["mon.a", "osd.0", "mds.a"] {
        for dialect in ["v2.1", "v2.0"] {
            for mode in ["crc", "secure"] {
                let server = keys.echo(name, &["--dialect", dialect]);
                let service = &name[..3];
                let mut options = vec!["--keyring", &keyring, "--mode", mode, "--events"];
                if name != "mon.a" {
                    options.extend(["--service", service, "--ticket-from", &mon.addr]);
                }
                for _ in 0..3 {
                    let Ended { success, out, said } = connect(&server.addr, &options, &lines());
                    assert!(success && out == lines(), "{name} {dialect} {mode}: {said}");
                    let agreed = format!("{dialect}, method cephx, mode {mode}");
                    assert!(said.contains(&agreed), "{agreed}: {said}");
                }
                let ended = server.stop();
                assert!(ended.success && ended.said.is_empty(), "{name} {dialect} {mode}: {}", ended.said);
            }
        }
    }
    let ended = mon.stop();
    assert!(ended.success && ended.said.is_empty(), "{}", ended.said);
}

#[test]
fn one_session_is_enough_if_one_was_asked_for() {
    let server = open(&["--once"]);
    assert!(connect(&server.addr, &["--service", "osd"], "hello\n").success);
    let ended = server.end();
    assert!(ended.success && ended.said.is_empty(), "{}", ended.said);
}

#[test]
fn a_session_that_breaks_in_a_frame_has_failed() {
    let server = open(&["--once"]);
    let broken = connect(&server.addr, &["--service", "osd", "--fault", "kill-after-bytes=100000"], &lines());
    assert!(!broken.success, "{}", broken.said);
    let ended = server.end();
    assert!(!ended.success && ended.said.contains("in the middle of a frame"), "{}", ended.said);
}

#[test]
fn a_mon_says_how_it_is() {
    let mon = Server::start(&[]);
    let ended = connect(&mon.addr, &[], "how are you?\n");
    assert!(
        ended.success && ended.out.starts_with("{\"mon_status\":{\"monmap\":{\"epoch\":1,"),
        "{} {}",
        ended.out,
        ended.said
    );
    let ended = connect(&mon.addr, &["--measure"], "");
    assert!(!ended.success && ended.said.contains("serve --behave echo"), "{}", ended.said);
}

#[test]
fn the_other_dialect() {
    let (shipped, proposal) = (open(&[]), Server::proposal(&[]));
    let said = |ended: Ended, words: &[&str]| {
        assert!(!ended.success);
        assert!(words.iter().all(|word| ended.said.contains(word)), "{words:?}: {}", ended.said);
    };
    let found = format!("{} speaks the proposal of 2016", proposal.addr);
    said(connect(&proposal.addr, &[], "x\n"), &[&found, "this client v2.1", "try: --dialect proposal"]);
    said(connect(&proposal.addr, &["--dialect", "v2.0"], "x\n"), &[&found, "this client v2.0"]);
    let found = format!("{} speaks msgr2 as Ceph does", shipped.addr);
    said(connect_proposal(&shipped.addr, &[], "x\n"), &[&found, "this client proposal", "try: --dialect v2.1"]);
    let with_mon = crate::programs::diagnose(&["--mon", &proposal.addr]);
    said(with_mon, &["speaks the proposal of 2016", "try: --dialect proposal"]);
    // the servers have noticed as well
    said_of_strangers(shipped, &["speaks the proposal of 2016, and this server v2.1"]);
    said_of_strangers(proposal, &["speaks msgr2 as Ceph does (v2.0 or v2.1), and this server proposal"]);
}

/// What a server has said by its end.
fn said_of_strangers(server: Server, words: &[&str]) {
    let ended = server.stop();
    assert!(words.iter().all(|word| ended.said.contains(word)), "{words:?}: {}", ended.said);
}

#[test]
fn other_protocols() {
    for (bytes, word) in [
        (&b"ceph v027\0\0\0\x01\x0f"[..], "msgr1"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "TLS"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "SSH"),
        (b"* OK IMAP4rev1 ready\r\n", "* OK IMAP4rev1"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.write_all(bytes);
                let _ = stream.read(&mut [0; 64]);
            }
        });
        for dialect in ["v2.1", "v2.0", "proposal"] {
            let ended = connect(&addr, &["--dialect", dialect], "x\n");
            assert!(!ended.success && ended.said.contains(word), "{dialect}, {word}: {}", ended.said);
        }
    }
}

#[test]
fn strangers_at_a_server() {
    for dialect in ["v2.1", "proposal"] {
        for name in ["mon.a", "osd.0"] {
            let server = Server::start(&["--dialect", dialect, "--name", name]);
            let begin = |bytes: &[u8]| {
                let mut stream = TcpStream::connect(&server.addr).unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                stream.write_all(bytes).unwrap();
                let begun = Instant::now();
                let _ = stream.read_to_end(&mut Vec::new());
                assert!(begun.elapsed() < Duration::from_secs(5), "it isn't let wait");
            };
            begin(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
            begin(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
            begin(b"ceph v027\0\0\0\x01\x0f");
            begin(b"no idea what this is");
            let words = ["speaks HTTP", "speaks TLS", "msgr1", "something unknown, \"no idea what"];
            said_of_strangers(server, &words);
        }
    }
}
