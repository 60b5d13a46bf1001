//! States: a diagram and a table per role.

use super::Doc;
use super::items::anchored;
use super::text::{Page, code, prose};
use crate::ir::*;
use crate::model::Role;

impl Doc<'_> {
    pub(super) fn states(&self, page: &mut Page) {
        self.section(page, "states");
        page.line(
            "An arrow says what is received, or with an exclamation mark what this side sends on its own initiative, in \
             brackets the guard that must hold, and behind the stroke what is sent on the way. Of several moves the \
             first is made whose guard holds.",
        );
        for (id, dialect) in self.ir.dialects().filter(|(_, d)| d.own_states) {
            for (role, states) in &dialect.states {
                let title = format!("The {role} in {}", dialect.info.name);
                page.heading(3, &format!("states-{}-{role}", dialect.info.name), &title);
                page.block("mermaid", &self.diagram(states));
                self.state_table(page, id, *role, states);
            }
        }
        for (title, names, kind) in [("Guards", &self.ir.guards, "guard"), ("Actions", &self.ir.actions, "action")] {
            let rows = names.iter().map(|(name, described)| [anchored(kind, name), prose(&described.doc)]);
            if names.is_empty() {
                continue;
            }
            page.heading(3, &format!("{kind}s"), title);
            page.table(["Name", "What it means"], rows);
        }
    }

    fn state_table(&self, page: &mut Page, dialect: DialectId, role: Role, states: &[State]) {
        let mut rows = Vec::new();
        for state in states {
            let name = &state.name;
            let anchor = self.state_anchor(dialect, role, name);
            let mut first = format!("<a id=\"{anchor}\"></a>{}", code(name));
            let mut about = prose(&state.doc);
            if !state.sends.is_empty() {
                let sent: Vec<String> = state.sends.iter().map(|event| self.event_link(*event)).collect();
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
            let received = state.on.iter().map(|on| (self.event_link(on.event), &on.moves));
            let acts = state.acts.iter().map(|on| (format!("sends {}", self.event_link(on.event)), &on.moves));
            for (event, moves) in received.chain(acts) {
                for way in moves {
                    let guard = way.when.as_ref().map(|guard| format!("[{guard}](#guard-{guard})"));
                    let sent: Vec<String> = way.sends.iter().map(|event| self.event_link(*event)).collect();
                    let done: Vec<String> = way.actions.iter().map(|a| format!("[{a}](#action-{a})")).collect();
                    let to = &states[way.to].name;
                    let to = format!("[{to}](#{})", self.state_anchor(dialect, role, to));
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
    pub(super) fn state_anchor(&self, dialect: DialectId, role: Role, name: &str) -> String {
        let owner = self.ir.ancestry(Some(dialect)).find(|id| self.ir[*id].own_states).unwrap_or(dialect);
        format!("state-{}-{role}-{name}", self.ir[owner].info.name)
    }

    fn diagram(&self, states: &[State]) -> String {
        let mut lines = vec!["stateDiagram-v2".to_owned()];
        let event = |event: Event| match event {
            Event::Banner => "banner".to_owned(),
            Event::Frame(id) => self.ir[id].name.to_uppercase(),
        };
        for State { name, start, end, on, acts, .. } in states {
            if *start {
                lines.push(format!("    [*] --> {name}"));
            }
            let received = on.iter().map(|on| (event(on.event), &on.moves));
            let acts = acts.iter().map(|on| (format!("{}!", event(on.event)), &on.moves));
            for (happens, moves) in received.chain(acts) {
                for way in moves {
                    let guard = way.when.as_ref().map(|guard| format!(" [{guard}]")).unwrap_or_default();
                    let sends: Vec<String> = way.sends.iter().map(|sent| event(*sent)).collect();
                    let sends = if sends.is_empty() { String::new() } else { format!(" / {}", sends.join(", ")) };
                    lines.push(format!("    {name} --> {}: {happens}{guard}{sends}", states[way.to].name));
                }
            }
            if *end {
                lines.push(format!("    {name} --> [*]"));
            }
        }
        lines.join("\n")
    }
}
