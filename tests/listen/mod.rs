//! A capture through the tracker, as the program does it.

use std::collections::HashMap;
use std::path::Path;

use bytes::Bytes;
use msgr2::capture::{CaptureFile, Chunk, Direction as Flow, Kind, Limits, Reassembler, Segment};
use msgr2::tracker::{Direction, Event, Knowledge, Stream, Unit};

/// Tells all units of all connections, outermost ones: the connection's number, the unit, its bytes.
pub(crate) fn listen(path: &Path, knowledge: &Knowledge, mut told: impl FnMut(u32, &Unit, &Bytes)) {
    let mut file = CaptureFile::open(path).unwrap();
    let mut streams: HashMap<u32, Stream> = HashMap::new();
    let mut reassembler = Reassembler::new(Limits::default());
    let mut sink = |chunk: Chunk<'_>| {
        let direction = if chunk.direction == Flow::ToServer { Direction::Forward } else { Direction::Backward };
        let stream = streams.entry(chunk.stream).or_insert_with(|| {
            let mut stream = Stream::new(None);
            stream.set_knowledge(knowledge.clone());
            stream
        });
        stream.at(chunk.packet);
        let mut out = |event| {
            if let Event::Unit(unit, bytes) = event {
                told(chunk.stream, &unit, &bytes);
            }
        };
        match chunk.kind {
            Kind::Data(bytes) => stream.push(direction, bytes, &mut out),
            Kind::Gap(_) => stream.gap(direction, &mut out),
            Kind::Closed(end) => stream.close(direction, end, &mut out),
        }
        Ok::<_, std::convert::Infallible>(())
    };
    while let Some(packet) = file.next_packet().unwrap() {
        if let Ok(segment) = Segment::parse(&packet) {
            reassembler.push(&segment, &mut sink).unwrap();
        }
    }
    reassembler.finish(&mut sink).unwrap();
}
