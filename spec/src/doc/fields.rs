//! Tables of fields, and examples.

use super::Doc;
use super::text::{Page, code, prose};
use crate::expr::{Type, parse_type};
use crate::model::*;
use crate::spec::DialectView;

impl<'a> Doc<'a> {
    /// The fields of a structure, whose filter names begin with `filter`.
    pub(super) fn fields(
        &self,
        page: &mut Page,
        dialect: Option<&'a DialectView>,
        filter: &str,
        versioned: Option<&Versioned>,
        fields: &[At<Field>],
    ) {
        let header = versioned.map(header).unwrap_or_default().into_iter().filter_map(|(name, note)| {
            let common = self.spec.common.get(name)?;
            let link = format!("[{name}](#common-{name})");
            Some([link, self.reference(None, &common.ty), code(&common_filter(name, common)), note, prose(&common.doc)])
        });
        let rows = fields.iter().map(|field| {
            let filter = field.display.filter.clone().unwrap_or_else(|| format!("{filter}.{}", field.name));
            let mut doc = prose(&field.doc);
            if let Some(unit) = &field.display.unit {
                doc.push_str(&format!(" In {}.", prose(unit)));
            }
            [code(&field.name), self.field_type(dialect, field), code(&filter), self.condition(field), doc]
        });
        page.table(["Field", "Type", "Filter name", "There if", "What it is"], header.chain(rows));
    }

    fn field_type(&self, dialect: Option<&'a DialectView>, field: &Field) -> String {
        let mut text = self.reference(dialect, &field.ty);
        if let Some(holds) = &field.holds {
            text.push_str(&format!(", holding {}", self.reference(dialect, holds)));
        }
        if let Some(Sealed { key, usage, holds, .. }) = &field.sealed {
            let inner = self.type_link(dialect, holds);
            text.push_str(&format!(", holding {inner} sealed with key {}, usage {usage:#x}", code(key)));
        }
        if field.secret {
            text.push_str(", secret: shown by its length only");
        }
        if let Some(constant) = &field.equals {
            let value = match constant {
                Constant::Number(number) => number.to_string(),
                Constant::Hex(hex) => hex.clone(),
            };
            text.push_str(&format!(", always {}", code(&value)));
        }
        if let Some(target) = &field.length_of {
            text.push_str(&format!(", the length of {}", code(target)));
        }
        for target in &field.count_of {
            text.push_str(&format!(", the number of {}", code(target)));
        }
        match &field.max {
            Some(Bound::Number(max)) => text.push_str(&format!(", at most {max}")),
            Some(Bound::Limit(limit)) => text.push_str(&format!(", at most [{limit}](#limit-{limit})")),
            None => {}
        }
        text
    }

    /// A type or a union, with links.
    pub(super) fn reference(&self, dialect: Option<&'a DialectView>, reference: &TypeRef) -> String {
        match reference {
            TypeRef::Expr(text) => self.expression(dialect, text),
            TypeRef::Switch(Switch { switch, cases }) => {
                let by = match switch.strip_prefix('$') {
                    Some(variable) => format!("[${variable}](#context-{variable})"),
                    None => code(switch),
                };
                let cases: Vec<String> = cases
                    .iter()
                    .map(|(case, ty)| format!("{}: {}", code(case), self.expression(dialect, ty)))
                    .collect();
                format!("what {by} says ({}; else bytes)", cases.join(", "))
            }
        }
    }

    pub(super) fn expression(&self, dialect: Option<&'a DialectView>, text: &str) -> String {
        parse_type(text).map_or_else(|_| prose(text), |ty| self.linked(dialect, &ty, text))
    }

    fn linked(&self, dialect: Option<&'a DialectView>, ty: &Type, text: &str) -> String {
        let of = |name: &str, items: &[&Type]| {
            let items: Vec<String> = items.iter().map(|ty| self.linked(dialect, ty, "")).collect();
            format!("{name}&lt;{}>", items.join(", "))
        };
        match ty {
            Type::Named(name) => self.type_link(dialect, name),
            Type::List(item) => of("list", &[item]),
            Type::Counted(item) => of("counted", &[item]),
            Type::Optional(item) => of("optional", &[item]),
            Type::Map(key, value) => of("map", &[key, value]),
            Type::Array(item, n) => format!("array&lt;{}, {n}>", self.linked(dialect, item, "")),
            other if text.is_empty() => other.to_string().replace('<', "&lt;"),
            _ => prose(text),
        }
    }

    fn condition(&self, field: &Field) -> String {
        let mut parts = Vec::new();
        match (field.since, field.until) {
            (Some(since), Some(until)) => parts.push(format!("version {since} to {until}")),
            (Some(since), None) => parts.push(format!("version ≥ {since}")),
            (None, Some(until)) => parts.push(format!("version ≤ {until}")),
            (None, None) => {}
        }
        match field.when.as_deref() {
            Some("more") => parts.push("bytes are left".to_owned()),
            Some(when) => parts.push(code(when)),
            None => {}
        }
        if let Some(release) = &field.release {
            let since =
                if release == super::UNRELEASED { "in no release".to_owned() } else { format!("Ceph ≥ {release}") };
            parts.push(since);
        }
        parts.join(", ")
    }

    pub(super) fn examples(&self, page: &mut Page, examples: &[At<Example>], refused: &[At<Refused>]) {
        for example in examples {
            page.gap();
            page.line(&format!("Example: {}{}.", prose(&example.doc), given(&example.context)));
            page.block("text", &example.hex);
            page.block("json", &pretty(&example.value));
        }
        let rows = refused.iter().map(|r| {
            [format!("{}{}", prose(&r.doc), given(&r.context)), code(r.hex.trim()), code(&r.error), code(&r.at)]
        });
        page.table(["Refused", "Hex", "Error", "At"], rows);
    }
}

/// The fields in front of a versioned structure, and what they are there.
fn header(versioned: &Versioned) -> Vec<(&'static str, String)> {
    let mut header = Vec::new();
    if let Some(marker) = versioned.marker {
        header.push(("marker", format!("always, {marker}")));
    }
    header.push(("struct_v", format!("always, newest {}", versioned.version)));
    if let Some(compat) = versioned.compat {
        header.push(("struct_compat", format!("always, now {compat}")));
        header.push(("struct_len", "always".to_owned()));
    }
    header
}

pub(super) fn common_filter(name: &str, common: &Common) -> String {
    common.display.filter.clone().unwrap_or_else(|| format!("msgr2.{name}"))
}

pub(super) fn given(context: &indexmap::IndexMap<String, serde_json::Value>) -> String {
    let given: Vec<String> = context
        .iter()
        .map(|(name, value)| format!("[${name}](#context-{name}) = {}", code(&value.to_string().replace('"', ""))))
        .collect();
    if given.is_empty() { String::new() } else { format!(", with {}", given.join(", ")) }
}

pub(super) fn pretty(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}
