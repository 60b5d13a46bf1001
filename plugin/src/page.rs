//! What is to be shown of a call's bytes, as plain records.

use std::ffi::CStr;
use std::fmt::Write as _;
use std::ops::Range;

use msgr2::FINDINGS;
use msgr2::field::{self, FIELDS};
use msgr2::tracker::{self, Direction, Fact, Line, Shown, Unit, UnitKind, show};
use msgr2::v2_1;
use msgr2::wire::{Brief, Field, Kind, Node, Recorded, Recorder, Secrecy};

use crate::flow::{Bytes, Flows, Packet, Part, Placed, Segment};

/// The most fields of one call; Wireshark gives up on a packet that has many more.
const MOST_ITEMS: usize = 40_000;
/// In how many opened units one can stand: a compressed frame in a secure one takes two.
pub(crate) const MOST_OPENED: u8 = 3;
/// The most packets that are named of those that a unit was put together from.
const MOST_SEGMENTS: usize = 256;
/// The most bytes of a unit's text; Wireshark shows fewer.
const MOST_INFO: usize = 4096;
/// The most units whose texts stand in the info column.
const MOST_INFOS: usize = 24;

/// The records of a call. The buffers are reused.
#[derive(Default)]
pub(crate) struct Page {
    /// The units.
    pub pieces: Vec<Piece>,
    /// The fields of all units.
    pub items: Vec<Item>,
    /// The fields of all units that no byte holds.
    pub generated: Vec<Item>,
    /// The notes of all units.
    pub notes: Vec<Note>,
    /// The views of all units' sealed structures.
    pub views: Vec<View>,
    /// What was in sealed records and structures, one behind the other.
    pub opened: Vec<u8>,
    /// Texts, each with a zero byte behind it.
    pub texts: Vec<u8>,
    recorder: Option<Recorder>,
    line: String,
    /// The direction of the packet.
    direction: Option<Direction>,
    /// Whether it shows units of the other direction, too.
    mixed: bool,
}

/// What was in a sealed structure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    /// What the pane of its bytes is called.
    pub name: u32,
    /// Where it begins in [`Page::opened`].
    pub start: u32,
    /// Its bytes.
    pub length: u32,
}

/// A unit.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    /// Its first byte.
    pub start: u32,
    /// Its bytes, as many as there are.
    pub length: u32,
    /// In how many opened units it stands, each the last before it that stands in one less.
    pub depth: u8,
    /// The bytes that it stands in, if those aren't the packet's: they last as long as the capture is open.
    pub joined: Option<Joined>,
    /// If it is no unit: what the packet's segment is.
    pub part: Option<Part>,
    /// What it opened to.
    pub opened: Option<Opened>,
    /// What it is, in one line; or nothing if nobody asks.
    pub info: Text,
    /// Whether that stands in the info column.
    pub column: bool,
    /// Its fields.
    pub items: Range<u32>,
    /// The first of the views that its fields name, from 1.
    pub views: u32,
    /// Its fields that no byte holds.
    pub generated: Range<u32>,
    /// Its notes.
    pub notes: Range<u32>,
}

/// Bytes that were put together from several packets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Joined {
    /// The first.
    pub bytes: *const u8,
    /// How many.
    pub length: u32,
}

/// What a unit opened to.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    /// Where that is in [`Page::opened`].
    pub range: Range<u32>,
    /// What the pane of bytes is called.
    pub name: &'static CStr,
}

/// Where a unit stands, and whether the info column has it.
#[derive(Clone, Copy)]
struct Place {
    at: usize,
    depth: u8,
    column: bool,
}

/// A text: where it begins in [`Page::texts`].
pub(crate) type Text = Option<u32>;

/// A field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item {
    /// Its place in the table of fields.
    pub field: u16,
    /// How many fields it stands in.
    pub depth: u16,
    /// The view that its bytes are in, counted within the unit; 0 for the unit's own.
    pub view: u16,
    /// Its first byte.
    pub start: u32,
    /// Its bytes.
    pub length: u32,
    /// Its value.
    pub value: Value,
}

/// A value, in the form that the call takes that shows it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value {
    /// None, perhaps with a text behind the label.
    Nothing(Text),
    /// Up to 32 bits.
    U32(u32),
    /// 64 bits.
    U64(u64),
    /// Up to 32 bits, signed.
    I32(i32),
    /// 64 bits, signed.
    I64(i64),
    /// A word of flags.
    Flags(u64),
    /// True or false.
    Bool(bool),
    /// 32 bits of a floating point number.
    F32(f32),
    /// 64 bits of a floating point number.
    F64(f64),
    /// An IPv4 address, as it stands in memory.
    Ipv4(u32),
    /// Seconds and nanoseconds.
    Time(i64, i32),
    /// A text.
    Text(u32),
    /// Bytes, the last so many of the range.
    Bytes(u32),
    /// What the range holds: uuid, IPv6 address.
    Range,
}

/// An expert info.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Note {
    /// The place of its kind in the table of findings; behind the last are those that only the plugin has.
    pub kind: usize,
    /// The first byte concerned.
    pub start: u32,
    /// The bytes concerned.
    pub length: u32,
    /// What it says.
    pub text: u32,
}

/// The kind of a note: not everything is shown, or the dissection itself failed.
pub(crate) const NOT_SHOWN: usize = FINDINGS.len();
/// The kind of a note: there is something wrong with the keys that the user gave.
pub(crate) const BAD_KEYRING: usize = FINDINGS.len() + 1;
/// How many kinds of notes there are.
pub(crate) const NOTE_KINDS: usize = FINDINGS.len() + 2;

/// What somebody looks at.
#[derive(Clone, Copy)]
pub(crate) struct Wish {
    /// The tree.
    pub tree: bool,
    /// The info column.
    pub info: bool,
}

impl Page {
    /// Empties it.
    pub(crate) fn clear(&mut self) {
        self.pieces.clear();
        self.items.clear();
        self.generated.clear();
        self.notes.clear();
        self.views.clear();
        self.opened.clear();
        self.texts.clear();
    }

    /// Lays out what there is to say of a packet, whose segment was found in `bytes`.
    pub(crate) fn fill(&mut self, flows: &Flows, packet: &Packet, bytes: &[u8], wish: Wish) {
        self.clear();
        self.direction = Some(packet.direction);
        self.mixed = packet.units.iter().any(|placed| placed.unit.direction != packet.direction);
        for placed in &packet.units {
            let Placed { unit, bytes: place } = placed;
            let first = self.pieces.len();
            match place {
                Bytes::Packet(at) => {
                    let at = *at as usize;
                    let rest = bytes.get(at..).unwrap_or_default();
                    self.unit(
                        unit,
                        &rest[..rest.len().min(unit.length as usize)],
                        Place { at, depth: 0, column: true },
                        wish,
                    );
                }
                Bytes::Own { bytes, .. } => {
                    self.unit(unit, bytes, Place { at: 0, depth: 0, column: true }, wish);
                    if let Some(piece) = self.pieces.get_mut(first) {
                        piece.joined = Some(Joined { bytes: bytes.as_ptr(), length: bytes.len() as u32 });
                    }
                    if wish.tree && self.pieces.get(first).is_some_and(|piece| piece.opened.is_none()) {
                        self.carriers(first, flows.segments(packet, placed));
                    }
                }
            }
        }
        if let (Some(part), Some(place)) = (flows.part(packet), packet.segment) {
            let again = match part {
                Part::Retransmission { of } => names(flows.repeated(packet, of)),
                _ => String::new(),
            };
            self.part(part, &again, place, wish);
        }
        if let (Some(trouble), Some(piece)) = (&packet.trouble, self.pieces.last()) {
            // its notes are the last ones too
            let (start, length, index) = (piece.start, piece.length, self.pieces.len() - 1);
            let text = self.text(trouble);
            self.notes.push(Note { kind: BAD_KEYRING, start, length, text });
            self.pieces[index].notes.end += 1;
        }
    }

    /// Whether anything but parts of frames is shown.
    pub(crate) fn has_units(&self) -> bool {
        self.pieces.iter().any(|piece| piece.part.is_none())
    }

    /// What a segment is that isn't told by units alone; `again` names what it has once more.
    fn part(&mut self, part: Part, again: &str, place: Segment, wish: Wish) {
        let (field, packet, text) = match part {
            Part::Retransmission { of } => (
                field::COMMON_RETRANSMISSION_OF,
                Some(of),
                self.format(format_args!("retransmission{again}, see packet {of}")),
            ),
            Part::Early { until: None } => {
                (field::COMMON_REASSEMBLED_IN, None, self.text("came early: bytes before it are missing"))
            }
            Part::Early { until: Some(until) } => {
                (field::COMMON_REASSEMBLED_IN, Some(until), self.format(format_args!("came early, see packet {until}")))
            }
            Part::Continued { until: None } => {
                (field::COMMON_REASSEMBLED_IN, None, self.text("the frame goes on in later segments"))
            }
            Part::Continued { until: Some(until) } => (
                field::COMMON_REASSEMBLED_IN,
                Some(until),
                self.format(format_args!("the frame goes on, see packet {until}")),
            ),
        };
        let generated = self.generated.len() as u32;
        if let (true, Some(packet)) = (wish.tree, packet) {
            self.fact(field, Value::U32(packet));
        }
        self.bare(place.offset, place.length, text);
        if let Some(piece) = self.pieces.last_mut() {
            piece.part = Some(part);
            piece.column = !matches!(part, Part::Continued { .. });
            piece.generated = generated..self.generated.len() as u32;
        }
    }

    /// The packets that a unit's segments came in, among what is known of it.
    fn carriers(&mut self, piece: usize, packets: impl Iterator<Item = u32>) {
        let generated = self.generated.len() as u32;
        let before = self.pieces[piece].generated.clone();
        let all: Vec<Item> = self.generated[before.start as usize..before.end as usize].to_vec();
        self.generated.extend(all);
        for packet in packets.take(MOST_SEGMENTS) {
            self.fact(field::COMMON_SEGMENT, Value::U32(packet));
        }
        self.pieces[piece].generated = generated..self.generated.len() as u32;
    }

    /// Instead of what could not be laid out: a note that says so.
    pub(crate) fn fail(&mut self, length: usize) {
        self.clear();
        let text = self.text("The msgr2 dissector failed here; please report it with this packet");
        self.notes.push(Note { kind: NOT_SHOWN, start: 0, length: length as u32, text });
        self.bare(0, length as u32, text);
        if let Some(piece) = self.pieces.last_mut() {
            piece.notes = 0..1;
        }
    }

    /// A piece that has a text and nothing else.
    fn bare(&mut self, start: u32, length: u32, text: u32) {
        self.pieces.push(Piece {
            start,
            length,
            depth: 0,
            joined: None,
            part: None,
            opened: None,
            info: Some(text),
            column: true,
            items: 0..0,
            views: 0,
            generated: 0..0,
            notes: 0..0,
        });
    }

    /// A unit, and what is in it if it opens.
    fn unit(&mut self, unit: &Unit, bytes: &[u8], place: Place, wish: Wish) {
        if unit.inner().is_empty() || place.depth >= MOST_OPENED {
            return self.piece(unit, bytes, place, wish);
        }
        // whoever asks for bytes alone gets no tree, and is to see these too
        let view = unit.open(bytes);
        self.piece(unit, bytes, Place { column: view.is_none(), ..place }, wish);
        let start = self.opened.len() as u32;
        if let (Some(view), Some(piece)) = (&view, self.pieces.last_mut()) {
            self.opened.extend_from_slice(view);
            piece.opened = Some(Opened { range: start..self.opened.len() as u32, name: name_of_view(unit) });
        }
        let Some(view) = view else { return self.notes_alone(unit, place) };
        let mut at = 0;
        for inner in unit.inner() {
            let Some(rest) = view.get(at..) else { break };
            let own = &rest[..rest.len().min(inner.length as usize)];
            self.unit(inner, own, Place { at, depth: place.depth + 1, column: true }, wish);
            at += inner.length.max(1) as usize;
        }
    }

    /// What is worth reporting of the units in one that doesn't open any more; it stands for them.
    fn notes_alone(&mut self, unit: &Unit, place: Place) {
        for inner in unit.inner() {
            self.piece(inner, &[], Place { column: false, ..place }, Wish { tree: false, info: false });
            self.notes_alone(inner, place);
        }
    }

    fn piece(&mut self, unit: &Unit, bytes: &[u8], place: Place, wish: Wish) {
        let Place { at, depth, column } = place;
        let (items, notes) = (self.items.len() as u32, self.notes.len() as u32);
        let views = self.views.len() as u32;
        let wish = Wish { info: wish.info && column && self.pieces.len() < MOST_INFOS, ..wish };
        let mut info = None;
        if wish.tree {
            let mut recorder = self.recorder.take().unwrap_or_default();
            recorder.clear();
            recorder.set_limit(MOST_ITEMS.saturating_sub(self.items.len()));
            let shown = show(unit, bytes, &mut recorder);
            recorder.finish(bytes.len());
            info = Some(self.info(unit, &shown));
            for node in recorder.nodes() {
                // what isn't there has no item that a filter would find
                if matches!(node.field.kind, Kind::Bytes) && node.length == 0 {
                    continue;
                }
                let value = self.value(&recorder, node, bytes);
                let start = if node.view == 0 { at as u32 + node.start } else { node.start };
                let Node { field, depth, view, length, .. } = *node;
                self.items.push(Item { field: field.index, depth, view, start, length, value });
            }
            if recorder.left_out() > 0 {
                let text = self.format(format_args!("{} fields left out: there are too many", recorder.left_out()));
                self.notes.push(Note { kind: NOT_SHOWN, start: at as u32, length: bytes.len() as u32, text });
            }
            for view in recorder.views() {
                let (start, length) = (self.opened.len() as u32, view.bytes().len() as u32);
                self.opened.extend_from_slice(view.bytes());
                let name = self.text(view.field.label);
                self.views.push(View { name, start, length });
            }
            self.recorder = Some(recorder);
        } else if wish.info {
            let shown = show(unit, bytes, &mut ());
            info = Some(self.info(unit, &shown));
        }
        for finding in &unit.findings {
            let text = self.format(format_args!("{finding}"));
            let start = at as u32 + finding.start;
            self.notes.push(Note { kind: finding.kind as usize, start, length: finding.length, text });
        }
        let generated = self.generated.len() as u32;
        if wish.tree {
            self.facts(unit);
        }
        self.pieces.push(Piece {
            start: at as u32,
            length: bytes.len() as u32,
            depth,
            joined: None,
            part: None,
            opened: None,
            info,
            column,
            items: items..self.items.len() as u32,
            views,
            generated: generated..self.generated.len() as u32,
            notes: notes..self.notes.len() as u32,
        });
    }

    /// What is known of a unit besides its bytes.
    fn facts(&mut self, unit: &Unit) {
        if self.mixed && unit.tag().is_some() {
            self.fact(field::COMMON_FROM_RECEIVER, Value::Bool(self.is_from_receiver(unit)));
        }
        for (field, fact) in tracker::facts(unit) {
            let value = match (fact, field.kind) {
                (Fact::Text(text), _) => Value::Text(self.text(text)),
                (Fact::Truth(truth), _) => Value::Bool(truth),
                (Fact::Number(number), Kind::Unsigned(8)) => Value::U64(number),
                (Fact::Number(number), _) => Value::U32(number.min(u32::MAX.into()) as u32),
            };
            self.fact(field, value);
        }
    }

    fn fact(&mut self, field: Field, value: Value) {
        self.generated.push(Item { field: field.index, depth: 0, view: 0, start: 0, length: 0, value });
    }

    /// Whether a unit was sent by who receives the packet.
    fn is_from_receiver(&self, unit: &Unit) -> bool {
        self.direction.is_some_and(|direction| direction != unit.direction)
    }

    fn info(&mut self, unit: &Unit, shown: &Shown<'_>) -> u32 {
        let from = if self.is_from_receiver(unit) { "[from the receiver] " } else { "" };
        let mut line = String::new();
        // it ends where the text is long enough
        let _ = write!(Brief::new(&mut line, MOST_INFO), "{}", Line(unit, shown));
        self.format(format_args!("{from}{line}"))
    }

    fn value(&mut self, recorder: &Recorder, node: &Node, bytes: &[u8]) -> Value {
        let narrow = |width: u8| width <= 4;
        let bytes = recorder.view(node.view).map_or(bytes, |view| view.bytes());
        match (node.field.kind, node.value) {
            (Kind::List, Recorded::Unsigned(n)) => Value::U32(n.min(u32::MAX.into()) as u32),
            (Kind::Bool | Kind::Present, Recorded::Unsigned(n)) => Value::Bool(n != 0),
            (Kind::Flags(..), Recorded::Unsigned(n)) => Value::Flags(n),
            (Kind::Ipv4, Recorded::Unsigned(n)) => Value::Ipv4((n as u32).to_be()),
            (Kind::Unsigned(w) | Kind::Enum(w, _), Recorded::Unsigned(n)) if narrow(w) => Value::U32(n as u32),
            (_, Recorded::Unsigned(n)) => Value::U64(n),
            (Kind::Signed(w) | Kind::Enum(w, _), Recorded::Signed(n)) if narrow(w) => Value::I32(n as i32),
            (_, Recorded::Signed(n)) => Value::I64(n),
            (Kind::Float(4), Recorded::Float(x)) => Value::F32(x as f32),
            (_, Recorded::Float(x)) => Value::F64(x),
            (_, Recorded::Time(sec, nsec)) => Value::Time(sec, nsec),
            (Kind::Text, Recorded::Content(length)) => {
                let end = node.start as usize + node.length as usize;
                let content = bytes.get(end.saturating_sub(length as usize)..end).unwrap_or_default();
                Value::Text(self.text(&String::from_utf8_lossy(content)))
            }
            (Kind::Bytes, Recorded::Content(length)) => Value::Bytes(length),
            (_, Recorded::Content(_)) => Value::Range,
            (_, Recorded::Secret(length)) => Value::Text(self.format(format_args!("{}", Secrecy(length)))),
            (Kind::Struct(true), _) => Value::Text(self.text(recorder.text(node))),
            (_, Recorded::Text(..)) => Value::Nothing(Some(self.text(recorder.text(node)))),
            (_, Recorded::Nothing) => Value::Nothing(None),
        }
    }

    /// Keeps a text for C: a zero byte inside would end it early.
    fn text(&mut self, text: &str) -> u32 {
        let start = self.texts.len() as u32;
        self.texts.extend(text.bytes().map(|byte| if byte == 0 { b'.' } else { byte }));
        self.texts.push(0);
        start
    }

    fn format(&mut self, arguments: std::fmt::Arguments<'_>) -> u32 {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        // a String takes all that is written to it
        let _ = line.write_fmt(arguments);
        let start = self.text(&line);
        self.line = line;
        start
    }
}

/// The most units that are named of a segment that was sent again.
const MOST_NAMES: usize = 4;

/// What units are, as ` of MESSAGE, ACK`; nothing of none.
fn names<'u>(units: impl Iterator<Item = &'u Unit>) -> String {
    let mut text = String::new();
    for (index, unit) in units.enumerate() {
        let name = match (index < MOST_NAMES, name(unit)) {
            (true, Some(name)) => name,
            (true, None) => continue,
            (false, _) => "…".into(),
        };
        text.push_str(if text.is_empty() { " of " } else { ", " });
        text.push_str(&name);
        if index >= MOST_NAMES {
            break;
        }
    }
    text
}

/// What a unit is, or what is in it.
fn name(unit: &Unit) -> Option<String> {
    if let Some(inner) = unit.inner().first() {
        return name(inner);
    }
    match unit.kind {
        UnitKind::Banner => Some("Banner".into()),
        UnitKind::Frame(head) | UnitKind::Segments(head) => Some(v2_1::Tag(head.tag).to_string()),
        UnitKind::Plain(head) => Some(head.tag.to_string()),
        _ => None,
    }
}

/// What the pane of bytes is called that a unit opens to.
fn name_of_view(unit: &Unit) -> &'static CStr {
    match unit.kind {
        UnitKind::Record => c"Decrypted msgr2 record",
        UnitKind::Secure => c"Decrypted msgr2 frame",
        _ => c"Decompressed msgr2 frame",
    }
}

/// The table of fields has as many entries as an item's index can name.
const _: () = assert!(FIELDS.len() < u16::MAX as usize);
