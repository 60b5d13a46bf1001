//! What IP carries that carries packets in turn: VXLAN, Geneve, GRE, IP in IP, MPLS in IP.

use etherparse::ip_number;

use super::ip;
use super::layers::{Layer, Payload, Rest};
use super::segment::Skipped;

/// Ports of VXLAN: the assigned one (RFC 7348), and Linux's own from before, which overlays of containers still use. Wireshark
/// wants to be told of the latter.
const VXLAN: [u16; 2] = [4789, 8472];
/// The port of Geneve (RFC 8926).
const GENEVE: u16 = 6081;

/// The packet in what an IP packet carries.
pub(super) fn inside(payload: Payload<'_>) -> Result<Layer<'_>, Skipped> {
    let rest = payload.rest;
    match payload.number {
        ip_number::UDP => udp(rest),
        ip_number::GRE => gre(rest),
        ip_number::IPV4 | ip_number::IPV6 => Ok(Layer::Ip(rest)),
        ip_number::MPLS_IN_IP => Ok(Layer::Mpls(rest)),
        number if number.is_ipv6_ext_header_value() => ip::extensions(payload),
        _ => Err(Skipped::NotTcp),
    }
}

fn udp(rest: Rest<'_>) -> Result<Layer<'_>, Skipped> {
    let (&[_, _, p0, p1, l0, l1, _, _], data) = rest.split()?;
    let data = match usize::from(u16::from_be_bytes([l0, l1])) {
        0 => data,
        len => data.limit(len.checked_sub(8).ok_or(Skipped::Damaged)?),
    };
    match u16::from_be_bytes([p0, p1]) {
        port if VXLAN.contains(&port) => vxlan(data),
        GENEVE => geneve(data),
        _ => Err(Skipped::NotTcp),
    }
}

/// Eight bytes, then Ethernet. A bit says that the network's number is valid.
fn vxlan(rest: Rest<'_>) -> Result<Layer<'_>, Skipped> {
    let (&[flags, ..], frame) = rest.split::<8>()?;
    if flags & 0x08 != 0 { Ok(Layer::Ethernet(frame)) } else { Err(Skipped::NotTcp) }
}

/// Eight bytes and options, whose length is counted in words of four bytes.
fn geneve(rest: Rest<'_>) -> Result<Layer<'_>, Skipped> {
    let (&[first, _, k0, k1, ..], options) = rest.split::<8>()?;
    if first >> 6 != 0 {
        return Err(Skipped::NotTcp);
    }
    let data = options.skip(usize::from(first & 0x3f) * 4)?;
    Ok(Layer::EtherType(u16::from_be_bytes([k0, k1]), data))
}

/// RFC 2784 and 2890: flags tell which of checksum, key and sequence number are there, of four bytes each. Routing (RFC
/// 1701) was never used, and version 1 is PPTP's.
fn gre(rest: Rest<'_>) -> Result<Layer<'_>, Skipped> {
    const ROUTING_OR_VERSION: u16 = 0x4007;
    const OPTIONAL: u16 = 0xb000;
    let (&[f0, f1, k0, k1], rest) = rest.split()?;
    let flags = u16::from_be_bytes([f0, f1]);
    if flags & ROUTING_OR_VERSION != 0 {
        return Err(Skipped::NotTcp);
    }
    let data = rest.skip((flags & OPTIONAL).count_ones() as usize * 4)?;
    Ok(Layer::EtherType(u16::from_be_bytes([k0, k1]), data))
}
