//! What is shown, by connection, tag, type, entity and findings.

use std::path::Path;

use serde_json::Value;

use crate::common::packets::{self, Wire, conversation};
use crate::common::{Scratch, capture, msgr2, shared};
use crate::json;

/// The lines that options let through, and those of all that `keep` keeps.
fn same(path: &Path, keyring: bool, options: &[&str], keep: impl Fn(&Value) -> bool) -> usize {
    let mut arguments: Vec<std::ffi::OsString> = Vec::new();
    if keyring {
        arguments.extend(["--keyring".into(), path.with_extension("keyring").into()]);
    }
    let all = json(arguments.iter().cloned().chain([path.into()])).0;
    let kept: Vec<Value> = all.iter().filter(|line| keep(line)).cloned().collect();
    let options = options.iter().map(Into::into);
    let shown = json(arguments.into_iter().chain(options).chain([path.into()])).0;
    assert_eq!(shown, kept);
    assert!(kept.len() < all.len(), "something is kept out");
    kept.len()
}

#[test]
fn each_kind_of_filter_and_all_together() {
    let path = capture("secure-tickets.pcap");
    let stream = |line: &Value, wanted: &[u64]| wanted.contains(&line["stream"].as_u64().unwrap());
    let kind = |line: &Value, wanted: &[&str]| wanted.iter().any(|kind| line["fields"]["header"]["type"] == **kind);
    let name = |line: &Value, wanted: &[&str]| wanted.iter().any(|name| line["name"] == **name);
    assert!(same(&path, true, &["--stream", "1"], |line| stream(line, &[1])) > 10);
    same(&path, true, &["--stream", "0", "--stream=1"], |line| stream(line, &[0, 1]));
    assert!(same(&path, true, &["--tag", "HELLO"], |line| name(line, &["HELLO"])) > 3);
    same(&path, true, &["--tag", "banner", "--tag", "9"], |line| name(line, &["BANNER", "SERVER_IDENT"]));
    assert!(same(&path, true, &["--type", "OSD_OP"], |line| kind(line, &["OSD_OP"])) > 1);
    same(&path, true, &["--type", "42", "--type", "osd_opreply"], |line| kind(line, &["OSD_OP", "OSD_OPREPLY"]));
    assert_eq!(same(&path, true, &["--type", "OSD_OP", "--tag", "HELLO"], |_| false), 0);
    let options = ["--stream", "0", "--stream", "1", "--type", "MON_MAP", "--tag", "MESSAGE"];
    assert!(same(&path, true, &options, |line| stream(line, &[0, 1]) && kind(line, &["MON_MAP"])) > 0);
}

#[test]
fn findings_of_a_severity_or_worse() {
    let scratch = Scratch::new();
    let path = scratch.file("damaged.pcap");
    let mut said = conversation(&capture("crc-mon-cephx.pcap"));
    // the data of the last message doesn't match its checksum
    let last = &mut said.last_mut().unwrap().bytes;
    let middle = last.len() / 2;
    last[middle] ^= 1;
    let mut wire = Wire::new();
    wire.connection("192.0.2.1:20000", "192.0.2.2:3300", &said);
    packets::write(&path, &wire.packets);
    let order = ["chat", "note", "warn", "error"];
    let at_least = |line: &Value, least: usize| {
        let findings = line["findings"].as_array().unwrap().iter();
        findings.filter_map(|finding| order.iter().position(|name| finding["severity"] == *name)).any(|s| s >= least)
    };
    let all = same(&path, false, &["--findings"], |line| at_least(line, 0));
    let counts = order.iter().enumerate().map(|(least, severity)| {
        same(&path, false, &[&format!("--findings={severity}")], |line| at_least(line, least))
    });
    let counts: Vec<usize> = counts.collect();
    assert!(counts[0] == all && counts.is_sorted_by(|a, b| a >= b) && counts[3] >= 1, "{counts:?}");
}

/// The connections of which something is shown.
fn streams(path: &Path, options: &[&str]) -> Vec<u64> {
    let arguments = options.iter().map(std::ffi::OsString::from).chain([path.into()]);
    let mut streams: Vec<u64> = json(arguments).0.iter().map(|line| line["stream"].as_u64().unwrap()).collect();
    streams.sort_unstable();
    streams.dedup();
    streams
}

#[test]
fn entities_by_what_they_say() {
    // the client logs in at the mon, and goes to an OSD and a manager with tickets
    let path = capture("secure-tickets.pcap");
    let keyring = path.with_extension("keyring");
    let keys = ["--keyring", keyring.to_str().unwrap()];
    let entity = |names: &[&str], keys: &[&str]| {
        let options: Vec<&str> = names.iter().flat_map(|name| ["--entity", name]).chain(keys.iter().copied()).collect();
        streams(&path, &options)
    };
    let kinds = |kind: &str| {
        let (lines, _) = json([&path]);
        let hello = lines.iter().filter(|line| line["name"] == "HELLO" && line["fields"]["entity_type"] == kind);
        let mut streams: Vec<u64> = hello.map(|line| line["stream"].as_u64().unwrap()).collect();
        streams.sort_unstable();
        streams.dedup();
        streams
    };
    let (mon, osd, all) = (kinds("mon"), kinds("osd"), kinds("client"));
    assert!(!mon.is_empty() && !osd.is_empty() && mon.len() + osd.len() <= all.len(), "{mon:?} {osd:?} {all:?}");
    assert_eq!(entity(&["mon"], &[]), mon);
    assert_eq!(entity(&["osd"], &[]), osd);
    assert_eq!(entity(&["osd", "mon"], &[]), [mon.clone(), osd.clone()].concat());
    // who logged in is known where tickets are shown
    assert_eq!(entity(&["client.admin"], &[]), all);
    assert_eq!(entity(&["client.nobody"], &[]), [] as [u64; 0]);
    // which OSD it is stands in what is sealed
    assert_eq!(entity(&["osd.0"], &keys), osd);
    assert_eq!(entity(&["osd.1"], &keys), [] as [u64; 0]);
    // the connection's first frames are shown, too
    let options = ["--json", "--entity", "osd.0", "--keyring", keyring.to_str().unwrap()];
    let output = msgr2().arg("decode").args(options).arg(&path).output().unwrap();
    let first: Value = serde_json::from_slice(output.stdout.split(|byte| *byte == b'\n').next().unwrap()).unwrap();
    assert_eq!(first["name"], "BANNER");
}

#[test]
fn daemons_are_known_by_logins_tickets_and_addresses() {
    let Some(path) = shared("pacific-16.2.15-crc-fs.pcapng") else { return };
    let (lines, _) = json([&path]);
    let stream = |line: &Value| line["stream"].as_u64().unwrap();
    let named = |name: &'static str| lines.iter().filter(move |line| line["name"] == name);
    // what was said, put together anew
    for (kind, id) in [("mds", "a"), ("mgr", "x"), ("osd", "0"), ("client", "admin")] {
        let cephx = |line: &Value| line["fields"]["payload"]["cephx"]["body"].clone();
        let entity = serde_json::json!({"type": kind, "id": id});
        let mut said: Vec<u64> =
            named("AUTH_REQUEST").filter(|line| cephx(line)["mon"]["entity"] == entity).map(stream).collect();
        let logins = said.clone();
        let ids: Vec<&Value> = named("AUTH_DONE")
            .filter(|line| logins.contains(&stream(line)))
            .map(|line| &line["fields"]["global_id"])
            .collect();
        let shown = named("AUTH_REQUEST").filter(|line| ids.contains(&&cephx(line)["authorizer"]["global_id"]));
        said.extend(shown.map(stream));
        assert!(said.len() > logins.len(), "{kind}.{id} shows tickets");
        let found = streams(&path, &["--entity", &format!("{kind}.{id}")]);
        assert!(said.iter().all(|stream| found.contains(stream)), "{kind}.{id}: {said:?} {found:?}");
        // the others go to where it listens, even if it says nothing there
        let listens: Vec<&Value> =
            named("HELLO").filter(|line| line["fields"]["entity_type"] == kind).map(|line| &line["src"]).collect();
        for other in found.into_iter().filter(|stream| !said.contains(stream)) {
            let there = |line: &Value| {
                stream(line) == other && (listens.contains(&&line["src"]) || listens.contains(&&line["dst"]))
            };
            assert!(lines.iter().any(there), "{kind}.{id}: {other}");
        }
    }
}

#[test]
fn entities_of_the_proposal() {
    let path = capture("proposal-ticket.pcapng");
    let keyring = path.with_extension("keyring");
    let with = |name| streams(&path, &["--entity", name, "--keyring", keyring.to_str().unwrap()]);
    let (client, mon, osd) = (with("client.admin"), with("mon"), with("osd"));
    assert!(!mon.is_empty() && !osd.is_empty(), "{client:?} {mon:?} {osd:?}");
    assert_eq!(client, [mon, osd].concat());
}

#[test]
fn what_can_not_be_meant_is_refused() {
    for (option, value) in [("--tag", "HELO"), ("--type", "OSD_OOPS"), ("--entity", "osdd"), ("--findings=worst", "x")]
    {
        let output = msgr2().args(["decode", option, value, "none.pcap"]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.contains("invalid value"), "{option} {value}: {said}");
    }
}
