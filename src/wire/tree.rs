//! What a recorder kept, as JSON. The notation is that of [`super::json`], so that what was shown can be read back.

use serde_json::{Map, Number, Value};

use super::{Display, Duration, EnumInfo, Field, FlagsInfo, Kind, Node, Recorded, Recorder, Secrecy, Utime};

/// The tree as an object: one key for each field at the top. `views` are the bytes that the nodes point into, besides
/// those that the recorder keeps. A sealed field that was opened is an object of both, `sealed` and `opened`.
pub fn to_json(recorder: &Recorder, views: &[&[u8]]) -> Value {
    to_json_limited(recorder, views, 0)
}

/// The same with at most so many bytes of each blob or text; 0 for all of them. What is cut is an object of its first bytes, `hex`
/// or `text`, and of its `length`, which counts all bytes.
pub fn to_json_limited(recorder: &Recorder, views: &[&[u8]], max_bytes: usize) -> Value {
    let walk = Walk { recorder, views, max_bytes };
    let mut object = Map::new();
    walk.children(0, recorder.nodes().len(), |node, value| {
        object.insert(node.field.name.to_owned(), value);
    });
    Value::Object(object)
}

/// The value of a single node without children, as text for people.
pub fn text(recorder: &Recorder, node: &Node, views: &[&[u8]]) -> String {
    let walk = Walk { recorder, views, max_bytes: 0 };
    match (node.field.kind, node.value) {
        (Kind::Struct(_), _) => recorder.text(node).to_owned(),
        (Kind::Enum(_, info), Recorded::Unsigned(n)) => named(info, n as i64),
        (Kind::Enum(_, info), Recorded::Signed(n)) => named(info, n),
        (Kind::Flags(_, info), Recorded::Unsigned(n)) => {
            let names: Vec<&str> = info.set(n).map(|flag| flag.name).collect();
            format!("{n:#x} {}", names.join(" ")).trim_end().to_owned()
        }
        (Kind::List, Recorded::Unsigned(1)) => "1 item".to_owned(),
        (Kind::List, Recorded::Unsigned(n)) => format!("{n} items"),
        (Kind::Switch | Kind::Entry | Kind::Held, _) => String::new(),
        _ => match walk.leaf(node) {
            Value::String(text) => text,
            other => other.to_string(),
        },
    }
}

fn named(info: &EnumInfo, number: i64) -> String {
    info.find(number).map_or_else(|| number.to_string(), |value| format!("{} ({number})", value.name))
}

struct Walk<'r> {
    recorder: &'r Recorder,
    views: &'r [&'r [u8]],
    max_bytes: usize,
}

impl Walk<'_> {
    /// Calls `each` for every node of the topmost depth in a range.
    fn children(&self, mut at: usize, end: usize, mut each: impl FnMut(&Node, Value)) {
        let nodes = self.recorder.nodes();
        while at < end {
            let node = &nodes[at];
            let inside = nodes[at + 1..end].iter().take_while(|n| n.depth > node.depth).count();
            match (node.field.kind, node.value) {
                // the value itself comes next
                (Kind::Present, Recorded::Unsigned(1)) => {}
                (Kind::Present, _) => each(node, Value::Null),
                _ => each(node, self.value(node, at + 1, at + 1 + inside)),
            }
            at += 1 + inside;
        }
    }

    fn value(&self, node: &Node, from: usize, to: usize) -> Value {
        match node.field.kind {
            Kind::List => {
                let mut items = Vec::new();
                self.children(from, to, |_, value| items.push(value));
                Value::Array(items)
            }
            // a map's entry is a pair
            Kind::Entry => {
                let mut pair = Vec::new();
                self.children(from, to, |_, value| pair.push(value));
                Value::Array(pair)
            }
            // a blob that holds nothing, or a field without bytes
            Kind::Struct(_) | Kind::Switch | Kind::Held if matches!(node.value, Recorded::Content(_)) => Value::Null,
            Kind::Held => {
                let mut held = Value::Null;
                self.children(from, to, |_, value| held = value);
                held
            }
            Kind::Struct(_) | Kind::Switch => {
                let mut object = Map::new();
                self.children(from, to, |child, value| {
                    object.insert(child.field.name.to_owned(), value);
                });
                Value::Object(object)
            }
            _ if from == to => self.leaf(node),
            // only what is sealed is both
            _ => {
                let mut object = Map::new();
                object.insert("sealed".to_owned(), self.leaf(node));
                self.children(from, to, |child, value| {
                    object.insert(child.field.name.to_owned(), value);
                });
                Value::Object(object)
            }
        }
    }

    fn bytes(&self, node: &Node, length: u32) -> &[u8] {
        let view = match self.recorder.view(node.view) {
            Some(view) => view.bytes(),
            None => self.views.get(usize::from(node.view)).copied().unwrap_or_default(),
        };
        let end = (node.start as usize + node.length as usize).min(view.len());
        &view[end.saturating_sub(length as usize)..end]
    }

    fn leaf(&self, node: &Node) -> Value {
        let field = node.field;
        match node.value {
            Recorded::Unsigned(n) => unsigned(field, n),
            Recorded::Signed(n) => match field.kind {
                Kind::Enum(_, info) => enumerated(info, n),
                _ => n.into(),
            },
            Recorded::Float(x) => Number::from_f64(x).map_or(Value::Null, Value::Number),
            Recorded::Time(sec, nsec) => {
                // both were widened
                match field.kind {
                    Kind::Time => Utime { sec: sec as u32, nsec: nsec as u32 }.to_string().into(),
                    _ => Duration { sec: sec as i32, nsec }.to_string().into(),
                }
            }
            Recorded::Content(length) => {
                let bytes = self.bytes(node, length);
                // an address is whole or nothing
                let cuttable = !matches!(field.kind, Kind::Ipv6 | Kind::Uuid);
                if cuttable && self.max_bytes > 0 && bytes.len() > self.max_bytes {
                    return cut(field, &bytes[..self.max_bytes], length);
                }
                content(field, bytes)
            }
            Recorded::Text(..) | Recorded::Nothing => self.recorder.text(node).into(),
            Recorded::Secret(length) => Secrecy(length).to_string().into(),
        }
    }
}

fn unsigned(field: Field, n: u64) -> Value {
    match field.kind {
        Kind::Bool | Kind::Present if n <= 1 => (n == 1).into(),
        Kind::Enum(_, info) => enumerated(info, n as i64),
        Kind::Flags(_, info) => flags(info, n),
        Kind::Ipv4 => std::net::Ipv4Addr::from(n as u32).to_string().into(),
        _ if field.display == Display::Hex => format!("{n:#x}").into(),
        _ => n.into(),
    }
}

fn enumerated(info: &EnumInfo, number: i64) -> Value {
    // a name that several numbers share would lose which of them it was
    match info.find(number).filter(|v| v.number == number) {
        Some(value) => value.name.into(),
        None => number.into(),
    }
}

fn flags(info: &FlagsInfo, word: u64) -> Value {
    if info.hex {
        return format!("{word:#x}").into();
    }
    let mut names: Vec<Value> = info.set(word).map(|flag| flag.name.into()).collect();
    match info.unknown(word) {
        0 => {}
        unknown => names.push(format!("{unknown:#x}").into()),
    }
    names.into()
}

/// The first bytes of a content: an object, which nothing that is whole can be taken for.
fn cut(field: Field, start: &[u8], length: u32) -> Value {
    let notation = if matches!(field.kind, Kind::Text) { "text" } else { "hex" };
    let mut object = Map::new();
    object.insert(notation.to_owned(), content(field, start));
    object.insert("length".to_owned(), length.into());
    Value::Object(object)
}

fn content(field: Field, bytes: &[u8]) -> Value {
    match field.kind {
        Kind::Text => String::from_utf8_lossy(bytes).into(),
        Kind::Ipv6 => {
            <[u8; 16]>::try_from(bytes).map_or(Value::Null, |b| std::net::Ipv6Addr::from(b).to_string().into())
        }
        Kind::Uuid => <[u8; 16]>::try_from(bytes).map_or(Value::Null, |b| super::Uuid(b).to_string().into()),
        _ => super::Blob::from(bytes).to_string().into(),
    }
}
