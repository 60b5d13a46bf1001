//! Names: how they are spelt, and which of them are taken.

use std::collections::HashMap;

use super::Lint;
use crate::ir::*;
use crate::model::Named;

/// Names that generated code needs for itself: variables of reading functions, words that Rust keeps.
const TAKEN_FIELDS: &[&str] = &["r", "t", "cx", "self", "super", "crate", "segments"];

impl Lint<'_> {
    pub(super) fn names(&mut self) {
        let ir = self.ir;
        macro_rules! sections {
            ($($section:ident),*) => {$(
                for (name, item) in &ir.$section {
                    self.snake(&item.site, name);
                }
            )*};
        }
        sections!(common, context, aliases, limits, findings, guards, actions);
        for e in ir.enums.iter().filter(|e| e.dialect.is_none()) {
            self.snake(&e.site, &e.name);
            if e.says.like.is_none() {
                self.constants(&e.site, &e.says.values);
            }
        }
        for f in &ir.flags {
            self.snake(&f.site, &f.name);
            self.constants(&f.site, &f.says.values);
        }
        for body in &ir.bodies {
            self.snake(&body.site, &body.name);
            self.field_names(body);
        }
        for dialect in &ir.dialects {
            let name = &dialect.info.name;
            if !name.starts_with(|c: char| c.is_ascii_lowercase())
                || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(&b))
            {
                self.report(&dialect.site, format!("`{name}`: a dialect has a name such as v2.1"));
            }
            for (name, exchange) in &dialect.exchanges {
                self.snake(&exchange.site, name);
            }
            for state in dialect.states.values().flatten().filter(|state| state.own) {
                self.snake(&state.site, &state.name);
            }
        }
    }

    fn snake(&mut self, site: &Site, name: &str) {
        if !is_snake(name) {
            self.report(site, format!("`{name}` is not in snake_case"));
        }
    }

    /// Values and flags may also be written large; Rust knows them in large letters only.
    fn constants<T>(&mut self, site: &Site, names: &Named<T>) {
        let mut seen: HashMap<String, &str> = HashMap::new();
        for (name, item) in names {
            let site = site.part(name, item.line);
            if !is_snake(name) && !is_snake(&name.to_ascii_lowercase()) || mixes_case(name) {
                self.report(&site, format!("`{name}` is neither in snake_case nor in UPPER_CASE"));
            }
            if let Some(first) = seen.insert(name.to_ascii_lowercase(), name) {
                self.report(&site, format!("is the same as `{first}` but for the size of letters"));
            }
        }
    }

    fn field_names(&mut self, body: &Body) {
        let taken = taken(body);
        for field in &body.fields {
            let (name, site) = (field.name.as_str(), body.site.part(&field.name, field.line));
            self.snake(&site, name);
            if TAKEN_FIELDS.contains(&name) && (name != "segments" || body.is_segmented() || body.is_message()) {
                self.report(&site, format!("generated code needs the name `{name}` for itself"));
            }
            if taken.contains(&name) {
                self.report(&site, format!("the structure has a `{name}` already, by its header or end"));
            }
        }
    }
}

/// The names that a body's fields mustn't have, because its header or its end has them.
fn taken(body: &Body) -> Vec<&'static str> {
    let mut taken = Vec::new();
    if let Some(versioned) = &body.versioned {
        taken.push("struct_v");
        if versioned.compat.is_some() {
            taken.extend(["struct_compat", "struct_len"]);
        }
        if versioned.marker.is_some() {
            taken.push("marker");
        }
    }
    if body.keeps_extra() {
        taken.push("extra");
    }
    if let ([_, middle, data], true) = (&body.segments[..], body.is_message()) {
        taken.push(if middle.is_empty() { "middle" } else { "middle_extra" });
        taken.push(if data.is_empty() { "data" } else { "data_extra" });
    }
    taken
}

fn is_snake(name: &str) -> bool {
    let letters = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    letters && name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.ends_with('_') && !name.contains("__")
}

fn mixes_case(name: &str) -> bool {
    name.bytes().any(|b| b.is_ascii_lowercase()) && name.bytes().any(|b| b.is_ascii_uppercase())
}
