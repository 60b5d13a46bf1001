//! What is to be shown of a call's bytes, as plain records.

use std::fmt::Write as _;
use std::ops::Range;

use msgr2::FINDINGS;
use msgr2::field::FIELDS;
use msgr2::tracker::{Shown, Unit, UnitKind, show};
use msgr2::wire::{Kind, Node, Recorded, Recorder};

use crate::flow::Found;

/// The most fields of one call; Wireshark gives up on a packet that has many more.
const MOST_ITEMS: usize = 40_000;
/// The most units whose texts stand in the info column.
const MOST_INFOS: usize = 24;

/// The records of a call. The buffers are reused.
#[derive(Default)]
pub(crate) struct Page {
    /// The units.
    pub pieces: Vec<Piece>,
    /// The fields of all units.
    pub items: Vec<Item>,
    /// The notes of all units.
    pub notes: Vec<Note>,
    /// Texts, each with a zero byte behind it.
    pub texts: Vec<u8>,
    recorder: Option<Recorder>,
    line: String,
}

/// A unit.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    /// Its first byte.
    pub start: u32,
    /// Its bytes, as many as there are.
    pub length: u32,
    /// What stands in the info column, or nothing.
    pub info: Text,
    /// The dialect's name, or nothing.
    pub dialect: Text,
    /// The mode's name.
    pub mode: Text,
    /// The sender's role, or nothing.
    pub sender: Text,
    /// Whether it is a frame or encrypted bytes, and so has a mode.
    pub framed: bool,
    /// Its fields.
    pub items: Range<u32>,
    /// Its notes.
    pub notes: Range<u32>,
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
    /// The place of its kind in the table of findings; behind the last: the dissector itself failed.
    pub kind: usize,
    /// The first byte concerned.
    pub start: u32,
    /// The bytes concerned.
    pub length: u32,
    /// What it says.
    pub text: u32,
}

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
        self.notes.clear();
        self.texts.clear();
    }

    /// Lays out what was found in `bytes`.
    pub(crate) fn fill(&mut self, found: &Found, bytes: &[u8], wish: Wish) {
        self.clear();
        if found.carried > 0 {
            let text = self.text("Continuation of a frame");
            self.bare(found.carried.min(bytes.len()), text);
        }
        let mut at = found.carried;
        for unit in &found.units {
            let Some(rest) = bytes.get(at..) else { break };
            let own = &rest[..rest.len().min(unit.length as usize)];
            self.unit(unit, own, at, wish);
            at += unit.length.max(1) as usize;
        }
    }

    /// Instead of what could not be laid out: a note that says so.
    pub(crate) fn fail(&mut self, length: usize) {
        self.clear();
        let text = self.text("The msgr2 dissector failed here; please report it with this packet");
        self.notes.push(Note { kind: FINDINGS.len(), start: 0, length: length as u32, text });
        self.bare(length, text);
    }

    /// A piece at the beginning that has a text and all notes so far, but no fields.
    fn bare(&mut self, length: usize, text: u32) {
        self.pieces.push(Piece {
            start: 0,
            length: length as u32,
            info: Some(text),
            dialect: None,
            mode: None,
            sender: None,
            framed: false,
            items: 0..0,
            notes: 0..self.notes.len() as u32,
        });
    }

    fn unit(&mut self, unit: &Unit, bytes: &[u8], at: usize, wish: Wish) {
        let (items, notes) = (self.items.len() as u32, self.notes.len() as u32);
        let wish = Wish { info: wish.info && self.pieces.len() < MOST_INFOS, ..wish };
        let mut info = None;
        if wish.tree {
            let mut recorder = self.recorder.take().unwrap_or_default();
            recorder.clear();
            let shown = show(unit, bytes, &mut recorder);
            recorder.finish(bytes.len());
            info = Some(self.info(unit, &shown));
            for node in recorder.nodes() {
                if self.items.len() >= MOST_ITEMS {
                    let text = self.text("Fields left out: there are too many in this packet");
                    self.notes.push(Note { kind: FINDINGS.len(), start: at as u32, length: bytes.len() as u32, text });
                    break;
                }
                let value = self.value(&recorder, node, bytes);
                let start = at as u32 + node.start;
                self.items.push(Item { field: node.field.index, depth: node.depth, start, length: node.length, value });
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
        let dialect = unit.dialect().map(|name| self.text(name));
        let mode = Some(self.text(unit.mode.name()));
        let sender = unit.sender.map(|role| self.text(role.name()));
        self.pieces.push(Piece {
            start: at as u32,
            length: bytes.len() as u32,
            info,
            dialect,
            mode,
            sender,
            framed: matches!(unit.kind, UnitKind::Frame(_) | UnitKind::Encrypted),
            items: items..self.items.len() as u32,
            notes: notes..self.notes.len() as u32,
        });
    }

    fn info(&mut self, unit: &Unit, shown: &Shown<'_>) -> u32 {
        let cut = if unit.cut { " [cut short]" } else { "" };
        self.format(format_args!("{shown}{cut}"))
    }

    fn value(&mut self, recorder: &Recorder, node: &Node, bytes: &[u8]) -> Value {
        let narrow = |width: u8| width <= 4;
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

/// The table of fields has as many entries as an item's index can name.
const _: () = assert!(FIELDS.len() < u16::MAX as usize);
