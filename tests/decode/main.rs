//! The program `msgr2`: what it prints of captures, what of the spec, and what it says when it can't.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

mod files;
mod filters;
mod frames;
mod keys;
mod live;
mod passed;
mod readme;
mod schema;
mod spec;
mod tunnels;

use std::path::Path;
use std::process::Output;

use common::{msgr2, run};
use serde_json::Value;

/// The lines of a capture, without times.
fn text(capture: &Path, options: &[&str]) -> Vec<String> {
    run(msgr2().args(["decode", "--time", "none"]).args(options).arg(capture)).lines().map(String::from).collect()
}

/// Runs `msgr2` so that it fails, and returns what it printed and what it said.
fn fails(arguments: &[&Path]) -> (String, String) {
    let Output { status, stdout, stderr } = msgr2().args(arguments).output().unwrap();
    assert_eq!(status.code(), Some(1), "{arguments:?}");
    (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// The lines of captures as JSON, and what is said besides.
fn json<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> (Vec<Value>, String) {
    let Output { status, stdout, stderr } = msgr2().args(["decode", "--json"]).args(arguments).output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert!(status.success(), "{said}");
    let lines = stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    (lines.map(|line| serde_json::from_slice(line).unwrap()).collect(), said)
}

/// A line without what depends on the file that it was read from.
fn without(line: &Value, keys: &[&str]) -> Value {
    let mut line = line.clone();
    keys.iter().for_each(|key| drop(line.as_object_mut().unwrap().remove(*key)));
    line
}
