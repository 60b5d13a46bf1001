//! Structures that contain themselves: no generator would come to an end with them.

use std::collections::HashMap;

use super::Lint;
use super::types::names_in;
use crate::expr::parse_type;
use crate::model::*;
use crate::spec::DialectView;

/// How far the search has come with a structure.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// It is on the way from the root to where the search is.
    Open,
    /// All below it is known.
    Done,
}

impl<'a> Lint<'a> {
    pub(super) fn recursion(&mut self) {
        let spec = self.spec;
        let contexts = std::iter::once(None).chain(spec.dialects.values().map(Some));
        for dialect in contexts {
            let mut marks = HashMap::new();
            let own = dialect.into_iter().flat_map(|d| d.types.keys());
            for name in spec.types.keys().chain(own) {
                self.descend(dialect, name, &mut marks);
            }
        }
        self.problems.dedup();
    }

    /// Walks what a structure contains, depth first, with a stack of its own.
    fn descend(&mut self, dialect: Option<&'a DialectView>, root: &'a str, marks: &mut HashMap<String, Mark>) {
        let mut stack = vec![(root.to_owned(), self.contents(dialect, root))];
        if marks.contains_key(root) {
            return;
        }
        marks.insert(root.to_owned(), Mark::Open);
        while let Some((name, left)) = stack.last_mut() {
            let Some(next) = left.pop() else {
                marks.insert(name.clone(), Mark::Done);
                stack.pop();
                continue;
            };
            match marks.get(&next) {
                Some(Mark::Done) => {}
                Some(Mark::Open) => {
                    let from = stack.iter().position(|(name, _)| *name == next).unwrap_or_default();
                    let circle: Vec<&str> = stack[from..].iter().map(|(name, _)| name.as_str()).collect();
                    let what = format!("contains itself: {} > {next}", circle.join(" > "));
                    self.report_type(dialect, &next, what);
                }
                None => {
                    marks.insert(next.clone(), Mark::Open);
                    let contents = self.contents(dialect, &next);
                    stack.push((next, contents));
                }
            }
        }
    }

    /// The names of the structures in a structure. What is sealed is read only once it is
    /// opened, and a trace doesn't open endlessly, so it doesn't count.
    fn contents(&self, dialect: Option<&'a DialectView>, name: &str) -> Vec<String> {
        let mut names = Vec::new();
        for field in self.spec.find_type(dialect, name).map(|s| s.fields.as_slice()).unwrap_or_default() {
            for reference in std::iter::once(&field.ty).chain(&field.holds) {
                names.extend(structures_in(reference));
            }
        }
        names.retain(|name| self.spec.find_type(dialect, name).is_some());
        names.reverse(); // they are taken from the end
        names
    }

    fn report_type(&mut self, dialect: Option<&'a DialectView>, name: &str, what: String) {
        let line = self.spec.find_type(dialect, name).map_or(0, |s| s.line);
        let own = dialect.filter(|d| self.spec.ancestry(d).any(|d| d.types.contains_key(name)));
        let site = match own {
            Some(dialect) => self.of_dialect(dialect, "types", name, line),
            None => self.shared("types", name, line),
        };
        if !self.problems.iter().any(|p| p.path == site.path && p.key == site.key) {
            self.report(&site, what);
        }
    }
}

/// The names in a type or in the cases of a union.
pub(super) fn structures_in(reference: &TypeRef) -> Vec<String> {
    let mut names = Vec::new();
    match reference {
        TypeRef::Expr(text) => names_in(parse_type(text).ok().as_ref(), &mut names),
        TypeRef::Switch(switch) => {
            for text in switch.cases.values() {
                names_in(parse_type(text).ok().as_ref(), &mut names);
            }
        }
    }
    names
}
