//! A buffer on top of the tracker, for who has bytes in order but not unit by unit.

use bytes::{Bytes, BytesMut};

use super::{Direction, Knowledge, Step, Tracker, Unit};
use crate::FindingKind;
use crate::foreign::Foreign;
use crate::frame::Check;
use crate::wire::End;

/// What the stream hands out.
#[allow(clippy::large_enum_variant, reason = "it is handed on at once, and nearly all are units")]
#[derive(Debug)]
pub enum Event {
    /// A unit and its bytes.
    Unit(Unit, Bytes),
    /// Nothing so far was msgr2. If the capture lacks the beginning of the connection, more may come yet: the stream
    /// begins at the first push that begins with a frame. So it does if the other side speaks msgr2.
    Foreign,
}

/// Both directions of a connection, each with the bytes that are not yet a unit.
#[derive(Debug)]
pub struct Stream {
    tracker: Tracker,
    foreign: bool,
    buffers: [Buffer; 2],
}

#[derive(Debug, Default)]
struct Buffer {
    bytes: BytesMut,
    /// How many bytes the next unit needs: fewer are not worth a look.
    need: usize,
}

impl Stream {
    /// A connection. `client` is the direction of the side that connected, if that is known.
    pub fn new(client: Option<Direction>) -> Self {
        Stream { tracker: Tracker::new(client), foreign: false, buffers: Default::default() }
    }

    /// Whether CRCs of segments are checked; they are unless this says otherwise. To be said before the first byte.
    pub fn set_check(&mut self, check: Check) {
        self.tracker.set_check(check);
    }

    /// How many bytes of a direction are not yet a unit.
    pub fn buffered(&self, direction: Direction) -> usize {
        self.buffers[direction as usize].bytes.len()
    }

    /// What is known beyond this connection; to be said before its first byte.
    pub fn set_knowledge(&mut self, knowledge: Knowledge) {
        self.tracker.set_knowledge(knowledge);
    }

    /// What is pushed next comes from this packet; relations name packets by such numbers.
    pub fn at(&mut self, packet: u32) {
        self.tracker.at(packet);
    }

    /// Whether something was said, and none of it was msgr2.
    pub fn is_foreign(&self) -> bool {
        self.tracker.is_foreign()
    }

    /// What the directions speak that don't speak msgr2, as far as it was recognised.
    pub fn foreign(&self) -> [Option<Foreign>; 2] {
        self.tracker.foreign()
    }

    /// The next bytes of a direction.
    pub fn push(&mut self, direction: Direction, bytes: &[u8], out: &mut (impl FnMut(Event) + ?Sized)) {
        self.buffers[direction as usize].bytes.extend_from_slice(bytes);
        self.drain(direction, true, out);
    }

    /// Bytes of a direction are missing.
    pub fn gap(&mut self, direction: Direction, out: &mut (impl FnMut(Event) + ?Sized)) {
        self.drain(direction, false, out);
        self.tracker.gap(direction);
        self.buffers[direction as usize].need = 0;
    }

    /// No more bytes of a direction will come. If there is something to be said of that, it is a unit without bytes.
    pub fn close(&mut self, direction: Direction, end: End, out: &mut (impl FnMut(Event) + ?Sized)) {
        self.drain(direction, false, out);
        if let Some(unit) = self.tracker.end(direction, end) {
            out(Event::Unit(unit, Bytes::new()));
        }
    }

    /// How many bytes wait for the rest of their unit, of both directions.
    pub fn held(&self) -> usize {
        self.buffers.iter().map(|buffer| buffer.bytes.len()).sum()
    }

    /// Gives up what waits for the rest of its unit: nobody may keep so much for it. What comes later is behind a gap.
    pub fn give_up(&mut self, out: &mut (impl FnMut(Event) + ?Sized)) {
        for direction in [Direction::Forward, Direction::Backward] {
            let held = self.buffers[direction as usize].bytes.len();
            if held == 0 {
                continue;
            }
            self.gap(direction, &mut |mut event| {
                if let Event::Unit(unit, _) = &mut event {
                    let detail = format!("{held} bytes, the rest of which was long in coming");
                    unit.report(FindingKind::Lost, 0, unit.length as usize, detail);
                }
                out(event);
            });
            // the room goes too
            self.buffers[direction as usize].bytes = BytesMut::new();
        }
    }

    fn drain(&mut self, direction: Direction, more: bool, out: &mut (impl FnMut(Event) + ?Sized)) {
        let buffer = &mut self.buffers[direction as usize];
        while !buffer.bytes.is_empty() && (buffer.bytes.len() >= buffer.need || !more) {
            match self.tracker.next(direction, &buffer.bytes, more) {
                Step::Need(need) => {
                    buffer.need = need;
                    if !more {
                        // nothing that could be told of these bytes
                        buffer.bytes.clear();
                    }
                    return;
                }
                Step::Unit(unit) => {
                    buffer.need = 0;
                    let length = (unit.length as usize).clamp(1, buffer.bytes.len());
                    let bytes = buffer.bytes.split_to(length).freeze();
                    out(Event::Unit(unit, bytes));
                }
                Step::Foreign => {
                    buffer.need = 0;
                    buffer.bytes.clear();
                    if self.tracker.is_foreign() && !std::mem::replace(&mut self.foreign, true) {
                        out(Event::Foreign);
                    }
                    return;
                }
            }
        }
    }
}
