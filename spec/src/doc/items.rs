//! Structures, enums, flags, messages and the small tables.

use super::Doc;
use super::fields::common_filter;
use super::text::{Page, code, prose};
use crate::model::*;
use crate::spec::DialectView;

impl<'a> Doc<'a> {
    pub(super) fn structures(&self, page: &mut Page) {
        let auth = |name: &&String| self.spec.place(&format!("types.{name}")).starts_with("auth/");
        self.section(page, "structures");
        for (name, s) in self.spec.types.iter().filter(|(name, _)| !auth(name)) {
            self.structure(page, None, name, s);
        }
        self.section(page, "auth");
        for (name, s) in self.spec.types.iter().filter(|(name, _)| auth(name)) {
            self.structure(page, None, name, s);
        }
    }

    pub(super) fn structure(&self, page: &mut Page, dialect: Option<&'a DialectView>, name: &str, s: &Struct) {
        let anchor = match dialect {
            Some(dialect) => format!("type-{}-{name}", dialect.info.name),
            None => format!("type-{name}"),
        };
        page.heading(3, &anchor, name);
        let mut about = prose(&s.doc);
        if s.open {
            about.push_str(" A newer sender may append bytes, which are kept.");
        }
        if let Some(variable) = &s.version {
            about.push_str(&format!(" Its version is {}.", code(variable)));
        }
        if let Some(text) = &s.text {
            about.push_str(&format!(" It is text: {}, with numbers in lower-case hex", code(&format!("{text:?}"))));
            about.push_str(&s.max.map_or_else(|| ".".to_owned(), |max| format!(" and at most {max} bytes.")));
        }
        page.line(&about);
        page.gap();
        origin(page, s.release.as_deref(), s.source.as_deref());
        let filter = s.display.filter.clone().unwrap_or_else(|| format!("msgr2.{name}"));
        self.fields(page, dialect, &filter, s.versioned.as_ref(), &s.fields);
        self.examples(page, &s.examples, &s.refused);
    }

    pub(super) fn enums(&self, page: &mut Page) {
        self.section(page, "enums");
        for (name, e) in self.spec.enums.iter().filter(|(name, _)| *name != "message_type") {
            page.heading(3, &format!("enum-{name}"), name);
            self.enumeration(page, e);
        }
    }

    fn enumeration(&self, page: &mut Page, e: &Enum) {
        page.line(&format!("{} On the wire: {}.", prose(&e.doc), code(&e.base)));
        page.gap();
        origin(page, Some(&e.release), Some(&e.source));
        if let Some(like) = &e.like {
            page.line(&format!("Its values are those of {}.", self.type_link(None, like)));
            page.gap();
            return;
        }
        let hex = e.display.base == Some(Base::Hex);
        let number = |n: i64| if hex { format!("{n:#x}") } else { n.to_string() };
        let mut values: Vec<_> = e.values.iter().collect();
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
        for (name, f) in &self.spec.flags {
            page.heading(3, &format!("flags-{name}"), name);
            page.line(&format!("{} On the wire: {}.", prose(&f.doc), code(&f.base)));
            page.gap();
            origin(page, Some(&f.release), Some(&f.source));
            let rows = f.values.iter().map(|(name, flag)| {
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
        if let Some(types) = self.spec.enums.get("message_type") {
            page.heading(3, "enum-message_type", "message_type");
            self.enumeration(page, types);
        }
        for (name, message) in &self.spec.messages {
            page.heading(3, &format!("message-{name}"), name);
            let MessageVersions { head, compat } = message.versions;
            let (called, number) = self.spec.message_type(name).unwrap_or_default();
            page.line(&format!(
                "Message type {number}, [{called}](#enum-message_type). {} Senders give it version {head}, which readers \
                 of version {compat} understand.",
                prose(&message.doc)
            ));
            page.gap();
            origin(page, message.release.as_deref(), message.source.as_deref());
            let filter = message.filter(name);
            for (part, fields) in [("front", &message.front), ("middle", &message.middle), ("data", &message.data)] {
                if !fields.is_empty() {
                    page.line(&format!("The {part}:"));
                    page.gap();
                    self.fields(page, None, &filter, None, fields);
                }
            }
            if message.fields.is_empty() {
                page.line("It has no body.");
                page.gap();
            }
            self.examples(page, &message.examples, &message.refused);
        }
    }

    /// What is known in tables only.
    pub(super) fn tables(&self, page: &mut Page) {
        let spec = self.spec;
        self.section(page, "context");
        page.line("What a decoder must have been told, because the bytes that it reads don't say it.");
        let rows = spec.context.iter().map(|(name, variable)| {
            [anchored("context", name), self.expression(None, &variable.ty), prose(&variable.doc)]
        });
        page.table(["Variable", "Type", "What it is"], rows);

        self.section(page, "limits");
        let rows = spec.limits.iter().map(|(name, limit)| {
            [anchored("limit", name), limit.max.to_string(), prose(&limit.unit), prose(&limit.doc)]
        });
        page.table(["Limit", "At most", "Of", "What it bounds"], rows);

        self.section(page, "findings");
        page.line(
            "What is reported about a connection, with the severities and groups of Wireshark's expert information.",
        );
        let rows = spec.findings.iter().map(|(name, finding)| {
            let filter = format!("msgr2.finding.{name}");
            let severity = format!("{:?}", finding.severity).to_lowercase();
            let group = format!("{:?}", finding.group).to_lowercase();
            [anchored("finding", name), severity, group, prose(&finding.summary), code(&filter), prose(&finding.doc)]
        });
        page.table(["Finding", "Severity", "Group", "Text", "Filter name", "What it means"], rows);

        self.section(page, "common");
        page.line("Fields that no single structure owns.");
        let rows = spec.common.iter().map(|(name, common)| {
            let filter = code(&common_filter(name, common));
            [anchored("common", name), self.reference(None, &common.ty), filter, prose(&common.doc)]
        });
        page.table(["Field", "Type", "Filter name", "What it is"], rows);
    }
}

/// A name in a table that can be linked to.
pub(super) fn anchored(kind: &str, name: &str) -> String {
    format!("<a id=\"{kind}-{name}\"></a>{}", code(name))
}

/// Since when, and who says so.
pub(super) fn origin(page: &mut Page, release: Option<&str>, source: Option<&str>) {
    let mut text = Vec::new();
    if let Some(release) = release {
        text.push(super::since(release));
    }
    if let Some(source) = source {
        text.push(format!("Source: {}.", prose(source)));
    }
    if !text.is_empty() {
        page.line(&text.join(" "));
        page.gap();
    }
}
