//! Each line of JSON is what the schema says.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::common::{Scratch, captures, keyring_of, msgr2, run, shared};

/// Checks lines with the validator of Debian's python3-jsonschema, which knows nothing of us. The names of checks that failed
/// go to the standard output, with the line's number.
const VALIDATOR: &str = r#"
import json, sys
from jsonschema import Draft202012Validator

schema = json.load(open(sys.argv[1]))
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
for number, line in enumerate(open(sys.argv[2], encoding="utf-8"), 1):
    for error in validator.iter_errors(json.loads(line)):
        print(number, list(error.path), error.validator, error.message[:200])
"#;

/// What the validator finds wrong with lines.
fn wrong(scratch: &Scratch, lines: &str) -> String {
    let (schema, file) = (scratch.file("schema.json"), scratch.file("lines.json"));
    fs::write(&schema, run(msgr2().args(["decode", "--schema"]))).unwrap();
    fs::write(&file, lines).unwrap();
    run(Command::new("python3").args(["-c", VALIDATOR]).args([&schema, &file]))
}

#[test]
fn every_line_is_valid() {
    let scratch = Scratch::new();
    let mut lines = String::new();
    let shared = ["pacific-16.2.15-mixed", "pacific-16.2.15-crc-fs"].map(|name| shared(&format!("{name}.pcapng")));
    for path in captures().into_iter().chain(shared.into_iter().flatten()) {
        for options in [&[][..], &["--verbose", "--max-bytes", "8"]] {
            let mut command = msgr2();
            command.args(["decode", "--json"]).args(options);
            if let Some(keyring) = keyring_of(&path) {
                command.arg("--keyring").arg(keyring);
            }
            // a sample is enough of the long ones
            let all = run(command.arg(&path));
            lines.extend(all.split_inclusive('\n').take(150));
        }
    }
    // a few more that a capture seldom shows
    for part in ["\"record\"", "\"relations\"", "\"signature\"", "\"cut\"", "\"dialect\":null", "\"frame\""] {
        assert!(part == "\"cut\"" || lines.contains(part), "{part} is in one of them");
    }
    assert_eq!(wrong(&scratch, &lines), "");
}

#[test]
fn what_is_not_a_line_is_not_valid() {
    let scratch = Scratch::new();
    let path = crate::common::capture("none-mon.pcap");
    let line = run(msgr2().args(["decode", "--json"]).arg(&path)).lines().next().unwrap().to_owned();
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(wrong(&scratch, &line.to_string()), "");
    let with = |key: &str, value: Value| {
        let mut line = line.clone();
        line[key] = value;
        line
    };
    let finding = serde_json::json!([{"kind": "?", "severity": "chat", "text": "", "offset": 0, "length": 0}]);
    let mut less = line.clone();
    less.as_object_mut().unwrap().remove("time");
    for bad in [
        with("packet", 0.into()),
        with("mode", "clear".into()),
        with("name", "HELO".into()),
        with("time", 17.into()),
        with("surprise", 1.into()),
        with("findings", finding),
        less,
    ] {
        assert_ne!(wrong(&scratch, &bad.to_string()), "", "{bad}");
    }
}
