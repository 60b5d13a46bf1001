//! Which protocol a connection speaks.

use super::Revision;
use crate::{proposal, v2_0, v2_1};

/// A dialect of the messenger. Both directions of a connection use the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// The proposal of May 2016.
    Proposal,
    /// msgr2.0.
    V2_0,
    /// msgr2.1.
    V2_1,
}

impl Dialect {
    /// Its name in the spec.
    pub fn name(self) -> &'static str {
        match self {
            Dialect::Proposal => proposal::NAME,
            Dialect::V2_0 => v2_0::NAME,
            Dialect::V2_1 => v2_1::NAME,
        }
    }

    /// The revision of the frame format, which only the shipped protocol has.
    pub fn revision(self) -> Option<Revision> {
        match self {
            Dialect::Proposal => None,
            Dialect::V2_0 => Some(Revision::V2_0),
            Dialect::V2_1 => Some(Revision::V2_1),
        }
    }
}

impl From<Revision> for Dialect {
    fn from(revision: Revision) -> Self {
        match revision {
            Revision::V2_0 => Dialect::V2_0,
            Revision::V2_1 => Dialect::V2_1,
        }
    }
}
