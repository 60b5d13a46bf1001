//! The program `msgr2`: what it prints of captures, what of the spec, and what it says when it can't.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;
use std::process::Output;

use common::packets::{self, Wire, conversation};
use common::{Scratch, capture, captures, decode, msgr2, run, shared};
use serde_json::Value;

fn text(capture: &Path, options: &[&str]) -> Vec<String> {
    run(msgr2().arg("decode").args(options).arg(capture)).lines().map(String::from).collect()
}

#[test]
fn a_line_for_each_frame() {
    let lines = text(&capture("none-mon.pcap"), &[]);
    let head = |line: &String| line.split(' ').take(7).collect::<Vec<_>>().join(" ");
    assert_eq!(
        lines.iter().map(head).collect::<Vec<_>>(),
        [
            "4 0 127.0.0.1:50826 > 127.0.0.1:3300 v2 crc",
            "6 0 127.0.0.1:3300 > 127.0.0.1:50826 v2 crc",
            "8 0 127.0.0.1:50826 > 127.0.0.1:3300 v2.1 crc",
            "9 0 127.0.0.1:3300 > 127.0.0.1:50826 v2.1 crc",
            "10 0 127.0.0.1:50826 > 127.0.0.1:3300 v2.1 crc",
            "11 0 127.0.0.1:3300 > 127.0.0.1:50826 v2.1 crc",
            "12 0 127.0.0.1:3300 > 127.0.0.1:50826 v2.1 crc",
            "13 0 127.0.0.1:50826 > 127.0.0.1:3300 v2.1 crc",
            "14 0 127.0.0.1:50826 > 127.0.0.1:3300 v2.1 crc",
            "15 0 127.0.0.1:3300 > 127.0.0.1:50826 v2.1 crc",
            "16 0 127.0.0.1:50826 > 127.0.0.1:3300 v2.1 crc",
        ]
    );
}
