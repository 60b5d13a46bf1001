//! Why a capture file can't be read.

use std::io;

use thiserror::Error;

/// Why a capture file can't be read, or not further. What was read before stays good.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system doesn't open it.
    #[error("can't be opened")]
    Open(#[source] io::Error),
    /// It can't be read further.
    #[error("{}", unreadable(*packet))]
    Read {
        /// The number of the last packet that was read; 0 if there was none.
        packet: u32,
        /// What the reader says.
        #[source]
        source: io::Error,
    },
    /// It has no bytes.
    #[error("is empty")]
    Empty,
    /// It begins as no capture file does.
    #[error("is not a pcap or pcapng file")]
    NotACapture,
    /// It is compressed in a way that is not read here.
    #[error("is compressed with {name}: unpack it first, with `{tool}`")]
    Compressed {
        /// What with.
        name: &'static str,
        /// The program that unpacks it.
        tool: &'static str,
    },
    /// It ends within a packet.
    #[error("the file appears to have been cut short in the middle of a packet: {}", last_whole(*packet))]
    CutShort {
        /// The number of the last packet that is whole; 0 if there is none.
        packet: u32,
    },
    /// A block says that it is longer than any that is read.
    #[error("the block at byte {position} says it has {length} bytes, more than {} MiB: the file is damaged there", limit >> 20)]
    TooLong {
        /// Where the block begins, in bytes from the beginning of the file.
        position: u64,
        /// The length that it claims, in bytes.
        length: usize,
        /// The greatest length that is read, in bytes.
        limit: usize,
    },
    /// A block makes no sense.
    #[error("the file is damaged at byte {position}")]
    Damaged {
        /// Where the block begins, in bytes from the beginning of the file.
        position: u64,
        /// What is wrong with it.
        #[source]
        source: Damage,
    },
}

/// What is wrong with a block of a capture file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Damage {
    /// Its head ends too soon.
    #[error("its head is too short")]
    Head,
    /// It is shorter than its own head.
    #[error("its length can't be {0}")]
    Length(usize),
    /// It begins a section, but says not in which byte order.
    #[error("a section has no byte order")]
    ByteOrder,
    /// It begins a section of a version that is not 1.
    #[error("pcapng version {0} is not known")]
    Version(u16),
    /// Its fields don't fit together.
    #[error("the block can't be parsed")]
    Block,
    /// The packet's length is greater than what is there.
    #[error("the packet is longer than its block")]
    Packet,
    /// The keys' length is greater than what is there.
    #[error("the secrets are longer than their block")]
    Secrets,
    /// A packet of an interface that no block has described.
    #[error("a packet names interface {interface}, but the file describes {described} so far")]
    Interface {
        /// The interface, from 0.
        interface: u32,
        /// How many were described before it.
        described: usize,
    },
}

fn unreadable(packet: u32) -> String {
    match packet {
        0 => "can't be read".to_owned(),
        n => format!("the file can't be read after packet {n}"),
    }
}

fn last_whole(packet: u32) -> String {
    match packet {
        0 => "it holds no whole packet".to_owned(),
        n => format!("packet {n} is the last whole one"),
    }
}
