//! The form of the generated state tables.

/// A state of one end of a connection.
#[derive(Debug)]
pub struct State<G: 'static> {
    /// Its name in the spec.
    pub name: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// What may be sent at any time.
    pub sends: &'static [u8],
    /// What may be received, and where that leads.
    pub on: &'static [On<G>],
}

/// What may be received in a state.
#[derive(Debug)]
pub struct On<G: 'static> {
    /// The tag; 0 is the banner.
    pub tag: u8,
    /// Where it leads.
    pub moves: &'static [Move<G>],
}

/// A way from state to state.
#[derive(Debug)]
pub struct Move<G: 'static> {
    /// The index of the next state.
    pub to: u8,
    /// The tags that are sent on the way, in this order.
    pub sends: &'static [u8],
    /// What must hold.
    pub guard: Option<G>,
    /// What is done on the way.
    pub actions: &'static [&'static str],
}

impl<G> State<G> {
    /// The moves that a tag makes.
    pub fn moves(&self, tag: u8) -> &'static [Move<G>] {
        let on: &'static [On<G>] = self.on;
        on.iter().find(|on| on.tag == tag).map_or(&[], |on| on.moves)
    }
}
