//! Structures that are text: the two functions that read and write them.

use proc_macro2::TokenStream;
use quote::quote;

use super::names::ident;
use super::structs::FieldPlan;
use super::{Generator, Scope};
use crate::expr::{Piece, parse_template};
use crate::model::*;

impl<'a> Generator<'a> {
    pub(super) fn decode_text(
        &mut self,
        scope: &Scope<'a>,
        s: &Struct,
        text: &str,
        plans: &[FieldPlan<'_>],
    ) -> Result<TokenStream, String> {
        let (pieces, max) = (pieces(text)?, s.max.unwrap_or(u64::MAX));
        let mut statements = quote!(let r = &mut wire::TextReader::new(r, #max););
        for (index, piece) in pieces.iter().enumerate() {
            match piece {
                Words::Plain(words) => {
                    let beside = pieces[index..].iter().chain(pieces[..index].iter().rev()).find_map(Words::field);
                    let id = self.id_of(scope, plan(plans, beside.unwrap_or_default())?);
                    statements.extend(quote!(r.words(#id, #words)?;));
                }
                Words::Field(name) => {
                    let plan = plan(plans, name)?;
                    let ty = plan.ty.as_ref().ok_or("a number in a text is no union")?;
                    let id = self.leaf(scope, name, ty, &plan.field.doc, &plan.field.display)?;
                    let (rust, digits) = (self.rust_type(scope.dialect, ty)?, 2 * self.min_size(scope.dialect, ty));
                    let name = ident(name);
                    statements.extend(quote!(let #name = r.hex::<#rust, _>(t, #id, #digits)?;));
                }
            }
        }
        let names = plans.iter().map(|plan| ident(&plan.field.name));
        Ok(quote!(#statements Ok(Self { #(#names),* })))
    }

    pub(super) fn encode_text(
        &self,
        scope: &Scope<'a>,
        s: &Struct,
        text: &str,
        plans: &[FieldPlan<'_>],
    ) -> Result<TokenStream, String> {
        let mut statements = TokenStream::new();
        for piece in pieces(text)? {
            statements.extend(match piece {
                Words::Plain(words) => quote!(w.put(#words.as_bytes());),
                Words::Field(name) => {
                    let name = ident(&name);
                    quote!(w.hex(self.#name);)
                }
            });
        }
        let (Some(max), Some(last)) = (s.max, plans.last()) else { return Ok(quote!(#statements Ok(()))) };
        let id = self.id_of(scope, last);
        Ok(quote! {
            let start = w.position();
            #statements
            wire::Writer::at_most(#id, w.position() - start, #max)
        })
    }
}

/// The fewest bytes of a text.
pub(super) fn min_size(text: &str) -> usize {
    let size = |words: &Words| match words {
        Words::Plain(words) => words.len(),
        Words::Field(_) => 1,
    };
    pieces(text).map_or(0, |pieces| pieces.iter().map(size).sum())
}

/// A piece of a text.
enum Words {
    /// As it stands.
    Plain(String),
    /// The number of a field.
    Field(String),
}

impl Words {
    fn field(&self) -> Option<&str> {
        match self {
            Words::Plain(_) => None,
            Words::Field(name) => Some(name),
        }
    }
}

fn pieces(text: &str) -> Result<Vec<Words>, String> {
    let pieces = parse_template(text)?.into_iter().map(|piece| match piece {
        Piece::Text(words) => Words::Plain(words),
        Piece::Field(path) => Words::Field(path.join(".")),
    });
    Ok(pieces.collect())
}

fn plan<'p, 'f>(plans: &'p [FieldPlan<'f>], name: &str) -> Result<&'p FieldPlan<'f>, String> {
    plans.iter().find(|plan| plan.field.name == name).ok_or_else(|| format!("text: `{name}` names no field"))
}
