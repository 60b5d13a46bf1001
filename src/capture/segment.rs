//! The TCP segment in a packet: link layer, VLAN tags, IPv4 or IPv6, TCP.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, ip_number};
use pcap_parser::Linktype;

use super::packet::Packet;

/// The link types in whose packets segments are found.
pub const LINK_TYPES: [Linktype; 8] = [
    Linktype::ETHERNET,
    Linktype::LINUX_SLL,
    Linktype::LINUX_SLL2,
    Linktype::NULL,
    Linktype::LOOP,
    Linktype::RAW,
    Linktype::IPV4,
    Linktype::IPV6,
];

/// A TCP segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment<'a> {
    /// The number of its packet.
    pub packet: u32,
    /// When it was captured.
    pub time: Duration,
    /// Who sent it.
    pub src: SocketAddr,
    /// To whom.
    pub dst: SocketAddr,
    /// The sequence number of the first byte of `payload`, or of the SYN.
    pub seq: u32,
    /// The sequence number that the sender expects next, if it says so.
    pub ack: Option<u32>,
    /// Opens the connection.
    pub syn: bool,
    /// The sender has no more data.
    pub fin: bool,
    /// Breaks the connection off.
    pub rst: bool,
    /// The data, as far as it was captured.
    pub payload: &'a [u8],
    /// How many bytes of data follow `payload` that were not captured.
    pub missing: usize,
}

/// Why a packet has no segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skipped {
    /// Its link type is not one of those that are known here.
    Link,
    /// It carries something else.
    NotTcp,
    /// It is a fragment of an IP packet.
    Fragment,
    /// Its headers are cut off or make no sense.
    Damaged,
}

impl<'a> Segment<'a> {
    /// Finds the segment in a packet.
    pub fn parse(packet: &Packet<'a>) -> Result<Self, Skipped> {
        let sliced = slice(packet)?;
        let cut = packet.original_len.saturating_sub(packet.data.len());
        let (src, dst, payload, expected): (IpAddr, IpAddr, _, _) = match sliced.net.as_ref() {
            Some(LaxNetSlice::Ipv4(ip)) => {
                let header = ip.header();
                let headers = header.slice().len() + ip.extensions().auth.map_or(0, |a| a.slice().len());
                let total = usize::from(header.total_len());
                // a card that segments by itself (TSO) may leave the length to be filled in
                if total > 0 && total < headers {
                    return Err(Skipped::Damaged);
                }
                let expected = (total > 0).then(|| total - headers);
                (header.source_addr().into(), header.destination_addr().into(), ip.payload(), expected)
            }
            Some(LaxNetSlice::Ipv6(ip)) => {
                let header = ip.header();
                let total = usize::from(header.payload_length());
                let headers = ip.extensions().slice().len();
                let expected = (total > 0).then(|| total.saturating_sub(headers));
                (header.source_addr().into(), header.destination_addr().into(), ip.payload(), expected)
            }
            Some(LaxNetSlice::Arp(_)) => return Err(Skipped::NotTcp),
            None => return Err(if sliced.stop_err.is_some() { Skipped::Damaged } else { Skipped::NotTcp }),
        };
        if payload.fragmented {
            return Err(Skipped::Fragment);
        }
        if payload.ip_number != ip_number::TCP {
            let cut_off = payload.ip_number.is_ipv6_ext_header_value();
            return Err(if cut_off { Skipped::Damaged } else { Skipped::NotTcp });
        }
        let missing = expected.map_or(cut, |len| len.saturating_sub(payload.payload.len()));
        Self::tcp(packet, src, dst, payload.payload, missing)
    }

    /// Etherparse wants the options to be there; here the fixed part is enough.
    fn tcp(packet: &Packet<'a>, src: IpAddr, dst: IpAddr, tcp: &'a [u8], missing: usize) -> Result<Self, Skipped> {
        let Some(&[s0, s1, d0, d1, q0, q1, q2, q3, a0, a1, a2, a3, offset, flags, ..]) = tcp.first_chunk::<20>() else {
            return Err(Skipped::Damaged);
        };
        let header = usize::from(offset >> 4) * 4;
        let payload = tcp.get(header..).unwrap_or_default();
        let Some(len) = (tcp.len() + missing).checked_sub(header).filter(|_| header >= 20) else {
            return Err(Skipped::Damaged);
        };
        Ok(Self {
            packet: packet.number,
            time: packet.time,
            src: SocketAddr::new(src, u16::from_be_bytes([s0, s1])),
            dst: SocketAddr::new(dst, u16::from_be_bytes([d0, d1])),
            seq: u32::from_be_bytes([q0, q1, q2, q3]),
            ack: (flags & 0x10 != 0).then(|| u32::from_be_bytes([a0, a1, a2, a3])),
            syn: flags & 0x02 != 0,
            fin: flags & 0x01 != 0,
            rst: flags & 0x04 != 0,
            payload,
            missing: len - payload.len(),
        })
    }
}

/// Takes the link layer off.
fn slice<'a>(packet: &Packet<'a>) -> Result<LaxSlicedPacket<'a>, Skipped> {
    let data = packet.data;
    let ether = |kind: usize, payload: usize| {
        let kind = data.get(kind..).and_then(|d| d.first_chunk()).ok_or(Skipped::Damaged)?;
        let payload = data.get(payload..).ok_or(Skipped::Damaged)?;
        Ok(LaxSlicedPacket::from_ether_type(EtherType(u16::from_be_bytes(*kind)), payload))
    };
    let ip = |start: usize| {
        let data = data.get(start..).unwrap_or_default();
        LaxSlicedPacket::from_ip(data).map_err(|_| Skipped::Damaged)
    };
    match packet.link {
        Linktype::ETHERNET => ether(12, 14),
        Linktype::LINUX_SLL => ether(14, 16),
        Linktype::LINUX_SLL2 => ether(0, 20),
        // an address family in the byte order of the machine that captured; IPv6's differs between systems
        Linktype::NULL | Linktype::LOOP => match data {
            [2 | 10 | 23 | 24 | 28 | 30, 0, 0, 0, ..] | [0, 0, 0, 2 | 10 | 23 | 24 | 28 | 30, ..] => ip(4),
            [_, _, _, _, ..] => Err(Skipped::NotTcp),
            _ => Err(Skipped::Damaged),
        },
        // 12 and 14 are what some systems write for raw IP
        Linktype::RAW | Linktype::IPV4 | Linktype::IPV6 | Linktype(12 | 14) => ip(0),
        _ => Err(Skipped::Link),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ethernet, ipv4, ipv6, tcp, tcp_with_options};
    use super::*;

    const ACK: u8 = 0x10;

    fn packet(link: Linktype, data: &[u8]) -> Packet<'_> {
        Packet { number: 3, time: Duration::from_secs(4), link, data, original_len: data.len() }
    }

    fn check(link: Linktype, data: &[u8]) -> Segment<'_> {
        let segment = Segment::parse(&packet(link, data)).expect("a segment");
        assert_eq!((segment.packet, segment.time), (3, Duration::from_secs(4)));
        assert_eq!((segment.src.port(), segment.dst.port(), segment.seq), (1000, 3300, 9));
        assert_eq!((segment.ack, segment.payload, segment.missing), (Some(7), &b"data"[..], 0));
        segment
    }

    #[test]
    fn link_types() {
        let v4 = ipv4(0, &tcp(9, ACK, b"data"));
        let v6 = ipv6(6, &tcp(9, ACK, b"data"));
        for (kind, family, ip) in [(0x0800u16, 2, &v4), (0x86dd, 30, &v6)] {
            let kind_bytes = kind.to_be_bytes();
            let end = check(Linktype::ETHERNET, &ethernet(&[kind], ip)).src.ip().to_string();
            assert_eq!(end, if family == 2 { "192.0.2.1" } else { "2001:db8::1" });
            // padding and a frame check sequence are no payload
            check(Linktype::ETHERNET, &[ethernet(&[kind], ip), vec![0xee; 9]].concat());
            check(Linktype::ETHERNET, &ethernet(&[0x8100, kind], ip));
            check(Linktype::ETHERNET, &ethernet(&[0x88a8, 0x8100, kind], ip));
            check(Linktype::RAW, ip);
            check(Linktype(12), ip);
            check(if family == 2 { Linktype::IPV4 } else { Linktype::IPV6 }, ip);
            check(Linktype::NULL, &[&[family, 0, 0, 0], &ip[..]].concat());
            check(Linktype::LOOP, &[&[0, 0, 0, family], &ip[..]].concat());
            check(Linktype::LINUX_SLL, &[&[0; 14], &kind_bytes[..], ip].concat());
            check(Linktype::LINUX_SLL2, &[&kind_bytes[..], &[0; 18], ip].concat());
        }
    }

    #[test]
    fn ipv6_extension_headers() {
        let tcp = tcp(9, ACK, b"data");
        let options = |next| [next, 0, 1, 4, 0, 0, 0, 0];
        let whole = [6, 0, 0, 0, 0, 0, 0, 1];
        check(Linktype::IPV6, &ipv6(0, &[&options(60)[..], &options(44), &whole, &tcp].concat()));
        let part = [6, 0, 0, 1, 0, 0, 0, 1];
        let data = ipv6(0, &[&options(44)[..], &part, &tcp].concat());
        assert_eq!(Segment::parse(&packet(Linktype::IPV6, &data)), Err(Skipped::Fragment));
        assert_eq!(Segment::parse(&packet(Linktype::IPV6, &data[..52])), Err(Skipped::Damaged));
    }

    #[test]
    fn a_length_left_to_the_card_means_all() {
        let mut v4 = ipv4(0, &tcp(9, ACK, b"data"));
        v4[2..4].fill(0);
        check(Linktype::ETHERNET, &ethernet(&[0x0800], &v4));
        let mut v6 = ipv6(6, &tcp(9, ACK, b"data"));
        v6[4..6].fill(0);
        check(Linktype::ETHERNET, &ethernet(&[0x86dd], &v6));
        v4[3] = 19;
        assert_eq!(Segment::parse(&packet(Linktype::IPV4, &v4)), Err(Skipped::Damaged));
    }

    #[test]
    fn a_packet_cut_by_the_snaplen_says_what_is_missing() {
        let tcp = tcp_with_options(9, ACK, &[1; 12], b"data");
        let v4 = ipv4(0, &tcp);
        let v6 = ipv6(60, &[&[6, 0, 1, 4, 0, 0, 0, 0][..], &tcp].concat());
        // and where the card was to fill in the length
        let (mut sent4, mut sent6) = (v4.clone(), v6.clone());
        sent4[2..4].fill(0);
        sent6[4..6].fill(0);
        for ip in [v4, v6, sent4, sent6] {
            let fixed = ip.len() - 4 - 12;
            for len in 0..ip.len() {
                let packet = Packet { original_len: ip.len(), ..packet(Linktype::RAW, &ip[..len]) };
                match Segment::parse(&packet) {
                    Ok(segment) => {
                        assert!(len >= fixed);
                        assert_eq!(segment.payload, &b"data"[..len.saturating_sub(fixed + 12)]);
                        assert_eq!(segment.payload.len() + segment.missing, 4);
                    }
                    Err(why) => assert_eq!((why, len < fixed), (Skipped::Damaged, true)),
                }
            }
        }
    }

    #[test]
    fn flags() {
        for (flags, expected) in [(2, [true, false, false]), (1, [false, true, false]), (4, [false, false, true])] {
            let data = ipv4(0x4000, &tcp(9, flags, b""));
            let segment = Segment::parse(&packet(Linktype::IPV4, &data)).expect("a segment");
            assert_eq!(([segment.syn, segment.fin, segment.rst], segment.ack), (expected, None));
        }
    }

    #[test]
    fn other_packets_are_skipped() {
        let skipped = |link, data: &[u8]| Segment::parse(&packet(link, data)).err();
        let tcp_ = tcp(9, ACK, b"data");
        let mut udp = ipv4(0, &tcp_);
        udp[9] = 17;
        assert_eq!(skipped(Linktype::IPV4, &udp), Some(Skipped::NotTcp));
        assert_eq!(skipped(Linktype::ETHERNET, &ethernet(&[0x0806], &[0; 28])), Some(Skipped::NotTcp));
        assert_eq!(skipped(Linktype::ETHERNET, &ethernet(&[0x0026], &[0; 38])), Some(Skipped::NotTcp));
        assert_eq!(skipped(Linktype::NULL, &[7, 0, 0, 0, 0x45]), Some(Skipped::NotTcp));
        assert_eq!(skipped(Linktype::IPV4, &ipv4(0x2000, &tcp_)), Some(Skipped::Fragment));
        assert_eq!(skipped(Linktype::IPV4, &ipv4(0x0010, &tcp_)), Some(Skipped::Fragment));
        assert_eq!(skipped(Linktype::ETHERNET, &[0; 5]), Some(Skipped::Damaged));
        assert_eq!(skipped(Linktype(147), &ipv4(0, &tcp_)), Some(Skipped::Link));
        let mut short = tcp_;
        short[12] = 0x40;
        assert_eq!(skipped(Linktype::IPV4, &ipv4(0, &short)), Some(Skipped::Damaged));
        short[12] = 0xf0;
        assert_eq!(skipped(Linktype::IPV4, &ipv4(0, &short)), Some(Skipped::Damaged));
    }
}
