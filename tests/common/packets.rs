//! Captures of the old simple format, read and written, and TCP connections made up from their segments.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

/// A packet as captured.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    /// Microseconds since 1970.
    pub time: u64,
    /// What was captured.
    pub bytes: Vec<u8>,
}

/// What a TCP packet says.
#[derive(Clone, Debug)]
pub(crate) struct Tcp {
    pub ports: (u16, u16),
    pub seq: u32,
    pub syn: bool,
    pub fin: bool,
    /// Where the payload begins in the packet.
    pub payload: usize,
}

const MAGIC: u32 = 0xa1b2_c3d4;
const ETHERNET: usize = 14;

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// Reads a pcap file of Ethernet packets, or of IPv4 packets without; these get a header.
pub(crate) fn read(path: &Path) -> Vec<Packet> {
    let bytes = fs::read(path).unwrap();
    assert_eq!(u32_at(&bytes, 0), MAGIC, "{}", path.display());
    let header = match u32_at(&bytes, 20) {
        1 => &[][..],
        101 => &[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0][..],
        other => panic!("link type {other} in {}", path.display()),
    };
    let (mut at, mut packets) = (24, Vec::new());
    while at < bytes.len() {
        let length = u32_at(&bytes, at + 8) as usize;
        let time = u64::from(u32_at(&bytes, at)) * 1_000_000 + u64::from(u32_at(&bytes, at + 4));
        packets.push(Packet { time, bytes: [header, &bytes[at + 16..at + 16 + length]].concat() });
        at += 16 + length;
    }
    packets
}

/// Writes one.
pub(crate) fn write<'p>(path: &Path, packets: impl IntoIterator<Item = &'p Packet>) {
    let mut out = Vec::new();
    for word in [MAGIC, 2 | 4 << 16, 0, 0, 262_144, 1] {
        out.extend(word.to_le_bytes());
    }
    for packet in packets {
        let length = packet.bytes.len() as u32;
        for word in [(packet.time / 1_000_000) as u32, (packet.time % 1_000_000) as u32, length, length] {
            out.extend(word.to_le_bytes());
        }
        out.extend(&packet.bytes);
    }
    fs::write(path, out).unwrap();
}

/// The TCP header of an IPv4 packet.
pub(crate) fn tcp(packet: &Packet) -> Tcp {
    let ip = &packet.bytes[ETHERNET..];
    assert_eq!((ip[0] >> 4, ip[9]), (4, 6), "IPv4 and TCP");
    let head = usize::from(ip[0] & 15) * 4;
    let tcp = &ip[head..];
    Tcp {
        ports: (u16::from_be_bytes([tcp[0], tcp[1]]), u16::from_be_bytes([tcp[2], tcp[3]])),
        seq: u32::from_be_bytes(tcp[4..8].try_into().unwrap()),
        syn: tcp[13] & SYN != 0,
        fin: tcp[13] & FIN != 0,
        payload: ETHERNET + head + usize::from(tcp[12] >> 4) * 4,
    }
}

/// Puts other ports in the place of one.
pub(crate) fn change_port(packets: &mut [Packet], from: u16, to: u16) {
    for packet in packets {
        let head = ETHERNET + usize::from(packet.bytes[ETHERNET] & 15) * 4;
        for at in [head, head + 2] {
            if packet.bytes[at..at + 2] == from.to_be_bytes() {
                packet.bytes[at..at + 2].copy_from_slice(&to.to_be_bytes());
            }
        }
    }
}

/// A piece of what one side of a connection says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Whether the side that connected says it.
    pub client: bool,
    pub bytes: Vec<u8>,
}

/// What is said in a capture of one connection, in order. The capture must be whole and nothing be sent twice.
pub(crate) fn conversation(path: &Path) -> Vec<Segment> {
    let packets = read(path);
    let client = tcp(&packets[0]).ports.0;
    let mut next = [None; 2];
    let mut said = Vec::new();
    for packet in &packets {
        let tcp = tcp(packet);
        let side = usize::from(tcp.ports.0 == client);
        let bytes = packet.bytes[tcp.payload..].to_vec();
        if let Some(next) = next[side] {
            assert_eq!(tcp.seq, next, "a gap in {}", path.display());
        }
        let ends = u32::from(tcp.syn) + u32::from(tcp.fin);
        next[side] = Some(tcp.seq.wrapping_add(ends).wrapping_add(bytes.len() as u32));
        if tcp.syn || bytes.is_empty() {
            continue;
        }
        said.push(Segment { client: side == 1, bytes });
    }
    said
}

/// Joins neighbours of one side.
pub(crate) fn joined(said: &[Segment]) -> Vec<Segment> {
    let mut out: Vec<Segment> = Vec::new();
    for segment in said {
        match out.last_mut() {
            Some(last) if last.client == segment.client => last.bytes.extend(&segment.bytes),
            _ => out.push(segment.clone()),
        }
    }
    out
}

/// Cuts what each side says so that no piece is longer.
pub(crate) fn cut(said: &[Segment], most: usize) -> Vec<Segment> {
    let pieces =
        |s: &Segment| s.bytes.chunks(most).map(|b| Segment { client: s.client, bytes: b.to_vec() }).collect::<Vec<_>>();
    said.iter().flat_map(pieces).collect()
}

/// Writes connections packet by packet.
pub(crate) struct Wire {
    pub packets: Vec<Packet>,
    time: u64,
}

/// One connection on it.
pub(crate) struct Connection {
    client: SocketAddr,
    server: SocketAddr,
    /// What each side sends next: server, client.
    seq: [u32; 2],
}

const SYN: u8 = 2;
const PSH: u8 = 8;
const ACK: u8 = 16;
const FIN: u8 = 1;

impl Wire {
    pub(crate) fn new() -> Self {
        Wire { packets: Vec::new(), time: 1_700_000_000_000_000 }
    }

    /// A whole connection.
    pub(crate) fn connection(&mut self, client: &str, server: &str, said: &[Segment]) {
        let mut connection = self.open(client, server);
        for segment in said {
            self.say(&mut connection, segment);
        }
        self.close(&mut connection);
    }

    pub(crate) fn open(&mut self, client: &str, server: &str) -> Connection {
        let mut c =
            Connection { client: client.parse().unwrap(), server: server.parse().unwrap(), seq: [900_000, 100_000] };
        self.packet(&c, true, c.seq[1], SYN, &[]);
        c.seq[1] += 1;
        self.packet(&c, false, c.seq[0], SYN | ACK, &[]);
        c.seq[0] += 1;
        self.packet(&c, true, c.seq[1], ACK, &[]);
        c
    }

    /// A segment, and that it has arrived.
    pub(crate) fn say(&mut self, c: &mut Connection, segment: &Segment) {
        self.segment(c, segment, 0);
        c.seq[usize::from(segment.client)] += segment.bytes.len() as u32;
        self.packet(c, !segment.client, c.seq[usize::from(!segment.client)], ACK, &[]);
    }

    /// A segment so many bytes behind the next that is due; no account is taken of it.
    pub(crate) fn segment(&mut self, c: &Connection, segment: &Segment, ahead: i64) {
        let seq = (i64::from(c.seq[usize::from(segment.client)]) + ahead) as u32;
        self.packet(c, segment.client, seq, PSH | ACK, &segment.bytes);
    }

    /// Accounts for bytes that are, or will be, sent by [`Wire::segment`].
    pub(crate) fn skip(&mut self, c: &mut Connection, client: bool, length: usize) {
        c.seq[usize::from(client)] += length as u32;
    }

    pub(crate) fn close(&mut self, c: &mut Connection) {
        self.packet(c, true, c.seq[1], FIN | ACK, &[]);
        c.seq[1] += 1;
        self.packet(c, false, c.seq[0], FIN | ACK, &[]);
        c.seq[0] += 1;
        self.packet(c, true, c.seq[1], ACK, &[]);
    }

    fn packet(&mut self, c: &Connection, client: bool, seq: u32, flags: u8, payload: &[u8]) {
        let (from, to) = if client { (c.client, c.server) } else { (c.server, c.client) };
        let ack = if flags == SYN { 0 } else { c.seq[usize::from(!client)] };
        let mut tcp = Vec::new();
        tcp.extend(from.port().to_be_bytes());
        tcp.extend(to.port().to_be_bytes());
        tcp.extend(seq.to_be_bytes());
        tcp.extend(ack.to_be_bytes());
        tcp.extend([5 << 4, flags, 0xff, 0xff, 0, 0, 0, 0]);
        tcp.extend(payload);

        let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        match (from.ip(), to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                bytes.extend([8, 0, 0x45, 0]);
                bytes.extend((20 + tcp.len() as u16).to_be_bytes());
                bytes.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
                bytes.extend(from.octets().into_iter().chain(to.octets()));
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                bytes.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
                bytes.extend((tcp.len() as u16).to_be_bytes());
                bytes.extend([6, 64]);
                bytes.extend(from.octets().into_iter().chain(to.octets()));
            }
            _ => panic!("both of one family"),
        }
        bytes.extend(tcp);
        self.packets.push(Packet { time: self.time, bytes });
        self.time += 50;
    }
}
