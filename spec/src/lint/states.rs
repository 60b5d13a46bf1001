//! States: that each is reached and left, and that every frame is sent by somebody and awaited by somebody.

use std::collections::HashSet;

use super::{Lint, Site};
use crate::model::*;
use crate::spec::DialectView;

/// Where tags stand, this is the banner.
pub(super) const BANNER: &str = "banner";

impl<'a> Lint<'a> {
    pub(super) fn states(&mut self) {
        let spec = self.spec;
        let (mut guards, mut actions) = (HashSet::new(), HashSet::new());
        for dialect in spec.dialects.values() {
            for state in dialect.states.values().flat_map(|states| states.values()) {
                for way in state.moves() {
                    guards.extend(way.when.as_deref());
                    actions.extend(way.actions.iter().map(String::as_str));
                }
            }
            if dialect.own_states || !dialect.own_tags.is_empty() || dialect.info.extends.is_none() {
                self.roles(dialect);
            }
        }
        for (section, names, used) in [("guards", &spec.guards, guards), ("actions", &spec.actions, actions)] {
            for (name, described) in names.iter().filter(|(name, _)| !used.contains(name.as_str())) {
                let site = self.shared(section, name, described.line);
                self.report(&site, "no move names it");
            }
        }
    }

    fn roles(&mut self, dialect: &'a DialectView) {
        let site = self.of_dialect(dialect, "", "dialect", dialect.line);
        for role in [Role::Client, Role::Server] {
            match dialect.states.get(&role) {
                Some(states) if !states.is_empty() => self.role(dialect, role, states),
                _ => return self.report(&site, format!("has no states for the {role}")),
            }
        }
        for (name, tag) in &dialect.tags {
            if name == BANNER {
                continue; // among the names that are taken
            }
            let site = self.of_dialect(dialect, "tags", name, tag.line);
            if tag.envelope {
                if dialect.states.values().flatten().any(|(_, state)| state.on.contains_key(name)) {
                    self.report(&site, "belongs to the envelope, but a state awaits it");
                }
                continue;
            }
            for (sender, receiver) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
                if !may_send(tag.from, sender) {
                    continue;
                }
                if !dialect.states[&receiver].values().any(|s| s.on.contains_key(name)) {
                    self.report(&site, format!("no state of the {receiver} accepts it"));
                }
                if !dialect.states[&sender].values().any(|s| s.may_send(name)) {
                    self.report(&site, format!("the {sender} never sends it"));
                }
            }
        }
    }

    fn role(&mut self, dialect: &'a DialectView, role: Role, states: &'a Named<State>) {
        let place = |lint: &Self, name: &str, line| lint.of_dialect(dialect, "states", &format!("{role}.{name}"), line);
        let names: Vec<&str> = states.keys().map(String::as_str).collect();
        let starts: Vec<usize> = states.values().enumerate().filter(|(_, s)| s.start).map(|(i, _)| i).collect();
        let (first, state) = states.first().map_or(("", 0), |(name, s)| (name.as_str(), s.line));
        match starts[..] {
            [0] => {}
            [at] => {
                let site = place(self, names[at], states[at].line);
                self.report(&site, format!("a connection begins here, so it must be the {role}'s first state"));
            }
            [] => {
                let site = place(self, first, state);
                self.report(&site, format!("no state of the {role} says `start: true`"));
            }
            [_, second, ..] => {
                let site = place(self, names[second], states[second].line);
                self.report(&site, format!("the {role} starts in another state already"));
            }
        }

        let mut reached: HashSet<&str> = HashSet::new();
        let mut left: Vec<&str> = starts.iter().map(|i| names[*i]).collect();
        while let Some(name) = left.pop() {
            if reached.insert(name)
                && let Some(state) = states.get(name)
            {
                left.extend(state.moves().map(|way| way.to.as_str()));
            }
        }
        for (name, state) in states {
            let site = place(self, name, state.line);
            if !starts.is_empty() && !reached.contains(name.as_str()) {
                self.report(&site, "no way leads to it from the start");
            }
            match (state.end, state.moves().next().is_none()) {
                (true, false) => self.report(&site, "is an end, but ways lead out of it"),
                (false, true) => self.report(&site, "no way leads out of it, and it is no end"),
                _ => {}
            }
            if state.end && !state.sends.is_empty() {
                self.report(&site, "is an end, but something is sent");
            }
            self.state(dialect, role, states, &site, state);
        }
        if dialect.banner.is_some() && !states.values().any(|s| s.on.contains_key(BANNER)) {
            let site = place(self, first, state);
            self.report(&site, format!("no state of the {role} awaits the banner"));
        }
    }

    fn state(
        &mut self,
        dialect: &'a DialectView,
        role: Role,
        states: &Named<State>,
        site: &Site<'a>,
        state: &'a State,
    ) {
        self.sent(dialect, role, site, &state.sends);
        for tag in state.acts.keys().filter(|tag| state.sends.contains(*tag)) {
            self.report(site, format!("`{tag}` stands in sends and in acts"));
        }
        let peer = if role == Role::Client { Role::Server } else { Role::Client };
        for (received, moves) in &state.on {
            let site = &site.part(&format!("on.{received}"), 0);
            match dialect.tags.get(received) {
                _ if received == BANNER => {}
                Some(tag) if may_send(tag.from, peer) => {}
                Some(_) => self.report(site, format!("`{received}` is not for the {role} to receive")),
                None => self.report(site, format!("`{received}` names no tag")),
            }
            self.moves(dialect, role, states, site, moves);
        }
        for (sent, moves) in &state.acts {
            let site = &site.part(&format!("acts.{sent}"), 0);
            self.sent(dialect, role, site, std::slice::from_ref(sent));
            self.moves(dialect, role, states, site, moves);
        }
    }

    fn moves(
        &mut self,
        dialect: &'a DialectView,
        role: Role,
        states: &Named<State>,
        site: &Site<'a>,
        moves: &'a Moves,
    ) {
        let ways = moves.all();
        if ways.is_empty() {
            self.report(site, "leads nowhere");
        }
        let mut guards: HashSet<Option<&str>> = HashSet::new();
        for (index, way) in ways.iter().enumerate() {
            if !states.contains_key(&way.to) {
                self.report(site, format!("`{}` names no state of the {role}", way.to));
            }
            match &way.when {
                Some(guard) if !self.spec.guards.contains_key(guard) => {
                    self.report(site, format!("`{guard}` names no guard"));
                }
                None if index + 1 < ways.len() => {
                    self.report(site, "a move without guard leaves nothing to those behind it");
                }
                _ => {}
            }
            if !guards.insert(way.when.as_deref()) {
                self.report(site, "two moves have the same guard");
            }
            for action in way.actions.iter().filter(|a| !self.spec.actions.contains_key(*a)) {
                self.report(site, format!("`{action}` names no action"));
            }
            self.sent(dialect, role, site, &way.sends);
        }
    }

    fn sent(&mut self, dialect: &DialectView, role: Role, site: &Site<'a>, tags: &[String]) {
        for name in tags {
            match dialect.tags.get(name) {
                Some(tag) if may_send(tag.from, role) => {}
                Some(_) => self.report(site, format!("`{name}` is not for the {role} to send")),
                None if name == BANNER => {}
                None => self.report(site, format!("`{name}` names no tag")),
            }
        }
    }
}

pub(super) fn may_send(from: From, role: Role) -> bool {
    match from {
        From::Both => true,
        From::Client => role == Role::Client,
        From::Server => role == Role::Server,
    }
}
