//! Examples: that there are some, and that they can be read. Whether they are true, tests of the codec tell.

use indexmap::IndexMap;

use super::dialects::MOST_SEGMENTS;
use super::{Body, BodyKind, Lint, Site};
use crate::expr::parse_hex;

/// The errors that a reader knows; those that only writers meet are not among them.
const ERRORS: &[&str] = &[
    "incomplete",
    "trailing",
    "too_many",
    "too_many_items",
    "not_constant",
    "incompatible",
    "not_boolean",
    "not_text",
];

impl<'a> Lint<'a> {
    pub(super) fn examples(&mut self) {
        let spec = self.spec;
        for body in self.bodies() {
            if body.examples.is_empty() && body.kind != BodyKind::Struct {
                self.report(&body.site, "has no example");
            }
            if body.kind == BodyKind::Message && !body.fields.is_empty() && body.refused.is_empty() {
                self.report(&body.site, "has no example of bytes that a reader refuses");
            }
            let most = segments(&body);
            for example in body.examples {
                let site = body.site.part("examples", example.line);
                self.example(&site, &example.doc, &example.hex, most, &example.context);
            }
            for refused in body.refused {
                let site = body.site.part("refused", refused.line);
                self.example(&site, &refused.doc, &refused.hex, MOST_SEGMENTS, &refused.context);
                if !ERRORS.contains(&refused.error.as_str()) {
                    self.report(&site, format!("`{}` is no error: {}", refused.error, ERRORS.join(", ")));
                }
            }
        }
        for dialect in spec.dialects.values() {
            let Some(envelope) = &dialect.envelope else { continue };
            let site = self.of_dialect(dialect, "", "envelope", envelope.line);
            if envelope.examples.is_empty() {
                self.report(&site, "has no example");
            }
            for example in &envelope.examples {
                let site = site.part("examples", example.line);
                self.example(&site, &example.doc, &example.hex, 1, &example.context);
            }
        }
    }

    fn example(
        &mut self,
        site: &Site<'a>,
        doc: &str,
        hex: &str,
        most: usize,
        context: &IndexMap<String, serde_json::Value>,
    ) {
        if doc.trim().is_empty() {
            self.report(site, "has no doc");
        }
        match parse_hex(hex) {
            Ok(parts) if parts.len() > most => {
                self.report(site, format!("has {} segments where {most} are allowed", parts.len()));
            }
            Ok(_) => {}
            Err(what) => self.report(site, format!("hex: {what}")),
        }
        self.given(site, context);
    }

    /// What the decoder is told.
    pub(super) fn given(&mut self, site: &Site<'a>, context: &IndexMap<String, serde_json::Value>) {
        for name in context.keys().filter(|name| !self.spec.context.contains_key(*name)) {
            self.report(site, format!("no context variable `{name}`"));
        }
    }
}

/// How many segments an example may have.
fn segments(body: &Body<'_>) -> usize {
    match body.kind {
        BodyKind::Segments => body.fields.len().min(MOST_SEGMENTS),
        // front, middle and data
        BodyKind::Message => 3,
        BodyKind::Struct | BodyKind::Frame => 1,
    }
}
