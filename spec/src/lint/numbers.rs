//! Numbers: of enums, of flags, of tags and of message types.

use std::collections::HashMap;

use super::Lint;
use crate::ir::*;

impl Lint<'_> {
    pub(super) fn numbers(&mut self) {
        let ir = self.ir;
        ir.enums.iter().filter(|e| e.dialect.is_none()).for_each(|e| self.enumeration(e));
        ir.flags.iter().for_each(|f| self.flag_word(f));
        for dialect in &ir.dialects {
            let mut seen: HashMap<u8, &str> = HashMap::new();
            for (name, body) in dialect.tags.iter().map(|(name, id)| (name, &ir[*id])) {
                let BodyKind::Frame { number, .. } = body.kind else { continue };
                if number == 0 {
                    self.report(&body.site, "0 is no tag; tables of states let it stand for the banner");
                }
                if let Some(first) = seen.insert(number, name) {
                    self.report(&body.site, format!("{first} has the number {number} already"));
                }
            }
        }
    }

    fn enumeration(&mut self, e: &Enum) {
        let (site, (low, high)) = (&e.site, e.base.range());
        let mut ranges: Vec<(i64, i64, &str)> = Vec::new();
        for (name, value) in &e.says.values {
            // borrowed values stand in another file
            let site = if e.says.like.is_some() { site.clone() } else { site.part(name, value.line) };
            let last = value.to.unwrap_or(value.number);
            if value.to.is_some_and(|to| to <= value.number) {
                self.report(&site, format!("the range {} to {last} is no range", value.number));
                continue;
            }
            if i128::from(value.number) < low || i128::from(last) > high {
                self.report(&site, format!("`{name}` doesn't fit into {}", e.base));
            }
            let overlaps = |(first, to, _): &&(i64, i64, &str)| *first <= last && value.number <= *to;
            if e.says.like.is_none()
                && let Some((_, _, other)) = ranges.iter().find(overlaps)
            {
                self.report(&site, format!("shares a number with `{other}`"));
            }
            ranges.push((value.number, last, name));
        }
        if e.says.values.is_empty() {
            self.report(site, "has no values");
        }
    }

    fn flag_word(&mut self, f: &Flags) {
        let site = &f.site;
        let width = 8 * f.base.min_size() as u32;
        let mut masks: HashMap<(u64, bool), &str> = HashMap::new();
        for (name, flag) in &f.says.values {
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
            let companion = flag.with.as_ref().map(|with| f.says.values.get(with).filter(|other| other.mask() == mask));
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
        if f.says.values.is_empty() {
            self.report(site, "has no values");
        }
    }
}
