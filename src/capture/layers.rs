//! From a packet's first byte to its TCP segment: headers are taken off one by one, tunnels included.

use std::net::IpAddr;

use etherparse::{IpNumber, ip_number};

use super::packet::Packet;
use super::segment::Skipped;
use super::{ip, link, tunnel};

/// The most headers of one packet. Real tunnels need ten; one that has more was made to keep us busy.
const DEEPEST: usize = 32;

/// Bytes whose headers were taken off so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rest<'a> {
    /// Those that were captured.
    pub(super) bytes: &'a [u8],
    /// How many follow that were not.
    pub(super) missing: usize,
}

impl<'a> Rest<'a> {
    /// A header of a fixed length, and what is behind it.
    pub(super) fn split<const N: usize>(self) -> Result<(&'a [u8; N], Self), Skipped> {
        let (head, bytes) = self.bytes.split_first_chunk().ok_or(Skipped::Damaged)?;
        Ok((head, Self { bytes, ..self }))
    }

    /// What is behind so many bytes.
    pub(super) fn skip(self, len: usize) -> Result<Self, Skipped> {
        let bytes = self.bytes.get(len..).ok_or(Skipped::Damaged)?;
        Ok(Self { bytes, ..self })
    }

    /// So many bytes and no more; what follows them is padding.
    pub(super) fn limit(self, len: usize) -> Self {
        match self.bytes.get(..len) {
            Some(bytes) => Self { bytes, missing: 0 },
            None => Self { missing: len - self.bytes.len(), ..self },
        }
    }
}

/// What comes next.
#[derive(Debug, Clone, Copy)]
pub(super) enum Layer<'a> {
    /// An Ethernet frame, from its destination on.
    Ethernet(Rest<'a>),
    /// What an EtherType announces.
    EtherType(u16, Rest<'a>),
    /// A frame of PPP, from its protocol number on.
    Ppp(Rest<'a>),
    /// A stack of MPLS labels.
    Mpls(Rest<'a>),
    /// An IP packet of either version.
    Ip(Rest<'a>),
    /// What an IP packet carries.
    Payload(Payload<'a>),
    /// A part of what an IP packet carries.
    Fragment(Fragment<'a>),
}

/// What an IP packet carries, behind its extension headers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Payload<'a> {
    /// Who sent it.
    pub(super) src: IpAddr,
    /// To whom.
    pub(super) dst: IpAddr,
    /// What it is.
    pub(super) number: IpNumber,
    /// It.
    pub(super) rest: Rest<'a>,
}

/// A part of what an IP packet carries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fragment<'a> {
    /// Which packet it is a part of.
    pub(super) of: Identity,
    /// What the packet carries. In IPv6 only the first fragment says it rightly.
    pub(super) number: IpNumber,
    /// Where in the payload it belongs, in bytes.
    pub(super) start: usize,
    /// It is not the last.
    pub(super) more: bool,
    /// Its bytes.
    pub(super) rest: Rest<'a>,
}

/// What the fragments of one IP packet have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    /// Who sent it.
    pub(super) src: IpAddr,
    /// To whom.
    pub(super) dst: IpAddr,
    /// Of IPv4, what it carries.
    pub(super) number: Option<IpNumber>,
    /// The sender's number for it.
    pub(super) id: u32,
}

/// Where the way through the headers ends.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found<'a> {
    /// At a TCP segment.
    Tcp(Payload<'a>),
    /// At a fragment, which has to wait for the others.
    Fragment(Fragment<'a>),
}

/// Takes all headers of a packet off.
pub(super) fn of_packet<'a>(packet: &Packet<'a>) -> Result<Found<'a>, Skipped> {
    let missing = packet.original_len.saturating_sub(packet.data.len());
    find(link::first(packet.link, Rest { bytes: packet.data, missing })?)
}

/// Takes headers off until a TCP segment or a fragment is reached.
pub(super) fn find(mut layer: Layer<'_>) -> Result<Found<'_>, Skipped> {
    for _ in 0..DEEPEST {
        layer = match layer {
            Layer::Ethernet(rest) => link::ethernet(rest)?,
            Layer::EtherType(kind, rest) => link::ether_type(kind, rest)?,
            Layer::Ppp(rest) => link::ppp(rest)?,
            Layer::Mpls(rest) => link::mpls(rest)?,
            Layer::Ip(rest) => ip::packet(rest)?,
            Layer::Payload(payload) if payload.number == ip_number::TCP => return Ok(Found::Tcp(payload)),
            Layer::Payload(payload) => tunnel::inside(payload)?,
            Layer::Fragment(fragment) => return Ok(Found::Fragment(fragment)),
        }
    }
    Err(Skipped::Nested)
}
