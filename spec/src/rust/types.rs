//! What a type of the spec is in Rust: its name, its lifetime, its default.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::Generator;
use super::structs::type_ident;
use crate::expr::{Prefix, Scalar};
use crate::ir::*;
use crate::names::pascal;

impl Generator<'_> {
    /// The Rust type of a context variable, which has no lifetime.
    pub(super) fn context_type(&self, ty: &Type) -> TokenStream {
        let rust = self.rust_type(ty);
        if matches!(ty, Type::Enum(_)) { quote!(types::#rust) } else { rust }
    }

    /// `<'a>` if the structure borrows.
    pub(super) fn lifetime(&self, body: &Body) -> TokenStream {
        if self.borrows(body) { quote!(<'a>) } else { TokenStream::new() }
    }

    /// Whether a structure borrows from the bytes that it was read from.
    fn borrows(&self, body: &Body) -> bool {
        body.keeps_extra() || body.fields.iter().any(|field| self.field_borrows(field))
    }

    fn field_borrows(&self, field: &Field) -> bool {
        field.derived.is_none() && (field.sealed.is_some() || self.type_borrows(field.value()))
    }

    fn type_borrows(&self, ty: &Type) -> bool {
        match ty {
            Type::Scalar(scalar) => *scalar == Scalar::Text,
            Type::Blob(_) | Type::Rest | Type::Sized | Type::Union(_) => true,
            Type::Struct(id) => self.borrows(&self.ir[*id]),
            _ => ty.inner().into_iter().any(|ty| self.type_borrows(ty)),
        }
    }

    /// The Rust type; a union's is named after the field that it is.
    pub(super) fn rust_type(&self, ty: &Type) -> TokenStream {
        match ty {
            Type::Scalar(scalar) => scalar_type(*scalar),
            Type::Enum(_) | Type::Flags(_) => {
                let name = format_ident!("{}", pascal(self.ir.name(ty)));
                quote!(#name)
            }
            Type::Struct(id) => {
                let (name, lifetime) = (type_ident(&self.ir[*id]), self.lifetime(&self.ir[*id]));
                quote!(#name #lifetime)
            }
            Type::Blob(_) | Type::Rest | Type::Sized | Type::Union(_) => quote!(wire::Blob<'a>),
            Type::Empty => quote!(()),
            Type::List(item) | Type::Counted(item) | Type::Items(item) | Type::Array(item, _) => {
                let item = self.rust_type(&item.ty);
                quote!(Vec<#item>)
            }
            Type::Map(_, key, value) => {
                let (key, value) = (self.rust_type(&key.ty), self.rust_type(&value.ty));
                quote!(Vec<(#key, #value)>)
            }
            Type::Optional(item) => {
                let item = self.rust_type(&item.ty);
                quote!(Option<#item>)
            }
        }
    }

    /// The integer in Rust as which a number is written.
    pub(super) fn integer_type(&self, ty: &Type) -> TokenStream {
        scalar_type(ty.integer(self.ir).unwrap_or(Scalar::U64))
    }
}

/// An expression for the value that a fresh structure holds.
pub(super) fn default_value(ty: &Type) -> TokenStream {
    match ty {
        Type::Scalar(Scalar::Ipv4) => quote!(std::net::Ipv4Addr::UNSPECIFIED),
        Type::Scalar(Scalar::Ipv6) => quote!(std::net::Ipv6Addr::UNSPECIFIED),
        Type::Array(item, n) => {
            let (item, n) = (default_value(&item.ty), *n as usize);
            quote!(vec![#item; #n])
        }
        _ => quote!(Default::default()),
    }
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
