//! The table of fields: what Wireshark registers, JSON names and errors cite.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::Generator;
use crate::ir::*;
use crate::names::constant;

impl Generator<'_> {
    /// The constant that stands for a field.
    pub(super) fn id(&self, field: FieldId) -> TokenStream {
        let name = self.ir.fields.get_index(field.0).map_or("", |(constant, _)| constant);
        let name = format_ident!("{name}");
        quote!(field::#name)
    }

    /// The module `field`.
    pub(super) fn fields(&self) -> TokenStream {
        let fields = &self.ir.fields;
        let (count, infos) =
            (fields.len(), fields.values().enumerate().map(|(index, info)| self.info(index as u16, info)));
        let constants = fields.keys().enumerate().map(|(index, name)| {
            let name = format_ident!("{name}");
            quote!(pub const #name: Field = Field(&FIELDS[#index]);)
        });
        quote! {
            /// All fields.
            #[allow(missing_docs, unused_imports)]
            pub mod field {
                use super::{info, wire::{Display, Field, FieldInfo, Kind}};
                /// The table, in the order of [`FieldInfo::index`].
                pub static FIELDS: [FieldInfo; #count] = [#(#infos)*];
                #(#constants)*
            }
        }
    }

    fn info(&self, index: u16, info: &FieldInfo) -> TokenStream {
        let FieldInfo { name, filter, label, doc, unit, .. } = info;
        let (kind, notation) = (self.kind(info.kind), format_ident!("{}", format!("{:?}", info.notation)));
        quote!(FieldInfo {
            index: #index, name: #name, filter: #filter, label: #label, doc: #doc,
            kind: #kind, display: Display::#notation, unit: #unit,
        },)
    }

    fn kind(&self, kind: Kind) -> TokenStream {
        let names = |name: String| format_ident!("{name}");
        match kind {
            Kind::Enum(size, id) => {
                let info = names(self.ir.enum_constant(id));
                quote!(Kind::Enum(#size, &info::#info))
            }
            Kind::Flags(size, id) => {
                let info = names(constant(&self.ir[id].name));
                quote!(Kind::Flags(#size, &info::#info))
            }
            // written as in Rust, without the type of the number
            other => format!("Kind::{other:?}").parse().unwrap_or_default(),
        }
    }
}
