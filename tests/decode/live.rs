//! A capture that is piped in as it is taken, `tcpdump -U -w - | msgr2 decode -`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::packets::{self, Packet};
use crate::common::{Scratch, capture, msgr2, run};
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

#[test]
fn an_interrupt_is_for_who_captures() {
    let bytes = std::fs::read(capture("msgr1-mon.pcap")).unwrap();
    let start = || {
        let mut program = msgr2().args(["decode", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut input, mut said) = (program.stdin.take().unwrap(), BufReader::new(program.stderr.take().unwrap()));
        input.write_all(&bytes).unwrap();
        input.flush().unwrap();
        // until it listens a signal would end it
        let begun = Instant::now();
        while !catches_interrupts(program.id()) {
            assert!(begun.elapsed() < PATIENCE);
            thread::sleep(Duration::from_millis(5));
        }
        interrupt(program.id());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        assert!(line.contains("interrupt once more"), "{line}");
        (program, input, said)
    };
    let (mut program, input, mut said) = start();
    drop(input);
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert!(program.wait().unwrap().success() && rest.contains("passed over: 1 TCP connection"), "{rest}");

    let (mut program, _input, _said) = start();
    interrupt(program.id());
    assert_eq!(program.wait().unwrap().code(), Some(130));
}

/// Whether a process has a handler for the interrupt, signal 2.
fn catches_interrupts(process: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim();
    u64::from_str_radix(caught, 16).unwrap() & 2 != 0
}

fn interrupt(process: u32) {
    run(Command::new("kill").arg("-INT").arg(process.to_string()));
}
