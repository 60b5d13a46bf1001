//! Every item says in one sentence what it is, and since when.

use super::{BodyKind, Lint, Site};
use crate::doc::UNRELEASED;

impl<'a> Lint<'a> {
    pub(super) fn docs(&mut self) {
        let spec = self.spec;
        macro_rules! described {
            ($($section:ident),*) => {$(
                for (name, item) in &spec.$section {
                    self.sentence(&self.shared(stringify!($section), name, item.line), &item.doc);
                }
            )*};
        }
        described!(common, context, limits, findings, enums, flags, guards, actions);
        for (name, finding) in &spec.findings {
            if finding.summary.is_empty() {
                self.report(&self.shared("findings", name, finding.line), "has no summary");
            }
        }
        for (name, common) in &spec.common {
            self.display(&self.shared("common", name, common.line), &common.display, Some(&common.ty));
        }
        for (name, e) in &spec.enums {
            let site = self.shared("enums", name, e.line);
            self.origin(&site, Some(&e.release), Some(&e.source));
            for (name, value) in e.values.iter().filter(|_| e.like.is_none()) {
                let site = site.part(name, value.line);
                self.sentence(&site, &value.doc);
                self.later(&site, value.release.as_deref(), &e.release);
            }
        }
        for (name, f) in &spec.flags {
            let site = self.shared("flags", name, f.line);
            self.origin(&site, Some(&f.release), Some(&f.source));
            for (name, flag) in &f.values {
                let site = site.part(name, flag.line);
                self.sentence(&site, &flag.doc);
                self.later(&site, flag.release.as_deref(), &f.release);
            }
        }
        self.body_docs();
        for dialect in spec.dialects.values() {
            let site = self.of_dialect(dialect, "", "dialect", dialect.line);
            self.sentence(&site, &dialect.info.doc);
            self.origin(&site, Some(&dialect.info.release), Some(&dialect.info.source));
            if let Some(envelope) = &dialect.envelope {
                let site = self.of_dialect(dialect, "", "envelope", envelope.line);
                self.sentence(&site, &envelope.doc);
                for part in envelope.modes.values().flatten() {
                    self.sentence(&site.part("modes", 0), &part.doc);
                }
            }
            for (role, states) in dialect.states.iter().filter(|_| dialect.own_states) {
                for (name, state) in states {
                    let site = self.of_dialect(dialect, "states", &format!("{role}.{name}"), state.line);
                    self.sentence(&site, &state.doc);
                }
            }
        }
    }

    /// Structures, frames and messages with their fields.
    fn body_docs(&mut self) {
        for body in self.bodies() {
            let (site, spec) = (&body.site, self.spec);
            let (doc, source): (&str, Option<&str>) = match body.kind {
                BodyKind::Message => {
                    let message = &spec.messages[body.name];
                    self.display(site, &message.display, None);
                    (&message.doc, message.source.as_deref())
                }
                BodyKind::Frame | BodyKind::Segments => match site.dialect.and_then(|d| d.tags.get(body.name)) {
                    Some(tag) => (&tag.doc, Some(&tag.source)),
                    None => continue,
                },
                BodyKind::Struct => match spec.find_type(site.dialect, body.name) {
                    Some(s) => {
                        self.display(site, &s.display, None);
                        (&s.doc, s.source.as_deref())
                    }
                    None => continue,
                },
            };
            self.sentence(site, doc);
            let dialect = site.dialect.map(|d| &d.info);
            let release = body.release.or(dialect.map(|d| d.release.as_str()));
            self.origin(site, release, source.or(dialect.map(|d| d.source.as_str())));
            for field in body.fields {
                let site = body.site.part(&field.name, field.line);
                self.sentence(&site, &field.doc);
                self.later(&site, field.release.as_deref(), release.unwrap_or_default());
            }
        }
    }

    pub(super) fn sentence(&mut self, site: &Site<'a>, doc: &str) {
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

    fn origin(&mut self, site: &Site<'a>, release: Option<&str>, source: Option<&str>) {
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
    fn later(&mut self, site: &Site<'a>, own: Option<&str>, outer: &str) {
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
