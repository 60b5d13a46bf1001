//! Texts for people: a structure in one line. What stands in it is read again from its place, and only if somebody wants
//! the text.

use std::fmt::{self, Display as _};
use std::net::{Ipv4Addr, Ipv6Addr};

use msgr2_tables::{Count, Field, Items, Node, Path, Piece, Type};

use super::{Scope, Walker, value};
use crate::wire::{
    Blob, Duration, Error, Integer as _, Kind, Reader, Scalar, Text, TextReader, Utime, Uuid, show_flags,
};

/// The text of a structure that has been read.
pub(super) struct Summary<'w, 'p, 'b> {
    pub walker: &'w Walker<'p>,
    pub scope: Scope<'w, 'b>,
    pub pieces: &'w [Piece],
}

impl fmt::Display for Summary<'_, '_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(text),
            Piece::Field(path) => self.walker.show(f, self.scope, path),
        })
    }
}

/// What was read once can be read again.
fn again<T>(read: Result<T, Error>) -> Result<T, fmt::Error> {
    read.map_err(|_| fmt::Error)
}

impl<'p> Walker<'p> {
    /// The text of a field; nothing if it is missing.
    fn show(&self, f: &mut fmt::Formatter<'_>, scope: Scope<'_, '_>, path: &Path) -> fmt::Result {
        if path.version && path.fields.is_empty() {
            return scope.struct_v.fmt(f);
        }
        let shown = self.find(scope, &path.fields, |walker, scope, r, field| match field.node.ty {
            Type::Struct(id) if path.version => again(walker.silent().opened(r, id, &mut ()))?.struct_v.fmt(f),
            _ => walker.show_field(f, r, scope, field),
        });
        shown.unwrap_or(Ok(()))
    }

    fn show_field<'b>(
        &self,
        f: &mut fmt::Formatter<'_>,
        r: &mut Reader<'b>,
        scope: Scope<'_, 'b>,
        field: &Field,
    ) -> fmt::Result {
        if scope.layout.text.is_some() {
            let id = self.protocol.field(field.node.field);
            let number = again(value::digits(&mut TextReader::new(r, u64::MAX), id, &field.node.ty, &mut ()))?;
            return self.show_number(f, &field.node, field.hex, number as i64);
        }
        match &field.content {
            None => self.show_value(f, r, scope, field, &field.node),
            Some(content) => {
                let r = &mut again(self.content(r, scope, field))?;
                if r.left() == 0 { Ok(()) } else { self.show_value(f, r, scope, field, content) }
            }
        }
    }

    fn show_value<'b>(
        &self,
        f: &mut fmt::Formatter<'_>,
        r: &mut Reader<'b>,
        scope: Scope<'_, 'b>,
        field: &Field,
        node: &Node,
    ) -> fmt::Result {
        fn plain<'b, S: Scalar<'b> + fmt::Display>(r: &mut Reader<'b>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            again(S::read(r))?.fmt(f)
        }
        let blob = |length: Result<Reader<'b>, Error>, f: &mut fmt::Formatter<'_>| -> fmt::Result {
            Blob::from(again(length)?.peek()).fmt(f)
        };
        match &node.ty {
            Type::Unsigned(_) | Type::Signed(_) | Type::BigEndian(_) => {
                let number = again(value::scalar(r, self.protocol.field(node.field), &node.ty, &mut ()))?;
                self.show_number(f, node, field.hex, number)
            }
            Type::Bool => (again(u8::read(r))? != 0).fmt(f),
            Type::Float(4) => plain::<f32>(r, f),
            Type::Float(_) => plain::<f64>(r, f),
            Type::Text => plain::<Text<'_>>(r, f),
            Type::Ipv4 => plain::<Ipv4Addr>(r, f),
            Type::Ipv6 => plain::<Ipv6Addr>(r, f),
            Type::Uuid => plain::<Uuid>(r, f),
            Type::Time => plain::<Utime>(r, f),
            Type::Duration => plain::<Duration>(r, f),
            Type::Bytes(n) => blob(r.part(*n as usize), f),
            Type::Blob(1) => blob(r.prefixed::<u8>(u64::MAX), f),
            Type::Blob(2) => blob(r.prefixed::<u16>(u64::MAX), f),
            Type::Blob(_) => blob(r.prefixed::<u32>(u64::MAX), f),
            Type::Rest => blob(r.part(r.left()), f),
            Type::Sized => blob(r.exactly(self.measure(scope, field), u64::MAX), f),
            Type::Empty => Ok(()),
            Type::Struct(id) => {
                let mut walker = self.silent();
                let opened = again(walker.opened(r, *id, &mut ()))?;
                let (parts, layout) = ([opened.bytes], self.protocol.layout(*id));
                let scope = walker.scope(layout, &parts, opened.base, opened.struct_v);
                let pieces = layout.summary.as_deref().unwrap_or_default();
                Summary { walker: &walker, scope, pieces }.fmt(f)
            }
            Type::Items(items) => self.show_items(f, r, scope, field, items),
            Type::Tuple(items) => items.iter().enumerate().try_for_each(|(index, item)| {
                // only pairs of maps have a text
                f.write_str(if index > 0 { "=" } else { "" })?;
                self.show_value(f, r, scope, field, item)
            }),
            Type::Optional(item) => match again(u8::read(r))? {
                0 => Ok(()),
                _ => self.show_value(f, r, scope, field, item),
            },
            Type::Union(union) => match self.case(scope, union) {
                Some(case) if self.has_text(&case.node.ty) => self.show_value(f, r, scope, field, &case.node),
                Some(case) => f.write_str(&case.name),
                None if r.left() == 0 => f.write_str("-"),
                None => blob(r.part(r.left()), f),
            },
        }
    }

    /// Items in brackets, entries in braces, with commas between them.
    fn show_items<'b>(
        &self,
        f: &mut fmt::Formatter<'_>,
        r: &mut Reader<'b>,
        scope: Scope<'_, 'b>,
        field: &Field,
        items: &Items,
    ) -> fmt::Result {
        let count = match items.count {
            Count::Prefix => again(u32::read(r))?.to_u64(),
            Count::Measured => self.measure(scope, field),
            Count::Fixed(count) => count.into(),
        };
        let (open, close) = if items.map { ("{", "}") } else { ("[", "]") };
        f.write_str(open)?;
        for index in 0..count {
            if index > 0 {
                f.write_str(",")?;
            }
            self.show_value(f, r, scope, field, &items.item)?;
        }
        f.write_str(close)
    }

    /// A number: its name, its flags, or its digits.
    fn show_number(&self, f: &mut fmt::Formatter<'_>, node: &Node, hex: bool, number: i64) -> fmt::Result {
        match (self.protocol.field(node.field).kind, &node.ty) {
            (Kind::Enum(_, info), ty) => match (info.find(number), ty) {
                (Some(value), _) => f.write_str(value.text),
                (None, Type::Signed(_)) => number.fmt(f),
                (None, _) => (number as u64).fmt(f),
            },
            (Kind::Flags(_, info), _) => show_flags(number as u64, info, f),
            // as many digits as there are bytes, not as the widened number has
            (_, Type::Signed(size)) if hex => {
                write!(f, "{:#x}", number as u64 & (u64::MAX >> (64 - 8 * u32::from(*size))))
            }
            (_, Type::Signed(_)) => number.fmt(f),
            _ if hex => write!(f, "{:#x}", number as u64),
            _ => (number as u64).fmt(f),
        }
    }

    /// Whether the case of a union is told by its value, not by its name.
    fn has_text(&self, ty: &Type) -> bool {
        match ty {
            Type::Struct(id) => self.protocol.layout(*id).summary.is_some(),
            Type::Bytes(_) | Type::Blob(_) | Type::Rest | Type::Sized | Type::Empty => false,
            Type::Items(_) | Type::Tuple(_) | Type::Optional(_) | Type::Union(_) => false,
            _ => true,
        }
    }
}
