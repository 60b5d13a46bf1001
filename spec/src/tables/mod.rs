//! The spec as tables: what a reader must know, with every name turned into a place in a list.

mod names;
mod types;

use std::collections::BTreeSet;

use msgr2_tables as to;

use crate::expr;
use crate::ir::*;
pub use names::names;

/// The tables.
pub fn tables(ir: &Ir) -> to::Tables {
    let maker = Maker { ir, asked: asked(ir) };
    let field = |name| maker.common(name).unwrap_or_default();
    let messages = ir.messages().filter_map(|(id, body)| match body.kind {
        BodyKind::Message { number, .. } => Some((number, id.0)),
        _ => None,
    });
    to::Tables {
        variables: ir.context.keys().cloned().collect(),
        layouts: ir.bodies().map(|(id, body)| maker.layout(id, body)).collect(),
        dialects: ir.dialects.iter().map(|dialect| maker.dialect(dialect)).collect(),
        messages: sorted(messages),
        common: to::Common {
            marker: field("MARKER"),
            struct_v: field("STRUCT_V"),
            struct_compat: field("STRUCT_COMPAT"),
            struct_len: field("STRUCT_LEN"),
            unknown: field("UNKNOWN"),
        },
    }
}

fn sorted<N: Ord, T: Ord>(pairs: impl Iterator<Item = (N, T)>) -> Vec<(N, T)> {
    pairs.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The fields that something asks for again: what decides, what measures, what stands in a text.
fn asked(ir: &Ir) -> BTreeSet<(BodyId, usize)> {
    let mut asked = BTreeSet::new();
    for (id, body) in ir.bodies() {
        let mut ask = |body: BodyId, path: &Path| ask(ir, &mut asked, body, &path.fields);
        let mut operand = |body: BodyId, operand: &Operand| {
            if let Origin::Path(path) = &operand.origin {
                ask(body, path);
            }
        };
        body.version.iter().for_each(|version| operand(id, version));
        for field in &body.fields {
            for (by, ..) in field.when.iter().flat_map(|condition| condition.test.comparisons()) {
                operand(id, by);
            }
            for ty in [Some(&field.node.ty), field.content.as_ref().map(|content| &content.ty)].into_iter().flatten() {
                unions(ty, &mut |union| operand(id, &union.by));
            }
            // of one value for each item it is the item that says it
            let told = field.each.as_ref().map_or(id, |each| each.item);
            field.length.iter().chain(field.given.iter().map(|(_, by)| by)).for_each(|by| operand(told, by));
        }
        for field in &body.fields {
            for by in field.measured_by.into_iter().chain(field.each.as_ref().map(|each| each.list)) {
                ask(id, &Path { fields: vec![by], struct_v: false });
            }
            if let Some(Each { item, text: Some(text), .. }) = &field.each {
                shown(text, &mut |path| ask(*item, path));
            }
        }
    }
    let banners = ir.dialects.iter().filter_map(|dialect| dialect.banner.as_ref());
    let banners = banners.map(|banner| (banner.body, banner.info.as_ref()));
    for (id, pieces) in ir.bodies().map(|(id, body)| (id, body.summary.as_ref())).chain(banners) {
        shown(pieces.map_or(&[], |pieces| &pieces[..]), &mut |path| ask(ir, &mut asked, id, &path.fields));
    }
    asked
}

/// All fields on a way.
fn ask(ir: &Ir, asked: &mut BTreeSet<(BodyId, usize)>, mut body: BodyId, path: &[usize]) {
    let mut steps = path.iter();
    while let Some(step) = steps.next() {
        asked.insert((body, *step));
        match ir[body].fields.get(*step).map(Field::value) {
            Some(Type::Struct(inner)) => body = *inner,
            Some(Type::Union(union)) => match steps.next().and_then(|case| union.cases.get(*case)) {
                Some(Case { node: Node { ty: Type::Struct(inner), .. }, .. }) => body = *inner,
                _ => return,
            },
            _ => return,
        }
    }
}

/// The fields that a text names.
fn shown(pieces: &[Piece], each: &mut impl FnMut(&Path)) {
    for piece in pieces {
        match piece {
            Piece::Text(_) | Piece::Value => {}
            Piece::Field(path, _) => each(path),
            Piece::If(path, inner) => {
                each(path);
                inner.iter().for_each(|piece| shown(std::slice::from_ref(piece), each));
            }
        }
    }
}

fn unions(ty: &Type, each: &mut impl FnMut(&Union)) {
    if let Type::Union(union) = ty {
        each(union);
    }
    ty.inner().into_iter().for_each(|ty| unions(ty, each));
}

struct Maker<'a> {
    ir: &'a Ir,
    asked: BTreeSet<(BodyId, usize)>,
}

/// The parts of a message, and the fields that keep what the spec says nothing of: the whole of a part, and what comes
/// behind the fields that are known.
const PARTS: [[&str; 2]; 3] = [["EXTRA", "EXTRA"], ["MIDDLE", "MIDDLE_EXTRA"], ["DATA", "DATA_EXTRA"]];

impl Maker<'_> {
    /// A field that no body owns.
    fn common(&self, name: &str) -> Option<to::FieldId> {
        self.ir.fields.get_index_of(&format!("COMMON_{name}"))
    }

    fn dialect(&self, dialect: &Dialect) -> to::Dialect {
        let banner = dialect.banner.as_ref().map(|banner| to::Banner {
            around: banner.around.0,
            layout: banner.body.0,
            info: banner.info.as_ref().map(|found| pieces(found)),
        });
        let frames = dialect.tags.values().filter_map(|id| match self.ir[*id].kind {
            BodyKind::Frame { number, .. } => Some((number, id.0)),
            _ => None,
        });
        to::Dialect { name: dialect.info.name.clone(), banner, frames: sorted(frames) }
    }

    fn layout(&self, id: BodyId, body: &Body) -> to::Layout {
        let header = body.versioned.as_ref().map(|versioned| to::Header {
            marker: versioned.marker,
            known: versioned.compat.map(|_| versioned.version),
        });
        let kept: Vec<usize> = self.asked.range((id, 0)..=(id, usize::MAX)).map(|(_, field)| *field).collect();
        let place = |field: usize| kept.binary_search(&field).ok();
        let fields = body.fields.iter().enumerate();
        to::Layout {
            name: body.name.clone(),
            around: body.around.map(|field| field.0),
            header,
            version: body.version.as_ref().map(|version| self.operand(version)),
            fields: fields.map(|(index, field)| self.field(field, place(index))).collect(),
            parts: self.parts(body),
            segmented: body.is_segmented(),
            text: body.text.as_ref().map(|text| self.text(body, text)),
            summary: body.summary.as_ref().map(|found| pieces(found)),
            places: kept.len(),
        }
    }

    fn parts(&self, body: &Body) -> Vec<to::Part> {
        let count = body.fields.len();
        match body.kind {
            BodyKind::Message { .. } => {
                let parts = PARTS.into_iter().zip(&body.segments).map(|([whole, behind], fields)| {
                    let list = body.fields.get(fields.clone()).unwrap_or_default();
                    // what takes all bytes leaves none for newer senders
                    let taken = list.last().is_some_and(|last| matches!(last.node.ty, Type::Rest));
                    let extra = if list.is_empty() { whole } else { behind };
                    let extra = if taken { None } else { self.common(extra) };
                    to::Part { first: fields.start, end: fields.end, extra }
                });
                parts.collect()
            }
            BodyKind::Frame { segmented: true, .. } => {
                (0..count).map(|first| to::Part { first, end: first + 1, extra: None }).collect()
            }
            _ => {
                let extra = if body.keeps_extra() { self.common("EXTRA") } else { None };
                vec![to::Part { first: 0, end: count, extra }]
            }
        }
    }

    fn text(&self, body: &Body, text: &Text) -> to::Text {
        let number = |piece: &Piece| match piece {
            Piece::Field(path, _) => path.fields.first().copied(),
            _ => None,
        };
        let pieces = text.pieces.iter().enumerate().filter_map(|(index, piece)| {
            let (before, from) = text.pieces.split_at(index);
            let beside = from.iter().chain(before.iter().rev()).find_map(number)?;
            let made = match piece {
                Piece::Text(words) => to::TextPiece::Words(words.clone()),
                _ => to::TextPiece::Number(beside),
            };
            Some((made, body.fields.get(beside)?.node.field.0))
        });
        to::Text { pieces: pieces.collect(), max: text.max.unwrap_or(u64::MAX) }
    }

    fn field(&self, field: &Field, place: Option<usize>) -> to::Field {
        let constant = match &field.derived {
            Some(Derived::Number(number)) => Some(to::Constant::Number(*number)),
            Some(Derived::Bytes(bytes)) => Some(to::Constant::Bytes(bytes.segments.concat())),
            Some(Derived::Length(_) | Derived::Count(_)) | None => None,
        };
        let sealed = field.sealed.as_ref().map(|sealed| to::Sealed {
            usage: sealed.usage,
            layout: sealed.holds.0,
            opened: sealed.opened.0,
        });
        to::Field {
            node: self.node(&field.node),
            content: field.content.as_ref().map(|content| self.node(content)),
            sealed,
            secret: field.secret,
            constant,
            measured_by: field.measured_by,
            each: field.each.as_ref().map(|each| to::Each {
                list: each.list,
                item: each.item.0,
                around: each.around.0,
                text: each.text.as_ref().map(|text| pieces(text)),
            }),
            length: field.length.as_ref().map(|length| self.operand(length)),
            given: field.given.iter().filter_map(|(name, number)| self.given(name, number)).collect(),
            since: field.since,
            until: field.until,
            when: field.when.as_ref().map(|condition| self.condition(&condition.test)),
            max: field.most(),
            hex: field.shown_in_hex(),
            place,
        }
    }

    fn given(&self, name: &str, number: &Operand) -> Option<to::Given> {
        let (variable, _, info) = self.ir.context.get_full(name)?;
        Some(to::Given { variable, ty: self.ty(&info.ty), number: self.operand(number) })
    }

    fn condition(&self, test: &Test) -> to::Condition {
        match test {
            Test::More => to::Condition::More,
            Test::Compare(operand, operator, number) => {
                let operator = match operator {
                    expr::Operator::Equal => to::Operator::Equal,
                    expr::Operator::NotEqual => to::Operator::NotEqual,
                    expr::Operator::AtLeast => to::Operator::AtLeast,
                    expr::Operator::AtMost => to::Operator::AtMost,
                    expr::Operator::Above => to::Operator::Above,
                    expr::Operator::Below => to::Operator::Below,
                    expr::Operator::AnyBit => to::Operator::AnyBit,
                };
                to::Condition::Compare(self.operand(operand), operator, *number)
            }
            Test::All(tests) => to::Condition::All(tests.iter().map(|test| self.condition(test)).collect()),
            Test::Any(tests) => to::Condition::Any(tests.iter().map(|test| self.condition(test)).collect()),
        }
    }

    fn operand(&self, operand: &Operand) -> to::Operand {
        match &operand.origin {
            Origin::Context(name) => to::Operand::Variable(self.ir.context.get_index_of(name).unwrap_or_default()),
            Origin::Path(found) => to::Operand::Path(path(found)),
        }
    }
}

fn piece(piece: &Piece) -> to::Piece {
    match piece {
        Piece::Text(text) => to::Piece::Text(text.clone()),
        Piece::Field(found, format) => {
            let format = match format {
                expr::Format::Plain => to::Format::Plain,
                expr::Format::Hex => to::Format::Hex,
                expr::Format::Reversed => to::Format::Reversed,
                expr::Format::Plus => to::Format::Plus,
                expr::Format::Length => to::Format::Length,
            };
            to::Piece::Field(path(found), format)
        }
        Piece::Value => to::Piece::Value,
        Piece::If(found, inner) => to::Piece::If(path(found), pieces(inner)),
    }
}

fn pieces(from: &[Piece]) -> Vec<to::Piece> {
    from.iter().map(piece).collect()
}

fn path(path: &Path) -> to::Path {
    to::Path { fields: path.fields.clone(), version: path.struct_v }
}
