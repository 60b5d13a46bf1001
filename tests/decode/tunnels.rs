//! Captures from overlays, and of packets in fragments: what is in them is shown as if nothing were around it. That the
//! tunnels are made rightly Wireshark tells, which takes them apart by itself.

use serde_json::Value;

use crate::common::packets::{self, Packet, Wire, conversation};
use crate::common::{Scratch, capture, plain_tshark};
use crate::{json, without};

const ETHERNET: usize = 14;

fn ether_type(frame: &[u8]) -> [u8; 2] {
    [frame[12], frame[13]]
}

/// An Ethernet frame.
fn ethernet(kind: [u8; 2], payload: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 1, 1, 2, 0, 0, 0, 1, 2], &kind[..], payload].concat()
}

fn ipv4(number: u8, payload: &[u8]) -> Vec<u8> {
    let [l0, l1] = ((20 + payload.len()) as u16).to_be_bytes();
    let head = [0x45, 0, l0, l1, 0, 0, 0x40, 0, 64, number, 0, 0, 198, 51, 100, 1, 198, 51, 100, 2];
    ethernet([8, 0], &[&head, payload].concat())
}

fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let [l0, l1] = (payload.len() as u16).to_be_bytes();
    let mut head = vec![0x60, 0, 0, 0, l0, l1, next, 64];
    for last in [1, 2] {
        head.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    ethernet([0x86, 0xdd], &[&head, payload].concat())
}

fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let ([p0, p1], [l0, l1]) = (port.to_be_bytes(), ((8 + payload.len()) as u16).to_be_bytes());
    [&[0xc0, 0, p0, p1, l0, l1, 0, 0], payload].concat()
}

fn vxlan(frame: &[u8]) -> Vec<u8> {
    udp(4789, &[&[8, 0, 0, 0, 0, 0, 42, 0], frame].concat())
}

/// A tunnel, and how it is made around a frame.
type Tunnel = (&'static str, fn(&[u8]) -> Vec<u8>);

const TUNNELS: [Tunnel; 14] = [
    ("VLAN", |frame| ethernet([0x81, 0], &[&[0, 5], &frame[12..]].concat())),
    ("QinQ", |frame| ethernet([0x88, 0xa8], &[&[0, 5, 0x81, 0, 0, 6], &frame[12..]].concat())),
    ("VXLAN", |frame| ipv4(17, &vxlan(frame))),
    ("VXLAN in IPv6", |frame| ipv6(17, &vxlan(frame))),
    ("Geneve", |frame| ipv4(17, &udp(6081, &[&[0, 0, 0x65, 0x58, 0, 0, 42, 0], frame].concat()))),
    ("Geneve with an option", |frame| {
        let head = [2, 0, 0x65, 0x58, 0, 0, 42, 0, 1, 2, 0x80, 1, 9, 9, 9, 9];
        ipv4(17, &udp(6081, &[&head, frame].concat()))
    }),
    ("GRE", |frame| {
        let [k0, k1] = ether_type(frame);
        ipv4(47, &[&[0, 0, k0, k1], &frame[ETHERNET..]].concat())
    }),
    ("GRE with key and sequence number", |frame| {
        let [k0, k1] = ether_type(frame);
        ipv4(47, &[&[0x30, 0, k0, k1, 0, 0, 0, 7, 0, 0, 0, 9], &frame[ETHERNET..]].concat())
    }),
    ("NVGRE", |frame| ipv4(47, &[&[0x20, 0, 0x65, 0x58, 0, 0, 42, 0], frame].concat())),
    ("IP in IPv4", |frame| ipv4(if ether_type(frame) == [8, 0] { 4 } else { 41 }, &frame[ETHERNET..])),
    ("IP in IPv6", |frame| ipv6(if ether_type(frame) == [8, 0] { 4 } else { 41 }, &frame[ETHERNET..])),
    ("MPLS", |frame| ethernet([0x88, 0x47], &[&[0, 1, 0x40, 64, 0, 2, 1, 64], &frame[ETHERNET..]].concat())),
    ("Ethernet over MPLS", |frame| ethernet([0x88, 0x47], &[&[0, 3, 1, 64, 0, 0, 0, 0], frame].concat())),
    ("PPPoE", |frame| {
        let ppp = if ether_type(frame) == [8, 0] { 0x21 } else { 0x57 };
        let [l0, l1] = ((2 + frame.len() - ETHERNET) as u16).to_be_bytes();
        ethernet([0x88, 0x64], &[&[0x11, 0, 0, 1, l0, l1, 0, ppp], &frame[ETHERNET..]].concat())
    }),
];

/// Two connections, of IPv4 and IPv6, whose client's ports begin with this one.
fn from_port(port: u16) -> Vec<Packet> {
    let mut wire = Wire::new();
    let (v4, v6) = (format!("192.0.2.1:{port}"), format!("[2001:db8:1::1]:{}", port + 1));
    wire.connection(&v4, "192.0.2.2:3300", &conversation(&capture("crc-mon-cephx.pcap")));
    wire.connection(&v6, "[2001:db8:1::2]:3300", &conversation(&capture("none-mon.pcap")));
    wire.packets
}

fn plain() -> Vec<Packet> {
    from_port(20_000)
}

fn each(packets: &[Packet], make: impl Fn(&[u8]) -> Vec<u8>) -> Vec<Packet> {
    packets.iter().map(|packet| Packet { time: packet.time, bytes: make(&packet.bytes) }).collect()
}

fn lines(scratch: &Scratch, packets: &[Packet], unlike: &[&str]) -> Vec<Value> {
    let path = scratch.file("capture.pcap");
    packets::write(&path, packets);
    let (lines, said) = json([&path]);
    assert_eq!(said, "");
    lines.iter().map(|line| without(line, unlike)).collect()
}

/// The TCP segments that Wireshark finds: connection, ports, length.
fn segments(scratch: &Scratch, packets: &[Packet]) -> Vec<String> {
    let path = scratch.file("segments.pcap");
    packets::write(&path, packets);
    let fields = ["-Tfields", "-etcp.stream", "-etcp.srcport", "-etcp.len", "-Y", "tcp"];
    let fragments = ["-o", "ip.defragment:TRUE", "-o", "ipv6.defragment:TRUE"];
    // the built-in dissector of the legacy messenger takes the payload apart, which is no concern here; and which label is
    // a pseudowire's has to be said
    let options = ["--disable-protocol", "ceph", "-d", "mpls.label==48,pwethcw"].into_iter().chain(fragments);
    plain_tshark(&path, fields.into_iter().chain(options)).lines().map(str::to_owned).collect()
}

#[test]
fn what_is_in_a_tunnel_is_shown_as_without_it() {
    let scratch = Scratch::new();
    let plain = plain();
    let expected = lines(&scratch, &plain, &[]);
    assert!(expected.len() > 25, "{}", expected.len());
    for (name, tunnel) in TUNNELS {
        assert_eq!(lines(&scratch, &each(&plain, tunnel), &[]), expected, "{name}");
    }
    // one in the other
    let nested = each(&plain, |frame| TUNNELS.iter().take(6).fold(frame.to_vec(), |frame, (_, tunnel)| tunnel(&frame)));
    assert_eq!(lines(&scratch, &nested, &[]), expected);
}

#[test]
fn wireshark_takes_the_tunnels_and_fragments_for_some() {
    let scratch = Scratch::new();
    let (mut bare, mut around) = (Vec::new(), Vec::new());
    for (n, (_, tunnel)) in TUNNELS.into_iter().enumerate() {
        let plain = from_port(20_000 + 2 * n as u16);
        around.extend(each(&plain, tunnel));
        bare.extend(plain);
    }
    let expected = segments(&scratch, &bare);
    assert_eq!(segments(&scratch, &around), expected);
    let cut = around.iter().enumerate().filter(|(_, packet)| is_ip(&packet.bytes));
    let cut =
        cut.flat_map(|(n, packet)| fragments(&packet.bytes, n as u32).map(|bytes| Packet { time: packet.time, bytes }));
    let cut: Vec<Packet> = cut.collect();
    let whole: Vec<Packet> = around.iter().filter(|packet| is_ip(&packet.bytes)).cloned().collect();
    assert_eq!(segments(&scratch, &cut), segments(&scratch, &whole));
}

/// Whether there is nothing between Ethernet and IP.
fn is_ip(frame: &[u8]) -> bool {
    [[8, 0], [0x86, 0xdd]].contains(&ether_type(frame))
}

/// The two fragments of a packet: cut where its payload has a multiple of eight bytes.
fn fragments(frame: &[u8], id: u32) -> [Vec<u8>; 2] {
    let ip = &frame[ETHERNET..];
    let v4 = ether_type(frame) == [8, 0];
    let (head, payload) = ip.split_at(if v4 { 20 } else { 40 });
    let (one, two) = payload.split_at((payload.len() / 16 * 8).max(8));
    let (second, more) = ((one.len() as u16).to_be_bytes(), [one, two]);
    let mut made = more.iter().enumerate().map(|(n, bytes)| {
        let mut head = head.to_vec();
        if v4 {
            head[2..4].copy_from_slice(&((20 + bytes.len()) as u16).to_be_bytes());
            head[4..6].copy_from_slice(&(id as u16).to_be_bytes());
            let offset = u16::from_be_bytes(second) / 8;
            head[6..8].copy_from_slice(&(if n == 0 { 0x2000 } else { offset }).to_be_bytes());
        } else {
            head[4..6].copy_from_slice(&((8 + bytes.len()) as u16).to_be_bytes());
            let next = std::mem::replace(&mut head[6], 44);
            let offset = if n == 0 { [0, 1] } else { second };
            head.extend([next, 0, offset[0], offset[1]]);
            head.extend(id.to_be_bytes());
        }
        ethernet(ether_type(frame), &[&head, *bytes].concat())
    });
    [made.next().unwrap(), made.next().unwrap()]
}

#[test]
fn fragments_are_put_together() {
    let scratch = Scratch::new();
    let plain = plain();
    // a frame ends in another packet now, and the clock stands still for the second fragment
    let unlike = ["packet"];
    let expected = lines(&scratch, &plain, &unlike);
    let tunnels: [Tunnel; 3] = [("nothing", |frame| frame.to_vec()), TUNNELS[2], TUNNELS[3]];
    for (name, tunnel) in tunnels {
        for (order, fill) in [([0, 1], 1), ([1, 0], 1), ([1, 0], 2)] {
            let mut cut = Vec::new();
            for (n, packet) in each(&plain, tunnel).iter().enumerate() {
                let both = fragments(&packet.bytes, n as u32);
                for at in order {
                    // a copy of each, perhaps
                    cut.extend(vec![Packet { time: packet.time, bytes: both[at].clone() }; fill]);
                }
            }
            assert_eq!(lines(&scratch, &cut, &unlike), expected, "in {name}, {order:?}");
        }
    }
}

#[test]
fn a_fragment_that_is_missing_is_said() {
    let scratch = Scratch::new();
    let path = scratch.file("lost.pcap");
    let plain = plain();
    let mut cut: Vec<Packet> = plain.clone();
    let large = plain.iter().position(|packet| packet.bytes.len() > 200).unwrap();
    cut[large].bytes = fragments(&plain[large].bytes, 7)[0].clone();
    packets::write(&path, &cut);
    let (lines, said) = json([&path]);
    assert!(lines.len() > 20);
    assert_eq!(said, "msgr2: passed over: 1 IP packet(s) of which not all fragments were captured\n");
}

#[test]
fn a_nesting_bomb_costs_nothing() {
    let scratch = Scratch::new();
    let path = scratch.file("bomb.pcap");
    let bomb = (0..2000).fold(plain()[3].bytes[ETHERNET..].to_vec(), |ip, _| ipv4(4, &ip)[ETHERNET..].to_vec());
    let frame = ethernet([8, 0], &bomb);
    let packets: Vec<Packet> = (0..500).map(|time| Packet { time, bytes: frame.clone() }).collect();
    packets::write(&path, &packets);
    let (lines, said) = json([&path]);
    let nothing = "msgr2: no frame of msgr2 in 500 packet(s), 0 of them of TCP\n";
    let why = "msgr2: passed over: 500 packet(s) whose headers are cut off or make no sense\n";
    assert_eq!((lines.len(), said), (0, format!("{nothing}{why}")));
}
