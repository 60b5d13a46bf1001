//! The small languages inside the YAML, read as they are written.
#![allow(clippy::unwrap_used)]

use msgr2_spec::expr::{
    Argument, Condition, Format, Number, Operator, Piece, parse_condition, parse_hex, parse_template, parse_type,
};

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
    let bit = Condition::Compare("a".into(), Operator::AnyBit, Number::Plain(16));
    assert_eq!(parse_condition("a & 0x10"), Ok(bit));
    let other = Condition::Compare("$mode".into(), Operator::NotEqual, Number::Plain(-1));
    assert_eq!(parse_condition("$mode != -1"), Ok(other.clone()));
    let named = Condition::Compare("a.b".into(), Operator::AtMost, Number::Named("RED".into()));
    assert_eq!(parse_condition("a.b <= RED"), Ok(named.clone()));
    let both = Condition::All(vec![named, other.clone()]);
    assert_eq!(parse_condition("a.b <= RED and $mode != -1"), Ok(both.clone()));
    let either = Condition::Any(vec![other, both]);
    assert_eq!(parse_condition("$mode != -1 or a.b <= RED and $mode != -1"), Ok(either));
    for wrong in ["a = 1", "a == 1 and", "more and a == 1", "a == 1 or or b == 1", "a"] {
        assert!(parse_condition(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn templates() {
    let pieces = parse_template("v{type}:{addr.port}").unwrap();
    assert_eq!(pieces.len(), 4);
    assert_eq!(pieces[3], Piece::Field(vec!["addr".into(), "port".into()], Format::Plain));
    let inner = vec![Piece::Text(" in ".into()), Piece::Field(vec!["b".into()], Format::Hex)];
    let only_if = Piece::If(vec!["a".into(), "b".into()], inner);
    assert_eq!(parse_template("{?a.b: in {b:x}}{}").unwrap(), [only_if, Piece::Value]);
    for wrong in ["{", "{a:}", "{a:y}", "{?a}", "{?a:{b}", "}", &"{?a:".repeat(9)] {
        assert!(parse_template(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn hex() {
    assert_eq!(parse_hex("01 ff|"), Ok(vec![vec![1, 255], vec![]]));
    assert!(parse_hex("1").is_err());
    assert!(parse_hex("zz").is_err());
}
