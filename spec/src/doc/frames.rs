//! Envelopes and frames.

use super::fields::{given, pretty};
use super::items::origin;
use super::text::{Page, code, prose};
use super::{Doc, dialect_anchor};
use crate::ir::*;
use crate::model::{self, From, Role};

impl Doc<'_> {
    pub(super) fn envelopes(&self, page: &mut Page) {
        self.section(page, "envelope");
        for (id, dialect) in self.ir.dialects() {
            let name = &dialect.info.name;
            let Some(envelope) = &dialect.envelope else { continue };
            page.heading(3, &format!("envelope-{name}"), &format!("Frames of {name}"));
            if envelope.own {
                self.envelope(page, envelope);
            } else {
                page.paragraph("As in the dialect that it extends.");
            }
            self.ir.types(Some(id)).for_each(|(id, _)| self.structure(page, id));
        }
    }

    fn envelope(&self, page: &mut Page, envelope: &Envelope) {
        page.paragraph(&prose(&envelope.doc));
        for (mode, parts) in &envelope.modes {
            page.line(&format!("In mode {}:", code(mode)));
            let rows = parts.iter().map(|Part { block, says: part, .. }| {
                let what = match (block, &part.segments) {
                    (Some(block), _) => self.body_link(*block),
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
        for (tag, example) in &envelope.examples {
            let tag = self.body_link(*tag);
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
        let frames = || self.ir.dialects().flat_map(|(id, dialect)| self.ir.own_frames(id).map(move |f| (dialect, f)));
        let rows = frames().filter_map(|(dialect, (id, body))| {
            let BodyKind::Frame { number, from, .. } = body.kind else { return None };
            let owner = format!("[{}](#{})", dialect.info.name, dialect_anchor(dialect));
            Some([number.to_string(), self.body_link(id), owner, sender(from).to_owned(), prose(&body.doc)])
        });
        page.table(["Number", "Frame", "Dialect", "Sent by", "What it says"], rows);
        frames().for_each(|(dialect, (id, body))| self.frame(page, dialect, id, body));
    }

    fn frame(&self, page: &mut Page, dialect: &Dialect, id: BodyId, body: &Body) {
        let BodyKind::Frame { number, from, envelope, segmented } = body.kind else { return };
        page.heading(3, &self.body_anchor(id), &body.name.to_uppercase());
        page.paragraph(&prose(&body.doc));
        page.paragraph(&format!(
            "Number {number} ({number:#04x}) in [{}](#{}), sent by {}.",
            dialect.info.name,
            dialect_anchor(dialect),
            sender(from)
        ));
        origin(page, &body.release, &body.source, &body.ceph);
        self.legal(page, id);
        let notes = [
            (segmented, "Each field is a segment of its own."),
            (!segmented && body.fields.is_empty(), "It has no fields."),
            (
                envelope,
                "It belongs to the envelope: no state awaits it, the rules of the envelope say where it stands.",
            ),
            (body.open, "A newer sender may append bytes, which are kept."),
        ];
        let notes: Vec<&str> = notes.into_iter().filter(|(is, _)| *is).map(|(_, note)| note).collect();
        if !notes.is_empty() {
            page.paragraph(&notes.join(" "));
        }
        self.fields(page, None, &body.fields);
        self.examples(page, body);
    }

    /// In which states a frame may be sent and is awaited.
    fn legal(&self, page: &mut Page, id: BodyId) {
        let Some(owner) = self.ir[id].dialect else { return };
        let event = Event::Frame(id);
        let state =
            |role: &Role, state: &State| format!("[{}](#{})", state.name, self.state_anchor(owner, *role, &state.name));
        let mut rows = Vec::new();
        for (role, states) in &self.ir[owner].states {
            let sent: Vec<String> = states.iter().filter(|s| s.may_send(event)).map(|s| state(role, s)).collect();
            let awaited: Vec<String> = states.iter().filter(|s| s.awaits(event)).map(|s| state(role, s)).collect();
            if !sent.is_empty() || !awaited.is_empty() {
                rows.push([role.to_string(), sent.join(", "), awaited.join(", ")]);
            }
        }
        page.table(["Role", "May send it in or on leaving", "Awaits it in"], rows);
    }
}

/// What of a segment a part holds.
fn cut(part: &model::Part) -> String {
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

fn sender(from: From) -> &'static str {
    match from {
        From::Client => "the client",
        From::Server => "the server",
        From::Both => "both sides",
    }
}
