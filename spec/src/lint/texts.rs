//! Structures that are text: that each number in them is a field, and that a reader sees where it ends.

use super::types::{Meaning, conditional, plain_type, stored};
use super::{Lint, Site};
use crate::expr::{Piece, Type, parse_template};
use crate::model::*;

impl<'a> Lint<'a> {
    pub(super) fn texts(&mut self) {
        let spec = self.spec;
        let shared = spec.types.iter().map(|(name, s)| (self.shared("types", name, s.line), s));
        let own = spec.dialects.values().flat_map(|dialect| {
            let site = |name: &str, s: &At<Struct>| self.of_dialect(dialect, "types", name, s.line);
            dialect.types.iter().map(move |(name, s)| (site(name, s), s)).collect::<Vec<_>>()
        });
        let all: Vec<(Site<'a>, &'a At<Struct>)> = shared.chain(own).collect();
        for (site, s) in all {
            match &s.text {
                Some(text) => self.text(&site, s, text),
                None if s.max.is_some() => self.report(&site, "max is for a structure that is text"),
                None => {}
            }
        }
    }

    fn text(&mut self, site: &Site<'a>, s: &'a Struct, text: &str) {
        if s.versioned.is_some() || s.version.is_some() || s.open {
            self.report(site, "a text has no version, and nothing can be appended to it");
        }
        for field in &s.fields {
            self.number_in_text(&site.part(&field.name, field.line), field);
        }
        let pieces = match parse_template(text) {
            Ok(pieces) => pieces,
            Err(what) => return self.report(site, format!("text: {what}")),
        };
        let placeholders = pieces.iter().filter_map(|piece| match piece {
            Piece::Field(path) => Some(path.join(".")),
            Piece::Text(_) => None,
        });
        if !placeholders.eq(s.fields.iter().map(|field| field.name.as_str())) || s.fields.is_empty() {
            self.report(site, "text: names all its fields, each once, in their order");
        }
        // a number ends at the first byte that is no digit
        for pair in pieces.windows(2) {
            match (&pair[0], &pair[1]) {
                (Piece::Field(_), Piece::Field(_)) => self.report(site, "text: nothing stands between two numbers"),
                (Piece::Field(path), Piece::Text(words)) if words.starts_with(is_digit) => {
                    self.report(site, format!("text: what follows `{{{}}}` begins with a hex digit", path.join(".")));
                }
                _ => {}
            }
        }
        if matches!(pieces.last(), Some(Piece::Field(_))) {
            self.report(site, "text: a number is last, so nobody sees where it ends");
        }
        let least: usize = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(words) => words.len(),
                Piece::Field(_) => 1,
            })
            .sum();
        if let Some(max) = s.max.filter(|max| *max < least as u64) {
            self.report(site, format!("max: the text has at least {least} bytes, not {max}"));
        }
    }

    fn number_in_text(&mut self, site: &Site<'a>, field: &'a Field) {
        let ty = plain_type(field);
        let unsigned = match &ty {
            Some(Type::Scalar(scalar)) => {
                use crate::expr::Scalar::*;
                matches!(scalar, U8 | U16 | U32 | U64)
            }
            Some(Type::Named(name)) => matches!(self.meaning(site.dialect, name), Some(Meaning::Flags(_))),
            _ => false,
        };
        if !unsigned {
            self.report(site, "a number in a text is a little-endian unsigned integer or a word of flags");
        }
        let plain = field.holds.is_none() && field.sealed.is_none() && field.max.is_none();
        if conditional(field) || !stored(field) || !plain {
            self.report(site, "a number in a text has a name, a type and a way to be shown, and nothing else");
        }
    }
}

fn is_digit(c: char) -> bool {
    matches!(c, '0'..='9' | 'a'..='f')
}
