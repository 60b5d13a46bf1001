//! The form of the generated state tables. `G` are the guards of the spec, `A` its actions.

/// A state of one end of a connection.
#[derive(Debug)]
pub struct State<G: 'static, A: 'static> {
    /// Its name in the spec.
    pub name: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// What may be sent at any time, without leaving the state.
    pub sends: &'static [u8],
    /// What may be received, and where that leads.
    pub on: &'static [On<G, A>],
    /// What this side may send on its own initiative, and where that leads; the tag is the one sent.
    pub acts: &'static [On<G, A>],
}

/// What may be received in a state, or sent on one's own initiative.
#[derive(Debug)]
pub struct On<G: 'static, A: 'static> {
    /// The tag; 0 is the banner.
    pub tag: u8,
    /// Where it leads: of several moves, the first whose guard holds.
    pub moves: &'static [Move<G, A>],
}

/// A way from state to state.
#[derive(Debug)]
pub struct Move<G: 'static, A: 'static> {
    /// The index of the next state.
    pub to: u8,
    /// The tags that are sent on the way, in this order; behind the one that this side acted with.
    pub sends: &'static [u8],
    /// What must hold; without it the move is always open.
    pub guard: Option<G>,
    /// What is done on the way, in this order.
    pub actions: &'static [A],
}

impl<G, A> State<G, A> {
    /// The moves that receiving a tag makes.
    pub fn moves(&self, tag: u8) -> &'static [Move<G, A>] {
        find(self.on, tag)
    }

    /// The moves that sending a tag on one's own initiative makes.
    pub fn acting(&self, tag: u8) -> &'static [Move<G, A>] {
        find(self.acts, tag)
    }
}

fn find<G, A>(list: &'static [On<G, A>], tag: u8) -> &'static [Move<G, A>] {
    list.iter().find(|on| on.tag == tag).map_or(&[], |on| on.moves)
}
