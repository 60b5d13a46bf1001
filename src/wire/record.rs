//! The trace that keeps what was read: the tree that the command line and Wireshark show.

use std::fmt::{self, Write as _};
use std::ops::Range;

use super::{Field, Trace, Value};

/// One field that was read.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    /// Which.
    pub field: Field,
    /// How many open fields it stands in.
    pub depth: u16,
    /// The view that its bytes are in: 0 is the frame as it was captured.
    pub view: u16,
    /// Its first byte in the view.
    pub start: u32,
    /// The number of its bytes.
    pub length: u32,
    /// Its value.
    pub value: Recorded,
}

/// A value as it is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Recorded {
    /// None: a field that only holds fields, without a text.
    Nothing,
    /// Unsigned integers, truth values, enums, flags, numbers of items.
    Unsigned(u64),
    /// Signed integers.
    Signed(i64),
    /// Floating point numbers.
    Float(f64),
    /// Seconds and nanoseconds.
    Time(i64, i32),
    /// Bytes and texts: they end with the node's range and are this long.
    Content(u32),
    /// The text of a structure: a range of [`Recorder::texts`].
    Text(u32, u32),
}

/// Keeps nodes in the order in which they were read; the buffer is reused.
#[derive(Clone, Debug)]
pub struct Recorder {
    nodes: Vec<Node>,
    open: Vec<usize>,
    texts: String,
    base: u16,
    view: u16,
    limit: usize,
    truncated: bool,
}

impl Default for Recorder {
    fn default() -> Self {
        Recorder::new()
    }
}

impl Recorder {
    /// An empty one that keeps any number of nodes.
    pub fn new() -> Self {
        Recorder::with_limit(usize::MAX)
    }

    /// An empty one that keeps at most so many nodes; then [`Recorder::truncated`] says so.
    pub fn with_limit(limit: usize) -> Self {
        Recorder {
            nodes: Vec::new(),
            open: Vec::new(),
            texts: String::new(),
            base: 0,
            view: 0,
            limit,
            truncated: false,
        }
    }

    /// Forgets all, keeps the memory.
    pub fn clear(&mut self) {
        self.nodes.clear();
        self.open.clear();
        self.texts.clear();
        self.base = 0;
        self.view = 0;
        self.truncated = false;
    }

    /// What follows is in this view.
    pub fn set_view(&mut self, view: u16) {
        self.view = view;
    }

    /// Ends what an error left open: each field reaches as far as the bytes were read.
    pub fn finish(&mut self, end: usize) {
        while !self.open.is_empty() {
            self.close(end, None);
        }
    }

    /// The nodes.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The texts of structures, one after the other.
    pub fn texts(&self) -> &str {
        &self.texts
    }

    /// The text of a node.
    pub fn text(&self, node: &Node) -> &str {
        match node.value {
            Recorded::Text(start, end) => &self.texts[start as usize..end as usize],
            _ => "",
        }
    }

    /// Whether nodes were left out because there were too many.
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    fn push(&mut self, node: Node) -> usize {
        if self.nodes.len() >= self.limit {
            self.truncated = true;
            return usize::MAX;
        }
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn node(&self, field: Field, start: usize, length: usize, value: Recorded) -> Node {
        Node {
            field,
            depth: self.base + self.open.len() as u16,
            view: self.view,
            start: start as u32,
            length: length as u32,
            value,
        }
    }
}

impl Trace for Recorder {
    fn value(&mut self, field: Field, at: Range<usize>, value: Value<'_>) {
        let value = match value {
            Value::Unsigned(n) => Recorded::Unsigned(n),
            Value::Signed(n) => Recorded::Signed(n),
            Value::Float(x) => Recorded::Float(x),
            Value::Time(sec, nsec) => Recorded::Time(sec, nsec),
            Value::Bytes(bytes) => Recorded::Content(bytes.len() as u32),
            Value::Ipv6(octets) => Recorded::Content(octets.len() as u32),
        };
        let node = self.node(field, at.start, at.end - at.start, value);
        self.push(node);
    }

    fn open(&mut self, field: Field, start: usize) {
        let node = self.node(field, start, 0, Recorded::Nothing);
        let index = self.push(node);
        self.open.push(index);
    }

    fn close(&mut self, end: usize, summary: Option<&dyn fmt::Display>) {
        let Some(index) = self.open.pop() else { return };
        let Some(node) = self.nodes.get_mut(index) else { return };
        node.length = (end as u32).saturating_sub(node.start);
        if let Some(summary) = summary {
            let start = self.texts.len() as u32;
            // a String takes all that is written to it
            let _ = write!(self.texts, "{summary}");
            node.value = Recorded::Text(start, self.texts.len() as u32);
        }
    }

    fn count(&mut self, items: u64) {
        if let Some(node) = self.open.last().and_then(|&index| self.nodes.get_mut(index)) {
            node.value = Recorded::Unsigned(items);
        }
    }

    fn depth(&self) -> usize {
        self.open.len()
    }
}
