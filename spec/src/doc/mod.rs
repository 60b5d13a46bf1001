//! The reference documentation, as one Markdown text.

mod changes;
mod exchanges;
mod fields;
mod frames;
mod items;
mod states;
mod text;

use crate::model::*;
use crate::spec::{DialectView, Spec};
use text::{Page, code, prose};

/// Writes the reference documentation. The same spec gives the same text.
pub fn markdown(spec: &Spec) -> String {
    let mut page = Page::default();
    let doc = Doc { spec };
    doc.intro(&mut page);
    doc.dialects(&mut page);
    doc.banners(&mut page);
    doc.envelopes(&mut page);
    doc.frames(&mut page);
    doc.states(&mut page);
    doc.exchanges(&mut page);
    doc.structures(&mut page);
    doc.enums(&mut page);
    doc.flags(&mut page);
    doc.messages(&mut page);
    doc.tables(&mut page);
    page.finish()
}

struct Doc<'a> {
    spec: &'a Spec,
}

/// The sections, in their order: anchor and title.
const SECTIONS: &[(&str, &str)] = &[
    ("dialects", "Dialects"),
    ("banner", "Banner"),
    ("envelope", "How frames are put together"),
    ("frames", "Frames"),
    ("states", "States"),
    ("exchanges", "Exchanges"),
    ("structures", "Structures"),
    ("auth", "Authentication payloads"),
    ("enums", "Enums"),
    ("flags", "Flags"),
    ("messages", "Messages"),
    ("context", "Context variables"),
    ("limits", "Limits"),
    ("findings", "Findings"),
    ("common", "Common fields"),
];

impl<'a> Doc<'a> {
    fn section(&self, page: &mut Page, anchor: &str) {
        let title = SECTIONS.iter().find(|(a, _)| *a == anchor).map_or(anchor, |(_, title)| title);
        page.heading(2, anchor, title);
    }

    fn intro(&self, page: &mut Page) {
        page.line("# Ceph's messenger v2");
        page.gap();
        page.line("<!-- Made from the spec by `msgr2 spec doc`; changes belong there. -->");
        page.gap();
        page.line(
            "What stands on the wire between two endpoints of a Ceph cluster that speak messenger v2, who may send it \
             when, and how Wireshark calls it. This text is made from the same files as the codec and the dissector, \
             and each example in it is a test of both.",
        );
        page.gap();
        page.line(
            "Integers are little-endian but for those called `be`. `list<T>` and `map<K, V>` begin with a u32 that \
             says how many follow, `string` and `blob` with one that says how many bytes. Enums and flags are open: \
             numbers and bits without a name are kept. Hex in examples is divided as reads best; `|` stands between \
             segments of a frame.",
        );
        page.gap();
        for (anchor, title) in SECTIONS {
            page.line(&format!("- [{title}](#{anchor})"));
        }
        page.gap();
    }

    fn dialects(&self, page: &mut Page) {
        self.section(page, "dialects");
        for dialect in self.spec.dialects.values() {
            let Dialect { name, extends, doc, release, source } = &dialect.info;
            page.heading(3, &dialect_anchor(dialect), name);
            page.line(&prose(doc));
            page.gap();
            page.line(&format!("{} Source: {}.", since(release), prose(source)));
            page.gap();
            if let Some(parent) = extends.as_ref().and_then(|parent| self.spec.dialects.get(parent)) {
                self.changes(page, dialect, parent);
            }
        }
    }

    fn banners(&self, page: &mut Page) {
        self.section(page, "banner");
        for dialect in self.spec.dialects.values().filter(|d| d.info.extends.is_none()) {
            let Some(banner) = &dialect.banner else { continue };
            let name = &dialect.info.name;
            let link = self.type_link(Some(dialect), &banner.ty);
            page.line(&format!("In {} and what extends it, both sides send {link} first.", code(name)));
            page.gap();
        }
    }

    /// The dialect in which a name of a type is declared, seen from a dialect; nothing for what is shared.
    fn owner(&self, dialect: Option<&'a DialectView>, name: &str) -> Option<&'a DialectView> {
        dialect.and_then(|d| self.spec.ancestry(d).find(|d| d.types.contains_key(name)))
    }

    /// The anchor of a type, an enum or flags by its name.
    fn type_anchor(&self, dialect: Option<&'a DialectView>, name: &str) -> Option<String> {
        let spec = self.spec;
        if spec.enums.contains_key(name) {
            return Some(format!("enum-{name}"));
        }
        if spec.flags.contains_key(name) {
            return Some(format!("flags-{name}"));
        }
        if let Some(owner) = self.owner(dialect, name) {
            return Some(format!("type-{}-{name}", owner.info.name));
        }
        if spec.types.contains_key(name) {
            return Some(format!("type-{name}"));
        }
        (name == "tag" && dialect.is_some()).then(|| "frames".to_owned())
    }

    fn type_link(&self, dialect: Option<&'a DialectView>, name: &str) -> String {
        match self.type_anchor(dialect, name) {
            Some(anchor) => format!("[{name}](#{anchor})"),
            None => name.to_owned(),
        }
    }
}

/// Since when something is there, in a sentence.
pub(crate) fn since(release: &str) -> String {
    if release == UNRELEASED { "In no release of Ceph.".to_owned() } else { format!("Since Ceph {release}.") }
}

/// What stands in the place of a release for what never was in one.
pub(crate) const UNRELEASED: &str = "unreleased";

fn dialect_anchor(dialect: &DialectView) -> String {
    format!("dialect-{}", dialect.info.name)
}
