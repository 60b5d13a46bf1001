//! States: a diagram and a table per role.

use super::Doc;
use super::items::anchored;
use super::text::{Page, code, prose};
use crate::model::*;
use crate::spec::DialectView;

impl<'a> Doc<'a> {
    pub(super) fn states(&self, page: &mut Page) {
        self.section(page, "states");
        page.line(
            "An arrow says what is received, or with an exclamation mark what this side sends on its own initiative, in \
             brackets the guard that must hold, and behind the stroke what is sent on the way. Of several moves the \
             first is made whose guard holds.",
        );
        for dialect in self.spec.dialects.values().filter(|d| d.own_states) {
            for (role, states) in &dialect.states {
                let title = format!("The {role} in {}", dialect.info.name);
                page.heading(3, &format!("states-{}-{role}", dialect.info.name), &title);
                page.block("mermaid", &diagram(states));
                self.state_table(page, dialect, *role, states);
            }
        }
        for (title, names, kind) in [("Guards", &self.spec.guards, "guard"), ("Actions", &self.spec.actions, "action")]
        {
            let rows = names.iter().map(|(name, described)| [anchored(kind, name), prose(&described.doc)]);
            if names.is_empty() {
                continue;
            }
            page.heading(3, &format!("{kind}s"), title);
            page.table(["Name", "What it means"], rows);
        }
    }

    fn state_table(&self, page: &mut Page, dialect: &'a DialectView, role: Role, states: &Named<State>) {
        let mut rows = Vec::new();
        for (name, state) in states {
            let anchor = self.state_anchor(dialect, role, name);
            let mut first = format!("<a id=\"{anchor}\"></a>{}", code(name));
            let mut about = prose(&state.doc);
            if !state.sends.is_empty() {
                let sent: Vec<String> = state.sends.iter().map(|tag| self.tag_link(dialect, tag)).collect();
                about.push_str(&format!(" May send {} at any time.", sent.join(", ")));
            }
            if let Some(like) = &state.like {
                let anchor = self.state_anchor(dialect, role, like);
                about.push_str(&format!(" Like [{like}](#{anchor}) in all that it doesn't say itself."));
            }
            if state.moves().next().is_none() {
                rows.push([first, about, String::new(), String::new(), String::new(), String::new()]);
                continue;
            }
            let received = state.on.iter().map(|(tag, moves)| (self.tag_link(dialect, tag), moves));
            let acts = state.acts.iter().map(|(tag, moves)| (format!("sends {}", self.tag_link(dialect, tag)), moves));
            for (event, moves) in received.chain(acts) {
                for way in moves.all() {
                    let guard = way.when.as_ref().map(|guard| format!("[{guard}](#guard-{guard})"));
                    let sent: Vec<String> = way.sends.iter().map(|tag| self.tag_link(dialect, tag)).collect();
                    let done: Vec<String> = way.actions.iter().map(|a| format!("[{a}](#action-{a})")).collect();
                    let to = format!("[{}](#{})", way.to, self.state_anchor(dialect, role, &way.to));
                    rows.push([
                        std::mem::take(&mut first),
                        std::mem::take(&mut about),
                        event.clone(),
                        guard.unwrap_or_default(),
                        sent.into_iter().chain(done).collect::<Vec<_>>().join(", "),
                        to,
                    ]);
                }
            }
        }
        page.table(["State", "What it is", "Receives, or sends by itself", "If", "Sends, does", "Leads to"], rows);
    }

    /// The anchor of a state, in the dialect whose table it stands in.
    pub(super) fn state_anchor(&self, dialect: &'a DialectView, role: Role, name: &str) -> String {
        let owner = self.spec.ancestry(dialect).find(|d| d.own_states).unwrap_or(dialect);
        format!("state-{}-{role}-{name}", owner.info.name)
    }
}

fn diagram(states: &Named<State>) -> String {
    let mut lines = vec!["stateDiagram-v2".to_owned()];
    for (name, state) in states {
        if state.start {
            lines.push(format!("    [*] --> {name}"));
        }
        let event = |tag: &String| if tag == "banner" { tag.clone() } else { tag.to_uppercase() };
        let received = state.on.iter().map(|(tag, moves)| (event(tag), moves));
        let acts = state.acts.iter().map(|(tag, moves)| (format!("{}!", event(tag)), moves));
        for (event, moves) in received.chain(acts) {
            for way in moves.all() {
                let guard = way.when.as_ref().map(|guard| format!(" [{guard}]")).unwrap_or_default();
                let sends: Vec<String> = way.sends.iter().map(|tag| tag.to_uppercase()).collect();
                let sends = if sends.is_empty() { String::new() } else { format!(" / {}", sends.join(", ")) };
                lines.push(format!("    {name} --> {}: {event}{guard}{sends}", way.to));
            }
        }
        if state.end {
            lines.push(format!("    {name} --> [*]"));
        }
    }
    lines.join("\n")
}
