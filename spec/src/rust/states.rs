//! The tables of states, from which peers take what they accept and the tracker what it finds wrong.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::Generator;
use super::names::{constant, pascal};
use crate::model::*;
use crate::spec::DialectView;

/// The number that stands for the banner where tags stand.
const BANNER: u8 = 0;

impl Generator<'_> {
    pub(super) fn guards(&self) -> TokenStream {
        let variants = self.spec.guards.iter().map(|(name, guard)| {
            let (name, doc) = (format_ident!("{}", pascal(name)), &guard.doc);
            quote!(#[doc = #doc] #name,)
        });
        quote! {
            /// What decides between the moves of a state.
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub enum Guard { #(#variants)* }
        }
    }

    pub(super) fn states(&self, dialect: &DialectView) -> Result<TokenStream, String> {
        if !dialect.own_states {
            return Ok(TokenStream::new());
        }
        dialect.states.iter().map(|(role, states)| self.role(dialect, *role, states)).collect()
    }

    fn role(&self, dialect: &DialectView, role: Role, states: &Named<State>) -> Result<TokenStream, String> {
        let index = |name: &str| {
            states.get_index_of(name).map(|i| i as u8).ok_or_else(|| format!("states.{role}: no state `{name}`"))
        };
        let tag = |name: &String| match dialect.tags.get(name) {
            Some(tag) => Ok(tag.number),
            None if name == "banner" => Ok(BANNER),
            None => Err(format!("states.{role}: no tag `{name}`")),
        };
        let tags = |names: &[String]| names.iter().map(tag).collect::<Result<Vec<u8>, String>>();
        let mut rows = Vec::new();
        for (name, state) in states {
            let (doc, sends) = (&state.doc, tags(&state.sends)?);
            let mut on = Vec::new();
            for (received, moves) in &state.on {
                let number = tag(received)?;
                let mut ways = Vec::new();
                for way in moves.all() {
                    let (to, sends, actions) = (index(&way.to)?, tags(&way.sends)?, &way.actions);
                    let guard = match &way.when {
                        Some(guard) => {
                            let guard = format_ident!("{}", pascal(guard));
                            quote!(Some(Guard::#guard))
                        }
                        None => quote!(None),
                    };
                    ways.push(quote!(wire::Move { to: #to, sends: &[#(#sends),*], guard: #guard, actions: &[#(#actions),*] },));
                }
                on.push(quote!(wire::On { tag: #number, moves: &[#(#ways)*] },));
            }
            rows.push(quote!(wire::State { name: #name, doc: #doc, sends: &[#(#sends),*], on: &[#(#on)*] },));
        }
        let table = format_ident!("{}_STATES", constant(&role.to_string()));
        let module = format_ident!("{role}");
        let names = states.iter().enumerate().map(|(number, (name, state))| {
            let (name, number, doc) = (format_ident!("{}", constant(name)), number as u8, &state.doc);
            quote!(#[doc = #doc] pub const #name: u8 = #number;)
        });
        let about = format!("The states of the {role}; the first is where a connection begins.");
        let indices = format!("Places in the table of the {role}'s states.");
        Ok(quote! {
            #[doc = #about]
            pub static #table: &[wire::State<Guard>] = &[#(#rows)*];
            #[doc = #indices]
            pub mod #module { #(#names)* }
        })
    }
}
