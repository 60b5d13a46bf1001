//! Structures that are text: the two functions that read and write them.

use proc_macro2::TokenStream;
use quote::quote;

use super::Generator;
use crate::ir::*;
use crate::names::ident;

impl Generator<'_> {
    pub(super) fn decode_text(&self, body: &Body, text: &Text) -> TokenStream {
        let max = text.max.unwrap_or(u64::MAX);
        let mut statements = quote!(let r = &mut wire::TextReader::new(r, #max););
        for (index, piece) in text.pieces.iter().enumerate() {
            let (before, from) = text.pieces.split_at(index);
            let beside = from.iter().chain(before.iter().rev()).find_map(|piece| self.number(body, piece));
            let Some(field) = beside else { continue };
            let id = self.id(field.node.field);
            statements.extend(match piece {
                Piece::Text(words) => quote!(r.words(#id, #words)?;),
                _ => {
                    let (name, ty) = (ident(&field.name), &field.node.ty);
                    let (rust, digits) = (self.rust_type(ty), 2 * self.ir.min_size(ty));
                    quote!(let #name = r.hex::<#rust, _>(t, #id, #digits)?;)
                }
            });
        }
        let names = body.fields.iter().map(|field| ident(&field.name));
        quote!(#statements Ok(Self { #(#names),* }))
    }

    pub(super) fn encode_text(&self, body: &Body, text: &Text) -> TokenStream {
        let statements: TokenStream = text
            .pieces
            .iter()
            .filter_map(|piece| match piece {
                Piece::Text(words) => Some(quote!(w.put(#words.as_bytes());)),
                _ => self.number(body, piece).map(|field| {
                    let name = ident(&field.name);
                    quote!(w.hex(self.#name);)
                }),
            })
            .collect();
        let (Some(max), Some(last)) = (text.max, body.fields.last()) else { return quote!(#statements Ok(())) };
        let id = self.id(last.node.field);
        quote! {
            let start = w.position();
            #statements
            wire::Writer::at_most(#id, w.position() - start, #max)
        }
    }

    /// The field whose number stands in a text.
    fn number<'b>(&'b self, body: &'b Body, piece: &Piece) -> Option<&'b Field> {
        if let Piece::Field(path, _) = piece { self.ir.walk(body, path).last().copied() } else { None }
    }
}
