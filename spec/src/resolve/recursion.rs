//! Structures in structures: none contains itself, for nobody who follows it would come to an end; and what is known of
//! the bytes of all.

use super::Resolver;
use crate::ir::*;

/// How far the search has come with a structure.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// It hasn't been met.
    New,
    /// It is on the way from the root to where the search is.
    Open,
    /// All below it is known.
    Done,
}

impl Resolver<'_> {
    pub(super) fn recursion(&mut self) {
        let mut marks = vec![Mark::New; self.ir.bodies.len()];
        for root in (0..marks.len()).map(BodyId) {
            if marks[root.0] == Mark::New {
                self.descend(root, &mut marks);
            }
        }
    }

    /// Walks what a structure contains, depth first, with a stack of its own.
    fn descend(&mut self, root: BodyId, marks: &mut [Mark]) {
        marks[root.0] = Mark::Open;
        let mut stack = vec![(root, self.contents(root))];
        while let Some((id, left)) = stack.last_mut() {
            let Some(next) = left.pop() else {
                marks[id.0] = Mark::Done;
                self.measure(*id);
                stack.pop();
                continue;
            };
            match marks[next.0] {
                Mark::Done => {}
                Mark::Open => {
                    let from = stack.iter().position(|(id, _)| *id == next).unwrap_or_default();
                    let name = |id: BodyId| self.ir[id].name.as_str();
                    let circle: Vec<&str> = stack[from..].iter().map(|(id, _)| name(*id)).collect();
                    let what = format!("contains itself: {} > {}", circle.join(" > "), name(next));
                    self.problems.push(self.ir[next].site.problem(what));
                }
                Mark::New => {
                    marks[next.0] = Mark::Open;
                    stack.push((next, self.contents(next)));
                }
            }
        }
    }

    /// What is known of the bytes of a body, once it is known of all that it contains.
    fn measure(&mut self, id: BodyId) {
        let (ir, body) = (&self.ir, &self.ir[id]);
        let header = match &body.versioned {
            Some(v) => usize::from(v.marker.is_some()) + if v.compat.is_some() { 6 } else { 1 },
            None => 0,
        };
        // what has its length from elsewhere may have none
        let always = body.fields.iter().filter(|field| !field.conditional() && field.length.is_none());
        let fields = always.map(|field| ir.min_size(&field.node.ty));
        let piece = |piece: &Piece| if let Piece::Text(words) = piece { words.len() } else { 1 };
        let min_size = match &body.text {
            Some(text) => text.pieces.iter().map(piece).sum(),
            None => fields.fold(header, usize::saturating_add),
        };
        let bounded = body.versioned.as_ref().is_some_and(|v| v.compat.is_some());
        let last = body.fields.last().is_some_and(|field| ir.greedy(&field.node.ty));
        let greedy = !bounded && (body.open || last || body.fields.iter().any(Field::asks_for_more));
        (self.ir.bodies[id.0].min_size, self.ir.bodies[id.0].greedy) = (min_size, greedy);
    }

    /// The structures in a body, the last first. What is sealed is read only once it is opened, and a trace doesn't open
    /// endlessly, so it doesn't count.
    fn contents(&self, id: BodyId) -> Vec<BodyId> {
        let nodes = self.ir[id].fields.iter().flat_map(|field| std::iter::once(&field.node).chain(&field.content));
        let mut inside: Vec<BodyId> = nodes.flat_map(|node| node.ty.structures()).collect();
        inside.reverse();
        inside
    }
}
