//! Every example of the spec, in both directions: bytes to value, value to bytes, and as the trace shows it.
#![allow(clippy::unwrap_used)]

#[path = "common/structures.rs"]
mod structures;

use msgr2::crypto::Secret;
use msgr2::messages::Body;
use msgr2::types::PreambleFlags;
use msgr2::wire::{Composite, Encode, Error, Reader, Recorder, Role, Segments, tree};
use msgr2::{Context, frame, proposal, types, v2_0, v2_1};
use msgr2_spec::expr::parse_hex;
use msgr2_spec::model::{self, MessageVersions, Refused, Struct};
use msgr2_spec::{DialectView, Spec};
use serde_json::{Value, json};

fn spec() -> Spec {
    Spec::embedded().unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn context(given: &indexmap::IndexMap<String, Value>) -> Context {
    serde_json::from_value(serde_json::to_value(given).unwrap()).unwrap()
}

/// A segment of an example at its place in the frame's view: segments follow each other.
fn segments(parts: &[Vec<u8>]) -> Segments<'_> {
    let mut at = 0;
    let mut list = [(0, &[][..]); 4];
    for (slot, part) in list.iter_mut().zip(parts) {
        *slot = (at, part);
        at += part.len();
    }
    for slot in list.iter_mut().skip(parts.len()) {
        slot.0 = at;
    }
    Segments::new(list)
}

/// One structure's examples: decoded, encoded, and compared with what the trace says. A macro, because a type that
/// borrows is another type for each example.
macro_rules! check_struct {
    ($ty:ty, $name:expr, $s:expr) => {{
        let (name, s): (&str, &Struct) = ($name, $s);
        for example in &s.examples {
            let bytes = parse_hex(&example.hex).unwrap().concat();
            let what = format!("{name}: {}", example.doc);
            let value: $ty = serde_json::from_value(example.value.clone()).unwrap_or_else(|e| panic!("{what}: {e}"));
            assert_eq!(value.to_bytes().unwrap(), bytes, "{what}: encoded");

            let mut recorder = Recorder::new();
            let mut reader = Reader::new(&bytes);
            let read = <$ty>::decode(&mut reader, &context(&example.context), &mut recorder).unwrap();
            assert_eq!(reader.left(), 0, "{what}: left over");
            assert_eq!(read, value, "{what}: decoded");
            let shown: $ty = serde_json::from_value(tree::to_json(&recorder, &[&bytes])).unwrap();
            assert_eq!(shown, value, "{what}: as the trace shows it");
        }
        for refused in &s.refused {
            let bytes = parse_hex(&refused.hex).unwrap().concat();
            let mut reader = Reader::new(&bytes);
            let read = <$ty>::decode(&mut reader, &context(&refused.context), &mut ()).and_then(|_| reader.end());
            check_refused(name, refused, read.err());
        }
        s.examples.len() + s.refused.len()
    }};
}

fn check_refused(name: &str, refused: &Refused, error: Option<Error>) {
    let error = error.unwrap_or_else(|| panic!("{name}: {}: was accepted", refused.doc));
    assert_eq!(
        (error.kind.name(), error.path().as_str()),
        (refused.error.as_str(), refused.at.as_str()),
        "{name}: {}",
        refused.doc
    );
}

/// All examples of a dialect's frames; returns how many there are. A macro, because each dialect has frames of its own.
macro_rules! check_frames {
    ($dialect:ident, $spec:expr) => {{
        let spec: &Spec = $spec;
        let mut checked = 0;
        for (name, tag) in &spec.dialects[$dialect::NAME].tags {
            let number = $dialect::Tag(tag.number);
            for example in &tag.examples {
                let parts = parse_hex(&example.hex).unwrap();
                let what = format!("{name}: {}", example.doc);
                let value: $dialect::Frame<'static> =
                    serde_json::from_value(json!({ name: example.value })).unwrap_or_else(|e| panic!("{what}: {e}"));
                let encoded = value.encode().unwrap();
                for (index, bytes) in encoded.iter().enumerate() {
                    assert_eq!(bytes, parts.get(index).unwrap_or(&Vec::new()), "{what}: segment {index} encoded");
                }
                let mut recorder = Recorder::new();
                let read =
                    $dialect::Frame::decode(number, &segments(&parts), &context(&example.context), &mut recorder)
                        .unwrap_or_else(|e| panic!("{what}: {e}"));
                assert_eq!(read, value, "{what}: decoded");
                let shown = tree::to_json(&recorder, &[&parts.concat()]);
                let shown: $dialect::Frame<'static> =
                    serde_json::from_value(shown).unwrap_or_else(|e| panic!("{what}: {e}"));
                assert_eq!(shown, value, "{what}: as the trace shows it");
            }
            for refused in &tag.refused {
                let parts = parse_hex(&refused.hex).unwrap();
                let read = $dialect::Frame::decode(number, &segments(&parts), &context(&refused.context), &mut ());
                check_refused(name, refused, read.err());
            }
            checked += tag.examples.len() + tag.refused.len();
        }
        checked
    }};
}

#[test]
fn frames() {
    let spec = spec();
    let checked = check_frames!(v2_1, &spec) + check_frames!(proposal, &spec);
    // a dialect that is not listed above would be checked by nobody; none changes what another says of a frame
    let own = |d: &DialectView| -> usize {
        let tags = d.own_tags.iter().map(|name| &d.tags[name]);
        tags.map(|tag| tag.examples.len() + tag.refused.len()).sum()
    };
    assert_eq!(checked, spec.dialects.values().map(own).sum::<usize>());
}

#[test]
fn message_bodies() {
    let spec = spec();
    for (name, message) in &spec.messages {
        let (_, number) = spec.message_type(name).unwrap();
        // front, middle and data come behind the header
        let parts = |hex: &str| {
            let parts: Vec<Vec<u8>> = std::iter::once(Vec::new()).chain(parse_hex(hex).unwrap()).collect();
            parts
        };
        let version = |told: &Context| told.message_version.unwrap_or(message.versions.head);
        for example in &message.examples {
            let (parts, told) = (parts(&example.hex), context(&example.context));
            let what = format!("{name}: {}", example.doc);
            let value: Body<'_> =
                serde_json::from_value(json!({ name: example.value })).unwrap_or_else(|e| panic!("{what}: {e}"));
            let MessageVersions { head, compat, .. } = message.versions;
            assert_eq!((value.message_type().0, value.versions()), (number, (head, compat)), "{what}");
            for (index, bytes) in value.encode().unwrap().iter().enumerate() {
                assert_eq!(bytes, parts.get(index + 1).unwrap_or(&Vec::new()), "{what}: part {index} encoded");
            }
            let mut recorder = Recorder::new();
            let kind = types::MessageType(number);
            let read = Body::decode(kind, version(&told), &segments(&parts), &told, &mut recorder).unwrap();
            assert_eq!(read.unwrap_or_else(|e| panic!("{what}: {e}")), value, "{what}: decoded");
            let shown = tree::to_json(&recorder, &[&parts.concat()]);
            let shown: Body<'_> = serde_json::from_value(shown).unwrap_or_else(|e| panic!("{what}: {e}"));
            assert_eq!(shown, value, "{what}: as the trace shows it");
        }
        for refused in &message.refused {
            let (parts, told) = (parts(&refused.hex), context(&refused.context));
            let kind = types::MessageType(number);
            let read = Body::decode(kind, version(&told), &segments(&parts), &told, &mut ()).unwrap();
            check_refused(name, refused, read.err());
        }
    }
}

#[test]
fn structures() {
    let spec = spec();
    let mut checked = 0;
    macro_rules! check {
        ($($module:ident :: $ty:ident),* $(,)?) => {$({
            let module = stringify!($module);
            let name = stringify!($ty).chars().fold(String::new(), |mut name, c| {
                if c.is_ascii_uppercase() && !name.is_empty() {
                    name.push('_');
                }
                name.push(c.to_ascii_lowercase());
                name
            });
            let dialect = spec.dialects.values().find(|d| d.module() == module);
            let found = dialect.map_or_else(|| spec.types.get(&name), |d| d.types.get(&name));
            checked += check_struct!($module::$ty, &name, found.unwrap_or_else(|| panic!("{module}: no {name}")));
        })*};
    }
    with_examples!(check);
    // an example of a type that is not listed above would be checked by nobody
    let all = spec.types.values().chain(spec.dialects.values().flat_map(|d| d.types.values()));
    assert_eq!(checked, all.map(|s| s.examples.len() + s.refused.len()).sum::<usize>());
}

#[test]
fn whole_frames() {
    let spec = spec();
    for (name, revision) in [("v2.0", frame::Revision::V2_0), ("v2.1", frame::Revision::V2_1)] {
        let envelope = spec.dialects[name].envelope.as_ref().unwrap();
        assert!(!envelope.examples.is_empty());
        for example in &envelope.examples {
            let what = format!("{name}: {}", example.doc);
            let bytes = parse_hex(&example.hex).unwrap().concat();
            let value: v2_1::Frame<'static> = serde_json::from_value(json!({ &example.tag: example.value })).unwrap();
            let segments = value.encode().unwrap().map(Into::into);
            let mut out = Vec::new();
            let (flags, ending) = (PreambleFlags(0), frame::Ending::Complete);
            let mut view = Vec::new();
            let (head, opened) = match &example.seal {
                None => {
                    frame::assemble(revision, value.tag(), flags, &segments, ending, &mut out);
                    let head = frame::Head::parse(bytes.first_chunk().unwrap(), revision).unwrap();
                    assert_eq!(head.frame_len(revision), bytes.len(), "{what}");
                    (head, frame::open(&head, revision, &bytes, frame::Check::Crc))
                }
                Some(seal) => {
                    let secret = Secret::from(parse_hex(&seal.connection_secret).unwrap().concat());
                    let key = frame::secure::ConnectionKey::new(&secret, revision).unwrap();
                    let sender = match seal.sender {
                        model::Role::Client => Role::Client,
                        model::Role::Server => Role::Server,
                    };
                    let mut sealer = key.sealer(sender).at(seal.operations);
                    sealer.assemble(value.tag(), flags, &segments, ending, &mut out).unwrap();
                    let opener = key.opener(sender);
                    let head = opener.head(seal.operations, &bytes).unwrap();
                    assert_eq!(opener.frame_len(&head), bytes.len(), "{what}");
                    opener.open(seal.operations, &head, &bytes, &mut view).unwrap();
                    (head, frame::secure::open_view(&head, revision, &view))
                }
            };
            assert_eq!(out.concat(), bytes, "{what}: encoded");
            assert_eq!((opened.bad_crc, opened.late), (None, frame::Late::Complete), "{what}");
            let read =
                v2_1::Frame::decode(v2_1::Tag(head.tag), &opened.segments, &Context::default(), &mut ()).unwrap();
            assert_eq!(read, value, "{what}: decoded");
        }
    }
}
