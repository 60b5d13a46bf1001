//! What a schema can't check: names that mean nothing, bytes that can't be told apart, states that lead nowhere.

mod dialects;
mod docs;
mod examples;
mod exchanges;
mod fields;
mod filters;
mod names;
mod numbers;
mod recursion;
mod states;
mod structs;
mod texts;
mod types;

use std::ops::Range;

use crate::load::Problem;
use crate::model::*;
use crate::rust;
use crate::spec::{DialectView, Spec};

/// All that is wrong with a spec whose files can be read. Nothing, if code and documentation can be made of it.
///
/// Structures that contain themselves are looked for first; if there are any, nothing else is.
pub fn check(spec: &Spec) -> Vec<Problem> {
    let mut lint = Lint { spec, problems: Vec::new() };
    lint.recursion();
    if lint.problems.is_empty() {
        lint.names();
        lint.numbers();
        lint.common();
        lint.structures();
        lint.texts();
        lint.dialects();
        lint.states();
        // the generator is only given what is sound so far
        let sound = lint.problems.is_empty();
        lint.docs();
        lint.examples();
        lint.exchanges();
        if sound {
            lint.filters();
        }
    }
    let mut problems = lint.problems;
    problems.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    problems.dedup();
    problems
}

struct Lint<'a> {
    spec: &'a Spec,
    problems: Vec<Problem>,
}

/// Where something stands.
#[derive(Clone)]
struct Site<'a> {
    dialect: Option<&'a DialectView>,
    path: &'a str,
    key: String,
    line: u64,
}

impl Site<'_> {
    /// A part of it: its name, and its line if that is known.
    fn part(&self, name: &str, line: u64) -> Self {
        let key = if self.key.is_empty() { name.to_owned() } else { format!("{}.{name}", self.key) };
        Site { key, line: if line == 0 { self.line } else { line }, ..self.clone() }
    }
}

/// Anything with fields: a structure, the payload of a frame, the body of a message.
struct Body<'a> {
    site: Site<'a>,
    name: &'a str,
    kind: BodyKind,
    fields: &'a [At<Field>],
    versioned: Option<&'a Versioned>,
    /// The context variable that tells the version.
    version: Option<&'a str>,
    /// The newest version.
    newest: Option<u16>,
    /// The oldest reader that understands the newest version; only where readers skip what is appended.
    compat: Option<u16>,
    open: bool,
    /// Where a message's front, middle and data are among the fields.
    parts: Option<[Range<usize>; 3]>,
    /// The text made for people: its key, and the text itself.
    template: Option<(&'static str, &'a str)>,
    release: Option<&'a str>,
    examples: &'a [At<Example>],
    refused: &'a [At<Refused>],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum BodyKind {
    Struct,
    Frame,
    /// A frame of several segments, of which each field has one.
    Segments,
    Message,
}

impl Body<'_> {
    /// The names that its fields mustn't have, because its header or its end has them.
    fn taken(&self) -> Vec<&'static str> {
        let mut taken = Vec::new();
        if let Some(versioned) = self.versioned {
            taken.push("struct_v");
            if versioned.compat.is_some() {
                taken.extend(["struct_compat", "struct_len"]);
            }
            if versioned.marker.is_some() {
                taken.push("marker");
            }
        }
        if self.open || self.versioned.is_some_and(|v| v.compat.is_some()) {
            taken.push("extra");
        }
        if let Some([_, middle, data]) = &self.parts {
            taken.push(if middle.is_empty() { "middle" } else { "middle_extra" });
            taken.push(if data.is_empty() { "data" } else { "data_extra" });
        }
        taken
    }

    /// Its fields, by the segments that they stand in.
    fn segments(&self) -> Vec<&[At<Field>]> {
        match (&self.parts, self.kind) {
            (Some(parts), _) => parts.iter().map(|part| &self.fields[part.clone()]).collect(),
            (None, BodyKind::Segments) => self.fields.chunks(1).collect(),
            (None, _) => vec![self.fields],
        }
    }

    /// Whether two fields stand in the same segment.
    fn together(&self, one: usize, other: usize) -> bool {
        match (&self.parts, self.kind) {
            (Some(parts), _) => parts.iter().any(|part| part.contains(&one) && part.contains(&other)),
            (None, kind) => kind != BodyKind::Segments || one == other,
        }
    }

    /// What the name begins with, from which Rust makes names.
    fn rust_name(&self) -> String {
        match self.kind {
            BodyKind::Message => rust::messages::rust_name(self.name),
            _ => self.name.to_owned(),
        }
    }
}

impl<'a> Lint<'a> {
    fn report(&mut self, site: &Site<'_>, what: impl Into<String>) {
        let Site { path, key, line, .. } = site;
        self.problems.push(Problem { path: (*path).to_owned(), line: *line, key: key.clone(), what: what.into() });
    }

    /// The place of an item that dialects share.
    fn shared(&self, section: &str, name: &str, line: u64) -> Site<'a> {
        let key = format!("{section}.{name}");
        Site { dialect: None, path: self.spec.place(&key), key, line }
    }

    /// The place of an item of a dialect, or of the dialect that it has it from.
    fn of_dialect(&self, dialect: &'a DialectView, section: &str, name: &str, line: u64) -> Site<'a> {
        let path = self.spec.place_in(dialect, &format!("{section}.{name}"));
        let key = if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") };
        Site { dialect: Some(dialect), path, key, line }
    }

    /// Everything with fields, each once: where it is declared.
    fn bodies(&self) -> Vec<Body<'a>> {
        let spec = self.spec;
        let mut bodies = Vec::new();
        for (name, s) in &spec.types {
            bodies.push(struct_body(self.shared("types", name, s.line), name, s));
        }
        for dialect in spec.dialects.values() {
            for (name, s) in &dialect.types {
                bodies.push(struct_body(self.of_dialect(dialect, "types", name, s.line), name, s));
            }
            for (name, tag) in dialect.tags.iter().filter(|(name, _)| dialect.own_tags.contains(*name)) {
                bodies.push(frame_body(self.of_dialect(dialect, "tags", name, tag.line), name, tag));
            }
        }
        for (name, message) in &spec.messages {
            bodies.push(message_body(self.shared("messages", name, message.line), name, message));
        }
        bodies
    }
}

fn struct_body<'a>(site: Site<'a>, name: &'a str, s: &'a Struct) -> Body<'a> {
    let versioned = s.versioned.as_ref();
    Body {
        site,
        name,
        kind: BodyKind::Struct,
        fields: &s.fields,
        versioned,
        version: s.version.as_deref(),
        newest: versioned.map(|v| v.version.into()),
        compat: versioned.and_then(|v| v.compat).map(u16::from),
        open: s.open,
        parts: None,
        template: s.summary.as_deref().map(|text| ("summary", text)),
        release: s.release.as_deref(),
        examples: &s.examples,
        refused: &s.refused,
    }
}

fn frame_body<'a>(site: Site<'a>, name: &'a str, tag: &'a Tag) -> Body<'a> {
    let several = !tag.segments.is_empty();
    Body {
        site,
        name,
        kind: if several { BodyKind::Segments } else { BodyKind::Frame },
        fields: if several { &tag.segments } else { &tag.fields },
        versioned: None,
        version: None,
        newest: None,
        compat: None,
        open: tag.open,
        parts: None,
        template: tag.info.as_deref().map(|text| ("info", text)),
        release: Some(&tag.release),
        examples: &tag.examples,
        refused: &tag.refused,
    }
}

fn message_body<'a>(site: Site<'a>, name: &'a str, message: &'a Message) -> Body<'a> {
    Body {
        site,
        name,
        kind: BodyKind::Message,
        fields: &message.fields,
        versioned: None,
        version: Some("$message_version"),
        newest: Some(message.versions.head),
        compat: Some(message.versions.compat),
        open: true,
        parts: Some(message.parts()),
        template: message.info.as_deref().map(|text| ("info", text)),
        release: message.release.as_deref(),
        examples: &message.examples,
        refused: &message.refused,
    }
}
