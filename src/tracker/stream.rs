//! A buffer on top of the tracker, for who has bytes in order but not unit by unit.

use bytes::{Bytes, BytesMut};

use crate::FindingKind;

use super::{Begins, Direction, Knowledge, Step, Tracker, Unit, begins};

/// What the stream hands out.
#[derive(Debug)]
pub enum Event {
    /// A unit and its bytes.
    Unit(Unit, Bytes),
    /// These bytes are no msgr2. If the capture lacks the beginning of the connection, more may come yet: the stream
    /// begins at the first push that begins with a frame.
    Foreign,
}

/// Both directions of a connection, each with the bytes that are not yet a unit.
#[derive(Debug)]
pub struct Stream {
    tracker: Option<Tracker>,
    client: Option<Direction>,
    foreign: bool,
    knowledge: Knowledge,
    packet: u32,
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
        Stream {
            tracker: None,
            client,
            foreign: false,
            knowledge: Knowledge::default(),
            packet: 0,
            buffers: Default::default(),
        }
    }

    /// What is known beyond this connection; to be said before its first byte.
    pub fn set_knowledge(&mut self, knowledge: Knowledge) {
        self.knowledge = knowledge;
    }

    /// What is pushed next comes from this packet; relations name packets by such numbers.
    pub fn at(&mut self, packet: u32) {
        self.packet = packet;
    }

    /// The next bytes of a direction.
    pub fn push(&mut self, direction: Direction, bytes: &[u8], out: &mut impl FnMut(Event)) {
        if self.foreign {
            if !Tracker::recognises(bytes) {
                return;
            }
            self.foreign = false;
            self.tracker = Some(self.know(Tracker::midway()));
        }
        let buffer = &mut self.buffers[direction as usize];
        buffer.bytes.extend_from_slice(bytes);
        self.drain(direction, true, out);
    }

    /// Bytes of a direction are missing.
    pub fn gap(&mut self, direction: Direction, out: &mut impl FnMut(Event)) {
        self.drain(direction, false, out);
        match &mut self.tracker {
            Some(tracker) => tracker.gap(direction),
            // what speaks here is unknown; the first push that begins with a frame will tell
            None => self.foreign = true,
        }
        self.buffers[direction as usize].need = 0;
    }

    /// No more bytes of a direction will come.
    pub fn close(&mut self, direction: Direction, out: &mut impl FnMut(Event)) {
        self.drain(direction, false, out);
    }

    /// How many bytes wait for the rest of their unit, of both directions.
    pub fn held(&self) -> usize {
        self.buffers.iter().map(|buffer| buffer.bytes.len()).sum()
    }

    /// Gives up what waits for the rest of its unit: nobody may keep so much for it. What comes later is behind a gap.
    pub fn give_up(&mut self, out: &mut impl FnMut(Event)) {
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

    fn know(&self, mut tracker: Tracker) -> Tracker {
        tracker.set_knowledge(self.knowledge.clone());
        tracker
    }

    /// Makes the tracker when the first bytes show how to begin.
    fn begin(&mut self, direction: Direction, more: bool) {
        let bytes = &self.buffers[direction as usize].bytes;
        if self.tracker.is_some() {
            return;
        }
        let banner = begins(bytes) != Begins::Foreign;
        if !banner && bytes.len() < crate::frame::PREAMBLE_LEN && more {
            return;
        }
        let midway = !banner && Tracker::recognises(bytes);
        let tracker = if midway { Tracker::midway() } else { Tracker::new(self.client) };
        self.tracker = Some(self.know(tracker));
    }

    fn drain(&mut self, direction: Direction, more: bool, out: &mut impl FnMut(Event)) {
        if self.foreign {
            return;
        }
        self.begin(direction, more);
        let Some(tracker) = &mut self.tracker else { return };
        tracker.at(self.packet);
        let buffer = &mut self.buffers[direction as usize];
        while !buffer.bytes.is_empty() && (buffer.bytes.len() >= buffer.need || !more) {
            match tracker.next(direction, &buffer.bytes, more) {
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
                    self.foreign = true;
                    self.buffers = Default::default();
                    out(Event::Foreign);
                    return;
                }
            }
        }
    }
}
