//! What a dialect changes against the one that it extends, item by item.

use super::Doc;
use super::text::{Page, code, prose};
use crate::ir::*;
use crate::model;

impl Doc<'_> {
    pub(super) fn changes(&self, page: &mut Page, id: DialectId, parent_id: DialectId) {
        let (dialect, parent) = (&self.ir[id], &self.ir[parent_id]);
        let mut changes = Vec::new();
        if let (Some(new), Some(old)) = (&dialect.envelope, &parent.envelope) {
            self.envelope_changes(old, new, &mut changes);
        }
        for (new_id, new) in self.ir.types(Some(id)) {
            let link = self.body_link(new_id);
            match new.replaces {
                Some(old) => {
                    changes.push(format!("Structure {link} replaces {}.", self.body_link(old)));
                    self.field_changes(&link, &self.ir[old], new, &mut changes);
                }
                None => changes.push(format!("Structure {link} is new: {}", prose(&new.doc))),
            }
        }
        let (mut own_tags, number) = (false, |body: &Body| match body.kind {
            BodyKind::Frame { number, .. } => number,
            _ => 0,
        });
        for (new_id, new) in self.ir.own_frames(id) {
            own_tags = true;
            let link = self.body_link(new_id);
            let Some(old) = new.replaces.map(|old| &self.ir[old]) else {
                changes.push(format!("Frame {link} is new."));
                continue;
            };
            if number(old) != number(new) {
                changes.push(format!("Frame {link} has the number {}, not {}.", number(new), number(old)));
            }
            self.field_changes(&link, old, new, &mut changes);
        }
        for (role, states) in dialect.states.iter().filter(|_| dialect.own_states) {
            for State { name, .. } in states.iter().filter(|state| state.own) {
                let old = parent.states.get(role).is_some_and(|old| old.iter().any(|old| old.name == *name));
                let how = if old { "is another" } else { "is new" };
                changes.push(format!("State [{name}](#{}) of the {role} {how}.", self.state_anchor(id, *role, name)));
            }
        }
        page.paragraph(&format!("Against {} it changes this:", code(&parent.info.name)));
        for change in &changes {
            page.line(&format!("- {change}"));
        }
        if changes.is_empty() {
            page.line("- Nothing.");
        }
        page.gap();
        let same = [("frames", !own_tags), ("states", !dialect.own_states)];
        let same: Vec<&str> = same.into_iter().filter(|(_, is)| *is).map(|(what, _)| what).collect();
        if !same.is_empty() {
            page.paragraph(&format!("All {} are as there.", same.join(" and ")));
        }
    }

    fn envelope_changes(&self, old: &Envelope, new: &Envelope, changes: &mut Vec<String>) {
        for (mode, parts) in &new.modes {
            let Some(before) = old.modes.get(mode) else {
                changes.push(format!("Frames have a mode {}.", code(mode)));
                continue;
            };
            let old_part = |part: &Part| before.iter().find(|p| label(p) == label(part));
            for part in parts {
                let name = match part.block {
                    Some(block) => self.body_link(block),
                    None => format!("segments {}", code(&label(part))),
                };
                let Some(was) = old_part(part) else {
                    changes.push(format!("Mode {}: {name} is new. {}", code(mode), prose(&part.says.doc)));
                    continue;
                };
                let (was, part) = (&was.says, &part.says);
                let seed = |part: &model::Part| part.seed.map(|seed| format!("{seed:#x}"));
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

    fn field_changes(&self, owner: &str, old: &Body, new: &Body, changes: &mut Vec<String>) {
        let whole = |field: &Field| {
            let content = field.content.as_ref().map(|content| self.ty(&content.ty));
            (self.ty(&field.node.ty), content)
        };
        for field in &new.fields {
            let name = code(&field.name);
            match old.fields.iter().find(|f| f.name == field.name) {
                None => changes.push(format!("{owner}: {name} is new. {}", prose(&field.doc))),
                Some(was) if whole(was) != whole(field) => {
                    let (was, is) = (self.said(&was.node), self.said(&field.node));
                    changes.push(format!("{owner}: {name} was {was}, is {is}."));
                }
                Some(_) => {}
            }
        }
        for field in old.fields.iter().filter(|f| !new.fields.iter().any(|n| n.name == f.name)) {
            changes.push(format!("{owner}: {} is gone.", code(&field.name)));
        }
    }

    fn said(&self, node: &Node) -> String {
        match &node.ty {
            Type::Union(union) => format!("a union by {}", code(&union.by.name)),
            _ => code(&self.ir.said(node)),
        }
    }
}

fn label(part: &Part) -> String {
    let part = &part.says;
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
