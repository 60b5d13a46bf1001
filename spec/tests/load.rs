//! Files that can't be read: the error names file, line and key.
#![allow(clippy::unwrap_used)]

use msgr2_spec::load::text;

#[test]
fn an_unknown_key_is_named_with_file_and_line() {
    let text_ = "types:\n  addr:\n    doc: An address.\n    feilds: []\n";
    let problem = text("types/addr.yaml", text_).unwrap_err();
    assert_eq!((problem.path.as_str(), problem.line), ("types/addr.yaml", 4), "{problem}");
    assert_eq!(problem.key, "types.addr.feilds");
    assert!(problem.what.contains("feilds"), "{problem}");
}

#[test]
fn a_key_twice_is_refused() {
    let problem = text("a.yaml", "limits:\n  x: {max: 1, unit: bytes, doc: a}\n  x: {max: 1, unit: bytes, doc: a}\n")
        .unwrap_err();
    assert_eq!(problem.line, 3, "{problem}");
}

#[test]
fn a_type_mismatch_is_placed() {
    let problem = text("a.yaml", "limits:\n  x:\n    max: many\n    unit: bytes\n    doc: a\n").unwrap_err();
    assert_eq!((problem.line, problem.key.as_str()), (3, "limits.x.max"), "{problem}");
}
