//! Below IP: link types of captures, Ethernet with its tags, MPLS, PPP and PPPoE.

use etherparse::{EtherType, LaxMacsecSlice, ether_type};
use pcap_parser::Linktype;

use super::layers::{Layer, Rest};
use super::segment::Skipped;

/// The link types in whose packets segments are found.
pub const LINK_TYPES: [Linktype; 9] = [
    Linktype::ETHERNET,
    Linktype::LINUX_SLL,
    Linktype::LINUX_SLL2,
    Linktype::NULL,
    Linktype::LOOP,
    Linktype::RAW,
    Linktype::IPV4,
    Linktype::IPV6,
    PPP,
];

/// A link type that pcap-parser has no name for.
const PPP: Linktype = Linktype(9);

/// EtherTypes that etherparse has no name for.
const MPLS: [EtherType; 2] = [EtherType(0x8847), EtherType(0x8848)];
const PPPOE_SESSION: EtherType = EtherType(0x8864);
const VLAN_9200: EtherType = EtherType(0x9200);
/// Ethernet in a tunnel ("transparent Ethernet bridging").
const BRIDGED_ETHERNET: EtherType = EtherType(0x6558);

/// What a packet of this link type begins with.
pub(super) fn first(link: Linktype, rest: Rest<'_>) -> Result<Layer<'_>, Skipped> {
    match link {
        Linktype::ETHERNET => Ok(Layer::Ethernet(rest)),
        Linktype::LINUX_SLL => typed::<16>(rest, 14),
        Linktype::LINUX_SLL2 => typed::<20>(rest, 0),
        // an address family in the byte order of the machine that captured; IPv6's differs between systems
        Linktype::NULL | Linktype::LOOP => match rest.split()? {
            ([2 | 10 | 23 | 24 | 28 | 30, 0, 0, 0] | [0, 0, 0, 2 | 10 | 23 | 24 | 28 | 30], rest) => {
                Ok(Layer::Ip(rest))
            }
            _ => Err(Skipped::NotTcp),
        },
        // 12 and 14 are what some systems write for raw IP
        Linktype::RAW | Linktype::IPV4 | Linktype::IPV6 | Linktype(12 | 14) => Ok(Layer::Ip(rest)),
        PPP => match rest.bytes {
            // address and control, as HDLC has them
            [0xff, 0x03, ..] => Ok(Layer::Ppp(rest.skip(2)?)),
            _ => Ok(Layer::Ppp(rest)),
        },
        _ => Err(Skipped::Link),
    }
}

/// A header of `N` bytes with an EtherType in it.
fn typed<const N: usize>(rest: Rest<'_>, at: usize) -> Result<Layer<'_>, Skipped> {
    let (head, rest) = rest.split::<N>()?;
    let kind = head.get(at..).and_then(|kind| kind.first_chunk()).ok_or(Skipped::Damaged)?;
    Ok(Layer::EtherType(u16::from_be_bytes(*kind), rest))
}

/// An Ethernet frame.
pub(super) fn ethernet(rest: Rest<'_>) -> Result<Layer<'_>, Skipped> {
    typed::<14>(rest, 12)
}

/// What an EtherType announces.
pub(super) fn ether_type(kind: u16, rest: Rest<'_>) -> Result<Layer<'_>, Skipped> {
    match EtherType(kind) {
        ether_type::IPV4 | ether_type::IPV6 => Ok(Layer::Ip(rest)),
        ether_type::VLAN_TAGGED_FRAME
        | ether_type::PROVIDER_BRIDGING
        | ether_type::VLAN_DOUBLE_TAGGED_FRAME
        | VLAN_9200 => typed::<4>(rest, 2),
        ether_type::MACSEC => {
            let frame = LaxMacsecSlice::from_slice(rest.bytes).map_err(|_| Skipped::Damaged)?;
            let payload = frame.ether_payload().ok_or(Skipped::NotTcp)?;
            Ok(Layer::EtherType(payload.ether_type.0, Rest { bytes: payload.payload, ..rest }))
        }
        BRIDGED_ETHERNET => Ok(Layer::Ethernet(rest)),
        PPPOE_SESSION => {
            let (&[_, code, _, _, l0, l1], rest) = rest.split()?;
            let len = u16::from_be_bytes([l0, l1]).into();
            if code == 0 { Ok(Layer::Ppp(rest.limit(len))) } else { Err(Skipped::NotTcp) }
        }
        kind if MPLS.contains(&kind) => Ok(Layer::Mpls(rest)),
        _ => Err(Skipped::NotTcp),
    }
}

/// A frame of PPP (RFC 1661). Its protocol number has an odd last byte, and may leave out a first byte of zero.
pub(super) fn ppp(rest: Rest<'_>) -> Result<Layer<'_>, Skipped> {
    let (protocol, rest) = match rest.bytes {
        [low, ..] if low & 1 == 1 => (u16::from(*low), rest.skip(1)?),
        _ => {
            let (protocol, rest) = rest.split()?;
            (u16::from_be_bytes(*protocol), rest)
        }
    };
    match protocol {
        0x0021 | 0x0057 => Ok(Layer::Ip(rest)),
        0x0281 | 0x0283 => Ok(Layer::Mpls(rest)),
        _ => Err(Skipped::NotTcp),
    }
}

/// The label stack (RFC 3032). Nothing in it says what follows: IP begins with its version, a pseudowire's control word
/// with zero (RFC 4385), and Ethernet without one with an address.
pub(super) fn mpls(mut rest: Rest<'_>) -> Result<Layer<'_>, Skipped> {
    loop {
        let (label, behind) = rest.split::<4>()?;
        rest = behind;
        if label[2] & 1 == 1 {
            break;
        }
    }
    match rest.bytes.first().map(|first| first >> 4) {
        None => Err(Skipped::Damaged),
        Some(4 | 6) => Ok(Layer::Ip(rest)),
        Some(0) => Ok(Layer::Ethernet(rest.skip(4)?)),
        // what the ends of a pseudowire tell each other
        Some(1) => Err(Skipped::NotTcp),
        Some(_) => Ok(Layer::Ethernet(rest)),
    }
}
