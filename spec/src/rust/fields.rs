//! The table of fields: what Wireshark registers, JSON names and errors cite.

use indexmap::IndexMap;
use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::names::label;
use super::types::Shape;
use super::{Generator, Scope};
use crate::expr::{Scalar, Type};
use crate::model::{Base, Display, Field, Notation, Sealed};

/// Fields by the name of their constant.
#[derive(Default)]
pub(super) struct FieldTable {
    entries: IndexMap<String, TokenStream>,
    /// Every entry that was asked for, also those that were there already: for lint.
    pub(super) rows: Vec<Row>,
}

/// What must not clash in the table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Row {
    /// The name of its constant.
    pub(crate) constant: String,
    /// Its name in JSON.
    pub(crate) name: String,
    /// Its filter name.
    pub(crate) filter: String,
    /// Its kind, as generated.
    pub(crate) kind: String,
}

impl FieldTable {
    /// Enters a field, and returns the constant that stands for it.
    #[allow(clippy::too_many_arguments)] // one for each column of the table
    pub(super) fn add(
        &mut self,
        constant: &str,
        name: &str,
        filter: &str,
        label: &str,
        doc: &str,
        kind: TokenStream,
        display: &Display,
    ) -> TokenStream {
        self.rows.push(Row {
            constant: constant.to_owned(),
            name: name.to_owned(),
            filter: filter.to_owned(),
            kind: kind.to_string(),
        });
        let index = self.entries.len() as u16;
        let label = display.label.as_deref().unwrap_or(label);
        let unit = display.unit.as_deref().unwrap_or_default();
        let base = match display.base {
            Some(Base::Hex) => quote!(Display::Hex),
            _ if display.notation == Some(Notation::Packet) => quote!(Display::Packet),
            _ => quote!(Display::Dec),
        };
        self.entries.entry(constant.to_owned()).or_insert_with(|| {
            quote!(FieldInfo {
                index: #index, name: #name, filter: #filter, label: #label, doc: #doc,
                kind: #kind, display: #base, unit: #unit,
            },)
        });
        let constant = format_ident!("{constant}");
        quote!(field::#constant)
    }

    /// The module `field`.
    pub(super) fn tokens(&self) -> TokenStream {
        let (count, infos) = (self.entries.len(), self.entries.values());
        let constants = self.entries.keys().enumerate().map(|(index, name)| {
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
}

impl Generator<'_> {
    /// Enters a field of a plain type, and returns its constant.
    pub(super) fn leaf(
        &mut self,
        scope: &Scope<'_>,
        name: &str,
        ty: &Type,
        doc: &str,
        display: &Display,
    ) -> Result<TokenStream, String> {
        let mut shown = display.clone();
        let kind = match ty {
            Type::Named(named) => match self.shape(scope.dialect, named)? {
                Shape::Enum(_, size) => {
                    let info = format_ident!("{}", self.info_name(scope.dialect, named));
                    let own = self.spec.enums.get(named).map(|e| &e.display);
                    shown.base = shown.base.or(own.and_then(|d| d.base));
                    quote!(Kind::Enum(#size, &info::#info))
                }
                Shape::Flags(size) => {
                    let info = format_ident!("{}", self.info_name(scope.dialect, named));
                    shown.base = shown.base.or(Some(Base::Hex));
                    quote!(Kind::Flags(#size, &info::#info))
                }
                Shape::Struct(s) => {
                    let text = s.summary.is_some();
                    quote!(Kind::Struct(#text))
                }
            },
            Type::Scalar(scalar) => scalar_kind(*scalar),
            Type::Blob(_) | Type::Rest | Type::Sized => quote!(Kind::Bytes),
            Type::Empty => quote!(Kind::Struct(false)),
            Type::List(_) | Type::Counted(_) | Type::Map(..) | Type::Array(..) => quote!(Kind::List),
            Type::Optional(_) => return Err(format!("{name}: an optional value has the kind of what it holds")),
        };
        let filter = shown.filter.clone().unwrap_or_else(|| format!("{}.{name}", scope.filter));
        let constant = format!("{}_{}", scope.constant, super::constant(name));
        Ok(self.fields.add(&constant, name, &filter, &label(name), doc, kind, &shown))
    }

    /// Enters a field whose bytes nobody is to see.
    pub(super) fn secret(&mut self, scope: &Scope<'_>, field: &Field) -> TokenStream {
        let name = &field.name;
        let filter = field.display.filter.clone().unwrap_or_else(|| format!("{}.{name}", scope.filter));
        let constant = format!("{}_{}", scope.constant, super::constant(name));
        self.fields.add(&constant, name, &filter, &label(name), &field.doc, quote!(Kind::Secret), &field.display)
    }

    /// Enters what stands in a sealed field once it is opened.
    pub(super) fn opened(&mut self, scope: &Scope<'_>, field: &Field, sealed: &Sealed) -> Result<TokenStream, String> {
        let base = field.display.filter.clone().unwrap_or_else(|| format!("{}.{}", scope.filter, field.name));
        let constant = format!("{}_{}_OPENED", scope.constant, super::constant(&field.name));
        let Shape::Struct(held) = self.shape(scope.dialect, &sealed.holds)? else {
            return Err(format!("sealed.holds: `{}` names no structure", sealed.holds));
        };
        let what = sealed.label.clone().unwrap_or_else(|| sealed.holds.replace('_', " "));
        let text = held.summary.is_some();
        let (filter, label) = (format!("{base}.opened"), format!("Decrypted {what}"));
        let kind = quote!(Kind::Struct(#text));
        Ok(self.fields.add(&constant, "opened", &filter, &label, &held.doc, kind, &Display::default()))
    }
}

fn scalar_kind(scalar: Scalar) -> TokenStream {
    use Scalar::*;
    match scalar {
        U8 => quote!(Kind::Unsigned(1)),
        U16 | U16Be => quote!(Kind::Unsigned(2)),
        U32 | U32Be => quote!(Kind::Unsigned(4)),
        U64 | U64Be => quote!(Kind::Unsigned(8)),
        S8 => quote!(Kind::Signed(1)),
        S16 => quote!(Kind::Signed(2)),
        S32 => quote!(Kind::Signed(4)),
        S64 => quote!(Kind::Signed(8)),
        F32 => quote!(Kind::Float(4)),
        F64 => quote!(Kind::Float(8)),
        Bool => quote!(Kind::Bool),
        Text => quote!(Kind::Text),
        Bytes(_) => quote!(Kind::Bytes),
        Ipv4 => quote!(Kind::Ipv4),
        Ipv6 => quote!(Kind::Ipv6),
        Uuid => quote!(Kind::Uuid),
        Utime => quote!(Kind::Time),
        Duration => quote!(Kind::Duration),
    }
}
