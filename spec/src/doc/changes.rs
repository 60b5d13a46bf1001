//! What a dialect changes against the one that it extends, item by item.

use super::Doc;
use super::text::{Page, code, prose};
use crate::model::*;
use crate::spec::DialectView;

impl<'a> Doc<'a> {
    pub(super) fn changes(&self, page: &mut Page, dialect: &'a DialectView, parent: &'a DialectView) {
        let mut changes = Vec::new();
        if let (Some(new), Some(old)) = (&dialect.envelope, &parent.envelope) {
            self.envelope_changes(dialect, old, new, &mut changes);
        }
        for (name, new) in &dialect.types {
            let link = self.type_link(Some(dialect), name);
            match self.spec.find_type(Some(parent), name) {
                Some(old) => {
                    let old_link = self.type_link(Some(parent), name);
                    changes.push(format!("Structure {link} replaces {old_link}."));
                    self.field_changes(&link, &old.fields, &new.fields, &mut changes);
                }
                None => changes.push(format!("Structure {link} is new: {}", prose(&new.doc))),
            }
        }
        for name in &dialect.own_tags {
            let link = self.tag_link(dialect, name);
            match (parent.tags.get(name), dialect.tags.get(name)) {
                (Some(old), Some(new)) => {
                    if old.number != new.number {
                        changes.push(format!("Frame {link} has the number {}, not {}.", new.number, old.number));
                    }
                    let fields = |tag: &'a Tag| if tag.segments.is_empty() { &tag.fields } else { &tag.segments };
                    self.field_changes(&link, fields(old), fields(new), &mut changes);
                }
                _ => changes.push(format!("Frame {link} is new.")),
            }
        }
        if dialect.own_states {
            for (role, states) in &dialect.states {
                for name in states.keys() {
                    let key = format!("{}.states.{role}.{name}", dialect.folder);
                    if self.spec.place(&key).is_empty() {
                        continue;
                    }
                    let old = parent.states.get(role).is_some_and(|old| old.contains_key(name));
                    let how = if old { "is another" } else { "is new" };
                    let anchor = self.state_anchor(dialect, *role, name);
                    changes.push(format!("State [{name}](#{anchor}) of the {role} {how}."));
                }
            }
        }
        page.line(&format!("Against {} it changes this:", code(&parent.info.name)));
        page.gap();
        for change in &changes {
            page.line(&format!("- {change}"));
        }
        if changes.is_empty() {
            page.line("- Nothing.");
        }
        page.gap();
        let mut same = Vec::new();
        for (what, is) in [("frames", dialect.own_tags.is_empty()), ("states", !dialect.own_states)] {
            if is {
                same.push(what);
            }
        }
        if !same.is_empty() {
            page.line(&format!("All {} are as there.", same.join(" and ")));
            page.gap();
        }
    }

    fn envelope_changes(&self, dialect: &'a DialectView, old: &Envelope, new: &Envelope, changes: &mut Vec<String>) {
        for (mode, parts) in &new.modes {
            let Some(before) = old.modes.get(mode) else {
                changes.push(format!("Frames have a mode {}.", code(mode)));
                continue;
            };
            let old_part = |part: &Part| before.iter().find(|p| label(p) == label(part));
            for part in parts {
                let name = match &part.block {
                    Some(block) => self.block_link(dialect, block),
                    None => format!("segments {}", code(&label(part))),
                };
                let Some(was) = old_part(part) else {
                    changes.push(format!("Mode {}: {name} is new. {}", code(mode), prose(&part.doc)));
                    continue;
                };
                let seed = |part: &Part| part.seed.map(|seed| format!("{seed:#x}"));
                for (what, was, is) in [
                    ("what it covers", was.covers.clone(), part.covers.clone()),
                    ("its CRC's initial value", seed(was), seed(part)),
                    ("when it is there", was.when.clone(), part.when.clone()),
                ] {
                    if was != is {
                        let (was, is) = (shown(was.as_deref()), shown(is.as_deref()));
                        changes.push(format!("Mode {}: {name}: {what} was {was}, is {is}.", code(mode)));
                    }
                }
            }
            for part in before.iter().filter(|part| !parts.iter().any(|p| label(p) == label(part))) {
                changes.push(format!("Mode {}: {} is gone.", code(mode), code(&label(part))));
            }
        }
        for mode in old.modes.keys().filter(|mode| !new.modes.contains_key(*mode)) {
            changes.push(format!("Frames have no mode {}.", code(mode)));
        }
    }

    fn field_changes(&self, owner: &str, old: &[At<Field>], new: &[At<Field>], changes: &mut Vec<String>) {
        for field in new {
            let name = code(&field.name);
            match old.iter().find(|f| f.name == field.name) {
                None => changes.push(format!("{owner}: {name} is new. {}", prose(&field.doc))),
                Some(was) if was.ty != field.ty || was.holds != field.holds => {
                    let (was, is) = (written(&was.ty), written(&field.ty));
                    changes.push(format!("{owner}: {name} was {was}, is {is}."));
                }
                Some(_) => {}
            }
        }
        for field in old.iter().filter(|f| !new.iter().any(|n| n.name == f.name)) {
            changes.push(format!("{owner}: {} is gone.", code(&field.name)));
        }
    }
}

fn label(part: &Part) -> String {
    match (&part.block, &part.segments, part.from) {
        (Some(block), ..) => block.clone(),
        (None, Some(segments), None) => segments.clone(),
        (None, Some(segments), Some(from)) => format!("{segments} from byte {from}"),
        (None, None, _) => "seal".to_owned(),
    }
}

fn shown(text: Option<&str>) -> String {
    text.map_or_else(|| "not said".to_owned(), |text| format!("\"{}\"", prose(text)))
}

fn written(reference: &TypeRef) -> String {
    match reference {
        TypeRef::Expr(text) => code(text),
        TypeRef::Switch(switch) => format!("a union by {}", code(&switch.switch)),
    }
}
