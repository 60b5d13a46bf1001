//! Numbers: of enums, of flags, of tags and of message types.

use std::collections::HashMap;

use super::types::base_range;
use super::{Lint, Site};
use crate::expr::{Type, parse_type};
use crate::model::*;

impl<'a> Lint<'a> {
    pub(super) fn numbers(&mut self) {
        let spec = self.spec;
        for (name, e) in &spec.enums {
            self.enumeration(&self.shared("enums", name, e.line), e);
        }
        for (name, f) in &spec.flags {
            self.flag_word(&self.shared("flags", name, f.line), f);
        }
        for dialect in spec.dialects.values() {
            let mut seen: HashMap<u8, &str> = HashMap::new();
            for (name, tag) in &dialect.tags {
                let site = self.of_dialect(dialect, "tags", name, tag.line);
                if tag.number == 0 {
                    self.report(&site, "0 is no tag; tables of states let it stand for the banner");
                }
                if let Some(first) = seen.insert(tag.number, name) {
                    self.report(&site, format!("{first} has the number {} already", tag.number));
                }
            }
        }
        self.message_types();
        for (name, variable) in &spec.context {
            let site = self.shared("context", name, variable.line);
            let ok = match parse_type(&variable.ty) {
                Ok(ty @ Type::Scalar(_)) => self.range(None, &ty).is_some_and(|(low, _)| low == 0),
                Ok(Type::Named(name)) => spec.enums.contains_key(&name),
                _ => false,
            };
            if !ok {
                self.report(&site, format!("`{}` is neither an enum nor an unsigned integer", variable.ty));
            }
        }
    }

    fn enumeration(&mut self, site: &Site<'a>, e: &'a Enum) {
        let Some((low, high)) = base_range(&e.base) else {
            return self.report(site, format!("base `{}` is no little-endian integer", e.base));
        };
        let mut ranges: Vec<(i64, i64, &str)> = Vec::new();
        for (name, value) in &e.values {
            // borrowed values stand in another file
            let site = if e.like.is_some() { site.clone() } else { site.part(name, value.line) };
            let last = value.to.unwrap_or(value.number);
            if value.to.is_some_and(|to| to <= value.number) {
                self.report(&site, format!("the range {} to {last} is no range", value.number));
                continue;
            }
            if i128::from(value.number) < low || i128::from(last) > high {
                self.report(&site, format!("`{name}` doesn't fit into {}", e.base));
            }
            let overlaps = |(first, to, _): &&(i64, i64, &str)| *first <= last && value.number <= *to;
            if e.like.is_none()
                && let Some((_, _, other)) = ranges.iter().find(overlaps)
            {
                self.report(&site, format!("shares a number with `{other}`"));
            }
            ranges.push((value.number, last, name));
        }
        if e.values.is_empty() {
            self.report(site, "has no values");
        }
    }

    fn flag_word(&mut self, site: &Site<'a>, f: &'a Flags) {
        let Some((0, high)) = base_range(&f.base) else {
            return self.report(site, format!("base `{}` is no unsigned little-endian integer", f.base));
        };
        let width = 128 - high.leading_zeros();
        let mut masks: HashMap<(u64, bool), &str> = HashMap::new();
        for (name, flag) in &f.values {
            let site = site.part(name, flag.line);
            match (flag.bit, flag.bits.len()) {
                (Some(_), 0) | (None, 2..) => {}
                (Some(_), _) => self.report(&site, "has both bit and bits"),
                (None, 1) => self.report(&site, "bits are several; a single one is `bit`"),
                (None, _) => self.report(&site, "has no bit"),
            }
            for &bit in flag.bit.iter().chain(&flag.bits) {
                if u32::from(bit) >= width {
                    self.report(&site, format!("bit {bit} is outside {}", f.base));
                }
            }
            let mask = flag.mask();
            if flag.bits.len() > mask.count_ones() as usize && flag.bits.iter().all(|b| u32::from(*b) < width) {
                self.report(&site, "a bit stands twice in bits");
            }
            let companion = flag.with.as_ref().map(|with| f.values.get(with).filter(|other| other.mask() == mask));
            if let Some(None) = companion {
                self.report(&site, "`with` names no flag with the same bits");
            }
            // a bit may get another meaning once it is retired
            match masks.get(&(mask, flag.retired.is_some())) {
                Some(first) if companion.is_none() => {
                    let what = format!("has the same bits as `{first}`; if that is meant, say `with: {first}`");
                    self.report(&site, what);
                }
                Some(_) => {}
                None => {
                    masks.insert((mask, flag.retired.is_some()), name);
                }
            }
        }
        if f.values.is_empty() {
            self.report(site, "has no values");
        }
    }

    /// A message goes by the name of its type, which has the number.
    fn message_types(&mut self) {
        let spec = self.spec;
        for (name, message) in &spec.messages {
            if spec.message_type(name).is_none() {
                let site = self.shared("messages", name, message.line);
                self.report(&site, format!("the enum message_type has no {}", name.to_uppercase()));
            }
        }
    }
}
