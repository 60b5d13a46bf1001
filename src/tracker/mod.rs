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
mod facts;
mod key_types;
mod knowledge;
mod order;
mod progress;
mod proposal;
mod seals;
mod search;
mod show;
mod stream;
mod unit;
mod v2;

pub use backlog::Backlog;
pub use budget::{Bounds, Budget, Grant, Scope};
pub use facts::{Fact, facts};
pub use key_types::{KeyOwner, KeyUse};
pub use knowledge::{Knowledge, SECRETS_TYPE};
pub use seals::SealKeys;
pub use show::{AnyFrame, Line, Shown, frame_of, show};
pub use stream::{Event, Stream};
pub use unit::{Direction, Finding, Mode, Relation, RelationKind, Sealed, Unit, UnitKind, Verdict};

pub use crate::wire::{End, Role};

use crate::FindingKind;
use crate::foreign::{self, Foreign};
use crate::frame::{Check, PREAMBLE_LEN};
use order::Order;
use progress::Progress;

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
    /// These bytes aren't msgr2, and nothing is to be said of them; nor are those behind them, unless a frame begins there.
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
    /// Directions that speak something else.
    strangers: [Option<Stranger>; 2],
    progress: Progress,
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

impl Family {
    fn order(&self) -> Option<&Order> {
        match self {
            Family::Unknown { .. } => None,
            Family::V2(v2) => v2.order(),
            Family::Proposal(proposal) => proposal.order(),
        }
    }

    fn awaits_banner(&self, direction: Direction) -> bool {
        match self {
            Family::Unknown { .. } => true,
            Family::V2(v2) => v2.awaits_banner(direction),
            Family::Proposal(proposal) => proposal.awaits_banner(direction),
        }
    }
}

/// A direction that speaks something else.
#[derive(Clone, Copy, Debug)]
struct Stranger {
    /// What, if it was recognised.
    protocol: Option<Foreign>,
    /// The packet of its first bytes.
    packet: u32,
    /// Whether that was said.
    said: bool,
}

impl Tracker {
    /// A connection from its beginning. `client` is the direction of the side that connected, if that is known;
    /// otherwise the frames will tell.
    pub fn new(client: Option<Direction>) -> Self {
        Tracker {
            client,
            check: Check::Crc,
            packet: 0,
            knowledge: Knowledge::default(),
            family: Family::Unknown { gaps: [false; 2] },
            strangers: [None; 2],
            progress: Progress::default(),
        }
    }

    /// A connection of v2.0 or v2.1 whose beginning is not to be had: the first frame is searched for. What the
    /// proposal sends can't be recognised in the middle.
    pub fn midway() -> Self {
        Tracker { family: Family::V2(Box::new(v2::Connection::midway())), ..Tracker::new(None) }
    }

    /// Whether something was said, and none of it was msgr2.
    pub fn is_foreign(&self) -> bool {
        matches!(self.family, Family::Unknown { .. }) && self.strangers.iter().any(Option::is_some)
    }

    /// What the directions speak that don't speak msgr2, as far as it was recognised.
    pub fn foreign(&self) -> [Option<Foreign>; 2] {
        self.strangers.map(|stranger| stranger?.protocol)
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
        self.progress.lose(direction);
        match &mut self.family {
            Family::Unknown { gaps } => gaps[direction as usize] = true,
            Family::V2(v2) => v2.gap(direction),
            Family::Proposal(proposal) => proposal.gap(direction),
        }
    }

    /// A direction has ended, and all its bytes were taken. Returns a unit without bytes if there is something to be said of
    /// that.
    pub fn end(&mut self, direction: Direction, how: End) -> Option<Unit> {
        let said = self.progress.end(direction, how, self.family.order());
        if said.is_empty() {
            return None;
        }
        let mut unit = match &self.family {
            Family::Unknown { .. } => return None,
            Family::V2(v2) => v2.ended(direction),
            Family::Proposal(proposal) => proposal.ended(direction),
        };
        for (kind, detail) in said {
            unit.report(kind, 0, 0, detail);
        }
        Some(unit)
    }

    /// The next unit of a direction. `more` says that more bytes may come; without it a unit that they don't reach
    /// to the end of is taken as it is.
    pub fn next(&mut self, direction: Direction, bytes: &[u8], more: bool) -> Step {
        if bytes.is_empty() {
            return Step::Need(1);
        }
        if self.strangers[direction as usize].is_some() {
            if !Tracker::recognises(bytes) {
                return Step::Foreign;
            }
            // what came before it was no beginning
            self.strangers[direction as usize] = None;
        }
        if self.family.awaits_banner(direction)
            && let Some(step) = self.begin(direction, bytes, more)
        {
            return step;
        }
        let mut step = match &mut self.family {
            Family::Unknown { .. } => Step::Foreign,
            Family::V2(v2) => v2.next(direction, bytes, more, self.check, self.packet),
            Family::Proposal(proposal) => proposal.next(direction, bytes, more, self.packet),
        };
        if let Step::Unit(unit) = &mut step {
            if let Some(stranger) = &mut self.strangers[direction.other() as usize]
                && unit.kind == UnitKind::Banner
                && !std::mem::replace(&mut stranger.said, true)
            {
                let who = side(self.client, direction.other(), "the other side");
                let detail = format!("{who} speaks {} (packet {})", named(stranger.protocol), stranger.packet);
                unit.report(FindingKind::WrongProtocol, 0, unit.length as usize, detail);
            }
            self.progress.unit(unit, bytes.len().min(unit.length as usize), self.family.order());
        }
        step
    }

    /// The first bytes of a direction: which dialect they are of, if they are. Returns what there is to be said if it is none.
    fn begin(&mut self, direction: Direction, bytes: &[u8], more: bool) -> Option<Step> {
        let midway = Tracker::recognises(bytes);
        let begins = begins(bytes);
        let short = bytes.len() < PREAMBLE_LEN && more;
        match (&self.family, begins) {
            (_, Begins::Perhaps) if more => return Some(Step::Need(PROPOSAL_PREFIX.len() + 1)),
            (Family::Unknown { .. }, Begins::V2 | Begins::Perhaps) => {
                let connection = v2::Connection::new(self.client, self.knowledge.clone());
                self.found(Family::V2(Box::new(connection)));
            }
            (Family::Unknown { .. }, Begins::Proposal) => match proposal::banner_len(bytes) {
                None if more => return Some(Step::Need(bytes.len() + 1)),
                Some(length) if proposal::malformed(&bytes[..length]).is_none() => {
                    let connection = proposal::Connection::new(self.client, self.knowledge.clone());
                    self.found(Family::Proposal(Box::new(connection)));
                }
                _ => return Some(self.stranger(direction, Some(Foreign::Ceph), bytes)),
            },
            (Family::Unknown { .. }, Begins::Foreign) if midway => {
                // what came before it was no beginning either
                (self.strangers, self.client) = ([None; 2], None);
                let mut connection = v2::Connection::midway();
                connection.set_knowledge(self.knowledge.clone());
                // that bytes are missing goes without saying
                self.family = Family::V2(Box::new(connection));
            }
            (Family::Unknown { gaps }, Begins::Foreign) => {
                if gaps[direction as usize] {
                    return Some(Step::Foreign);
                }
                let protocol = foreign::recognise(bytes);
                if protocol.is_none() && short {
                    return Some(Step::Need(PREAMBLE_LEN));
                }
                // with one of our own banners it would have begun
                let protocol = protocol.map(|protocol| match protocol {
                    Foreign::Msgr2 | Foreign::Proposal => Foreign::Ceph,
                    other => other,
                });
                return Some(self.stranger(direction, protocol, bytes));
            }
            (Family::V2(_), Begins::V2 | Begins::Perhaps)
            | (Family::Proposal(_), Begins::Proposal | Begins::Perhaps) => {}
            (Family::V2(_), Begins::Proposal) => {
                return Some(self.stranger(direction, Some(Foreign::Proposal), bytes));
            }
            (Family::Proposal(_), Begins::V2) => return Some(self.stranger(direction, Some(Foreign::Msgr2), bytes)),
            (Family::V2(_), Begins::Foreign) if midway => {}
            (family, Begins::Foreign) => {
                let own = if matches!(family, Family::V2(_)) { Foreign::Msgr2 } else { Foreign::Proposal };
                match foreign::recognise(bytes).filter(|protocol| *protocol != own) {
                    Some(protocol) => return Some(self.stranger(direction, Some(protocol), bytes)),
                    None if short => return Some(Step::Need(PREAMBLE_LEN)),
                    None => {}
                }
            }
        }
        None
    }

    /// The dialect shows.
    fn found(&mut self, family: Family) {
        let before = std::mem::replace(&mut self.family, family);
        let Family::Unknown { gaps } = before else { return };
        for direction in [Direction::Forward, Direction::Backward] {
            if gaps[direction as usize] {
                self.gap(direction);
            }
        }
    }

    /// A direction speaks something else. That is a finding if the other one speaks msgr2; if it will, its banner tells.
    fn stranger(&mut self, direction: Direction, protocol: Option<Foreign>, bytes: &[u8]) -> Step {
        let mut unit = match &mut self.family {
            Family::Unknown { .. } => None,
            Family::V2(v2) => Some(v2.stranger(direction, bytes.len())),
            Family::Proposal(proposal) => Some(proposal.stranger(direction, bytes.len())),
        };
        let stranger = Stranger { protocol, packet: self.packet, said: unit.is_some() };
        self.strangers[direction as usize] = Some(stranger);
        let Some(unit) = &mut unit else { return Step::Foreign };
        let who = side(self.client, direction, "this side");
        let detail = format!("{who} speaks {}, the other one {}", named(protocol), unit.dialect().unwrap_or("msgr2"));
        unit.report(FindingKind::WrongProtocol, 0, bytes.len(), detail);
        self.progress.unit(unit, bytes.len(), None);
        Step::Unit(unit.clone())
    }
}

/// Who sends in a direction, for people.
fn side(client: Option<Direction>, direction: Direction, unknown: &'static str) -> &'static str {
    match client {
        Some(client) if client == direction => "the client",
        Some(_) => "the server",
        None => unknown,
    }
}

fn named(protocol: Option<Foreign>) -> &'static str {
    protocol.map_or("something that isn't known", Foreign::name)
}
