//! The tables of states, from which peers take what they accept and the tracker what it finds wrong.

use indexmap::IndexMap;
use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::Generator;
use super::names::{constant, pascal};
use crate::model::*;
use crate::spec::DialectView;

/// The number that stands for the banner where tags stand.
const BANNER: u8 = 0;

impl Generator<'_> {
    /// The enums `Guard` and `Action`.
    pub(super) fn words_of_moves(&self) -> TokenStream {
        // an enum without variants has no representation
        let repr = (!self.spec.guards.is_empty()).then(|| quote!(#[repr(u8)]));
        let guards = described("Guard", "What decides between the moves of a state.", repr, &self.spec.guards);
        let actions = described("Action", "What is done on the way from state to state.", None, &self.spec.actions);
        quote!(#guards #actions)
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
        let ways = |by_tag: &IndexMap<String, Moves>| {
            let mut list = Vec::new();
            for (name, moves) in by_tag {
                let number = tag(name)?;
                let mut ways = Vec::new();
                for way in moves.all() {
                    let (to, sends) = (index(&way.to)?, tags(&way.sends)?);
                    let actions = way.actions.iter().map(|action| format_ident!("{}", pascal(action)));
                    let guard = match &way.when {
                        Some(guard) => {
                            let guard = format_ident!("{}", pascal(guard));
                            quote!(Some(Guard::#guard))
                        }
                        None => quote!(None),
                    };
                    ways.push(quote!(wire::Move {
                        to: #to, sends: &[#(#sends),*], guard: #guard, actions: &[#(Action::#actions),*],
                    },));
                }
                list.push(quote!(wire::On { tag: #number, moves: &[#(#ways)*] },));
            }
            Ok::<_, String>(list)
        };
        let mut rows = Vec::new();
        for (name, state) in states {
            let (doc, sends) = (&state.doc, tags(&state.sends)?);
            let (on, acts) = (ways(&state.on)?, ways(&state.acts)?);
            rows.push(quote!(wire::State { name: #name, doc: #doc, sends: &[#(#sends),*], on: &[#(#on)*], acts: &[#(#acts)*] },));
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
            pub static #table: &[wire::State<Guard, Action>] = &[#(#rows)*];
            #[doc = #indices]
            pub mod #module { #(#names)* }
        })
    }
}

/// An enum of names that have a sentence each.
fn described(ident: &str, about: &str, repr: Option<TokenStream>, names: &Named<Described>) -> TokenStream {
    let ident = format_ident!("{ident}");
    let variants: Vec<_> = names.keys().map(|name| format_ident!("{}", pascal(name))).collect();
    let (texts, docs) = (names.keys(), names.values().map(|described| &described.doc));
    let docs: Vec<_> = docs.collect();
    quote! {
        #[doc = #about]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #repr
        pub enum #ident { #(#[doc = #docs] #variants,)* }
        impl #ident {
            /// Its name in the spec.
            pub fn name(self) -> &'static str {
                match self { #(Self::#variants => #texts,)* }
            }

            /// What it means, in one sentence.
            pub fn doc(self) -> &'static str {
                match self { #(Self::#variants => #docs,)* }
            }
        }
    }
}
