//! Dialects: their folder, banner and envelope, and what they override.

use super::Lint;
use crate::ir::*;

/// The most segments of a frame.
pub(super) const MOST_SEGMENTS: usize = 4;

impl Lint<'_> {
    pub(super) fn dialects(&mut self) {
        let ir = self.ir;
        for (id, dialect) in ir.dialects() {
            let site = &dialect.site;
            if dialect.folder != dialect.info.name {
                self.report(site, format!("`{}` stands in a folder called `{}`", dialect.info.name, dialect.folder));
            }
            match &dialect.banner {
                Some(banner) if banner.own && dialect.parent.is_some() => {
                    self.report(&banner.site, "a dialect that extends another has the banner of that");
                }
                Some(_) => {}
                None => self.report(site, "has no banner"),
            }
            match &dialect.envelope {
                Some(envelope) if envelope.own => self.envelope(dialect, envelope),
                Some(_) => {}
                None => self.report(site, "has no envelope"),
            }
            for (_, frame) in ir.own_frames(id) {
                if frame.is_segmented() && frame.segments.len() > MOST_SEGMENTS {
                    self.report(&frame.site, format!("a frame has no more than {MOST_SEGMENTS} segments"));
                }
                if frame.is_segmented() && frame.open {
                    self.report(&frame.site, "`open` means nothing for a frame of several segments");
                }
            }
            self.overrides(id, dialect);
        }
    }

    fn envelope(&mut self, dialect: &Dialect, envelope: &Placed<Envelope>) {
        let site = &envelope.site;
        if envelope.modes.is_empty() {
            self.report(site, "has no modes");
        }
        let most = dialect.tags.values().map(|id| self.ir[*id].segments.len().max(1)).max().unwrap_or(1);
        for (mode, parts) in &envelope.modes {
            let mode_site = site.part(&format!("modes.{mode}"), 0);
            // the first segment that no part has held so far; nothing once the rest is held
            let mut next = Some(0);
            for (index, part) in parts.iter().enumerate() {
                self.part(&mode_site.part(&index.to_string(), 0), part, &mut next);
            }
            if next.is_some_and(|next| usize::from(next) < most) {
                self.report(&mode_site, "no part holds the last segments, such as `1..`");
            }
        }
    }

    fn part(&mut self, site: &Site, Part { says: part, segments, .. }: &Part, next: &mut Option<u8>) {
        if [part.block.is_some(), part.segments.is_some(), part.seal.is_some()].iter().filter(|&&is| is).count() != 1 {
            self.report(site, "is either a block, segments or a seal");
        }
        if part.segments.is_none() && (part.from.is_some() || part.to.is_some() || part.padded.is_some()) {
            self.report(site, "only segments can be cut and padded");
        }
        if part.seal.is_some() && part.covers.is_none() {
            self.report(site, "is a seal that covers nothing");
        }
        if part.seed.is_some() && part.covers.is_none() {
            self.report(site, "has a seed, but its CRC covers nothing");
        }
        let Some((number, rest)) = *segments else { return };
        match *next {
            // the rest of a segment that has begun
            Some(expected) if part.from.is_some() && number.checked_add(1) == Some(expected) && !rest => {}
            Some(expected) if number == expected && usize::from(number) < MOST_SEGMENTS => {
                *next = if rest { None } else { Some(number + 1) };
            }
            _ => {
                let written = part.segments.as_deref().unwrap_or_default();
                self.report(site, format!("segments `{written}` don't follow those before"));
            }
        }
        if *next == Some(MOST_SEGMENTS as u8) {
            *next = None;
        }
    }

    /// What a dialect overrides mustn't be used by what it has from others, for that goes on with the old one.
    fn overrides(&mut self, id: DialectId, dialect: &Dialect) {
        let ir = self.ir;
        for (_, own) in ir.types(Some(id)) {
            let Some(old) = own.replaces else { continue };
            for (other, body) in ir.bodies() {
                let foreign = body.dialect.is_none() || ir.ancestry(dialect.parent).any(|d| Some(d) == body.dialect);
                let mut all = ir.bodies.iter().filter(|body| body.dialect == Some(id));
                let replaced = body.is_message() || all.any(|body| body.replaces == Some(other));
                if foreign && !replaced && body.fields.iter().any(|field| mentions(field, old)) {
                    let what = format!("overrides what {} uses, which will go on to use the old one", body.site.key);
                    self.report(&own.site, what);
                }
            }
            if dialect.banner.as_ref().is_some_and(|banner| !banner.own && banner.body == old) {
                self.report(&own.site, "overrides what the inherited banner uses");
            }
        }
    }
}

fn mentions(field: &Field, id: BodyId) -> bool {
    let mut nodes = std::iter::once(&field.node).chain(&field.content);
    nodes.any(|node| node.ty.structures().contains(&id)) || field.sealed.as_ref().is_some_and(|s| s.holds == id)
}
