use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use etherparse::{Ipv6Header, NetSlice, SlicedPacket, TransportSlice};
use pcap_parser::traits::PcapNGPacketBlock as _;
use pcap_parser::{Block, OptionCode, parse_block_le};

use super::*;

const TIME: u64 = 1_700_000_000_123_456_789;

fn at(after: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(TIME + after)
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn four() -> [SocketAddr; 2] {
    [address("192.0.2.1:40000"), address("192.0.2.2:3300")]
}

fn six() -> [SocketAddr; 2] {
    [address("[2001:db8::1]:40000"), address("[2001:db8::2]:3300")]
}

/// A packet that was read back.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Packet {
    time: u64,
    src: SocketAddr,
    dst: SocketAddr,
    flags: String,
    seq: u32,
    ack: u32,
    data: Vec<u8>,
    comment: Option<String>,
}

/// Packets and secrets of a file, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Packet(Packet),
    Secrets(u32, Vec<u8>),
}

fn read(mut file: &[u8]) -> Vec<Item> {
    let (mut items, mut heads) = (Vec::new(), 0);
    while !file.is_empty() {
        assert_eq!(file.len() % 4, 0);
        let (rest, block) = parse_block_le(file).unwrap();
        file = rest;
        match (heads, block) {
            (0, Block::SectionHeader(section)) => {
                assert_eq!((section.major_version, section.minor_version, section.section_len), (1, 0, -1));
                heads = 1;
            }
            (1, Block::InterfaceDescription(interface)) => {
                assert_eq!((interface.linktype.0, interface.snaplen, interface.if_tsresol), (101, 0, 9));
                heads = 2;
            }
            (2, Block::EnhancedPacket(block)) => {
                assert_eq!((block.if_id, block.caplen), (0, block.origlen));
                let comment = block.options.iter().find(|o| o.code == OptionCode::Comment);
                let comment = comment.map(|o| String::from_utf8(o.as_bytes().unwrap().to_vec()).unwrap());
                let time = u64::from(block.ts_high) << 32 | u64::from(block.ts_low);
                items.push(Item::Packet(packet(time, comment, block.packet_data())));
            }
            (2, Block::DecryptionSecrets(block)) => {
                let (secrets, padding) = block.data.split_at(block.secrets_len as usize);
                assert!(padding.len() < 4 && padding.iter().all(|&b| b == 0), "{padding:?}");
                items.push(Item::Secrets(block.secrets_type.0, secrets.to_vec()));
            }
            (_, other) => panic!("{other:?}"),
        }
    }
    assert_eq!(heads, 2);
    items
}

/// Takes a packet apart; lengths and checksums must be right.
fn packet(time: u64, comment: Option<String>, bytes: &[u8]) -> Packet {
    let sliced = SlicedPacket::from_ip(bytes).unwrap();
    let Some(TransportSlice::Tcp(tcp)) = sliced.transport else { panic!("{sliced:?}") };
    let header = tcp.to_header();
    let (src, dst, sum): (IpAddr, IpAddr, _) = match sliced.net.unwrap() {
        NetSlice::Ipv4(ip) => {
            let ip = ip.header().to_header();
            assert_eq!((usize::from(ip.total_len), ip.header_checksum), (bytes.len(), ip.calc_header_checksum()));
            let sum = header.calc_checksum_ipv4(&ip, tcp.payload()).unwrap();
            (ip.source.into(), ip.destination.into(), sum)
        }
        NetSlice::Ipv6(ip) => {
            let ip = ip.header().to_header();
            assert_eq!(usize::from(ip.payload_length) + Ipv6Header::LEN, bytes.len());
            let sum = header.calc_checksum_ipv6(&ip, tcp.payload()).unwrap();
            (ip.source.into(), ip.destination.into(), sum)
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(header.checksum, sum);
    let flags = [(header.syn, 'S'), (header.fin, 'F'), (header.rst, 'R'), (header.psh, 'P'), (header.ack, '.')];
    Packet {
        time,
        src: SocketAddr::new(src, header.source_port),
        dst: SocketAddr::new(dst, header.destination_port),
        flags: flags.iter().filter(|(set, _)| *set).map(|(_, letter)| letter).collect(),
        seq: header.sequence_number,
        ack: header.acknowledgment_number,
        data: tcp.payload().to_vec(),
        comment,
    }
}

fn packets(file: &[u8]) -> Vec<Packet> {
    let packet = |item| match item {
        Item::Packet(packet) => packet,
        other => panic!("{other:?}"),
    };
    read(file).into_iter().map(packet).collect()
}

/// From the client?, flags, and numbers counted from where each side began.
type Line<'a> = (bool, &'a str, u32, u32, usize);

fn lines(packets: &[Packet]) -> Vec<Line<'_>> {
    let (client, first) = (packets[0].src, [packets[0].seq, packets[1].seq]);
    let line = |p: &'_ Packet| {
        let [ours, theirs] = if p.src == client { first } else { [first[1], first[0]] };
        (p.src == client, p.seq.wrapping_sub(ours), if p.flags == "S" { 0 } else { p.ack.wrapping_sub(theirs) })
    };
    packets
        .iter()
        .map(|p| {
            let (from_client, seq, ack) = line(p);
            (from_client, p.flags.as_str(), seq, ack, p.data.len())
        })
        .collect()
}

fn refused<T>(result: io::Result<T>) -> String {
    let error = result.map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    error.to_string()
}

#[test]
fn a_conversation_of_either_family() {
    for [client, server] in [four(), six()] {
        let mut writer = Writer::new(Vec::new()).unwrap();
        let connection = writer.connection(client, server, at(0)).unwrap();
        writer.data(connection, true, b"hello", at(1)).unwrap();
        writer.data(connection, false, b"you too", at(2)).unwrap();
        writer.data(connection, false, b"", at(3)).unwrap();
        assert!(writer.is_open(connection));
        writer.close(connection, false, at(4)).unwrap();
        assert!(!writer.is_open(connection));
        let packets = packets(&writer.into_inner());
        assert_eq!(
            lines(&packets),
            [
                (true, "S", 0, 0, 0),
                (false, "S.", 0, 1, 0),
                (true, ".", 1, 1, 0),
                (true, "P.", 1, 1, 5),
                (false, "P.", 1, 6, 7),
                (false, "F.", 8, 6, 0),
                (true, ".", 6, 9, 0),
                (true, "F.", 6, 9, 0),
                (false, ".", 9, 7, 0),
            ]
        );
        assert_eq!((packets[0].src, packets[0].dst, packets[1].src), (client, server, server));
        assert_eq!((packets[3].data.as_slice(), packets[4].data.as_slice()), (&b"hello"[..], &b"you too"[..]));
        assert_eq!(packets.iter().map(|p| p.time - TIME).collect::<Vec<_>>(), [0, 0, 0, 1, 2, 4, 4, 4, 4]);
    }
}

#[test]
fn long_data_is_cut_and_acknowledged() {
    let [client, server] = four();
    let mut writer = Writer::new(Vec::new()).unwrap();
    let connection = writer.connection(client, server, at(0)).unwrap();
    let bytes: Vec<u8> = (0..3 * 16384 + 1).map(|i| (i / 100) as u8).collect();
    writer.data(connection, true, &bytes, at(1)).unwrap();
    // one of the peer's own acknowledges as well
    writer.data(connection, true, b"x", at(2)).unwrap();
    writer.data(connection, false, b"y", at(2)).unwrap();
    writer.data(connection, true, b"z", at(2)).unwrap();
    let packets = packets(writer.get_ref());
    assert_eq!(
        lines(&packets)[3..],
        [
            (true, ".", 1, 1, 16384),
            (true, ".", 16385, 1, 16384),
            (false, ".", 1, 32769, 0),
            (true, ".", 32769, 1, 16384),
            (true, "P.", 49153, 1, 1),
            (false, ".", 1, 49154, 0),
            (true, "P.", 49154, 1, 1),
            (false, "P.", 1, 49155, 1),
            (true, "P.", 49155, 2, 1),
        ]
    );
    let sent = packets.iter().filter(|p| p.src == client && p.time == TIME + 1);
    assert!(sent.flat_map(|p| p.data.clone()).collect::<Vec<_>>() == bytes);
}

#[test]
fn sequence_numbers_begin_again_at_zero() {
    let [client, server] = six();
    let mut writer = Writer::new(Vec::new()).unwrap();
    let connection = writer.begin(Tcp::new(client, server, [u32::MAX - 3, u32::MAX]), TIME).unwrap();
    for from_client in [true, false, true] {
        writer.data(connection, from_client, b"abcdef", at(0)).unwrap();
    }
    writer.close(connection, true, at(0)).unwrap();
    let packets = packets(writer.get_ref());
    let numbers: Vec<_> = packets.iter().map(|p| (p.seq, p.ack)).collect();
    let max = u32::MAX;
    let expected =
        [[(max - 3, 0), (max, max - 2), (max - 2, 0)], [(max - 2, 0), (0, 3), (3, 6)], [(9, 6), (6, 10), (6, 10)]];
    assert_eq!(numbers, [expected.concat(), vec![(10, 7)]].concat());
}

#[test]
fn one_side_may_go_on() {
    let [client, server] = four();
    let mut writer = Writer::new(Vec::new()).unwrap();
    let connection = writer.connection(client, server, at(0)).unwrap();
    writer.shut_down(connection, true, at(1)).unwrap();
    writer.shut_down(connection, true, at(1)).unwrap();
    assert_eq!(refused(writer.data(connection, true, b"a", at(2))), "this side of the connection is shut down");
    writer.data(connection, false, b"late", at(2)).unwrap();
    writer.close(connection, true, at(3)).unwrap();
    let refusals = [
        refused(writer.data(connection, false, b"a", at(4))),
        refused(writer.shut_down(connection, false, at(4))),
        refused(writer.close(connection, false, at(4))),
        refused(writer.reset(connection, false, at(4))),
    ];
    assert!(refusals.iter().all(|r| r == "the connection is closed"), "{refusals:?}");
    assert_eq!(
        lines(&packets(writer.get_ref()))[3..],
        [
            (true, "F.", 1, 1, 0),
            (false, ".", 1, 2, 0),
            (false, "P.", 1, 2, 4),
            (false, "F.", 5, 2, 0),
            (true, ".", 2, 6, 0),
        ]
    );
}

#[test]
fn connections_are_told_apart() {
    let [client, server] = four();
    let mut writer = Writer::new(Vec::new()).unwrap();
    let one = writer.connection(client, server, at(0)).unwrap();
    let taken = "a connection between these addresses and ports is open";
    assert_eq!(refused(writer.connection(client, server, at(0))), taken);
    assert_eq!(refused(writer.connection(server, client, at(0))), taken);
    let mapped = |a: SocketAddr| SocketAddr::new(IpAddr::V6("::ffff:0:0".parse().unwrap()), a.port());
    let two = writer.connection(mapped(client), mapped(server), at(0)).unwrap();
    for (connection, from_client, bytes) in [(one, true, b"1"), (two, true, b"2"), (one, false, b"3")] {
        writer.data(connection, from_client, bytes, at(0)).unwrap();
    }
    writer.reset(one, false, at(1)).unwrap();
    writer.data(two, false, b"4", at(2)).unwrap();
    let again = writer.connection(client, server, at(3)).unwrap();
    assert!(writer.is_open(two) && writer.is_open(again) && !writer.is_open(one));
    let packets = packets(writer.get_ref());
    let of = |ip: &str, numbers: std::ops::Range<usize>| -> Vec<Packet> {
        let ip: IpAddr = ip.parse().unwrap();
        packets[numbers].iter().filter(|p| p.src.ip() == ip || p.dst.ip() == ip).cloned().collect()
    };
    let old = of("192.0.2.1", 0..11);
    assert_eq!(lines(&old)[3..], [(true, "P.", 1, 1, 1), (false, "P.", 1, 2, 1), (false, "R.", 2, 2, 0)]);
    assert_eq!(lines(&of("0.0.0.0", 0..11))[3..], [(true, "P.", 1, 1, 1), (false, "P.", 1, 2, 1)]);
    assert_ne!(old[0].seq, of("192.0.2.1", 11..14)[0].seq);
}

#[test]
fn secrets_lie_where_they_were_said() {
    let [client, server] = four();
    let mut writer = Writer::new(Vec::new()).unwrap();
    writer.secrets(0x1234_5678, b"key").unwrap();
    writer.connection(client, server, at(0)).unwrap();
    for len in [0, 1, 2, 4, 5] {
        writer.secrets(7, &vec![len; len.into()]).unwrap();
    }
    assert_eq!(refused(writer.secrets(7, &vec![0; LARGEST_SECRETS + 1])), "the secrets are too long for one block");
    writer.secrets(8, &vec![9; LARGEST_SECRETS]).unwrap();
    let items = read(writer.get_ref());
    assert_eq!(items.len(), 10);
    assert_eq!(items[0], Item::Secrets(0x1234_5678, b"key".to_vec()));
    assert_eq!(items[4..9], [0, 1, 2, 4, 5].map(|len: u8| Item::Secrets(7, vec![len; len.into()])));
    assert!(items[9] == Item::Secrets(8, vec![9; LARGEST_SECRETS]));
}

#[test]
fn a_comment_is_one_packets() {
    let [client, server] = four();
    let mut writer = Writer::new(Vec::new()).unwrap();
    let connection = writer.connection(client, server, at(0)).unwrap();
    writer.comment("no").unwrap();
    writer.comment("a reconnect").unwrap();
    assert_eq!(refused(writer.comment(&"x".repeat(65536))), "a comment has at most 65535 bytes");
    writer.data(connection, true, b"a", at(0)).unwrap();
    writer.comment(&"x".repeat(65535)).unwrap();
    writer.data(connection, true, b"b", at(0)).unwrap();
    let comments: Vec<_> = packets(writer.get_ref()).into_iter().map(|p| p.comment.unwrap_or_default()).collect();
    assert_eq!(comments, ["", "", "", "a reconnect", &"x".repeat(65535), ""]);
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let ([client, server], [six, _]) = (four(), six());
    let mut writer = Writer::new(Vec::new()).unwrap();
    let connection = writer.connection(client, server, at(0)).unwrap();
    let len = writer.get_ref().len();
    let early = UNIX_EPOCH - Duration::from_nanos(1);
    let late = UNIX_EPOCH + Duration::from_secs(u64::MAX / 1_000_000_000 + 1);
    assert_eq!(refused(writer.data(connection, true, b"a", early)), "the time is before 1970");
    assert_eq!(refused(writer.reset(connection, true, late)), "the time is after 2554");
    assert_eq!(refused(writer.close(connection, true, late)), "the time is after 2554");
    assert_eq!(refused(writer.connection(client, six, at(0))), "the addresses of a connection are of one family");
    assert_eq!(refused(writer.connection(six, six, at(0))), "a connection has two ends");
    assert_eq!(writer.get_ref().len(), len);
    writer.data(connection, true, b"a", UNIX_EPOCH + Duration::from_nanos(u64::MAX)).unwrap();
    assert_eq!(packets(writer.get_ref())[3].time, u64::MAX);
}

/// Takes so many bytes, and then fails once.
struct Full(usize, Vec<u8>);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = bytes.len().min(self.0);
        if n == 0 {
            self.0 = usize::MAX;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0 -= n;
        self.1.extend(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn nothing_follows_half_a_block() {
    let [client, server] = four();
    let mut whole = Writer::new(Vec::new()).unwrap();
    whole.connection(client, server, at(0)).unwrap();
    let len = whole.get_ref().len();
    let mut writer = Writer::new(Full(len + 50, Vec::new())).unwrap();
    let connection = writer.connection(client, server, at(0)).unwrap();
    let error = writer.data(connection, true, b"abc", at(0)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    for again in [
        writer.data(connection, true, b"abc", at(0)),
        writer.secrets(1, b"abc"),
        writer.reset(connection, true, at(0)),
        writer.flush(),
    ] {
        assert_eq!(again.unwrap_err().to_string(), "the capture ends where an earlier write failed");
    }
    assert_eq!(writer.into_inner().1.len(), len + 50);
}
