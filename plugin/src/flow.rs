//! What is known of each connection, from the first pass through the capture on.
//!
//! In the first pass every packet's segment goes through the same reassembler and tracker that `msgr2 decode` has, so that
//! it doesn't matter which segments Wireshark's TCP hands on, in which order, and put together how. What comes of a
//! packet is kept. Later passes, which come in any order, only look that up.

use std::collections::HashMap;
use std::convert::Infallible;
use std::ops::Range;

use msgr2::capture::{self, Chunk, Direction as Way, Kind, Limits, Position, Reassembler};
use msgr2::frame::{Check, Dialect};
use msgr2::tracker::{Direction, Event, Knowledge, Stream, Unit};
use msgr2::types::AuthMethod;

/// The connections of a capture.
pub(crate) struct Flows {
    reassembler: Reassembler,
    connections: HashMap<u32, Connection>,
    packets: HashMap<u32, Packet>,
    check: Check,
    knowledge: Knowledge,
    /// What is wrong with the keys that the user gave, until it has been said.
    trouble: Option<Box<str>>,
}

/// What there is to say of a packet.
pub(crate) struct Packet {
    /// Its connection.
    pub stream: u32,
    /// The direction that it went in.
    pub direction: Direction,
    /// Its segment, if that is of one of our connections and has data.
    pub segment: Option<Segment>,
    /// The units that it completes, one behind the other.
    pub units: Vec<Placed>,
    /// Whether its segment was found in what TCP handed over, not in the packet as it was captured.
    pub handed: bool,
    /// What is wrong with the keys that the user gave, if this is where they were needed first.
    pub trouble: Option<Box<str>>,
}

/// Where the data of a segment stands.
#[derive(Clone, Copy)]
pub(crate) struct Segment {
    direction: Direction,
    /// In its direction, behind its last byte, and the byte that was due.
    start: i64,
    end: i64,
    due: i64,
    /// Whether it waits for what ought to have come before it.
    waits: bool,
    /// Whether its last bytes were no part of a unit when it came.
    unfinished: bool,
    /// In the bytes that it was found in.
    pub offset: u32,
    pub length: u32,
}

/// A unit, and where its bytes are.
pub(crate) struct Placed {
    pub unit: Unit,
    pub bytes: Bytes,
}

/// Where the bytes of a unit are.
pub(crate) enum Bytes {
    /// In the bytes that the packet's segment was found in, from here on.
    Packet(u32),
    /// Put together from the segments of several packets.
    Own {
        bytes: Box<[u8]>,
        /// Their place in the direction.
        direction: Direction,
        start: u64,
    },
}

/// What a segment is to those around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it came before, in this packet.
    Retransmission { of: u32 },
    /// Bytes before it are missing so far; shown when they are there, in this packet.
    Early { until: Option<u32> },
    /// Its last bytes belong to a frame that ends in this packet.
    Continued { until: Option<u32> },
}

/// One connection.
struct Connection {
    stream: Stream,
    /// Whether anything that comes was msgr2.
    ours: bool,
    /// Its last packet, and the direction that it went in.
    last: Option<(u32, Direction)>,
    sides: [Side; 2],
}

#[derive(Default)]
struct Side {
    /// The place behind what the tracker was given.
    end: u64,
    /// Where the data of each packet begins that the tracker was given, in order of places.
    carriers: Vec<(u64, u32)>,
    /// Where each unit ends that was put together, and the packet that completed it.
    joined: Vec<(u64, u32)>,
}

impl Side {
    /// The packet that carried the byte at a place.
    fn carrier(&self, place: u64) -> Option<u32> {
        let behind = self.carriers.partition_point(|(start, _)| *start <= place);
        Some(self.carriers.get(behind.checked_sub(1)?)?.1)
    }

    /// The packets that carried the bytes of a range, each once, in order.
    fn carried(&self, range: Range<u64>) -> impl Iterator<Item = u32> {
        let first = self.carriers.partition_point(|(start, _)| *start <= range.start).saturating_sub(1);
        let mut last = None;
        self.carriers[first..]
            .iter()
            .take_while(move |(start, _)| *start < range.end)
            .map(|(_, packet)| *packet)
            .filter(move |packet| last.replace(*packet) != Some(*packet))
    }

    /// The packet in which the unit is complete that was put together and has the byte at a place.
    fn joined(&self, place: u64) -> Option<u32> {
        Some(self.joined.get(self.joined.partition_point(|(end, _)| *end <= place))?.1)
    }
}

impl Flows {
    /// Connections whose segments' CRCs are checked or not, with the keys that they share.
    pub(crate) fn new(check: Check, knowledge: Knowledge, trouble: Option<Box<str>>) -> Self {
        Flows {
            reassembler: Reassembler::new(Limits::default()),
            connections: HashMap::new(),
            packets: HashMap::new(),
            check,
            knowledge,
            trouble,
        }
    }

    /// More keys that the user has given.
    pub(crate) fn learn(&mut self, add: impl FnOnce(&Knowledge) -> Result<(), Box<str>>) {
        if let Err(trouble) = add(&self.knowledge) {
            self.trouble.get_or_insert(trouble);
        }
    }

    /// What there is to say of a packet that was taken.
    pub(crate) fn packet(&self, number: u32) -> Option<&Packet> {
        self.packets.get(&number)
    }

    /// Takes the segment of a packet, which was found in these bytes: all of the capture, in order, each once. `handed` says
    /// that they are what TCP handed over, not the packet as it was captured.
    pub(crate) fn take(&mut self, segment: &capture::Segment<'_>, within: &[u8], handed: bool) {
        let Flows { reassembler, connections, packets, check, knowledge, .. } = self;
        let mut spans = Vec::new();
        let Ok(position) = reassembler.push::<Infallible>(segment, &mut |chunk| {
            let connection = connections.entry(chunk.stream).or_insert_with(|| Connection::new(*check, knowledge));
            connection.chunk(&chunk, segment.packet, within, &mut spans, packets);
            Ok(())
        });
        let Some(Position { stream, direction, place, due, waits }) = position else { return };
        if let Some(packet) = self.packets.get_mut(&segment.packet) {
            // the first that it has brought to light may be the other side's
            packet.direction = side_of(direction);
        }
        if let Some(connection) = self.connections.get_mut(&stream) {
            connection.last = Some((segment.packet, side_of(direction)));
        }
        let Some(connection) = self.connections.get(&stream).filter(|connection| connection.ours) else { return };
        let whole = segment.payload.len() + segment.missing;
        if whole > 0 {
            let (direction, end) = (side_of(direction), place.saturating_add(whole as i64));
            let unfinished = connection.unfinished(direction, end);
            // what is told by its units needs no more words
            if end <= due || waits || unfinished {
                let offset = offset_in(within, segment.payload).unwrap_or_default();
                let length = segment.payload.len() as u32;
                let place = Segment { direction, start: place, end, due, waits, unfinished, offset, length };
                self.packets.entry(segment.packet).or_insert_with(|| Packet::new(stream, direction)).segment =
                    Some(place);
            }
        }
        if let Some(packet) = self.packets.get_mut(&segment.packet) {
            packet.handed = handed;
            // it stays until the capture is closed
            packet.units.shrink_to_fit();
            if packet.units.iter().any(|placed| needs_keys(&placed.unit)) {
                packet.trouble = self.trouble.take();
            }
        }
    }

    /// Ends all connections. What still waited behind bytes that never came is told of the packets that brought it,
    /// which later passes show.
    pub(crate) fn finish(&mut self) {
        let Flows { reassembler, connections, packets, check, knowledge, .. } = self;
        let Ok(()) = reassembler.finish::<Infallible>(&mut |chunk| {
            let connection = connections.entry(chunk.stream).or_insert_with(|| Connection::new(*check, knowledge));
            connection.chunk(&chunk, chunk.packet, &[], &mut Vec::new(), packets);
            Ok(())
        });
    }

    /// What the segment of a packet is to those around it, as far as it is known by now.
    pub(crate) fn part(&self, packet: &Packet) -> Option<Part> {
        let place = packet.segment?;
        let side = &self.connections.get(&packet.stream)?.sides[place.direction as usize];
        let (start, last) = (u64::try_from(place.start).unwrap_or_default(), u64::try_from(place.end - 1).ok());
        if place.end <= place.due {
            return Some(Part::Retransmission { of: side.carrier(start)? });
        }
        if place.waits {
            return Some(Part::Early { until: side.joined(start) });
        }
        place.unfinished.then(|| Part::Continued { until: last.and_then(|last| side.joined(last)) })
    }

    /// The units of another packet that a segment has bytes of once more.
    pub(crate) fn repeated(&self, packet: &Packet, of: u32) -> impl Iterator<Item = &Unit> {
        let direction = packet.direction;
        let units = self.packets.get(&of).into_iter().flat_map(|packet| &packet.units);
        units.map(|placed| &placed.unit).filter(move |unit| unit.direction == direction)
    }

    /// The packets whose segments a unit was put together from.
    pub(crate) fn segments(&self, packet: &Packet, placed: &Placed) -> impl Iterator<Item = u32> {
        let side = match &placed.bytes {
            Bytes::Own { direction, start, .. } => {
                self.connections.get(&packet.stream).map(|c| (&c.sides[*direction as usize], *start))
            }
            Bytes::Packet(_) => None,
        };
        let length = u64::from(placed.unit.length);
        side.into_iter().flat_map(move |(side, start)| side.carried(start..start + length))
    }
}

impl Packet {
    fn new(stream: u32, direction: Direction) -> Self {
        Packet { stream, direction, segment: None, units: Vec::new(), handed: false, trouble: None }
    }
}

impl Connection {
    fn new(check: Check, knowledge: &Knowledge) -> Self {
        let mut stream = Stream::new(None);
        stream.set_check(check);
        stream.set_knowledge(knowledge.clone());
        Connection { stream, ours: false, last: None, sides: Default::default() }
    }

    /// Whether bytes before a place were given to the tracker and are no part of a unit yet.
    fn unfinished(&self, direction: Direction, end: i64) -> bool {
        let given = self.sides[direction as usize].end;
        let told = given - self.stream.buffered(direction) as u64;
        u64::try_from(end).is_ok_and(|end| told < end.min(given))
    }

    /// What comes out of TCP. `spans` are the places of what stands in the bytes of the packet that is being taken, and
    /// where it stands there.
    fn chunk(
        &mut self,
        chunk: &Chunk<'_>,
        taken: u32,
        within: &[u8],
        spans: &mut Vec<(Direction, Range<u64>, u32)>,
        packets: &mut HashMap<u32, Packet>,
    ) {
        let direction = side_of(chunk.direction);
        let Connection { stream, ours, last, sides } = self;
        // what a connection's end brings to light may be told of a packet of the other direction
        let went = last.filter(|(packet, _)| *packet == chunk.packet).map_or(direction, |(_, went)| went);
        stream.at(chunk.packet);
        let side = &mut sides[direction as usize];
        // units come one behind the other, from the first byte on that isn't one yet
        let mut start = side.end - stream.buffered(direction) as u64;
        match chunk.kind {
            Kind::Data(bytes) => {
                let range = side.end..side.end + bytes.len() as u64;
                side.end = range.end;
                side.carriers.push((range.start, chunk.carrier));
                spans.extend(offset_in(within, bytes).map(|offset| (direction, range, offset)));
            }
            Kind::Gap(length) => side.end += length,
            Kind::Closed(_) => {}
        }
        let (spans, joined) = (&*spans, &mut side.joined);
        let mut out = |event| {
            let Event::Unit(unit, bytes) = event else { return };
            *ours = true;
            let range = start..start + bytes.len() as u64;
            start = range.end;
            let here = (chunk.packet == taken).then(|| {
                let holds = |span: &&(Direction, Range<u64>, u32)| {
                    span.0 == direction && span.1.start <= range.start && range.end <= span.1.end
                };
                spans.iter().find(holds).map(|(_, span, offset)| offset + (range.start - span.start) as u32)
            });
            let bytes = match here.flatten() {
                // what is said of a connection's end is about no bytes
                _ if bytes.is_empty() => Bytes::Packet(0),
                Some(offset) => Bytes::Packet(offset),
                None => {
                    joined.push((range.end, chunk.packet));
                    Bytes::Own { bytes: (*bytes).into(), direction, start: range.start }
                }
            };
            let packet = packets.entry(chunk.packet).or_insert_with(|| Packet::new(chunk.stream, went));
            if packet.stream == chunk.stream {
                packet.units.push(Placed { unit, bytes });
            }
        };
        match chunk.kind {
            Kind::Data(bytes) => {
                stream.push(direction, bytes, &mut out);
                if !*ours && stream.buffered(direction) == 0 {
                    // something else speaks here
                    side.carriers.clear();
                }
            }
            Kind::Gap(_) => stream.gap(direction, &mut out),
            Kind::Closed(end) => stream.close(direction, end, &mut out),
        }
    }
}

/// The tracker's name for a direction.
fn side_of(way: Way) -> Direction {
    match way {
        Way::ToServer => Direction::Forward,
        Way::ToClient => Direction::Backward,
    }
}

/// Where a part stands in the bytes that it is a part of; `None` if it isn't.
fn offset_in(whole: &[u8], part: &[u8]) -> Option<u32> {
    let (whole, part) = (whole.as_ptr_range(), part.as_ptr_range());
    let inside = whole.start <= part.start && part.end <= whole.end && part.start < part.end;
    inside.then(|| (part.start.addr() - whole.start.addr()) as u32)
}

/// Whether keys may open something of the connection that the unit is of, or check its signatures.
fn needs_keys(unit: &Unit) -> bool {
    unit.dialect == Some(Dialect::Proposal) || unit.context.auth_method == Some(AuthMethod::CEPHX)
}
