//! What a type of the spec is in Rust: its name, its lifetime, its default.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::Generator;
use super::structs::type_ident;
use crate::expr::Scalar;
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
            Type::Tuple(_) => {
                let items = ty.inner().into_iter().map(|ty| self.rust_type(ty));
                quote!((#(#items),*))
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
        Type::Tuple(_) => {
            let items = ty.inner().into_iter().map(default_value);
            quote!((#(#items),*))
        }
        _ => quote!(Default::default()),
    }
}

pub(super) fn scalar_type(scalar: Scalar) -> TokenStream {
    use Scalar::*;
    let (bits, named) = (8 * scalar.min_size(), format_ident!("{}", format!("{scalar:?}").replace(['(', ')'], "_")));
    let (signed, unsigned) = (format_ident!("i{bits}"), format_ident!("u{bits}"));
    match scalar {
        U8 | U16 | U32 | U64 => quote!(#unsigned),
        S8 | S16 | S32 | S64 => quote!(#signed),
        U16Be | U32Be | U64Be => quote!(wire::Be<#unsigned>),
        F32 => quote!(f32),
        F64 => quote!(f64),
        Text => quote!(wire::Text<'a>),
        Bytes(n) => {
            let n = n as usize;
            quote!(wire::FixedBytes<#n>)
        }
        Ipv4 => quote!(std::net::Ipv4Addr),
        Ipv6 => quote!(std::net::Ipv6Addr),
        Bool | Uuid | Utime | Duration => quote!(wire::#named),
    }
}
