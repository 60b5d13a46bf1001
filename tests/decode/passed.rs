//! What is said of that which isn't shown.

use crate::common::packets::{self, Segment, Wire, conversation};
use crate::common::{Scratch, capture};
use crate::json;

fn says(client: bool, text: &str) -> Segment {
    Segment { client, bytes: text.as_bytes().to_vec() }
}

#[test]
fn other_protocols_are_counted() {
    let scratch = Scratch::new();
    let path = scratch.file("others.pcap");
    let mut wire = Wire::new();
    let mut port = 20_000;
    let mut connection = |said: &[Segment]| {
        port += 1;
        wire.connection(&format!("192.0.2.1:{port}"), "192.0.2.2:7000", said);
    };
    let http = [says(true, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), says(false, "HTTP/1.1 404 Not Found\r\n\r\n")];
    let ssh = [says(false, "SSH-2.0-OpenSSH_9.2\r\n"), says(true, "SSH-2.0-PuTTY\r\n")];
    let tls = [Segment { client: true, bytes: [&[0x16, 3, 1, 0, 200][..], &[7; 200]].concat() }];
    let unknown = [says(true, "What a strange protocol this is, longer than any preamble")];
    for said in [&http[..], &http, &ssh, &tls, &unknown, &unknown, &unknown, &[]] {
        connection(said);
    }
    packets::write(&path, &wire.packets);
    let (lines, said) = json([&path]);
    assert_eq!(lines.len(), 0, "{lines:?}");
    let said: Vec<&str> = said.lines().collect();
    let count = wire.packets.len();
    assert_eq!(said[0], format!("msgr2: no frame of msgr2 in {count} packet(s), {count} of them of TCP"));
    assert_eq!(
        said[1..],
        ["msgr2: passed over: 2 TCP connections of HTTP, 1 of SSH, 1 of TLS, 3 of nothing known, 1 without data"]
    );

    // beside a connection that is shown
    let mut wire = Wire::new();
    wire.connection("192.0.2.1:20000", "192.0.2.2:3300", &conversation(&capture("none-mon.pcap")));
    wire.connection("192.0.2.1:20001", "192.0.2.2:8080", &http);
    packets::write(&path, &wire.packets);
    let (lines, said) = json([&path]);
    assert_eq!((lines.len(), said.as_str()), (15, "msgr2: passed over: 1 TCP connection of HTTP\n"));
    assert_eq!(json([&capture("none-mon.pcap")]).1, "");
}

#[test]
fn the_legacy_messenger_is_named() {
    let (lines, said) = json([&capture("msgr1-mon.pcap")]);
    assert_eq!(lines.len(), 0);
    assert!(said.contains("msgr2: passed over: 1 TCP connection of the legacy messenger (msgr1)\n"), "{said}");
}

#[test]
fn a_capture_without_packets_is_no_error() {
    let scratch = Scratch::new();
    let path = scratch.file("none.pcap");
    packets::write(&path, []);
    assert_eq!(json([&path]), (Vec::new(), "msgr2: no frame of msgr2 in 0 packet(s), 0 of them of TCP\n".to_owned()));
}

#[test]
fn filters_that_let_nothing_through_are_named() {
    let path = capture("none-mon.pcap");
    let (lines, said) = json(["--tag".as_ref(), "SESSION_RESET".as_ref(), path.as_os_str()]);
    assert_eq!((lines.len(), said.as_str()), (0, "msgr2: none of 15 frame(s) is one of those that were asked for\n"));
}
