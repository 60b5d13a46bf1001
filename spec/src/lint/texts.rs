//! Structures that are text: that each number in them is a field, and that a reader sees where it ends.

use super::Lint;
use crate::ir::*;

impl Lint<'_> {
    pub(super) fn texts(&mut self) {
        for body in &self.ir.bodies {
            if let Some(text) = &body.text {
                self.text(body, text);
            }
        }
    }

    fn text(&mut self, body: &Body, text: &Text) {
        let site = &body.site;
        if body.version.is_some() || body.open {
            self.report(site, "a text has no version, and nothing can be appended to it");
        }
        for field in &body.fields {
            self.number_in_text(&site.part(&field.name, field.line), field);
        }
        // a number ends at the first byte that is no digit
        for pair in text.pieces.windows(2) {
            match (&pair[0], &pair[1]) {
                (Piece::Field(..), Piece::Field(..)) => self.report(site, "text: nothing stands between two numbers"),
                (Piece::Field(path, _), Piece::Text(words)) if words.starts_with(is_digit) => {
                    let name = self.ir.walk(body, path).last().map_or("", |field| &field.name);
                    self.report(site, format!("text: what follows `{{{name}}}` begins with a hex digit"));
                }
                _ => {}
            }
        }
        if matches!(text.pieces.last(), Some(Piece::Field(..))) {
            self.report(site, "text: a number is last, so nobody sees where it ends");
        }
        let least = body.min_size;
        if let Some(max) = text.max.filter(|max| *max < least as u64) {
            self.report(site, format!("max: the text has at least {least} bytes, not {max}"));
        }
    }

    fn number_in_text(&mut self, site: &Site, field: &Field) {
        let unsigned = match &field.node.ty {
            Type::Scalar(scalar) => scalar.is_integer() && !scalar.is_signed() && !scalar.is_big_endian(),
            ty => matches!(ty, Type::Flags(_)),
        };
        if !unsigned {
            self.report(site, "a number in a text is a little-endian unsigned integer or a word of flags");
        }
        let plain = field.content.is_none() && field.sealed.is_none() && field.max.is_none();
        if field.conditional() || field.derived.is_some() || !plain {
            self.report(site, "a number in a text has a name, a type and a way to be shown, and nothing else");
        }
    }
}

fn is_digit(c: char) -> bool {
    matches!(c, '0'..='9' | 'a'..='f')
}
