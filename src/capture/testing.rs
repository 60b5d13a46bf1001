//! Packets and files made by hand, for the tests of this folder.

use std::net::{Ipv4Addr, Ipv6Addr};

/// A TCP segment from port 1000 to port 3300.
pub(super) fn tcp(seq: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    tcp_with_options(seq, flags, &[], payload)
}

/// The same with options, whose length is a multiple of four.
pub(super) fn tcp_with_options(seq: u32, flags: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let offset = (((20 + options.len()) / 4) << 4) as u8;
    let head = [&1000u16.to_be_bytes()[..], &3300u16.to_be_bytes(), &seq.to_be_bytes(), &7u32.to_be_bytes()].concat();
    [&head, &[offset, flags, 0xff, 0xff, 0, 0, 0, 0][..], options, payload].concat()
}

/// An IPv4 packet.
pub(super) fn ipv4(fragment: u16, payload: &[u8]) -> Vec<u8> {
    let total = (20 + payload.len()) as u16;
    let [f0, f1] = fragment.to_be_bytes();
    let head = [&[0x45, 0][..], &total.to_be_bytes(), &[0, 1, f0, f1, 64, 6, 0, 0]].concat();
    let (src, dst) = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2));
    [&head, &src.octets()[..], &dst.octets(), payload].concat()
}

/// An IPv6 packet whose payload begins with a header of the given kind.
pub(super) fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let len = payload.len() as u16;
    let head = [&[0x60, 0, 0, 0][..], &len.to_be_bytes(), &[next, 64]].concat();
    let (src, dst) = (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2));
    [&head, &src.octets()[..], &dst.octets(), payload].concat()
}

/// An Ethernet frame; `kinds` are the types of its tags and of its payload.
pub(super) fn ethernet(kinds: &[u16], payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2; 12];
    for (i, kind) in kinds.iter().enumerate() {
        if i > 0 {
            frame.extend([0, 5]);
        }
        frame.extend(kind.to_be_bytes());
    }
    [&frame, payload].concat()
}

/// A UDP datagram to a port.
pub(super) fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let len = (8 + payload.len()) as u16;
    [&[0xc0, 0][..], &port.to_be_bytes(), &len.to_be_bytes(), &[0, 0], payload].concat()
}

/// An IPv4 packet that carries something else than TCP.
pub(super) fn ipv4_with(number: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = ipv4(0x4000, payload);
    packet[9] = number;
    packet
}

/// A header of VXLAN, and the frame in it.
pub(super) fn vxlan(kind: u16, payload: &[u8]) -> Vec<u8> {
    [&[8, 0, 0, 0, 0, 0, 42, 0][..], &ethernet(&[kind], payload)].concat()
}

/// Writes numbers in one byte order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    /// Big-endian, else little.
    pub(super) big: bool,
}

impl Order {
    /// Two bytes.
    pub(super) fn u16(self, n: u16) -> Vec<u8> {
        if self.big { n.to_be_bytes().to_vec() } else { n.to_le_bytes().to_vec() }
    }

    /// Four bytes.
    pub(super) fn u32(self, n: u32) -> Vec<u8> {
        if self.big { n.to_be_bytes().to_vec() } else { n.to_le_bytes().to_vec() }
    }

    /// The header of a pcap file.
    pub(super) fn pcap(self, magic: u32, link: u32) -> Vec<u8> {
        let version = [self.u16(2), self.u16(4)].concat();
        [self.u32(magic), version, vec![0; 8], self.u32(65535), self.u32(link)].concat()
    }

    /// A packet of a pcap file.
    pub(super) fn pcap_packet(self, time: (u32, u32), original_len: u32, data: &[u8]) -> Vec<u8> {
        let head = [time.0, time.1, data.len() as u32, original_len].map(|n| self.u32(n)).concat();
        [head, data.to_vec()].concat()
    }

    /// A pcapng block.
    pub(super) fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
        let padding = vec![0; body.len().next_multiple_of(4) - body.len()];
        let len = self.u32((12 + body.len() + padding.len()) as u32);
        [self.u32(kind), len.clone(), body.to_vec(), padding, len].concat()
    }

    /// A section header.
    pub(super) fn section(self) -> Vec<u8> {
        let body = [self.u32(0x1a2b_3c4d), self.u16(1), self.u16(0), vec![0xff; 8]].concat();
        self.block(0x0a0d_0d0a, &body)
    }

    /// An interface with a time resolution, whose times are to be moved by ten seconds.
    pub(super) fn interface(self, link: u16, snaplen: u32, resolution: u8) -> Vec<u8> {
        let ten = if self.big { 10i64.to_be_bytes() } else { 10i64.to_le_bytes() };
        let resolution = [self.u16(9), self.u16(1), vec![resolution, 0, 0, 0]].concat();
        let offset = [self.u16(14), self.u16(8), ten.to_vec()].concat();
        let link = [self.u16(link), self.u16(0), self.u32(snaplen)].concat();
        self.block(1, &[link, resolution, offset, vec![0; 4]].concat())
    }

    /// An enhanced packet block.
    pub(super) fn packet(self, interface: u32, ticks: u64, original_len: u32, data: &[u8]) -> Vec<u8> {
        let head = [interface, (ticks >> 32) as u32, ticks as u32, data.len() as u32, original_len];
        self.block(6, &[head.map(|n| self.u32(n)).concat(), data.to_vec()].concat())
    }
}
