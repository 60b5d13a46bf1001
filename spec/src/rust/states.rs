//! The tables of states, from which peers take what they accept and the tracker what it finds wrong.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::Generator;
use crate::ir::*;
use crate::model::{Described, Role};
use crate::names::{constant, pascal};

/// The number that stands for the banner where tags stand.
const BANNER: u8 = 0;

impl Generator<'_> {
    /// The enums `Guard` and `Action`.
    pub(super) fn words_of_moves(&self) -> TokenStream {
        // an enum without variants has no representation
        let repr = (!self.ir.guards.is_empty()).then(|| quote!(#[repr(u8)]));
        let guards = described("Guard", "What decides between the moves of a state.", repr, &self.ir.guards);
        let actions = described("Action", "What is done on the way from state to state.", None, &self.ir.actions);
        quote!(#guards #actions)
    }

    pub(super) fn states(&self, dialect: &Dialect) -> TokenStream {
        let own = dialect.states.iter().filter(|_| dialect.own_states);
        own.map(|(role, states)| self.role(*role, states)).collect()
    }

    fn tags(&self, events: &[Event]) -> Vec<u8> {
        events.iter().map(|event| self.tag(*event)).collect()
    }

    fn tag(&self, event: Event) -> u8 {
        match event {
            Event::Frame(id) => match self.ir[id].kind {
                BodyKind::Frame { number, .. } => number,
                _ => BANNER,
            },
            Event::Banner => BANNER,
        }
    }

    fn ways(&self, list: &[On]) -> Vec<TokenStream> {
        let ways = list.iter().map(|on| {
            let number = self.tag(on.event);
            let moves = on.moves.iter().map(|way| {
                let (to, sends) = (way.to as u8, self.tags(&way.sends));
                let actions = way.actions.iter().map(|action| format_ident!("{}", pascal(action)));
                let guard = match &way.when {
                    Some(guard) => {
                        let guard = format_ident!("{}", pascal(guard));
                        quote!(Some(Guard::#guard))
                    }
                    None => quote!(None),
                };
                quote!(wire::Move {
                    to: #to, sends: &[#(#sends),*], guard: #guard, actions: &[#(Action::#actions),*],
                },)
            });
            quote!(wire::On { tag: #number, moves: &[#(#moves)*] },)
        });
        ways.collect()
    }

    fn role(&self, role: Role, states: &[State]) -> TokenStream {
        let rows = states.iter().map(|state| {
            let State { name, doc, .. } = state;
            let (sends, on, acts) = (self.tags(&state.sends), self.ways(&state.on), self.ways(&state.acts));
            quote!(wire::State { name: #name, doc: #doc, sends: &[#(#sends),*], on: &[#(#on)*], acts: &[#(#acts)*] },)
        });
        let table = format_ident!("{}_STATES", constant(&role.to_string()));
        let module = format_ident!("{role}");
        let names = states.iter().enumerate().map(|(number, state)| {
            let (name, number, doc) = (format_ident!("{}", constant(&state.name)), number as u8, &state.doc);
            quote!(#[doc = #doc] pub const #name: u8 = #number;)
        });
        let about = format!("The states of the {role}; the first is where a connection begins.");
        let indices = format!("Places in the table of the {role}'s states.");
        quote! {
            #[doc = #about]
            pub static #table: &[wire::State<Guard, Action>] = &[#(#rows)*];
            #[doc = #indices]
            pub mod #module { #(#names)* }
        }
    }
}

/// An enum of names that have a sentence each.
fn described(ident: &str, about: &str, repr: Option<TokenStream>, names: &Section<Described>) -> TokenStream {
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
