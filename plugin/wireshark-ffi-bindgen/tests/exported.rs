//! Every declared function and variable must be exported by a library that the
//! running program has mapped: otherwise the loader refuses the plugin.
//!
//! `WIRESHARK_LIB_DIR` names the directory of another libwireshark. Without
//! `nm` or the libraries the test says so and passes.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

#[path = "../allow.rs"]
#[allow(dead_code, reason = "the test looks at the functions only")]
mod allow;

const BINDINGS: &str = include_str!(concat!(env!("OUT_DIR"), "/bindings.rs"));

/// The functions and statics in the bindings' extern blocks.
fn declared() -> BTreeSet<&'static str> {
    let mut names = BTreeSet::new();
    let mut inside = false;
    for line in BINDINGS.lines() {
        if line.starts_with("unsafe extern \"C\" {") || line.starts_with("extern \"C\" {") {
            inside = true;
        } else if line == "}" {
            inside = false;
        } else if inside {
            let rest = ["pub fn ", "pub static mut ", "pub static "]
                .iter()
                .find_map(|start| line.trim_start().strip_prefix(start));
            if let Some(rest) = rest {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                names.insert(&rest[..end]);
            }
        }
    }
    names
}

/// The libraries' files by stem: the wanted directory first, then the system's.
fn libraries() -> BTreeMap<&'static str, PathBuf> {
    let wanted = env::var_os("WIRESHARK_LIB_DIR").map(PathBuf::from);
    let from_pkg_config = Command::new("pkg-config")
        .args(["--variable=libdir", "wireshark"])
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map(|text| PathBuf::from(text.trim()));
    let system = ["/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib"].map(PathBuf::from);
    let mut found = BTreeMap::new();
    for directory in wanted.into_iter().chain(from_pkg_config).chain(system) {
        for stem in ["libwireshark.so", "libwiretap.so", "libwsutil.so", "libglib-2.0.so"] {
            if let Some(path) = library(&directory, stem) {
                found.entry(stem).or_insert(path);
            }
        }
    }
    found
}

fn library(directory: &Path, stem: &str) -> Option<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(directory)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(stem)))
        .collect();
    paths.sort();
    paths.pop()
}

#[test]
fn every_declared_symbol_is_exported() {
    let libraries = libraries();
    if libraries.len() < 4 {
        eprintln!("skipped: libwireshark, libwiretap, libwsutil or libglib is not installed ({libraries:?})");
        return;
    }
    let mut exported = BTreeSet::new();
    for path in libraries.values() {
        let output = match Command::new("nm").args(["-D", "--defined-only"]).arg(path).output() {
            Ok(output) if output.status.success() => output,
            result => {
                eprintln!("skipped: nm does not work ({result:?})");
                return;
            }
        };
        let text = String::from_utf8(output.stdout).expect("symbols are ASCII");
        exported.extend(text.lines().filter_map(|line| {
            let name = line.split_whitespace().next_back()?;
            Some(name.split('@').next().unwrap_or(name).to_owned())
        }));
    }
    let declared = declared();
    assert!(declared.len() > 150, "only {} declarations found", declared.len());
    let missing: Vec<_> = declared.iter().filter(|name| !exported.contains(**name)).collect();
    assert!(missing.is_empty(), "declared but not exported, take them out of allow.rs: {missing:?}");
}

#[test]
fn every_allowed_function_is_declared() {
    let declared = declared();
    let absent: Vec<_> = allow::FUNCTIONS.iter().filter(|name| !declared.contains(**name)).collect();
    assert!(absent.is_empty(), "not in these headers: {absent:?}");
}
