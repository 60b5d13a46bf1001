//! Writes Rust: types that read and write themselves, and the tables of fields, states and findings.
//!
//! The result leans on the runtime in `msgr2::wire`, which the module around it must bring in as `wire`.

mod enums;
mod fields;
mod frames;
pub(crate) mod messages;
pub(crate) mod names;
mod read;
mod states;
mod structs;
mod text;
mod types;
mod write;

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use crate::model::*;
use crate::spec::{DialectView, Spec};
use fields::FieldTable;
pub(crate) use fields::Row;
use names::{constant, ident, pascal};

/// The whole of it, formatted.
pub fn generate(spec: &Spec) -> Result<String, String> {
    let tokens = Generator::new(spec).all()?;
    let file: syn::File = syn::parse2(tokens).map_err(|e| format!("the generated code is no Rust: {e}"))?;
    Ok(prettyplease::unparse(&file))
}

/// The rows of the field table, for lint; what makes the generator give up is its error.
pub(crate) fn field_rows(spec: &Spec) -> Result<Vec<Row>, String> {
    let mut generator = Generator::new(spec);
    generator.all()?;
    Ok(generator.fields.rows)
}

/// What is being generated, and the fields met so far.
struct Generator<'a> {
    spec: &'a Spec,
    fields: FieldTable,
}

/// Where a structure stands, and what its fields are called from outside.
#[derive(Clone)]
struct Scope<'a> {
    dialect: Option<&'a DialectView>,
    /// First part of the names of field constants.
    constant: String,
    /// First part of filter names.
    filter: String,
}

impl<'a> Scope<'a> {
    fn new(dialect: Option<&'a DialectView>, name: &str, display: &Display) -> Self {
        let module = dialect.map(|d| format!("{}_", d.module())).unwrap_or_default();
        let filter = display.filter.clone().unwrap_or_else(|| format!("msgr2.{name}"));
        Scope { dialect, constant: constant(&format!("{module}{name}")), filter }
    }
}

impl<'a> Generator<'a> {
    fn new(spec: &'a Spec) -> Self {
        Generator { spec, fields: FieldTable::default() }
    }

    fn all(&mut self) -> Result<TokenStream, String> {
        let spec = self.spec;
        self.common_fields()?;
        let context = self.context()?;
        let enums: TokenStream =
            spec.enums.iter().map(|(name, e)| self.enumeration(name, e)).collect::<Result<_, _>>()?;
        let flags: TokenStream =
            spec.flags.iter().map(|(name, f)| self.flag_word(name, f)).collect::<Result<_, _>>()?;
        let structs: TokenStream = spec
            .types
            .iter()
            .map(|(name, s)| self.structure(&Scope::new(None, name, &s.display), name, s))
            .collect::<Result<_, _>>()?;
        let messages = self.messages()?;
        let dialects: TokenStream = spec.dialects.values().map(|d| self.dialect(d)).collect::<Result<_, _>>()?;
        let limits = self.limits();
        let findings = self.findings();
        let words_of_moves = self.words_of_moves();
        let infos = self.infos()?;
        let fields = self.fields.tokens();
        Ok(quote! {
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
        })
    }

    fn common_fields(&mut self) -> Result<(), String> {
        for (name, common) in &self.spec.common {
            let scope = Scope { dialect: None, constant: "COMMON".into(), filter: "msgr2".into() };
            let TypeRef::Expr(text) = &common.ty else { return Err(format!("common.{name}: must not be a union")) };
            let ty = crate::expr::parse_type(text)?;
            self.leaf(&scope, name, &ty, &common.doc, &common.display)?;
        }
        Ok(())
    }

    fn context(&self) -> Result<TokenStream, String> {
        let variables = self
            .spec
            .context
            .iter()
            .map(|(name, variable)| {
                let (name, doc) = (ident(name), &variable.doc);
                let ty = self.plain_type(&variable.ty)?;
                Ok(quote!(#[doc = #doc] pub #name: Option<#ty>,))
            })
            .collect::<Result<TokenStream, String>>()?;
        Ok(quote! {
            /// What a decoder must have been told, because the bytes don't say it.
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
            #[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(default, deny_unknown_fields))]
            pub struct Context { #variables }
        })
    }

    fn limits(&self) -> TokenStream {
        let limits = self.spec.limits.iter().map(|(name, limit)| {
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
        let findings = &self.spec.findings;
        let variants = findings.iter().map(|(name, finding)| {
            let (name, doc) = (format_ident!("{}", pascal(name)), &finding.doc);
            quote!(#[doc = #doc] #name,)
        });
        let infos = findings.iter().map(|(name, finding)| {
            let severity = format_ident!("{}", format!("{:?}", finding.severity));
            let group = format_ident!("{}", format!("{:?}", finding.group));
            let filter = format!("msgr2.finding.{name}");
            let Finding { summary, doc, .. } = &**finding;
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

    fn dialect(&mut self, dialect: &'a DialectView) -> Result<TokenStream, String> {
        let module = format_ident!("{}", dialect.module());
        let structs: TokenStream = dialect
            .types
            .iter()
            .map(|(name, s)| self.structure(&Scope::new(Some(dialect), name, &s.display), name, s))
            .collect::<Result<_, _>>()?;
        let frames = self.frames(dialect)?;
        let states = self.states(dialect)?;
        let parent = match self.spec.ancestry(dialect).nth(1) {
            Some(parent) => {
                let parent = format_ident!("{}", parent.module());
                quote!(pub use super::#parent::*;)
            }
            None => quote!(
                #[allow(unused_imports)]
                pub use super::types::*;
            ),
        };
        let Dialect { name, doc, .. } = &dialect.info;
        let about = format!("Dialect {name}. {doc}");
        Ok(quote! {
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
        })
    }
}
