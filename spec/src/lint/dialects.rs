//! Dialects: their folder, banner and envelope, and what they override.

use super::recursion::structures_in;
use super::types::Meaning;
use super::{BodyKind, Lint, Site};
use crate::model::*;
use crate::spec::DialectView;

/// The most segments of a frame.
pub(super) const MOST_SEGMENTS: usize = 4;

impl<'a> Lint<'a> {
    pub(super) fn dialects(&mut self) {
        let spec = self.spec;
        for dialect in spec.dialects.values() {
            let site = self.of_dialect(dialect, "", "dialect", dialect.line);
            let folder = dialect.folder.rsplit('/').next().unwrap_or_default();
            if folder != dialect.info.name {
                self.report(&site, format!("`{}` stands in a folder called `{folder}`", dialect.info.name));
            }
            match &dialect.banner {
                Some(banner) => self.banner(dialect, banner),
                None => self.report(&site, "has no banner"),
            }
            match &dialect.envelope {
                Some(envelope) if self.own(dialect, "envelope") => self.envelope(dialect, envelope),
                Some(_) => {}
                None => self.report(&site, "has no envelope"),
            }
            for (name, tag) in dialect.tags.iter().filter(|(name, _)| dialect.own_tags.contains(*name)) {
                let site = self.of_dialect(dialect, "tags", name, tag.line);
                if !tag.segments.is_empty() && !tag.fields.is_empty() {
                    self.report(&site, "has fields and segments; with several segments each is a field");
                }
                if tag.segments.len() > MOST_SEGMENTS {
                    self.report(&site, format!("a frame has no more than {MOST_SEGMENTS} segments"));
                }
                if !tag.segments.is_empty() && tag.open {
                    self.report(&site, "`open` means nothing for a frame of several segments");
                }
            }
            self.overrides(dialect);
        }
    }

    /// Whether a dialect has its own banner or envelope.
    fn own(&self, dialect: &DialectView, what: &str) -> bool {
        !self.spec.place(&format!("{}..{what}", dialect.folder)).is_empty()
    }

    fn banner(&mut self, dialect: &'a DialectView, banner: &'a At<Banner>) {
        if !self.own(dialect, "banner") {
            return;
        }
        let site = self.of_dialect(dialect, "", "banner", banner.line);
        if dialect.info.extends.is_some() {
            self.report(&site, "a dialect that extends another has the banner of that");
        }
        let Some(Meaning::Struct(s)) = self.meaning(Some(dialect), &banner.ty) else {
            return self.report(&site, format!("`{}` names no structure", banner.ty));
        };
        if let Some(text) = &banner.info {
            let body = super::struct_body(site, &banner.ty, s);
            self.template(&body, "info", text);
        }
    }

    fn envelope(&mut self, dialect: &'a DialectView, envelope: &'a At<Envelope>) {
        let site = self.of_dialect(dialect, "", "envelope", envelope.line);
        if envelope.modes.is_empty() {
            self.report(&site, "has no modes");
        }
        let most = dialect.tags.values().map(|tag| tag.segments.len().max(1)).max().unwrap_or(1);
        for (mode, parts) in &envelope.modes {
            let mode_site = site.part(&format!("modes.{mode}"), 0);
            // the first segment that no part has held so far; nothing once the rest is held
            let mut next = Some(0);
            for (index, part) in parts.iter().enumerate() {
                let site = mode_site.part(&index.to_string(), 0);
                self.part(&site, part, &mut next);
            }
            if next.is_some_and(|next| usize::from(next) < most) {
                self.report(&mode_site, "no part holds the last segments, such as `1..`");
            }
        }
        for example in &envelope.examples {
            let site = site.part("examples", example.line);
            if !envelope.modes.contains_key(&example.mode) {
                self.report(&site, format!("`{}` names no mode", example.mode));
            }
            if !dialect.tags.contains_key(&example.tag) {
                self.report(&site, format!("`{}` names no tag", example.tag));
            }
        }
    }

    fn part(&mut self, site: &Site<'a>, part: &Part, next: &mut Option<u8>) {
        if [part.block.is_some(), part.segments.is_some(), part.seal.is_some()].iter().filter(|&&is| is).count() != 1 {
            self.report(site, "is either a block, segments or a seal");
        }
        if part.segments.is_none() && (part.from.is_some() || part.to.is_some() || part.padded.is_some()) {
            self.report(site, "only segments can be cut and padded");
        }
        if part.seal.is_some() && part.covers.is_none() {
            self.report(site, "is a seal that covers nothing");
        }
        if let Some(block) = &part.block
            && !matches!(self.meaning(site.dialect, block), Some(Meaning::Struct(_)))
            && !site.dialect.is_some_and(|d| d.tags.get(block).is_some_and(|tag| tag.envelope))
        {
            self.report(site, format!("block: `{block}` names no structure, and no tag of the envelope"));
        }
        if part.seed.is_some() && part.covers.is_none() {
            self.report(site, "has a seed, but its CRC covers nothing");
        }
        let Some(segments) = &part.segments else { return };
        let (number, rest) = match segments.strip_suffix("..") {
            Some(number) => (number, true),
            None => (segments.as_str(), false),
        };
        match (number.parse::<u8>(), *next) {
            // the rest of a segment that has begun
            (Ok(number), Some(expected)) if part.from.is_some() && number + 1 == expected && !rest => {}
            (Ok(number), Some(expected)) if number == expected && usize::from(number) < MOST_SEGMENTS => {
                *next = if rest { None } else { Some(number + 1) };
            }
            (Ok(_), _) => self.report(site, format!("segments `{segments}` don't follow those before")),
            (Err(_), _) => self.report(site, format!("segments `{segments}` is neither such as `0` nor as `1..`")),
        }
        if *next == Some(MOST_SEGMENTS as u8) {
            *next = None;
        }
    }

    /// What a dialect overrides mustn't be used by what it has from others, for that goes on with the old one.
    fn overrides(&mut self, dialect: &'a DialectView) {
        let spec = self.spec;
        let inherits = |name: &str| spec.ancestry(dialect).skip(1).any(|d| d.types.contains_key(name));
        for (name, s) in dialect.types.iter().filter(|(name, _)| inherits(name) || spec.types.contains_key(*name)) {
            let site = self.of_dialect(dialect, "types", name, s.line);
            for body in self.bodies() {
                let foreign = match body.site.dialect {
                    Some(owner) => spec.ancestry(dialect).skip(1).any(|d| std::ptr::eq(d, owner)),
                    None => !inherits(name),
                };
                let replaced = match body.kind {
                    BodyKind::Struct => dialect.types.contains_key(body.name),
                    BodyKind::Frame | BodyKind::Segments => dialect.own_tags.contains(body.name),
                    BodyKind::Message => true,
                };
                if foreign && !replaced && body.fields.iter().any(|f| mentions(f, name)) {
                    let what = format!("overrides what {} uses, which will go on to use the old one", body.site.key);
                    self.report(&site, what);
                }
            }
            if dialect.banner.as_ref().is_some_and(|b| b.ty == *name) && !self.own(dialect, "banner") {
                self.report(&site, "overrides what the inherited banner uses");
            }
        }
    }
}

fn mentions(field: &Field, name: &str) -> bool {
    let mut references = std::iter::once(&field.ty).chain(&field.holds);
    references.any(|reference| structures_in(reference).iter().any(|n| n == name))
        || field.sealed.as_ref().is_some_and(|s| s.holds == name)
}
