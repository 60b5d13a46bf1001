//! A buffer on top of the tracker, for who has bytes in order but not unit by unit.

use bytes::{Bytes, BytesMut};

use super::{Direction, Step, Tracker, Unit};

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
        Stream { tracker: None, client, foreign: false, buffers: Default::default() }
    }

    /// The next bytes of a direction.
    pub fn push(&mut self, direction: Direction, bytes: &[u8], out: &mut impl FnMut(Event)) {
        if self.foreign {
            if !Tracker::recognises(bytes) {
                return;
            }
            self.foreign = false;
            self.tracker = Some(Tracker::midway());
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

    fn drain(&mut self, direction: Direction, more: bool, out: &mut impl FnMut(Event)) {
        if self.foreign {
            return;
        }
        let Some(tracker) = begin(&mut self.tracker, self.client, &self.buffers[direction as usize].bytes, more) else {
            return;
        };
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

/// The tracker, made when the first bytes show how to begin.
fn begin<'t>(
    tracker: &'t mut Option<Tracker>,
    client: Option<Direction>,
    bytes: &[u8],
    more: bool,
) -> Option<&'t mut Tracker> {
    if tracker.is_none() {
        let common = bytes.len().min(super::BANNER_PREFIX.len());
        let banner = bytes[..common] == super::BANNER_PREFIX[..common];
        if !banner && bytes.len() < crate::frame::PREAMBLE_LEN && more {
            return None;
        }
        let midway = !banner && Tracker::recognises(bytes);
        *tracker = Some(if midway { Tracker::midway() } else { Tracker::new(client) });
    }
    tracker.as_mut()
}
