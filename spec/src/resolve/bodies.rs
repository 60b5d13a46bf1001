//! Bodies in the order of the table of fields: what dialects share, messages, and each dialect with its frames.

use super::Resolver;
use super::types::Naming;
use crate::expr::{self, Format, parse_template};
use crate::ir::*;
use crate::names::constant;

impl Resolver<'_> {
    pub(super) fn bodies(&mut self) {
        let ids = |list: Vec<(BodyId, &Body)>| -> Vec<BodyId> { list.into_iter().map(|(id, _)| id).collect() };
        let shared = ids(self.ir.bodies().filter(|(_, body)| body.dialect.is_none()).collect());
        shared.into_iter().for_each(|id| self.body(id));
        for (index, view) in self.spec.dialects.values().enumerate() {
            let dialect = DialectId(index);
            ids(self.ir.types(Some(dialect)).collect()).into_iter().for_each(|id| self.body(id));
            self.banner(dialect, view);
            ids(self.ir.own_frames(dialect).collect()).into_iter().for_each(|id| self.body(id));
            self.envelope(dialect, view);
            self.states(dialect, view);
            self.exchanges(dialect, view);
        }
    }

    fn body(&mut self, id: BodyId) {
        let body = self.ir[id].clone();
        let (site, message) = (&body.site, body.is_message());
        let module = body.dialect.map(|dialect| format!("{}_", self.ir[dialect].module())).unwrap_or_default();
        let naming = Naming {
            dialect: body.dialect,
            constant: constant(&format!("{module}{}", body.type_name())),
            filter: body.filter.clone(),
            name: &body.name,
            doc: &body.doc,
            display: &body.display,
            site,
        };
        let version = self.written[id.0].version.or(body.versioned.as_ref().map(|_| "struct_v"));
        self.ir.bodies[id.0].version = version.and_then(|version| match self.operand(id, 0, version) {
            Ok(operand) => Some(operand),
            Err(_) if message => None, // that there is no such variable is told once
            Err(_) => {
                self.report(site, format!("`version: {version}` names no context variable"));
                None
            }
        });
        if message || body.is_segmented() {
            self.around(id, &naming);
        }
        for index in 0..self.written[id.0].fields.len() {
            if let Some(field) = self.field(id, index, &naming) {
                self.ir.bodies[id.0].fields.push(field);
            }
        }
        if body.is_frame() {
            self.around(id, &naming);
        }
        if let Some((key, text)) = self.written[id.0].summary {
            self.ir.bodies[id.0].summary = self.template(site, id, key, text);
        }
        if let Some(text) = self.written[id.0].text {
            self.ir.bodies[id.0].text = self.text(site, id, text);
        }
    }

    /// The field around the whole of a frame or message.
    fn around(&mut self, id: BodyId, naming: &Naming<'_>) {
        let field = if self.ir[id].is_message() {
            let text = self.written[id.0].summary.is_some();
            self.add(
                naming.constant.clone(),
                Naming { filter: "msgr2".into(), ..naming.clone() }.row(Kind::Struct(text)),
            )
        } else {
            self.frame_field(naming)
        };
        self.ir.bodies[id.0].around = Some(field);
    }

    pub(super) fn frame_field(&mut self, naming: &Naming<'_>) -> FieldId {
        let row = Naming { filter: "msgr2".into(), ..naming.clone() }.row(Kind::Struct(false));
        self.add(format!("{}_FRAME", naming.constant), row)
    }

    fn text(&mut self, site: &Site, id: BodyId, text: &str) -> Option<Text> {
        let pieces = self.good(site, parse_template(text).map_err(|what| format!("text: {what}")))?;
        let written = &self.written[id.0];
        let mut names = written.fields.iter().map(|f| f.field.name.as_str());
        let mut fields = 0;
        let mut resolved = Vec::new();
        let mut good = !written.fields.is_empty();
        for piece in pieces {
            resolved.push(match piece {
                expr::Piece::Text(words) => Piece::Text(words),
                expr::Piece::Field(path, Format::Plain) => {
                    good &= names.next() == Some(path.join(".").as_str());
                    fields += 1;
                    Piece::Field(Path { fields: vec![fields - 1], struct_v: false }, Format::Plain)
                }
                _ => {
                    good = false;
                    continue;
                }
            });
        }
        let (good, max) = (good && names.next().is_none(), written.max);
        if !good {
            self.report(site, "text: names all its fields, each once, in their order");
            return None;
        }
        Some(Text { text: text.to_owned(), pieces: resolved, max })
    }
}
