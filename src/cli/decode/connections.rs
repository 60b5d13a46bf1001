//! All connections of a capture, each with its tracker, and what of them is printed.

use std::collections::HashMap;
use std::io::{self, Write};

use msgr2::capture::{Chunk, Direction as Flow, Kind};
use msgr2::foreign::Foreign;
use msgr2::tracker::{Backlog, Direction, Event, Knowledge, Stream, Unit, UnitKind};

use super::entity::{Book, Ends};
use super::filter::Filter;
use super::passed::{self, Passed};
use super::print::{Place, Printer, Scene, Subject};

/// The most bytes of lines that one connection holds back until it is known whose it is.
const MOST_HELD: usize = 1 << 20;
/// The same of all connections.
const MOST_HELD_IN_ALL: usize = 64 << 20;

/// Follows all connections, and prints what the filter lets through.
pub(super) struct Connections<W> {
    streams: HashMap<u32, Box<Connection>>,
    knowledge: Knowledge,
    filter: Filter,
    book: Book,
    printer: Printer,
    out: W,
    /// Bytes of lines that are held back.
    held: usize,
    /// What waits in all streams for the rest of a unit.
    backlog: Backlog,
    /// What is told at the end.
    pub(super) told: Told,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Told {
    /// Connections that don't speak msgr2.
    pub(super) passed: Passed,
    /// Units of those that do.
    pub(super) units: u64,
    /// Lines that were printed.
    pub(super) lines: u64,
}

struct Connection {
    /// Where its last packet was.
    place: Place,
    stream: Stream,
    open: [bool; 2],
    /// Whether anything was said.
    spoke: bool,
    /// Something of it was told.
    told: bool,
    ends: Ends,
    /// Lines that wait until it is known whose connection it is, and how many.
    held: Vec<u8>,
    held_lines: u64,
    /// Whether it is shown, as far as is known.
    wanted: bool,
}

impl<W: Write> Connections<W> {
    pub(super) fn new(printer: Printer, out: W, filter: Filter, knowledge: Knowledge) -> Self {
        let (streams, book, held, backlog, told) = Default::default();
        Connections { streams, knowledge, filter, book, printer, out, held, backlog, told }
    }

    /// Whether everything is shown.
    pub(super) fn unfiltered(&self) -> bool {
        self.filter.is_empty()
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// The next bytes of a connection.
    pub(super) fn chunk(&mut self, chunk: &Chunk<'_>, scene: Scene<'_>) -> io::Result<()> {
        let direction = match chunk.direction {
            Flow::ToServer => Direction::Forward,
            Flow::ToClient => Direction::Backward,
        };
        let place =
            Place { packet: chunk.packet, time: chunk.time, stream: chunk.stream, src: chunk.src, dst: chunk.dst };
        let mut connection = match self.streams.remove(&chunk.stream) {
            Some(connection) => connection,
            None => Box::new(Connection::new(&self.knowledge, place, self.filter.entities().is_empty())),
        };
        connection.place = place;
        connection.stream.at(chunk.packet);
        let mut units = Vec::new();
        let mut out = |event| {
            if let Event::Unit(unit, bytes) = event {
                units.push((unit, bytes));
            }
        };
        match chunk.kind {
            Kind::Data(bytes) => {
                connection.spoke = true;
                connection.stream.push(direction, bytes, &mut out);
            }
            Kind::Gap(_) => connection.stream.gap(direction, &mut out),
            Kind::Closed(end) => {
                connection.stream.close(direction, end, &mut out);
                connection.open[direction as usize] = false;
            }
        }
        for (unit, bytes) in units {
            self.whole(&mut connection, scene, &unit, &bytes)?;
        }
        let held = connection.stream.held();
        if connection.open == [false; 2] {
            self.held -= connection.held.len();
            if !connection.told {
                self.told.passed.add(connection.speaks());
            }
        } else {
            self.streams.insert(chunk.stream, connection);
        }
        self.relieve(chunk.stream, held, scene)
    }

    /// A stream holds back so many bytes. If that is too much in all, who waits longest is shown as far as it came.
    fn relieve(&mut self, stream: u32, held: usize, scene: Scene<'_>) -> io::Result<()> {
        let mut next = self.backlog.tell(stream, held);
        while let Some(oldest) = next {
            let mut held = 0;
            if let Some(mut connection) = self.streams.remove(&oldest) {
                let mut units = Vec::new();
                connection.stream.give_up(&mut |event| {
                    if let Event::Unit(unit, bytes) = event {
                        units.push((unit, bytes));
                    }
                });
                for (unit, bytes) in units {
                    self.whole(&mut connection, scene, &unit, &bytes)?;
                }
                held = connection.stream.held();
                self.streams.insert(oldest, connection);
            }
            next = self.backlog.tell(oldest, held);
        }
        Ok(())
    }

    /// A unit as it was captured.
    fn whole(&mut self, connection: &mut Connection, scene: Scene<'_>, unit: &Unit, bytes: &[u8]) -> io::Result<()> {
        connection.told = true;
        self.printer.captured(bytes.len());
        let place = connection.place;
        self.unit(connection, &place, scene, unit, bytes, unit.record())
    }

    /// A unit, and what is in it if it opens.
    fn unit(
        &mut self,
        connection: &mut Connection,
        place: &Place,
        scene: Scene<'_>,
        unit: &Unit,
        bytes: &[u8],
        record: Option<u64>,
    ) -> io::Result<()> {
        // of bytes that can't be read the first say all there is to say
        if matches!(unit.kind, UnitKind::Encrypted | UnitKind::Lost) && unit.findings.is_empty() {
            return Ok(());
        }
        if !self.filter.entities().is_empty() {
            connection.ends.learn(unit, bytes, &mut self.book);
        }
        let inner = unit.inner();
        // of what was opened that which is in it says all, unless something is wrong outside
        if inner.is_empty() || self.printer.verbose() || !unit.findings.is_empty() {
            self.line(connection, place, scene, unit, bytes, record)?;
        }
        let Some(view) = (!inner.is_empty()).then(|| unit.open(bytes)).flatten() else { return Ok(()) };
        let mut at = 0;
        for unit in inner {
            let end = view.len().min(at + unit.length as usize);
            self.unit(connection, place, scene, unit, &view[at..end], record)?;
            at = end;
        }
        Ok(())
    }

    fn line(
        &mut self,
        connection: &mut Connection,
        place: &Place,
        scene: Scene<'_>,
        unit: &Unit,
        bytes: &[u8],
        record: Option<u64>,
    ) -> io::Result<()> {
        self.told.units += 1;
        self.decide(connection, place)?;
        if !self.filter.allows(place.stream, unit) {
            return Ok(());
        }
        let subject = Subject { place, scene, unit, bytes, record };
        if connection.wanted {
            self.told.lines += 1;
            return self.printer.line(subject, &mut self.out);
        }
        let mut line = Vec::new();
        self.printer.line(subject, &mut line)?;
        connection.hold(&line, &mut self.held);
        Ok(())
    }

    /// Looks whether it is known by now that the connection is one of those that were asked for.
    fn decide(&mut self, connection: &mut Connection, place: &Place) -> io::Result<()> {
        let addrs = [place.src, place.dst];
        if connection.wanted || !connection.ends.include(self.filter.entities(), &self.book, addrs) {
            return Ok(());
        }
        connection.wanted = true;
        self.held -= connection.held.len();
        self.told.lines += connection.held_lines;
        self.out.write_all(&std::mem::take(&mut connection.held))
    }
}

impl Connection {
    fn new(knowledge: &Knowledge, place: Place, wanted: bool) -> Self {
        let mut stream = Stream::new(None);
        stream.set_knowledge(knowledge.clone());
        let (spoke, told, ends, held, held_lines) = Default::default();
        Connection { place, stream, open: [true; 2], spoke, told, ends, held, held_lines, wanted }
    }

    /// What it speaks that isn't msgr2.
    fn speaks(&self) -> passed::Kind {
        match self.stream.foreign().into_iter().flatten().next() {
            Some(Foreign::Msgr1) => passed::Kind::Known("the legacy messenger (msgr1)"),
            Some(other) => passed::Kind::Known(other.name()),
            None if self.spoke => passed::Kind::Unknown,
            None => passed::Kind::Silent,
        }
    }

    /// Holds a line back. What is too much is given up: a connection whose ends haven't told who they are by then won't.
    fn hold(&mut self, line: &[u8], all: &mut usize) {
        if self.held.len() + line.len() > MOST_HELD || *all + line.len() > MOST_HELD_IN_ALL {
            *all -= self.held.len();
            (self.held, self.held_lines) = Default::default();
            return;
        }
        *all += line.len();
        self.held.extend_from_slice(line);
        self.held_lines += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_held_back_is_bounded() {
        let line = vec![b'x'; 1000];
        let nowhere = ([0, 0, 0, 0], 0).into();
        let place = Place { packet: 0, time: Duration::ZERO, stream: 0, src: nowhere, dst: nowhere };
        let connection = || Connection::new(&Knowledge::default(), place, false);
        let (mut one, mut all) = (connection(), 0);
        for _ in 0..10_000 {
            one.hold(&line, &mut all);
            assert!(one.held.len() <= MOST_HELD && all == one.held.len());
            assert_eq!(one.held.len(), 1000 * one.held_lines as usize);
        }
        let mut many: Vec<Connection> = (0..100).map(|_| connection()).collect();
        for _ in 0..1000 {
            for connection in &mut many {
                connection.hold(&line, &mut all);
            }
            assert_eq!(all, one.held.len() + many.iter().map(|connection| connection.held.len()).sum::<usize>());
            assert!(all <= MOST_HELD_IN_ALL);
        }
    }
}
