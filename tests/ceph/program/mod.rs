//! The programs `msgr2 connect` and `msgr2 serve` with real Ceph.

mod client;
mod server;

use std::env;
use std::process::Command;

fn msgr2() -> Command {
    Command::new(env!("CARGO_BIN_EXE_msgr2"))
}

/// What the programs are to speak.
fn dialect() -> &'static str {
    if env::var("MSGR2_CEPH_REVISION").is_ok_and(|revision| revision == "0") { "v2.0" } else { "v2.1" }
}

#[track_caller]
fn shows(text: &str, whose: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} isn't in {whose}:\n{text}");
    }
}
