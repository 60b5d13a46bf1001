//! States: that each is reached and left, and that every frame is sent by somebody and awaited by somebody.

use std::collections::HashSet;

use super::Lint;
use crate::ir::*;
use crate::model::Role;

impl Lint<'_> {
    pub(super) fn states(&mut self) {
        let ir = self.ir;
        let moves = || ir.dialects.iter().flat_map(|d| d.states.values().flatten()).flat_map(State::moves);
        let guards: HashSet<&str> = moves().filter_map(|way| way.when.as_deref()).collect();
        let actions: HashSet<&str> = moves().flat_map(|way| &way.actions).map(String::as_str).collect();
        for (names, used) in [(&ir.guards, guards), (&ir.actions, actions)] {
            for (_, described) in names.iter().filter(|(name, _)| !used.contains(name.as_str())) {
                self.report(&described.site, "no move names it");
            }
        }
        for (id, dialect) in ir.dialects() {
            if dialect.own_states || ir.own_frames(id).next().is_some() || dialect.parent.is_none() {
                self.roles(dialect);
            }
        }
    }

    fn roles(&mut self, dialect: &Dialect) {
        for role in [Role::Client, Role::Server] {
            match dialect.states.get(&role) {
                Some(states) if !states.is_empty() => self.role(dialect, role, states),
                _ => return self.report(&dialect.site, format!("has no states for the {role}")),
            }
        }
        for id in dialect.tags.values() {
            let (body, event) = (&self.ir[*id], Event::Frame(*id));
            if matches!(body.kind, BodyKind::Frame { envelope: true, .. }) {
                if dialect.states.values().flatten().any(|state| state.awaits(event)) {
                    self.report(&body.site, "belongs to the envelope, but a state awaits it");
                }
                continue;
            }
            for (sender, receiver) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
                if !body.may_come_from(sender) {
                    continue;
                }
                if !dialect.states[&receiver].iter().any(|state| state.awaits(event)) {
                    self.report(&body.site, format!("no state of the {receiver} accepts it"));
                }
                if !dialect.states[&sender].iter().any(|state| state.may_send(event)) {
                    self.report(&body.site, format!("the {sender} never sends it"));
                }
            }
        }
    }

    fn role(&mut self, dialect: &Dialect, role: Role, states: &[State]) {
        let starts: Vec<usize> = states.iter().enumerate().filter(|(_, s)| s.start).map(|(i, _)| i).collect();
        match starts[..] {
            [0] => {}
            [at] => {
                let what = format!("a connection begins here, so it must be the {role}'s first state");
                self.report(&states[at].site, what);
            }
            [] => self.report(&states[0].site, format!("no state of the {role} says `start: true`")),
            [_, second, ..] => self.report(&states[second].site, format!("the {role} starts in another state already")),
        }

        let mut reached: HashSet<usize> = HashSet::new();
        let mut left = starts.clone();
        while let Some(at) = left.pop() {
            if reached.insert(at) {
                left.extend(states[at].moves().map(|way| way.to));
            }
        }
        for (at, state) in states.iter().enumerate() {
            let site = &state.site;
            if !starts.is_empty() && !reached.contains(&at) {
                self.report(site, "no way leads to it from the start");
            }
            match (state.end, state.moves().next().is_none()) {
                (true, false) => self.report(site, "is an end, but ways lead out of it"),
                (false, true) => self.report(site, "no way leads out of it, and it is no end"),
                _ => {}
            }
            if state.end && !state.sends.is_empty() {
                self.report(site, "is an end, but something is sent");
            }
            self.state(role, state);
        }
        if dialect.banner.is_some() && !states.iter().any(|state| state.awaits(Event::Banner)) {
            self.report(&states[0].site, format!("no state of the {role} awaits the banner"));
        }
    }

    fn state(&mut self, role: Role, state: &State) {
        self.sent(role, &state.site, &state.sends);
        for act in state.acts.iter().filter(|act| state.sends.contains(&act.event)) {
            self.report(&state.site, format!("`{}` stands in sends and in acts", self.name(act.event)));
        }
        let peer = if role == Role::Client { Role::Server } else { Role::Client };
        for on in &state.on {
            let site = &state.site.part(&format!("on.{}", self.name(on.event)), 0);
            if !self.may_send(on.event, peer) {
                self.report(site, format!("`{}` is not for the {role} to receive", self.name(on.event)));
            }
            self.moves(role, site, &on.moves);
        }
        for act in &state.acts {
            let site = &state.site.part(&format!("acts.{}", self.name(act.event)), 0);
            self.sent(role, site, &[act.event]);
            self.moves(role, site, &act.moves);
        }
    }

    fn moves(&mut self, role: Role, site: &Site, moves: &[Move]) {
        if moves.is_empty() {
            self.report(site, "leads nowhere");
        }
        let mut guards: HashSet<Option<&str>> = HashSet::new();
        for (index, way) in moves.iter().enumerate() {
            if way.when.is_none() && index + 1 < moves.len() {
                self.report(site, "a move without guard leaves nothing to those behind it");
            }
            if !guards.insert(way.when.as_deref()) {
                self.report(site, "two moves have the same guard");
            }
            self.sent(role, site, &way.sends);
        }
    }

    fn sent(&mut self, role: Role, site: &Site, events: &[Event]) {
        for event in events {
            if !self.may_send(*event, role) {
                self.report(site, format!("`{}` is not for the {role} to send", self.name(*event)));
            }
        }
    }

    /// Whether something may come from a role.
    pub(super) fn may_send(&self, event: Event, role: Role) -> bool {
        match event {
            Event::Banner => true,
            Event::Frame(id) => self.ir[id].may_come_from(role),
        }
    }

    fn name(&self, event: Event) -> &str {
        match event {
            Event::Banner => crate::resolve::BANNER,
            Event::Frame(id) => &self.ir[id].name,
        }
    }
}
