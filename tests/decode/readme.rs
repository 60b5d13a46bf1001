//! What the README says of `msgr2 decode` is so.

use std::process::Output;

use crate::common::{file, msgr2, run};
use crate::json;

/// The section on the command line.
fn section() -> String {
    let readme = std::fs::read_to_string(file("README.md")).unwrap();
    let (_, section) = readme.split_once("## On the command line\n").unwrap();
    section.split_once("\n## ").unwrap().0.to_owned()
}

#[test]
fn the_example_is_what_is_printed() {
    let section = section();
    let (_, example) = section.split_once("    $ msgr2 ").unwrap();
    let (command, printed) = example.split_once('\n').unwrap();
    let printed = printed.split("\n\n").next().unwrap().replace("    ", "") + "\n";
    assert_eq!(run(msgr2().args(command.split(' ')).current_dir(file(""))), printed);
    // the object, but for what is left out in the middle
    let object: String = section.split("    {").nth(1).unwrap().split("\n\n").next().unwrap().replace("\n     ", "");
    let output = run(msgr2().arg("decode").arg("--json").args(command.split(' ').skip(1)).current_dir(file("")));
    let line = output.lines().next().unwrap();
    let parts: Vec<&str> = object.split('…').collect();
    assert_eq!(parts.len(), 2, "{object}");
    let (start, end) = (format!("{{{}", parts[0]), parts[1]);
    assert!(line.starts_with(&start) && line.ends_with(end.trim_end()), "{start} … {end}\n{line}");
}

#[test]
fn every_option_is_one() {
    let section = section();
    let words = section.split('`').skip(1).step_by(2).flat_map(|code| code.split_whitespace().take(2));
    let all: Vec<&str> = words.filter(|word| word.starts_with("--")).collect();
    let help = run(msgr2().args(["decode", "--help"]));
    for option in &all {
        let name = option.split('=').next().unwrap();
        assert!(help.contains(name), "{option}");
    }
    // those of the table, as they stand there
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `--")?.split('`').next());
    let rows: Vec<String> = rows.map(|row| format!("--{row}")).collect();
    assert!(rows.len() >= 5, "{rows:?}");
    let path = file("tests/captures/secure-tickets.pcap");
    let keyring = path.with_extension("keyring");
    for row in rows {
        let Output { status, stdout, stderr } =
            msgr2().args(["decode", "--keyring"]).arg(&keyring).args(row.split(' ')).arg(&path).output().unwrap();
        assert!(status.success(), "{row}: {}", String::from_utf8_lossy(&stderr));
        assert!(!stdout.is_empty() || row == "--findings", "{row} finds something");
    }
    assert!(section.contains("--time utc") && !json(["--time", "utc", path.to_str().unwrap()]).0.is_empty());
}
