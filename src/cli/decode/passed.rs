//! What was passed over: connections that don't speak msgr2, and packets that can't be read.

use std::collections::BTreeMap;
use std::fmt;

use msgr2::capture::{Linktype, Skipped};

/// How many packets could not be read, and why.
#[derive(Default)]
pub(super) struct Unread {
    /// By link type.
    links: BTreeMap<i32, u64>,
    damaged: u64,
}

impl Unread {
    /// A packet that has no TCP segment; one that carries something else is none of these.
    pub(super) fn add(&mut self, why: Skipped, link: Linktype) {
        match why {
            Skipped::Link => *self.links.entry(link.0).or_default() += 1,
            Skipped::Damaged | Skipped::Nested => self.damaged += 1,
            _ => {}
        }
    }

    /// A sentence for each reason.
    pub(super) fn reasons(&self) -> impl Iterator<Item = String> {
        let links =
            self.links.iter().map(|(link, n)| format!("{n} packet(s) of link type {link}, which isn't known here"));
        let damaged = Some(self.damaged).filter(|n| *n > 0);
        links.chain(damaged.map(|n| format!("{n} packet(s) whose headers are cut off or make no sense")))
    }
}

/// How many connections there were of each kind.
#[derive(Default)]
pub(super) struct Passed {
    kinds: BTreeMap<Kind, u64>,
}

/// What a connection speaks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// This protocol.
    Known(&'static str),
    /// Nothing that is recognised.
    Unknown,
    /// Nothing was said on it.
    Silent,
}

impl Passed {
    pub(super) fn add(&mut self, kind: Kind) {
        *self.kinds.entry(kind).or_default() += 1;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }
}

impl fmt::Display for Passed {
    /// Which there were most of comes first; what is known comes before what isn't.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut kinds: Vec<_> = self.kinds.iter().collect();
        kinds.sort_by_key(|(kind, count)| (!matches!(kind, Kind::Known(_)), std::cmp::Reverse(**count)));
        for (n, (kind, count)) in kinds.into_iter().enumerate() {
            let what = match (n, count) {
                (0, 1) => " TCP connection",
                (0, _) => " TCP connections",
                _ => "",
            };
            let comma = if n > 0 { ", " } else { "" };
            write!(f, "{comma}{count}{what} ")?;
            match kind {
                Kind::Known(name) => write!(f, "of {name}")?,
                Kind::Unknown => f.write_str("of nothing known")?,
                Kind::Silent => f.write_str("without data")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_that_cannot_be_read_have_reasons() {
        let mut unread = Unread::default();
        for why in [Skipped::NotTcp, Skipped::Fragment, Skipped::Link, Skipped::Damaged, Skipped::Link, Skipped::Nested]
        {
            unread.add(why, Linktype(147));
        }
        let reasons: Vec<String> = unread.reasons().collect();
        assert_eq!(
            reasons,
            [
                "2 packet(s) of link type 147, which isn't known here",
                "2 packet(s) whose headers are cut off or make no sense"
            ]
        );
    }

    #[test]
    fn the_most_come_first() {
        let mut passed = Passed::default();
        for (kind, count) in
            [(Kind::Silent, 9), (Kind::Known("HTTP"), 1), (Kind::Known("msgr1"), 80), (Kind::Unknown, 3)]
        {
            (0..count).for_each(|_| passed.add(kind.clone()));
        }
        assert_eq!(passed.to_string(), "80 TCP connections of msgr1, 1 of HTTP, 9 without data, 3 of nothing known");
        let mut passed = Passed::default();
        passed.add(Kind::Unknown);
        assert_eq!(passed.to_string(), "1 TCP connection of nothing known");
    }
}
