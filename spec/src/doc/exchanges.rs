//! Exchanges: whole conversations, flight by flight.

use super::Doc;
use super::fields::{given, pretty};
use super::text::{Page, code, prose};
use crate::ir::*;

impl Doc<'_> {
    pub(super) fn exchanges(&self, page: &mut Page) {
        self.section(page, "exchanges");
        page.paragraph(
            "Whole conversations, byte for byte. Whoever knows the secrets can read, and make, every byte of them.",
        );
        for dialect in &self.ir.dialects {
            for (name, exchange) in &dialect.exchanges {
                self.exchange(page, &dialect.info.name, name, exchange);
            }
        }
    }

    fn exchange(&self, page: &mut Page, about: &str, name: &str, Exchange { says, flights }: &Exchange) {
        page.heading(3, &format!("exchange-{about}-{name}"), &format!("{name} in {about}"));
        page.line(&format!("{} Source: {}.", prose(&says.doc), prose(&says.source)));
        let secrets = says.secrets.iter().map(|(name, value)| [code(name), code(value)]);
        page.table(["Secret", "Value"], secrets);
        for (index, (flight, events)) in says.flights.iter().zip(flights).enumerate() {
            page.gap();
            page.line(&format!("{}. The {}: {}", index + 1, flight.from, prose(&flight.doc)));
            page.block("text", &flight.hex);
            for (frame, event) in flight.frames.iter().zip(&events.says) {
                let how = [(frame.sealed, ", sealed"), (frame.signed, ", with a signature")];
                let how: String = how.iter().filter(|(is, _)| *is).map(|(_, how)| *how).collect();
                page.line(&format!("{}{how}{}:", self.event_link(*event), given(&frame.context)));
                page.block("json", &pretty(&frame.value));
            }
        }
    }
}
