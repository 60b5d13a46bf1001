//! A packet as a capture file holds it, whatever the format of the file.

use std::ops::Range;
use std::time::Duration;

use pcap_parser::Linktype;

/// One packet of a capture file.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// Its number, from 1, as Wireshark counts.
    pub number: u32,
    /// When it was captured, since 1970; zero where the file doesn't say.
    pub time: Duration,
    /// What its first byte belongs to.
    pub link: Linktype,
    /// The bytes that were captured.
    pub data: &'a [u8],
    /// How many bytes were on the wire.
    pub original_len: usize,
}

/// What one block of a file turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// A packet.
    Packet(Place),
    /// No packet, but Wireshark gives it a packet number.
    Numbered,
    /// Keys.
    Secrets {
        /// What they are for.
        kind: u32,
        /// Where they stand.
        data: Range<usize>,
    },
    /// Something about the file.
    Other,
}

/// A packet whose bytes are a part of its block.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) time: Duration,
    pub(super) link: Linktype,
    pub(super) data: Range<usize>,
    pub(super) original_len: usize,
}
