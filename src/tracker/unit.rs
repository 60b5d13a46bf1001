//! What the tracker says of a piece of a direction.

use std::sync::Arc;

use super::SealKeys;
use super::key_types::KeyUse;
use super::v2;
use crate::frame::proposal::{self, Opener};
use crate::frame::{Dialect, Head, secure};
use crate::types::{CompressionAlgorithm, MessageType};
use crate::wire::Role;
use crate::{Context, FindingKind};

/// A direction of a connection. Which of the two is the client's is found out, not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// One.
    Forward = 0,
    /// The other.
    Backward = 1,
}

impl Direction {
    /// The opposite direction.
    pub fn other(self) -> Self {
        match self {
            Direction::Forward => Direction::Backward,
            Direction::Backward => Direction::Forward,
        }
    }
}

/// A piece of a direction, with all that is needed to show it again.
#[derive(Clone, Debug)]
pub struct Unit {
    /// What it is.
    pub kind: UnitKind,
    /// Who sent it.
    pub direction: Direction,
    /// Its bytes; those of a unit inside another one, in the view that the other one opens to.
    pub length: u32,
    /// How it is protected.
    pub mode: Mode,
    /// The dialect of the connection, if it is known.
    pub dialect: Option<Dialect>,
    /// The role of its sender, if it is known.
    pub sender: Option<Role>,
    /// What decoding it needs to be told.
    pub context: Context,
    /// Not all of its bytes were captured.
    pub cut: bool,
    /// What is worth reporting.
    pub findings: Vec<Finding>,
    /// What it has to do with other packets.
    pub relations: Vec<Relation>,
    /// Of a SIGNATURE or an AUTH_SIGNATURE: what it is worth.
    pub verdict: Option<Verdict>,
    /// Of a frame that authenticates somebody or shows a ticket: the types of the keys behind it.
    pub key_types: Vec<KeyUse>,
    /// Of a sealed record, a secure frame, a compressed frame: what is in it.
    pub sealed: Option<Box<Sealed>>,
    /// What may open the sealed structures in it.
    pub keys: SealKeys,
    /// Of a message: what it is.
    pub message: Option<MessageType>,
    /// Of a frame that is protected by CRCs: what they are worth.
    pub crc: Option<Verdict>,
}

/// What a unit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitKind {
    /// A banner.
    Banner,
    /// A frame of v2.0 or v2.1: as it is in crc mode, or the decrypted view of a secure frame.
    Frame(Head),
    /// The segments of a compressed frame, decompressed, one behind the other; the lengths are those that they have now.
    Segments(Head),
    /// A secure frame of v2.0 or v2.1.
    Secure,
    /// A frame of the proposal.
    Plain(proposal::Head),
    /// A sealed record of the proposal.
    Record,
    /// Bytes in secure mode whose frames or records can't be told apart.
    Encrypted,
    /// Bytes outside any frame that could be recognised.
    Lost,
    /// The end of a direction, if there is something to be said of it; it has no bytes.
    Ended,
}

/// How a unit is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// By CRCs.
    Crc,
    /// By encryption.
    Secure,
    /// By nothing.
    Plain,
    /// By a signature behind it.
    Signed,
}

impl Mode {
    /// The name, as filters use it.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Crc => "crc",
            Mode::Secure => "secure",
            Mode::Plain => "plain",
            Mode::Signed => "signed",
        }
    }
}

/// What a signature is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It signs the frame before it.
    Good,
    /// It doesn't.
    Bad,
    /// Without the connection's key nobody can say.
    Unchecked,
}

impl Verdict {
    /// The name, as filters use it.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Good => "good",
            Verdict::Bad => "bad",
            Verdict::Unchecked => "unchecked",
        }
    }
}

/// What a unit has to do with another packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relation {
    /// What.
    pub kind: RelationKind,
    /// The packet, numbered as [`Tracker::at`](super::Tracker::at) was told.
    pub packet: u32,
}

/// What a unit may have to do with another packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelationKind {
    /// The frame that a SIGNATURE signs ended there.
    Signs,
    /// The session that a RECONNECT is about began there.
    Resumes,
}

impl RelationKind {
    /// The name, as filters use it.
    pub fn name(self) -> &'static str {
        match self {
            RelationKind::Signs => "signs",
            RelationKind::Resumes => "resumes",
        }
    }
}

/// What is in a sealed record, a secure frame, a compressed frame.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// The units, one behind the other from the beginning of the view to its end; none if it could not be opened.
    pub units: Vec<Unit>,
    pub(super) how: Opens,
}

/// What it takes to open a unit.
#[derive(Clone, Debug)]
pub(super) enum Opens {
    /// A record of the proposal: its number in its direction, and the key if it is known.
    Record { number: u64, opener: Option<Arc<Opener>> },
    /// A secure frame: the encryptions before it in its direction, what it begins with, and the key.
    Frame { op: u64, head: Head, opener: Arc<secure::Opener> },
    /// A compressed frame: what it begins with, and the algorithm.
    Compressed { head: Head, algorithm: CompressionAlgorithm },
}

/// Something worth reporting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub kind: FindingKind,
    /// The first byte concerned, from the unit's beginning.
    pub start: u32,
    /// The number of bytes concerned.
    pub length: u32,
    /// The particulars, or nothing.
    pub detail: Box<str>,
}

impl Unit {
    /// One of which nothing else is known.
    pub(super) fn new(kind: UnitKind, direction: Direction, length: usize, mode: Mode) -> Self {
        Unit {
            kind,
            direction,
            length: length as u32,
            mode,
            dialect: None,
            sender: None,
            context: Context::default(),
            cut: false,
            findings: Vec::new(),
            relations: Vec::new(),
            verdict: None,
            key_types: Vec::new(),
            sealed: None,
            keys: SealKeys::default(),
            message: None,
            crc: None,
        }
    }

    pub(super) fn report(&mut self, kind: FindingKind, start: usize, length: usize, detail: String) {
        // a place behind the end would point at nothing
        let start = start.min((self.length as usize).saturating_sub(1));
        let length = length.min(self.length as usize - start);
        self.findings.push(Finding { kind, start: start as u32, length: length as u32, detail: detail.into() });
    }

    /// The tag of a frame; that of a frame inside another unit only the inner one has.
    pub fn tag(&self) -> Option<u8> {
        match self.kind {
            UnitKind::Frame(head) | UnitKind::Segments(head) => Some(head.tag).filter(|_| self.inner().is_empty()),
            UnitKind::Plain(head) => Some(head.tag.0),
            _ => None,
        }
    }

    /// The dialect's name, if it is known.
    pub fn dialect(&self) -> Option<&'static str> {
        self.dialect.map(Dialect::name)
    }

    /// The number of a sealed record of the proposal in its direction, from 0.
    pub fn record(&self) -> Option<u64> {
        match &self.sealed.as_ref()?.how {
            Opens::Record { number, .. } => Some(*number),
            _ => None,
        }
    }

    /// What a secure frame says of itself.
    pub(super) fn secure_head(&self) -> Option<Head> {
        match &self.sealed.as_ref()?.how {
            Opens::Frame { head, .. } => Some(*head),
            _ => None,
        }
    }

    /// What is in a sealed record, a secure frame, a compressed frame, one behind the other; none of anything else, or if
    /// it could not be opened.
    pub fn inner(&self) -> &[Unit] {
        self.sealed.as_ref().map_or(&[], |sealed| &sealed.units)
    }

    /// What a unit opens to, given its bytes; at any time, in any order. `None` if there is nothing to open, without the
    /// key, and for bytes that don't authenticate.
    pub fn open(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut view = Vec::new();
        match &self.sealed.as_ref()?.how {
            Opens::Record { number, opener } => opener.as_ref()?.open_at(*number, bytes, &mut view).ok()?,
            Opens::Frame { op, head, opener } => {
                let frame = bytes.get(..opener.frame_len(head))?;
                opener.open(*op, head, frame, &mut view).ok()?;
            }
            Opens::Compressed { head, algorithm } => {
                view = v2::decompressed(self, head, *algorithm, bytes)?;
            }
        }
        Some(view)
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind.info().summary)?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, ": {}", self.detail) }
    }
}
