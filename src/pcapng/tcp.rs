//! A TCP connection as it could have been on a wire: sequence numbers, acknowledgements, checksums.

use std::net::{IpAddr, SocketAddr};

use etherparse::{IpNumber, Ipv4Header, Ipv6Header, TcpHeader, TcpOptionElement};

/// The most data in a segment, in bytes; both ends announce it.
pub(super) const SEGMENT: u16 = 16 << 10;
/// More than is ever on its way.
const WINDOW: u16 = u16::MAX;
/// So many segments with data get one acknowledgement of their own, if no data goes the other way before.
const ACKNOWLEDGED_TOGETHER: u8 = 2;
const HOPS: u8 = 64;

/// One of the two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Client,
    Server,
}

impl End {
    /// The client, or the server.
    pub(super) fn client(yes: bool) -> Self {
        if yes { End::Client } else { End::Server }
    }

    /// The other one.
    pub(super) fn peer(self) -> Self {
        Self::client(self == End::Server)
    }
}

/// What one end has sent.
#[derive(Debug)]
struct Sent {
    address: SocketAddr,
    /// The sequence number of what it sends next.
    next: u32,
    /// Segments with data that the other end has not yet acknowledged.
    waiting: u8,
    finished: bool,
}

/// A connection. Its methods return the next segment and count it as sent.
#[derive(Debug)]
pub(super) struct Tcp {
    client: Sent,
    server: Sent,
}

impl Tcp {
    /// Nothing is sent yet. The addresses are of one family.
    pub(super) fn new(client: SocketAddr, server: SocketAddr, [client_next, server_next]: [u32; 2]) -> Self {
        let sent = |address, next| Sent { address, next, waiting: 0, finished: false };
        Self { client: sent(client, client_next), server: sent(server, server_next) }
    }

    /// The client's address, then the server's.
    pub(super) fn addresses(&self) -> [SocketAddr; 2] {
        [self.client.address, self.server.address]
    }

    /// Whether this end has sent its last byte.
    pub(super) fn finished(&self, end: End) -> bool {
        match end {
            End::Client => self.client.finished,
            End::Server => self.server.finished,
        }
    }

    /// SYN from the client, SYN and ACK from the server.
    pub(super) fn open(&mut self, end: End) -> Segment {
        let mut segment = self.segment(end, 1);
        segment.tcp.syn = true;
        if end == End::Client {
            segment.tcp.ack = false;
            segment.tcp.acknowledgment_number = 0;
        }
        // one option fits into the 40 bytes that there are
        let _ = segment.tcp.set_options(&[TcpOptionElement::MaximumSegmentSize(SEGMENT)]);
        segment
    }

    /// The head of a segment with `len` bytes of data, [`SEGMENT`] at most.
    pub(super) fn data(&mut self, end: End, len: usize, push: bool) -> Segment {
        let mut segment = self.segment(end, len as u32);
        segment.tcp.psh = push;
        self.sent(end).waiting += 1;
        segment
    }

    /// What this end's peer answers at once.
    pub(super) fn acknowledge(&mut self, end: End) -> Option<Segment> {
        (self.sent(end).waiting >= ACKNOWLEDGED_TOGETHER).then(|| self.ack(end.peer()))
    }

    /// An acknowledgement of all that the peer has sent.
    pub(super) fn ack(&mut self, end: End) -> Segment {
        self.segment(end, 0)
    }

    /// The end of this end's data.
    pub(super) fn finish(&mut self, end: End) -> Segment {
        let mut segment = self.segment(end, 1);
        segment.tcp.fin = true;
        self.sent(end).finished = true;
        segment
    }

    /// The end of the connection.
    pub(super) fn reset(&mut self, end: End) -> Segment {
        let mut segment = self.segment(end, 0);
        segment.tcp.rst = true;
        segment.tcp.window_size = 0;
        segment
    }

    /// A segment that takes so many sequence numbers. It acknowledges all that was sent the other way.
    fn segment(&mut self, end: End, len: u32) -> Segment {
        let theirs = self.sent(end.peer());
        theirs.waiting = 0;
        let (dst, ack) = (theirs.address, theirs.next);
        let ours = self.sent(end);
        let src = ours.address;
        let mut tcp = TcpHeader::new(src.port(), dst.port(), ours.next, WINDOW);
        ours.next = ours.next.wrapping_add(len);
        tcp.ack = true;
        tcp.acknowledgment_number = ack;
        Segment { src: src.ip(), dst: dst.ip(), tcp }
    }

    fn sent(&mut self, end: End) -> &mut Sent {
        match end {
            End::Client => &mut self.client,
            End::Server => &mut self.server,
        }
    }
}

/// A segment without its data.
#[derive(Debug)]
pub(super) struct Segment {
    src: IpAddr,
    dst: IpAddr,
    tcp: TcpHeader,
}

impl Segment {
    /// Appends the IP packet with this segment and its data.
    pub(super) fn put(mut self, data: &[u8], out: &mut Vec<u8>) {
        // a checksum is there for all that fits into a packet, and SEGMENT does
        let len = self.tcp.header_len_u16() + data.len() as u16;
        match (self.src, self.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                let mut ip = Ipv4Header {
                    total_len: Ipv4Header::MIN_LEN as u16 + len,
                    time_to_live: HOPS,
                    protocol: IpNumber::TCP,
                    source: src.octets(),
                    destination: dst.octets(),
                    dont_fragment: true,
                    ..Ipv4Header::default()
                };
                ip.header_checksum = ip.calc_header_checksum();
                out.extend(ip.to_bytes());
                self.tcp.checksum = self.tcp.calc_checksum_ipv4(&ip, data).unwrap_or_default();
            }
            (src, dst) => {
                let octets = |ip: IpAddr| match ip {
                    IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
                    IpAddr::V6(ip) => ip.octets(),
                };
                let ip = Ipv6Header {
                    payload_length: len,
                    next_header: IpNumber::TCP,
                    hop_limit: HOPS,
                    source: octets(src),
                    destination: octets(dst),
                    ..Ipv6Header::default()
                };
                out.extend(ip.to_bytes());
                self.tcp.checksum = self.tcp.calc_checksum_ipv6(&ip, data).unwrap_or_default();
            }
        }
        out.extend(self.tcp.to_bytes());
        out.extend(data);
    }
}
