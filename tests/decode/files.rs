//! Captures in several files, compressed, out of a pipe.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::common::packets::{self, Packet};
use crate::common::{Scratch, capture, has, msgr2, run};
use crate::{fails, json, without};

/// Cuts a capture in parts of so many packets.
fn parts(scratch: &Scratch, capture: &Path, packets: usize) -> Vec<PathBuf> {
    let all = packets::read(capture);
    let name = |n: usize| scratch.file(&format!("part{n}.pcap"));
    let write = |(n, part): (usize, &[Packet])| {
        packets::write(&name(n), part);
        name(n)
    };
    all.chunks(packets).enumerate().map(write).collect()
}

#[test]
fn connections_go_on_in_the_next_file() {
    let scratch = Scratch::new();
    let path = capture("secure-tickets.pcap");
    let keyring = path.with_extension("keyring");
    let keys = ["--keyring".as_ref(), keyring.as_os_str()];
    let (whole, _) = json(keys.into_iter().chain([path.as_os_str()]));
    for packets in [1, 7, 50] {
        let parts = parts(&scratch, &path, packets);
        assert!(parts.len() > 1);
        let (cut, said) = json(keys.into_iter().chain(parts.iter().map(|part| part.as_os_str())));
        assert_eq!((cut.len(), said.as_str()), (whole.len(), ""));
        for (cut, whole) in cut.iter().zip(&whole) {
            let number = whole["packet"].as_u64().unwrap() as usize - 1;
            assert_eq!(cut["file"].as_str(), parts[number / packets].to_str());
            assert_eq!(cut["packet"], number % packets + 1);
            assert_eq!(without(cut, &["file", "packet"]), without(whole, &["file", "packet"]));
        }
    }
}

#[test]
fn text_names_the_file_if_there_are_several() {
    let scratch = Scratch::new();
    let capture = capture("none-mon.pcap");
    let parts = parts(&scratch, &capture, 10);
    let text = run(msgr2().args(["decode", "--time", "none"]).args(&parts));
    let banner = format!("{}:4 0 127.0.0.1:50826 > 127.0.0.1:3300 v2 crc Banner", parts[0].display());
    assert!(text.starts_with(&banner), "{text}");
    assert!(text.lines().any(|line| line.starts_with(&format!("{}:1 0 ", parts[1].display()))), "{text}");
}

#[test]
fn relations_name_another_file_and_only_another_one() {
    let scratch = Scratch::new();
    let recorded = capture("proposal-reconnect.pcapng");
    let keyring = recorded.with_extension("keyring");
    let related = |files: &[&Path]| {
        let text = run(msgr2().arg("decode").arg("--keyring").arg(&keyring).args(files));
        text.lines().filter_map(|line| Some(line.split_once(" (resumes ")?.1.to_owned())).collect::<Vec<_>>()
    };
    let whole = related(&[&recorded]);
    assert_eq!(whole.len(), 1, "{whole:?}");
    let begun = whole[0].split(')').next().unwrap();
    let parts = [format!("1-{begun}"), format!("{}-999", begun.parse::<u32>().unwrap() + 1)].map(|packets| {
        let part = scratch.file(&packets);
        run(Command::new("editcap").arg("-r").args([&recorded, &part]).arg(packets));
        part
    });
    let elsewhere = whole[0].replacen(begun, &format!("{}:{begun}", parts[0].display()), 1);
    assert_eq!(related(&[&parts[0], &parts[1]]), [elsewhere]);
}

#[test]
fn what_is_wrong_with_one_file_costs_no_other() {
    let scratch = Scratch::new();
    let capture = capture("none-mon.pcap");
    let parts = parts(&scratch, &capture, 10);
    let (whole, _) = json(&parts);
    let (absent, empty) = (scratch.file("absent.pcap"), scratch.file("empty.pcap"));
    fs::write(&empty, "").unwrap();
    let mut arguments = vec![Path::new("decode"), Path::new("--json"), &absent, &empty];
    arguments.extend(parts.iter().map(PathBuf::as_path));
    let (out, said) = fails(&arguments);
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, whole);
    let said: Vec<&str> = said.lines().collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("absent.pcap: can't be opened") && said[1].contains("empty.pcap: is empty"), "{said:?}");
}

#[test]
fn standard_input_is_read() {
    let path = capture("rare.pcapng");
    let (whole, _) = json([&path]);
    let piped = |program: &mut Command| {
        let input = program.stdout(Stdio::piped()).spawn().unwrap().stdout.unwrap();
        run(msgr2().args(["decode", "--json", "-"]).stdin(input))
    };
    let redirected = run(msgr2().args(["decode", "--json", "-"]).stdin(File::open(&path).unwrap()));
    for text in [piped(Command::new("cat").arg(&path)), piped(Command::new("gzip").arg("-c").arg(&path)), redirected] {
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), whole.len());
        for (line, whole) in lines.iter().zip(&whole) {
            assert_eq!(line["file"], "-");
            assert_eq!(without(line, &["file", "relations"]), without(whole, &["file", "relations"]));
        }
    }
}

#[test]
fn compressed_files_are_known_by_their_content() {
    let path = capture("secure-tickets.pcap");
    let (whole, _) = json([&path]);
    let scratch = Scratch::new();
    for tool in ["gzip", "zstd", "lz4", "xz", "bzip2"] {
        if !has(tool) {
            continue;
        }
        // the name says something else
        let packed = scratch.file("packed.pcap");
        let packing = Command::new(tool).arg("-c").stdin(File::open(&path).unwrap()).output().unwrap();
        assert!(packing.status.success());
        fs::write(&packed, packing.stdout).unwrap();
        if ["xz", "bzip2"].contains(&tool) {
            let (out, said) = fails(&[Path::new("decode"), &packed]);
            assert!(out.is_empty() && said.contains(&format!("is compressed with {tool}: unpack it first")), "{said}");
            continue;
        }
        let (lines, said) = json([&packed]);
        let same =
            lines.iter().map(|line| without(line, &["file"])).eq(whole.iter().map(|line| without(line, &["file"])));
        assert!(same && said.is_empty(), "{tool}: {said}");
        // what was packed before the cut is shown
        let bytes = fs::read(&packed).unwrap();
        fs::write(&packed, &bytes[..bytes.len() - 5]).unwrap();
        let (_, said) = fails(&[Path::new("decode"), &packed]);
        assert!(said.contains("packed.pcap: ") && said.contains("can't be read"), "{tool}: {said}");
    }
}

#[test]
fn all_times_are_told() {
    let path = capture("none-mon.pcap");
    let column = |options: &[&str]| {
        let text = run(msgr2().arg("decode").args(options).arg(&path));
        text.lines().take(2).map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect::<Vec<_>>()
    };
    let packets = packets::read(&path);
    let relative = |number: usize| format!("0.{:06}", packets[number - 1].time - packets[0].time);
    assert_eq!(column(&[]), [relative(4), relative(6)]);
    assert_eq!(column(&["--time", "relative"]), [relative(4), relative(6)]);
    let epoch = packets[3].time;
    assert_eq!(column(&["--time", "epoch"])[0], format!("{}.{:06}", epoch / 1_000_000, epoch % 1_000_000));
    let date = run(Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%S", "-d", &format!("@{}", epoch / 1_000_000)]));
    let utc = format!("{}.{:06}Z", date.trim(), epoch % 1_000_000);
    assert_eq!(column(&["--time", "utc"])[0], utc);
    assert_eq!(column(&["--time", "none"])[0], "0", "the connection's number");
    let (lines, _) = json([&path]);
    let time = &lines[0]["time"];
    assert_eq!(time["text"], utc);
    assert_eq!(time["seconds"].as_u64().unwrap() * 1_000_000 + time["nanoseconds"].as_u64().unwrap() / 1000, epoch);
    // with nanoseconds
    let (lines, _) = json([&capture("proposal-ticket.pcapng")]);
    let fraction = lines[0]["time"]["text"].as_str().unwrap().split('.').nth(1).unwrap().to_owned();
    assert_eq!(fraction, format!("{:09}Z", lines[0]["time"]["nanoseconds"].as_u64().unwrap()));
}
