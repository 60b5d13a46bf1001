//! Every item says in one sentence what it is, and since when.

use super::Lint;
use crate::doc::UNRELEASED;
use crate::ir::*;
use crate::model;

impl Lint<'_> {
    pub(super) fn docs(&mut self) {
        let ir = self.ir;
        macro_rules! described {
            ($($section:ident),*) => {$(
                for item in ir.$section.values() {
                    self.sentence(&item.site, &item.doc);
                }
            )*};
        }
        described!(context, aliases, limits, findings, guards, actions);
        for finding in ir.findings.values().filter(|finding| finding.summary.is_empty()) {
            self.report(&finding.site, "has no summary");
        }
        for Enum { site, says, .. } in ir.enums.iter().filter(|e| e.dialect.is_none()) {
            let model::Enum { doc, release, source, like, values, .. } = says;
            self.sentence(site, doc);
            self.origin(site, release.as_deref(), source.as_deref());
            for (name, value) in values.iter().filter(|_| like.is_none()) {
                let site = site.part(name, value.line);
                self.sentence(&site, &value.doc);
                self.later(&site, value.release.as_deref(), release.as_deref().unwrap_or_default());
            }
        }
        for Flags { site, says, .. } in &ir.flags {
            let model::Flags { doc, release, source, values, .. } = says;
            self.sentence(site, doc);
            self.origin(site, release.as_deref(), source.as_deref());
            for (name, flag) in values {
                let site = site.part(name, flag.line);
                self.sentence(&site, &flag.doc);
                self.later(&site, flag.release.as_deref(), release.as_deref().unwrap_or_default());
            }
        }
        ir.bodies.iter().for_each(|body| self.body(body));
        for dialect in &ir.dialects {
            self.sentence(&dialect.site, &dialect.info.doc);
            self.origin(&dialect.site, Some(&dialect.info.release), Some(&dialect.info.source));
            if let Some(Placed { site, item: envelope }) = &dialect.envelope {
                self.sentence(site, &envelope.doc);
                for part in envelope.modes.values().flatten() {
                    self.sentence(&site.part("modes", 0), &part.says.doc);
                }
            }
            for state in dialect.states.values().flatten() {
                self.sentence(&state.site, &state.doc);
            }
        }
    }

    /// A structure, frame or message with its fields.
    fn body(&mut self, body: &Body) {
        self.display(&body.site, &body.display, None);
        self.sentence(&body.site, &body.doc);
        // structures of a dialect are as old as it
        let dialect = body.dialect.filter(|_| body.is_struct()).map(|dialect| &self.ir[dialect].info);
        let release = body.release.as_deref().or(dialect.map(|d| d.release.as_str()));
        self.origin(&body.site, release, body.source.as_deref().or(dialect.map(|d| d.source.as_str())));
        if let Some(ceph) = body.ceph.as_ref().filter(|ceph| !is_cxx_name(ceph)) {
            self.report(&body.site, format!("ceph: `{ceph}` is no name of a class or structure such as HelloFrame"));
        }
        for field in &body.fields {
            let site = body.site.part(&field.name, field.line);
            self.sentence(&site, &field.doc);
            self.later(&site, field.release.as_deref(), release.unwrap_or_default());
        }
    }

    pub(super) fn sentence(&mut self, site: &Site, doc: &str) {
        let text = doc.trim();
        let first_word = text.split_whitespace().next().unwrap_or_default();
        // names such as aes256 keep their small letters
        let begins = first_word.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit() || c == '`')
            || first_word.contains(|c: char| c.is_ascii_digit() || c == '_');
        if text.is_empty() {
            self.report(site, "has no doc");
        } else if !begins {
            self.report(site, format!("doc: `{first_word}` doesn't begin with a capital letter"));
        } else if !text.ends_with('.') {
            self.report(site, "doc: no full stop at the end");
        } else if several_sentences(text) {
            self.report(site, "doc: is more than one sentence");
        }
    }

    fn origin(&mut self, site: &Site, release: Option<&str>, source: Option<&str>) {
        match release {
            Some(release) if version(release).is_some() => {}
            Some(release) => {
                self.report(site, format!("release: `{release}` is no release such as 14.2.0, nor `{UNRELEASED}`"))
            }
            None => self.report(site, "has no release"),
        }
        if source.is_none_or(|source| source.trim().is_empty()) {
            self.report(site, "has no source");
        }
    }

    /// A release is said again only where it is a later one.
    fn later(&mut self, site: &Site, own: Option<&str>, outer: &str) {
        let Some(own) = own else { return };
        match (version(own), version(outer)) {
            (None, _) => self.report(site, format!("release: `{own}` is no release such as 14.2.0")),
            (Some(own), Some(outer)) if own <= outer => {
                self.report(site, "release: no later than that of what it stands in, so leave it out");
            }
            _ => {}
        }
    }
}

/// Whether it is a name of C++, which may stand in namespaces or classes.
fn is_cxx_name(text: &str) -> bool {
    let word = |word: &str| word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    text.split("::").all(|part| word(part) && part.starts_with(|c: char| c.is_ascii_alphabetic()))
}

fn several_sentences(text: &str) -> bool {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.match_indices(['.', '!', '?']).any(|(at, _)| {
        let mut behind = text[at + 1..].chars();
        behind.next() == Some(' ') && behind.next().is_some_and(char::is_uppercase)
    })
}

/// A release as numbers that can be compared. What was never released comes after all that was.
fn version(text: &str) -> Option<[u32; 3]> {
    if text == UNRELEASED {
        return Some([u32::MAX; 3]);
    }
    let numbers: Vec<u32> = text.split('.').map(|n| n.parse().ok()).collect::<Option<_>>()?;
    numbers.try_into().ok()
}
