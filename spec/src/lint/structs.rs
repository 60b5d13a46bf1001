//! Structures: their versions, the order of their fields, and what lint must know of fields that everybody needs.

use super::types::{Place, asks_for_more};
use super::{Body, BodyKind, Lint};
use crate::model::*;

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

impl<'a> Lint<'a> {
    pub(super) fn common(&mut self) {
        let spec = self.spec;
        for (name, ty) in NEEDED {
            match spec.common.get(*name) {
                Some(common) if common.ty == TypeRef::Expr((*ty).to_owned()) => {}
                Some(common) => {
                    let site = self.shared("common", name, common.line);
                    self.report(&site, format!("must be {ty}: the code that fills it counts on that"));
                }
                None => {
                    let site = self.shared("common", name, 0);
                    self.report(&site, "is missing, and generated code or the tracker fills it");
                }
            }
        }
        for (name, common) in &spec.common {
            let site = self.shared("common", name, common.line);
            match &common.ty {
                TypeRef::Expr(text) => {
                    self.type_of(&site, text, Place::Held);
                }
                TypeRef::Switch(_) => self.report(&site, "must not be a union"),
            }
        }
        if !spec.messages.is_empty() && !spec.context.contains_key("message_version") {
            let site = self.shared("context", "message_version", 0);
            self.report(&site, "is missing, and the versions of messages are held against it");
        }
    }

    pub(super) fn structures(&mut self) {
        for body in self.bodies() {
            self.versions(&body);
            for (index, field) in body.fields.iter().enumerate() {
                self.field(&body, index, field);
            }
            for fields in body.segments() {
                self.order(&body, fields);
                self.holes(&body, fields);
            }
            if let Some((key, text)) = body.template {
                self.template(&body, key, text);
            }
        }
    }

    fn versions(&mut self, body: &Body<'a>) {
        let site = &body.site;
        match (body.versioned, body.version) {
            (Some(_), Some(_)) => self.report(site, "has a version of its own and one from outside"),
            (Some(versioned), None) => {
                if versioned.version == 0 || versioned.compat == Some(0) {
                    self.report(site, "versions count from 1");
                }
            }
            (None, Some(variable)) => match variable.strip_prefix('$') {
                Some(name) if self.spec.context.contains_key(name) => {}
                // a body of a message has been told about already
                _ if body.kind == BodyKind::Message => {}
                _ => self.report(site, format!("`version: {variable}` names no context variable")),
            },
            (None, None) => {}
        }
        if let (Some(newest), Some(compat)) = (body.newest, body.compat)
            && newest < compat
        {
            self.report(site, format!("the newest version, {newest}, is older than the oldest reader's, {compat}"));
        }
    }

    /// What follows something that takes all bytes would never be read.
    fn order(&mut self, body: &Body<'a>, fields: &[At<Field>]) {
        for (index, field) in fields.iter().enumerate() {
            let site = body.site.part(&field.name, field.line);
            let Some(next) = fields.get(index + 1) else { break };
            if self.greedy_field(site.dialect, field) {
                self.report(&site, format!("takes all bytes that are left, but `{}` follows", next.name));
            } else if asks_for_more(field) && !asks_for_more(next) {
                let what = format!("is there only if bytes are left, but `{}` behind it needs no more", next.name);
                self.report(&site, what);
            }
        }
    }

    /// Since and until of all fields together.
    fn holes(&mut self, body: &Body<'a>, fields: &[At<Field>]) {
        // Readers that skip what is appended find new fields only at the end. Versions that they refuse don't matter.
        if let Some(compat) = body.compat {
            let mut newest = 0;
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
fn place_since(fields: &[At<Field>], index: usize) -> u16 {
    let since = fields[index].since.unwrap_or(0);
    match index.checked_sub(1).map(|before| (before, fields[before].until)) {
        Some((before, Some(until))) if until.checked_add(1) == Some(since) => place_since(fields, before),
        _ => since,
    }
}
