//! Exchanges: that each frame is one that its sender may send. Whether the bytes are those of the frames, tests of the
//! codec tell.

use super::Lint;
use crate::ir::*;
use crate::model::Flight;

impl Lint<'_> {
    pub(super) fn exchanges(&mut self) {
        for exchange in self.ir.dialects.iter().flat_map(|dialect| dialect.exchanges.values()) {
            let Placed { site, item: Exchange { says, flights } } = exchange;
            self.sentence(site, &says.doc);
            if says.source.trim().is_empty() {
                self.report(site, "has no source");
            }
            if flights.is_empty() {
                self.report(site, "has no flights");
            }
            for (index, (flight, bytes)) in says.flights.iter().zip(flights).enumerate() {
                self.flight(&site.part(&format!("flights.{index}"), flight.line), flight, bytes);
            }
        }
    }

    fn flight(&mut self, site: &Site, flight: &Flight, bytes: &Bytes<Vec<Event>>) {
        self.sentence(site, &flight.doc);
        if bytes.segments.len() > 1 {
            self.report(site, "hex: has segments, but a flight is all its bytes");
        } else if bytes.segments.concat().is_empty() {
            self.report(site, "hex: has no bytes");
        }
        if flight.frames.is_empty() {
            self.report(site, "has no frames");
        }
        for (index, (frame, event)) in flight.frames.iter().zip(&bytes.says).enumerate() {
            let site = &site.part(&format!("frames.{index}"), 0);
            match event {
                Event::Banner if index > 0 || frame.sealed || frame.signed => {
                    self.report(site, "a banner comes before all frames, neither sealed nor signed");
                }
                event if !self.may_send(*event, flight.from) => {
                    self.report(site, format!("`{}` is not for the {} to send", frame.tag, flight.from));
                }
                _ => {}
            }
        }
    }
}
