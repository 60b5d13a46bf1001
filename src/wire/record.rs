//! The trace that keeps what was read: the tree that the command line and Wireshark show.

use std::fmt::{self, Write as _};
use std::ops::Range;
use std::sync::Arc;

use zeroize::{Zeroize as _, Zeroizing};

use super::show::Brief;
use super::{Error, Field, Reader, Trace, Unseal, Value};

/// The most sealed blobs of one frame that are opened.
pub const MOST_VIEWS: usize = 256;
/// The most bytes of one frame's sealed blobs that are decrypted; what is sealed on purpose is small.
const MOST_SEALED: usize = 1 << 20;
/// The most bytes of a structure's text: it is a line for people, and what it is made of follows field by field.
const MOST_SUMMARY: usize = 4096;
/// How deep sealed blobs may stand in each other to be opened.
const MOST_NESTED: u8 = 4;

/// One field that was read.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    /// Which.
    pub field: Field,
    /// How many open fields it stands in.
    pub depth: u16,
    /// The view that its bytes are in: 0 is the frame as it was captured, others are those of [`Recorder::view`].
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
    /// So many bytes that nobody is to see.
    Secret(u32),
}

/// What was in a sealed blob: bytes of their own, wiped when dropped.
#[derive(Clone)]
pub struct View {
    /// The field of what was in it; its label is the view's name.
    pub field: Field,
    bytes: Zeroizing<Vec<u8>>,
}

impl View {
    /// The decrypted bytes, with zeros for what is secret.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "View({:?}, {} bytes)", self.field, self.bytes.len())
    }
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
    left_out: usize,
    unseal: Option<Arc<dyn Unseal>>,
    views: Vec<View>,
    /// What is left to be decrypted of this frame, in bytes.
    budget: usize,
    nested: u8,
    /// Where secrets are in the view that is being read.
    secrets: Vec<Range<usize>>,
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

    /// An empty one that keeps at most so many nodes; [`Recorder::left_out`] counts the others.
    pub fn with_limit(limit: usize) -> Self {
        Recorder {
            nodes: Vec::new(),
            open: Vec::new(),
            texts: String::new(),
            base: 0,
            view: 0,
            limit,
            left_out: 0,
            unseal: None,
            views: Vec::new(),
            budget: MOST_SEALED,
            nested: 0,
            secrets: Vec::new(),
        }
    }

    /// Forgets all, keeps the memory.
    pub fn clear(&mut self) {
        self.nodes.clear();
        self.open.clear();
        self.texts.clear();
        self.base = 0;
        self.view = 0;
        self.left_out = 0;
        self.views.clear();
        self.secrets.clear();
        self.budget = MOST_SEALED;
    }

    /// The views of sealed blobs that were opened: the first is number 1.
    pub fn views(&self) -> &[View] {
        &self.views
    }

    /// The view of a sealed blob that was opened; `None` for number 0, which is the caller's.
    pub fn view(&self, number: u16) -> Option<&View> {
        self.views.get(usize::from(number).checked_sub(1)?)
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

    /// How many nodes were left out because there were too many.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// From here on at most so many nodes are kept.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    fn push(&mut self, node: Node) -> usize {
        if self.nodes.len() >= self.limit {
            self.left_out += 1;
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
            Value::Secret(length) => {
                // the frame itself is the caller's
                if self.view > 0 {
                    self.secrets.push(at.end.saturating_sub(length)..at.end);
                }
                Recorded::Secret(length as u32)
            }
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
            // it ends where the text is long enough
            let _ = write!(Brief::new(&mut self.texts, MOST_SUMMARY), "{summary}");
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

    fn sealed<R>(&mut self, opened: Field, usage: u32, bytes: &[u8], read: R)
    where
        R: FnOnce(&mut Reader<'_>, &mut Self) -> Result<(), Error>,
    {
        let Some(unseal) = &self.unseal else { return };
        if self.nested >= MOST_NESTED || self.views.len() >= MOST_VIEWS || bytes.len() > self.budget {
            return;
        }
        self.budget -= bytes.len();
        let Some(mut plain) = unseal.unseal(usage, bytes) else { return };
        // inner views come behind this one
        self.views.push(View { field: opened, bytes: Zeroizing::default() });
        let own = self.views.len();
        let outer = (std::mem::replace(&mut self.view, own as u16), std::mem::take(&mut self.secrets));
        let depth = self.open.len();
        self.nested += 1;
        self.base += 1;
        self.open(opened, 0);
        let mut reader = Reader::new(&plain);
        let end = match read(&mut reader, self).and_then(|()| reader.end()) {
            Ok(()) => plain.len(),
            Err(error) => error.offset.min(plain.len()),
        };
        while self.open.len() > depth {
            self.close(end, None);
        }
        self.base -= 1;
        self.nested -= 1;
        // what could not be read may be secret too
        self.secrets.push(end..plain.len());
        for secret in &self.secrets {
            if let Some(secret) = plain.get_mut(secret.clone()) {
                secret.zeroize();
            }
        }
        (self.view, self.secrets) = outer;
        self.views[own - 1].bytes = plain;
    }

    fn unseal_with(&mut self, unseal: Option<Arc<dyn Unseal>>) {
        self.unseal = unseal;
    }
}
