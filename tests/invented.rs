//! A protocol that nobody speaks, from tests/invented: everything that the language of the spec can say, read and
//! written.
#![allow(clippy::unwrap_used)]

mod agree;

#[allow(clippy::all, unused, missing_docs, unreachable_pub)]
mod invented {
    use msgr2::wire;
    include!(concat!(env!("OUT_DIR"), "/invented.rs"));
}

use std::sync::LazyLock;

use agree::{Dice, agree, mutations, segments};
use invented::{Action, Context, FindingKind, Guard, field, limits, messages, one, three, two_5, types};
use msgr2::wire::{self, Duration, Protocol, Text, Utime, Uuid, Walker, tree};
use msgr2::wire::{Be, Blob, Bool, Composite, Encode, Error, FixedBytes, Kind, Reader, Recorded, Recorder, Sealed};
use msgr2_spec::expr::parse_hex;
use msgr2_spec::model::Role;
use proptest::prelude::*;
use serde_json::{Value, json};

fn hex(text: &str) -> Vec<u8> {
    parse_hex(text).unwrap().concat()
}

/// Every byte belongs to one leaf, or stands in front of what a field holds, as its length or number.
fn check_places(recorder: &Recorder, from: usize, to: usize) {
    let nodes = recorder.nodes();
    let holds = |kind| matches!(kind, Kind::List | Kind::Struct(_) | Kind::Switch | Kind::Entry | Kind::Held);
    let mut at = from;
    for (index, node) in nodes.iter().enumerate() {
        let (start, end) = (node.start as usize, (node.start + node.length) as usize);
        let is_leaf = !holds(node.field.kind) || matches!(node.value, Recorded::Content(_));
        if is_leaf {
            assert_eq!(start, at, "{nodes:#?}");
            at = end;
            continue;
        }
        let inside = nodes[index + 1..].iter().take_while(|n| n.depth > node.depth);
        assert!(
            inside.clone().all(|n| n.start as usize >= start && (n.start + n.length) as usize <= end),
            "{nodes:#?}"
        );
        // what stands between the beginning of a field and the first field in it is its length or number
        let first = inside.map(|n| n.start as usize).next().unwrap_or(end);
        let prefix = first - start;
        assert!(matches!(prefix, 0 | 1 | 2 | 4), "{prefix} bytes: {nodes:#?}");
        assert_eq!(start, at, "{nodes:#?}");
        at += prefix;
    }
    assert_eq!(at, to, "{nodes:#?}");
}

/// Whether JSON can show a value without loss: texts must be UTF-8, numbers finite.
fn fits_json(shown: &str) -> bool {
    !shown.contains('\u{fffd}') && !shown.contains("NaN") && !shown.contains("inf")
}

/// The tables of all that.
static PROTOCOL: LazyLock<Protocol> = LazyLock::new(|| {
    let stored = include_bytes!(concat!(env!("OUT_DIR"), "/invented.tables"));
    Protocol::new(msgr2_tables::Tables::from_bytes(stored).unwrap(), &field::FIELDS)
});

/// The layout of a type, by its name in Rust.
fn layout(ty: &str) -> usize {
    static IR: LazyLock<msgr2_spec::Ir> = LazyLock::new(|| {
        let spec = msgr2_spec::Spec::from_folder(std::path::Path::new("tests/invented"));
        spec.and_then(|spec| spec.resolve()).unwrap_or_else(|problems| panic!("{problems:?}"))
    });
    let (module, name) = ty.split_once("::").unwrap();
    let (module, name) = (module.trim(), name.trim().split('<').next().unwrap().trim().to_lowercase());
    let dialect = IR.dialects().find(|(_, dialect)| dialect.module() == module).map(|(id, _)| id);
    // a dialect has what its parent has
    let owners = IR.ancestry(dialect).map(Some).chain([None]);
    let found = owners.into_iter().find_map(|owner| {
        let same = |body: &msgr2_spec::ir::Body| {
            body.dialect == owner && !body.is_message() && body.name.replace('_', "") == name
        };
        IR.bodies().find(|(_, body)| same(body))
    });
    found.unwrap_or_else(|| panic!("no layout of {ty}")).0.0
}

/// A type in both readers. A macro, because the type borrows from the bytes.
macro_rules! both {
    ($ty:ty, $bytes:expr, $context:expr) => {{
        let (bytes, context): (&[u8], &Context) = ($bytes, $context);
        static LAYOUT: LazyLock<usize> = LazyLock::new(|| layout(stringify!($ty)));
        let numbers = context.numbers();
        let (mut one, mut other) = (Reader::new(bytes), Reader::new(bytes));
        let typed = |t: &mut Recorder| <$ty>::decode(&mut one, context, t).map(drop);
        let walked = |t: &mut Recorder| Walker::new(&PROTOCOL, &numbers).structure(&mut other, *LAYOUT, t);
        let read = agree(&(stringify!($ty), bytes), typed, walked);
        assert!(read.is_err() || one.offset() == other.offset());
        read
    }};
}

/// Reads bytes as a type. What can be read must be written as the same bytes, with and without a trace, and shown as
/// JSON that can be read back. A macro, because the type borrows from the bytes.
macro_rules! check {
    ($ty:ty, $bytes:expr, $context:expr) => {{
        let (bytes, context): (&[u8], &Context) = ($bytes, $context);
        let _ = both!($ty, bytes, context);
        let mut recorder = Recorder::new();
        let mut reader = Reader::new(bytes);
        let read = <$ty>::decode(&mut reader, context, &mut recorder);
        let silent = <$ty>::decode(&mut Reader::new(bytes), context, &mut ());
        match (read, silent) {
            (Ok(value), Ok(silent)) => {
                let end = reader.offset();
                assert!(bytes.len() >= <$ty as Composite<'_, Context>>::MIN_SIZE);
                assert_eq!(value.to_bytes().unwrap(), &bytes[..end], "{value:?}");
                check_places(&recorder, 0, end);
                let text = format!("{value:?}");
                assert_eq!(text, format!("{silent:?}"));
                if fits_json(&text) {
                    let json = serde_json::to_value(&value).unwrap();
                    let back: $ty = serde_json::from_value(json.clone()).unwrap_or_else(|e| panic!("{e}: {json}"));
                    assert_eq!(back, value);
                    let shown = tree::to_json(&recorder, &[bytes]);
                    let back: $ty = serde_json::from_value(shown.clone()).unwrap_or_else(|e| panic!("{e}: {shown}"));
                    assert_eq!(back, value, "{shown}");
                }
                Ok(end)
            }
            (Err(error), Err(silent)) => {
                assert_eq!(error, silent);
                check_error(&error, bytes);
                recorder.finish(bytes.len());
                tree::to_json(&recorder, &[bytes]);
                Err(error)
            }
            (read, silent) => panic!("with trace {read:?}, without {silent:?}"),
        }
    }};
}

fn check_error(error: &Error, bytes: &[u8]) {
    assert!(error.offset <= bytes.len(), "{error}");
    // only what is left over at the end belongs to no field
    assert!(!error.path().is_empty() || error.kind.name() == "trailing", "{error}");
}

type Check = fn(&[u8], &Context) -> Result<usize, Error>;
type Compare = fn(&[u8], &Context, Value);

/// A type: its name, the bytes of a fresh one, its check, and the comparison of bytes with JSON in both directions.
struct Row(&'static str, fn() -> Vec<u8>, Check, Compare);

macro_rules! rows {
    ($($ty:ty),* $(,)?) => {
        &[$(Row(
            stringify!($ty),
            || <$ty>::default().to_bytes().unwrap_or_else(|e| panic!("{}: {e}", stringify!($ty))),
            |bytes, context| check!($ty, bytes, context),
            |bytes, context, json| {
                let value: $ty = serde_json::from_value(json).unwrap();
                assert_eq!(value.to_bytes().unwrap(), bytes, "{value:?}");
                assert_eq!(<$ty>::decode(&mut Reader::new(bytes), context, &mut ()).unwrap(), value);
            },
        )),*]
    };
}

const TYPES: &[Row] = rows![
    types::Scalars,
    types::BytesOfAllKinds,
    types::Measured,
    types::Point,
    types::Nested,
    types::Constants,
    types::Marked,
    types::Lengthy,
    types::Bare,
    types::BareOpen,
    types::Conditions,
    types::Unions,
    types::UnionHead,
    types::UnionInner,
    types::Agreed,
    types::Held,
    types::ItemsLeft,
    types::Comparisons,
    types::Job,
    types::JobPair,
    types::ParcelOfJob,
    types::Told,
    types::ToldMore,
    types::Sealed,
    one::Opening,
    one::Shape,
    one::ParcelHead,
    one::Greet,
    one::Draw,
    one::Blank,
    one::OpenBlank,
    two_5::Shape,
    two_5::Greet,
    two_5::Draw,
    two_5::Paint2Shapes,
    three::Shape,
    three::Greet,
    three::Nod,
    three::Stamp,
];

fn row(name: &str) -> &'static Row {
    TYPES.iter().find(|row| row.0 == name).unwrap_or_else(|| panic!("no {name}"))
}

fn context(value: Value) -> Context {
    serde_json::from_value(value).unwrap()
}

/// Bytes by hand and what they mean: type, context, bytes, value.
fn seeds() -> Vec<(&'static str, Value, &'static str, Value)> {
    vec![
        (
            "types::Scalars",
            json!({}),
            "01 0201 04030201 0807060504030201 ff feff fdffffff fcffffffffffffff
             0102 00000102 0000000000000103 0000c03f 00000000000004c0 02 02000000 6869 010203
             c0000201 20010db8000000000000000000000001 00112233445566778899aabbccddeeff
             01000000 ffffffff ffffffff feffffff 03 ff000000 feff 9f 01000000000000c0",
            json!({
                "u8": 1, "u16": 0x102, "u32": "0x1020304", "u64": 0x102030405060708_u64,
                "s8": -1, "s16": -2, "s32": -3, "s64": -4, "u16be": "0x102", "u32be": 0x102, "u64be": 0x103,
                "f32": 1.5, "f64": -2.5, "bool": 2, "string": "hi", "bytes": "010203",
                "ip": "192.0.2.1", "ip6": "2001:db8::1", "id": "00112233-4455-6677-8899-aabbccddeeff",
                "time": "1.4294967295", "span": "-1.000000002",
                // 3 is a green, but not the first
                "colour": 3, "wide": "white", "sign": "minus_two",
                // a retired bit is as good as one that was never known
                "marks": ["DOT", "CROSS", "RESERVED", "0x12"], "type": "0xc000000000000001",
            }),
        ),
        (
            "types::BytesOfAllKinds",
            json!({}),
            "03 010203 0200 0405 05000000 0607080910 02000000 6869 111213141516",
            json!({"tiny": "010203", "small": "0405", "large": "0607080910", "text": "hi", "rest": "111213141516"}),
        ),
        (
            "types::Measured",
            json!({}),
            "0003 02 04 0100 0200 aabbcc 01000000 61 00000000 0500 faff",
            json!({"keys": [1, 2], "body": "aabbcc", "values": ["a", ""], "inner": {"x": 5, "y": -6}}),
        ),
        ("types::Measured", json!({}), "0000 00 00", json!({"keys": [], "body": "", "values": [], "inner": null})),
        (
            "types::Nested",
            json!({}),
            "02000000 01000000 0700 00000000
             03000000 00 01 05 00
             01000000 01000000 61 01000000 0100 0200
             01000000 09 02000000 0100 00 0200 01 01000000 62
             010203040506
             01 01000000 aabb
             01 1f000000
             00
             02000000 00 02 ccdd
             02000000 01 09
             02000000 01 80
             01000000 01000000 01 02
             01000000 1f90
             02000000 05 01000000 61 06 00000000
             c0000201 01 0100 0200 01 02 aabb
             03000000",
            json!({
                "rows": [[7], []], "maybe": [null, 5, null], "names": [["a", [{"x": 1, "y": 2}]]],
                "deep": [[9, [[1, null], [2, "b"]]]], "grid": [["0x1", "0x2"], ["0x3", "0x4"], ["0x5", "0x6"]],
                "some": ["aabb"], "number": "0x1f", "place": null, "blobs": ["", "ccdd"], "colours": ["red", 9],
                "marks": [["DOT"], ["RESERVED"]], "maps": [[[1, 2]]], "ports": ["0x1f90"], "nothing": null,
                "nothings": [null, null, null], "pairs": [[5, "a"], [6, ""]],
                "three": ["192.0.2.1", "red", [{"x": 1, "y": 2}, "aabb"]],
            }),
        ),
        ("types::Constants", json!({}), "01 0102 fbffffff 01 01 cafed00d 00 07", json!({"more": 0, "end": 7})),
        ("types::Constants", json!({}), "01 0102 fbffffff 01 01 cafed00d 01 09 07", json!({"more": 1, "end": 7})),
        (
            "types::Marked",
            json!({}),
            "07 03 02 0a000000 01 01000000 61 00010000",
            json!({"struct_v": 3, "struct_compat": 2, "first": 1, "second": "a", "third": "0x100"}),
        ),
        (
            "types::Marked",
            json!({}),
            "07 01 01 03000000 01 0200",
            json!({"struct_v": 1, "struct_compat": 1, "first": 1, "old": 2}),
        ),
        // as a later version may be
        (
            "types::Marked",
            json!({}),
            "07 09 03 0b000000 01 00000000 00010000 ffee",
            json!({"struct_v": 9, "struct_compat": 3, "first": 1, "second": "", "third": "0x100", "extra": "ffee"}),
        ),
        ("types::Lengthy", json!({}), "02 01 03000000 0100 ff", json!({"struct_v": 2, "a": 1, "extra": "ff"})),
        ("types::Bare", json!({}), "04 01 02 0300", json!({"a": 1, "c": 2, "d": {"4": 3}})),
        ("types::Bare", json!({}), "01 01 02", json!({"struct_v": 1, "a": 1, "d": {"1": 2}})),
        ("types::Bare", json!({}), "03 01 02 aabb", json!({"struct_v": 3, "a": 1, "b": 2, "d": {"other": "aabb"}})),
        ("types::BareOpen", json!({}), "02 01 ff", json!({"struct_v": 2, "a": 1, "extra": "ff"})),
        (
            "types::Conditions",
            json!({}),
            "00 00 00 05 06 0700",
            json!({"kind": 0, "marks": [], "yes": false, "zero": 5, "hangs": 6, "tail": 7}),
        ),
        (
            "types::Conditions",
            json!({}),
            "03 04 01 0100 0200 02000000 0708 01000000 01 02 01 09 04000000 0300 0400 0a00",
            json!({
                "kind": 3, "marks": ["0x4"], "yes": true, "other": {"x": 1, "y": 2}, "large": [7, 8], "bits": [[1, 2]],
                "really": 9, "held": {"x": 3, "y": 4}, "tail": 10,
            }),
        ),
        (
            "types::Conditions",
            json!({}),
            "03 00 00 0100 0200 00000000 00000000",
            json!({"kind": 3, "marks": [], "yes": false, "other": {"x": 1, "y": 2}, "large": [], "held": null}),
        ),
        (
            "types::Unions",
            json!({}),
            "01 ff 01 07 0800 04 0100 0200 02000000 01 aa",
            json!({
                "colour": "red", "number": -1, "head": {"inner": {"kind": "red"}}, "by_name": {"red": 7},
                "by_number": {"-1": 8}, "by_path": {"red": {"x": 1, "y": 2}}, "in_blob": {"red": "aa"},
            }),
        ),
        (
            "types::Unions",
            json!({}),
            "04 10 09 0100 0200 01000000 03 04 02 aabb 02000000 01 05",
            json!({
                "colour": 4, "number": 16, "head": {"inner": {"kind": 9}}, "by_name": {"green": {"x": 1, "y": 2}},
                "by_number": {"16": [[3, 4]]}, "by_path": {"9": "aabb"}, "in_blob": {"green": 5},
            }),
        ),
        (
            "types::Unions",
            json!({}),
            "ff 01 00 02000000 03 04 00 01000000 cc",
            json!({
                "colour": "white", "number": 1, "head": {"inner": {"kind": "black"}}, "by_name": "white",
                "by_number": {"1": [3, 4]}, "by_path": null, "in_blob": {"other": "cc"},
            }),
        ),
        (
            "types::Agreed",
            json!({"shade": 4, "level": 2}),
            "05000000 01000000 61 07",
            json!({"by_colour": {"green": "a"}, "high": 7, "by_level": "2"}),
        ),
        ("types::Agreed", json!({}), "00000000 aa", json!({"by_colour": null, "by_level": {"other": "aa"}})),
        (
            "types::Agreed",
            json!({"level": 1}),
            "01000000 bb 09",
            json!({"by_colour": {"other": "bb"}, "by_level": {"1": 9}}),
        ),
        (
            "types::Held",
            json!({}),
            "06000000 01000000 0500 0500 01000000 61 01 02 0100 0200",
            json!({"list": [5], "text": "a", "colour": "green", "rest": {"x": 1, "y": 2}}),
        ),
        (
            "types::ItemsLeft",
            json!({}),
            "1f000000 04 04 0100 0200 0100 0200 0300 0400",
            json!({"first": 31, "marks": ["0x4"], "inner": [1, 2], "places": [{"x": 1, "y": 2}, {"x": 3, "y": 4}]}),
        ),
        (
            "types::ItemsLeft",
            json!({}),
            "00000000 00 00",
            json!({"first": 0, "marks": [], "inner": null, "places": []}),
        ),
        ("types::Comparisons", json!({}), "ff fe 01 02 03 04", {
            json!({"kind": "white", "number": -2, "named": 1, "below": 2, "at_most": 3, "either": 4})
        }),
        ("types::Comparisons", json!({}), "00 ff 01", json!({"kind": "black", "number": -1, "at_most": 1})),
        ("types::Comparisons", json!({}), "01 01 01 02", json!({"kind": "red", "number": 1, "both": 1, "either": 2})),
        (
            "types::Comparisons",
            json!({}),
            "00 02 01 02",
            json!({"kind": "black", "number": 2, "above": 1, "either": 2}),
        ),
        ("types::Comparisons", json!({}), "00 00", json!({"kind": "black", "number": 0})),
        (
            "types::Job",
            json!({}),
            "02 07 0100 aa 0500",
            json!({"kind": "green", "task": {"pair": {"one": 7, "level": 1, "unused": "aa"}}, "size": 5}),
        ),
        ("types::Job", json!({}), "09 01020304 0000", { json!({"kind": 9, "task": {"other": "01020304"}, "size": 0}) }),
        (
            "types::Told",
            json!({"level": 9}),
            "0200 6162 aabb cc",
            json!({"count": 2, "parcel": {"name": "ab", "bytes": "aabb", "rest": "cc"}}),
        ),
        (
            "types::ToldMore",
            json!({"shade": "green"}),
            "04 01 0200 61626364 01000200 09000000 04000000 01000200 07",
            json!({
                "length": 4, "colour": "red", "number": 2, "text": "abcd", "bytes": {"red": {"x": 1, "y": 2}},
                "tail": {"by_colour": {"red": {"x": 1, "y": 2}}, "high": 7, "by_level": "2"},
            }),
        ),
        (
            "types::ToldMore",
            json!({}),
            "00 00 0000 00000000",
            json!({"length": 0, "colour": "black", "number": 0, "text": "", "bytes": null, "tail": null}),
        ),
        ("types::Sealed", json!({}), "01 02000000 aabb cc dd", json!({"blob": "aabb", "sized": "cc", "rest": "dd"})),
        ("one::Opening", json!({}), "6f6e 02 01 00", json!({"word": {"colour": "red", "marks": []}})),
        ("one::ParcelHead", json!({}), "05 01000000", json!({"tag": "PARCEL", "weight": 1})),
        ("one::Greet", json!({}), "01000000 61 bb", json!({"name": "a", "extra": "bb"})),
        ("one::OpenBlank", json!({}), "cc", json!({"extra": "cc"})),
        ("two_5::Shape", json!({}), "02000000 aa", json!({"colour": "green", "extra": "aa"})),
        (
            "two_5::Paint2Shapes",
            json!({}),
            "05000000 01000000 ff 00000000",
            json!({"first": {"colour": "red", "extra": "ff"}, "second": {"colour": "black"}}),
        ),
    ]
}

#[test]
fn fresh_values_come_back() {
    for Row(name, fresh, check, _) in TYPES {
        let bytes = fresh();
        let end = check(&bytes, &Context::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(end, bytes.len(), "{name}");
    }
}

#[test]
fn bytes_by_hand_mean_what_they_should() {
    for (name, told, bytes, value) in seeds() {
        let (bytes, told) = (hex(bytes), context(told));
        let Row(_, _, check, compare) = row(name);
        assert_eq!(check(&bytes, &told), Ok(bytes.len()), "{name}");
        compare(&bytes, &told, value);
    }
}

#[test]
fn both_readers_read_faults_alike() {
    // what a reader was told decides, too
    let told = [json!({}), json!({"shade": 1, "level": 1}), json!({"shade": 4, "level": 2})].map(context);
    let hands = seeds().into_iter().map(|(name, _, bytes, _)| (row(name), hex(bytes)));
    let fresh = TYPES.iter().map(|row| (row, row.1()));
    let mut counts = [0u64; 2];
    for (seed, (Row(_, _, check, _), bytes)) in hands.chain(fresh).enumerate() {
        let mut dice = Dice::new(seed as u64);
        for round in 0..mutations() {
            let bytes = dice.mutate(std::slice::from_ref(&bytes)).concat();
            counts[usize::from(check(&bytes, &told[round as usize % told.len()]).is_err())] += 1;
        }
    }
    let secret = hex("02 02 0102 02000000 6161 01000000 62 03 010203 0405 0607");
    let mut dice = Dice::new(1);
    both!(types::Secretive, &secret, &told[0]).unwrap();
    for _ in 0..mutations() {
        let _ = both!(types::Secretive, &dice.mutate(std::slice::from_ref(&secret)).concat(), &told[0]);
    }
    assert!(counts.iter().all(|count| *count > 1_000), "{counts:?}");
}

#[test]
fn errors_name_field_and_byte() {
    let many_nothings = {
        let mut bytes = types::Nested::default().to_bytes().unwrap();
        let at = bytes.len() - 4;
        bytes[at..].copy_from_slice(&2000_u32.to_le_bytes());
        bytes.iter().map(|b| format!("{b:02x}")).collect::<String>()
    };
    let pairs = format!("{}01000000 05", "00".repeat(45));
    let cases = [
        ("types::Scalars", "01 02", "incomplete", "u16", 1),
        ("types::BytesOfAllKinds", "04 00000000", "too_many", "tiny", 1),
        ("types::BytesOfAllKinds", "00 0100", "incomplete", "small", 3),
        ("types::BytesOfAllKinds", "00 0000 06000000", "too_many", "large", 7),
        ("types::BytesOfAllKinds", "00 0000 00000000 05000000", "too_many", "text", 11),
        ("types::BytesOfAllKinds", "00 0000 00000000 00000000 01020304050607", "too_many", "rest", 11),
        ("types::Measured", "0009 00 00", "too_many", "body", 4),
        ("types::Measured", "0000 04 00", "too_many", "keys", 4),
        ("types::Measured", "0000 02 00 0100 02", "incomplete", "keys[1]", 6),
        ("types::Measured", "0000 00 05 0100 0200 ff", "trailing", "inner", 8),
        ("types::Measured", "0000 00 03 0100 02", "incomplete", "inner.y", 6),
        // a negative length is a very large one
        ("types::Measured", "0000 00 ff", "incomplete", "inner", 4),
        ("types::Nested", "04000000", "too_many", "rows", 0),
        ("types::Nested", "01000000 02000000 0100", "incomplete", "rows[0][1]", 10),
        ("types::Nested", "ffffffff", "too_many", "rows", 0),
        ("types::Nested", "00000000 ffffffff 00", "incomplete", "maybe[1]", 9),
        ("types::Nested", "00000000 01000000 02", "not_boolean", "maybe[0]", 8),
        ("types::Nested", &pairs, "incomplete", "pairs[0].second", 50),
        (
            "types::Nested",
            "00000000 00000000 01000000 01000000 61 01000000 0100",
            "incomplete",
            "names[0].entry.value[0].y",
            23,
        ),
        ("types::Nested", &many_nothings, "too_many", "nothings", 59),
        ("types::Constants", "02", "not_constant", "one", 0),
        ("types::Constants", "01 0201", "not_constant", "two", 1),
        ("types::Constants", "01 0102 05000000", "not_constant", "minus", 3),
        ("types::Constants", "01 0102 fbffffff 02", "not_constant", "red", 7),
        ("types::Constants", "01 0102 fbffffff 01 01 cafed00e", "not_constant", "magic", 9),
        ("types::Constants", "01 0102 fbffffff 01 01 cafed00d 01 08", "not_constant", "last", 14),
        ("types::Marked", "06", "not_constant", "marker", 0),
        ("types::Marked", "07 09 04 00000000", "incompatible", "struct_compat", 2),
        ("types::Marked", "07 03 02 01000000", "incomplete", "struct_len", 7),
        ("types::Marked", "07 03 02 01000000 00 00000000", "incomplete", "second", 8),
        ("types::Conditions", "01 00 00 0100 0200 ff", "incomplete", "tail", 7),
        ("types::Conditions", "03 00 00 0100 0200 00000000 05000000 0100020003", "trailing", "held", 19),
        ("types::Unions", "01 00 01 07 03 010002", "incomplete", "by_path.red.y", 7),
        ("types::Unions", "01 01 00 07 01000000", "incomplete", "by_number.1[0]", 8),
        ("types::Unions", "02 00 00 0100 0200 00 02000000 0205", "not_boolean", "in_blob.green", 12),
        ("types::Unions", "00 00 00 00 01000000 00", "trailing", "in_blob", 8),
        ("types::Held", "05000000 01000000 05", "incomplete", "list.content[0]", 8),
        ("types::Held", "11000000", "too_many", "list", 4),
        ("two_5::Paint2Shapes", "01000000 00", "incomplete", "first.colour", 4),
    ];
    for (name, bytes, kind, path, offset) in cases {
        let bytes = hex(bytes);
        let error = row(name).2(&bytes, &Context::default()).unwrap_err();
        assert_eq!((error.kind.name(), error.path().as_str(), error.offset), (kind, path, offset), "{name} {bytes:?}");
    }
}

#[test]
fn what_was_read_before_an_error_is_kept() {
    let bytes = hex("01 00 01 07 03 010002");
    let mut recorder = Recorder::new();
    types::Unions::decode(&mut Reader::new(&bytes), &Context::default(), &mut recorder).unwrap_err();
    recorder.finish(bytes.len());
    let shown = tree::to_json(&recorder, &[&bytes]);
    assert_eq!(shown["by_name"], json!({"red": 7}));
    assert_eq!(shown["by_path"], json!({"red": {"x": 1}}));
}

#[test]
fn values_that_no_reader_would_take_are_not_written() {
    use types::*;
    let point = Point { x: 1, y: 2 };
    let bytes = |n: usize| Blob::from(vec![0; n]);
    let text = Text::from("");
    let nested = Nested::default();
    let unions = Unions::default();
    let (measured, conditions) = (Measured::default(), Conditions::default());
    let values: Vec<(Box<dyn Encode>, &str, &str)> = vec![
        (Box::new(Unions { by_name: UnionsByName::Green(point.clone()), ..unions.clone() }), "wrong_case", "by_name"),
        (Box::new(Unions { by_name: UnionsByName::Other(bytes(1)), ..unions.clone() }), "wrong_case", "by_name"),
        (
            Box::new(Unions { colour: Colour(77), by_name: UnionsByName::Red(1), ..unions.clone() }),
            "wrong_case",
            "by_name",
        ),
        (
            Box::new(Unions { by_path: Some(UnionsByPath::Red(point.clone())), ..unions.clone() }),
            "wrong_case",
            "by_path",
        ),
        (Box::new(Unions { in_blob: Some(UnionsInBlob::Green(Some(1))), ..unions }), "wrong_case", "in_blob"),
        (
            Box::new(Unions {
                number: 1,
                by_number: UnionsByNumber::N1(vec![]),
                head: UnionHead { inner: UnionInner { kind: Colour::RED } },
                by_path: Some(UnionsByPath::Red(point.clone())),
                in_blob: Some(UnionsInBlob::Red(bytes(256))),
                colour: Colour::RED,
                by_name: UnionsByName::Red(1),
            }),
            "too_many",
            "in_blob.red",
        ),
        (Box::new(Conditions { zero: None, ..conditions.clone() }), "wrong_presence", "zero"),
        (Box::new(Conditions { other: Some(point.clone()), ..conditions.clone() }), "wrong_presence", "other"),
        (Box::new(Conditions { large: Some(vec![]), ..conditions.clone() }), "wrong_presence", "large"),
        (Box::new(Conditions { really: Some(None), ..conditions.clone() }), "wrong_presence", "really"),
        (Box::new(Conditions { held: Some(None), ..conditions }), "wrong_presence", "held"),
        (Box::new(Marked { struct_v: 1, ..Marked::default() }), "wrong_presence", "old"),
        (Box::new(Marked { third: None, ..Marked::default() }), "wrong_presence", "third"),
        (Box::new(Bare { b: Some(1), ..Bare::default() }), "wrong_presence", "b"),
        (Box::new(Measured { keys: vec![1], ..measured.clone() }), "unequal_counts", "values"),
        (
            Box::new(Measured { keys: vec![1; 4], values: vec![text.clone(); 4], ..measured.clone() }),
            "too_many",
            "keys",
        ),
        (Box::new(Measured { body: bytes(9), ..measured }), "too_many", "body"),
        (Box::new(BytesOfAllKinds { tiny: bytes(4), ..Default::default() }), "too_many", "tiny"),
        (Box::new(BytesOfAllKinds { small: bytes(0x10000), ..Default::default() }), "too_many", "small"),
        (Box::new(BytesOfAllKinds { text: Text::from("12345"), ..Default::default() }), "too_many", "text"),
        (Box::new(BytesOfAllKinds { rest: bytes(7), ..Default::default() }), "too_many", "rest"),
        (Box::new(Nested { rows: vec![vec![]; 4], ..nested.clone() }), "too_many", "rows"),
        (Box::new(Nested { deep: vec![(1, vec![]); 3], ..nested.clone() }), "too_many", "deep"),
        (Box::new(Nested { blobs: vec![bytes(1), bytes(256)], ..nested.clone() }), "too_many", "blobs[1]"),
        (Box::new(Nested { grid: vec![vec![1, 2]; 2], ..nested.clone() }), "unequal_counts", "grid"),
        (Box::new(Nested { grid: vec![vec![1, 2, 3]; 3], ..nested }), "unequal_counts", "grid[0]"),
        (Box::new(Held { list: Some(vec![0; 9]), ..Held::default() }), "too_many", "list"),
    ];
    for (value, kind, path) in values {
        let error = value.to_bytes().unwrap_err();
        assert_eq!((error.kind.name(), error.path().as_str()), (kind, path));
    }
}

#[test]
fn enums_and_flags_are_open() {
    use types::{Colour, Marks, Sign, WideColour};
    assert_eq!([Colour(3), Colour(5)].map(|c| c.to_string()), ["green", "5"]);
    assert_eq!((Colour::GREEN, Colour::RED.name(), Colour(5).name()), (Colour(2), Some("red"), None));
    assert_eq!((Colour::RED.to_string(), WideColour::WHITE.to_string()), ("RED".into(), "white".into()));
    assert_eq!((Sign::MINUS_TWO.0, Sign(7).to_string()), (-2, "7".into()));
    let marks = Marks::DOT | Marks::OLD_LINE | Marks(0x10);
    assert_eq!(marks.to_string(), "DOT|0x12");
    assert!(marks.contains(Marks::OLD_LINE) && !marks.contains(Marks::CROSS));
    // half of a flag with two bits isn't the flag
    assert_eq!(
        (Marks(4).to_string(), Marks(12).to_string(), Marks(0).to_string()),
        ("0x4".into(), "CROSS".into(), "0".into())
    );
}

#[test]
fn texts() {
    let bytes = hex(seeds()[0].2);
    let scalars = types::Scalars::decode(&mut Reader::new(&bytes), &Context::default(), &mut ()).unwrap();
    let text = "1 -4 258 true hi 192.0.2.1 green DOT|CROSS|RESERVED|0x12 00112233-4455-6677-8899-aabbccddeeff";
    assert_eq!(scalars.to_string(), text);
    assert_eq!(scalars.span, Duration { sec: -1, nsec: -2 });
    assert_eq!((scalars.time, scalars.bool), (Utime { sec: 1, nsec: u32::MAX }, Bool(2)));
    assert_eq!((scalars.u16be, scalars.bytes), (Be(0x102), FixedBytes([1, 2, 3])));
    assert_eq!(scalars.id.0[..2], Uuid([0; 16]).0.map(|_| 0)[..1].iter().copied().chain([0x11]).collect::<Vec<_>>());
    assert_eq!(scalars.r#type, types::ManyMarks(0xc000_0000_0000_0001));
}

#[test]
fn seals_say_what_they_hold() {
    let plain = hex("0500 0600");
    let mut recorder = Recorder::new();
    let read: types::Point =
        Sealed::<types::Point, 1>::read_plaintext(&plain, &Context::default(), &mut recorder).unwrap();
    assert_eq!((read.x, read.y, recorder.nodes().len()), (5, 6, 2));
    let sealed: Sealed<'_, types::Point, 1> = Sealed::new(Blob::from(vec![1, 2]));
    let value = types::Sealed { blob: sealed, ..types::Sealed::default() };
    assert_eq!(value.to_bytes().unwrap(), hex("00 02000000 0102"));
    let long = hex("0500 0600 07");
    let error = Sealed::<types::Point, 1>::read_plaintext::<types::Point, _, _>(&long, &Context::default(), &mut ());
    assert_eq!(error.unwrap_err().kind.name(), "trailing");
    // the type says which key opens it
    fn usage<T, const USAGE: u32>(_: &Sealed<'_, T, USAGE>) -> u32 {
        Sealed::<T, USAGE>::USAGE
    }
    assert_eq!([usage(&value.blob), usage(&value.sized), usage(&value.rest)], [1, 2, 3]);
}

#[test]
fn secrets_are_kept() {
    let bytes = hex("02 01 6162 02000000 6364 01000000 65 03 666768 69 6a6b");
    let mut recorder = Recorder::new();
    let read = types::Secretive::decode(&mut Reader::new(&bytes), &Context::default(), &mut recorder).unwrap();
    recorder.finish(bytes.len());
    // the codec has them, in both directions
    assert_eq!((&*read.text, &*read.rest), (&b"cd"[..], &b"jk"[..]));
    assert_eq!(read.to_bytes().unwrap(), bytes);
    // nobody else does
    let shown = tree::to_json(&recorder, &[&bytes]);
    let secret = |length: &str| json!(format!("{length}, secret"));
    assert_eq!(
        shown,
        json!({
            "struct_v": 2, "length": 1, "fixed": secret("2 bytes"), "text": secret("2 bytes"), "short": secret("1 byte"),
            "blob": secret("3 bytes"), "sized": secret("1 byte"), "rest": secret("2 bytes"),
        })
    );
    let text = recorder.nodes().iter().find(|node| node.field.name == "text").unwrap();
    assert_eq!((text.start, text.length, text.value), (4, 6, Recorded::Secret(2)));
    assert_eq!(
        format!("{read:?}"),
        "Secretive { struct_v: 2, fixed: 2 bytes, secret, text: 2 bytes, secret, short: 1 byte, secret, \
         blob: Some(3 bytes, secret), sized: 1 byte, secret, rest: 2 bytes, secret }"
    );
    // a limit is a limit, and what is cut is told as far as it goes
    for (hex_text, kind) in [("02 00 6162 00000000 05000000 6162636465", "too_many"), ("02 01 61", "incomplete")] {
        let refused = hex(hex_text);
        let read = types::Secretive::decode(&mut Reader::new(&refused), &Context::default(), &mut ());
        assert_eq!(read.unwrap_err().kind.name(), kind);
    }
}

#[test]
fn fields_are_known() {
    for (index, info) in field::FIELDS.iter().enumerate() {
        assert_eq!(usize::from(info.index), index, "{}", info.filter);
        assert!(!info.name.is_empty() && !info.doc.is_empty() && info.filter.starts_with("msgr2"), "{}", info.filter);
    }
    let known = |filter: &str| field::FIELDS.iter().find(|f| f.filter == filter).unwrap_or_else(|| panic!("{filter}"));
    assert_eq!((known("msgr2.scalars.u32").label, known("msgr2.scalars.u64").unit), ("Word", "bytes"));
    assert!(matches!(known("msgr2.place.x").kind, Kind::Signed(2)));
    assert!(matches!(known("msgr2.nested.rows.count").kind, Kind::List));
    assert!(matches!(known("msgr2.nested.names.key").kind, Kind::Text));
    assert!(matches!(known("msgr2.nested.place.present").kind, Kind::Present));
    assert_eq!(limits::FEW, 3);
    assert_eq!((FindingKind::Odd.info().name, FindingKind::Odd.info().filter), ("odd", "msgr2.finding.odd"));
}

macro_rules! check_frame {
    ($dialect:ident, $tag:expr, $parts:expr, $context:expr) => {{
        let (parts, context): (&[Vec<u8>], &Context) = ($parts, $context);
        let (view, tag) = (parts.concat(), $dialect::Tag($tag));
        let typed = |t: &mut Recorder| $dialect::Frame::decode(tag, &segments(parts), context, t).map(drop);
        let tables = PROTOCOL.dialect($dialect::NAME).unwrap();
        let numbers = context.numbers();
        let _ = agree(&(tag, parts), typed, |t| {
            Walker::new(&PROTOCOL, &numbers).frame(tables, tag.0, &segments(parts), t, |_| ())
        });
        let mut recorder = Recorder::new();
        let read = $dialect::Frame::decode(tag, &segments(parts), context, &mut recorder);
        match &read {
            Ok(frame) => {
                assert_eq!(frame.tag(), tag);
                let encoded = frame.encode().unwrap();
                for (index, bytes) in encoded.iter().enumerate() {
                    assert_eq!(bytes, parts.get(index).unwrap_or(&Vec::new()), "{frame:?}");
                }
                check_places(&recorder, 0, view.len());
                let unknown = matches!(frame, $dialect::Frame::Unknown(..));
                if !unknown && fits_json(&format!("{frame:?}")) {
                    let shown = tree::to_json(&recorder, &[&view]);
                    let back: $dialect::Frame<'_> =
                        serde_json::from_value(shown.clone()).unwrap_or_else(|e| panic!("{e}: {shown}"));
                    assert_eq!(&back, frame, "{shown}");
                    let json = serde_json::to_value(frame).unwrap();
                    assert_eq!(&serde_json::from_value::<$dialect::Frame<'_>>(json).unwrap(), frame);
                }
            }
            Err(error) => assert!(error.offset <= view.len()),
        }
        read.map(|frame| format!("{frame:?}"))
    }};
}

#[test]
fn frames() {
    let parts = |text: &str| parse_hex(text).unwrap();
    let nothing = Context::default();
    let red = context(json!({"shade": "red"}));
    let parcel = parts("05 01000000 | 02000000 0100 0200 | 0500 0600");
    let read = check_frame!(one, 5, &parcel, &red).unwrap();
    assert!(read.contains("Red(Point { x: 5, y: 6 })"), "{read}");
    check_frame!(two_5, 5, &parcel, &nothing).unwrap();
    check_frame!(one, 1, &parts("01000000 61 ff"), &nothing).unwrap();
    check_frame!(one, 2, &parts("01 01"), &nothing).unwrap();
    check_frame!(one, 3, &parts(""), &nothing).unwrap();
    check_frame!(one, 4, &parts("0102"), &nothing).unwrap();
    check_frame!(one, 9, &parts("01 || 02"), &nothing).unwrap();
    let refused = [
        (2, "01", "incomplete", "shape.marks", 1),
        (2, "01 01 01", "trailing", "", 2),
        (3, "00", "trailing", "", 0),
        (1, "00000000 | 00", "trailing", "", 4),
        (5, "05 01000000 ff | 00000000", "trailing", "head", 5),
        (5, "05 01000000 | 01000000", "incomplete", "numbers[0]", 9),
        (5, "05 01000000 | 00000000 ff", "trailing", "numbers", 9),
        (5, "05 01000000 | 00000000 | 0500 06", "incomplete", "rest.red.y", 11),
        (5, "05 01000000 | 00000000 | | 01", "trailing", "", 9),
    ];
    for (tag, text, kind, path, offset) in refused {
        let error = check_frame!(one, tag, &parts(text), &red).unwrap_err();
        assert_eq!((error.kind.name(), error.path().as_str(), error.offset), (kind, path, offset), "{text}");
    }
    let bytes = hex("6f6e 02 01 00 ff");
    let mut reader = Reader::new(&bytes);
    let banner = one::decode_banner(&mut reader, &nothing, &mut ()).unwrap();
    assert_eq!(
        (reader.left(), banner.word),
        (1, Some(one::Shape { colour: types::Colour::RED, marks: types::Marks(0) }))
    );
}

#[test]
fn a_dialect_changes_what_it_extends() {
    assert_eq!((one::NAME, two_5::NAME), ("one", "two.5"));
    // its own
    let parts = parse_hex("01000000 61 01000000 62").unwrap();
    let nothing = Context::default();
    assert!(check_frame!(one, 1, &parts, &nothing).unwrap().contains("extra"));
    assert!(check_frame!(two_5, 1, &parts, &nothing).unwrap().contains("to: \"b\""));
    let parts = parse_hex("04000000 01000000 02000000 ff").unwrap();
    assert!(check_frame!(one, 6, &parts, &nothing).unwrap().starts_with("Unknown"));
    assert!(check_frame!(two_5, 6, &parts, &nothing).unwrap().contains("extra: [ff]"));
    assert_eq!((two_5::Tag::PAINT_2_SHAPES, two_5::Tag(6).name()), (two_5::Tag(6), Some("PAINT_2_SHAPES")));
    assert_eq!(one::Tag(6).name(), None);
    // its parent's
    let draw: one::Draw = two_5::Draw { shape: one::Shape::default() };
    assert_eq!(two_5::Frame::Draw(draw).encode().unwrap()[0], [0, 0]);
    let _: one::Opening = two_5::Opening::default();
    let _: types::Point = two_5::Point::default();
}

#[test]
fn states() {
    let states = one::CLIENT_STATES;
    assert_eq!(states.iter().map(|s| s.name).collect::<Vec<_>>(), ["fresh", "busy", "over"]);
    assert_eq!((one::client::FRESH, one::client::OVER, one::server::FRESH), (0, 2, 0));
    let fresh = &states[0];
    assert_eq!((fresh.sends, fresh.moves(0)[0].to, fresh.moves(0)[0].sends), (&[2][..], 1, &[1][..]));
    let greeted = states[1].moves(1);
    assert_eq!((greeted[0].guard, greeted[0].actions), (Some(Guard::Sunny), &[Action::Wave][..]));
    assert_eq!((greeted[1].to, greeted[1].guard), (2, None));
    assert!(states[2].moves(1).is_empty());
    assert_eq!(one::SERVER_STATES[0].moves(2)[0].sends, [5, 4]);
    // dialect two.5 says something else of one state
    assert_eq!(two_5::CLIENT_STATES.len(), 4);
    assert_eq!((two_5::CLIENT_STATES[0].moves(6)[0].to, two_5::CLIENT_STATES[0].moves(0).len()), (2, 0));
    assert_eq!(two_5::SERVER_STATES.len(), 1);
    // and has one that is like one of its parent's
    let late = &two_5::CLIENT_STATES[usize::from(two_5::client::LATE)];
    assert_eq!(two_5::CLIENT_STATES[0].acting(2)[0].to, two_5::client::LATE);
    assert_eq!((late.moves(1).len(), late.moves(3)[0].to), (2, two_5::client::LATE));
}

#[test]
fn acts_lead_somewhere() {
    use three::client::{BUSY, CALM, FRESH, IDLE, OVER};
    let tags = |list: &[wire::On<Guard, Action>]| list.iter().map(|on| on.tag).collect::<Vec<_>>();
    let states = three::CLIENT_STATES;
    assert_eq!((FRESH, IDLE, CALM, BUSY, OVER), (0, 1, 2, 3, 4));
    let fresh = &states[0];
    assert_eq!((tags(fresh.acts), tags(fresh.on)), (vec![1, 0], vec![0]));
    let [first, second] = fresh.acting(1) else { panic!("{fresh:?}") };
    assert_eq!((first.to, first.sends, first.guard), (BUSY, &[9, 9][..], Some(Guard::Sunny)));
    assert_eq!(first.actions, [Action::Wave, Action::BowTwice]);
    assert_eq!((second.to, second.sends, second.guard), (OVER, &[][..], None));
    assert_eq!((fresh.moves(0)[0].to, fresh.moves(1).len(), fresh.acting(9).len()), (CALM, 0, 0));
    let over = &states[usize::from(OVER)];
    assert_eq!((over.on.len(), over.acts.len(), over.sends.len()), (0, 0, 0));
}

#[test]
fn a_state_takes_over_what_it_does_not_say() {
    use three::client::{BUSY, CALM, IDLE, OVER};
    let [idle, calm, busy] = [IDLE, CALM, BUSY].map(|state| &three::CLIENT_STATES[usize::from(state)]);
    assert_eq!((busy.sends, busy.acting(1)[0].to, busy.moves(9)[0].to), (&[9][..], OVER, OVER));
    // it may send a greeting at any time, so it doesn't take over the act
    assert_eq!((calm.sends, calm.acts.len()), (&[1, 9][..], 0));
    assert_eq!((calm.moves(1)[0].to, calm.moves(9)[0].to), (IDLE, OVER));
    assert_eq!((idle.sends, idle.acts.len()), (&[1, 9][..], 0));
    assert_eq!((idle.moves(1)[0].to, idle.moves(9)[0].to, idle.on.len()), (IDLE, IDLE, 2));
    assert_eq!(idle.doc, "Like calm, but it waits for a nod.");
}

#[test]
fn guards_and_actions_have_names() {
    assert_eq!((Guard::Sunny.name(), Guard::Sunny.doc(), Guard::Sunny as u8), ("sunny", "The sun shines.", 0));
    assert_eq!((Action::BowTwice.name(), Action::BowTwice.doc()), ("bow_twice", "Bows twice."));
    assert_eq!(std::collections::HashSet::from([Action::Wave, Action::BowTwice, Action::Wave]).len(), 2);
}

fn salute(text: &[u8]) -> Result<(three::Salute, usize), Error> {
    let typed = |t: &mut Recorder| three::decode_banner(&mut Reader::new(text), &Context::default(), t).map(drop);
    let tables = PROTOCOL.dialect(three::NAME).unwrap();
    let walked = |t: &mut Recorder| {
        Walker::new(&PROTOCOL, &Context::default().numbers()).banner(&mut Reader::new(text), tables, t, |_| ())
    };
    let _ = agree(&text, typed, walked);
    let mut reader = Reader::new(text);
    let read = three::decode_banner(&mut reader, &Context::default(), &mut ())?;
    Ok((read, reader.offset()))
}

#[test]
fn texts_are_read_and_written() {
    let salutes: [(&str, u64, u8, u16); 4] = [
        ("three 0/0: 0.\n", 0, 0, 0),
        ("three 1f/80: abc.\n", 0x1f, 0x80, 0xabc),
        ("three fedcba9876543210/3: ff.\n", 0xfedc_ba98_7654_3210, 3, 0xff),
        ("three 100000000000/ff: ffff.\n", 0x1000_0000_0000, 0xff, 0xffff),
    ];
    for (text, word, marks, tiny) in salutes {
        let value = three::Salute { word, marks: types::Marks(marks), tiny };
        assert_eq!(value.to_bytes().unwrap(), text.as_bytes());
        // what comes behind it is left alone
        let longer = [text.as_bytes(), b"three"].concat();
        assert_eq!(salute(&longer), Ok((value.clone(), text.len())));
        let json = serde_json::to_value(&value).unwrap();
        assert_eq!((&json["word"], &json["tiny"]), (&json!(format!("{word:#x}")), &json!(tiny)));
        assert_eq!(serde_json::from_value::<three::Salute>(json).unwrap(), value);
    }
    let padded = three::Salute { word: 7, marks: types::Marks(1), tiny: 2 };
    assert_eq!(salute(b"three 0000000007/01: 0002.\n"), Ok((padded.clone(), 27)));
    assert_eq!((padded.to_string(), padded.summary().is_some()), ("0x7 DOT 2".into(), true));
    assert_eq!(<three::Salute as Composite<'_, Context>>::MIN_SIZE, three::Salute::default().to_bytes().unwrap().len());
}

#[test]
fn each_number_of_a_text_has_its_place() {
    let text = b"three 0a/1: 10.\n";
    let mut recorder = Recorder::new();
    let banner = three::decode_banner(&mut Reader::new(text), &Context::default(), &mut recorder).unwrap();
    let places: Vec<_> = recorder.nodes().iter().map(|n| (n.field.name, n.depth, n.start, n.length, n.value)).collect();
    let expected = [
        ("salute", 0, 0, 16, Recorded::Text(0, 10)),
        ("word", 1, 6, 2, Recorded::Unsigned(10)),
        ("marks", 1, 9, 1, Recorded::Unsigned(1)),
        ("tiny", 1, 12, 2, Recorded::Unsigned(16)),
    ];
    assert_eq!(places, expected);
    let shown = &tree::to_json(&recorder, &[text])["salute"];
    assert_eq!(serde_json::from_value::<three::Salute>(shown.clone()).unwrap(), banner, "{shown}");
}

#[test]
fn errors_in_texts_name_field_and_byte() {
    let cases = [
        // words
        ("", "incomplete", "word", 0, ""),
        ("thr", "incomplete", "word", 0, "ends 3 byte(s) early"),
        ("thrum ", "not_text", "word", 3, "salute.word at byte 3: not the text that stands here"),
        ("one", "not_text", "word", 0, ""),
        ("three 1", "incomplete", "word", 6, "ends 1 byte(s) early"),
        ("three 1:", "not_text", "marks", 7, ""),
        ("three 1/2:", "incomplete", "tiny", 9, ""),
        ("three 1/2:_", "not_text", "tiny", 10, ""),
        // the last words have no field behind them
        ("three 1/2: 3\n", "not_text", "tiny", 12, ""),
        ("three 1/2: 3.", "incomplete", "tiny", 12, ""),
        ("three 1/2: 3.3", "not_text", "tiny", 13, ""),
        // numbers
        ("three ", "incomplete", "word", 6, ""),
        ("three /2: 3.\n", "not_text", "word", 6, ""),
        ("three A/2: 3.\n", "not_text", "word", 6, ""),
        ("three 1A/2: 3.\n", "not_text", "marks", 7, ""),
        ("three -1/2: 3.\n", "not_text", "word", 6, ""),
        ("three 0x1/2: 3.\n", "not_text", "marks", 7, ""),
        ("three 1/200: 3.\n", "not_text", "marks", 10, ""),
        ("three 1/2: 00003.\n", "not_text", "tiny", 15, ""),
        ("three 1/2", "incomplete", "marks", 8, ""),
        ("three 0000000000000000", "incomplete", "word", 6, ""),
        ("three 00000000000000000/0: 0.\n", "not_text", "word", 22, ""),
        // 30 bytes and no end
        ("three 0000000000000000/0: 0000", "too_many", "tiny", 26, "31 where 30 are allowed"),
        ("three 0000000000000000/00: 000", "too_many", "tiny", 27, ""),
        ("three 0000000000000000/00: 000.\n", "too_many", "tiny", 27, ""),
        ("three 0000000000000000/00: 00.\n", "too_many", "tiny", 29, ""),
    ];
    for (text, kind, field, offset, shown) in cases {
        let error = salute(text.as_bytes()).unwrap_err();
        let path = format!("salute.{field}");
        assert_eq!((error.kind.name(), error.path(), error.offset), (kind, path, offset), "{text:?}");
        assert!(error.to_string().ends_with(shown), "{error}");
    }
    // 30 bytes are none too many, and a byte less is not enough
    assert!(salute(b"three 0000000000000000/0: 00.\n").is_ok());
    let cut = salute(b"three 0000000000000000/0: 00.").unwrap_err();
    assert_eq!((cut.kind.name(), cut.offset), ("incomplete", 28));
    let long = three::Salute { word: u64::MAX, marks: types::Marks(0x10), tiny: 0xfff };
    let error = long.to_bytes().unwrap_err();
    assert_eq!((error.kind.name(), error.path().as_str()), ("too_many", "tiny"));
    assert!(error.to_string().ends_with("32 where 30 are allowed"), "{error}");
}

#[test]
fn texts_stand_in_other_structures() {
    let bytes = [&[7, 2, 0, 0, 0][..], b"three 1/0: 2.\nthree 3/0: 4.\n", b"\x0bf and 80ff!\x08"].concat();
    let letter = three::Letter::decode(&mut Reader::new(&bytes), &Context::default(), &mut ()).unwrap();
    assert_eq!(letter.salutes.iter().map(|s| (s.word, s.tiny)).collect::<Vec<_>>(), [(1, 2), (3, 4)]);
    assert_eq!(letter.held, Some(three::Unbounded { number: 15, r#type: types::ManyMarks(0x80ff) }));
    assert_eq!((letter.to_bytes().unwrap(), letter.after), (bytes.clone(), 8));
    let read = |at: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        let error = three::Letter::decode(&mut Reader::new(&bytes), &Context::default(), &mut ()).unwrap_err();
        (error.kind.name(), error.path(), error.offset)
    };
    assert_eq!(read(27, b'x'), ("not_text", "salutes[1].marks".into(), 27));
    assert_eq!(read(34, b'x'), ("not_text", "held.number".into(), 34));
    assert_eq!(read(33, 8), ("incomplete", "held.type".into(), 40));
}

#[test]
fn exchanges_are_what_they_say() {
    let spec = msgr2_spec::Spec::from_folder("tests/invented".as_ref()).unwrap();
    assert!(spec.dialects["one"].exchanges.is_empty());
    let exchange = &spec.dialects["three"].exchanges["pleasantries"];
    assert_eq!(
        exchange.secrets.iter().map(|(n, s)| (n.as_str(), s.as_str())).collect::<Vec<_>>(),
        [("key", "0011"), ("name", "a word")]
    );
    let mut frames = 0;
    for flight in &exchange.flights {
        let mut bytes = Vec::new();
        for frame in &flight.frames {
            let given = serde_json::to_value(&frame.context).unwrap();
            if frame.tag == "banner" {
                let banner: three::Salute = serde_json::from_value(frame.value.clone()).unwrap();
                bytes.extend(banner.to_bytes().unwrap());
                continue;
            }
            let value: three::Frame<'_> = serde_json::from_value(json!({ &frame.tag: frame.value })).unwrap();
            let payload = value.encode().unwrap().concat();
            let parts = [payload.clone()];
            assert!(check_frame!(three, value.tag().0, &parts, &context(given)).is_ok());
            bytes.push(value.tag().0);
            bytes.extend(payload);
            if frame.signed {
                bytes.push(three::Tag::STAMP.0);
                bytes.extend([0xaa, 0xbb]);
            }
            frames += 1;
        }
        assert_eq!(bytes, hex(&flight.hex), "{}", flight.doc);
    }
    let last = &exchange.flights[1];
    assert_eq!((frames, last.from, exchange.flights[0].from), (2, Role::Client, Role::Server));
    assert_eq!(
        last.frames.iter().map(|f| (f.signed, f.sealed)).collect::<Vec<_>>(),
        [(false, false), (true, false), (false, true)]
    );
    let tags = &spec.dialects["three"].tags;
    assert_eq!(
        tags.iter().filter(|(_, tag)| tag.envelope).map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["stamp"]
    );
}

#[test]
fn a_dialect_that_extends_nothing_has_all_of_its_own() {
    assert_eq!((three::NAME, three::Tag::NOD, three::Tag(9).name()), ("three", three::Tag(9), Some("NOD")));
    assert_eq!((three::Tag(2).name(), one::Tag(9).name()), (None, None));
    let parts = parse_hex("0a04").unwrap();
    let nothing = Context::default();
    assert!(check_frame!(three, 1, &parts, &nothing).unwrap().contains("tag: STAMP(10), corners: 4"));
    assert!(check_frame!(one, 1, &parts, &nothing).is_err());
    assert!(check_frame!(three, 2, &parts, &nothing).unwrap().starts_with("Unknown"));
    let shape = three::Shape { tag: three::Tag::GREET, corners: 3 };
    assert_eq!(three::Frame::Greet(three::Greet { shape }).info().unwrap().to_string(), "3");
    let places = [field::THREE_SHAPE_CORNERS, field::THREE_SALUTE_WORD, field::THREE_SALUTE_FRAME];
    assert_eq!(places.map(|f| f.filter), ["msgr2.shape.corners", "msgr2.salute.word", "msgr2.salute"]);
}

/// Reads the parts of a message of this type and version. What can be read must be written as the same bytes, and shown
/// as JSON that can be read back.
fn check_message(kind: u16, version: u16, parts: &[Vec<u8>], told: &Context) -> Option<Result<String, Error>> {
    let framed: Vec<Vec<u8>> = std::iter::once(Vec::new()).chain(parts.iter().cloned()).collect();
    let (view, segments) = (parts.concat(), segments(&framed));
    let mut recorder = Recorder::new();
    let kind = types::MessageType(kind);
    let numbers = told.numbers();
    let mut walker = Walker::new(&PROTOCOL, &numbers);
    let known = messages::Body::decode(kind, version, &segments, told, &mut ()).is_some();
    assert_eq!(walker.message(kind.0, version, &segments, &mut (), |_| ()).is_some(), known);
    if known {
        let typed = |t: &mut Recorder| messages::Body::decode(kind, version, &segments, told, t).unwrap().map(drop);
        let _ = agree(&(kind, parts), typed, |t| walker.message(kind.0, version, &segments, t, |_| ()).unwrap());
    }
    let silent = messages::Body::decode(kind, version, &segments, told, &mut ());
    let read = messages::Body::decode(kind, version, &segments, told, &mut recorder);
    assert_eq!(read, silent);
    Some(match read? {
        Ok(body) => {
            assert_eq!(body.message_type(), kind);
            for (index, bytes) in body.encode().unwrap().iter().enumerate() {
                assert_eq!(bytes, parts.get(index).unwrap_or(&Vec::new()), "{body:?}");
            }
            check_places(&recorder, 0, view.len());
            let text = format!("{body:?}");
            if fits_json(&text) {
                let shown = tree::to_json(&recorder, &[&view]);
                let back: messages::Body<'_> =
                    serde_json::from_value(shown.clone()).unwrap_or_else(|e| panic!("{e}: {shown}"));
                assert_eq!(back, body, "{shown}");
                let json = serde_json::to_value(&body).unwrap();
                assert_eq!(serde_json::from_value::<messages::Body<'_>>(json).unwrap(), body);
            }
            Ok(text)
        }
        Err(error) => {
            check_error(&error, &view);
            Err(error)
        }
    })
}

#[test]
fn messages_go_by_type_and_version() {
    let nothing = Context::default();
    let read = |kind, version, parts: &str| check_message(kind, version, &parse_hex(parts).unwrap(), &nothing).unwrap();
    assert!(read(40, 1, "01 02").unwrap().contains("old: Some(2)"));
    assert_eq!(read(40, 2, "01 02").unwrap_err().path(), "text");
    let text = "01 01000000 61 0500 0600 ff";
    assert!(read(40, 2, text).unwrap().contains("place: None, extra: [05000600ff]"));
    assert!(read(40, 3, text).unwrap().contains("extra: [ff]"));
    // what the spec says nothing of is kept
    assert!(read(40, 1, "01 02 | aa | bb").unwrap().contains("middle: [aa], data: [bb]"));
    assert!(read(41, 1, "").unwrap().starts_with("Nothing"));
    assert!(read(41, 1, "01 | 02 | 03").unwrap().contains("extra: [01], middle: [02], data: [03]"));
    assert!(check_message(99, 1, &[], &nothing).is_none());
}

#[test]
fn a_later_segment_has_something_for_each_item() {
    use messages::MJobs;
    use types::{Colour, Job, JobTask};
    let read = |parts: &str| check_message(0x103, 1, &parse_hex(parts).unwrap(), &Context::default()).unwrap();
    let jobs = "04 00 00000000 0200  02 09 0200 00 0700  ff 0100 0200 0000  07 01020304 0100";
    let text = read(&format!("{jobs} || 0500 6162 aabb 010203 cc")).unwrap();
    for part in ["Black(5)", "Pair(ParcelOfJob { name: \"ab\"", "bytes: [aabb], rest: [010203]", "None", "Other([cc])"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    // lengths that don't fit to what is there
    let wrong = read(&format!("{jobs} || 0500 6162 aabb 010203")).unwrap_err();
    assert_eq!((wrong.path().as_str(), wrong.kind.name()), ("parcels[3]", "incomplete"));
    let wrong = read(&format!("{} || 0500 61", jobs.replace("0700", "0100"))).unwrap_err();
    assert_eq!((wrong.path().as_str(), wrong.kind.name()), ("parcels[1].pair.name", "incomplete"));
    let wrong = read("01 00 00000000 0300 || 050000").unwrap_err();
    assert_eq!((wrong.path().as_str(), wrong.kind.name()), ("parcels[0]", "trailing"));
    assert!(read(&format!("{jobs} || 0500 6162 aabb 010203 cc dd")).unwrap().contains("data_extra: [dd]"));

    let job = |kind, task, size| Job { kind, task, size };
    let point = types::Point { x: 1, y: 2 };
    let mut message = MJobs {
        jobs: vec![job(Colour::BLACK, JobTask::default(), 2), job(Colour::WHITE, JobTask::Place(point.clone()), 4)],
        parcels: vec![Some(messages::MJobsParcels::Black(7)), Some(messages::MJobsParcels::White(vec![point.clone()]))],
        ..MJobs::default()
    };
    let written = ["02 00 00000000 0200 ff 0100 0200 0400", "", "0700 0100 0200"].map(hex);
    assert_eq!(message.encode().unwrap(), written);
    assert_eq!(message.to_string(), "[black7- in=2,whitewhite(1, 2) in=4] [black-,white(1, 2)]");
    // what a reader would refuse isn't written
    let kind = |message: &MJobs<'_>| message.encode().unwrap_err().kind.name();
    message.jobs[1].size = 5;
    assert_eq!(kind(&message), "wrong_length");
    message.jobs.pop();
    assert_eq!(kind(&message), "unequal_counts");
    let told = types::ToldMore { length: 1, text: Text::from("ab"), ..Default::default() };
    assert_eq!(told.to_bytes().unwrap_err().path(), "text");
    let long = JobTask::Pair(types::JobPair { unused: Blob::from(vec![0; 2]), ..Default::default() });
    assert_eq!(job(Colour::GREEN, long, 0).to_bytes().unwrap_err().kind.name(), "wrong_length");
    assert_eq!(field::M_JOBS_PARCELS_COUNT.filter, "msgr2.jobs.parcels.count");
}

#[test]
fn texts_show_fields_in_several_forms() {
    let left =
        types::ItemsLeft { first: 31, marks: types::Marks(5), places: vec![types::Point { x: 1, y: 2 }], inner: None };
    assert_eq!(left.to_string(), "[(1, 2)] at 1fDOT+0x4");
    assert_eq!(types::ItemsLeft::default().to_string(), "[] 0");
    let pair = types::JobPair { one: 1, level: 2, unused: Blob::from(vec![1, 2, 3]) };
    assert_eq!((pair.to_string().as_str(), types::JobPair::default().to_string().as_str()), (" 1+2 3 left", " 0+0"));
}

#[test]
fn a_message_has_fields_in_each_part() {
    use messages::{Body, MParts, MReport};
    let read =
        |version, parts: &str| check_message(0x102, version, &parse_hex(parts).unwrap(), &Context::default()).unwrap();
    let text = read(2, "01 02 6869 | 01000000 07 0100 0200 09 ee | 0300 0400").unwrap();
    for part in ["name: [6869]", "more: Some(9)", "middle_extra: [ee]", "body: Red(Point { x: 3, y: 4 })"] {
        assert!(text.contains(part), "{text}");
    }
    // a field of the front decides over the data, and the header's version over the middle
    assert!(read(1, "02 00 | 00000000 | 02 05 08").unwrap().contains("more: None"));
    assert!(read(2, "ff 00 | 00000000 01 | aabb").unwrap().contains("body: White([aabb])"));
    assert_eq!(read(2, "02 00 | 00000000 | 01 05").unwrap_err().path(), "more");
    assert_eq!(read(2, "01 00 | 00000000 00 | 0100").unwrap_err().path(), "body.red.y");
    assert_eq!(read(2, "01 05 6869 | 00000000 00 |").unwrap_err().path(), "name");
    assert_eq!(read(2, "01 00 | ffffffff 00 |").unwrap_err().kind.name(), "incomplete");

    // a fresh one is of the newest version
    let report = MReport { a: 5, text: Some("x".into()), ..MReport::default() };
    assert_eq!(report.to_string(), "5 x");
    assert_eq!(report.encode().unwrap(), [hex("05 01000000 78 0000 0000"), vec![], vec![]]);
    assert_eq!((MReport::VERSION, MReport::COMPAT_VERSION, MReport::TYPE.name()), (3, 1, Some("REPORT")));
    let body = Body::from(report);
    assert_eq!((body.versions(), body.info().unwrap().to_string().as_str()), ((3, 1), "5 x"));
    let places = vec![(1, types::Point { x: 2, y: 3 }), (4, types::Point::default())];
    let parts = MParts { places, ..MParts::default() };
    assert_eq!(Body::from(parts).info().unwrap().to_string(), "{1=(2, 3),4=(0, 0)}");
    assert!(Body::from(messages::MNothing::default()).info().is_none());
    let names = [field::M_PARTS_MORE, field::M_PARTS_BODY, field::M_PARTS, field::M_REPORT_A];
    assert_eq!(names.map(|f| f.filter), ["msgr2.parts.more", "msgr2.parts.body", "msgr2.parts", "msgr2.report.a"]);
}

/// A small change of some bytes.
#[derive(Clone, Debug)]
enum Change {
    Set(usize, u8),
    Insert(usize, u8),
    Remove(usize),
    Cut(usize),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let byte = prop_oneof![0_u8..6, any::<u8>(), Just(0xff)];
    let change = prop_oneof![
        4 => (any::<usize>(), byte.clone()).prop_map(|(at, b)| Change::Set(at, b)),
        1 => (any::<usize>(), byte).prop_map(|(at, b)| Change::Insert(at, b)),
        1 => any::<usize>().prop_map(Change::Remove),
        1 => any::<usize>().prop_map(Change::Cut),
    ];
    proptest::collection::vec(change, 0..5)
}

fn apply(bytes: &mut Vec<u8>, changes: &[Change]) {
    for change in changes {
        let len = bytes.len();
        match *change {
            Change::Set(at, byte) if len > 0 => bytes[at % len] = byte,
            Change::Insert(at, byte) => bytes.insert(at % (len + 1), byte),
            Change::Remove(at) if len > 0 => drop(bytes.remove(at % len)),
            Change::Cut(at) => bytes.truncate(at % (len + 1)),
            _ => {}
        }
    }
}

fn contexts() -> impl Strategy<Value = Context> {
    prop_oneof![
        Just(json!({})),
        Just(json!({"shade": "red", "level": 1, "message_version": 1})),
        Just(json!({"shade": 3, "level": 2, "message_version": 2})),
        Just(json!({"shade": "white", "level": 3, "message_version": 9})),
    ]
    .prop_map(context)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_bytes_are_refused_or_come_back(seed in any::<usize>(), changes in changes(), told in contexts()) {
        let seeds = seeds();
        let (name, _, bytes, _) = &seeds[seed % seeds.len()];
        let mut bytes = hex(bytes);
        apply(&mut bytes, &changes);
        let _ = row(name).2(&bytes, &told);
    }

    #[test]
    fn any_bytes_are_refused_or_come_back(
        which in 0..TYPES.len(),
        bytes in proptest::collection::vec(prop_oneof![3 => 0_u8..4, 1 => any::<u8>()], 0..120),
        told in contexts(),
    ) {
        let _ = TYPES[which].2(&bytes, &told);
    }

    #[test]
    fn any_frames_are_refused_or_come_back(
        tag in 0_u8..8,
        parts in proptest::collection::vec(proptest::collection::vec(prop_oneof![3 => 0_u8..4, 1 => any::<u8>()], 0..14), 0..4),
        told in contexts(),
    ) {
        let _ = check_frame!(one, tag, &parts, &told);
        let _ = check_frame!(two_5, tag, &parts, &told);
        let _ = check_frame!(three, tag + 5, &parts, &told);
    }

    #[test]
    fn any_messages_are_refused_or_come_back(
        kind in prop_oneof![Just(40), Just(41), Just(0x102)],
        version in 0_u16..4,
        parts in proptest::collection::vec(proptest::collection::vec(prop_oneof![3 => 0_u8..4, 1 => any::<u8>()], 0..14), 3),
        told in contexts(),
    ) {
        let _ = check_message(kind, version, &parts, &told);
    }

    #[test]
    fn any_text_is_read_as_it_should_be(
        pieces in proptest::collection::vec(
            prop_oneof!["three", " ", "/", ":", r"\.", "\n", "[0-9a-f]{0,17}", "[0-9a-fA-Z]{0,3}"],
            0..12,
        ),
        plain in ("[0-9a-f]{1,17}", "[0-9a-f]{1,3}", "[0-9a-f]{1,5}"),
        sound in any::<bool>(),
        change in changes(),
    ) {
        let (word, marks, tiny) = &plain;
        let text = if sound { format!("three {word}/{marks}: {tiny}.\n") } else { pieces.concat() };
        let mut bytes = text.into_bytes();
        if change.len() > 3 {
            apply(&mut bytes, &change);
        }
        check_salute(&bytes);
    }
}

/// The text as another reader takes it: its numbers and its length.
fn salute_by_hand(bytes: &[u8]) -> Option<(u64, u8, u16, usize)> {
    let end = bytes.iter().position(|b| *b == b'\n')? + 1;
    let text = std::str::from_utf8(bytes.get(..end)?).ok()?;
    let (word, rest) = text.strip_prefix("three ")?.split_once('/')?;
    let (marks, rest) = rest.split_once(": ")?;
    let tiny = rest.strip_suffix(".\n")?;
    let digits = |text: &str, most| text.len() <= most && text.bytes().all(|b| b"0123456789abcdef".contains(&b));
    let fits = digits(word, 16) && digits(marks, 2) && digits(tiny, 4) && end <= 30;
    fits.then_some(())?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    Some((number(word)?, number(marks)? as u8, number(tiny)? as u16, end))
}

fn check_salute(bytes: &[u8]) {
    let by_hand = salute_by_hand(bytes);
    match salute(bytes) {
        Ok((value, end)) => {
            assert_eq!(by_hand, Some((value.word, value.marks.0, value.tiny, end)));
            let written = value.to_bytes().unwrap();
            assert!(written.len() <= end);
            assert_eq!(salute(&written), Ok((value, written.len())));
            for cut in 0..end {
                let error = salute(&bytes[..cut]).unwrap_err();
                assert_eq!(error.kind.name(), "incomplete", "{cut}");
            }
        }
        Err(error) => {
            assert_eq!(by_hand, None, "{error}");
            check_error(&error, bytes);
            assert!(["incomplete", "not_text", "too_many"].contains(&error.kind.name()), "{error}");
            // with more bytes than the longest text has, nothing is missing
            assert!(bytes.len() < 30 || error.kind.name() != "incomplete", "{error}");
        }
    }
}
