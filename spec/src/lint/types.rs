//! What is known of the bytes of a type.

use super::Lint;
use crate::expr::Scalar;
use crate::ir::*;

/// The most items of an array, and bytes of a fixed field.
const MOST_FIXED: u32 = 0x10000;

/// Where a type stands, which decides over what it may be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It is all of a field, a case of a union, or what a blob holds.
    Last,
    /// Another of its kind follows.
    Item,
}

impl Lint<'_> {
    pub(super) fn check_type(&mut self, site: &Site, ty: &Type, place: Place) {
        match ty {
            Type::Struct(id) if place == Place::Item && self.greedy(ty) => {
                let what = format!("`{}` takes all bytes that are left, so no other can follow it", self.ir[*id].name);
                self.report(site, what);
            }
            Type::Rest | Type::Items(_) if place == Place::Item => {
                self.report(site, "`rest` takes all bytes that are left, so no other can follow it");
            }
            Type::Scalar(Scalar::Bytes(n)) if *n == 0 || *n > MOST_FIXED => {
                self.report(site, format!("bytes<{n}>: a fixed field has 1 to {MOST_FIXED} bytes"));
            }
            Type::Array(_, n) if *n == 0 || *n > MOST_FIXED => {
                self.report(site, format!("an array has 1 to {MOST_FIXED} items, not {n}"));
            }
            _ => {}
        }
        let place = if matches!(ty, Type::Optional(_) | Type::Union(_)) { place } else { Place::Item };
        for inner in ty.inner() {
            self.check_type(site, inner, place);
        }
    }

    /// Whether a type takes all bytes that are left. A union does, when none of its cases holds.
    pub(super) fn greedy(&self, ty: &Type) -> bool {
        match ty {
            Type::Rest | Type::Items(_) | Type::Union(_) => true,
            Type::Struct(id) => {
                let s = &self.ir[*id];
                let bounded = s.versioned.as_ref().is_some_and(|v| v.compat.is_some());
                let last = s.fields.last().is_some_and(|field| self.greedy(&field.node.ty));
                !bounded && (s.open || s.fields.iter().any(Field::asks_for_more) || last)
            }
            Type::Optional(item) => self.greedy(&item.ty),
            _ => false,
        }
    }

    /// Whether a type can take no bytes at all.
    pub(super) fn may_be_empty(&self, ty: &Type) -> bool {
        match ty {
            Type::Scalar(scalar) => *scalar == Scalar::Bytes(0),
            Type::Enum(_) | Type::Flags(_) | Type::Blob(_) | Type::List(_) | Type::Map(..) | Type::Optional(_) => false,
            Type::Rest | Type::Sized | Type::Empty | Type::Counted(_) | Type::Items(_) | Type::Union(_) => true,
            Type::Array(item, n) => *n == 0 || self.may_be_empty(&item.ty),
            Type::Struct(id) => {
                let s = &self.ir[*id];
                let empty = |f: &Field| f.conditional() || f.length.is_some() || self.may_be_empty(&f.node.ty);
                s.versioned.is_none() && s.fields.iter().all(empty)
            }
        }
    }
}
