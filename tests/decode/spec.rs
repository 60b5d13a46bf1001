//! What is printed of the spec.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::common::{Scratch, file, msgr2, run};
use crate::fails;

#[test]
fn the_spec_is_without_faults() {
    for arguments in [&["spec", "lint"][..], &["spec", "lint", "spec"]] {
        let said = run(msgr2().args(arguments).current_dir(file("")));
        assert!(said.starts_with("no faults: 3 dialects"), "{said}");
    }
}

#[test]
fn a_faulty_spec_is_refused() {
    let scratch = Scratch::new();
    let folder = scratch.file("spec");
    run(std::process::Command::new("cp").arg("-r").arg(file("spec")).arg(&folder));
    let states = folder.join("dialects/v2.0/states.yaml");
    let text = fs::read_to_string(&states).unwrap();
    fs::write(&states, text.replacen("to: hello_connecting,", "to: nowhere,", 1)).unwrap();
    for what in ["lint", "rust", "doc"] {
        let (out, said) = fails(&[Path::new("spec"), Path::new(what), &folder]);
        assert!(out.is_empty() && said.contains("nowhere"), "{what}: {said}");
    }
    let (_, said) = fails(&[Path::new("spec"), Path::new("lint"), &scratch.file("absent")]);
    assert!(said.contains("absent"), "{said}");
}

#[test]
fn what_is_made_of_the_spec() {
    let schema: Value = serde_json::from_str(&run(msgr2().args(["spec", "schema"]))).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let code = run(msgr2().args(["spec", "rust"]));
    assert_eq!(code, fs::read_to_string(concat!(env!("OUT_DIR"), "/generated.rs")).unwrap(), "what build.rs made");
    let doc = run(msgr2().args(["spec", "doc"]));
    for words in ["# Ceph's messenger v2", "SESSION_RECONNECT_OK", "msgr2.hello.entity_type", "stateDiagram"] {
        assert!(doc.contains(words), "{words} is missing");
    }
}
