//! Tags of any dialect.

use std::fmt;

use crate::{proposal, v2_1};

/// The tag of a frame, in the dialect of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tag {
    /// Of the proposal.
    Proposal(proposal::Tag),
    /// Of v2.0 and v2.1.
    V2(v2_1::Tag),
}

impl Tag {
    /// Its name in the spec, if the dialect has it.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Tag::Proposal(tag) => tag.name(),
            Tag::V2(tag) => tag.name(),
        }
    }

    /// Its number on the wire.
    pub fn number(self) -> u8 {
        match self {
            Tag::Proposal(tag) => tag.0,
            Tag::V2(tag) => tag.0,
        }
    }
}

impl From<proposal::Tag> for Tag {
    fn from(tag: proposal::Tag) -> Self {
        Tag::Proposal(tag)
    }
}

impl From<v2_1::Tag> for Tag {
    fn from(tag: v2_1::Tag) -> Self {
        Tag::V2(tag)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Tag::Proposal(tag) => tag.fmt(f),
            Tag::V2(tag) => tag.fmt(f),
        }
    }
}
