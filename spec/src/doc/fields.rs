//! Tables of fields, and examples.

use std::ops::RangeInclusive;

use super::Doc;
use super::text::{Page, code, prose};
use crate::ir::*;
use crate::model::Versioned;

impl Doc<'_> {
    /// The fields of a body.
    pub(super) fn fields(&self, page: &mut Page, versioned: Option<&Versioned>, fields: &[Field]) {
        let header = versioned.map(header).unwrap_or_default().into_iter().filter_map(|(name, note)| {
            let common = self.ir.common.get(name)?;
            let FieldInfo { filter, doc, .. } = &self.ir[common.node.field];
            Some([format!("[{name}](#common-{name})"), self.node(&common.node), code(filter), note, prose(doc)])
        });
        let rows = fields.iter().map(|field| {
            let mut doc = prose(&field.doc);
            if let Some(unit) = &field.display.unit {
                doc.push_str(&format!(" In {}.", prose(unit)));
            }
            [code(&field.name), self.field_type(fields, field), code(&field.filter), self.condition(field), doc]
        });
        page.table(["Field", "Type", "Filter name", "There if", "What it is"], header.chain(rows));
    }

    fn field_type(&self, fields: &[Field], field: &Field) -> String {
        let mut text = self.node(&field.node);
        if let Some(content) = &field.content {
            text.push_str(&format!(", holding {}", self.node(content)));
        }
        if let Some(Sealed { key, usage, holds, .. }) = &field.sealed {
            let inner = self.body_link(*holds);
            text.push_str(&format!(", holding {inner} sealed with key {}, usage {usage:#x}", code(key)));
        }
        if field.secret {
            text.push_str(", secret: shown by its length only");
        }
        let name = |at: &usize| code(fields.get(*at).map_or("", |field| &field.name));
        match &field.derived {
            Some(Derived::Number(number)) => text.push_str(&format!(", always {}", code(&number.to_string()))),
            Some(Derived::Bytes(bytes)) => text.push_str(&format!(", always {}", code(&bytes.says))),
            Some(Derived::Length(target)) => text.push_str(&format!(", the length of {}", name(target))),
            Some(Derived::Count(targets)) => {
                text.extend(targets.iter().map(|target| format!(", the number of {}", name(target))));
            }
            None => {}
        }
        if let Some(each) = &field.each {
            text.push_str(&format!(", one for each item of {}", name(&each.list)));
        }
        if let Some(length) = &field.length {
            text.push_str(&format!(", as long as {} says", self.number(length)));
        }
        for (variable, operand) in &field.given {
            text.push_str(&format!(", told {} = {}", context_link(variable), self.number(operand)));
        }
        match &field.max {
            Some(Bound { limit: Some(limit), .. }) => text.push_str(&format!(", at most [{limit}](#limit-{limit})")),
            Some(Bound { value, .. }) => text.push_str(&format!(", at most {value}")),
            None => {}
        }
        text
    }

    /// The type of a value, with links.
    pub(super) fn node(&self, node: &Node) -> String {
        match &node.alias {
            Some((name, written)) => format!("[{}](#alias-{name})", written.replace('<', "&lt;")),
            None => self.ty(&node.ty),
        }
    }

    /// A type, with links.
    pub(super) fn ty(&self, ty: &Type) -> String {
        match ty {
            Type::Union(union) => {
                let case = |case: &Case| {
                    let members = self.members(union, case).map(|members| format!(" ({members})")).unwrap_or_default();
                    format!("{}{members}: {}", code(&case.name), self.node(&case.node))
                };
                let cases: Vec<String> = union.cases.iter().map(case).collect();
                format!("what {} says ({}; else bytes)", self.number(&union.by), cases.join(", "))
            }
            other => self
                .type_link(other)
                .unwrap_or_else(|| self.ir.spelt(other, &|node| self.node(node)).replace('<', "&lt;")),
        }
    }

    fn number(&self, operand: &Operand) -> String {
        match &operand.origin {
            Origin::Context(variable) => context_link(variable),
            Origin::Path(_) => code(&operand.name),
        }
    }

    /// The numbers of a case that has a name of its own for them.
    fn members(&self, union: &Union, case: &Case) -> Option<String> {
        let names = if let Type::Enum(id) = union.by.ty { Some(&self.ir[id].says.values) } else { None };
        let member = |range: &RangeInclusive<i64>| {
            let named = names.and_then(|names| names.iter().find(|(_, value)| value.number == *range.start()));
            named.map_or_else(|| range.start().to_string(), |(name, _)| name.clone())
        };
        let members: Vec<String> = case.numbers.iter().map(member).collect();
        (members.len() > 1 || names.is_some() && members.first() != Some(&case.name)).then(|| members.join(", "))
    }

    fn condition(&self, field: &Field) -> String {
        let mut parts = Vec::new();
        match (field.since, field.until) {
            (Some(since), Some(until)) => parts.push(format!("version {since} to {until}")),
            (Some(since), None) => parts.push(format!("version ≥ {since}")),
            (None, Some(until)) => parts.push(format!("version ≤ {until}")),
            (None, None) => {}
        }
        parts.extend(field.when.as_ref().map(|when| match when.test {
            Test::More => "bytes are left".to_owned(),
            _ => code(&when.text),
        }));
        if let Some(release) = &field.release {
            let since =
                if release == super::UNRELEASED { "in no release".to_owned() } else { format!("Ceph ≥ {release}") };
            parts.push(since);
        }
        parts.join(", ")
    }

    pub(super) fn examples(&self, page: &mut Page, body: &Body) {
        for example in &body.examples {
            page.gap();
            page.line(&format!("Example: {}{}.", prose(&example.doc), given(&example.context)));
            page.block("text", &example.hex);
            page.block("json", &pretty(&example.value));
        }
        let rows = body.refused.iter().map(|r| {
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

fn context_link(variable: &str) -> String {
    format!("[${variable}](#context-{variable})")
}
