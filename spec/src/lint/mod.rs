//! What resolves, but can't be meant: bytes that can't be told apart, states that lead nowhere, names that clash.

mod dialects;
mod docs;
mod examples;
mod exchanges;
mod fields;
mod filters;
mod names;
mod numbers;
mod states;
mod structs;
mod texts;

use crate::ir::*;
use crate::load::{Problem, in_order};

/// All that is wrong with a spec that resolves. Nothing, if code and documentation can be made of it.
pub fn check(ir: &Ir) -> Vec<Problem> {
    let mut lint = Lint { ir, problems: Vec::new() };
    lint.names();
    lint.numbers();
    lint.common();
    lint.structures();
    lint.texts();
    lint.dialects();
    lint.states();
    lint.docs();
    lint.examples();
    lint.exchanges();
    lint.filters();
    in_order(lint.problems)
}

struct Lint<'a> {
    ir: &'a Ir,
    problems: Vec<Problem>,
}

impl Lint<'_> {
    fn report(&mut self, site: &Site, what: impl Into<String>) {
        self.problems.push(site.problem(what));
    }
}
