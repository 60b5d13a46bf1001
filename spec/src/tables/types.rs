//! Types: widths instead of names, and how many bytes they take at least.

use msgr2_tables as to;

use super::Maker;
use crate::expr::Scalar;
use crate::ir::*;

impl Maker<'_> {
    pub(super) fn node(&self, node: &Node) -> to::Node {
        to::Node { field: node.field.0, ty: self.ty(&node.ty) }
    }

    pub(super) fn ty(&self, ty: &Type) -> to::Type {
        match ty {
            Type::Scalar(scalar) => plain(*scalar),
            Type::Enum(id) => plain(self.ir[*id].base),
            Type::Flags(id) => plain(self.ir[*id].base),
            Type::Struct(id) => to::Type::Struct(id.0),
            Type::Blob(prefix) => to::Type::Blob(prefix.min_size() as u8),
            Type::Rest => to::Type::Rest,
            Type::Sized => to::Type::Sized,
            Type::Empty => to::Type::Empty,
            Type::List(item) => self.items(to::Count::Prefix, item),
            Type::Counted(item) => self.items(to::Count::Measured, item),
            Type::Items(item) => self.items(to::Count::Left, item),
            Type::Array(item, n) => self.items(to::Count::Fixed(*n), item),
            Type::Map(entry, key, value) => {
                let pair = to::Type::Tuple(vec![self.node(key), self.node(value)]);
                let min_size = self.ir.min_size(&key.ty) + self.ir.min_size(&value.ty);
                items(to::Count::Prefix, to::Node { field: entry.0, ty: pair }, min_size, true)
            }
            Type::Tuple(items) => to::Type::Tuple(items.iter().map(|item| self.node(item)).collect()),
            Type::Optional(item) => to::Type::Optional(Box::new(self.node(item))),
            Type::Union(union) => to::Type::Union(Box::new(self.union(union))),
        }
    }

    fn items(&self, count: to::Count, item: &Node) -> to::Type {
        items(count, self.node(item), self.ir.min_size(&item.ty), false)
    }

    fn union(&self, union: &Union) -> to::Union {
        let cases = union.cases.iter().map(|case| to::Case {
            name: case.name.clone(),
            numbers: case.numbers.iter().map(|range| (*range.start(), *range.end())).collect(),
            node: self.node(&case.node),
        });
        to::Union { by: self.operand(&union.by), cases: cases.collect(), other: union.other.0 }
    }
}

fn items(count: to::Count, item: to::Node, min_size: usize, map: bool) -> to::Type {
    to::Type::Items(Box::new(to::Items { count, item, min_size, map }))
}

fn plain(scalar: Scalar) -> to::Type {
    let size = scalar.min_size() as u8;
    match scalar {
        Scalar::U8 | Scalar::U16 | Scalar::U32 | Scalar::U64 => to::Type::Unsigned(size),
        Scalar::S8 | Scalar::S16 | Scalar::S32 | Scalar::S64 => to::Type::Signed(size),
        Scalar::U16Be | Scalar::U32Be | Scalar::U64Be => to::Type::BigEndian(size),
        Scalar::F32 | Scalar::F64 => to::Type::Float(size),
        Scalar::Bool => to::Type::Bool,
        Scalar::Text => to::Type::Text,
        Scalar::Bytes(n) => to::Type::Bytes(n),
        Scalar::Ipv4 => to::Type::Ipv4,
        Scalar::Ipv6 => to::Type::Ipv6,
        Scalar::Uuid => to::Type::Uuid,
        Scalar::Utime => to::Type::Time,
        Scalar::Duration => to::Type::Duration,
    }
}
