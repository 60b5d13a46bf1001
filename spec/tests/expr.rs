//! The small languages inside the YAML, read as they are written.
#![allow(clippy::unwrap_used)]

use msgr2_spec::expr::{Argument, Condition, Operator, Piece, parse_condition, parse_hex, parse_template, parse_type};

#[test]
fn types_nest() {
    let ty = parse_type("map<u64, list<bytes<4>>>").unwrap();
    let inner = parse_type("list<bytes<4>>").unwrap();
    assert_eq!((ty.name.as_str(), &ty.arguments[1]), ("map", &Argument::Type(inner.clone())));
    let Argument::Type(bytes) = &inner.arguments[0] else { panic!("{inner:?}") };
    assert_eq!(bytes.arguments, [Argument::Number(4)]);
    for wrong in ["", "list<u8", "a b", "list<>", "list<u8,>", "<u8>"] {
        assert!(parse_type(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn conditions() {
    assert_eq!(parse_condition("more"), Ok(Condition::More));
    assert_eq!(parse_condition("a & 0x10"), Ok(Condition::Compare("a".into(), Operator::AnyBit, 16)));
    assert_eq!(parse_condition("$mode != -1"), Ok(Condition::Compare("$mode".into(), Operator::NotEqual, -1)));
    assert!(parse_condition("a = 1").is_err());
}

#[test]
fn templates() {
    let pieces = parse_template("v{type}:{addr.port}").unwrap();
    assert_eq!(pieces.len(), 4);
    assert_eq!(pieces[3], Piece::Field(vec!["addr".into(), "port".into()]));
    assert!(parse_template("{").is_err());
}

#[test]
fn hex() {
    assert_eq!(parse_hex("01 ff|"), Ok(vec![vec![1, 255], vec![]]));
    assert!(parse_hex("1").is_err());
    assert!(parse_hex("zz").is_err());
}
