//! A capture that is piped in as it is taken, `tcpdump -U -w - | msgr2 decode -`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::packets::{self, Packet};
use crate::common::{Scratch, capture, msgr2};
use crate::text;

/// Ten packets a second.
const PACE: Duration = Duration::from_millis(100);
/// Longer than any machine takes for a line.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn each_line_comes_with_its_packet() {
    let path = capture("none-mon.pcap");
    let expected = text(&path, &[]);
    let packets = packets::read(&path);
    let scratch = Scratch::new();
    // the bytes of a file of one packet, without its header but for the first
    let bytes = |n: usize, packet: &Packet| {
        let one = scratch.file("one.pcap");
        packets::write(&one, [packet]);
        let bytes = std::fs::read(&one).unwrap();
        if n == 0 { bytes } else { bytes[24..].to_vec() }
    };

    let mut program =
        msgr2().args(["decode", "--time", "none", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, output) = (program.stdin.take().unwrap(), program.stdout.take().unwrap());
    let (sender, lines) = mpsc::channel();
    let reader = thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            sender.send(line.unwrap()).unwrap();
        }
    });
    for (n, packet) in packets.iter().enumerate() {
        let begun = Instant::now();
        input.write_all(&bytes(n, packet)).unwrap();
        input.flush().unwrap();
        let number = format!("{} ", n + 1);
        for expected in expected.iter().filter(|line| line.starts_with(&number)) {
            let line = lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("packet {number}is there: {expected}"));
            assert_eq!(line, *expected);
        }
        thread::sleep(PACE.saturating_sub(begun.elapsed()));
        assert!(lines.try_recv().is_err(), "no line before its packet");
    }
    drop(input);
    assert!(program.wait().unwrap().success());
    reader.join().unwrap();
    assert!(lines.try_recv().is_err());
}
