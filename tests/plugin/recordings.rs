//! Recordings of real Ceph: the plugin sees the frames that the codec sees, and that the daemons' logs count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::{Scratch, captures, fresh, keyring_of, msgr2, run, shared, tshark};
use crate::table::{Row, decoded_frames, findings, frames, rows};

/// The plugin's frames are the codec's, packet by packet, and nothing is wrong with them.
fn agrees(capture: &Path, keyring: Option<&Path>) -> Vec<Row> {
    let rows = same_frames(capture, keyring);
    let name = capture.display();
    let mut wrong = findings(&rows);
    // without a key, and where the recording has it
    wrong.retain(|(_, kind)| *kind != "encrypted" || keyring.is_some());
    // monitors are probed and left, daemons are killed at a recording's end
    wrong.retain(|(_, kind)| !["handshake_reset", "handshake_closed", "client_silent"].contains(kind));
    // some captures are of what goes wrong
    let refused = ["denied", "method_refused", "mode_refused", "missing_features", "wrong_protocol"];
    let broken = ["session_reset", "session_retry", "session_retry_global", "session_wait"];
    let of_trouble = ["rare", "refused", "resumed"].iter().any(|of| name.to_string().contains(of));
    wrong.retain(|(_, kind)| !of_trouble || !refused.contains(kind) && !broken.contains(kind));
    assert!(wrong.is_empty(), "{name}: {wrong:?}");
    rows
}

/// The plugin's frames are the codec's, packet by packet.
fn same_frames(capture: &Path, keyring: Option<&Path>) -> Vec<Row> {
    let option = keyring.map(|keyring| format!("msgr2.keyring:{}", keyring.display()));
    let options: Vec<&str> = option.iter().flat_map(|option| ["-o", option]).collect();
    let rows = rows(capture, &options);
    let mut program = msgr2();
    program.args(["decode", "--json"]);
    if let Some(keyring) = keyring {
        program.arg("--keyring").arg(keyring);
    }
    let lines: Vec<Value> = run(program.arg(capture)).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let name = capture.display();
    let (shown, decoded) = (frames(&rows), decoded_frames(&lines));
    for stream in shown.keys().chain(decoded.keys()) {
        assert_eq!(shown.get(stream), decoded.get(stream), "{name}: stream {stream}: tshark, msgr2 decode");
    }
    let legacy = name.to_string().contains("msgr1");
    assert_eq!(shown.is_empty(), legacy, "{name}");
    // the built-in dissector of the legacy messenger finds some of its own frames malformed
    let malformed = rows.iter().find(|row| row.malformed && !legacy);
    assert!(malformed.is_none(), "{name}: {malformed:?}");
    rows
}

#[test]
fn our_captures_agree_with_the_codec() {
    let (proposal, shipped): (Vec<_>, Vec<_>) =
        captures().into_iter().partition(|path| path.to_string_lossy().contains("proposal"));
    let tags = |captures: &[PathBuf]| -> BTreeSet<u8> {
        captures.iter().flat_map(|capture| agrees(capture, None)).flat_map(|row| row.tags).collect()
    };
    assert_eq!(tags(&shipped), (1..=22).collect(), "every tag is in one of them");
    use msgr2::proposal::Tag;
    let begun = [Tag::AUTH_METHODS, Tag::AUTH_REPLY, Tag::ENCRYPT_BEGIN, Tag::IDENT, Tag::START, Tag::SIGNATURE];
    let resumed = [Tag::RECONNECT, Tag::RECONNECT_OK, Tag::MSG, Tag::ACK, Tag::CLOSE];
    let seen = tags(&proposal);
    assert!(begun.iter().chain(&resumed).all(|tag| seen.contains(&tag.0)), "{seen:?}");
}

/// Frames by tag, summed over what all daemons logged.
fn logged(file: &Path) -> BTreeMap<u8, u64> {
    let mut counts = BTreeMap::new();
    let text = fs::read_to_string(file).unwrap();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let cells: Vec<&str> = line.split('\t').collect();
        if let Ok(tag) = cells[1].parse() {
            *counts.entry(tag).or_default() += cells.last().unwrap().parse::<u64>().unwrap();
        }
    }
    assert!(!counts.is_empty(), "{}", file.display());
    counts
}

fn agrees_with_logs(name: &str) {
    let Some(capture) = shared(&format!("{name}.pcapng")) else { return };
    let scratch = Scratch::new();
    let rows = agrees(&capture, Some(&all_keys(&capture, &scratch)));
    let (shown, logged) = (counted(&rows), logged(&capture.with_extension("tags.tsv")));
    assert_eq!(shown.keys().collect::<Vec<_>>(), logged.keys().collect::<Vec<_>>(), "{name}");
    for (tag, count) in &logged {
        // a peer that was closing didn't read the last messages
        let unread = if *tag == 17 { 5 } else { 0 };
        assert!((*count..=count + unread).contains(&shown[tag]), "{name}: tag {tag}: {} logged {count}", shown[tag]);
    }
}

/// All keys of entities in a recording.
fn all_keys(capture: &Path, scratch: &Scratch) -> PathBuf {
    let keyring = scratch.file("keyring");
    let text = |ending: &str| fs::read_to_string(capture.with_extension(ending)).unwrap_or_default();
    fs::write(&keyring, text("keyring") + &text("auth")).unwrap();
    keyring
}

/// Frames by tag.
fn counted(rows: &[Row]) -> BTreeMap<u8, u64> {
    let mut shown = BTreeMap::new();
    for tag in rows.iter().flat_map(|row| &row.tags) {
        *shown.entry(*tag).or_default() += 1;
    }
    shown
}

/// Those in the folder `$MSGR2_RECORDINGS`: clusters that break connections, refuse, compress.
#[test]
fn fresh_recordings() {
    for capture in fresh() {
        let name = capture.display();
        let scratch = Scratch::new();
        let rows = same_frames(&capture, Some(&all_keys(&capture, &scratch)));
        let shown = counted(&rows);
        // what was sent into a broken connection nobody has logged
        for (tag, count) in logged(&capture.with_extension("tags.tsv")) {
            let seen = shown.get(&tag).copied().unwrap_or_default();
            assert!(seen >= count, "{name}: tag {tag}: {seen} of {count}");
        }
        // what strangers and broken scripts earn
        let refused = ["denied", "method_refused", "mode_refused", "missing_features", "wrong_protocol", "lost"];
        let broken = ["session_reset", "session_retry", "session_retry_global", "session_wait", "ended_in_frame"];
        let ended = ["handshake_reset", "handshake_closed", "client_silent"];
        let earned = [&refused[..], &broken, &ended].concat();
        let wrong: BTreeMap<_, usize> = findings(&rows).into_iter().fold(BTreeMap::new(), |mut all, (_, kind)| {
            *all.entry(kind).or_default() += 1;
            all
        });
        eprintln!("{name}: tags {shown:?}, found {wrong:?}");
        assert!(wrong.keys().all(|kind| earned.contains(kind)), "{name}: {wrong:?}");
    }
}

#[test]
fn pacific_crc_agrees_with_the_logs() {
    agrees_with_logs("pacific-16.2.15-crc");
}

#[test]
fn pacific_without_authentication_agrees_with_the_logs() {
    agrees_with_logs("pacific-16.2.15-none");
}

#[test]
fn pacific_with_mds_agrees_with_the_logs() {
    agrees_with_logs("pacific-16.2.15-crc-fs");
}

#[test]
fn nautilus_agrees_with_the_logs() {
    agrees_with_logs("nautilus-14.2.21-crc");
}

#[test]
fn msgr20_agrees_with_the_logs() {
    agrees_with_logs("nautilus-14.2.21-msgr20-crc");
}

#[test]
fn reef_agrees_with_the_logs() {
    agrees_with_logs("reef-18.2.7-crc");
}

/// Each connection that turns secure shows its handshake, and says once that the rest is encrypted.
fn turns_secure(capture: &Path) {
    let rows = agrees(capture, None);
    let mut secure: BTreeMap<u32, usize> = BTreeMap::new();
    for row in &rows {
        *secure.entry(row.stream).or_default() += row.findings.iter().filter(|kind| *kind == "encrypted").count();
    }
    let frames = frames(&rows);
    let mut count = 0;
    for (stream, notes) in secure {
        let tags: Vec<u8> = frames.get(&stream).into_iter().flatten().map(|(_, tag)| *tag).collect();
        // in the clear, or given up before that is decided
        if tags.contains(&7) || !tags.contains(&6) {
            assert_eq!(notes, 0, "stream {stream}: {tags:?}");
            continue;
        }
        count += 1;
        assert_eq!(notes, 1, "stream {stream}: {tags:?}");
        assert_eq!(tags.first(), Some(&1), "stream {stream}: {tags:?}");
        assert_eq!(tags.last(), Some(&6), "stream {stream}: {tags:?}");
    }
    assert!(count > 0, "{}: nothing is secure", capture.display());
}

#[test]
fn a_secure_connection_shows_its_handshake() {
    turns_secure(&crate::common::capture("secure-mon.pcap"));
}

#[test]
fn a_secure_connection_opens_with_the_clients_key() {
    for name in ["secure-mon.pcap", "secure-tickets.pcap"] {
        let capture = crate::common::capture(name);
        let rows = agrees(&capture, keyring_of(&capture).as_deref());
        let last: BTreeSet<u8> = rows.iter().filter_map(|row| row.tags.last().copied()).collect();
        assert!([7, 8, 9, 17].iter().all(|tag| last.contains(tag)), "{last:?}");
    }
}

#[test]
fn a_wrong_or_garbled_keyring_changes_nothing_but_a_note() {
    let scratch = Scratch::new();
    let keyring = scratch.file("keyring");
    let option = format!("msgr2.keyring:{}", keyring.display());
    let wrong = "[client.admin]\nkey = AQAA8VNlAAAAABAAAAECAwQFBgcICQoLDA0ODw==\n";
    for name in ["secure-tickets.pcap", "crc-mon-cephx.pcap", "compressed.pcapng"] {
        let capture = crate::common::capture(name);
        for (text, notes) in [(wrong, 0), ("[client.admin]\nkey = no key\n", 1), ("\u{1}\u{2}garbage", 1)] {
            fs::write(&keyring, text).unwrap();
            let (without, mut with) = (rows(&capture, &[]), rows(&capture, &["-o", &option]));
            let all: usize = with.iter().flat_map(|row| &row.findings).filter(|kind| *kind == "bad_keyring").count();
            assert_eq!(all, notes, "{name}: {text}");
            with.iter_mut().for_each(|row| row.findings.retain(|kind| kind != "bad_keyring"));
            assert_eq!(with, without, "{name}: {text}");
        }
    }
}

#[test]
fn secure_and_compressed_frames_have_panes_and_names_of_their_own() {
    let capture = crate::common::capture("compressed.pcapng");
    let option = format!("msgr2.keyring:{}", keyring_of(&capture).unwrap().display());
    let count = |filter: &str| {
        tshark(&capture, ["-o", &option, "-2", "-Y", filter, "-T", "fields", "-e", "frame.number"]).lines().count()
    };
    assert_eq!(count("msgr2.message.type == 70 and msgr2.mode == \"secure\""), 6);
    assert_eq!(count("msgr2.message.type == 70 and msgr2.mode == \"crc\""), 30);
    assert_eq!(count("msgr2.signature.status == \"good\""), 2);
    let hex = tshark(&capture, ["-o", &option, "-x", "-Y", "msgr2.message"]);
    let panes = |name: &str| hex.lines().filter(|line| line.starts_with(&format!("{name} ("))).count();
    assert_eq!((panes("Decrypted msgr2 frame"), panes("Decompressed msgr2 frame")), (6, 36));
}

#[test]
fn pacific_secure_agrees_with_the_logs() {
    agrees_with_logs("pacific-16.2.15-secure");
}

#[test]
fn pacific_with_both_modes_agrees_with_the_logs() {
    agrees_with_logs("pacific-16.2.15-mixed");
}

#[test]
fn secure_recordings() {
    for name in ["pacific-16.2.15-secure.pcapng", "pacific-16.2.15-mixed.pcapng"] {
        if let Some(capture) = shared(name) {
            turns_secure(&capture);
        }
    }
}
