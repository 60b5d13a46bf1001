//! Names: how they are spelt, and that no two of them become one in Rust.

use std::collections::HashMap;

use super::{BodyKind, Lint, Site};
use crate::expr::{Type, parse_type};
use crate::model::*;
use crate::rust::names::pascal;

/// Names that generated code needs for itself: variables of reading functions, words that Rust keeps.
const TAKEN_FIELDS: &[&str] = &["r", "t", "cx", "self", "super", "crate", "segments"];

/// Names that generated code needs for itself: types.
const TAKEN_TYPES: &[&str] = &[
    "Tag", "Frame", "Body", "Context", "Guard", "Action", "Self", "Option", "Result", "Vec", "Default", "Ok", "Err",
    "Some", "None",
];

impl<'a> Lint<'a> {
    pub(super) fn names(&mut self) {
        self.spelling();
        self.field_names();
        self.rust_types();
    }

    fn spelling(&mut self) {
        let spec = self.spec;
        macro_rules! sections {
            ($($section:ident),*) => {$(
                for (name, item) in &spec.$section {
                    self.snake(&self.shared(stringify!($section), name, item.line), name);
                }
            )*};
        }
        sections!(common, context, limits, findings, enums, flags, types, guards, actions, messages);
        for (word, e) in spec.enums.iter().filter(|(_, e)| e.like.is_none()) {
            let site = self.shared("enums", word, e.line);
            self.constants(&site, e.values.iter().map(|(name, value)| (name.as_str(), value.line)));
        }
        for (word, f) in &spec.flags {
            let site = self.shared("flags", word, f.line);
            self.constants(&site, f.values.iter().map(|(name, flag)| (name.as_str(), flag.line)));
        }
        for dialect in spec.dialects.values() {
            let site = self.of_dialect(dialect, "", "dialect", dialect.line);
            let name = &dialect.info.name;
            if !name.starts_with(|c: char| c.is_ascii_lowercase())
                || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(&b))
            {
                self.report(&site, format!("`{name}`: a dialect has a name such as v2.1"));
            }
            for (name, s) in &dialect.types {
                self.snake(&self.of_dialect(dialect, "types", name, s.line), name);
            }
            for (name, tag) in dialect.tags.iter().filter(|(name, _)| dialect.own_tags.contains(*name)) {
                self.snake(&self.of_dialect(dialect, "tags", name, tag.line), name);
            }
            for (name, exchange) in &dialect.exchanges {
                self.snake(&self.of_dialect(dialect, "exchanges", name, exchange.line), name);
            }
            for (role, states) in dialect.states.iter().filter(|_| dialect.own_states) {
                for (name, state) in states {
                    self.snake(&self.of_dialect(dialect, "states", &format!("{role}.{name}"), state.line), name);
                }
            }
        }
    }

    fn snake(&mut self, site: &Site<'a>, name: &str) {
        if !is_snake(name) {
            self.report(site, format!("`{name}` is not in snake_case"));
        }
    }

    /// Values and flags may also be written large; Rust knows them in large letters only.
    fn constants(&mut self, site: &Site<'a>, names: impl Iterator<Item = (&'a str, u64)>) {
        let mut seen: HashMap<String, &str> = HashMap::new();
        for (name, line) in names {
            let site = site.part(name, line);
            if !is_snake(name) && !is_snake(&name.to_ascii_lowercase()) || mixes_case(name) {
                self.report(&site, format!("`{name}` is neither in snake_case nor in UPPER_CASE"));
            }
            if let Some(first) = seen.insert(name.to_ascii_lowercase(), name) {
                self.report(&site, format!("is the same as `{first}` but for the size of letters"));
            }
        }
    }

    fn field_names(&mut self) {
        for body in self.bodies() {
            let taken = body.taken();
            let mut seen: HashMap<&str, u64> = HashMap::new();
            for field in body.fields {
                let (name, site) = (field.name.as_str(), body.site.part(&field.name, field.line));
                self.snake(&site, name);
                if TAKEN_FIELDS.contains(&name)
                    && (name != "segments" || matches!(body.kind, BodyKind::Segments | BodyKind::Message))
                {
                    self.report(&site, format!("generated code needs the name `{name}` for itself"));
                }
                if taken.contains(&name) {
                    self.report(&site, format!("the structure has a `{name}` already, by its header or end"));
                }
                if let Some(line) = seen.insert(name, field.line) {
                    self.report(&site, format!("another field is called `{name}`, in line {line}"));
                }
            }
        }
    }

    /// Types, enums, flags, frames and unions share one space of names in Rust, per dialect and shared by all.
    fn rust_types(&mut self) {
        let spec = self.spec;
        let mut all: Vec<(&str, Site<'a>, String)> = Vec::new();
        for (name, e) in &spec.enums {
            all.push(("enum", self.shared("enums", name, e.line), name.clone()));
        }
        for (name, f) in &spec.flags {
            all.push(("flags", self.shared("flags", name, f.line), name.clone()));
        }
        for body in self.bodies() {
            let what = match body.kind {
                BodyKind::Struct => "type",
                BodyKind::Frame | BodyKind::Segments => "frame",
                BodyKind::Message => "message",
            };
            let name = body.rust_name();
            all.push((what, body.site.clone(), name.clone()));
            for field in body.fields {
                if matches!(field.holds.as_ref().unwrap_or(&field.ty), TypeRef::Switch(_)) {
                    let site = body.site.part(&field.name, field.line);
                    all.push(("union", site, format!("{name}_{}", field.name)));
                }
            }
        }
        let mut seen: HashMap<(Option<&str>, String), (&str, String)> = HashMap::new();
        for (what, site, name) in all {
            let builtin = what != "union" && !matches!(parse_type(&name), Ok(Type::Named(_)));
            if is_snake(&name) && (builtin || TAKEN_TYPES.contains(&pascal(&name).as_str())) {
                self.report(&site, format!("`{name}` means something already"));
            }
            let scope = site.dialect.map(|d| d.info.name.as_str());
            // what a dialect calls like something shared hides that, which only structures may do
            if let Some((other, key)) = scope.and_then(|_| seen.get(&(None, pascal(&name))))
                && !(what == "type" && *other == "type")
            {
                let what = format!("{key} has this name already");
                self.report(&site, what);
            }
            if let Some((_, key)) = seen.get(&(scope, pascal(&name))) {
                let what = format!("{key} has this name already, as Rust sees it");
                self.report(&site, what);
            } else {
                seen.insert((scope, pascal(&name)), (what, site.key));
            }
        }
    }
}

fn is_snake(name: &str) -> bool {
    let letters = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    letters && name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.ends_with('_') && !name.contains("__")
}

fn mixes_case(name: &str) -> bool {
    name.bytes().any(|b| b.is_ascii_lowercase()) && name.bytes().any(|b| b.is_ascii_uppercase())
}
