//! Texts for people: a structure in one line. What stands in it is read again from its place, and only if somebody wants
//! the text.

use std::fmt::{self, Display as _};
use std::net::{Ipv4Addr, Ipv6Addr};

use msgr2_tables::{Count, Each, Field, Format, Items, Node, Path, Piece, Type};

use super::{Scope, Walker, value};
use crate::wire::{
    Blob, Duration, Error, FlagsInfo, Integer as _, Kind, Reader, Scalar, Text, TextReader, Utime, Uuid, show_flags,
    show_other,
};

/// The text of a structure that has been read.
pub(super) struct Summary<'w, 'p, 'b> {
    pub walker: &'w Walker<'p>,
    pub scope: Scope<'w, 'b>,
    pub pieces: &'w [Piece],
}

impl fmt::Display for Summary<'_, '_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.walker.show_pieces(f, self.scope, self.pieces, &|_| Ok(()))
    }
}

/// Writes a value.
type Writes<'w> = dyn Fn(&mut fmt::Formatter<'_>) -> fmt::Result + 'w;

/// Names of flags with `+` between them.
struct Plus<'i>(u64, &'i FlagsInfo);

impl fmt::Display for Plus<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show_flags(self.0, self.1, f)
    }
}

/// A number as its bytes have it: as many bits as there are, not as many as the widened number has.
fn bits(ty: &Type, number: i64) -> u64 {
    match ty {
        Type::Signed(size) => number as u64 & (u64::MAX >> (64 - 8 * u32::from(*size))),
        _ => number as u64,
    }
}

/// What was read once can be read again.
fn again<T>(read: Result<T, Error>) -> Result<T, fmt::Error> {
    read.map_err(|_| fmt::Error)
}

impl<'p> Walker<'p> {
    /// A text; `value` writes what stands in it for the value itself.
    fn show_pieces(
        &self,
        f: &mut fmt::Formatter<'_>,
        scope: Scope<'_, '_>,
        pieces: &[Piece],
        value: &Writes<'_>,
    ) -> fmt::Result {
        pieces.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(text),
            Piece::Value => value(f),
            Piece::Field(path, Format::Plain) => self.show(f, scope, path),
            Piece::Field(path, format) => {
                let shown = self
                    .find(scope, &path.fields, |walker, scope, r, field| walker.show_as(f, r, scope, field, *format));
                shown.unwrap_or(Ok(()))
            }
            Piece::If(path, inner) => {
                let set = self.find(scope, &path.fields, Walker::is_set).unwrap_or(Ok(false))?;
                if set { self.show_pieces(f, scope, inner, value) } else { Ok(()) }
            }
        })
    }

    /// A field in another form than its own.
    fn show_as<'b>(
        &self,
        f: &mut fmt::Formatter<'_>,
        r: &mut Reader<'b>,
        scope: Scope<'_, 'b>,
        field: &Field,
        format: Format,
    ) -> fmt::Result {
        if format == Format::Length {
            return again(self.length(r, scope, field, &field.node))?.unwrap_or_default().fmt(f);
        }
        let id = self.protocol.field(field.node.field);
        let number = again(value::scalar(r, id, &field.node.ty, &mut ()))?;
        match (format, id.kind) {
            (Format::Reversed, _) => write!(f, "{:08x}", (number as u32).reverse_bits()),
            (Format::Plus, Kind::Flags(_, info)) => write!(f, "{:+}", Plus(number as u64, info)),
            _ => write!(f, "{:x}", bits(&field.node.ty, number)),
        }
    }

    /// Whether a field that is there is neither 0 nor empty.
    fn is_set<'b>(&self, scope: Scope<'_, 'b>, r: &mut Reader<'b>, field: &Field) -> Result<bool, fmt::Error> {
        match (&field.content, &field.node.ty) {
            (Some(_), Type::Bytes(_)) => Ok(true),
            (Some(_), _) => Ok(again(self.content(r, scope, field))?.left() > 0),
            (None, Type::Unsigned(_) | Type::Signed(_) | Type::BigEndian(_) | Type::Bool) => {
                Ok(again(value::scalar(r, self.protocol.field(field.node.field), &field.node.ty, &mut ()))? != 0)
            }
            (None, Type::Optional(_)) => Ok(again(u8::read(r))? != 0),
            (None, _) => Ok(again(self.length(r, scope, field, &field.node))? != Some(0)),
        }
    }

    /// How many bytes or items there are; nothing of what has neither.
    fn length<'b>(
        &self,
        r: &mut Reader<'b>,
        scope: Scope<'_, 'b>,
        field: &Field,
        node: &Node,
    ) -> Result<Option<u64>, Error> {
        Ok(Some(match &node.ty {
            Type::Text if field.length.is_some() => self.measure(scope, field),
            Type::Text => u32::read(r)?.into(),
            Type::Blob(1) => u8::read(r)?.into(),
            Type::Blob(2) => u16::read(r)?.into(),
            Type::Blob(_) => u32::read(r)?.into(),
            Type::Rest => r.left() as u64,
            Type::Sized => self.measure(scope, field),
            Type::Items(items) => match items.count {
                Count::Prefix => u32::read(r)?.into(),
                Count::Measured => self.measure(scope, field),
                Count::Fixed(count) => count.into(),
                Count::Left => {
                    let (mut walker, mut count) = (self.looking(), 0);
                    while r.left() > 0 {
                        walker.value(r, scope, field, &items.item, u64::MAX, &mut ())?;
                        count += 1;
                    }
                    count
                }
            },
            _ => return Ok(None),
        }))
    }

    /// One that may read the same again, and forgets what it reads.
    fn looking(&self) -> Walker<'p> {
        Walker { places: self.places.clone(), ..self.silent() }
    }

    /// The values for the items of a list, each with its item.
    fn show_each<'b>(
        &self,
        f: &mut fmt::Formatter<'_>,
        r: &mut Reader<'b>,
        scope: Scope<'_, 'b>,
        field: &Field,
        each: &Each,
    ) -> fmt::Result {
        let (Some((mut items, count)), Some(content)) = (self.list(scope, each), &field.content) else {
            return Ok(());
        };
        f.write_str("[")?;
        for index in 0..count {
            if index > 0 {
                f.write_str(",")?;
            }
            let show = |item_walker: &Walker<'p>, item: Scope<'_, '_>| {
                let mut walker = self.looking();
                walker.variables = item_walker.told(item, field);
                let length = field.length.is_some().then(|| item_walker.measure(item, field));
                let scope = Scope { length, ..scope };
                let bytes = again(walker.content(r, scope, field))?;
                let value = |f: &mut fmt::Formatter<'_>| match bytes.left() {
                    0 => Ok(()),
                    _ => walker.show_value(f, &mut bytes.clone(), scope, field, content),
                };
                match &each.text {
                    Some(text) => item_walker.show_pieces(f, item, text, &value),
                    None => value(f),
                }
            };
            again(self.next_item(&mut items, each.item, show))??;
        }
        f.write_str("]")
    }

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
        if let Some(each) = &field.each {
            return self.show_each(f, r, scope, field, each);
        }
        if !field.given.is_empty() {
            let walker = Walker { variables: self.told(scope, field), ..self.looking() };
            return walker.show_content(f, r, scope, field);
        }
        self.show_content(f, r, scope, field)
    }

    fn show_content<'b>(
        &self,
        f: &mut fmt::Formatter<'_>,
        r: &mut Reader<'b>,
        scope: Scope<'_, 'b>,
        field: &Field,
    ) -> fmt::Result {
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
            Type::Text if field.length.is_some() => {
                let bytes = again(r.exactly(self.measure(scope, field), u64::MAX))?;
                Text(bytes.peek().into()).fmt(f)
            }
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
                None => show_other(again(r.part(r.left()))?.peek(), f),
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
            Count::Left => u64::MAX,
        };
        let (open, close) = if items.map { ("{", "}") } else { ("[", "]") };
        f.write_str(open)?;
        for index in 0..count {
            if matches!(items.count, Count::Left) && r.left() == 0 {
                break;
            }
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
            (_, ty @ Type::Signed(_)) if hex => write!(f, "{:#x}", bits(ty, number)),
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
