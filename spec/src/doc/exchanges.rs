//! Exchanges: whole conversations, flight by flight.

use super::Doc;
use super::fields::{given, pretty};
use super::text::{Page, code, prose};
use crate::model::*;
use crate::spec::DialectView;

impl<'a> Doc<'a> {
    pub(super) fn exchanges(&self, page: &mut Page) {
        self.section(page, "exchanges");
        page.line(
            "Whole conversations, byte for byte. Whoever knows the secrets can read, and make, every byte of them.",
        );
        page.gap();
        for dialect in self.spec.dialects.values() {
            for (name, exchange) in &dialect.exchanges {
                self.exchange(page, dialect, name, exchange);
            }
        }
    }

    fn exchange(&self, page: &mut Page, dialect: &'a DialectView, name: &str, exchange: &Exchange) {
        let about = &dialect.info.name;
        page.heading(3, &format!("exchange-{about}-{name}"), &format!("{name} in {about}"));
        page.line(&format!("{} Source: {}.", prose(&exchange.doc), prose(&exchange.source)));
        let secrets = exchange.secrets.iter().map(|(name, value)| [code(name), code(value)]);
        page.table(["Secret", "Value"], secrets);
        for (index, flight) in exchange.flights.iter().enumerate() {
            page.gap();
            page.line(&format!("{}. The {}: {}", index + 1, flight.from, prose(&flight.doc)));
            page.block("text", &flight.hex);
            for frame in &flight.frames {
                let mut how = Vec::new();
                if frame.sealed {
                    how.push("sealed");
                }
                if frame.signed {
                    how.push("with a signature");
                }
                let how = if how.is_empty() { String::new() } else { format!(", {}", how.join(", ")) };
                page.line(&format!("{}{how}{}:", self.tag_link(dialect, &frame.tag), given(&frame.context)));
                page.block("json", &pretty(&frame.value));
            }
        }
    }
}
