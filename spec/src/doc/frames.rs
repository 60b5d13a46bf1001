//! Envelopes and frames.

use super::fields::{given, pretty};
use super::items::origin;
use super::text::{Page, code, prose};
use super::{Doc, dialect_anchor};
use crate::model::*;
use crate::spec::DialectView;

impl<'a> Doc<'a> {
    pub(super) fn envelopes(&self, page: &mut Page) {
        self.section(page, "envelope");
        for dialect in self.spec.dialects.values() {
            let name = &dialect.info.name;
            let Some(envelope) = &dialect.envelope else { continue };
            page.heading(3, &format!("envelope-{name}"), &format!("Frames of {name}"));
            if self.spec.place(&format!("{}..envelope", dialect.folder)).is_empty() {
                page.line("As in the dialect that it extends.");
                page.gap();
            } else {
                self.envelope(page, dialect, envelope);
            }
            for (name, s) in &dialect.types {
                self.structure(page, Some(dialect), name, s);
            }
        }
    }

    fn envelope(&self, page: &mut Page, dialect: &'a DialectView, envelope: &Envelope) {
        page.line(&prose(&envelope.doc));
        page.gap();
        for (mode, parts) in &envelope.modes {
            page.line(&format!("In mode {}:", code(mode)));
            let rows = parts.iter().map(|part| {
                let what = match (&part.block, &part.segments) {
                    (Some(block), _) => self.block_link(dialect, block),
                    (None, Some(segments)) => format!("segments {}{}", code(segments), cut(part)),
                    (None, None) => part.seal.map(|bytes| format!("a seal of {bytes} bytes")).unwrap_or_default(),
                };
                let mut covers = part.covers.as_deref().map(prose).unwrap_or_default();
                if let Some(seed) = part.seed {
                    covers.push_str(&format!(", from {seed:#x}"));
                }
                [what, part.when.as_deref().map(prose).unwrap_or_default(), covers, prose(&part.doc)]
            });
            page.table(["Part", "There if", "Covers", "What it is"], rows);
        }
        for example in &envelope.examples {
            let tag = self.tag_link(dialect, &example.tag);
            let given = given(&example.context);
            let mut line = format!("Example: {}, {tag} in mode {}{given}", prose(&example.doc), code(&example.mode));
            if let Some(seal) = &example.seal {
                line.push_str(&format!(
                    ", sent by the {} after {} operations of the cipher in its direction, with the connection secret {}",
                    seal.sender,
                    seal.operations,
                    code(&seal.connection_secret)
                ));
            }
            page.line(&format!("{line}."));
            page.block("text", &example.hex);
            page.block("json", &pretty(&example.value));
        }
    }

    pub(super) fn frames(&self, page: &mut Page) {
        self.section(page, "frames");
        let mut rows = Vec::new();
        for dialect in self.spec.dialects.values() {
            for (name, tag) in dialect.tags.iter().filter(|(name, _)| dialect.own_tags.contains(*name)) {
                let link = self.tag_link(dialect, name);
                let owner = format!("[{}](#{})", dialect.info.name, dialect_anchor(dialect));
                rows.push([tag.number.to_string(), link, owner, sender(tag.from).to_owned(), prose(&tag.doc)]);
            }
        }
        page.table(["Number", "Frame", "Dialect", "Sent by", "What it says"], rows);
        for dialect in self.spec.dialects.values() {
            for (name, tag) in dialect.tags.iter().filter(|(name, _)| dialect.own_tags.contains(*name)) {
                self.frame(page, dialect, name, tag);
            }
        }
    }

    fn frame(&self, page: &mut Page, dialect: &'a DialectView, name: &str, tag: &Tag) {
        page.heading(3, &tag_anchor(dialect, name), &name.to_uppercase());
        page.line(&prose(&tag.doc));
        page.gap();
        page.line(&format!(
            "Number {} ({:#04x}) in [{}](#{}), sent by {}.",
            tag.number,
            tag.number,
            dialect.info.name,
            dialect_anchor(dialect),
            sender(tag.from)
        ));
        page.gap();
        origin(page, Some(&tag.release), Some(&tag.source));
        self.legal(page, dialect, name);
        let mut notes = Vec::new();
        if !tag.segments.is_empty() {
            notes.push("Each field is a segment of its own.");
        } else if tag.fields.is_empty() {
            notes.push("It has no fields.");
        }
        if tag.envelope {
            notes
                .push("It belongs to the envelope: no state awaits it, the rules of the envelope say where it stands.");
        }
        if tag.open {
            notes.push("A newer sender may append bytes, which are kept.");
        }
        if !notes.is_empty() {
            page.line(&notes.join(" "));
            page.gap();
        }
        let fields = if tag.segments.is_empty() { &tag.fields } else { &tag.segments };
        self.fields(page, Some(dialect), &format!("msgr2.{name}"), None, fields);
        self.examples(page, &tag.examples, &tag.refused);
    }

    /// In which states a frame may be sent and is awaited.
    fn legal(&self, page: &mut Page, dialect: &'a DialectView, name: &str) {
        let state = |role: &Role, state: &str| format!("[{state}](#{})", self.state_anchor(dialect, *role, state));
        let mut rows = Vec::new();
        for (role, states) in &dialect.states {
            let (mut sent, mut awaited) = (Vec::new(), Vec::new());
            for (from, s) in states {
                if s.may_send(name) {
                    sent.push(state(role, from));
                }
                if s.on.contains_key(name) {
                    awaited.push(state(role, from));
                }
            }
            if !sent.is_empty() || !awaited.is_empty() {
                rows.push([role.to_string(), sent.join(", "), awaited.join(", ")]);
            }
        }
        page.table(["Role", "May send it in or on leaving", "Awaits it in"], rows);
    }

    /// The link of a part of frames: a structure, or the payload of a tag.
    pub(super) fn block_link(&self, dialect: &'a DialectView, block: &str) -> String {
        match dialect.tags.get(block) {
            Some(tag) if tag.envelope => self.tag_link(dialect, block),
            _ => self.type_link(Some(dialect), block),
        }
    }

    /// The link of a tag, or of the banner, which stands among tags in tables of states.
    pub(super) fn tag_link(&self, dialect: &'a DialectView, name: &str) -> String {
        if name == "banner" {
            return "[banner](#banner)".to_owned();
        }
        match self.spec.ancestry(dialect).find(|d| d.own_tags.contains(name)) {
            Some(owner) => format!("[{}](#{})", prose(&name.to_uppercase()), tag_anchor(owner, name)),
            None => code(name),
        }
    }
}

/// What of a segment a part holds.
fn cut(part: &Part) -> String {
    let mut text = match (part.from, part.to) {
        (None, None) => String::new(),
        (from, to) => {
            format!(", bytes {} to {}", from.unwrap_or(0), to.map_or("the end".to_owned(), |to| (to - 1).to_string()))
        }
    };
    if let Some(padded) = part.padded {
        text.push_str(&format!(", padded to a multiple of {padded}"));
    }
    text
}

fn tag_anchor(owner: &DialectView, name: &str) -> String {
    format!("tag-{}-{name}", owner.info.name)
}

fn sender(from: From) -> &'static str {
    match from {
        From::Client => "the client",
        From::Server => "the server",
        From::Both => "both sides",
    }
}
