//! What the tracker says of a piece of a direction.

use crate::frame::{Head, Revision};
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
    /// Its bytes.
    pub length: u32,
    /// How it is protected.
    pub mode: Mode,
    /// The revision of the connection, if it is known.
    pub revision: Option<Revision>,
    /// The role of its sender, if it is known.
    pub sender: Option<crate::tracker::Role>,
    /// What decoding it needs to be told.
    pub context: Context,
    /// Not all of its bytes were captured.
    pub cut: bool,
    /// What is worth reporting.
    pub findings: Vec<Finding>,
}

/// What a unit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitKind {
    /// A banner.
    Banner,
    /// A frame in crc mode.
    Frame(Head),
    /// Bytes in secure mode.
    Encrypted,
    /// Bytes outside any frame that could be recognised.
    Lost,
}

/// How frames are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// By CRCs.
    Crc,
    /// By encryption.
    Secure,
}

impl Mode {
    /// The name, as filters use it.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Crc => "crc",
            Mode::Secure => "secure",
        }
    }
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
    pub(super) fn report(&mut self, kind: FindingKind, start: usize, length: usize, detail: String) {
        // a place behind the end would point at nothing
        let start = start.min((self.length as usize).saturating_sub(1));
        let length = length.min(self.length as usize - start);
        self.findings.push(Finding { kind, start: start as u32, length: length as u32, detail: detail.into() });
    }

    /// The tag of a frame.
    pub fn tag(&self) -> Option<u8> {
        match self.kind {
            UnitKind::Frame(head) => Some(head.tag),
            _ => None,
        }
    }

    /// The dialect's name, if it is known.
    pub fn dialect(&self) -> Option<&'static str> {
        self.revision.map(Revision::name)
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind.info().summary)?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, ": {}", self.detail) }
    }
}
