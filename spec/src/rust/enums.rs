//! Enums and flags: open newtypes over their integers, and the tables of names.

use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};

use super::Generator;
use super::names::{constant, pascal};
use super::types::scalar_type;
use crate::expr::{Scalar, Type, parse_type};
use crate::model::*;

impl Generator<'_> {
    pub(super) fn enumeration(&self, name: &str, e: &Enum) -> Result<TokenStream, String> {
        let values = e.values.iter().map(|(name, v)| (name.as_str(), v.number, v.doc.as_str()));
        open_enum(name, &constant(name), &e.base, &e.doc, values)
    }

    pub(super) fn flag_word(&self, name: &str, f: &Flags) -> Result<TokenStream, String> {
        let base = integer(name, &f.base)?;
        let (ident, info, doc) = (format_ident!("{}", pascal(name)), format_ident!("{}", constant(name)), &f.doc);
        let flags = f.values.iter().map(|(name, flag)| {
            let (name, doc) = (format_ident!("{}", constant(name)), &flag.doc);
            let mask = Literal::u64_unsuffixed(flag.mask());
            quote!(#[doc = #doc] pub const #name: Self = Self(#mask);)
        });
        Ok(quote! {
            #[doc = #doc]
            #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub struct #ident(pub #base);
            impl #ident { #(#flags)* }
            wire::flag_word!(#ident, #base, info::#info);
        })
    }

    /// The tables of names.
    pub(super) fn infos(&self) -> Result<TokenStream, String> {
        let mut tokens = TokenStream::new();
        for (name, e) in &self.spec.enums {
            let values = e.values.iter().map(|(name, v)| {
                (v.number, v.to.unwrap_or(v.number), name.as_str(), v.text.as_deref().unwrap_or(name), v.doc.as_str())
            });
            let signed = matches!(parse_type(&e.base), Ok(Type::Scalar(scalar)) if scalar.is_signed());
            tokens.extend(enum_info(name, &constant(name), signed, values));
        }
        for dialect in self.spec.dialects.values().filter(|d| !d.own_tags.is_empty()) {
            let names: Vec<String> = dialect.tags.keys().map(|n| n.to_uppercase()).collect();
            let values = dialect.tags.values().zip(&names).map(|(tag, name)| {
                (tag.number.into(), tag.number.into(), name.as_str(), name.as_str(), tag.doc.as_str())
            });
            tokens.extend(enum_info("tag", &self.info_name(Some(dialect), "tag"), false, values));
        }
        for (word, f) in &self.spec.flags {
            let flags = f.values.iter().map(|(name, flag)| {
                let (mask, doc) = (flag.mask(), &flag.doc);
                let filter = format!("msgr2.{word}.{}", name.to_lowercase());
                let retired = flag.retired.as_deref().unwrap_or_default();
                quote!(Flag { mask: #mask, name: #name, filter: #filter, retired: #retired, doc: #doc },)
            });
            let (ident, hex) = (format_ident!("{}", constant(word)), f.display.notation == Some(Notation::Hex));
            let doc = &f.doc;
            tokens.extend(quote! {
                #[doc = #doc]
                pub static #ident: FlagsInfo = FlagsInfo { name: #word, hex: #hex, flags: &[#(#flags)*] };
            });
        }
        Ok(tokens)
    }
}

/// A newtype over the integer, with a constant for each name.
pub(super) fn open_enum<'v>(
    name: &str,
    info: &str,
    base: &str,
    doc: &str,
    values: impl Iterator<Item = (&'v str, i64, &'v str)>,
) -> Result<TokenStream, String> {
    let base = integer(name, base)?;
    let (ident, info) = (format_ident!("{}", pascal(name)), format_ident!("{info}"));
    let constants = values.map(|(name, number, doc)| {
        let (name, number) = (format_ident!("{}", constant(name)), Literal::i64_unsuffixed(number));
        quote!(#[doc = #doc] pub const #name: Self = Self(#number);)
    });
    Ok(quote! {
        #[doc = #doc]
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct #ident(pub #base);
        impl #ident { #(#constants)* }
        wire::open_enum!(#ident, #base, info::#info);
    })
}

fn integer(name: &str, base: &str) -> Result<TokenStream, String> {
    match parse_type(base) {
        Ok(Type::Scalar(scalar))
            if scalar.is_integer() && !matches!(scalar, Scalar::U16Be | Scalar::U32Be | Scalar::U64Be) =>
        {
            Ok(scalar_type(scalar))
        }
        _ => Err(format!("{name}: base `{base}` is no little-endian integer")),
    }
}

fn enum_info<'v>(
    name: &str,
    constant: &str,
    signed: bool,
    values: impl Iterator<Item = (i64, i64, &'v str, &'v str, &'v str)>,
) -> TokenStream {
    let ident = format_ident!("{constant}");
    let mut values: Vec<_> = values.collect();
    values.sort_by_key(|v| v.0);
    let values = values.iter().map(|(number, to, name, text, doc)| {
        quote!(EnumValue { number: #number, to: #to, name: #name, text: #text, doc: #doc },)
    });
    let about = format!("Names of the values of `{name}`.");
    quote! {
        #[doc = #about]
        pub static #ident: EnumInfo = EnumInfo { name: #name, signed: #signed, values: &[#(#values)*] };
    }
}
