//! The reference documentation, as one Markdown text.

mod changes;
mod exchanges;
mod fields;
mod frames;
mod items;
mod states;
mod text;

use crate::ir::*;
use text::{Page, code, prose};

/// Writes the reference documentation. The same spec gives the same text.
pub fn markdown(ir: &Ir) -> String {
    let mut page = Page::default();
    let doc = Doc { ir };
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
    ir: &'a Ir,
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
    ("aliases", "Type aliases"),
    ("limits", "Limits"),
    ("findings", "Findings"),
    ("common", "Common fields"),
];

impl Doc<'_> {
    fn section(&self, page: &mut Page, anchor: &str) {
        let title = SECTIONS.iter().find(|(a, _)| *a == anchor).map_or(anchor, |(_, title)| title);
        page.heading(2, anchor, title);
    }

    fn intro(&self, page: &mut Page) {
        page.paragraph("# Ceph's messenger v2");
        page.paragraph("<!-- Made from the spec by `msgr2 spec doc`; changes belong there. -->");
        page.paragraph(
            "What stands on the wire between two endpoints of a Ceph cluster that speak messenger v2, who may send it \
             when, and how Wireshark calls it. This text is made from the same files as the codec and the dissector, \
             and each example in it is a test of both.",
        );
        page.paragraph(
            "Integers are little-endian but for those called `be`. `list<T>` and `map<K, V>` begin with a u32 that \
             says how many follow, `string` and `blob` with one that says how many bytes. Enums and flags are open: \
             numbers and bits without a name are kept. Hex in examples is divided as reads best; `|` stands between \
             segments of a frame.",
        );
        for (anchor, title) in SECTIONS {
            page.line(&format!("- [{title}](#{anchor})"));
        }
        page.gap();
    }

    fn dialects(&self, page: &mut Page) {
        self.section(page, "dialects");
        for (id, dialect) in self.ir.dialects() {
            let crate::model::Dialect { name, doc, release, source, .. } = &dialect.info;
            page.heading(3, &dialect_anchor(dialect), name);
            page.paragraph(&prose(doc));
            page.paragraph(&format!("{} Source: {}.", since(release), prose(source)));
            if let Some(parent) = dialect.parent {
                self.changes(page, id, parent);
            }
        }
    }

    fn banners(&self, page: &mut Page) {
        self.section(page, "banner");
        for dialect in self.ir.dialects.iter() {
            let Some(banner) = dialect.banner.as_ref().filter(|banner| banner.own) else { continue };
            let (name, link) = (code(&dialect.info.name), self.body_link(banner.body));
            page.paragraph(&format!("In {name} and what extends it, both sides send {link} first."));
        }
    }

    /// The link of a type that has a name.
    fn type_link(&self, ty: &Type) -> Option<String> {
        Some(match ty {
            Type::Enum(id) if self.ir[*id].dialect.is_some() => format!("[{}](#frames)", self.ir[*id].name),
            Type::Enum(_) => format!("[{0}](#enum-{0})", self.ir.name(ty)),
            Type::Flags(_) => format!("[{0}](#flags-{0})", self.ir.name(ty)),
            Type::Struct(id) => self.body_link(*id),
            _ => return None,
        })
    }

    /// The link of a structure, a frame or a message.
    fn body_link(&self, id: BodyId) -> String {
        let name = &self.ir[id].name;
        let name = if self.ir[id].is_frame() { prose(&name.to_uppercase()) } else { name.clone() };
        format!("[{name}](#{})", self.body_anchor(id))
    }

    fn body_anchor(&self, id: BodyId) -> String {
        let body = &self.ir[id];
        let kind = match body.kind {
            BodyKind::Struct => "type",
            BodyKind::Frame { .. } => "tag",
            BodyKind::Message { .. } => "message",
        };
        let dialect = body.dialect.map(|dialect| format!("{}-", self.ir[dialect].info.name)).unwrap_or_default();
        format!("{kind}-{dialect}{}", body.name)
    }

    /// The link of a frame, or of the banner, which stands among frames in tables of states.
    fn event_link(&self, event: Event) -> String {
        match event {
            Event::Banner => "[banner](#banner)".to_owned(),
            Event::Frame(id) => self.body_link(id),
        }
    }
}

/// Since when something is there, in a sentence.
pub(crate) fn since(release: &str) -> String {
    if release == UNRELEASED { "In no release of Ceph.".to_owned() } else { format!("Since Ceph {release}.") }
}

/// What stands in the place of a release for what never was in one.
pub(crate) const UNRELEASED: &str = "unreleased";

fn dialect_anchor(dialect: &Dialect) -> String {
    format!("dialect-{}", dialect.info.name)
}
