//! The walker and the generated code read the same: every example, every refused one, faults in all of them, and every
//! frame of every capture.
#![allow(clippy::unwrap_used)]

mod agree;
mod common;
mod listen;
#[path = "common/structures.rs"]
mod with_examples;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use agree::{Dice, agree, mutations, segments};
use bytes::Bytes;
use common::{Scratch, capture, captures, file, keyring_of, msgr2, run, shared};
use listen::listen;
use msgr2::field::FIELDS;
use msgr2::frame::{self, Check, Dialect, secure};
use msgr2::messages::Body;
use msgr2::tracker::{Knowledge, Mode, Unit, UnitKind};
use msgr2::types::MessageType;
use msgr2::wire::{Composite, Error, ErrorKind, FieldInfo, MOST_DEPTH, Protocol, Reader, Recorder, Segments, Walker};
use msgr2::{Context, proposal, protocol, types, v2_0, v2_1};
use msgr2_spec::ir::{self, BodyId, BodyKind, Ir};
use msgr2_spec::{Spec, tables};

/// Recordings of whole clusters.
const RECORDINGS: [&str; 8] = [
    "nautilus-14.2.21-crc",
    "nautilus-14.2.21-msgr20-crc",
    "pacific-16.2.15-crc-fs",
    "pacific-16.2.15-crc",
    "pacific-16.2.15-mixed",
    "pacific-16.2.15-none",
    "pacific-16.2.15-secure",
    "reef-18.2.7-crc",
];

fn ir() -> Ir {
    Spec::embedded().and_then(|spec| spec.resolve()).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// A frame in both, by the name of its dialect.
fn frame(dialect: &str, tag: u8, segments: &Segments<'_>, context: &Context) -> Result<(), Error> {
    let what = (dialect, tag, segments);
    let numbers = context.numbers();
    let typed = |t: &mut Recorder| match dialect {
        "v2.0" => v2_0::Frame::decode(v2_0::Tag(tag), segments, context, t).map(drop),
        "v2.1" => v2_1::Frame::decode(v2_1::Tag(tag), segments, context, t).map(drop),
        "proposal" => proposal::Frame::decode(proposal::Tag(tag), segments, context, t).map(drop),
        other => panic!("nobody compares {other}"),
    };
    let tables = protocol().dialect(dialect).unwrap();
    agree(&what, typed, |t| Walker::new(protocol(), &numbers).frame(tables, tag, segments, t, |_| ()))
}

/// A body in both; none if the spec has none.
fn body(number: u16, version: u16, segments: &Segments<'_>, context: &Context) -> Option<Result<(), Error>> {
    let (kind, numbers) = (MessageType(number), context.numbers());
    Body::decode(kind, version, segments, context, &mut ())?.ok();
    let typed = |t: &mut Recorder| Body::decode(kind, version, segments, context, t).unwrap().map(drop);
    let walked =
        |t: &mut Recorder| Walker::new(protocol(), &numbers).message(number, version, segments, t, |_| ()).unwrap();
    Some(agree(&(kind, version, segments), typed, walked))
}

type Typed = fn(&mut Reader<'_>, &Context, &mut Recorder) -> Result<(), Error>;

/// A structure in both: the error, or where it ended.
fn structure(id: BodyId, typed: Typed, bytes: &[u8], context: &Context) -> Result<usize, Error> {
    let numbers = context.numbers();
    let (mut one, mut other) = (Reader::new(bytes), Reader::new(bytes));
    let typed = |t: &mut Recorder| typed(&mut one, context, t);
    let walked = |t: &mut Recorder| Walker::new(protocol(), &numbers).structure(&mut other, id.0, t);
    agree(&(id, bytes), typed, walked)?;
    assert_eq!(one.offset(), other.offset());
    one.end().map(|()| one.offset())
}

/// Structures that stand in no frame and no message, or have examples of their own.
fn structures() -> Vec<(&'static str, &'static str, Typed)> {
    macro_rules! list {
        ($($module:ident :: $ty:ident),* $(,)?) => {
            vec![$((stringify!($module), stringify!($ty), |r, cx, t| $module::$ty::decode(r, cx, t).map(drop))),*]
        };
    }
    with_examples!(list)
}

/// The body of a structure's name in Rust.
fn find(ir: &Ir, module: &str, name: &str) -> BodyId {
    let dialect = ir.dialects().find(|(_, dialect)| dialect.module() == module).map(|(id, _)| id);
    let same = |body: &ir::Body| body.name.replace('_', "") == name.to_lowercase();
    let found = ir.types(dialect).find(|(_, body)| same(body)).map(|(id, _)| id);
    found.unwrap_or_else(|| panic!("{module} has no {name}"))
}

/// Bytes of the spec's examples and refused examples: by segment, with what the reader is told.
fn examples(body: &ir::Body) -> impl Iterator<Item = (&Vec<Vec<u8>>, Context)> {
    let good = body.examples.iter().map(|example| (&example.segments, &example.context));
    let bad = body.refused.iter().map(|refused| (&refused.segments, &refused.context));
    good.chain(bad).map(|(parts, told)| (parts, serde_json::from_value(serde_json::to_value(told).unwrap()).unwrap()))
}

/// Both readers on an example and on faults in it; how many were accepted, and how many not.
fn check(seed: u64, parts: &[Vec<u8>], mut both: impl FnMut(&[Vec<u8>]) -> bool, counts: &mut [u64; 2]) {
    counts[usize::from(!both(parts))] += 1;
    let mut dice = Dice::new(seed);
    for _ in 0..mutations() {
        counts[usize::from(!both(&dice.mutate(parts)))] += 1;
    }
}

#[test]
fn the_tables_built_in_are_those_of_the_spec() {
    assert_eq!(protocol().tables, tables::tables(&ir()));
}

#[test]
fn names_at_run_time_are_the_names_built_in() {
    let (tables, names) = (tables::tables(&ir()), tables::names(&ir()));
    let alone = Protocol::at_run_time(tables.clone(), &names, &[], &Context::VARIABLES);
    let text = |info: &FieldInfo| format!("{info:?}");
    assert_eq!(alone.fields.iter().map(|f| text(f)).collect::<Vec<_>>(), FIELDS.iter().map(text).collect::<Vec<_>>());
    // what is the same is one and the same
    let beside = Protocol::at_run_time(tables, &names, &FIELDS, &Context::VARIABLES);
    assert!(beside.fields.iter().zip(&FIELDS).all(|(read, known)| *read == msgr2::wire::Field(known)));
}

#[test]
fn structures_in_themselves_are_followed_so_far() {
    // what no spec may say: a structure that is there if bytes are left, in itself
    let field = msgr2_tables::Field {
        node: msgr2_tables::Node { field: 0, ty: msgr2_tables::Type::Struct(0) },
        content: None,
        sealed: None,
        secret: false,
        constant: None,
        measured_by: None,
        each: None,
        length: None,
        given: Vec::new(),
        since: None,
        until: None,
        when: Some(msgr2_tables::Condition::More),
        max: u64::MAX,
        hex: false,
        place: None,
    };
    let part = msgr2_tables::Part { first: 0, end: 1, extra: None };
    let layout = msgr2_tables::Layout { fields: vec![field], parts: vec![part], ..Default::default() };
    let tables = msgr2_tables::Tables { layouts: vec![layout], ..Default::default() };
    let protocol = Protocol::new(tables, &FIELDS);
    let error = Walker::new(&protocol, &[]).structure(&mut Reader::new(&[1]), 0, &mut ()).unwrap_err();
    assert_eq!((error.kind, error.offset), (ErrorKind::TooDeep { limit: MOST_DEPTH }, 0));
    Walker::new(&protocol, &[]).structure(&mut Reader::new(&[]), 0, &mut ()).unwrap();
}

#[test]
fn examples_of_frames() {
    let (ir, mut counts) = (ir(), [0; 2]);
    for dialect in &ir.dialects {
        for id in dialect.tags.values() {
            let BodyKind::Frame { number, .. } = ir[*id].kind else { panic!() };
            for (seed, (parts, context)) in examples(&ir[*id]).enumerate() {
                let both = |parts: &[Vec<u8>]| frame(&dialect.info.name, number, &segments(parts), &context).is_ok();
                check(seed as u64 + 1, parts, both, &mut counts);
            }
            // in a state in which nobody told anything
            for (parts, _) in examples(&ir[*id]) {
                let _ = frame(&dialect.info.name, number, &segments(parts), &Context::default());
            }
        }
        let _ = frame(&dialect.info.name, 0xfe, &segments(&[vec![1], vec![], vec![2]]), &Context::default());
    }
    println!("frames: {counts:?} read and refused");
    assert!(counts.iter().all(|count| *count > 5_000), "{counts:?}");
}

#[test]
fn examples_of_messages() {
    let (ir, mut counts) = (ir(), [0; 2]);
    for (_, message) in ir.messages() {
        let BodyKind::Message { number, versions, .. } = &message.kind else { panic!() };
        for (seed, (parts, context)) in examples(message).enumerate() {
            // the header comes first
            let parts: Vec<Vec<u8>> = std::iter::once(Vec::new()).chain(parts.iter().cloned()).collect();
            let told = context.message_version.unwrap_or(versions.head);
            // older and newer senders, too
            for version in told.saturating_sub(1)..=told + 1 {
                let both = |parts: &[Vec<u8>]| body(*number, version, &segments(parts), &context).unwrap().is_ok();
                check(seed as u64 + 1, &parts, both, &mut counts);
            }
        }
    }
    println!("messages: {counts:?} read and refused");
    assert!(counts.iter().all(|count| *count > 1_000), "{counts:?}");
}

#[test]
fn examples_of_structures() {
    let (ir, mut counts) = (ir(), [0; 2]);
    for (module, name, typed) in structures() {
        let id = find(&ir, module, name);
        for (seed, (parts, context)) in examples(&ir[id]).enumerate() {
            let both = |parts: &[Vec<u8>]| structure(id, typed, &parts.concat(), &context).is_ok();
            check(seed as u64 + 1, parts, both, &mut counts);
        }
    }
    println!("structures: {counts:?} read and refused");
    assert!(counts.iter().all(|count| *count > 1_000), "{counts:?}");
}

#[test]
fn a_spec_is_read_at_run_time() {
    let folder = Scratch::new();
    let mut files = Vec::new();
    copy(&file("spec"), &folder.file("spec"), &mut files);
    let mon = folder.file("spec/messages/mon.yaml");
    let text = fs::read_to_string(&mon).unwrap();
    // one field is called otherwise, and of another less is known
    let text = text.replace("name: what,", "name: wanted,").replace("{what}", "I want {wanted}");
    let text = text.replace("{name: hostname, type: string", "{name: host, type: blob");
    fs::write(&mon, text).unwrap();
    let decode = |spec: Option<&Path>| {
        let mut command = msgr2();
        command.arg("decode").arg(capture("none-mon.pcap"));
        if let Some(spec) = spec {
            command.arg("--spec").arg(spec);
        }
        let line = run(&mut command);
        let json = run(command.arg("--json"))
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect::<Vec<serde_json::Value>>();
        (line, json)
    };
    let ((lines, frames), (told, read)) = (decode(None), decode(Some(&folder.file("spec"))));
    assert_eq!((lines.lines().count(), frames.len()), (told.lines().count(), read.len()));
    assert!(told.contains("I want {config=0") && !lines.contains("I want"), "{told}");
    let mut seen = 0;
    for (mut frame, read) in frames.into_iter().zip(read) {
        if let Some(serde_json::Value::Object(body)) = frame["fields"].get_mut("mon_subscribe") {
            let (what, hostname) = (body.remove("what").unwrap(), body.remove("hostname").unwrap());
            let host: String = hostname.as_str().unwrap().bytes().map(|byte| format!("{byte:02x}")).collect();
            body.insert("wanted".into(), what);
            body.insert("host".into(), host.into());
            seen += 1;
        }
        // all else is as it was
        assert_eq!(frame, read);
    }
    assert!(seen > 0);
    // what is wrong is told with its place, and nothing is shown
    fs::write(folder.file("spec/messages/more.yaml"), "messages:\n  mon_get_map:\n    doc: [\n").unwrap();
    let failed =
        msgr2().arg("decode").arg("--spec").arg(folder.file("spec")).arg(capture("none-mon.pcap")).output().unwrap();
    let said = String::from_utf8(failed.stderr).unwrap();
    assert!(!failed.status.success() && failed.stdout.is_empty() && said.contains("messages/more.yaml:"), "{said}");
    fs::remove_file(folder.file("spec/messages/more.yaml")).unwrap();
    for path in files.iter().rev() {
        if path.is_dir() { fs::remove_dir(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }
}

/// Copies a folder's YAML files.
fn copy(from: &Path, to: &Path, made: &mut Vec<PathBuf>) {
    fs::create_dir(to).unwrap();
    made.push(to.to_owned());
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target, made);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            fs::copy(&path, &target).unwrap();
            made.push(target);
        }
    }
}

/// The segments of a frame, and how its dialect is called.
fn segments_of<'a>(unit: &Unit, bytes: &'a [u8]) -> Option<Segments<'a>> {
    let revision = unit.dialect.and_then(Dialect::revision);
    match unit.kind {
        UnitKind::Frame(head) if head.compressed() => None,
        UnitKind::Frame(head) if unit.mode == Mode::Secure => Some(secure::open_view(&head, revision?, bytes).segments),
        UnitKind::Frame(head) => Some(frame::open(&head, revision?, bytes, Check::Nothing).segments),
        UnitKind::Segments(head) => {
            let mut at = 0;
            Some(Segments::new(head.lengths.map(|length| {
                let start = at;
                at += length as usize;
                (start, &bytes[start..at])
            })))
        }
        UnitKind::Plain(_) => {
            let (start, end) = (frame::proposal::HEADER_LEN, bytes.len());
            Some(Segments::new([(start, &bytes[start..]), (end, &[]), (end, &[]), (end, &[])]))
        }
        _ => None,
    }
}

/// A unit and what is in it, in both readers. Counts what there was.
fn compare(unit: &Unit, bytes: &Bytes, counts: &mut BTreeMap<&'static str, u64>) {
    let (context, dialect) = (&unit.context, unit.dialect().unwrap_or_default());
    if !unit.cut
        && let Some(segments) = segments_of(unit, bytes)
    {
        *counts.entry("frames").or_default() += 1;
        let tag = unit.tag().unwrap();
        let _ = frame(dialect, tag, &segments, context);
        let header = match (dialect, v2_1::Tag(tag)) {
            ("v2.0" | "v2.1", v2_1::Tag::MESSAGE) => {
                types::MessageHeader::decode(&mut segments.reader(0), context, &mut ())
            }
            _ => return,
        };
        let header = header.unwrap();
        if let Some(read) = body(header.r#type.0, header.version, &segments, context) {
            read.unwrap();
            *counts.entry("bodies").or_default() += 1;
        }
    }
    if unit.kind == UnitKind::Banner {
        *counts.entry("banners").or_default() += 1;
        let numbers = context.numbers();
        let typed = |t: &mut Recorder| match dialect {
            "proposal" => proposal::decode_banner(&mut Reader::new(bytes), context, t).map(drop),
            _ => v2_0::decode_banner(&mut Reader::new(bytes), context, t).map(drop),
        };
        let tables = protocol().dialect(if dialect == "proposal" { dialect } else { "v2.0" }).unwrap();
        let walked =
            |t: &mut Recorder| Walker::new(protocol(), &numbers).banner(&mut Reader::new(bytes), tables, t, |_| ());
        let _ = agree(&bytes, typed, walked);
    }
    let Some(view) = (!unit.inner().is_empty()).then(|| unit.open(bytes)).flatten() else { return };
    let (view, mut at) = (Bytes::from(view), 0);
    for inner in unit.inner() {
        let end = view.len().min(at + inner.length as usize);
        compare(inner, &view.slice(at..end), counts);
        at = end;
    }
}

#[test]
fn captures_are_read_alike() {
    let recordings = RECORDINGS.iter().filter_map(|name| shared(&format!("{name}.pcapng")));
    let mut counts = BTreeMap::new();
    for path in captures().into_iter().chain(recordings) {
        let knowledge = Knowledge::default();
        if let Some(keyring) = keyring_of(&path) {
            let _ = knowledge.add_text(&fs::read(keyring).unwrap());
        }
        listen(&path, &knowledge, |_, unit, bytes| compare(unit, bytes, &mut counts));
    }
    println!("captures: {counts:?}");
    assert!(counts["frames"] > 100 && counts["bodies"] > 50 && counts["banners"] > 20, "{counts:?}");
}
