//! Structures: their versions, the order of their fields, and what lint must know of fields that everybody needs.

use super::Lint;
use crate::ir::*;

/// Fields that the runtime, frames and tracker name by themselves, and their types.
const NEEDED: &[(&str, &str)] = &[
    ("marker", "u8"),
    ("struct_v", "u8"),
    ("struct_compat", "u8"),
    ("struct_len", "u32"),
    ("preamble", "empty"),
    ("epilogue", "empty"),
    ("extra", "rest"),
    ("unknown", "rest"),
    ("encrypted", "rest"),
    ("undecoded", "rest"),
    ("middle", "rest"),
    ("data", "rest"),
    ("middle_extra", "rest"),
    ("data_extra", "rest"),
];

impl Lint<'_> {
    pub(super) fn common(&mut self) {
        for (name, ty) in NEEDED {
            match self.ir.common.get(*name) {
                Some(common) if self.ir.written(&common.node.ty) == *ty => {}
                Some(common) => {
                    self.report(&common.site, format!("must be {ty}: the code that fills it counts on that"))
                }
                None => {
                    let site = Site { key: format!("common.{name}"), ..Site::default() };
                    self.report(&site, "is missing, and generated code or the tracker fills it");
                }
            }
        }
        for common in self.ir.common.values() {
            self.sentence(&common.site, &self.ir[common.node.field].doc);
            self.check_type(&common.site, &common.node.ty, false);
            self.display(&common.site, &common.display, Some(&common.node.ty));
        }
    }

    pub(super) fn structures(&mut self) {
        for body in &self.ir.bodies {
            self.versions(body);
            for field in &body.fields {
                self.field(body, field);
            }
            for segment in &body.segments {
                let fields = body.fields.get(segment.clone()).unwrap_or_default();
                self.order(body, fields);
                self.holes(body, fields);
            }
        }
    }

    fn versions(&mut self, body: &Body) {
        if body.versioned.as_ref().is_some_and(|v| v.version == 0 || v.compat == Some(0)) {
            self.report(&body.site, "versions count from 1");
        }
        if let Some((newest, Some(compat))) = body.versions()
            && newest < compat
        {
            let what = format!("the newest version, {newest}, is older than the oldest reader's, {compat}");
            self.report(&body.site, what);
        }
    }

    /// What follows something that takes all bytes would never be read.
    fn order(&mut self, body: &Body, fields: &[Field]) {
        for pair in fields.windows(2) {
            let (field, next) = (&pair[0], &pair[1]);
            let site = body.site.part(&field.name, field.line);
            if self.ir.greedy(&field.node.ty) {
                self.report(&site, format!("takes all bytes that are left, but `{}` follows", next.name));
            } else if field.asks_for_more() && !next.asks_for_more() {
                let what = format!("is there only if bytes are left, but `{}` behind it needs no more", next.name);
                self.report(&site, what);
            }
        }
    }

    /// Since and until of all fields together.
    fn holes(&mut self, body: &Body, fields: &[Field]) {
        // Readers that skip what is appended find new fields only at the end. Versions that they refuse don't matter.
        if let Some((_, Some(compat))) = body.versions() {
            let rearranged = match &body.kind {
                BodyKind::Message { versions, .. } => versions.rearranged.unwrap_or(0),
                _ => 0,
            };
            let (mut newest, compat) = (0, compat.max(rearranged));
            for (index, field) in fields.iter().enumerate() {
                let since = place_since(fields, index);
                if since < newest && newest > compat {
                    let site = body.site.part(&field.name, field.line);
                    let what = format!(
                        "stands behind a field of version {newest}, where readers of version {compat} don't look for it"
                    );
                    self.report(&site, what);
                    break;
                }
                newest = newest.max(since);
            }
        }
        // a field that took another's place
        for pair in fields.windows(2) {
            if let (Some(until), Some(since)) = (pair[0].until, pair[1].since)
                && since > until.saturating_add(1)
            {
                let site = body.site.part(&pair[1].name, pair[1].line);
                let what = format!("versions {} to {} have neither it nor `{}`", until + 1, since - 1, pair[0].name);
                self.report(&site, what);
            }
        }
    }
}

/// The version since which something stands where a field does: the field, or those whose place it took.
fn place_since(fields: &[Field], index: usize) -> u16 {
    let since = fields[index].since.unwrap_or(0);
    match index.checked_sub(1).map(|before| (before, fields[before].until)) {
        Some((before, Some(until))) if until.checked_add(1) == Some(since) => place_since(fields, before),
        _ => since,
    }
}
