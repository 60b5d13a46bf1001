//! The JSON Schema of what `msgr2 decode --json` prints.

use msgr2::frame::Dialect;
use msgr2::tracker::{Mode, RelationKind, Verdict};
use msgr2::wire::{EnumInfo, Field, Severity};
use msgr2::{FINDINGS, field, info};
use serde_json::{Value, json};

use super::print::{OTHER_NAMES, severity};

/// Numbers that are generated.
const NUMBERS: [Field; 4] =
    [field::COMMON_FRAME_LEN, field::COMMON_FRONT_LEN, field::COMMON_MIDDLE_LEN, field::COMMON_DATA_LEN];

/// A schema of one line, in the dialect of 2020-12. Names are the spec's.
pub(super) fn schema() -> Value {
    let modes = [Mode::Crc, Mode::Secure, Mode::Plain, Mode::Signed].map(Mode::name);
    let verdicts = [Verdict::Good, Verdict::Bad, Verdict::Unchecked].map(Verdict::name);
    let severities = [Severity::Chat, Severity::Note, Severity::Warn, Severity::Error].map(severity);
    let relations = [RelationKind::Signs, RelationKind::Resumes].map(RelationKind::name);
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of `msgr2 decode --json`",
        "description": "A frame of Ceph's messenger v2, or something else that was found on a connection.",
        "type": "object",
        "properties": {
            "file": { "description": "The capture, as it was named.", "type": "string" },
            "packet": { "description": "The packet in which it ends, from 1.", "$ref": "#/$defs/packet" },
            "time": { "description": "The time of that packet; null if the capture doesn't say it.", "oneOf": [
                { "type": "null" },
                { "$ref": "#/$defs/time" },
            ] },
            "stream": {
                "description": "The connection, numbered over all files as Wireshark's `tcp.stream`.",
                "$ref": "#/$defs/u32",
            },
            "src": { "description": "The sender's IP address and port.", "type": "string" },
            "dst": { "description": "The receiver's.", "type": "string" },
            "dialect": {
                "description": "The dialect that the connection speaks; null while it isn't known.",
                "enum": dialects(),
            },
            "mode": { "description": "How it is protected.", "enum": modes },
            "tag": {
                "description": "The frame's tag; null for what has none. What it means depends on the dialect.",
                "oneOf": [{ "type": "null" }, { "type": "integer", "minimum": 0, "maximum": 255 }],
            },
            "name": {
                "description": "The tag's name, or its number if it has none; or what has no tag.",
                "anyOf": [{ "enum": names() }, { "type": "string", "pattern": "^[0-9]+$" }],
            },
            "fields": {
                "description": "The fields of the payload by their names in the spec, as far as they can be read.",
                "oneOf": [{ "type": "null" }, { "$ref": "#/$defs/object" }],
            },
            "findings": {
                "description": "What is wrong or notable.",
                "type": "array",
                "items": { "$ref": "#/$defs/finding" },
            },
            "record": {
                "description": "In the proposal: the number of the sealed record that it was in, in its direction, from 0.",
                "type": "integer",
                "minimum": 0,
            },
            "signature": { "description": "What a signature is worth.", "enum": verdicts },
            "key_types": {
                "description": "The types of the keys that a login or an authorization shows, by the lengths of what they seal.",
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "properties": {
                        "owner": { "description": "Whose key.", "type": "string" },
                        "type": { "description": "The key's type.", "type": "string" },
                    },
                    "required": ["owner", "type"],
                    "additionalProperties": false,
                },
            },
            "relations": {
                "description": "What it has to do with other packets.",
                "type": "array",
                "minItems": 1,
                "items": { "$ref": "#/$defs/relation" },
            },
            "cut": {
                "description": "There if not all of its bytes were captured.",
                "type": "object",
                "properties": {
                    "captured": { "description": "How many were.", "$ref": "#/$defs/u32" },
                    "length": { "description": "How many there were.", "$ref": "#/$defs/u32" },
                },
                "required": ["captured", "length"],
                "additionalProperties": false,
            },
            "left_out": { "description": "There if fields were left out, of which there are too many: how many.", "$ref": "#/$defs/u32" },
            "frame": {
                "description": "With --verbose: all fields, those around the payload too.",
                "$ref": "#/$defs/object",
            },
        },
        "required": [
            "file", "packet", "time", "stream", "src", "dst", "dialect", "mode", "tag", "name", "fields", "findings",
        ],
        "additionalProperties": false,
        "$defs": {
            "u32": { "type": "integer", "minimum": 0, "maximum": u32::MAX },
            "packet": { "type": "integer", "minimum": 1, "maximum": u32::MAX },
            "time": {
                "type": "object",
                "properties": {
                    "text": {
                        "description": "Date and time in UTC, with as many digits of a second as the capture has; null \
                            behind the year 9999.",
                        "oneOf": [{ "type": "null" }, { "type": "string", "format": "date-time", "pattern": "Z$" }],
                    },
                    "seconds": { "description": "Since 1970.", "type": "integer", "minimum": 0 },
                    "nanoseconds": { "description": "Further.", "type": "integer", "minimum": 0, "maximum": 999_999_999 },
                },
                "required": ["text", "seconds", "nanoseconds"],
                "additionalProperties": false,
            },
            "finding": {
                "type": "object",
                "properties": {
                    "kind": {
                        "description": "Its name in the spec.",
                        "enum": FINDINGS.iter().map(|finding| finding.name).collect::<Vec<_>>(),
                    },
                    "severity": { "description": "How bad it is.", "enum": severities },
                    "text": {
    "description": "What is wrong, for people. A packet that it names is counted over all files.",
    "type": "string" },
                    "offset": { "description": "The first byte concerned, from the frame's.", "$ref": "#/$defs/u32" },
                    "length": { "description": "The number of bytes concerned.", "$ref": "#/$defs/u32" },
                },
                "required": ["kind", "severity", "text", "offset", "length"],
                "additionalProperties": false,
            },
            "relation": {
                "type": "object",
                "properties": {
                    "kind": {
                        "description": "The frame that is signed ended there; the session that is resumed began there.",
                        "enum": relations,
                    },
                    "file": { "type": "string" },
                    "packet": { "$ref": "#/$defs/packet" },
                },
                "required": ["kind", "file", "packet"],
                "additionalProperties": false,
            },
            "object": {
                "description": "Fields by their names in the spec, in the order of the wire. A value is a number; a name of the \
                    spec; flags as a list of names; bytes in hex; text; a time as decimal seconds in text; a list; \
                    fields by name; null for what may be there and isn't. Bytes or text that --max-bytes has cut \
                    are an object of `hex` or `text` and `length`, which counts all of them; a sealed field that could be \
                    opened is one of `sealed` and `opened`.",
                "type": "object",
                "propertyNames": { "pattern": "^[a-z][a-z0-9_]*$" },
            },
        },
    });
    // what is generated is described as in Wireshark
    for field in NUMBERS {
        schema["properties"][field.name] = json!({ "description": field.doc, "$ref": "#/$defs/u32" });
    }
    let opened = field::COMMON_OPENED;
    schema["properties"][opened.name] = json!({ "description": opened.doc, "type": "boolean" });
    schema
}

/// The dialects, and null.
fn dialects() -> Vec<Option<&'static str>> {
    let all = [Dialect::Proposal, Dialect::V2_0, Dialect::V2_1];
    [None].into_iter().chain(all.map(|dialect| Some(dialect.name()))).collect()
}

/// All names of tags, and what stands in their place.
fn names() -> Vec<&'static str> {
    let tags: [&EnumInfo; 2] = [&info::V2_0_TAG, &info::PROPOSAL_TAG];
    let mut names: Vec<_> = tags.iter().flat_map(|tags| tags.values).map(|tag| tag.text).collect();
    names.extend(OTHER_NAMES);
    names.sort_unstable();
    names.dedup();
    names
}
