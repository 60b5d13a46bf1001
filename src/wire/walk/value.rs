//! Values: what stands in a field.

use std::borrow::Cow;

use msgr2_tables::{Constant, Count, Each, Field, Items, Node, Type, Union};

use super::{Scope, Walker};
use crate::wire::{
    Be, Blob, Bool, Bound, Duration, Error, ErrorKind, Integer, Reader, Redacted, Scalar, TextReader, Trace, Utime,
    Uuid,
};

impl<'p> Walker<'p> {
    /// A field that is there.
    pub(super) fn field<'b, T: Trace>(
        &mut self,
        r: &mut Reader<'b>,
        scope: Scope<'_, 'b>,
        field: &Field,
        t: &mut T,
    ) -> Result<(), Error> {
        if let Some(constant) = &field.constant {
            return self.constant(r, field, constant, t);
        }
        match &field.each {
            Some(each) => self.each(r, scope, field, each, t),
            None if field.given.is_empty() => self.one(r, scope, field, t),
            None => {
                let told = self.told(scope, field);
                self.one_told(r, scope, field, told, t)
            }
        }
    }

    /// A value for each item of a list.
    fn each<'b, T: Trace>(
        &mut self,
        r: &mut Reader<'b>,
        scope: Scope<'_, 'b>,
        field: &Field,
        each: &Each,
        t: &mut T,
    ) -> Result<(), Error> {
        let (mut items, count) = self.list(scope, each).unwrap_or((r.clone(), 0));
        let bound = Bound { max: u64::MAX, min_size: 1 };
        let around = self.protocol.field(each.around);
        let one = |r: &mut Reader<'b>, t: &mut T| {
            let said = |walker: &Self, item: Scope<'_, '_>| {
                (walker.told(item, field), field.length.is_some().then(|| walker.measure(item, field)))
            };
            let (told, length) = self.next_item(&mut items, each.item, said)?;
            self.one_told(r, Scope { length, ..scope }, field, told, t)
        };
        r.counted(t, around, count, bound, one).map(drop)
    }

    /// A value that is told context variables.
    fn one_told<'b, T: Trace>(
        &mut self,
        r: &mut Reader<'b>,
        scope: Scope<'_, 'b>,
        field: &Field,
        told: Cow<'p, [Option<i64>]>,
        t: &mut T,
    ) -> Result<(), Error> {
        let before = std::mem::replace(&mut self.variables, told);
        let read = self.one(r, scope, field, t);
        self.variables = before;
        read
    }

    /// A value.
    fn one<'b, T: Trace>(
        &mut self,
        r: &mut Reader<'b>,
        scope: Scope<'_, 'b>,
        field: &Field,
        t: &mut T,
    ) -> Result<(), Error> {
        if let Some(content) = &field.content {
            return self.holds(r, scope, field, content, t);
        }
        if let Some(sealed) = &field.sealed {
            let bytes = self.bytes(r, scope, field, &field.node, field.max, t)?;
            let (places, depth) = (self.places.len(), self.depth);
            t.sealed(self.protocol.field(sealed.opened), sealed.usage, &bytes, |r, t| {
                let read = self.read(r, sealed.layout, t);
                // an error in it is no error of what it stands in
                self.places.truncate(places);
                self.depth = depth;
                read
            });
            return Ok(());
        }
        if field.secret {
            return self.plain(r, scope, field, &field.node, field.max, &mut Redacted(t));
        }
        self.value(r, scope, field, &field.node, field.max, t)
    }

    /// What must be as it is.
    fn constant<T: Trace>(
        &mut self,
        r: &mut Reader<'_>,
        field: &Field,
        constant: &Constant,
        t: &mut T,
    ) -> Result<(), Error> {
        let id = self.protocol.field(field.node.field);
        match constant {
            Constant::Bytes(bytes) => r.constant_bytes(t, id, bytes),
            Constant::Number(number) => {
                let start = r.offset();
                let found = scalar(r, id, &field.node.ty, t)?;
                if found == *number { Ok(()) } else { Err(Error::new(ErrorKind::NotConstant, start).within(id)) }
            }
        }
    }

    /// Bytes that hold something. No bytes hold nothing.
    fn holds<'b, T: Trace>(
        &mut self,
        r: &mut Reader<'b>,
        scope: Scope<'_, 'b>,
        field: &Field,
        content: &Node,
        t: &mut T,
    ) -> Result<(), Error> {
        let (id, start) = (self.protocol.field(field.node.field), r.offset());
        if let Type::Bytes(length) = field.node.ty {
            return r.fixed_holds(t, id, length, |r, t| self.held(r, scope, field, content, t));
        }
        let bytes = self.content(r, scope, field).map_err(|e| e.within(id))?;
        r.content(t, id, start, bytes, |r, t| self.held(r, scope, field, content, t)).map(drop)
    }

    /// What bytes hold.
    fn held<'b, T: Trace>(
        &mut self,
        r: &mut Reader<'b>,
        scope: Scope<'_, 'b>,
        field: &Field,
        content: &Node,
        t: &mut T,
    ) -> Result<(), Error> {
        match &content.ty {
            // the field around the bytes stands for these two
            Type::Union(union) => self.union(r, scope, field, union, t),
            Type::Struct(layout) => self.read(r, *layout, t),
            _ => self.value(r, scope, field, content, u64::MAX, t),
        }
    }

    /// The bytes that hold something.
    pub(super) fn content<'b>(
        &self,
        r: &mut Reader<'b>,
        scope: Scope<'_, 'b>,
        field: &Field,
    ) -> Result<Reader<'b>, Error> {
        match field.node.ty {
            Type::Blob(1) => r.prefixed::<u8>(field.max),
            Type::Blob(2) => r.prefixed::<u16>(field.max),
            Type::Blob(_) => r.prefixed::<u32>(field.max),
            Type::Sized => r.exactly(self.measure(scope, field), field.max),
            Type::Bytes(length) => r.part(length as usize),
            _ => r.part(r.left()),
        }
    }

    /// A value. `max` is the most items or bytes.
    pub(super) fn value<'b, T: Trace>(
        &mut self,
        r: &mut Reader<'b>,
        scope: Scope<'_, 'b>,
        field: &Field,
        node: &Node,
        max: u64,
        t: &mut T,
    ) -> Result<(), Error> {
        match &node.ty {
            Type::Struct(layout) => self.composite(r, self.protocol.field(node.field), *layout, t),
            Type::Items(items) => self.items(r, scope, field, node, items, max, t),
            Type::Tuple(items) => {
                let id = self.protocol.field(node.field);
                r.group(t, id, |r, t| items.iter().try_for_each(|item| self.value(r, scope, field, item, u64::MAX, t)))
            }
            Type::Optional(item) => {
                let id = self.protocol.field(node.field);
                r.optional(t, id, |r, t| self.value(r, scope, field, item, max, t)).map(drop)
            }
            Type::Union(union) => {
                let id = self.protocol.field(node.field);
                r.group(t, id, |r, t| self.union(r, scope, field, union, t))
            }
            _ => self.plain(r, scope, field, node, max, t),
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn items<'b, T: Trace>(
        &mut self,
        r: &mut Reader<'b>,
        scope: Scope<'_, 'b>,
        field: &Field,
        node: &Node,
        items: &Items,
        max: u64,
        t: &mut T,
    ) -> Result<(), Error> {
        let id = self.protocol.field(node.field);
        // an array's number is no matter of bounds
        let max = if matches!(items.count, Count::Fixed(_)) { u64::MAX } else { max };
        let bound = Bound { max, min_size: items.min_size };
        let measured = if matches!(items.count, Count::Measured) { self.measure(scope, field) } else { 0 };
        let item = |r: &mut Reader<'b>, t: &mut T| self.value(r, scope, field, &items.item, u64::MAX, t);
        match items.count {
            Count::Prefix => r.list(t, id, bound, item).map(drop),
            Count::Measured => r.counted(t, id, measured, bound, item).map(drop),
            Count::Fixed(count) => r.counted(t, id, count.into(), bound, item).map(drop),
            Count::Left => r.items_left(t, id, max, item).map(drop),
        }
    }

    /// What a number decides.
    fn union<'b, T: Trace>(
        &mut self,
        r: &mut Reader<'b>,
        scope: Scope<'_, 'b>,
        field: &Field,
        union: &Union,
        t: &mut T,
    ) -> Result<(), Error> {
        match self.case(scope, union) {
            Some(case) => self.value(r, scope, field, &case.node, u64::MAX, t),
            None => {
                r.rest(t, self.protocol.field(union.other));
                Ok(())
            }
        }
    }

    /// A value with no other in it.
    fn plain<'b, T: Trace>(
        &self,
        r: &mut Reader<'b>,
        scope: Scope<'_, 'b>,
        field: &Field,
        node: &Node,
        max: u64,
        t: &mut T,
    ) -> Result<(), Error> {
        let id = self.protocol.field(node.field);
        match node.ty {
            Type::Blob(_) | Type::Rest | Type::Sized => self.bytes(r, scope, field, node, max, t).map(drop),
            Type::Text if field.length.is_some() => r.sized(t, id, self.measure(scope, field), max).map(drop),
            Type::Text if max != u64::MAX => r.blob::<u32, T>(t, id, max).map(drop),
            Type::Empty => {
                r.empty(t, id);
                Ok(())
            }
            _ => scalar(r, id, &node.ty, t).map(drop),
        }
    }

    /// Bytes.
    fn bytes<'b, T: Trace>(
        &self,
        r: &mut Reader<'b>,
        scope: Scope<'_, 'b>,
        field: &Field,
        node: &Node,
        max: u64,
        t: &mut T,
    ) -> Result<Blob<'b>, Error> {
        let id = self.protocol.field(node.field);
        match node.ty {
            Type::Blob(1) => r.blob::<u8, T>(t, id, max),
            Type::Blob(2) => r.blob::<u16, T>(t, id, max),
            Type::Blob(_) => r.blob::<u32, T>(t, id, max),
            Type::Sized => r.sized(t, id, self.measure(scope, field), max),
            _ if max != u64::MAX => r.sized(t, id, r.left() as u64, max),
            _ => Ok(r.rest(t, id)),
        }
    }
}

/// A value of a fixed form; the number, if it is one.
pub(super) fn scalar<T: Trace>(
    r: &mut Reader<'_>,
    field: crate::wire::Field,
    ty: &Type,
    t: &mut T,
) -> Result<i64, Error> {
    fn integer<I: Integer, T: Trace>(r: &mut Reader<'_>, field: crate::wire::Field, t: &mut T) -> Result<i64, Error> {
        r.scalar::<I, T>(t, field).map(|number| number.to_u64() as i64)
    }
    fn other<'b, S: Scalar<'b>, T: Trace>(
        r: &mut Reader<'b>,
        field: crate::wire::Field,
        t: &mut T,
    ) -> Result<i64, Error> {
        r.scalar::<S, T>(t, field).map(|_| 0)
    }
    match ty {
        Type::Unsigned(1) => integer::<u8, T>(r, field, t),
        Type::Unsigned(2) => integer::<u16, T>(r, field, t),
        Type::Unsigned(4) => integer::<u32, T>(r, field, t),
        Type::Unsigned(_) => integer::<u64, T>(r, field, t),
        Type::Signed(1) => integer::<i8, T>(r, field, t),
        Type::Signed(2) => integer::<i16, T>(r, field, t),
        Type::Signed(4) => integer::<i32, T>(r, field, t),
        Type::Signed(_) => integer::<i64, T>(r, field, t),
        Type::BigEndian(2) => integer::<Be<u16>, T>(r, field, t),
        Type::BigEndian(4) => integer::<Be<u32>, T>(r, field, t),
        Type::BigEndian(_) => integer::<Be<u64>, T>(r, field, t),
        Type::Bool => integer::<Bool, T>(r, field, t),
        Type::Float(4) => other::<f32, T>(r, field, t),
        Type::Float(_) => other::<f64, T>(r, field, t),
        Type::Bytes(n) => r.sized(t, field, (*n).into(), u64::MAX).map(|_| 0),
        Type::Ipv4 => other::<std::net::Ipv4Addr, T>(r, field, t),
        Type::Ipv6 => other::<std::net::Ipv6Addr, T>(r, field, t),
        Type::Uuid => other::<Uuid, T>(r, field, t),
        Type::Time => other::<Utime, T>(r, field, t),
        Type::Duration => other::<Duration, T>(r, field, t),
        _ => other::<crate::wire::Text<'_>, T>(r, field, t),
    }
}

/// A number in an integer of this type: its lower bytes, and their sign.
pub(super) fn fit(ty: &Type, number: i64) -> i64 {
    match ty {
        Type::Unsigned(1) => (number as u8).into(),
        Type::Unsigned(2) | Type::BigEndian(2) => (number as u16).into(),
        Type::Unsigned(4) | Type::BigEndian(4) => (number as u32).into(),
        Type::Signed(1) => (number as i8).into(),
        Type::Signed(2) => (number as i16).into(),
        Type::Signed(4) => (number as i32).into(),
        _ => number,
    }
}

/// A number in lower-case hex digits.
pub(super) fn digits<T: Trace>(
    text: &mut TextReader<'_, '_>,
    field: crate::wire::Field,
    ty: &Type,
    t: &mut T,
) -> Result<u64, Error> {
    match ty {
        Type::Unsigned(1) => text.hex::<u8, T>(t, field, 2).map(u64::from),
        Type::Unsigned(2) => text.hex::<u16, T>(t, field, 4).map(u64::from),
        Type::Unsigned(4) => text.hex::<u32, T>(t, field, 8).map(u64::from),
        _ => text.hex::<u64, T>(t, field, 16),
    }
}
