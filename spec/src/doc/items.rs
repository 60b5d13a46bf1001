//! Structures, enums, flags, messages and the small tables.

use super::Doc;
use super::text::{Page, code, prose};
use crate::ir::*;
use crate::model::{Base, MessageVersions};

impl Doc<'_> {
    pub(super) fn structures(&self, page: &mut Page) {
        for (section, auth) in [("structures", false), ("auth", true)] {
            self.section(page, section);
            let shared = self.ir.types(None).filter(|(_, s)| s.site.path.starts_with("auth/") == auth);
            shared.for_each(|(id, _)| self.structure(page, id));
        }
    }

    pub(super) fn structure(&self, page: &mut Page, id: BodyId) {
        let s = &self.ir[id];
        page.heading(3, &self.body_anchor(id), &s.name);
        let mut about = prose(&s.doc);
        if s.open {
            about.push_str(" A newer sender may append bytes, which are kept.");
        }
        if let Some(variable) = s.version.as_ref().filter(|_| s.versioned.is_none()) {
            about.push_str(&format!(" Its version is {}.", code(&variable.name)));
        }
        if let Some(Text { text, max, .. }) = &s.text {
            about.push_str(&format!(" It is text: {}, with numbers in lower-case hex", code(&format!("{text:?}"))));
            about.push_str(&max.map_or_else(|| ".".to_owned(), |max| format!(" and at most {max} bytes.")));
        }
        page.paragraph(&about);
        origin(page, &s.release, &s.source, &s.ceph);
        self.fields(page, s.versioned.as_ref(), &s.fields);
        self.examples(page, s);
    }

    pub(super) fn enums(&self, page: &mut Page) {
        self.section(page, "enums");
        for e in self.ir.enums.iter().filter(|e| e.dialect.is_none() && e.name != "message_type") {
            page.heading(3, &format!("enum-{}", e.name), &e.name);
            self.enumeration(page, e);
        }
    }

    fn enumeration(&self, page: &mut Page, e: &Enum) {
        page.paragraph(&format!("{} On the wire: {}.", prose(&e.says.doc), code(&e.base.to_string())));
        origin(page, &e.says.release, &e.says.source, &None);
        if let Some(like) = &e.says.like {
            page.paragraph(&format!("Its values are those of [{like}](#enum-{like})."));
            return;
        }
        let hex = e.says.display.base == Some(Base::Hex);
        let number = |n: i64| if hex { format!("{n:#x}") } else { n.to_string() };
        let mut values: Vec<_> = e.says.values.iter().collect();
        values.sort_by_key(|(_, value)| value.number);
        let rows = values.into_iter().map(|(name, value)| {
            let numbers = match value.to {
                Some(to) => format!("{} to {}", number(value.number), number(to)),
                None => number(value.number),
            };
            [numbers, code(name), value.release.clone().unwrap_or_default(), prose(&value.doc)]
        });
        page.table(["Number", "Name", "Since", "What it is"], rows);
    }

    pub(super) fn flags(&self, page: &mut Page) {
        self.section(page, "flags");
        for f in &self.ir.flags {
            page.heading(3, &format!("flags-{}", f.name), &f.name);
            page.paragraph(&format!("{} On the wire: {}.", prose(&f.says.doc), code(&f.base.to_string())));
            origin(page, &f.says.release, &f.says.source, &None);
            let rows = f.says.values.iter().map(|(name, flag)| {
                let bits: Vec<String> = flag.bit.iter().chain(&flag.bits).map(u8::to_string).collect();
                let mut doc = prose(&flag.doc);
                if let Some(with) = &flag.with {
                    doc.push_str(&format!(" The same bits as {}.", code(with)));
                }
                if flag.reserved {
                    doc.push_str(" Must stay clear.");
                }
                let since = flag.release.clone().unwrap_or_default();
                [bits.join(", "), code(name), since, flag.retired.clone().unwrap_or_default(), doc]
            });
            page.table(["Bit", "Name", "Since", "Retired in", "What it says"], rows);
        }
    }

    pub(super) fn messages(&self, page: &mut Page) {
        self.section(page, "messages");
        if let Some(types) = self.ir.enums.iter().find(|e| e.name == "message_type") {
            page.heading(3, "enum-message_type", "message_type");
            self.enumeration(page, types);
        }
        for (id, body) in self.ir.messages() {
            let BodyKind::Message { called, number, versions } = &body.kind else { continue };
            page.heading(3, &self.body_anchor(id), &body.name);
            let MessageVersions { head, compat, .. } = versions;
            page.paragraph(&format!(
                "Message type {number}, [{called}](#enum-message_type). {} Senders give it version {head}, which readers \
                 of version {compat} understand.",
                prose(&body.doc)
            ));
            origin(page, &body.release, &body.source, &body.ceph);
            for (part, range) in ["front", "middle", "data"].into_iter().zip(&body.segments) {
                if !range.is_empty() {
                    page.paragraph(&format!("The {part}:"));
                    self.fields(page, None, &body.fields[range.clone()]);
                }
            }
            if body.fields.is_empty() {
                page.paragraph("It has no body.");
            }
            self.examples(page, body);
        }
    }

    /// What is known in tables only.
    pub(super) fn tables(&self, page: &mut Page) {
        let ir = self.ir;
        self.section(page, "context");
        page.line("What a decoder must have been told, because the bytes that it reads don't say it.");
        let rows = ir
            .context
            .iter()
            .map(|(name, variable)| [anchored("context", name), self.ty(&variable.ty), prose(&variable.doc)]);
        page.table(["Variable", "Type", "What it is"], rows);

        self.section(page, "aliases");
        page.line("Other names for types, which say what a value is.");
        let rows = ir.aliases.iter().map(|(name, alias)| {
            let parameters = alias.parameters.join(", ");
            let called = if parameters.is_empty() { name.clone() } else { format!("{name}<{parameters}>") };
            [format!("<a id=\"alias-{name}\"></a>{}", code(&called)), code(&alias.ty), prose(&alias.doc)]
        });
        page.table(["Alias", "Stands for", "What it is"], rows);

        self.section(page, "limits");
        let rows = ir.limits.iter().map(|(name, limit)| {
            [anchored("limit", name), limit.max.to_string(), prose(&limit.unit), prose(&limit.doc)]
        });
        page.table(["Limit", "At most", "Of", "What it bounds"], rows);

        self.section(page, "findings");
        page.line(
            "What is reported about a connection, with the severities and groups of Wireshark's expert information.",
        );
        let rows = ir.findings.iter().map(|(name, finding)| {
            let filter = format!("msgr2.finding.{name}");
            let severity = format!("{:?}", finding.severity).to_lowercase();
            let group = format!("{:?}", finding.group).to_lowercase();
            [anchored("finding", name), severity, group, prose(&finding.summary), code(&filter), prose(&finding.doc)]
        });
        page.table(["Finding", "Severity", "Group", "Text", "Filter name", "What it means"], rows);

        self.section(page, "common");
        page.line("Fields that no single structure owns.");
        let rows = ir.common.iter().map(|(name, common)| {
            let filter = code(&ir[common.node.field].filter);
            [anchored("common", name), self.node(&common.node), filter, prose(&ir[common.node.field].doc)]
        });
        page.table(["Field", "Type", "Filter name", "What it is"], rows);
    }
}

/// A name in a table that can be linked to.
pub(super) fn anchored(kind: &str, name: &str) -> String {
    format!("<a id=\"{kind}-{name}\"></a>{}", code(name))
}

/// Since when, and who says so.
pub(super) fn origin(page: &mut Page, release: &Option<String>, source: &Option<String>, ceph: &Option<String>) {
    let mut text = Vec::new();
    if let Some(release) = release {
        text.push(super::since(release));
    }
    if let Some(source) = source {
        text.push(format!("Source: {}.", prose(source)));
    }
    if let Some(ceph) = ceph {
        text.push(format!("Ceph calls it {}.", code(ceph)));
    }
    if !text.is_empty() {
        page.paragraph(&text.join(" "));
    }
}
