//! `msgr2 connect --mon`: what it shows, and what it says of each failure.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use crate::common::{Scratch, msgr2, run};
use crate::programs::{Ended, Keys, Server, diagnose};

/// A mon of real Ceph's kind.
fn mon(keys: &Keys, more: &[&str]) -> Server {
    let keyring = keys.keyring();
    let mut arguments = vec!["--events", "--keyring", &keyring];
    arguments.extend(more);
    Server::start(&arguments)
}

fn check(addr: &str, more: &[&str]) -> Ended {
    diagnose(&[&["--mon", addr], more].concat())
}

/// A check that fails, and says all of this.
fn fails(addr: &str, more: &[&str], words: &[&str]) -> Ended {
    let ended = check(addr, more);
    assert!(!ended.success, "{more:?} should fail: {}", ended.out);
    for word in words {
        assert!(ended.said.contains(word), "{more:?}: {word:?} isn't in {}", ended.said);
    }
    assert!(ended.said.contains("  try: "), "{more:?}: there is nothing to try in {}", ended.said);
    ended
}

/// The names of the frames that were shown, in order, with their direction.
fn frames(out: &str) -> Vec<&str> {
    let frame = |line: &'_ str| line.split_once(" ms ").is_some();
    out.lines()
        .filter(|line| frame(line))
        .map(|line| line.split_once(" ms ").unwrap().1)
        .map(|rest| {
            let end = rest[2..].find(' ').map_or(rest.len(), |end| end + 2);
            &rest[..end]
        })
        .collect()
}

/// How far the handshake with cephx goes.
const CEPHX: [&str; 12] = [
    "> BANNER",
    "< BANNER",
    "> HELLO",
    "< HELLO",
    "> AUTH_REQUEST",
    "< AUTH_REPLY_MORE",
    "> AUTH_REQUEST_MORE",
    "< AUTH_DONE",
    "> AUTH_SIGNATURE",
    "< AUTH_SIGNATURE",
    "> CLIENT_IDENT",
    "< SERVER_IDENT",
];

/// All is well. Ours has no osdmap, and says so.
fn reached(ended: &Ended, agreed: &str) {
    for word in [
        agreed,
        "monmap      epoch 1",
        "mon.a [v2:127.0.0.1:",
        "seen as     v2:127.0.0.1:",
        "osdmap      none",
        "keepalive   answered",
        "client.admin can reach this mon",
    ] {
        assert!(ended.out.contains(word), "{word:?} isn't in {}", ended.out);
    }
    assert!(ended.success && ended.said.is_empty(), "{}", ended.said);
}

#[test]
fn each_mode_and_revision() {
    let keys = Keys::make("aes");
    let keyring = keys.keyring();
    for dialect in ["v2.1", "v2.0"] {
        for mode in ["crc", "secure"] {
            let mon = mon(&keys, &["--mode", mode, "--setting", "client/debug_ms=7"]);
            let ended = check(&mon.addr, &["--keyring", &keyring, "--dialect", dialect, "--wait", "1"]);
            reached(&ended, &format!("agreed      {dialect}, method cephx, mode {mode}, no compression"));
            let mut expected = CEPHX.to_vec();
            // compression is offered by both in v2.1, and nobody wants it
            let shown = frames(&ended.out);
            expected.retain(|frame| shown.contains(frame));
            assert_eq!(expected, CEPHX, "{}", ended.out);
            for word in ["tickets     mon for 60 min", "clock       in step", "1 option(s)", "debug_ms = 7"] {
                assert!(ended.out.contains(word), "{word:?} isn't in {}", ended.out);
            }
            let said = mon.stop().said;
            assert!(said.contains("subscribed to config, monmap; wanted osdmap, not served"), "{said}");
        }
    }
}

#[test]
fn method_none() {
    let mon = Server::start(&["--auth", "none"]);
    let ended = check(&mon.addr, &["--auth", "none", "--wait", "1"]);
    reached(&ended, "agreed      v2.1, method none, mode crc");
    assert!(!ended.out.contains("tickets"), "{}", ended.out);
}

#[test]
fn keys_that_do_not_fit() {
    let (keys, others) = (Keys::make("aes"), Keys::make("aes"));
    let mon = mon(&keys, &[]);
    let ended = fails(
        &mon.addr,
        &["--keyring", &others.keyring()],
        &["doesn't accept the key of client.admin", "EACCES", "ceph auth get client.admin"],
    );
    assert_eq!(frames(&ended.out).last(), Some(&"< AUTH_BAD_METHOD"), "{}", ended.out);
    // who is unknown looks the same
    let stranger = others.path("stranger");
    fs::write(&stranger, fs::read_to_string(others.keyring()).unwrap().replace("client.admin", "client.stranger"))
        .unwrap();
    fails(
        &mon.addr,
        &["--keyring", stranger.to_str().unwrap(), "--name", "client.stranger"],
        &[
            "doesn't accept the key of client.stranger",
            "or the mon doesn't know client.stranger",
            "ceph auth get-or-create client.stranger",
        ],
    );
}

#[test]
fn keyrings_without_the_key() {
    let keys = Keys::make("aes");
    let keyring = keys.keyring();
    fails(
        "127.0.0.1:1",
        &["--keyring", &keyring, "--name", "client.nobody"],
        &["no key of client.nobody, but of client.admin, client.other", "--name"],
    );
    fails(
        "127.0.0.1:1",
        &["--keyring", "/nonexistent/keyring"],
        &["the keyring can't be read", "No such file", "ceph auth get client.admin"],
    );
    let bad = keys.path("bad");
    fs::write(&bad, "[client.admin]\n\tkey = not a key\n").unwrap();
    fails("127.0.0.1:1", &["--keyring", bad.to_str().unwrap()], &["the keyring can't be read", "line 2"]);
}

#[test]
fn modes_and_methods_that_are_refused() {
    let keys = Keys::make("aes");
    let keyring = keys.keyring();
    let secure = mon(&keys, &["--mode", "secure"]);
    fails(
        &secure.addr,
        &["--keyring", &keyring, "--mode", "crc"],
        &["only secure", "--mode secure", "ms_mon_service_mode"],
    );
    fails(
        &secure.addr,
        &["--auth", "none"],
        &["doesn't take the method none, only cephx", "--keyring FILE", "auth_client_required"],
    );
    let open = Server::start(&["--auth", "none"]);
    fails(&open.addr, &["--keyring", &keyring], &["doesn't take the method cephx, only none", "--auth none"]);
}

#[test]
fn an_echo_is_no_mon() {
    let keys = Keys::make("aes");
    let echo = mon(&keys, &["--behave", "echo"]);
    fails(&echo.addr, &["--keyring", &keys.keyring()], &["sends back what it gets", "--behave echo"]);
}

#[test]
fn the_second_mon_is_tried_if_the_first_does_not_answer() {
    let keys = Keys::make("aes");
    let mon = mon(&keys, &[]);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ended = check(&format!("{nobody},[v2:{}/0]", mon.addr), &["--keyring", &keys.keyring(), "--wait", "1"]);
    assert!(ended.success && ended.said.contains(&format!("nobody listens at {nobody}")), "{}", ended.said);
    assert!(ended.out.contains("client.admin can reach this mon"), "{}", ended.out);
}

#[test]
fn another_address_than_the_mons() {
    let keys = Keys::make("aes");
    let mon = mon(&keys, &["--monmap-addr", "127.0.0.1:3333"]);
    let ended =
        fails(&mon.addr, &["--keyring", &keys.keyring()], &["behind CLIENT_IDENT", &mon.addr, "ceph mon dump", "NAT"]);
    assert_eq!(frames(&ended.out).last(), Some(&"> CLIENT_IDENT"), "{}", ended.out);
}

#[test]
fn daemons() {
    let keys = Keys::make("aes");
    let (keyring, services) = (keys.keyring(), keys.services());
    let osd = ["--name", "osd.3", "--service-keys", &services];
    let osd = Server::start(&osd);
    let mon = mon(&keys, &["--service-keys", &services]);
    let with = |addr: &str, more: &[&str]| {
        diagnose(&[&[addr, "--check", "--keyring", &keyring, "--ticket-from", &mon.addr], more].concat())
    };
    let ended = with(&osd.addr, &[]);
    assert!(ended.success, "{}", ended.said);
    for word in ["daemon      osd.3", "keepalive   answered", "client.admin can reach this osd"] {
        assert!(ended.out.contains(word), "{word:?} isn't in {}", ended.out);
    }
    // a nonce of another life
    let ended = with(&osd.addr, &["--nonce", "7"]);
    assert!(!ended.success && ended.said.contains("ceph osd dump"), "{}", ended.said);
    // something else listens there
    let ended = with(&mon.addr, &[]);
    assert!(!ended.success && ended.said.contains("there is a mon at"), "{}", ended.said);
    // another cluster's
    let others = Keys::make("aes");
    let stranger = Server::start(&["--name", "osd.3", "--service-keys", &others.services()]);
    let ended = with(&stranger.addr, &[]);
    assert!(!ended.success && ended.said.contains("doesn't accept the ticket"), "{}", ended.said);
}

/// Something that listens, takes a connection, and does this with it.
fn listener(serve: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().for_each(|stream| serve(stream.unwrap())));
    addr
}

/// Something that answers with these bytes as soon as it hears something.
fn speaker(bytes: &'static [u8]) -> SocketAddr {
    listener(move |mut stream| {
        let _ = stream.read(&mut [0; 64]);
        let _ = stream.write_all(bytes);
        let _ = stream.read(&mut [0; 64]);
    })
}

#[test]
fn what_is_not_msgr2() {
    let keys = Keys::make("aes");
    let keyring = keys.keyring();
    let with = ["--keyring", keyring.as_str()];
    let says = |bytes, words: &[&str]| {
        fails(&speaker(bytes).to_string(), &with, words);
    };
    says(b"ceph v027\0\0\0\x01\x0f", &["msgr1", "ceph v027", "port is 3300"]);
    says(b"HTTP/1.1 400 Bad Request\r\n\r\n", &["HTTP", "3300"]);
    says(b"\x15\x03\x01\x00\x02\x02\x46", &["TLS"]);
    says(b"SSH-2.0-OpenSSH_9.6\r\n", &["SSH"]);
    says(b"* OK IMAP4rev1 ready\r\n", &["it sends \"* OK IMAP4rev1 ready"]);
    says(b"ceph v3\nnothing", &["unknown banner of Ceph"]);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    fails(&nobody.to_string(), &with, &["nobody listens", "Connection refused", "ceph mon dump"]);
    fails("mon.invalid", &with, &["no address is known for mon.invalid", "getent hosts"]);
    fails("[v1:127.0.0.1:6789/0]", &with, &["no mon is named that speaks msgr2", "mon_host"]);
}

/// The banner of a mon of v2.1.
const BANNER: &[u8] = b"ceph v2\n\x10\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

#[test]
fn connections_that_end() {
    let keys = Keys::make("aes");
    let keyring = keys.keyring();
    let with = ["--keyring", keyring.as_str()];
    // at once
    let gone = listener(drop).to_string();
    fails(&gone, &with, &["before a byte came", "something in between"]);
    // behind the banner
    let banner = speaker(BANNER).to_string();
    fails(&banner, &with, &["the connection was", "HELLO", "BANNER", "firewall"]);
    // a mon without a quorum: it closes instead of answering AUTH_REQUEST. A real one's HELLO, from one of ours.
    let mon = mon(&keys, &[]);
    let upstream = mon.addr.clone();
    let between = listener(move |mut client| {
        let mut server = TcpStream::connect(&upstream).unwrap();
        let mut back = (server.try_clone().unwrap(), client.try_clone().unwrap());
        thread::spawn(move || std::io::copy(&mut back.0, &mut back.1));
        // banner and HELLO, then no more
        let mut bytes = [0; 26];
        client.read_exact(&mut bytes).unwrap();
        server.write_all(&bytes).unwrap();
        let mut head = [0; 32];
        client.read_exact(&mut head).unwrap();
        let mut rest = vec![0; usize::from(u16::from_le_bytes([head[2], head[3]])) + 4];
        let _ = client.read_exact(&mut rest);
        server.write_all(&[&head[..], &rest].concat()).unwrap();
        thread::sleep(std::time::Duration::from_millis(300));
        let _ = client.shutdown(std::net::Shutdown::Both);
    });
    fails(&between.to_string(), &with, &["instead of answering AUTH_REQUEST", "quorum", "mon_status"]);
}

#[test]
fn silence() {
    let keys = Keys::make("aes");
    let keyring = keys.keyring();
    let silent = listener(|mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    fails(&silent.to_string(), &["--keyring", &keyring], &["says nothing for 10 s", "MTU"]);
}

#[test]
fn what_it_records_is_decoded() {
    let keys = Keys::make("aes");
    let keyring = keys.keyring();
    let mon = mon(&keys, &["--mode", "secure"]);
    let scratch = Scratch::new();
    let capture = scratch.file("check.pcapng");
    let capture = capture.to_str().unwrap();
    check(&mon.addr, &["--keyring", &keyring, "--wait", "1", "--capture", capture]);
    let shown = run(msgr2().args(["decode", capture, "--keyring", &keyring]));
    assert!(shown.contains("SERVER_IDENT") && shown.contains("monmap"), "{shown}");
}
