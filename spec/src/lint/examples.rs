//! Examples: that there are some. Whether they are true, tests of the codec tell.

use super::Lint;
use super::dialects::MOST_SEGMENTS;
use crate::ir::*;

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

impl Lint<'_> {
    pub(super) fn examples(&mut self) {
        for body in &self.ir.bodies {
            if body.examples.is_empty() && !body.is_struct() {
                self.report(&body.site, "has no example");
            }
            if body.is_message() && !body.fields.is_empty() && body.refused.is_empty() {
                self.report(&body.site, "has no example of bytes that a reader refuses");
            }
            for example in &body.examples {
                let site = body.site.part("examples", example.line);
                self.example(&site, &example.doc, &example.segments, body.segments.len().clamp(1, MOST_SEGMENTS));
            }
            for refused in &body.refused {
                let site = body.site.part("refused", refused.line);
                self.example(&site, &refused.doc, &refused.segments, MOST_SEGMENTS);
                if !ERRORS.contains(&refused.error.as_str()) {
                    self.report(&site, format!("`{}` is no error: {}", refused.error, ERRORS.join(", ")));
                }
            }
        }
        for envelope in self.ir.dialects.iter().filter_map(|dialect| dialect.envelope.as_ref()) {
            if envelope.examples.is_empty() {
                self.report(&envelope.site, "has no example");
            }
            for (_, example) in &envelope.examples {
                self.example(&envelope.site.part("examples", example.line), &example.doc, &example.segments, 1);
            }
        }
    }

    fn example(&mut self, site: &Site, doc: &str, segments: &[Vec<u8>], most: usize) {
        if doc.trim().is_empty() {
            self.report(site, "has no doc");
        }
        if segments.len() > most {
            self.report(site, format!("has {} segments where {most} are allowed", segments.len()));
        }
    }
}
