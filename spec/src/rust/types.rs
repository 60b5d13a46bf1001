//! What a type of the spec is in Rust: its name, its lifetime, its least size, its default.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::Generator;
use super::names::{constant, pascal};
use crate::expr::{Prefix, Scalar, Type, parse_type};
use crate::model::*;
use crate::spec::DialectView;

/// What a name means.
pub(super) enum Shape<'a> {
    /// An enum over this integer, of so many bytes.
    Enum(Scalar, u8),
    /// Flags in so many bytes.
    Flags(u8),
    /// A structure.
    Struct(&'a Struct),
}

impl<'a> Generator<'a> {
    /// What a name means where it stands.
    pub(super) fn shape(&self, dialect: Option<&'a DialectView>, name: &str) -> Result<Shape<'a>, String> {
        if name == "tag" && dialect.is_some() {
            return Ok(Shape::Enum(Scalar::U8, 1));
        }
        let integer = |base: &str| match parse_type(base) {
            Ok(Type::Scalar(scalar)) if scalar.is_integer() => Ok(scalar),
            _ => Err(format!("{name}: base `{base}` is no integer")),
        };
        if let Some(e) = self.spec.enums.get(name) {
            let base = integer(&e.base)?;
            return Ok(Shape::Enum(base, base.min_size() as u8));
        }
        if let Some(f) = self.spec.flags.get(name) {
            return Ok(Shape::Flags(integer(&f.base)?.min_size() as u8));
        }
        match self.spec.find_type(dialect, name) {
            Some(s) => Ok(Shape::Struct(s)),
            None => Err(format!("`{name}` names no type")),
        }
    }

    /// The constant that holds the names of an enum's values or of flags.
    pub(super) fn info_name(&self, dialect: Option<&DialectView>, name: &str) -> String {
        match dialect {
            Some(dialect) if name == "tag" => constant(&format!("{}_tag", self.tag_owner(dialect).module())),
            _ => constant(name),
        }
    }

    /// The dialect in whose module the enum of tags stands.
    pub(super) fn tag_owner<'d>(&'d self, dialect: &'d DialectView) -> &'d DialectView {
        self.spec.ancestry(dialect).find(|d| !d.own_tags.is_empty()).unwrap_or(dialect)
    }

    /// A type without lifetime that a context variable has.
    pub(super) fn plain_type(&self, name: &str) -> Result<TokenStream, String> {
        Ok(match parse_type(name)? {
            Type::Scalar(scalar) => scalar_type(scalar),
            Type::Named(name) => {
                self.shape(None, &name)?;
                let name = format_ident!("{}", pascal(&name));
                quote!(types::#name)
            }
            _ => return Err(format!("`{name}`: a context variable is a number or an enum")),
        })
    }

    /// `<'a>` if the structure borrows.
    pub(super) fn struct_lifetime(&self, dialect: Option<&'a DialectView>, s: &Struct) -> TokenStream {
        if self.borrows(dialect, s) { quote!(<'a>) } else { TokenStream::new() }
    }

    /// Whether a structure borrows from the bytes that it was read from.
    pub(super) fn borrows(&self, dialect: Option<&'a DialectView>, s: &Struct) -> bool {
        keeps_extra(s) || s.fields.iter().any(|f| self.field_borrows(dialect, f))
    }

    pub(super) fn field_borrows(&self, dialect: Option<&'a DialectView>, field: &Field) -> bool {
        if field.equals.is_some() || field.length_of.is_some() || !field.count_of.is_empty() {
            return false;
        }
        if field.sealed.is_some() {
            return true;
        }
        let what = field.holds.as_ref().unwrap_or(&field.ty);
        match what {
            TypeRef::Switch(_) => true,
            TypeRef::Expr(text) => parse_type(text).is_ok_and(|ty| self.type_borrows(dialect, &ty)),
        }
    }

    pub(super) fn type_borrows(&self, dialect: Option<&'a DialectView>, ty: &Type) -> bool {
        match ty {
            Type::Scalar(scalar) => *scalar == Scalar::Text,
            Type::Blob(_) | Type::Rest | Type::Sized => true,
            Type::Empty => false,
            Type::List(item) | Type::Counted(item) | Type::Optional(item) | Type::Array(item, _) => {
                self.type_borrows(dialect, item)
            }
            Type::Map(key, value) => self.type_borrows(dialect, key) || self.type_borrows(dialect, value),
            Type::Named(name) => matches!(self.shape(dialect, name), Ok(Shape::Struct(s)) if self.borrows(dialect, s)),
        }
    }

    /// The Rust type.
    pub(super) fn rust_type(&self, dialect: Option<&'a DialectView>, ty: &Type) -> Result<TokenStream, String> {
        Ok(match ty {
            Type::Scalar(scalar) => scalar_type(*scalar),
            Type::Named(name) => {
                let ident = format_ident!("{}", pascal(name));
                match self.shape(dialect, name)? {
                    Shape::Struct(s) => {
                        let lifetime = self.struct_lifetime(dialect, s);
                        quote!(#ident #lifetime)
                    }
                    _ => quote!(#ident),
                }
            }
            Type::Blob(_) | Type::Rest | Type::Sized => quote!(wire::Blob<'a>),
            Type::Empty => quote!(()),
            Type::List(item) | Type::Counted(item) | Type::Array(item, _) => {
                let item = self.rust_type(dialect, item)?;
                quote!(Vec<#item>)
            }
            Type::Map(key, value) => {
                let (key, value) = (self.rust_type(dialect, key)?, self.rust_type(dialect, value)?);
                quote!(Vec<(#key, #value)>)
            }
            Type::Optional(item) => {
                let item = self.rust_type(dialect, item)?;
                quote!(Option<#item>)
            }
        })
    }

    /// An expression for the value that a fresh structure holds.
    pub(super) fn default_value(&self, ty: &Type) -> TokenStream {
        match ty {
            Type::Scalar(Scalar::Ipv4) => quote!(std::net::Ipv4Addr::UNSPECIFIED),
            Type::Scalar(Scalar::Ipv6) => quote!(std::net::Ipv6Addr::UNSPECIFIED),
            Type::Array(item, n) => {
                let (item, n) = (self.default_value(item), *n as usize);
                quote!(vec![#item; #n])
            }
            _ => quote!(Default::default()),
        }
    }

    /// The fewest bytes that a type takes.
    pub(super) fn min_size(&self, dialect: Option<&'a DialectView>, ty: &Type) -> usize {
        match ty {
            Type::Scalar(scalar) => scalar.min_size(),
            Type::Named(name) => match self.shape(dialect, name) {
                Ok(Shape::Enum(_, size) | Shape::Flags(size)) => size.into(),
                Ok(Shape::Struct(s)) => self.struct_min_size(dialect, s),
                Err(_) => 0,
            },
            Type::Blob(prefix) => match prefix {
                Prefix::U8 => 1,
                Prefix::U16 => 2,
                Prefix::U32 => 4,
            },
            Type::Rest | Type::Sized | Type::Empty | Type::Counted(_) => 0,
            Type::List(_) | Type::Map(..) => 4,
            Type::Optional(_) => 1,
            Type::Array(item, n) => self.min_size(dialect, item) * *n as usize,
        }
    }

    /// The fewest bytes that a structure takes.
    pub(super) fn struct_min_size(&self, dialect: Option<&'a DialectView>, s: &Struct) -> usize {
        if let Some(text) = &s.text {
            return super::text::min_size(text);
        }
        let header = match &s.versioned {
            Some(v) => usize::from(v.marker.is_some()) + if v.compat.is_some() { 6 } else { 1 },
            None => 0,
        };
        let fields = s.fields.iter().filter(|f| f.when.is_none() && f.since.is_none() && f.until.is_none());
        header
            + fields
                .map(|f| match &f.ty {
                    TypeRef::Expr(text) => parse_type(text).map_or(0, |ty| self.min_size(dialect, &ty)),
                    TypeRef::Switch(_) => 0,
                })
                .sum::<usize>()
    }
}

/// Whether a structure keeps what a newer sender appended.
pub(super) fn keeps_extra(s: &Struct) -> bool {
    s.open || s.versioned.as_ref().is_some_and(|v| v.compat.is_some())
}

/// The Rust type of a length prefix.
pub(super) fn prefix_type(prefix: Prefix) -> TokenStream {
    match prefix {
        Prefix::U8 => quote!(u8),
        Prefix::U16 => quote!(u16),
        Prefix::U32 => quote!(u32),
    }
}

pub(super) fn scalar_type(scalar: Scalar) -> TokenStream {
    use Scalar::*;
    match scalar {
        U8 => quote!(u8),
        U16 => quote!(u16),
        U32 => quote!(u32),
        U64 => quote!(u64),
        S8 => quote!(i8),
        S16 => quote!(i16),
        S32 => quote!(i32),
        S64 => quote!(i64),
        U16Be => quote!(wire::Be<u16>),
        U32Be => quote!(wire::Be<u32>),
        U64Be => quote!(wire::Be<u64>),
        F32 => quote!(f32),
        F64 => quote!(f64),
        Bool => quote!(wire::Bool),
        Text => quote!(wire::Text<'a>),
        Bytes(n) => {
            let n = n as usize;
            quote!(wire::FixedBytes<#n>)
        }
        Ipv4 => quote!(std::net::Ipv4Addr),
        Ipv6 => quote!(std::net::Ipv6Addr),
        Uuid => quote!(wire::Uuid),
        Utime => quote!(wire::Utime),
        Duration => quote!(wire::Duration),
    }
}
