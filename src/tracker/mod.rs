//! Listens to both directions of a connection.
//!
//! [`Tracker`] is the core: shown the bytes at the head of a direction it says how many more the next unit needs
//! ([`Step::Need`]), or what the unit is ([`Step::Unit`]). It does no I/O and keeps no bytes. [`Stream`] puts a
//! buffer on top. A [`Unit`] is small and holds all that was learnt, so that [`show`] can tell its fields again at
//! any time, in any order, without the tracker.
//!
//! Which dialect a connection speaks its first banner shows. [`Knowledge`], shared by all connections of a capture,
//! opens what is encrypted.

mod backlog;
mod body;
mod budget;
mod knowledge;
mod order;
mod proposal;
mod seals;
mod search;
mod show;
mod stream;
mod unit;
mod v2;

pub use backlog::Backlog;
pub use budget::{Bounds, Budget, Grant, Scope};
pub use knowledge::{Knowledge, SECRETS_TYPE};
pub use seals::SealKeys;
pub use show::{Shown, show};
pub use stream::{Event, Stream};
pub use unit::{Direction, Finding, Mode, Relation, RelationKind, Sealed, Unit, UnitKind, Verdict};

pub use crate::wire::Role;

use crate::frame::Check;

/// The bytes that every connection of the shipped protocol begins with, in both directions.
pub const BANNER_PREFIX: &[u8; 8] = b"ceph v2\n";
/// The bytes that a banner of the proposal begins with; a digit follows.
pub const PROPOSAL_PREFIX: &[u8; 5] = b"ceph ";
/// The most bytes of a banner of the proposal.
pub const PROPOSAL_BANNER_MAX: usize = 39;

/// What the tracker says of the bytes at the head of a direction.
#[derive(Debug)]
pub enum Step {
    /// The unit needs this many bytes, counted from where it begins; call again when they are there.
    Need(usize),
    /// The next unit.
    Unit(Unit),
    /// This connection doesn't speak msgr2.
    Foreign,
}

/// What the first bytes of a direction are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begins {
    /// A banner of v2.0 or v2.1, or the beginning of one.
    V2,
    /// A banner of the proposal, or the beginning of one.
    Proposal,
    /// Too few to tell, but they may be a banner.
    Perhaps,
    /// No banner.
    Foreign,
}

/// Looks at the first bytes of a direction: the sixth tells the dialects apart.
pub fn begins(bytes: &[u8]) -> Begins {
    let common = bytes.len().min(BANNER_PREFIX.len());
    let same = bytes.iter().zip(BANNER_PREFIX).take_while(|(one, other)| one == other).count();
    if same < PROPOSAL_PREFIX.len() {
        return if same == bytes.len() { Begins::Perhaps } else { Begins::Foreign };
    }
    match bytes.get(PROPOSAL_PREFIX.len()) {
        None => Begins::Perhaps,
        Some(b'v') if same == common => Begins::V2,
        Some(b'0'..=b'9' | b'a'..=b'f') => {
            let line = &bytes[PROPOSAL_PREFIX.len()..bytes.len().min(PROPOSAL_BANNER_MAX)];
            let end = line.iter().position(|byte| *byte == b'\n');
            let text = &line[..end.unwrap_or(line.len())];
            let good = text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b' '));
            let whole = end.is_some() || bytes.len() < PROPOSAL_BANNER_MAX;
            if good && whole { Begins::Proposal } else { Begins::Foreign }
        }
        Some(_) => Begins::Foreign,
    }
}

/// A connection, seen from outside.
#[derive(Clone, Debug)]
pub struct Tracker {
    client: Option<Direction>,
    check: Check,
    packet: u32,
    knowledge: Knowledge,
    family: Family,
}

/// What is known of each dialect's connections.
#[derive(Clone, Debug)]
enum Family {
    /// No banner has come yet. A direction of which bytes are missing is noted.
    Unknown {
        gaps: [bool; 2],
    },
    V2(Box<v2::Connection>),
    Proposal(Box<proposal::Connection>),
}

impl Tracker {
    /// A connection from its beginning. `client` is the direction of the side that connected, if that is known;
    /// otherwise the frames will tell.
    pub fn new(client: Option<Direction>) -> Self {
        let family = Family::Unknown { gaps: [false; 2] };
        Tracker { client, check: Check::Crc, packet: 0, knowledge: Knowledge::default(), family }
    }

    /// A connection of v2.0 or v2.1 whose beginning is not to be had: the first frame is searched for. What the
    /// proposal sends can't be recognised in the middle.
    pub fn midway() -> Self {
        Tracker { family: Family::V2(Box::new(v2::Connection::midway())), ..Tracker::new(None) }
    }

    /// Whether CRCs of segments are checked; they are unless this says otherwise.
    pub fn set_check(&mut self, check: Check) {
        self.check = check;
    }

    /// What is known beyond this connection; to be said before its first byte.
    pub fn set_knowledge(&mut self, knowledge: Knowledge) {
        if let Family::V2(v2) = &mut self.family {
            v2.set_knowledge(knowledge.clone());
        }
        self.knowledge = knowledge;
    }

    /// What comes next ends in this packet; relations name packets by such numbers.
    pub fn at(&mut self, packet: u32) {
        self.packet = packet;
    }

    /// Whether a frame of v2.0 or v2.1 may begin here: the test for a capture that lacks the beginning.
    pub fn recognises(bytes: &[u8]) -> bool {
        search::begins_here(bytes)
    }

    /// Bytes of this direction are missing in front of what comes next.
    pub fn gap(&mut self, direction: Direction) {
        match &mut self.family {
            Family::Unknown { gaps } => gaps[direction as usize] = true,
            Family::V2(v2) => v2.gap(direction),
            Family::Proposal(proposal) => proposal.gap(direction),
        }
    }

    /// The next unit of a direction. `more` says that more bytes may come; without it a unit that they don't reach
    /// to the end of is taken as it is.
    pub fn next(&mut self, direction: Direction, bytes: &[u8], more: bool) -> Step {
        if bytes.is_empty() {
            return Step::Need(1);
        }
        if let Family::Unknown { gaps } = self.family {
            match begins(bytes) {
                Begins::Perhaps if more => return Step::Need(PROPOSAL_PREFIX.len() + 1),
                Begins::Proposal => match proposal::banner_len(bytes) {
                    None if more => return Step::Need(bytes.len() + 1),
                    Some(length) if proposal::malformed(&bytes[..length]).is_none() => {
                        let connection = proposal::Connection::new(self.client, self.knowledge.clone());
                        self.family = Family::Proposal(Box::new(connection));
                    }
                    _ => return Step::Foreign,
                },
                // the shipped protocol's own rules say what to do with less than a banner
                _ => self.family = Family::V2(Box::new(v2::Connection::new(self.client, self.knowledge.clone()))),
            }
            for direction in [Direction::Forward, Direction::Backward] {
                if gaps[direction as usize] {
                    self.gap(direction);
                }
            }
        }
        match &mut self.family {
            Family::Unknown { .. } => Step::Foreign,
            Family::V2(v2) => v2.next(direction, bytes, more, self.check, self.packet),
            Family::Proposal(proposal) => proposal.next(direction, bytes, more, self.packet),
        }
    }
}
