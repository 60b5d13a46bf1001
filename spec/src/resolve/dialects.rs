//! Of a dialect its banner, its envelope, its states and its conversations.

use indexmap::IndexMap;

use super::types::{Naming, PLAIN};
use super::{BANNER, Resolver};
use crate::ir::*;
use crate::model::{self, At, Moves, Named, Role};
use crate::names::constant;
use crate::spec::DialectView;

impl<'a> Resolver<'a> {
    pub(super) fn banner(&mut self, dialect: DialectId, view: &'a DialectView) {
        let Some(banner) = view.banner.as_ref().filter(|_| self.own(view, "banner")) else {
            let inherited = self.ir[dialect].parent.and_then(|parent| self.ir[parent].banner.clone());
            let inherited = inherited.map(|b| Placed { item: Banner { own: false, ..b.item }, ..b });
            self.ir.dialects[dialect.0].banner = inherited;
            return;
        };
        let site = self.of_dialect(view, "", BANNER, banner.line);
        let Some(body) = self.structure(Some(dialect), &banner.ty) else {
            return self.report(&site, format!("`{}` names no structure", banner.ty));
        };
        let around = self.frame_field(&Naming {
            dialect: Some(dialect),
            constant: constant(&format!("{}_{}", view.module(), banner.ty)),
            filter: "msgr2".into(),
            name: &banner.ty,
            doc: "The banner.",
            display: &PLAIN,
            site: &site,
        });
        let info = banner.info.as_ref().and_then(|text| self.template(&site, body, "info", text));
        self.ir.dialects[dialect.0].banner = Some(Placed { site, item: Banner { own: true, body, around, info } });
    }

    /// Whether a dialect has its own banner or envelope.
    fn own(&self, view: &DialectView, what: &str) -> bool {
        !self.spec.place(&format!("{}..{what}", view.folder)).is_empty()
    }

    pub(super) fn envelope(&mut self, dialect: DialectId, view: &'a DialectView) {
        let Some(envelope) = &view.envelope else { return };
        let site = self.of_dialect(view, "", "envelope", envelope.line);
        if !self.own(view, "envelope") {
            let inherited = self.ir[dialect].parent.and_then(|parent| self.ir[parent].envelope.clone());
            let inherited = inherited.map(|e| Placed { item: Envelope { own: false, ..e.item }, ..e });
            self.ir.dialects[dialect.0].envelope = inherited;
            return;
        }
        let mut modes = IndexMap::new();
        for (mode, parts) in &envelope.modes {
            let parts = parts.iter().enumerate();
            let parts =
                parts.map(|(at, part)| self.envelope_part(dialect, &site.part(&format!("modes.{mode}.{at}"), 0), part));
            modes.insert(mode.clone(), parts.collect());
        }
        let mut examples = Vec::new();
        for example in &envelope.examples {
            let site = site.part("examples", example.line);
            if !envelope.modes.contains_key(&example.mode) {
                self.report(&site, format!("`{}` names no mode", example.mode));
            }
            let bytes = self.bytes(&site, &example.hex, &example.context, example.clone());
            if let Some(Event::Frame(body)) = self.event(dialect, &site, &example.tag) {
                examples.push((body, bytes));
            }
        }
        let item = Envelope { own: true, doc: envelope.doc.clone(), modes, examples };
        self.ir.dialects[dialect.0].envelope = Some(Placed { site, item });
    }

    fn envelope_part(&mut self, dialect: DialectId, site: &Site, part: &model::Part) -> Part {
        let block = part.block.as_ref().and_then(|name| {
            let of_envelope = |id: &&BodyId| matches!(self.ir[**id].kind, BodyKind::Frame { envelope: true, .. });
            let tag = self.ir[dialect].tags.get(name).filter(of_envelope).copied();
            let found = tag.or_else(|| self.structure(Some(dialect), name));
            let what = format!("block: `{name}` names no structure, and no tag of the envelope");
            self.good(site, found.ok_or(what))
        });
        let segments = part.segments.as_ref().and_then(|segments| {
            let number = segments.strip_suffix("..").unwrap_or(segments).parse::<u8>();
            let read = number.map(|number| (number, segments.ends_with("..")));
            self.good(site, read.map_err(|_| format!("segments `{segments}` is neither such as `0` nor as `1..`")))
        });
        Part { block, segments, says: part.clone() }
    }

    /// A tag, or the banner.
    fn event(&mut self, dialect: DialectId, site: &Site, name: &str) -> Option<Event> {
        match self.ir[dialect].tags.get(name) {
            _ if name == BANNER => Some(Event::Banner),
            Some(body) => Some(Event::Frame(*body)),
            None => {
                self.report(site, format!("`{name}` names no tag"));
                None
            }
        }
    }

    fn events(&mut self, dialect: DialectId, site: &Site, names: &[String]) -> Vec<Event> {
        names.iter().filter_map(|name| self.event(dialect, site, name)).collect()
    }

    pub(super) fn states(&mut self, dialect: DialectId, view: &'a DialectView) {
        for (role, states) in &view.states {
            let resolved = states.iter().map(|(name, state)| {
                let key = format!("{role}.{name}");
                let own = !self.spec.place(&format!("{}.states.{key}", view.folder)).is_empty();
                let site = self.of_dialect(view, "states", &key, state.line);
                let sends = self.events(dialect, &site, &state.sends);
                let on = self.ways(dialect, *role, states, &site.part("on", 0), &state.on);
                let acts = self.ways(dialect, *role, states, &site.part("acts", 0), &state.acts);
                let model::State { doc, start, end, like, .. } = (**state).clone();
                State { site, own, name: name.clone(), doc, start, end, like, sends, acts, on }
            });
            let resolved = resolved.collect();
            self.ir.dialects[dialect.0].states.insert(*role, resolved);
        }
    }

    fn ways(
        &mut self,
        dialect: DialectId,
        role: Role,
        states: &Named<model::State>,
        site: &Site,
        by_event: &IndexMap<String, Moves>,
    ) -> Vec<On> {
        let mut list = Vec::new();
        for (name, moves) in by_event {
            let site = site.part(name, 0);
            let mut ways = Vec::new();
            for way in moves.all() {
                let to = states.get_index_of(&way.to);
                let to = self.good(&site, to.ok_or_else(|| format!("`{}` names no state of the {role}", way.to)));
                if let Some(guard) = way.when.as_ref().filter(|guard| !self.spec.guards.contains_key(*guard)) {
                    self.report(&site, format!("`{guard}` names no guard"));
                }
                for action in way.actions.iter().filter(|action| !self.spec.actions.contains_key(*action)) {
                    self.report(&site, format!("`{action}` names no action"));
                }
                let sends = self.events(dialect, &site, &way.sends);
                ways.extend(to.map(|to| Move { to, sends, when: way.when.clone(), actions: way.actions.clone() }));
            }
            list.extend(self.event(dialect, &site, name).map(|event| On { event, moves: ways }));
        }
        list
    }

    pub(super) fn exchanges(&mut self, dialect: DialectId, view: &'a DialectView) {
        for (name, exchange) in &view.exchanges {
            let site = self.of_dialect(view, "exchanges", name, exchange.line);
            let flights = exchange.flights.iter().enumerate();
            let flights = flights
                .map(|(at, flight)| self.flight(dialect, &site.part(&format!("flights.{at}"), flight.line), flight));
            let item = Exchange { flights: flights.collect(), says: (**exchange).clone() };
            self.ir.dialects[dialect.0].exchanges.insert(name.clone(), Placed { site, item });
        }
    }

    fn flight(&mut self, dialect: DialectId, site: &Site, flight: &At<model::Flight>) -> Bytes<Vec<Event>> {
        let mut events = Vec::new();
        for (at, frame) in flight.frames.iter().enumerate() {
            let site = site.part(&format!("frames.{at}"), 0);
            self.given(&site, &frame.context);
            events.extend(self.event(dialect, &site, &frame.tag));
        }
        Bytes { segments: self.hex(site, &flight.hex), says: events }
    }
}
