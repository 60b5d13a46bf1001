//! The table of fields, as the generator makes it: no two fields may share a constant or a filter name.

use std::collections::HashMap;

use super::{Lint, Site};
use crate::rust::names::constant;
use crate::rust::{Row, field_rows};

impl<'a> Lint<'a> {
    pub(super) fn filters(&mut self) {
        let rows = match field_rows(self.spec) {
            Ok(rows) => rows,
            Err(what) => {
                let site = Site { dialect: None, path: "", key: String::new(), line: 0 };
                return self.report(&site, format!("no Rust can be made of it: {what}"));
            }
        };
        let places = self.places();
        let place =
            |constant: &str| places.iter().filter(|(prefix, _)| fits(constant, prefix)).max_by_key(|p| p.0.len());
        let nowhere = Site { dialect: None, path: "", key: String::new(), line: 0 };

        let mut constants: HashMap<&str, &Row> = HashMap::new();
        let mut filters: HashMap<&str, &Row> = HashMap::new();
        for row in &rows {
            let site = place(&row.constant).map_or(&nowhere, |(_, site)| site);
            match constants.get(row.constant.as_str()) {
                Some(first) if *first != row => {
                    let what = format!("{} and {} become one field in generated code", first.filter, row.filter);
                    self.report(site, what);
                }
                Some(_) => continue,
                None => {
                    constants.insert(&row.constant, row);
                }
            }
            match filters.get(row.filter.as_str()) {
                Some(first) if (&first.name, self.kind(first)) != (&row.name, self.kind(row)) => {
                    let other = place(&first.constant).map_or("another field", |(_, site)| site.key.as_str());
                    let what = format!("{other} has the filter name `{}` already, for something else", row.filter);
                    self.report(site, what);
                }
                Some(_) => {}
                None => {
                    filters.insert(&row.filter, row);
                }
            }
        }
        self.other_filters(&filters);
    }

    /// The kind of a field as filters see it: tags are numbers of one byte, whichever dialect names them.
    fn kind(&self, row: &Row) -> String {
        let mut kind = row.kind.clone();
        for dialect in self.spec.dialects.values() {
            kind =
                kind.replace(&format!("info :: {})", constant(&format!("{}_tag", dialect.module()))), "info :: TAG)");
        }
        kind
    }

    /// Flags and findings have filter names, too.
    fn other_filters(&mut self, fields: &HashMap<&str, &Row>) {
        let spec = self.spec;
        for (word, f) in &spec.flags {
            let word_site = self.shared("flags", word, f.line);
            for (name, flag) in &f.values {
                let filter = format!("msgr2.{word}.{}", name.to_lowercase());
                self.free(&word_site.part(name, flag.line), &filter, fields);
            }
        }
        for (name, finding) in &spec.findings {
            let site = self.shared("findings", name, finding.line);
            self.free(&site, &format!("msgr2.finding.{name}"), fields);
        }
    }

    fn free(&mut self, site: &Site<'a>, filter: &str, fields: &HashMap<&str, &Row>) {
        if fields.contains_key(filter) {
            self.report(site, format!("a field has the filter name `{filter}` already"));
        }
    }

    /// Where the constants of the table come from.
    fn places(&self) -> Vec<(String, Site<'a>)> {
        let mut places = Vec::new();
        for body in self.bodies() {
            let module = body.site.dialect.map(|d| format!("{}_", d.module())).unwrap_or_default();
            let prefix = constant(&format!("{module}{}", body.rust_name()));
            for field in body.fields {
                places.push((format!("{prefix}_{}", constant(&field.name)), body.site.part(&field.name, field.line)));
            }
            places.push((prefix, body.site));
        }
        for (name, common) in &self.spec.common {
            places.push((format!("COMMON_{}", constant(name)), self.shared("common", name, common.line)));
        }
        places
    }
}

/// Whether a constant belongs to what has this one.
fn fits(constant: &str, prefix: &str) -> bool {
    constant.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}
