//! What names mean, and what is known of the bytes of a type.

use super::{Lint, Site};
use crate::expr::{Condition, Scalar, Type, parse_condition, parse_type};
use crate::model::*;
use crate::spec::DialectView;

/// The most items of an array, and bytes of a fixed field.
const MOST_FIXED: u32 = 0x10000;

/// What a name means.
pub(super) enum Meaning<'a> {
    Enum(&'a Enum),
    Flags(&'a Flags),
    Struct(&'a Struct),
    /// The tags of a dialect.
    Tag,
}

/// Where a type expression stands, which decides over what it may be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It is all of a field.
    Field,
    /// It is a case of a union, or what a blob holds.
    Held,
    /// Another of its kind follows.
    Item,
}

impl<'a> Lint<'a> {
    pub(super) fn meaning(&self, dialect: Option<&'a DialectView>, name: &str) -> Option<Meaning<'a>> {
        let spec = self.spec;
        if name == "tag" && dialect.is_some() {
            return Some(Meaning::Tag);
        }
        if let Some(e) = spec.enums.get(name) {
            return Some(Meaning::Enum(e));
        }
        if let Some(f) = spec.flags.get(name) {
            return Some(Meaning::Flags(f));
        }
        let own = dialect.and_then(|d| spec.ancestry(d).find_map(|d| d.types.get(name)));
        own.or_else(|| spec.types.get(name)).map(|s| Meaning::Struct(s))
    }

    /// Reads a type expression and says what is wrong with it.
    pub(super) fn type_of(&mut self, site: &Site<'a>, text: &str, place: Place) -> Option<Type> {
        match parse_type(text) {
            Ok(ty) => {
                self.check_type(site, &ty, place);
                Some(ty)
            }
            Err(what) => {
                self.report(site, what);
                None
            }
        }
    }

    fn check_type(&mut self, site: &Site<'a>, ty: &Type, place: Place) {
        match ty {
            Type::Named(name) => {
                if self.meaning(site.dialect, name).is_none() {
                    self.report(site, format!("`{name}` names no type"));
                } else if place == Place::Item && self.greedy(site.dialect, ty) {
                    self.report(site, format!("`{name}` takes all bytes that are left, so no other can follow it"));
                }
            }
            Type::Sized | Type::Counted(_) if place != Place::Field => {
                self.report(site, "what another field measures must be all of a field");
            }
            Type::Rest if place == Place::Item => {
                self.report(site, "`rest` takes all bytes that are left, so no other can follow it");
            }
            Type::Scalar(Scalar::Bytes(n)) if *n == 0 || *n > MOST_FIXED => {
                self.report(site, format!("bytes<{n}>: a fixed field has 1 to {MOST_FIXED} bytes"));
            }
            Type::Array(_, n) if *n == 0 || *n > MOST_FIXED => {
                self.report(site, format!("an array has 1 to {MOST_FIXED} items, not {n}"));
            }
            Type::List(item) | Type::Counted(item) | Type::Array(item, _) => self.check_type(site, item, Place::Item),
            Type::Optional(item) => self.check_type(site, item, if place == Place::Item { place } else { Place::Held }),
            Type::Map(key, value) => {
                self.check_type(site, key, Place::Item);
                self.check_type(site, value, Place::Item);
            }
            Type::Scalar(_) | Type::Blob(_) | Type::Rest | Type::Sized | Type::Empty => {}
        }
    }

    /// Whether a type takes all bytes that are left.
    pub(super) fn greedy(&self, dialect: Option<&'a DialectView>, ty: &Type) -> bool {
        match ty {
            Type::Rest => true,
            Type::Named(name) => match self.meaning(dialect, name) {
                Some(Meaning::Struct(s)) => self.greedy_struct(dialect, s),
                _ => false,
            },
            Type::Optional(item) => self.greedy(dialect, item),
            _ => false,
        }
    }

    fn greedy_struct(&self, dialect: Option<&'a DialectView>, s: &Struct) -> bool {
        if s.versioned.as_ref().is_some_and(|v| v.compat.is_some()) {
            return false; // it has a length
        }
        s.open
            || s.fields.iter().any(|f| asks_for_more(f))
            || s.fields.last().is_some_and(|f| self.greedy_field(dialect, f))
    }

    /// Whether a field takes all bytes that are left. A union does, when none of its cases holds.
    pub(super) fn greedy_field(&self, dialect: Option<&'a DialectView>, field: &Field) -> bool {
        match &field.ty {
            TypeRef::Expr(text) => parse_type(text).is_ok_and(|ty| self.greedy(dialect, &ty)),
            TypeRef::Switch(_) => true,
        }
    }

    /// Whether a type can take no bytes at all.
    pub(super) fn may_be_empty(&self, dialect: Option<&'a DialectView>, ty: &Type) -> bool {
        match ty {
            Type::Scalar(scalar) => *scalar == Scalar::Bytes(0),
            Type::Blob(_) | Type::List(_) | Type::Map(..) | Type::Optional(_) => false,
            Type::Rest | Type::Sized | Type::Empty | Type::Counted(_) => true,
            Type::Array(item, n) => *n == 0 || self.may_be_empty(dialect, item),
            Type::Named(name) => match self.meaning(dialect, name) {
                Some(Meaning::Struct(s)) => {
                    s.versioned.is_none()
                        && s.fields.iter().all(|f| conditional(f) || self.field_may_be_empty(dialect, f))
                }
                _ => false,
            },
        }
    }

    fn field_may_be_empty(&self, dialect: Option<&'a DialectView>, field: &Field) -> bool {
        match &field.ty {
            TypeRef::Expr(text) => parse_type(text).is_ok_and(|ty| self.may_be_empty(dialect, &ty)),
            TypeRef::Switch(_) => true,
        }
    }

    /// The numbers that an integer, an enum or a word of flags can hold.
    pub(super) fn range(&self, dialect: Option<&'a DialectView>, ty: &Type) -> Option<(i128, i128)> {
        match ty {
            Type::Scalar(scalar) => integer_range(*scalar),
            Type::Named(name) => match self.meaning(dialect, name)? {
                Meaning::Enum(Enum { base, .. }) | Meaning::Flags(Flags { base, .. }) => base_range(base),
                Meaning::Tag => integer_range(Scalar::U8),
                Meaning::Struct(_) => None,
            },
            _ => None,
        }
    }

    /// Whether a value of the type has a text, as Rust generates it.
    pub(super) fn has_text(&self, dialect: Option<&'a DialectView>, ty: &Type) -> bool {
        match ty {
            Type::Scalar(_) | Type::Blob(_) | Type::Rest | Type::Sized => true,
            Type::Named(name) => match self.meaning(dialect, name) {
                Some(Meaning::Struct(s)) => s.summary.is_some(),
                _ => true,
            },
            Type::Empty | Type::List(_) | Type::Counted(_) | Type::Array(..) | Type::Map(..) | Type::Optional(_) => {
                false
            }
        }
    }
}

/// The names of types in a type.
pub(super) fn names_in(ty: Option<&Type>, names: &mut Vec<String>) {
    match ty {
        Some(Type::Named(name)) => names.push(name.clone()),
        Some(Type::List(item) | Type::Counted(item) | Type::Optional(item) | Type::Array(item, _)) => {
            names_in(Some(item), names);
        }
        Some(Type::Map(key, value)) => {
            names_in(Some(key), names);
            names_in(Some(value), names);
        }
        _ => {}
    }
}

/// The numbers that an integer can hold.
pub(super) fn integer_range(scalar: Scalar) -> Option<(i128, i128)> {
    if !scalar.is_integer() {
        return None;
    }
    let bits = 8 * scalar.min_size() as u32;
    let signed = matches!(scalar, Scalar::S8 | Scalar::S16 | Scalar::S32 | Scalar::S64);
    Some(if signed { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) })
}

/// The numbers that the base of an enum or of flags can hold; nothing if it can't be one.
pub(super) fn base_range(base: &str) -> Option<(i128, i128)> {
    match parse_type(base) {
        Ok(Type::Scalar(Scalar::U16Be | Scalar::U32Be | Scalar::U64Be)) => None,
        Ok(Type::Scalar(scalar)) => integer_range(scalar),
        _ => None,
    }
}

/// Whether a field's value is part of the decoded structure; lengths, counts and constants are derived.
pub(super) fn stored(field: &Field) -> bool {
    field.equals.is_none() && field.length_of.is_none() && field.count_of.is_empty()
}

/// Whether a field may be missing.
pub(super) fn conditional(field: &Field) -> bool {
    field.when.is_some() || field.since.is_some() || field.until.is_some()
}

/// Whether a field is there only if bytes are left.
pub(super) fn asks_for_more(field: &Field) -> bool {
    field.when.as_deref().is_some_and(|text| parse_condition(text) == Ok(Condition::More))
}

/// A field's type, unless it is a union or no type at all.
pub(super) fn plain_type(field: &Field) -> Option<Type> {
    match &field.ty {
        TypeRef::Expr(text) => parse_type(text).ok(),
        TypeRef::Switch(_) => None,
    }
}
