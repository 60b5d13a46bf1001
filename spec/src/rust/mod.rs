//! Writes Rust: types that read and write themselves, and the tables of fields, states and findings.
//!
//! The result leans on the runtime in `msgr2::wire`, which the module around it must bring in as `wire`.

mod enums;
mod fields;
mod frames;
mod messages;
mod read;
mod states;
mod structs;
mod text;
mod types;
mod write;

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use crate::ir::*;
use crate::model::Finding;
use crate::names::{constant, ident, pascal};

/// The whole of it, formatted.
pub fn generate(ir: &Ir) -> Result<String, String> {
    let file: syn::File =
        syn::parse2(Generator { ir }.all()).map_err(|e| format!("the generated code is no Rust: {e}"))?;
    Ok(prettyplease::unparse(&file))
}

struct Generator<'a> {
    ir: &'a Ir,
}

impl Generator<'_> {
    fn all(&self) -> TokenStream {
        let ir = self.ir;
        let context = self.context();
        let shared = ir.enums.iter().enumerate().filter(|(_, e)| e.dialect.is_none());
        let enums: TokenStream = shared.map(|(index, _)| self.enumeration(EnumId(index))).collect();
        let flags: TokenStream = ir.flags.iter().map(|f| self.flag_word(f)).collect();
        let structs: TokenStream = ir.types(None).map(|(id, _)| self.structure(id)).collect();
        let messages = self.messages();
        let dialects: TokenStream = ir.dialects().map(|(id, _)| self.dialect(id)).collect();
        let (limits, findings, words_of_moves) = (self.limits(), self.findings(), self.words_of_moves());
        let (infos, fields) = (self.infos(), self.fields());
        quote! {
            #context
            #limits
            #findings
            #words_of_moves
            /// Names of numbers and bits.
            pub mod info {
                use super::wire::{EnumInfo, EnumValue, Flag, FlagsInfo};
                #infos
            }
            #fields
            /// What dialects share.
            pub mod types {
                #[allow(unused_imports)]
                use super::{Context, field, info, limits, wire};
                #[allow(unused_imports)]
                use wire::{Composite as _, Encode as _, Integer as _};
                #enums
                #flags
                #structs
            }
            #messages
            #dialects
        }
    }

    fn context(&self) -> TokenStream {
        let variables = self.ir.context.iter().map(|(name, variable)| {
            let (name, doc, ty) = (ident(name), &variable.doc, self.context_type(&variable.ty));
            quote!(#[doc = #doc] pub #name: Option<#ty>,)
        });
        let (count, names) = (self.ir.context.len(), self.ir.context.keys());
        let numbers = self.ir.context.iter().map(|(name, variable)| {
            let (name, number) =
                (ident(name), if matches!(variable.ty, Type::Enum(_)) { quote!(v.0) } else { quote!(v) });
            quote!(self.#name.map(|v| #number as i64),)
        });
        quote! {
            /// What a decoder must have been told, because the bytes don't say it.
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
            #[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(default, deny_unknown_fields))]
            pub struct Context { #(#variables)* }
            impl Context {
                /// The names of the variables, in the order of the spec.
                pub const VARIABLES: [&str; #count] = [#(#names),*];

                /// The numbers in the order of the spec, as a [`wire::Walker`] takes them.
                pub fn numbers(&self) -> [Option<i64>; #count] {
                    [#(#numbers)*]
                }
            }
        }
    }

    fn limits(&self) -> TokenStream {
        let limits = self.ir.limits.iter().map(|(name, limit)| {
            let (name, max) = (format_ident!("{}", constant(name)), limit.max);
            let doc = format!("{} In {}.", limit.doc, limit.unit);
            quote!(#[doc = #doc] pub const #name: u64 = #max;)
        });
        quote! {
            /// Bounds that a reader sets, and a writer keeps.
            pub mod limits { #(#limits)* }
        }
    }

    fn findings(&self) -> TokenStream {
        let findings = &self.ir.findings;
        let variants = findings.iter().map(|(name, finding)| {
            let (name, doc) = (format_ident!("{}", pascal(name)), &finding.doc);
            quote!(#[doc = #doc] #name,)
        });
        let infos = findings.iter().map(|(name, finding)| {
            let severity = format_ident!("{}", format!("{:?}", finding.severity));
            let group = format_ident!("{}", format!("{:?}", finding.group));
            let filter = format!("msgr2.finding.{name}");
            let Finding { summary, doc, .. } = &finding.item;
            quote!(wire::FindingInfo {
                name: #name, filter: #filter, severity: wire::Severity::#severity, group: wire::Group::#group,
                summary: #summary, doc: #doc,
            },)
        });
        quote! {
            /// What the tracker reports about a connection.
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
            #[repr(u8)]
            pub enum FindingKind { #(#variants)* }
            /// What is known of each [`FindingKind`], in the same order.
            pub static FINDINGS: &[wire::FindingInfo] = &[#(#infos)*];
            impl FindingKind {
                /// What is known of it.
                pub fn info(self) -> &'static wire::FindingInfo {
                    &FINDINGS[self as usize]
                }
            }
        }
    }

    fn dialect(&self, id: DialectId) -> TokenStream {
        let dialect = &self.ir[id];
        let module = format_ident!("{}", dialect.module());
        let structs: TokenStream = self.ir.types(Some(id)).map(|(id, _)| self.structure(id)).collect();
        let (frames, states) = (self.frames(id), self.states(dialect));
        let parent = match dialect.parent {
            Some(parent) => {
                let parent = format_ident!("{}", self.ir[parent].module());
                quote!(pub use super::#parent::*;)
            }
            None => quote!(
                #[allow(unused_imports)]
                pub use super::types::*;
            ),
        };
        let name = &dialect.info.name;
        let about = format!("Dialect {name}. {}", dialect.info.doc);
        quote! {
            #[doc = #about]
            pub mod #module {
                #[allow(unused_imports)]
                use super::{Action, Context, Guard, field, info, limits, wire};
                #[allow(unused_imports)]
                use wire::{Composite as _, Encode as _, Integer as _};
                #parent
                /// Its name.
                pub const NAME: &str = #name;
                #structs
                #frames
                #states
            }
        }
    }
}
