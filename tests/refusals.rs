//! What real daemons refuse, and connections that come to nothing: each says why.
#![cfg(feature = "cli")]

mod common;

use std::collections::BTreeMap;

use common::{capture, keyring_of, msgr2, run};
use serde_json::Value;

/// The findings of each connection of a capture: severities and texts.
fn findings(name: &str) -> BTreeMap<u64, Vec<(String, String)>> {
    let path = capture(name);
    let mut command = msgr2();
    command.args(["decode", "--json"]);
    if let Some(keyring) = keyring_of(&path) {
        command.arg("--keyring").arg(keyring);
    }
    let mut all = BTreeMap::<u64, Vec<_>>::new();
    for line in run(command.arg(path)).lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        for finding in line["findings"].as_array().unwrap() {
            let text = |key: &str| finding[key].as_str().unwrap().to_owned();
            all.entry(line["stream"].as_u64().unwrap()).or_default().push((text("severity"), text("text")));
        }
    }
    all
}

#[test]
fn each_says_why() {
    let found = findings("refused.pcapng");
    let texts: Vec<Vec<String>> =
        found.values().map(|all| all.iter().map(|(severity, text)| format!("{severity}: {text}")).collect()).collect();
    for texts in &texts { eprintln!("{texts:#?}"); }
    assert_eq!(texts.len(), 13);
}
