//! The TCP segment in a packet, whatever lies around it.

use std::net::SocketAddr;
use std::time::Duration;

use super::layers::{self, Found, Payload};
use super::packet::Packet;

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
#[non_exhaustive]
pub enum Skipped {
    /// Its link type is not one of those that are known here.
    Link,
    /// It carries something else.
    NotTcp,
    /// It is a fragment of an IP packet. A [`Defragmenter`](super::Defragmenter) puts them together.
    Fragment,
    /// Its headers are cut off or make no sense.
    Damaged,
    /// It has more headers, tags and tunnels than any real packet.
    Nested,
}

impl<'a> Segment<'a> {
    /// Finds the segment in a packet, behind VLAN tags, MPLS, PPPoE, and in tunnels (VXLAN, Geneve, GRE, IP in IP). A pure
    /// function of the packet, which copies nothing.
    ///
    /// # Errors
    ///
    /// Why there is none. What is cut off of the segment's data is no error, but [`missing`](Self::missing).
    pub fn parse(packet: &Packet<'a>) -> Result<Self, Skipped> {
        match layers::of_packet(packet)? {
            Found::Tcp(tcp) => Self::of(packet, tcp),
            Found::Fragment(_) => Err(Skipped::Fragment),
        }
    }

    /// The segment that an IP packet carries. Etherparse wants the options to be there; here the fixed part is enough.
    pub(super) fn of(packet: &Packet<'_>, tcp: Payload<'a>) -> Result<Self, Skipped> {
        let Payload { src, dst, rest, .. } = tcp;
        let Some(&[s0, s1, d0, d1, q0, q1, q2, q3, a0, a1, a2, a3, offset, flags, ..]) = rest.bytes.first_chunk::<20>()
        else {
            return Err(Skipped::Damaged);
        };
        let header = usize::from(offset >> 4) * 4;
        let payload = rest.bytes.get(header..).unwrap_or_default();
        let Some(len) = (rest.bytes.len() + rest.missing).checked_sub(header).filter(|_| header >= 20) else {
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

#[cfg(test)]
mod tests {
    use super::super::testing::{ethernet, ipv4, ipv4_with, ipv6, tcp, tcp_with_options, udp, vxlan};
    use pcap_parser::Linktype;

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
    fn tunnels() {
        let v4 = ipv4(0, &tcp(9, ACK, b"data"));
        let v6 = ipv6(6, &tcp(9, ACK, b"data"));
        for (kind, ip, number, ppp) in [(0x0800u16, &v4, 4, 0x21), (0x86dd, &v6, 41, 0x57)] {
            let frame = ethernet(&[0x8100, kind], ip);
            let [k0, k1] = kind.to_be_bytes();
            let in_ip = |number, payload: &[u8]| {
                let outer = ipv4_with(number, payload);
                // a frame check sequence behind it is not the inner packet's
                check(Linktype::ETHERNET, &[ethernet(&[0x0800], &outer), vec![0xee; 4]].concat());
                let mut outer = ipv6(number, payload);
                check(Linktype::RAW, &outer);
                // and where the card was to fill in the length
                outer[4..6].fill(0);
                check(Linktype::RAW, &outer);
            };
            in_ip(number, ip);
            in_ip(17, &udp(4789, &vxlan(kind, ip)));
            in_ip(17, &udp(8472, &[&[8, 0, 0, 0, 0, 0, 42, 0][..], &frame].concat()));
            in_ip(17, &udp(6081, &[&[0, 0, k0, k1, 0, 0, 42, 0][..], ip].concat()));
            in_ip(17, &udp(6081, &[&[2, 0, 0x65, 0x58, 0, 0, 42, 0][..], &[1; 8], &frame].concat()));
            in_ip(47, &[&[0, 0, k0, k1][..], ip].concat());
            // bridged, with a key as NVGRE has it; with a checksum, a key, a sequence number
            in_ip(47, &[&[0x20, 0, 0x65, 0x58, 0, 0, 42, 0][..], &frame].concat());
            in_ip(47, &[&[0xb0, 0, k0, k1][..], &[0; 12], ip].concat());
            let labels = [0, 1, 0x40, 64, 0, 2, 0x01, 64];
            in_ip(137, &[&labels[..], ip].concat());
            check(Linktype::ETHERNET, &ethernet(&[0x8847], &[&labels[..], ip].concat()));
            check(Linktype::ETHERNET, &ethernet(&[0x8848], &[&labels[4..], &[0; 4], &frame].concat()));
            // without a control word
            let mut frame = frame.clone();
            frame[..6].copy_from_slice(&[0x52, 0x54, 0, 1, 2, 3]);
            check(Linktype::ETHERNET, &ethernet(&[0x8847], &[&labels[4..], &frame].concat()));

            let len = (2 + ip.len()) as u8;
            let session = [&[0x11, 0, 0, 1, 0, len, 0, ppp][..], ip, &[0xee; 9]].concat();
            check(Linktype::ETHERNET, &ethernet(&[0x8100, 0x8864], &session));
            check(Linktype(9), &[&[0xff, 3, 0, ppp][..], ip].concat());
            check(Linktype(9), &[&[ppp][..], ip].concat());
        }
    }

    #[test]
    fn what_is_cut_off_in_a_tunnel_is_missing() {
        let inner = ipv4(0, &tcp(9, ACK, b"data"));
        let mut unfilled = inner.clone();
        unfilled[2..4].fill(0);
        for inner in [inner, unfilled] {
            let outer = ethernet(&[0x0800], &ipv4_with(17, &udp(4789, &vxlan(0x0800, &inner))));
            let data = &outer[..outer.len() - 3];
            let packet = Packet { original_len: outer.len(), ..packet(Linktype::ETHERNET, data) };
            let segment = Segment::parse(&packet).expect("a segment");
            assert_eq!((segment.payload, segment.missing), (&b"d"[..], 3));
        }
    }

    #[test]
    fn what_is_no_tunnel_after_all_is_skipped() {
        let skipped = |ip: Vec<u8>| Segment::parse(&packet(Linktype::RAW, &ip)).err();
        let inner = ipv4(0, &tcp(9, ACK, b"data"));
        let frame = ethernet(&[0x0800], &inner);
        let not_tcp = [
            ipv4_with(17, &udp(53, &frame)),
            // no valid network; another version; PPTP; source routing
            ipv4_with(17, &udp(4789, &[&[0; 8][..], &frame].concat())),
            ipv4_with(17, &udp(6081, &[&[0x40, 0, 0x65, 0x58, 0, 0, 1, 0][..], &frame].concat())),
            ipv4_with(47, &[&[0x20, 1, 0x88, 0x0b, 0, 0, 0, 1][..], &inner].concat()),
            ipv4_with(47, &[&[0x40, 0, 0x08, 0][..], &inner].concat()),
            ipv4_with(137, &[0, 0, 1, 64, 0x10, 0, 0, 0]),
        ];
        for ip in not_tcp {
            assert_eq!(skipped(ip), Some(Skipped::NotTcp));
        }
        let damaged = [
            ipv4_with(17, &[0; 7]),
            ipv4_with(17, &[0, 0, 0, 0, 0, 7, 0, 0]),
            ipv4_with(17, &udp(4789, &[8; 7])),
            ipv4_with(17, &udp(6081, &[63, 0, 8, 0, 0, 0, 0, 0, 0])),
            ipv4_with(47, &[0xb0, 0, 8, 0, 0]),
            // labels without an end
            ipv4_with(137, &[0; 400]),
            ipv4_with(4, &[]),
        ];
        for ip in damaged {
            assert_eq!(skipped(ip), Some(Skipped::Damaged));
        }
    }

    #[test]
    fn a_nesting_bomb_is_defused() {
        let mut ip = ipv4(0, &tcp(9, ACK, b"data"));
        for depth in 1..1000 {
            ip = ipv4_with(4, &ip);
            let parsed = Segment::parse(&packet(Linktype::RAW, &ip));
            // a header, and what it carries, for each
            assert_eq!(parsed.err(), (depth > 15).then_some(Skipped::Nested), "{depth}");
        }
        let tags = vec![0x8100; 5000];
        let frame = ethernet(&tags, &ip);
        assert_eq!(Segment::parse(&packet(Linktype::ETHERNET, &frame)), Err(Skipped::Nested));
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
