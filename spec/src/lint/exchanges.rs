//! Exchanges: that their bytes can be read, and that each frame is one that its sender may send. Whether the bytes are
//! those of the frames, tests of the codec tell.

use super::states::{BANNER, may_send};
use super::{Lint, Site};
use crate::expr::parse_hex;
use crate::model::*;
use crate::spec::DialectView;

impl<'a> Lint<'a> {
    pub(super) fn exchanges(&mut self) {
        for dialect in self.spec.dialects.values() {
            for (name, exchange) in &dialect.exchanges {
                let site = self.of_dialect(dialect, "exchanges", name, exchange.line);
                self.sentence(&site, &exchange.doc);
                if exchange.source.trim().is_empty() {
                    self.report(&site, "has no source");
                }
                if exchange.flights.is_empty() {
                    self.report(&site, "has no flights");
                }
                for (index, flight) in exchange.flights.iter().enumerate() {
                    self.flight(dialect, &site.part(&format!("flights.{index}"), flight.line), flight);
                }
            }
        }
    }

    fn flight(&mut self, dialect: &'a DialectView, site: &Site<'a>, flight: &Flight) {
        self.sentence(site, &flight.doc);
        match parse_hex(&flight.hex) {
            Ok(parts) if parts.len() > 1 => self.report(site, "hex: has segments, but a flight is all its bytes"),
            Ok(parts) if parts.concat().is_empty() => self.report(site, "hex: has no bytes"),
            Ok(_) => {}
            Err(what) => self.report(site, format!("hex: {what}")),
        }
        if flight.frames.is_empty() {
            self.report(site, "has no frames");
        }
        for (index, frame) in flight.frames.iter().enumerate() {
            let site = &site.part(&format!("frames.{index}"), 0);
            let name = &frame.tag;
            match dialect.tags.get(name) {
                _ if name == BANNER => {
                    if index > 0 || frame.sealed || frame.signed {
                        self.report(site, "a banner comes before all frames, neither sealed nor signed");
                    }
                }
                Some(tag) if may_send(tag.from, flight.from) => {}
                Some(_) => self.report(site, format!("`{name}` is not for the {} to send", flight.from)),
                None => self.report(site, format!("`{name}` names no tag")),
            }
            self.given(site, &frame.context);
        }
    }
}
