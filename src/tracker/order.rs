//! Whether a frame may be sent at this point.
//!
//! A capture doesn't show what a sender had read when it sent a frame: of what the other side sent before in the
//! capture it may have read any part. So each side is a set of possibilities, each a state of the spec's table and
//! how much of the other side's frames brought it there. A frame is illegal if no possibility allows it. Which side
//! is the client is another unknown: both answers are tried until one is ruled out.
//!
//! Where bytes are missing, the side that sent them may be anywhere, and the other one may have received anything: it is
//! blind from there on. What it sends is legal if any arrival explains it. Most of that uncertainty ends with the first
//! frame that is sent in one state alone, and from which there is no way back: a message, which shows that the session has
//! begun.
//!
//! What a side isn't allowed to send but its receiver takes is no fault of the connection: IDENT_MISSING_FEATURES may be
//! answered by another CLIENT_IDENT.
//!
//! Of the guards in the tables some are known to hold or to fail, from banners and from the frames themselves; that
//! is what [`Facts`] say. Moves that facts exclude are not taken.

use std::collections::VecDeque;

use super::unit::Direction;
use crate::wire::{Move, Role, State};
use crate::{Action, Guard, proposal, v2_1};

/// The states of both roles.
pub(super) struct Tables {
    client: &'static [State<Guard, Action>],
    server: &'static [State<Guard, Action>],
    name: fn(u8) -> String,
}

/// Those of v2.0 and v2.1.
pub(super) static V2: Tables =
    Tables { client: v2_1::CLIENT_STATES, server: v2_1::SERVER_STATES, name: |tag| v2_1::Tag(tag).to_string() };

/// Those of the proposal.
pub(super) static PROPOSAL: Tables = Tables {
    client: proposal::CLIENT_STATES,
    server: proposal::SERVER_STATES,
    name: |tag| proposal::Tag(tag).to_string(),
};

impl Tables {
    fn states(&self, role: Role) -> &'static [State<Guard, Action>] {
        match role {
            Role::Client => self.client,
            Role::Server => self.server,
        }
    }
}

/// Which guards certainly hold, and which certainly fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    hold: u64,
    fail: u64,
}

impl Facts {
    /// The same, and that this guard holds or fails.
    pub(super) fn with(mut self, guard: Guard, holds: bool) -> Self {
        if holds {
            self.hold |= bit(guard);
        } else {
            self.fail |= bit(guard);
        }
        self
    }

    fn and(self, other: Facts) -> Self {
        Facts { hold: self.hold | other.hold, fail: self.fail | other.fail }
    }

    /// Whether a move can be the one that is taken: the first whose guard holds.
    fn allow(self, moves: &[Move<Guard, Action>], index: usize) -> bool {
        let holds = |way: &Move<Guard, Action>| way.guard.is_none_or(|guard| self.hold & bit(guard) != 0);
        let fails = moves[index].guard.is_some_and(|guard| self.fail & bit(guard) != 0);
        !fails && !moves[..index].iter().any(holds)
    }
}

fn bit(guard: Guard) -> u64 {
    // there are fewer guards than bits; one more would merely be unknown
    1u64.checked_shl(guard as u32).unwrap_or(0)
}

/// The number that stands for the banner where tags stand.
const BANNER: u8 = 0;
/// How many frames of one side may wait for the other to have read them. Handshakes have fewer.
const MOST_UNREAD: usize = 64;
/// How many possibilities are kept for a side. Handshakes have one or two.
const MOST_POSSIBILITIES: usize = 64;

/// Where one end can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Possibility {
    state: u8,
    /// What its last move still has to send.
    owed: &'static [u8],
    /// How many of the waiting frames of the other side it has read.
    read: usize,
}

/// One end.
#[derive(Clone, Debug)]
struct End {
    role: Role,
    states: &'static [State<Guard, Action>],
    name: fn(u8) -> String,
    possible: Vec<Possibility>,
    /// What the other side sent and not every possibility has read, with what is known of each frame.
    waiting: VecDeque<(u8, Facts)>,
    /// What is known besides.
    known: Facts,
    /// It may have received what the capture lacks.
    blind: bool,
    /// It was sent what it mustn't be: where it is then is no more than a guess.
    guessed: bool,
}

/// Both ends, with one answer to which of them is the client.
#[derive(Clone, Debug)]
struct Hypothesis {
    ends: [End; 2],
}

/// What is known about the order of a connection's frames.
#[derive(Clone, Debug)]
pub(super) struct Order {
    hypotheses: Vec<Hypothesis>,
}

impl Order {
    pub(super) fn new(tables: &Tables, client: Option<Direction>) -> Self {
        let hypotheses = [Direction::Forward, Direction::Backward]
            .into_iter()
            .filter(|direction| client.is_none_or(|known| known == *direction))
            .map(|direction| Hypothesis {
                ends: [Direction::Forward, Direction::Backward]
                    .map(|end| End::new(tables, if end == direction { Role::Client } else { Role::Server })),
            })
            .collect();
        Order { hypotheses }
    }

    /// The role of the side that sends in this direction, once it is certain.
    pub(super) fn role(&self, direction: Direction) -> Option<Role> {
        match self.hypotheses.as_slice() {
            [only] => Some(only.ends[direction as usize].role),
            _ => None,
        }
    }

    /// Bytes of this direction are missing, or can't be read.
    pub(super) fn gap(&mut self, direction: Direction) {
        for hypothesis in &mut self.hypotheses {
            hypothesis.ends[direction as usize].lose();
            hypothesis.ends[direction.other() as usize].unsee();
        }
    }

    /// Whether bytes are missing.
    pub(super) fn is_blind(&self) -> bool {
        self.hypotheses.iter().flat_map(|hypothesis| &hypothesis.ends).any(|end| end.blind)
    }

    /// Whether a session has begun: messages may flow from one side at least.
    pub(super) fn settled(&self) -> bool {
        self.hypotheses.iter().all(|hypothesis| hypothesis.ends.iter().any(End::settled))
    }

    /// Whose turn it is, and what there is to be sent, if that is certain.
    pub(super) fn owed(&self) -> Option<(Direction, Vec<String>)> {
        let mut all = self.hypotheses.iter().map(|hypothesis| {
            [Direction::Forward, Direction::Backward].into_iter().find_map(|direction| {
                let end = &hypothesis.ends[direction as usize];
                let owed = end.owes();
                (!owed.is_empty()).then(|| (direction, owed.into_iter().map(end.name).collect()))
            })
        });
        let first = all.next()??;
        all.all(|other| other.as_ref() == Some(&first)).then_some(first)
    }

    /// What the client has to send, if that is certain, whichever side it is.
    pub(super) fn client_owes(&self) -> Option<Vec<String>> {
        let mut all = self.hypotheses.iter().map(|hypothesis| {
            let client = hypothesis.ends.iter().find(|end| end.role == Role::Client)?;
            Some(client.owes().into_iter().map(client.name).collect::<Vec<_>>()).filter(|tags| !tags.is_empty())
        });
        let first = all.next()??;
        all.all(|other| other.as_ref() == Some(&first)).then_some(first)
    }

    /// What is known from here on of the side that sends in this direction.
    pub(super) fn set_facts(&mut self, direction: Direction, facts: Facts) {
        for hypothesis in &mut self.hypotheses {
            let end = &mut hypothesis.ends[direction as usize];
            end.known = end.known.and(facts);
        }
    }

    /// A banner was sent; that is always the first thing, and needs no state.
    pub(super) fn banner(&mut self, direction: Direction) {
        for hypothesis in &mut self.hypotheses {
            hypothesis.ends[direction.other() as usize].arrives(BANNER, Facts::default());
        }
    }

    /// The same as [`Order::frame`], if `unheard` is a direction of which not even the banner was seen: then the capture may
    /// lack it.
    pub(super) fn judge(
        &mut self,
        direction: Direction,
        tag: u8,
        facts: Facts,
        unheard: Option<Direction>,
    ) -> Result<(), String> {
        let Some(unheard) = unheard else { return self.frame(direction, tag, facts) };
        if self.clone().frame(direction, tag, facts).is_err() {
            self.gap(unheard);
        }
        self.frame(direction, tag, facts)
    }

    /// A frame was sent, of which this is known. An error says why it must not have been.
    pub(super) fn frame(&mut self, direction: Direction, tag: u8, facts: Facts) -> Result<(), String> {
        let legal: Vec<bool> =
            self.hypotheses.iter_mut().map(|h| h.ends[direction as usize].sends(tag, facts)).collect();
        if legal.contains(&true) {
            let mut keep = legal.iter();
            self.hypotheses.retain(|_| keep.next().copied().unwrap_or(true));
            for hypothesis in &mut self.hypotheses {
                hypothesis.ends[direction.other() as usize].arrives(tag, facts);
            }
            return Ok(());
        }
        let taken: Vec<bool> =
            self.hypotheses.iter().map(|h| h.ends[direction.other() as usize].takes(tag, facts)).collect();
        if taken.contains(&true) {
            let mut keep = taken.iter();
            self.hypotheses.retain(|_| keep.next().copied().unwrap_or(true));
            for hypothesis in &mut self.hypotheses {
                hypothesis.ends[direction as usize].recover(tag);
                hypothesis.ends[direction.other() as usize].arrives(tag, facts);
            }
            return Ok(());
        }
        let why = self.hypotheses.iter().map(|h| h.ends[direction as usize].why_not(tag)).collect::<Vec<_>>();
        for hypothesis in &mut self.hypotheses {
            hypothesis.ends[direction as usize].recover(tag);
            hypothesis.ends[direction.other() as usize].recover_receiver(tag, facts);
        }
        Err(why.join("; or "))
    }
}

impl End {
    fn new(tables: &Tables, role: Role) -> Self {
        End {
            role,
            states: tables.states(role),
            name: tables.name,
            possible: vec![Possibility { state: 0, owed: &[], read: 0 }],
            waiting: VecDeque::new(),
            known: Facts::default(),
            blind: false,
            guessed: false,
        }
    }

    /// Frames that it sent are missing: it may be anywhere.
    fn lose(&mut self) {
        let mut anywhere = Vec::new();
        for (index, state) in self.states.iter().enumerate() {
            keep(&mut anywhere, Possibility { state: index as u8, owed: &[], read: 0 });
            for way in state.on.iter().chain(state.acts).flat_map(|on| on.moves) {
                for sent in 0..way.sends.len() {
                    keep(&mut anywhere, Possibility { state: way.to, owed: &way.sends[sent..], read: 0 });
                }
            }
        }
        self.possible = anywhere;
        self.unsee();
    }

    /// Frames that it may have received are missing.
    fn unsee(&mut self) {
        self.blind = true;
        self.waiting.clear();
        for possibility in &mut self.possible {
            possibility.read = 0;
        }
        let possible = std::mem::take(&mut self.possible);
        possible.into_iter().for_each(|possibility| keep(&mut self.possible, possibility));
    }

    /// Whether messages may flow from it, certainly.
    fn settled(&self) -> bool {
        self.possible.iter().all(|p| p.owed.is_empty() && !self.states[usize::from(p.state)].sends.is_empty())
    }

    /// Where it can be when it has read all that waits, up to where it has to send something first.
    fn caught_up(&self) -> Vec<Possibility> {
        let mut now = self.possible.clone();
        let (mut all, mut seen) = (Vec::new(), now.clone());
        while let Some(one) = now.pop() {
            let Some(&(received, facts)) = self.waiting.get(one.read).filter(|_| one.owed.is_empty()) else {
                keep(&mut all, one);
                continue;
            };
            let (facts, moves) = (self.known.and(facts), self.states[usize::from(one.state)].moves(received));
            for (_, way) in moves.iter().enumerate().filter(|(index, _)| facts.allow(moves, *index)) {
                let after = Possibility { state: way.to, owed: way.sends, read: one.read + 1 };
                if !seen.contains(&after) {
                    seen.push(after);
                    now.push(after);
                }
            }
        }
        all
    }

    /// Whether it takes a frame that comes behind all that waits.
    fn takes(&self, tag: u8, facts: Facts) -> bool {
        let facts = self.known.and(facts);
        !self.guessed
            && self.caught_up().iter().filter(|now| now.owed.is_empty()).any(|now| {
                let moves = self.states[usize::from(now.state)].moves(tag);
                (0..moves.len()).any(|index| facts.allow(moves, index))
            })
    }

    fn is_end(&self, state: u8) -> bool {
        let state = &self.states[usize::from(state)];
        state.on.is_empty() && state.acts.is_empty() && state.sends.is_empty()
    }

    /// What it has to send, whatever it has read: nothing, unless that is certain.
    fn owes(&self) -> Vec<u8> {
        let mut now = self.caught_up();
        // who may give the connection up may have done so; but who hasn't is the one who is waited for
        now.retain(|one| !one.owed.is_empty() || !self.is_end(one.state));
        let mut owed: Vec<u8> = now.iter().filter_map(|one| one.owed.first().copied()).collect();
        if owed.len() < now.len() {
            return Vec::new();
        }
        owed.sort_unstable();
        owed.dedup();
        owed
    }

    fn arrives(&mut self, tag: u8, facts: Facts) {
        // what comes behind a gap is one more of the things that it may have received
        if self.blind || self.repeats(tag, facts) {
            return;
        }
        self.waiting.push_back((tag, facts));
        self.settle();
        if self.waiting.len() > MOST_UNREAD {
            self.waiting.pop_front();
            for possibility in &mut self.possible {
                possibility.read = possibility.read.saturating_sub(1);
            }
        }
    }

    /// Whether the frame says nothing new: it waits already, and behind it wait only frames of its kind, which lead
    /// to a state that they don't leave.
    fn repeats(&self, tag: u8, facts: Facts) -> bool {
        if self.waiting.is_empty() {
            return false;
        }
        let mut tail = self.waiting.iter().rev().take_while(|(waiting, _)| self.steady(*waiting));
        self.steady(tag) && tail.any(|waiting| *waiting == (tag, facts))
    }

    /// Whether reading this frame twice is like reading it once, in every state, and demands nothing.
    fn steady(&self, tag: u8) -> bool {
        self.states.iter().flat_map(|state| state.moves(tag)).all(|way| {
            let next = self.states[usize::from(way.to)].moves(tag);
            way.sends.is_empty() && matches!(next, [only] if only.to == way.to && only.sends.is_empty())
        })
    }

    /// Reads ahead where that changes nothing, and forgets what all possibilities have read.
    fn settle(&mut self) {
        for possibility in &mut self.possible {
            while let Some(&(tag, _)) = self.waiting.get(possibility.read)
                && possibility.owed.is_empty()
                && let [only] = self.states[usize::from(possibility.state)].moves(tag)
                && only.to == possibility.state
                && only.sends.is_empty()
            {
                possibility.read += 1;
            }
        }
        let all_read = self.possible.iter().map(|p| p.read).min().unwrap_or(0);
        self.waiting.drain(..all_read);
        self.possible.iter_mut().for_each(|p| p.read -= all_read);
    }

    /// Whether any possibility allows it to send this; those that don't are dropped.
    fn sends(&mut self, tag: u8, sent: Facts) -> bool {
        let mut next = Vec::new();
        let mut todo = self.possible.clone();
        let mut seen = todo.clone();
        while let Some(now) = todo.pop() {
            if let Some((first, owed)) = now.owed.split_first() {
                if *first == tag {
                    keep(&mut next, Possibility { owed, ..now });
                }
                continue;
            }
            let state = &self.states[usize::from(now.state)];
            if state.sends.contains(&tag) {
                keep(&mut next, now);
            }
            let acting = state.acting(tag);
            for (index, way) in acting.iter().enumerate() {
                if self.known.and(sent).allow(acting, index) {
                    keep(&mut next, Possibility { state: way.to, owed: way.sends, read: now.read });
                }
            }
            if self.blind {
                for on in state.on {
                    for (_, way) in on.moves.iter().enumerate().filter(|(index, _)| self.known.allow(on.moves, *index))
                    {
                        let after = Possibility { state: way.to, owed: way.sends, read: 0 };
                        if !seen.contains(&after) {
                            seen.push(after);
                            todo.push(after);
                        }
                    }
                }
                continue;
            }
            let Some(&(received, facts)) = self.waiting.get(now.read) else { continue };
            let (facts, moves) = (self.known.and(facts), state.moves(received));
            for (index, way) in moves.iter().enumerate() {
                // what is known of the frame decides only over moves that send it
                let facts = if way.sends.first() == Some(&tag) { facts.and(sent) } else { facts };
                if !facts.allow(moves, index) {
                    continue;
                }
                let after = Possibility { state: way.to, owed: way.sends, read: now.read + 1 };
                if !seen.contains(&after) && seen.len() < MOST_POSSIBILITIES * 4 {
                    seen.push(after);
                    todo.push(after);
                }
            }
        }
        if next.is_empty() {
            return false;
        }
        next.truncate(MOST_POSSIBILITIES);
        self.possible = next;
        self.settle();
        true
    }

    /// After an illegal frame: every state in which it would have been legal, so that what follows is judged by it.
    fn recover(&mut self, tag: u8) {
        let read = self.waiting.len();
        let mut next = Vec::new();
        for (index, state) in self.states.iter().enumerate() {
            if state.sends.contains(&tag) {
                keep(&mut next, Possibility { state: index as u8, owed: &[], read });
            }
            for way in state.acting(tag) {
                keep(&mut next, Possibility { state: way.to, owed: way.sends, read });
            }
            for way in state.on.iter().chain(state.acts).flat_map(|on| on.moves) {
                if let Some(at) = way.sends.iter().position(|&sent| sent == tag) {
                    keep(&mut next, Possibility { state: way.to, owed: &way.sends[at + 1..], read });
                }
            }
        }
        // a frame that this side never sends tells nothing of where it is
        if !next.is_empty() {
            next.extend(self.possible.iter().copied());
            next.truncate(MOST_POSSIBILITIES);
            self.possible = next;
        }
    }

    /// After an illegal frame of the other side: where this one was if it expected that frame, or where it is if
    /// it passes the frame over.
    fn recover_receiver(&mut self, tag: u8, facts: Facts) {
        self.guessed = true;
        if self.blind {
            return;
        }
        self.waiting.clear();
        self.waiting.push_back((tag, facts));
        let expecting = self.states.iter().enumerate().filter(|(_, state)| !state.moves(tag).is_empty());
        let mut next: Vec<_> =
            expecting.map(|(index, _)| Possibility { state: index as u8, owed: &[], read: 0 }).collect();
        for possibility in &self.possible {
            keep(&mut next, Possibility { read: 1, ..*possibility });
        }
        next.truncate(MOST_POSSIBILITIES);
        self.possible = next;
        self.settle();
    }

    fn why_not(&self, tag: u8) -> String {
        let mut names: Vec<&str> = self.possible.iter().map(|p| self.states[usize::from(p.state)].name).collect();
        names.dedup();
        format!("{} from a {} in {}", (self.name)(tag), self.role.name(), names.join(" or "))
    }
}

fn keep(list: &mut Vec<Possibility>, possibility: Possibility) {
    if !list.contains(&possibility) {
        list.push(possibility);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v2_1::Tag;

    const C: Direction = Direction::Forward;
    const S: Direction = Direction::Backward;

    fn play(order: &mut Order, frames: &[(Direction, Tag)]) -> Vec<bool> {
        frames.iter().map(|(direction, tag)| order.frame(*direction, tag.0, Facts::default()).is_ok()).collect()
    }

    fn begun() -> Order {
        begun_with(false)
    }

    fn begun_with(compression: bool) -> Order {
        let mut order = Order::new(&V2, None);
        for direction in [C, S] {
            order.banner(direction);
            order.set_facts(direction, super::super::v2::compression(compression));
        }
        order
    }

    const HANDSHAKE: &[(Direction, Tag)] = &[
        (C, Tag::HELLO),
        (S, Tag::HELLO),
        (C, Tag::AUTH_REQUEST),
        (S, Tag::AUTH_REPLY_MORE),
        (C, Tag::AUTH_REQUEST_MORE),
        (S, Tag::AUTH_DONE),
        (S, Tag::AUTH_SIGNATURE),
        (C, Tag::AUTH_SIGNATURE),
        (C, Tag::CLIENT_IDENT),
        (S, Tag::SERVER_IDENT),
        (C, Tag::MESSAGE),
        (S, Tag::MESSAGE),
    ];

    #[test]
    fn a_handshake_is_legal_in_any_capture_order() {
        assert!(!play(&mut begun(), HANDSHAKE).contains(&false));
        // the server's flights as early as its own rules allow
        let mut order = begun();
        let early = [(S, Tag::HELLO), (C, Tag::HELLO)];
        assert!(!play(&mut order, &early).contains(&false));
        assert!(!play(&mut order, &HANDSHAKE[2..]).contains(&false));
        assert_eq!(order.role(C), Some(Role::Client));
    }

    #[test]
    fn a_missing_frame_gives_one_finding() {
        for (left_out, missing) in HANDSHAKE.iter().enumerate().take(HANDSHAKE.len() - 2).skip(2) {
            let mut frames = HANDSHAKE.to_vec();
            frames.remove(left_out);
            let legal = play(&mut begun(), &frames);
            let wrong = legal.iter().filter(|ok| !**ok).count();
            // a missing request makes the reply illegal, and what the client says next too
            assert!((1..=2).contains(&wrong), "without {missing:?}: {legal:?}");
        }
    }

    #[test]
    fn compression_only_if_both_announce_it() {
        let mut frames = HANDSHAKE.to_vec();
        frames.insert(8, (C, Tag::COMPRESSION_REQUEST));
        frames.insert(9, (S, Tag::COMPRESSION_DONE));
        let legal = play(&mut begun(), &frames);
        assert!(!legal[8]);
        let mut order = begun_with(true);
        assert!(!play(&mut order, &frames).contains(&false));
        let mut order = begun_with(true);
        assert!(play(&mut order, HANDSHAKE).contains(&false), "the exchange is a must then");
    }

    #[test]
    fn what_the_receiver_takes_is_legal() {
        // CLIENT_IDENT, again behind IDENT_MISSING_FEATURES
        let mut order = begun();
        play(&mut order, &HANDSHAKE[..9]);
        let again =
            [(S, Tag::IDENT_MISSING_FEATURES), (C, Tag::CLIENT_IDENT), (S, Tag::SERVER_IDENT), (C, Tag::MESSAGE)];
        assert_eq!(play(&mut order, &again), [true; 4]);
    }

    #[test]
    fn behind_a_gap_nobody_is_blamed() {
        for lost in 0..HANDSHAKE.len() {
            for both in [false, true] {
                let mut order = begun();
                let mut legal = play(&mut order, &HANDSHAKE[..lost]);
                order.gap(HANDSHAKE[lost].0);
                if both {
                    order.gap(HANDSHAKE[lost].0.other());
                }
                legal.extend(play(&mut order, &HANDSHAKE[lost + 1..]));
                assert!(!legal.contains(&false), "without {:?}: {legal:?}", HANDSHAKE[lost]);
                assert!(
                    order.hypotheses.iter().all(|h| h.ends.iter().all(|end| end.possible.len() <= MOST_POSSIBILITIES))
                );
                // a message shows where its sender is; what its receiver was told last may be what is missing
                let certain = HANDSHAKE[lost] != (S, Tag::MESSAGE);
                let after = play(&mut order, &[(C, Tag::MESSAGE), (C, Tag::CLIENT_IDENT)]);
                assert_eq!(after, [true, !certain], "without {:?}, both {both}", HANDSHAKE[lost]);
            }
        }
        for lost in 0..TALK.len() - 1 {
            let mut order = proposal();
            let mut legal = talk(&mut order, &TALK[..lost]);
            order.gap(TALK[lost].0);
            legal.extend(talk(&mut order, &TALK[lost + 1..]));
            assert!(!legal.contains(&false), "without {:?}: {legal:?}", TALK[lost]);
            assert!(order.hypotheses.iter().all(|h| h.ends.iter().all(|end| end.possible.len() <= MOST_POSSIBILITIES)));
        }
    }

    #[test]
    fn whose_turn_it_is() {
        let turn = |count: usize| {
            let mut order = Order::new(&V2, Some(C));
            [C, S].into_iter().for_each(|direction| order.banner(direction));
            play(&mut order, &HANDSHAKE[..count]);
            let (direction, tags) = order.owed()?;
            Some(format!("{} {}", if direction == C { "client" } else { "server" }, tags.join(" ")))
        };
        assert_eq!(turn(1).as_deref(), Some("server HELLO"));
        assert_eq!(turn(2).as_deref(), Some("client AUTH_REQUEST"));
        assert_eq!(turn(3).as_deref(), Some("server AUTH_BAD_METHOD AUTH_REPLY_MORE AUTH_DONE"));
        assert_eq!(turn(4).as_deref(), Some("client AUTH_REQUEST_MORE"));
        // also if more of the server waits behind what the client is to answer
        assert_eq!(turn(7).as_deref(), Some("client AUTH_SIGNATURE"));
        assert_eq!(turn(12), None);
    }

    #[test]
    fn a_flood_stays_small() {
        let mut order = begun();
        play(&mut order, HANDSHAKE);
        for _ in 0..10_000 {
            assert!(order.frame(S, Tag::MESSAGE.0, Facts::default()).is_ok());
        }
        for _ in 0..1_000 {
            assert!(order.frame(S, Tag::HELLO.0, Facts::default()).is_err());
        }
        for end in &order.hypotheses[0].ends {
            assert!(end.waiting.len() <= MOST_UNREAD && end.possible.len() <= MOST_POSSIBILITIES);
        }
    }

    use crate::proposal::Tag as P;

    fn talk(order: &mut Order, frames: &[(Direction, P)]) -> Vec<bool> {
        frames.iter().map(|(direction, tag)| order.frame(*direction, tag.0, Facts::default()).is_ok()).collect()
    }

    fn proposal() -> Order {
        let mut order = Order::new(&PROPOSAL, None);
        order.banner(S);
        order.banner(C);
        order
    }

    const TALK: &[(Direction, P)] = &[
        (S, P::AUTH_METHODS),
        (C, P::AUTH_SET_METHOD),
        (C, P::AUTH_REQUEST),
        (S, P::AUTH_REPLY),
        (S, P::IDENT),
        (C, P::IDENT),
        (C, P::START),
        (C, P::MSG),
        (S, P::MSG),
        (S, P::CLOSE),
        (C, P::MSG),
        (C, P::CLOSE),
    ];

    #[test]
    fn what_a_side_does_on_its_own_moves_it() {
        assert!(!talk(&mut proposal(), TALK).contains(&false));
        // without waiting for the banner, or for the methods
        let mut order = Order::new(&PROPOSAL, None);
        order.banner(C);
        assert!(!talk(&mut order, &[TALK[1], TALK[2]]).contains(&false));
        order.banner(S);
        assert_eq!(order.role(C), Some(Role::Client));
        assert!(!talk(&mut order, &[TALK[0]]).contains(&false));
        assert!(!talk(&mut order, &TALK[3..]).contains(&false));
        // a choice is made once, and nothing follows a CLOSE
        assert!(order.frame(C, P::AUTH_SET_METHOD.0, Facts::default()).is_err());
        let mut order = proposal();
        talk(&mut order, &TALK[..10]);
        assert!(order.frame(S, P::MSG.0, Facts::default()).is_err());
    }

    #[test]
    fn facts_decide_between_moves() {
        let done = Facts::default().with(Guard::Refused, false).with(Guard::MoreNeeded, false);
        let after = |facts: Facts, tag: P| {
            let mut order = proposal();
            talk(&mut order, &TALK[..3]);
            order.frame(S, P::AUTH_REPLY.0, facts).unwrap();
            order.frame(C, tag.0, Facts::default()).is_ok()
        };
        assert!(after(Facts::default(), P::IDENT) && after(Facts::default(), P::AUTH_REQUEST));
        assert!(after(done, P::IDENT) && after(done, P::ENCRYPT_BEGIN) && !after(done, P::AUTH_REQUEST));
        let more = Facts::default().with(Guard::Refused, false).with(Guard::MoreNeeded, true);
        assert!(!after(more, P::IDENT) && after(more, P::AUTH_REQUEST));
        // the first move whose guard holds is the one
        let required = done.with(Guard::EncryptionRequired, true);
        assert!(!after(required, P::IDENT) && after(required, P::ENCRYPT_BEGIN));
        let clear = [Guard::EncryptionRequired, Guard::EncryptionWanted, Guard::EncryptionPossible];
        let clear = clear.into_iter().fold(done, |facts, guard| facts.with(guard, false));
        assert!(after(clear, P::IDENT) && !after(clear, P::ENCRYPT_BEGIN));
    }

    #[test]
    fn one_side_may_say_much_before_the_other_says_anything() {
        let mut order = proposal();
        assert!(!talk(&mut order, &TALK[..7]).contains(&false));
        for _ in 0..1_000 {
            assert!(!talk(&mut order, &[(C, P::MSG), (C, P::KEEPALIVE2), (C, P::ACK)]).contains(&false));
        }
        assert!(order.hypotheses[0].ends.iter().all(|end| end.waiting.len() < 10));
        assert!(!talk(&mut order, &[(C, P::CLOSE), (S, P::MSG), (S, P::CLOSE)]).contains(&false));
        assert!(order.frame(S, P::MSG.0, Facts::default()).is_err());
    }
}
