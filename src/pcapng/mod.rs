//! Capture files for who has a socket and no packets: pcapng that Wireshark opens.
//!
//! A peer tells a [`Writer`] what it has sent and received. The writer makes up the TCP connection around it:
//! handshake, segments, acknowledgements, end, with right sequence numbers and checksums. The packets have no link
//! layer (`LINKTYPE_RAW`), their times are in nanoseconds. Keys that open the traffic can go into the same file.
//!
//! ```
//! use std::time::SystemTime;
//! use msgr2::pcapng::Writer;
//!
//! # fn main() -> std::io::Result<()> {
//! let (client, server) = (([127, 0, 0, 1], 40_000).into(), ([127, 0, 0, 1], 3300).into());
//! let mut capture = Writer::new(Vec::new())?;
//! let connection = capture.connection(client, server, SystemTime::now())?;
//! capture.data(connection, true, b"ceph v2\n", SystemTime::now())?;
//! capture.data(connection, false, b"ceph v2\n", SystemTime::now())?;
//! capture.close(connection, true, SystemTime::now())?;
//! # Ok(())
//! # }
//! ```

mod block;
mod tcp;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::collections::hash_map::{Entry, HashMap};
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::{SystemTime, UNIX_EPOCH};

use block::{Blocks, invalid};
use tcp::{End, SEGMENT, Segment, Tcp};

/// The most bytes of secrets that [`Writer::secrets`] takes at a time; they make a block of 16 MiB.
pub const LARGEST_SECRETS: usize = block::LARGEST_SECRETS;

/// A connection in a capture that is being written; of use with the [`Writer`] that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Connection(u64);

/// Writes a pcapng file.
///
/// Each packet is handed to the output in one write as soon as it is known, so give it a buffered output if there is
/// much to write. In memory there are a packet, and some hundred bytes for each connection that is open. Connections
/// can be mixed in any way.
///
/// # Errors
///
/// What can't be written gives [`io::ErrorKind::InvalidInput`]; the file is as it was, and what is said next can be
/// written. An error of the output may leave half a block behind: from then on every call fails.
pub struct Writer<W> {
    blocks: Blocks<W>,
    open: HashMap<u64, Tcp>,
    /// The ends of open connections.
    ends: HashSet<Ends>,
    /// How many connections there have been.
    count: u64,
}

/// A connection's addresses and ports, the lower first: a packet doesn't tell who is the client.
type Ends = [(IpAddr, u16); 2];

impl<W: Write> Writer<W> {
    /// Begins a file.
    pub fn new(out: W) -> io::Result<Self> {
        Ok(Self { blocks: Blocks::new(out)?, open: HashMap::new(), ends: HashSet::new(), count: 0 })
    }

    /// Opens a connection, with a TCP handshake.
    ///
    /// The addresses are of one family; IPv4 in IPv6 counts as IPv4. The same two addresses and ports can't be in two
    /// open connections, whichever is the client's. Times lie between 1970 and 2554, here and below.
    pub fn connection(&mut self, client: SocketAddr, server: SocketAddr, now: SystemTime) -> io::Result<Connection> {
        let time = nanoseconds(now)?;
        let canonical = |a: SocketAddr| SocketAddr::new(a.ip().to_canonical(), a.port());
        let (client, server) = (canonical(client), canonical(server));
        if client.is_ipv4() != server.is_ipv4() {
            return Err(invalid("the addresses of a connection are of one family"));
        }
        let tcp = Tcp::new(client, server, first_numbers(self.count));
        self.begin(tcp, time)
    }

    fn begin(&mut self, mut tcp: Tcp, time: u64) -> io::Result<Connection> {
        let ends = ends(&tcp);
        if ends[0] == ends[1] {
            return Err(invalid("a connection has two ends"));
        }
        if !self.ends.insert(ends) {
            return Err(invalid("a connection between these addresses and ports is open"));
        }
        for segment in [tcp.open(End::Client), tcp.open(End::Server), tcp.ack(End::Client)] {
            put(&mut self.blocks, time, segment, &[])?;
        }
        let connection = Connection(self.count);
        self.open.insert(self.count, tcp);
        self.count += 1;
        Ok(connection)
    }

    /// Writes what one side has sent; no bytes are no packet.
    ///
    /// It becomes segments of at most 16 KiB, the last with PSH. The other side acknowledges every second one, unless
    /// it sends something itself.
    pub fn data(&mut self, connection: Connection, from_client: bool, bytes: &[u8], now: SystemTime) -> io::Result<()> {
        let (time, end) = (nanoseconds(now)?, End::client(from_client));
        let tcp = self.open.get_mut(&connection.0).ok_or_else(closed)?;
        if tcp.finished(end) {
            return Err(invalid("this side of the connection is shut down"));
        }
        let mut pieces = bytes.chunks(SEGMENT.into()).peekable();
        while let Some(piece) = pieces.next() {
            let segment = tcp.data(end, piece.len(), pieces.peek().is_none());
            put(&mut self.blocks, time, segment, piece)?;
            if let Some(segment) = tcp.acknowledge(end) {
                put(&mut self.blocks, time, segment, &[])?;
            }
        }
        Ok(())
    }

    /// One side sends nothing more: its FIN, and the other side's ACK. The other side may go on.
    ///
    /// When both have said so, the connection is closed. A second time changes nothing.
    pub fn shut_down(&mut self, connection: Connection, from_client: bool, now: SystemTime) -> io::Result<()> {
        let (time, end) = (nanoseconds(now)?, End::client(from_client));
        let Entry::Occupied(mut entry) = self.open.entry(connection.0) else { return Err(closed()) };
        let tcp = entry.get_mut();
        if tcp.finished(end) {
            return Ok(());
        }
        for segment in [tcp.finish(end), tcp.ack(end.peer())] {
            put(&mut self.blocks, time, segment, &[])?;
        }
        if tcp.finished(end.peer()) {
            self.ends.remove(&ends(&entry.remove()));
        }
        Ok(())
    }

    /// Closes a connection: a FIN of this side, then of the other, each with the other's ACK. A side that was shut
    /// down before has sent its FIN then.
    pub fn close(&mut self, connection: Connection, from_client: bool, now: SystemTime) -> io::Result<()> {
        self.shut_down(connection, from_client, now)?;
        if self.open.contains_key(&connection.0) {
            self.shut_down(connection, !from_client, now)?;
        }
        Ok(())
    }

    /// Breaks a connection off, with the RST of one side.
    pub fn reset(&mut self, connection: Connection, from_client: bool, now: SystemTime) -> io::Result<()> {
        let time = nanoseconds(now)?;
        let mut tcp = self.open.remove(&connection.0).ok_or_else(closed)?;
        self.ends.remove(&ends(&tcp));
        put(&mut self.blocks, time, tcp.reset(End::client(from_client)), &[])
    }

    /// Whether more can be said of a connection: it was neither closed nor reset.
    pub fn is_open(&self, connection: Connection) -> bool {
        self.open.contains_key(&connection.0)
    }

    /// Gives the next packet that is written a comment, of at most 65535 bytes. Only the last one said is kept.
    pub fn comment(&mut self, text: &str) -> io::Result<()> {
        self.blocks.comment(text)
    }

    /// Writes keys for what follows, at most [`LARGEST_SECRETS`] bytes, as a Decryption Secrets Block; `kind` is its
    /// Secrets Type, which tells Wireshark who understands them. They are in the file as they are here, for everybody
    /// who can read it.
    ///
    /// Wireshark knows them once it has read them: write them before the data that needs them.
    pub fn secrets(&mut self, kind: u32, secrets: &[u8]) -> io::Result<()> {
        self.blocks.secrets(kind, secrets)
    }

    /// Flushes the output. This doesn't happen by itself, not even at the end.
    pub fn flush(&mut self) -> io::Result<()> {
        self.blocks.flush()
    }

    /// The output.
    pub fn get_ref(&self) -> &W {
        self.blocks.out()
    }

    /// The output, as it is: not flushed, and open connections stay so in the file.
    pub fn into_inner(self) -> W {
        self.blocks.into_out()
    }
}

fn put<W: Write>(blocks: &mut Blocks<W>, time: u64, segment: Segment, data: &[u8]) -> io::Result<()> {
    blocks.packet(time, |block| segment.put(data, block))
}

fn closed() -> io::Error {
    invalid("the connection is closed")
}

fn ends(tcp: &Tcp) -> Ends {
    let mut ends = tcp.addresses().map(|a| (a.ip(), a.port()));
    ends.sort_unstable();
    ends
}

/// The sequence numbers at which the two sides begin. Wireshark tells two connections with the same ports by them.
fn first_numbers(connection: u64) -> [u32; 2] {
    // odd multiples of the golden ratio: no two alike in 2^31 connections
    let number = |n: u64| (n as u32).wrapping_mul(0x9e37_79b1);
    [number(2 * connection + 1), number(2 * connection + 2)]
}

fn nanoseconds(time: SystemTime) -> io::Result<u64> {
    let since = time.duration_since(UNIX_EPOCH).map_err(|_| invalid("the time is before 1970"))?;
    u64::try_from(since.as_nanos()).map_err(|_| invalid("the time is after 2554"))
}
