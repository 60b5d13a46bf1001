//! What lint finds: small specs with one fault each.
#![allow(clippy::unwrap_used)]

use msgr2_spec::load::{self, Problem};
use msgr2_spec::{Spec, lint};

/// A spec without fault, in pieces: a file of what dialects share, and the file of one dialect.
const SHARED: &str = r#"
common:
  marker: {type: u8, doc: "A."}
  struct_v: {type: u8, doc: "A."}
  struct_compat: {type: u8, doc: "A."}
  struct_len: {type: u32, doc: "A."}
  preamble: {type: empty, doc: "A."}
  epilogue: {type: empty, doc: "A."}
  extra: {type: rest, doc: "A."}
  middle: {type: rest, doc: "A."}
  middle_extra: {type: rest, doc: "A."}
  data: {type: rest, doc: "A."}
  data_extra: {type: rest, doc: "A."}
  unknown: {type: rest, doc: "A."}
  encrypted: {type: rest, doc: "A."}
  undecoded: {type: rest, doc: "A."}
context:
  method: {type: kind, doc: "A."}
  message_version: {type: u16, doc: "A."}
limits:
  most: {max: 9, unit: items, doc: "A."}
findings:
  lost: {severity: note, group: undecoded, summary: Lost, doc: "A."}
enums:
  kind:
    base: u8
    doc: A.
    release: "14.2.0"
    source: Ceph
    values:
      none: {number: 0, doc: "A."}
      some: {number: 1, to: 3, doc: "A."}
      many: {number: 9, doc: "A."}
  message_type:
    base: u16
    doc: A.
    release: "14.2.0"
    source: Ceph
    values:
      MAP: {number: 4, doc: "A."}
      LOG: {number: 5, release: "16.2.0", doc: "A."}
flags:
  bits:
    base: u8
    doc: A.
    release: "14.2.0"
    source: Ceph
    values:
      ONE: {bit: 0, doc: "A."}
      TWO: {bits: [1, 0], doc: "A."}
types:
  point:
    doc: A.
    release: "14.2.0"
    source: Ceph
    summary: "{x}, {y}"
    fields:
      - {name: x, type: u32, doc: "A."}
      - {name: y, type: u32, doc: "A."}
  shape:
    doc: A.
    release: "14.2.0"
    source: Ceph
    versioned: {version: 4, compat: 1}
    summary: "{kind} {points} v{struct_v}"
    fields:
      - {name: kind, type: kind, doc: "A."}
      - {name: magic, type: bytes<2>, equals: "0102", doc: "A."}
      - {name: width, type: u16, length_of: name, doc: "A."}
      - {name: count, type: u32, count_of: [points], doc: "A."}
      - {name: name, type: sized, doc: "A."}
      - {name: points, type: counted<point>, max: most, doc: "A."}
      - {name: secret, type: blob, sealed: {key: service, usage: 1, holds: point}, doc: "A."}
      - {name: inner, type: blob, holds: point, since: 2, until: 3, doc: "A."}
      - {name: more, type: u8, since: 4, when: kind == 1, display: {base: hex}, doc: "A."}
      - name: body
        type: {switch: kind, none: empty, some: point, 0xa: u8}
        since: 4
        doc: A.
    examples:
      - {doc: a, hex: "01", value: {}}
    refused:
      - {doc: a, hex: "01", error: incomplete, at: kind}
messages:
  map:
    doc: A.
    release: "14.2.0"
    source: Ceph
    versions: {head: 2, compat: 1}
    info: "{epoch}"
    front:
      - {name: fsid, type: uuid, doc: "A."}
      - {name: epoch, type: u32, since: 2, doc: "A."}
    middle:
      - {name: title, type: string, doc: "A."}
      - {name: size, type: u16, since: 2, doc: "A."}
    data:
      - {name: body, type: {switch: epoch, 1: point}, doc: "A."}
    examples:
      - {doc: a, hex: "01 | 02 | 03", value: {}}
    refused:
      - {doc: a, hex: "0102", error: not_boolean, at: fsid}
"#;

const DIALECT: &str = r#"
dialect: {name: v2.0, doc: "A.", release: "14.2.0", source: Ceph}
banner: {type: greeting, info: "{features}"}
types:
  greeting:
    doc: A.
    fields:
      - {name: features, type: bits, doc: "A."}
  head:
    doc: A.
    fields:
      - {name: tag, type: tag, doc: "A."}
envelope:
  doc: A.
  modes:
    crc:
      - {block: head, covers: all of it, seed: 0, doc: "A."}
      - {segments: "0", doc: "A."}
      - {segments: "1..", doc: "A."}
  examples:
    - {doc: a, mode: crc, tag: hello, hex: "01", value: {}}
guards:
  good: {doc: "A."}
  bad: {doc: "A."}
actions:
  note: {doc: "A."}
tags:
  hello:
    number: 1
    from: both
    doc: A.
    release: "14.2.0"
    source: Ceph
    info: "{shape.kind}"
    fields:
      - {name: shape, type: shape, doc: "A."}
    examples:
      - {doc: a, hex: "01", context: {method: none}, value: {}}
  answer:
    number: 2
    from: server
    doc: A.
    release: "14.2.0"
    source: Ceph
    open: true
    fields:
      - {name: payload, type: blob, holds: {switch: $method, none: empty}, doc: "A."}
    examples:
      - {doc: a, hex: "01", value: {}}
  news:
    number: 3
    from: server
    doc: A.
    release: "14.2.0"
    source: Ceph
    segments:
      - {name: front, type: point, doc: "A."}
      - {name: data, type: rest, doc: "A."}
    examples:
      - {doc: a, hex: "01 | 02", value: {}}
states:
  client:
    begin:
      start: true
      doc: A.
      on:
        banner: {to: greeted, sends: [hello]}
    greeted:
      doc: A.
      on:
        hello: {to: greeted}
        answer:
          - {to: over, when: good, do: [note]}
          - {to: greeted, when: bad}
        news: {to: over}
    over:
      doc: A.
      end: true
  server:
    begin:
      doc: A.
      start: true
      on:
        banner: {to: ready, sends: [hello]}
    ready:
      doc: A.
      sends: [answer, news]
      on:
        hello: {to: ready}
"#;

const CHILD: &str = r#"
dialect: {name: v2.1, extends: v2.0, doc: "A.", release: "14.2.0", source: Ceph}
types:
  head:
    doc: A.
    fields:
      - {name: tag, type: tag, doc: "A."}
      - {name: crc, type: u32, doc: "A."}
"#;

fn check(shared: &str, dialect: &str, child: &str) -> Vec<Problem> {
    let files = [("types/all.yaml", shared), ("dialects/v2.0/all.yaml", dialect), ("dialects/v2.1/all.yaml", child)];
    let sources = files.iter().map(|(path, text)| load::text(path, text)).collect::<Result<Vec<_>, _>>();
    let spec = sources.map_err(|problem| vec![problem]).and_then(Spec::join);
    spec.and_then(|spec| spec.resolve()).map_or_else(|problems| problems, |ir| lint::check(&ir))
}

/// Replaces a text of the sound spec, and looks for a problem with these words, in an item that begins at the line of
/// the new text, right below, or a few lines before it. If the new text has a `§`, its line is meant.
#[track_caller]
fn finds(old: &str, new: &str, what: &str) {
    let mut files = [SHARED, DIALECT, CHILD].map(str::to_owned);
    let hits: usize = files.iter().map(|text| text.matches(old).count()).sum();
    assert_eq!(hits, 1, "`{old}` stands {hits} times");
    let mut line = 0;
    for text in &mut files {
        if let Some(at) = text.find(old) {
            let offset = new.find('§').unwrap_or_default();
            *text = text.replacen(old, new, 1);
            line = text[..at + offset].matches('\n').count() as u64 + 1;
            *text = text.replace('§', "");
        }
    }
    let problems = check(&files[0], &files[1], &files[2]);
    let near = |p: &Problem| p.line <= line + 1 && p.line + 6 >= line;
    let list: Vec<String> = problems.iter().map(Problem::to_string).collect();
    let found = problems.iter().any(|p| near(p) && p.what.contains(what));
    assert!(found, "wanted in line {line}: {what}\ngot:\n{}", list.join("\n"));
}

#[test]
fn a_sound_spec_has_no_problems() {
    let problems = check(SHARED, DIALECT, CHILD);
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn numbers() {
    finds("many: {number: 9,", "many: {number: 3,", "shares a number with `some`");
    finds("many: {number: 9,", "many: {number: 256,", "doesn't fit into u8");
    finds("many: {number: 9,", "many: {number: -1,", "doesn't fit into u8");
    finds("number: 1, to: 3,", "number: 1, to: 1,", "is no range");
    finds(
        "base: u8\n    doc: A.\n    release: \"14.2.0\"\n    source: Ceph\n    values:\n      none",
        "base: §f32\n    doc: A.\n    release: \"14.2.0\"\n    source: Ceph\n    values:\n      none",
        "no little-endian integer",
    );
    finds("ONE: {bit: 0,", "ONE: {", "has no bit");
    finds("ONE: {bit: 0,", "ONE: {bit: 8,", "outside u8");
    finds("ONE: {bit: 0,", "ONE: {bit: 0, bits: [1, 2],", "both bit and bits");
    finds("ONE: {bit: 0,", "ONE: {bits: [0],", "a single one is `bit`");
    finds("bits: [1, 0]", "bits: [1, 1]", "twice in bits");
    finds("bits: [1, 0]", "bit: 0", "has the same bits as `ONE`");
    finds("bits: [1, 0]", "bit: 1, with: ONE", "names no flag with the same bits");
    finds("  news:\n    number: 3", "  news:\n    number: 2", "answer has the number 2 already");
    finds("  news:\n    number: 3", "  news:\n    number: 0", "0 is no tag");
    finds("  map:\n", "  §map_of_all:\n", "the enum message_type has no MAP_OF_ALL");
    finds("method: {type: kind,", "method: {type: s8,", "neither an enum nor an unsigned integer");
}

#[test]
fn messages() {
    let twice = SHARED.replace("messages:\n", "messages:\n  map: {doc: A., versions: {head: 1, compat: 1}}\n");
    assert!(load::text("types/all.yaml", &twice).is_err());
    finds("versions: {head: 2, compat: 1}", "versions: {head: 2, compat: 3}", "older than the oldest reader's, 3");
    finds("name: epoch, type: u32, since: 2,", "name: epoch, type: u32, since: 3,", "beyond the newest version, 2");
    finds("name: fsid, type: uuid,", "name: fsid, type: uid,", "`uid` names no type");
    finds("{switch: epoch, 1: point}", "{switch: epoch, 1: pint}", "`pint` names no type");
    finds("{switch: epoch, 1: point}", "{switch: size_of_all, 1: point}", "names no earlier field");
    finds("info: \"{epoch}\"", "§info: \"{epochs}\"", "names no field");
    finds(
        "name: title, type: string,",
        "name: title, type: rest,",
        "takes all bytes that are left, but `size` follows",
    );
    // the end of one part is not the end of the next, and neither is its beginning
    assert_eq!(check(&SHARED.replace("name: fsid, type: uuid,", "name: fsid, type: list<uuid>,"), DIALECT, CHILD), []);
    let greedy = SHARED.replace("name: epoch, type: u32, since: 2,", "name: epoch, type: rest, since: 2,");
    let problems = check(&greedy.replace("switch: epoch, 1:", "switch: size, 1:"), DIALECT, CHILD);
    assert_eq!(problems, []);
    finds("{name: title, type: string,", "{name: data_extra, type: string,", "by its header or end");
    finds("{name: title, type: string,", "{name: epoch, type: string,", "another field is called `epoch`");
    finds("{name: title, type: string,", "{name: length, type: u8, length_of: body,", "`body` names no later field");
    let example = SHARED.replace("    examples:\n      - {doc: a, hex: \"01 | 02 | 03\", value: {}}\n", "");
    let problems = check(&example, DIALECT, CHILD);
    assert!(problems.len() == 1 && problems[0].key == "messages.map" && problems[0].what == "has no example");
    let refused = "    refused:\n      - {doc: a, hex: \"0102\", error: not_boolean, at: fsid}\n";
    let problems = check(&SHARED.replace(refused, ""), DIALECT, CHILD);
    assert!(problems.len() == 1 && problems[0].key == "messages.map", "{problems:?}");
    assert_eq!(problems[0].what, "has no example of bytes that a reader refuses");
    finds("hex: \"01 | 02 | 03\"", "hex: \"01 | 02 | 03 | 04\"", "has 4 segments where 3 are allowed");
    let filter =
        SHARED.replace("    info: \"{epoch}\"\n", "    display: {filter: msgr2.shape}\n    info: \"{epoch}\"\n");
    let filter = filter.replace("name: fsid,", "name: kind,");
    assert!(check(&filter, DIALECT, CHILD).iter().any(|p| p.what.contains("filter name `msgr2.shape.kind` already")));
}

#[test]
fn flags_may_share_bits_if_they_say_so() {
    let old = SHARED.replace("TWO: {bits: [1, 0],", "TWO: {bit: 0, with: ONE,");
    assert_eq!(check(&old, DIALECT, CHILD), []);
    let retired = SHARED.replace("TWO: {bits: [1, 0],", "TWO: {bit: 0, retired: jewel,");
    assert_eq!(check(&retired, DIALECT, CHILD), []);
}

#[test]
fn names_that_mean_nothing() {
    finds("type: counted<point>", "type: counted<pint>", "`pint` names no type");
    finds("type: counted<point>", "type: counted<", "is no type");
    let deep = format!("type: {}u8{}", "list<".repeat(99), ">".repeat(99));
    for wrong in [
        "list",
        "list<u8, u8>",
        "map<u8>",
        "array<u8, -1>",
        "bytes<u8>",
        "u8<u8>",
        "blob<u64>",
        "point<u8>",
        "tuple<u8>",
        "tuple<u8, 2>",
        "tuple<u8, u8, u8, u8, u8>",
        &deep[6..],
    ] {
        finds("type: bytes<2>, equals: \"0102\"", &format!("type: \"{wrong}\""), "is no type");
    }
    finds("holds: point, since", "holds: pint, since", "`pint` names no type");
    finds("usage: 1, holds: point}", "usage: 1, holds: kind}", "names no structure");
    finds("type: {switch: kind,", "type: {switch: kin,", "names no earlier field");
    finds("type: {switch: kind,", "type: {switch: count,", "derived when writing");
    finds("{switch: $method,", "{switch: $methode,", "no context variable `methode`");
    finds("some: point, 0xa", "so: point, 0xa", "no value of the enum");
    finds("some: point, 0xa", "some: pint, 0xa", "`pint` names no type");
    finds("some: point, 0xa", "some: point, 2", "covered by `some`");
    finds("some: point, 0xa", "some: point, 300", "is never 300");
    finds("some: point, 0xa", "other: point, 0xa", "what a union calls the cases that it lacks");
    finds("when: kind == 1", "when: body == 1", "doesn't come before it");
    finds("when: kind == 1", "when: colour == 1", "names no earlier field");
    finds("when: kind == 1", "when: secret == 1", "inside a blob");
    finds("when: kind == 1", "when: kind.x == 1", "has no fields");
    finds("when: kind == 1", "when: kind == 1000", "is never 1000");
    finds("when: kind == 1", "when: kind = 1", "is no condition");
    finds("when: kind == 1", "when: kind == several", "no value of the enum");
    finds("when: kind == 1", "when: kind == 1 and", "is no condition");
    finds("when: kind == 1", "when: kind == 1 or kind > 300", "is never 300");
    finds("when: kind == 1", "when: kind == 1 and body == 2", "doesn't come before it");
    finds("{kind} {points}", "{kind:x} {points:y}", "brace");
    finds("{kind} {points}", "{kind:+} {points}", "can't be shown in this form");
    finds("{kind} {points}", "{kind} {}", "is for the text of a field that is there for each item");
    finds("{kind} {points}", "{kind} {?points: {pints}}", "names no field");
    finds("some: point, 0xa", "some: {of: [sum], type: point}, 0xa", "no value of the enum");
    finds("some: point, 0xa", "some: {of: [], type: point}, 0xa", "is of no value");
    finds("some: point, 0xa", "others: {of: [many, some], type: point}, 2", "covered by `others`");
    finds("max: most", "max: least", "names no limit");
    finds("name: y, type: u32,", "name: y, type: u32, max: 3,", "max bounds nothing");
    finds("{x}, {y}", "{x}, {z}", "names no field");
    finds("{kind} {points}", "{kind} {secret}", "names something sealed");
    finds("{kind} {points}", "{kind} {count}", "no part of the value");
    finds("{kind} {points}", "{kind} {kind.x}", "looks for a field in a number");
    finds("info: \"{features}\"", "info: \"{features\"", "brace");
    finds("banner: {type: greeting,", "banner: {type: greetings,", "names no structure");
    finds("{block: head,", "{block: §hat,", "names no structure");
    finds("mode: crc, tag: hello", "mode: crcs, tag: hello", "names no mode");
    finds("mode: crc, tag: hello", "mode: crc, tag: hi", "names no tag");
    finds("context: {method: none}", "context: {methods: none}", "no context variable `methods`");
    finds("extends: v2.0", "extends: v1", "names no dialect");
}

#[test]
fn lengths_and_constants() {
    finds("length_of: name", "length_of: points", "measures nothing: `points` isn't sized");
    finds("length_of: name", "length_of: nobody", "names no later field");
    finds("length_of: name,", "length_of: name, since: 2,", "must always be there");
    finds("width, type: u16", "width, type: kind", "is a plain integer");
    finds("count_of: [points]", "count_of: [kind]", "names no later field");
    finds("name: name, type: sized,", "name: name, type: sized, since: 2,", "must always be there");
    finds("equals: \"0102\"", "equals: \"01\"", "the constant has 1 bytes, its type 2");
    finds("equals: \"0102\"", "equals: \"01xx\"", "no hex digit");
    finds("type: bytes<2>, equals: \"0102\"", "type: u8, equals: 256", "doesn't fit");
    finds("type: bytes<2>, equals: \"0102\"", "type: bool, equals: 1", "of an integer only");
    finds("type: bytes<2>, equals: \"0102\"", "type: u16, equals: \"0102\"", "of bytes<n> only");
    finds("type: bytes<2>, equals: \"0102\"", "type: bytes<0>", "1 to 65536 bytes");
    finds("name: y, type: u32,", "name: y, type: u32, holds: kind,", "only a blob");
    finds("holds: point, since", "holds: point, sealed: {key: a, usage: 1, holds: point}, since", "not both");
    finds("name: y, type: u32,", "name: y, type: u32, secret: true,", "only bytes and texts can be secret");
    finds("holds: point, since", "holds: point, secret: true, since", "only bytes and texts can be secret");
    finds("name: fsid, type: uuid,", "name: fsid, type: list<empty>,", "their number needs a max");
    finds("name: fsid, type: uuid,", "name: fsid, type: list<rest>,", "no other can follow");
    finds("name: fsid, type: uuid,", "name: fsid, type: list<sized>,", "must be all of a field");
    finds("name: y, type: u32,", "name: y, type: string, display: {base: hex},", "are for numbers");
    finds("name: y, type: u32,", "name: y, type: u16, display: {as: packet},", "is for a u32");
    finds("name: y, type: u32,", "name: y, type: u32, display: {as: hex},", "except `packet`");
    finds("display: {base: hex}", "display: {filter: MSGR2}", "a filter name is");
}

#[test]
fn a_field_that_nothing_measures() {
    let text = SHARED.replace("length_of: name, ", "");
    let problems = check(&text, DIALECT, CHILD);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!((problems[0].key.as_str(), problems[0].path.as_str()), ("types.shape.name", "types/all.yaml"));
    assert!(problems[0].what.contains("nothing before it says how long it is"), "{problems:?}");
}

#[test]
fn order_of_fields() {
    finds("name: fsid, type: uuid,", "name: fsid, type: rest,", "takes all bytes that are left, but `epoch` follows");
    finds("secret, type: blob,", "secret, type: rest,", "takes all bytes");
    finds("when: kind == 1", "when: more", "needs no more");
    finds("name: x, type: u32,", "name: x, type: {switch: $method, none: u8},", "takes all bytes");
    finds(
        "- {name: shape, type: shape, doc: \"A.\"}",
        "- {name: shape, type: shape, doc: \"A.\"}\n      - {§name: answer, type: greedy, doc: \"A.\"}",
        "names no type",
    );
}

#[test]
fn an_open_structure_ends_what_it_stands_in() {
    let text = SHARED.replace("    summary: \"{x}, {y}\"", "    summary: \"{x}, {y}\"\n    open: true");
    let problems = check(&text, DIALECT, CHILD);
    assert!(problems.iter().any(|p| p.key == "types.shape.points" && p.what.contains("no other can follow")));
}

#[test]
fn versions() {
    finds("{version: 4, compat: 1}", "{version: 4, compat: 5}", "is older than the oldest reader's");
    finds("{head: 2, compat: 1}", "{head: 1, compat: 2}", "is older than the oldest reader's");
    finds("until: 3, doc: \"A.\"}\n", "until: 2, doc: \"A.\"}\n§", "versions 3 to 3 have neither it nor `inner`");
    finds("since: 2, until: 3", "since: 3, until: 2", "there never");
    finds("since: 2, until: 3", "since: 2, until: 5", "beyond the newest version, 4");
    finds("since: 2, until: 3", "since: 0, until: 3", "count from 1");
    finds("more, type: u8, since: 4", "more, type: u8, since: 9", "since 9 is beyond");
    finds("name: x, type: u32,", "name: x, type: u32, since: 2,", "need a version");
    finds("name: epoch, type: u32, since: 2,", "name: epoch, type: u32, since: 3,", "beyond the newest version, 2");
    finds("name: more, type: u8, since: 4,", "name: more, type: u8, since: 1,", "stands behind a field of version 2");
}

#[test]
fn recursion() {
    let text = SHARED.replace("name: y, type: u32,", "name: y, type: list<shape>,");
    let problems = check(&text, DIALECT, CHILD);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].what.contains("contains itself: point > shape > point"), "{problems:?}");
    let secret = SHARED.replace("name: name, type: sized,", "name: name, type: sized, secret: true,");
    assert_eq!(check(&secret, DIALECT, CHILD), []);
    let problems = check(&secret.replace("{kind} {points}", "{kind} {name}"), DIALECT, CHILD);
    assert!(problems.len() == 1 && problems[0].what.contains("names a secret"), "{problems:?}");
    let sealed = SHARED.replace("usage: 1, holds: point}", "usage: 1, holds: shape}");
    assert_eq!(check(&sealed, DIALECT, CHILD), [], "what is sealed is read by nobody who has no key");
}

#[test]
fn states() {
    finds("    greeted:\n      doc: A.", "    greeted:\n      §start: true\n      doc: A.", "starts in another state");
    finds("      doc: A.\n      start: true", "      §doc: A.", "no state of the server says");
    finds("    over:\n      doc: A.\n      end: true", "    over:\n      §doc: A.", "no way leads out");
    finds(
        "    over:\n      doc: A.",
        "    apart:\n      §doc: A.\n      end: true\n    over:\n      doc: A.",
        "no way leads to it",
    );
    finds("bad: {doc: \"A.\"}", "bad: {doc: \"A.\"}\n  §worse: {doc: \"A.\"}", "no move names it");
}

#[test]
fn words_about_states() {
    let cases = [
        ("news: {to: over}", "news: {to: nowhere}", "`nowhere` names no state of the client"),
        ("when: good", "when: fine", "`fine` names no guard"),
        ("when: good", "when: bad", "two moves have the same guard"),
        ("when: good, ", "", "leaves nothing to those behind it"),
        ("do: [note]", "do: [shout]", "`shout` names no action"),
        ("sends: [answer, news]", "sends: [news]", "the server never sends it"),
        ("        news: {to: over}\n", "", "no state of the client accepts it"),
        ("sends: [hello]}\n    greeted", "sends: [answer]}\n    greeted", "`answer` is not for the client to send"),
        (
            "        hello: {to: ready}\n",
            "        hello: {to: ready}\n        news: {to: ready}\n",
            "not for the server to receive",
        ),
        (
            "        banner: {to: ready, sends: [hello]}",
            "        hello: {to: ready, sends: [hello]}",
            "awaits the banner",
        ),
        ("      end: true\n", "      end: true\n      sends: [hello]\n", "is an end, but something is sent"),
    ];
    for (old, new, what) in cases {
        assert_eq!(DIALECT.matches(old).count(), 1, "{old}");
        let problems = check(SHARED, &DIALECT.replace(old, new), CHILD);
        assert!(problems.iter().any(|p| p.what.contains(what)), "{what}: {problems:#?}");
        assert!(problems.iter().all(|p| p.path == "dialects/v2.0/all.yaml"), "{problems:#?}");
    }
}

/// Problems of the sound spec with one text of the dialect replaced.
#[track_caller]
fn with(old: &str, new: &str) -> Vec<Problem> {
    assert_eq!(DIALECT.matches(old).count(), 1, "{old}");
    check(SHARED, &DIALECT.replace(old, new), CHILD)
}

#[track_caller]
fn says(problems: &[Problem], key: &str, what: &str) {
    let found = problems.iter().any(|p| p.key == key && p.what.contains(what));
    assert!(found, "wanted {key}: {what}\ngot {problems:#?}");
}

#[test]
fn acts() {
    let acts = "      end: true\n  server:";
    let act = |act: &str| with(acts, &format!("    more:\n      doc: A.\n      acts:\n        {act}\n  server:"));
    // what is only sent by an act is sent, and what only an act leads to is reached
    let sent = DIALECT.replace("sends: [answer, news]", "sends: [answer]").replace(
        "        hello: {to: ready}\n",
        "        hello: {to: ready}\n      acts:\n        news: {to: last, when: good, do: [note]}\n    last:\n      \
         doc: A.\n      acts:\n        hello: {to: ready}\n",
    );
    assert_eq!(check(SHARED, &sent, CHILD), []);
    says(
        &act_of_greeted("news: {to: over}"),
        "states.client.greeted.acts.news",
        "`news` is not for the client to send",
    );
    says(&act_of_greeted("niws: {to: over}"), "states.client.greeted.acts.niws", "`niws` names no tag");
    says(
        &act_of_greeted("hello: {to: away}"),
        "states.client.greeted.acts.hello",
        "`away` names no state of the client",
    );
    says(&act_of_greeted("hello: {to: over, when: fine}"), "states.client.greeted.acts.hello", "`fine` names no guard");
    says(
        &act_of_greeted("hello: {to: over, do: [shout]}"),
        "states.client.greeted.acts.hello",
        "`shout` names no action",
    );
    says(
        &act_of_greeted("hello: [{to: over}, {to: greeted}]"),
        "states.client.greeted.acts.hello",
        "leaves nothing to those behind it",
    );
    says(
        &act_of_greeted("hello: {to: over}\n      sends: [hello]"),
        "states.client.greeted",
        "stands in sends and in acts",
    );
    says(&act("hello: {to: more}"), "states.client.over", "no way leads out of it");
    says(&act("hello: {to: more}"), "states.client.more", "no way leads to it");
    let end = with("      end: true\n", "      end: true\n      acts:\n        hello: {to: over}\n");
    says(&end, "states.client.over", "is an end, but ways lead out of it");
}

#[track_caller]
fn act_of_greeted(act: &str) -> Vec<Problem> {
    let greeted = "    greeted:\n      doc: A.\n";
    with(greeted, &format!("{greeted}      acts:\n        {act}\n"))
}

#[test]
fn states_like_others() {
    let over = "    over:\n      doc: A.\n      end: true\n";
    let like = |name: &str| format!("    apart:\n      doc: A.\n      like: {name}\n{over}");
    let reached = |like: String| {
        check(SHARED, &DIALECT.replace("news: {to: over}", "news: {to: apart}").replace(over, &like), CHILD)
    };
    // a way leads out of it, to where one leads out of the other
    assert_eq!(reached(like("greeted")), []);
    says(&reached(like("ready")), "states.client.apart.like", "names no state of the role");
    says(&reached(like("apart")), "states.client.apart.like", "comes back to this");
    let circle = like("greeted").replace("apart:\n      doc: A.", "apart:\n      doc: A.\n      sends: [hello]");
    let circle = DIALECT.replace(over, &circle).replace("greeted:\n", "greeted:\n      like: apart\n");
    let problems = check(SHARED, &circle, CHILD);
    assert_eq!(problems.iter().filter(|p| p.what.contains("comes back to this")).count(), 2, "{problems:#?}");
    assert!(problems.iter().all(|p| p.line > 0 && p.path == "dialects/v2.0/all.yaml"), "{problems:#?}");
}

#[test]
fn tags_of_the_envelope() {
    let seal = "  seal:\n    number: 7\n    from: both\n    doc: A.\n    release: unreleased\n    source: Ceph\n    envelope: \
                true\n    examples:\n      - {doc: a, hex: \"\", value: {}}\nstates:\n";
    let sealed = DIALECT.replace("states:\n", seal);
    assert_eq!(check(SHARED, &sealed, CHILD), []);
    let problems = check(SHARED, &sealed.replace("    envelope: true\n", ""), CHILD);
    says(&problems, "tags.seal", "no state of the server accepts it");
    says(&problems, "tags.seal", "the client never sends it");
    let awaited =
        sealed.replace("        hello: {to: ready}\n", "        hello: {to: ready}\n        seal: {to: ready}\n");
    says(&check(SHARED, &awaited, CHILD), "tags.seal", "belongs to the envelope, but a state awaits it");
    // its payload can be a part of every frame, without a CRC
    let part = |block: &str| {
        sealed.replace(
            "  examples:\n    - {doc: a, mode",
            &format!("      - {{block: {block}, covers: all, doc: \"A.\"}}\n  examples:\n    - {{doc: a, mode"),
        )
    };
    assert_eq!(check(SHARED, &part("seal"), CHILD), []);
    says(&check(SHARED, &part("hello"), CHILD), "envelope.modes.crc.3", "no tag of the envelope");
}

#[test]
fn frames_of_one_segment() {
    let news = "    segments:\n      - {name: front, type: point, doc: \"A.\"}\n      - {name: data, type: rest, doc: \"A.\"}\n";
    let one = DIALECT.replace("      - {segments: \"1..\", doc: \"A.\"}\n", "").replace("01 | 02", "01");
    assert_eq!(check(SHARED, &one.replace(news, ""), CHILD), []);
    let several = check(SHARED, &one, CHILD);
    assert!(several.iter().any(|p| p.what.contains("no part holds the last segments")), "{several:#?}");
}

#[test]
fn texts() {
    let text = "text: \"a {x} {y}\\n\"";
    let words = |new: &str, more: &str| {
        let old = "    summary: \"{x}, {y}\"\n";
        let shared = SHARED.replacen(old, &format!("{old}    {new}\n{more}"), 1);
        check(&shared, DIALECT, CHILD)
    };
    assert_eq!(words(text, "    max: 20\n"), []);
    says(&words(text, "    max: 5\n"), "types.point", "the text has at least 6 bytes, not 5");
    says(&words("max: 5", ""), "types.point", "max is for a structure that is text");
    for wrong in ["a {x}\\n", "a {y} {x}\\n", "{x} {y} {x}\\n", "{x} {z}\\n", "{x} {y.z}\\n", "a\\n"] {
        let problems = words(&format!("text: \"{wrong}\""), "");
        says(&problems, "types.point", "names all its fields, each once, in their order");
    }
    says(&words("text: \"{x}{y}\\n\"", ""), "types.point", "nothing stands between two numbers");
    says(&words("text: \"{x} and {y}\"", ""), "types.point", "a number is last");
    says(&words("text: \"{x}and {y}\\n\"", ""), "types.point", "what follows `{x}` begins with a hex digit");
    assert_eq!(words("text: \"{x}nor {y}\\n\"", ""), []);
    says(&words("text: \"{x {y}\\n\"", ""), "types.point", "brace");
    says(&words(text, "    open: true\n"), "types.point", "a text has no version");
    says(&words(text, "    versioned: {version: 1}\n"), "types.point", "a text has no version");
    let field = |new: &str| {
        let shared = SHARED.replace("    summary: \"{x}, {y}\"\n", &format!("    summary: \"{{x}}\"\n    {text}\n"));
        check(&shared.replace("name: y, type: u32,", new), DIALECT, CHILD)
    };
    assert_eq!(field("name: y, type: bits,"), []);
    for wrong in ["s8", "u16be", "string", "kind", "list<u8>"] {
        says(&field(&format!("name: y, type: {wrong},")), "types.point.y", "is a little-endian unsigned integer");
    }
    says(&field("name: y, type: u32, when: x == 1,"), "types.point.y", "and nothing else");
    says(&field("name: y, type: u32, equals: 3,"), "types.point.y", "and nothing else");
    says(
        &words(text, "    refused:\n      - {doc: a, hex: \"01\", error: not_words, at: x}\n"),
        "types.point.refused",
        "is no error",
    );
    assert_eq!(words(text, "    refused:\n      - {doc: a, hex: \"01\", error: not_text, at: x}\n"), []);
}

#[test]
fn exchanges() {
    let exchange = |flight: &str| {
        format!(
            "{DIALECT}exchanges:\n  talk:\n    doc: A.\n    source: Ceph\n    secrets: {{key: 01}}\n    flights:\n      - {flight}\n"
        )
    };
    let sound = "{from: server, doc: A., hex: \"01\", frames: [{tag: banner, value: {}}, {tag: answer, signed: true, context: {method: none}, value: {}}]}";
    assert_eq!(check(SHARED, &exchange(sound), CHILD), []);
    let wrong = |old: &str, new: &str, key: &str, what: &str| {
        assert_eq!(sound.matches(old).count(), 1, "{old}");
        let key = format!("exchanges.talk.flights.0{key}");
        let problems = check(SHARED, &exchange(&sound.replace(old, new)), CHILD);
        says(&problems, &key, what);
        assert!(problems.iter().all(|p| p.line > 0 && p.path == "dialects/v2.0/all.yaml"), "{problems:#?}");
    };
    wrong("hex: \"01\"", "hex: \"0\"", "", "odd number of hex digits");
    wrong("hex: \"01\"", "hex: \"01|02\"", "", "a flight is all its bytes");
    wrong("hex: \"01\"", "hex: \"\"", "", "has no bytes");
    wrong("doc: A.,", "doc: a.,", "", "capital letter");
    wrong("from: server", "from: client", ".frames.1", "`answer` is not for the client to send");
    wrong("tag: answer", "tag: anser", ".frames.1", "`anser` names no tag");
    wrong("tag: answer", "tag: banner", ".frames.1", "a banner comes before all frames");
    wrong("{method: none}", "{methods: none}", ".frames.1", "no context variable `methods`");
    let source = exchange(sound).replace("    source: Ceph\n    secrets", "    source: \"\"\n    secrets");
    says(&check(SHARED, &source, CHILD), "exchanges.talk", "has no source");
    let shared = format!("{SHARED}exchanges: {{talk: {{doc: A., source: Ceph, flights: []}}}}\n");
    let problems = check(&shared, DIALECT, CHILD);
    assert!(problems.iter().any(|p| p.what.contains("belong into the folder of a dialect")), "{problems:#?}");
}

#[test]
fn dialects() {
    finds("{segments: \"0\", doc", "{segments: \"1\", doc", "don't follow those before");
    finds("{block: head,", "{block: head, segments: \"0\",", "is either a block, segments or a seal");
    finds("covers: all of it, seed", "seed", "its CRC covers nothing");
    finds("dialect: {name: v2.1,", "dialect: {name: v2.2,", "stands in a folder called `v2.1`");
    finds("banner: {type: greeting, info: \"{features}\"}\n", "", "has no banner");
    let missing = check(SHARED, &DIALECT.replace("      - {segments: \"1..\", doc: \"A.\"}\n", ""), CHILD);
    assert!(missing.iter().any(|p| p.what.contains("no part holds the last segments")), "{missing:?}");
    let folder = check(SHARED, DIALECT, &CHILD.replace("name: v2.1", "name: v2.2"));
    assert!(folder.iter().any(|p| p.what.contains("stands in a folder called `v2.1`")), "{folder:?}");
    let twice = check(SHARED, DIALECT, &CHILD.replace("name: v2.1, extends: v2.0", "name: v2.0"));
    assert!(twice.iter().any(|p| p.what.contains("another folder has a dialect of this name")), "{twice:?}");
    finds(
        "  head:\n    doc: A.\n    fields:\n      - {name: tag, type: tag, doc: \"A.\"}\n      - {name: crc",
        "  greeting:\n    §doc: A.\n    fields:\n      - {name: tag, type: tag, doc: \"A.\"}\n      - {name: crc",
        "overrides what the inherited banner uses",
    );
    finds(
        "  head:\n    doc: A.\n    fields:\n      - {name: tag, type: tag, doc: \"A.\"}\n      - {name: crc",
        "  shape:\n    §doc: A.\n    fields:\n      - {name: tag, type: tag, doc: \"A.\"}\n      - {name: crc",
        "overrides what tags.hello uses",
    );
}

#[test]
fn docs() {
    finds("covers: all of it, seed: 0, doc: \"A.\"", "covers: all of it, seed: 0, doc: \"\"", "has no doc");
    finds(
        "      LOG: {number: 5, release: \"16.2.0\", doc: \"A.\"}",
        "      LOG: {number: 5, release: \"16.2.0\", doc: \"\"}",
        "has no doc",
    );
    finds("name: fsid, type: uuid, doc: \"A.\"", "name: fsid, type: uuid, doc: \"a.\"", "capital letter");
    finds("name: fsid, type: uuid, doc: \"A.\"", "name: fsid, type: uuid, doc: \"A\"", "no full stop");
    finds("name: fsid, type: uuid, doc: \"A.\"", "name: fsid, type: uuid, doc: \"A. B.\"", "more than one sentence");
    finds("release: \"16.2.0\"", "release: octopus", "no release such as");
    assert_eq!(check(&SHARED.replace("release: \"16.2.0\"", "release: unreleased"), DIALECT, CHILD), []);
    finds("release: \"16.2.0\"", "release: \"14.2.0\"", "no later than that of what it stands in");
    let ceph = |name: &str| SHARED.replace("  map:\n", &format!("  map:\n    ceph: \"{name}\"\n"));
    assert_eq!(check(&ceph("MMonMap"), DIALECT, CHILD), []);
    for wrong in ["", "the map", "mon::", "2fast", "Map<T>"] {
        says(&check(&ceph(wrong), DIALECT, CHILD), "messages.map", "no name of a class or structure");
    }
    finds("  good: {doc: \"A.\"}", "  good: {doc: \"\"}", "has no doc");
    finds(
        "lost: {severity: note, group: undecoded, summary: Lost, doc: \"A.\"}",
        "lost: {severity: note, group: undecoded, summary: Lost, doc: \"\"}",
        "has no doc",
    );
    let text = SHARED.replacen("  point:\n    doc: A.\n    release: \"14.2.0\"\n", "  point:\n    doc: A.\n", 1);
    let problems = check(&text, DIALECT, CHILD);
    assert!(problems.iter().any(|p| p.key == "types.point" && p.what == "has no release"), "{problems:?}");
}

#[test]
fn aliases() {
    let aliases = |aliases: &str, ty: &str| {
        let shared = SHARED.replace("name: size, type: u16,", &format!("name: size, type: \"{ty}\","));
        check(&shared.replace("context:\n", &format!("aliases:\n{aliases}context:\n")), DIALECT, CHILD)
    };
    let sound = "  count: {type: u16, doc: A.}\n  many: {type: \"map<count, T>\", parameters: [T], doc: A.}\n  \
                 some: {type: \"array<T, N>\", parameters: [T, N], doc: A.}\n";
    for ty in ["count", "many<point>", "list<some<many<count>, 3>>", "optional<count>"] {
        assert_eq!(aliases(sound, ty), [], "{ty}");
    }
    for (ty, what) in [
        ("many", "`many`: many takes 1 types"),
        ("count<u8>", "`count<u8>`: count takes 0 types"),
        ("some<3, u8>", "no type"),
        ("some<u8, u8>", "no type"),
        ("many<pint>", "`pint` names no type"),
        ("list<counts>", "`counts` names no type"),
    ] {
        says(&aliases(sound, ty), "messages.map.size", what);
    }
    // an alias decides, measures and is shown as what it stands for
    let decides = SHARED.replace("front:\n", "front:\n      - {name: code, type: code, doc: A.}\n");
    let decides =
        decides.replace("{switch: epoch, 1:", "{switch: code, some:").replace("\"{epoch}\"", "\"{code} {epoch}\"");
    let with = |alias: &str| {
        decides.replace("context:\n", &format!("aliases: {{code: {{type: {alias}, doc: A.}}}}\ncontext:\n"))
    };
    assert_eq!(check(&with("kind"), DIALECT, CHILD), []);
    says(&check(&with("u8"), DIALECT, CHILD), "messages.map.body", "what decides is no enum");
    says(&check(&with("list<empty>"), DIALECT, CHILD), "messages.map", "has no text");
    // names that come back to themselves, and names that are taken
    let circle = "  a: {type: list<b>, doc: A.}\n  b: {type: optional<a>, doc: A.}\n";
    says(&aliases(circle, "u16"), "aliases.a", "stands for itself");
    says(&aliases(circle, "b"), "messages.map.size", "stands for itself");
    says(
        &aliases("  itself: {type: \"map<itself, itself>\", doc: A.}\n", "u16"),
        "aliases.itself",
        "stands for itself",
    );
    let doubled = "  twice: {type: \"map<T, T>\", parameters: [T], doc: A.}\n";
    let most = (0..15).fold("u16".to_owned(), |ty, _| format!("twice<{ty}>"));
    says(&aliases(doubled, &most), "messages.map.size", "or for too much");
    for (name, key, what) in [
        ("point", "types.point", "aliases.point has this name already"),
        ("list", "aliases.list", "`list` means something already"),
        ("kind", "aliases.kind", "enums.kind has this name already"),
        ("Large", "aliases.Large", "not in snake_case"),
    ] {
        says(&aliases(&format!("  {name}: {{type: u16, doc: A.}}\n"), "u16"), key, what);
    }
    says(&aliases("  count: {type: u16, doc: a.}\n", "u16"), "aliases.count", "capital letter");
    says(&aliases("  count: {type: \"list<\", doc: A.}\n", "u16"), "aliases.count", "is no type");
}

#[test]
fn defaults_of_a_file() {
    let source = "    release: \"14.2.0\"\n    source: Ceph\n";
    let without = SHARED.replace(source, "");
    assert!(without.len() + 5 * source.len() < SHARED.len());
    let nothing = check(&without, DIALECT, CHILD);
    for key in ["enums.kind", "flags.bits", "types.point", "messages.map"] {
        says(&nothing, key, "has no release");
        says(&nothing, key, "has no source");
    }
    let defaults = |words: &str| check(&format!("defaults: {words}\n{without}"), DIALECT, CHILD);
    assert_eq!(defaults("{release: \"14.2.0\", source: Ceph}"), []);
    says(&defaults("{release: \"14.2.0\"}"), "types.point", "has no source");
    // what an item says itself counts, and only in its own file
    says(&defaults("{release: \"17.2.0\", source: Ceph}"), "enums.message_type.LOG", "no later than that of what it");
    let own = without.replace("  point:\n", "  point:\n    release: squid\n");
    says(
        &check(&format!("defaults: {{release: \"14.2.0\", source: Ceph}}\n{own}"), DIALECT, CHILD),
        "types.point",
        "`squid` is no",
    );
    let tag =
        DIALECT.replace("    doc: A.\n    release: \"14.2.0\"\n    source: Ceph\n    info", "    doc: A.\n    info");
    says(
        &check(&format!("defaults: {{release: \"14.2.0\", source: Ceph}}\n{without}"), &tag, CHILD),
        "tags.hello",
        "has no release",
    );
    assert_eq!(check(SHARED, &format!("defaults: {{release: \"14.2.0\", source: Ceph}}\n{tag}"), CHILD), []);
}

#[test]
fn names() {
    finds("  point:\n    doc", "  kind:\n    §doc", "enums.kind has this name already");
    finds("  point:\n    doc", "  option:\n    §doc", "`option` means something already");
    finds("  point:\n    doc", "  list:\n    §doc", "`list` means something already");
    let tag = DIALECT
        .replace("  news:\n", "  head:\n")
        .replace("answer, news", "answer, head")
        .replace("news: {to", "head: {to");
    assert!(check(SHARED, &tag, CHILD).iter().any(|p| p.what.contains("has this name already")));
    finds("name: fsid,", "name: fsId,", "not in snake_case");
    finds("name: fsid,", "name: cx,", "needs the name `cx` for itself");
    finds("name: magic,", "name: struct_v,", "by its header or end");
    finds("name: y,", "name: x,", "another field is called `x`");
    finds("many: {number", "Many: {number", "neither in snake_case");
    finds("many: {number", "SOME: {number", "is the same as `some`");
    let clash = SHARED.replace("  point:\n", "  m_map:\n").replace("point", "m_map");
    let problems = check(&clash, &DIALECT.replace("point", "m_map"), CHILD);
    assert!(problems.iter().any(|p| p.key == "messages.map" && p.what.contains("types.m_map has this name already")));
    let union = SHARED.replace("  point:\n", "  shape_body:\n").replace("point", "shape_body");
    assert!(
        check(&union, DIALECT.replace("point", "shape_body").as_str(), CHILD)
            .iter()
            .any(|p| p.what.contains("has this name already, as Rust sees it"))
    );
}

#[test]
fn examples() {
    let envelope = "  examples:\n    - {doc: a, mode: crc, tag: hello, hex: \"01\", value: {}}\n";
    assert!(check(SHARED, &DIALECT.replace(envelope, ""), CHILD).iter().any(|p| p.what == "has no example"));
    finds("hex: \"01\", context", "hex: \"0\", context", "odd number of hex digits");
    finds("hex: \"01\", context", "hex: \"01|02\", context", "has 2 segments where 1 are allowed");
    finds("hex: \"01 | 02\"", "hex: \"01|02|03\"", "has 3 segments where 2 are allowed");
    finds("error: incomplete", "error: wrong", "`wrong` is no error");
    let text = DIALECT.replace("    examples:\n      - {doc: a, hex: \"01 | 02\", value: {}}\n", "");
    let problems = check(SHARED, &text, CHILD);
    assert_eq!(
        problems.iter().map(|p| (p.key.as_str(), p.what.as_str())).collect::<Vec<_>>(),
        [("tags.news", "has no example")]
    );
}

#[test]
fn filters() {
    let text = SHARED.replace("name: y, type: u32,", "name: y, type: u32, display: {filter: msgr2.shape.kind},");
    let problems = check(&text, DIALECT, CHILD);
    assert!(problems.iter().any(|p| p.what.contains("filter name `msgr2.shape.kind` already")), "{problems:?}");
    let flag = SHARED.replace("name: y, type: u32,", "name: y, type: u32, display: {filter: msgr2.bits.one},");
    let problems = check(&flag, DIALECT, CHILD);
    assert!(problems.iter().any(|p| p.key == "flags.bits.ONE" && p.what.contains("already")), "{problems:?}");
    // the tags of two dialects that have nothing to do with each other
    let tag =
        |text: &str| text.replace("{name: tag, type: tag,", "{name: tag, type: tag, display: {filter: msgr2.tag},");
    let other =
        DIALECT.split("guards:").next().unwrap().replace("name: v2.0,", "name: v2.1,").replace("greeting", "words");
    let rest =
        DIALECT.split("actions:").nth(1).unwrap().split_once("tags:").unwrap().1.replace("{shape.kind}", "{shape}");
    let rest = rest.replace("info: \"{shape}\"", "info: \"hello\"").replace("    number: 2", "    number: 8");
    let other = format!("{other}tags:{rest}");
    assert_eq!(check(SHARED, &tag(DIALECT), &tag(&other)), []);
    let size = tag(&other).replace("{name: tag, type: tag,", "{name: tag, type: kind,");
    let problems = check(SHARED, &tag(DIALECT), &size);
    assert!(problems.iter().any(|p| p.what.contains("filter name `msgr2.tag` already")), "{problems:#?}");
    let constant = SHARED.replace("{name: points,", "{name: names, type: list<u8>, doc: \"A.\"}\n      - {name: names_count, type: u8, doc: \"A.\"}\n      - {name: points,");
    let problems = check(&constant, DIALECT, CHILD);
    assert!(problems.iter().any(|p| p.what.contains("become one field in generated code")), "{problems:?}");
}

#[test]
fn fields_that_everybody_needs() {
    finds("  struct_len: {type: u32,", "  struct_len: {type: u16,", "must be u32");
    let problems = check(&SHARED.replace("  extra: {type: rest, doc: \"A.\"}\n", ""), DIALECT, CHILD);
    assert!(problems.iter().any(|p| p.key == "common.extra" && p.what.contains("is missing")), "{problems:?}");
}

#[test]
fn the_spec_itself_is_sound() {
    let ir = Spec::embedded().unwrap().resolve().unwrap();
    let problems: Vec<String> = lint::check(&ir).iter().map(Problem::to_string).collect();
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn what_has_its_length_from_elsewhere() {
    let message = |front: &str, data: &str| {
        let shared = SHARED.replace(
            "      - {name: body, type: {switch: epoch, 1: point}, doc: \"A.\"}\n",
            &format!("      - {{name: body, {data}, doc: \"A.\"}}\n"),
        );
        let list = format!("      - {{name: list, {front}, doc: \"A.\"}}\n");
        check(&shared.replacen("    front:\n", &format!("    front:\n{list}"), 1), DIALECT, CHILD)
    };
    let each = "type: sized, each: list, length: x, holds: point";
    assert_eq!(message("type: list<point>", each), []);
    let given = "type: sized, each: list, length: x, given: {method: kind}, text: \"{x}{}\", holds: {switch: $method, some: u8}";
    let with = |front: &str, old: &str, new: &str| {
        assert!(given.contains(old));
        message(front, &given.replace(old, new))
    };
    let key = "messages.map.body";
    says(&with("type: list<point>", "x", "x"), key, "given: `kind` names no earlier field");
    says(&with("type: list<shape>", "length: x", "length: kind.x"), key, "has no fields");
    says(&with("type: list<point>", "{method: kind}", "{method: x}"), key, "given: `x` is u32, and `method` kind");
    says(&with("type: list<point>", "{method: kind}", "{methods: x}"), key, "no context variable `methods`");
    says(&with("type: list<point>", "{x}{}", "{z}"), key, "names no field");
    says(&message("type: list<u8>", each), key, "names no earlier list of structures");
    says(&message("type: list<point>", &each.replace("each: list", "each: body")), key, "names no earlier list");
    says(&message("type: list<point>", &each.replace(", length: x", "")), key, "each takes length and holds");
    says(&message("type: list<point>", &each.replace(", holds: point", "")), key, "each takes length and holds");
    says(&message("type: list<point>", &each.replace("sized", "rest")), key, "length is for `sized` and `string`");
    says(&message("type: s8", "type: sized, length: list"), key, "length: `list` may be negative");
    assert_eq!(message("type: u8", "type: string, length: list"), []);
    says(&message("type: u8", "type: string, length: list, text: \"{}\""), key, "text is for a field");
    assert_eq!(message("type: u8", "type: rest<point>"), []);
    says(&message("type: u8", "type: rest<empty>"), key, "never come to the end");
    says(&message("type: u8", "type: bytes<4>, holds: point"), key, "`point` has no room in 4 bytes");
    assert_eq!(
        message("type: u8", "type: bytes<9>, holds: {switch: list, 1: rest, both: {of: [2, 3], type: \"rest<u8>\"}}"),
        []
    );
    says(&message("type: u8", "type: bytes<9>, holds: {switch: list, 1: point}"), key, "`point` leaves bytes of 9");
}
