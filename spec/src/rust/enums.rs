//! Enums and flags: open newtypes over their integers, and the tables of names.

use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};

use super::Generator;
use super::types::scalar_type;
use crate::expr::Scalar;
use crate::ir::*;
use crate::model::Notation;
use crate::names::{constant, pascal};

impl Generator<'_> {
    pub(super) fn enumeration(&self, id: EnumId) -> TokenStream {
        let Enum { name, base, says, .. } = &self.ir[id];
        let numbers = says.values.iter().map(|(name, v)| (name, Literal::i64_unsuffixed(v.number), &v.doc));
        newtype("open_enum", name, &self.ir.enum_constant(id), *base, &says.doc, numbers)
    }

    pub(super) fn flag_word(&self, Flags { name, base, says, .. }: &Flags) -> TokenStream {
        let masks = says.values.iter().map(|(name, flag)| (name, Literal::u64_unsuffixed(flag.mask()), &flag.doc));
        newtype("flag_word", name, &constant(name), *base, &says.doc, masks)
    }

    /// The tables of names.
    pub(super) fn infos(&self) -> TokenStream {
        let enums = (0..self.ir.enums.len()).map(|index| self.enum_info(EnumId(index)));
        let flags = self.ir.flags.iter().map(|f| {
            let (word, doc) = (&f.name, &f.says.doc);
            let flags = f.says.values.iter().map(|(name, flag)| {
                let (mask, doc) = (flag.mask(), &flag.doc);
                let filter = format!("msgr2.{word}.{}", name.to_lowercase());
                let retired = flag.retired.as_deref().unwrap_or_default();
                quote!(Flag { mask: #mask, name: #name, filter: #filter, retired: #retired, doc: #doc },)
            });
            let (ident, hex) = (format_ident!("{}", constant(word)), f.says.display.notation == Some(Notation::Hex));
            quote! {
                #[doc = #doc]
                pub static #ident: FlagsInfo = FlagsInfo { name: #word, hex: #hex, flags: &[#(#flags)*] };
            }
        });
        quote!(#(#enums)* #(#flags)*)
    }

    fn enum_info(&self, id: EnumId) -> TokenStream {
        let Enum { name, base, says, .. } = &self.ir[id];
        let (ident, signed) = (format_ident!("{}", self.ir.enum_constant(id)), base.is_signed());
        let mut values: Vec<_> = says.values.iter().collect();
        values.sort_by_key(|(_, value)| value.number);
        let values = values.into_iter().map(|(name, value)| {
            let (number, to, doc) = (value.number, value.to.unwrap_or(value.number), &value.doc);
            let text = value.text.as_ref().unwrap_or(name);
            quote!(EnumValue { number: #number, to: #to, name: #name, text: #text, doc: #doc },)
        });
        let about = format!("Names of the values of `{name}`.");
        quote! {
            #[doc = #about]
            pub static #ident: EnumInfo = EnumInfo { name: #name, signed: #signed, values: &[#(#values)*] };
        }
    }
}

/// A newtype over the integer, with a constant for each name.
fn newtype<'v>(
    kind: &str,
    name: &str,
    info: &str,
    base: Scalar,
    doc: &str,
    values: impl Iterator<Item = (&'v String, Literal, &'v String)>,
) -> TokenStream {
    let (kind, ident, info) = (format_ident!("{kind}"), format_ident!("{}", pascal(name)), format_ident!("{info}"));
    let base = scalar_type(base);
    let constants = values.map(|(name, number, doc)| {
        let name = format_ident!("{}", constant(name));
        quote!(#[doc = #doc] pub const #name: Self = Self(#number);)
    });
    quote! {
        #[doc = #doc]
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct #ident(pub #base);
        impl #ident { #(#constants)* }
        wire::#kind!(#ident, #base, info::#info);
    }
}
