//! The file itself: which Wireshark loads it, and what it asks of the one that does.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::common::{Scratch, With, capture, plugin, run, wireshark};

/// Where a symbol's bytes are in the file.
fn offset(file: &Path, symbol: &str) -> usize {
    let symbols = run(Command::new("nm").args(["-D", "--defined-only"]).arg(file));
    let line = symbols.lines().find(|line| line.split_whitespace().nth(2) == Some(symbol)).expect(symbol);
    let hex = |text: &str| usize::from_str_radix(text, 16).unwrap();
    let address = hex(line.split_whitespace().next().unwrap());
    // name, size, address, address, offset
    let sections = run(Command::new("objdump").args(["-h", "-w"]).arg(file));
    let sections = sections.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let all: Vec<_> = sections
        .filter(|s| s.len() > 6 && s[0].parse::<u32>().is_ok())
        .map(|s| (hex(s[2]), hex(s[3]), hex(s[5])))
        .collect();
    let (_, start, at) = all.iter().find(|(size, start, _)| (*start..start + size).contains(&address)).unwrap();
    address - start + at
}

#[test]
fn another_series_refuses_it() {
    let scratch = Scratch::new();
    let path = scratch.file("msgr2-other.so");
    let mut bytes = fs::read(plugin()).unwrap();
    let at = offset(&plugin(), "plugin_want_minor");
    let minor = i32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert!((0..20).contains(&minor), "{minor}");
    bytes[at..at + 4].copy_from_slice(&(minor + 2).to_le_bytes());
    fs::write(&path, bytes).unwrap();
    let Output { status, stdout, stderr } =
        wireshark("tshark", With::This(&path)).arg("-r").arg(capture("crc-mon-cephx.pcap")).output().unwrap();
    assert!(status.success(), "the program goes on without it");
    let said = String::from_utf8_lossy(&stderr);
    assert!(said.contains("msgr2-other.so' was compiled for Wireshark version"), "{said}");
    assert!(said.contains(&format!(".{}", minor + 2)), "{said}");
    assert!(!String::from_utf8_lossy(&stdout).contains("MSGR2"));
}

#[test]
fn it_loads_under_the_name_that_carries_its_series() {
    let version = run(Command::new(crate::common::file("scripts/plugin-series")).arg(plugin()));
    let series = version.trim();
    let tshark = run(wireshark("tshark", With::Nothing).arg("--version"));
    assert!(tshark.contains(&format!("(Wireshark) {series}.")), "{series}: {tshark}");
    let scratch = Scratch::new();
    let path = scratch.file(&format!("msgr2-{series}.so"));
    fs::copy(plugin(), &path).unwrap();
    let plugins = run(wireshark("tshark", With::This(&path)).args(["-G", "plugins"]));
    assert!(plugins.contains(&format!("msgr2-{series}.so")), "{plugins}");
}

#[test]
fn it_asks_only_for_what_is_exported() {
    let tshark = run(Command::new("sh").args(["-c", "command -v tshark"]));
    let mut libraries = BTreeSet::new();
    for file in [Path::new(tshark.trim()), &plugin()] {
        let listed = run(Command::new("ldd").arg(file));
        libraries.extend(listed.split_whitespace().filter(|word| word.starts_with('/')).map(String::from));
    }
    assert!(libraries.iter().any(|library| library.contains("libwireshark")), "{libraries:?}");
    let name =
        |line: &str, at: usize| line.split_whitespace().nth(at).map(|name| name.split('@').next().unwrap().to_string());
    let exported: BTreeSet<String> = libraries
        .iter()
        .flat_map(|library| {
            let text = run(Command::new("nm").args(["-D", "--defined-only"]).arg(library));
            text.lines().filter_map(|line| name(line, 2)).collect::<Vec<_>>()
        })
        .collect();
    let text = run(Command::new("nm").args(["-D", "--undefined-only"]).arg(plugin()));
    let wanted: BTreeSet<String> =
        text.lines().filter(|line| line.trim_start().starts_with('U')).filter_map(|line| name(line, 1)).collect();
    assert!(wanted.contains("proto_register_plugin"));
    let missing: Vec<&String> = wanted.difference(&exported).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn it_is_linked_to_no_wireshark() {
    let dynamic = run(Command::new("objdump").arg("-p").arg(plugin()));
    let needed: Vec<&str> =
        dynamic.lines().filter_map(|line| line.trim().strip_prefix("NEEDED")).map(str::trim).collect();
    assert!(needed.contains(&"libc.so.6"), "{needed:?}");
    assert!(needed.iter().all(|name| !name.contains("wire") && !name.contains("wsutil")), "{needed:?}");
}

#[test]
fn its_start_is_quiet() {
    let output = wireshark("tshark", With::Plugin).arg("-r").arg(capture("crc-mon-cephx.pcap")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
