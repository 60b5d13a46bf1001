//! Frames as lines of text or JSON.

use std::io::{self, Write};
use std::net::SocketAddr;

use msgr2::field;
use msgr2::tracker::{Fact, KeyUse, Relation, Shown, Unit, UnitKind, facts, show};
use msgr2::v2_1;
use msgr2::wire::{Field, Kind, Node, Recorded, Recorder, tree};
use serde_json::{Map, Value, json};

/// Fields that lead to other packets, which are printed together.
const LINKS: [Field; 2] = [field::COMMON_SIGNS, field::COMMON_RESUMES];

/// How frames are printed.
pub(crate) struct Style {
    /// As JSON Lines.
    pub json: bool,
    /// With all fields.
    pub verbose: bool,
    /// The most bytes of a field's content that are shown; 0 for all.
    pub max_bytes: usize,
}

/// Where a frame ended.
pub(crate) struct Place {
    /// The packet that completed it, from 1.
    pub packet: u32,
    /// The connection, numbered as Wireshark's `tcp.stream`.
    pub stream: u32,
    /// The sender.
    pub src: SocketAddr,
    /// The receiver.
    pub dst: SocketAddr,
}

/// Writes frames.
pub(crate) struct Printer<W> {
    out: W,
    style: Style,
    recorder: Recorder,
}

impl<W: Write> Printer<W> {
    pub(crate) fn new(out: W, style: Style) -> Self {
        Printer { out, style, recorder: Recorder::new() }
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// A unit, and what is in it if it opens.
    pub(crate) fn unit(&mut self, place: &Place, unit: &Unit, bytes: &[u8]) -> io::Result<()> {
        self.nested(place, unit, bytes, unit.record())
    }

    fn nested(&mut self, place: &Place, unit: &Unit, bytes: &[u8], record: Option<u64>) -> io::Result<()> {
        // of bytes that can't be read the first say all there is to say
        if matches!(unit.kind, UnitKind::Encrypted | UnitKind::Lost) && unit.findings.is_empty() {
            return Ok(());
        }
        let inner = unit.inner();
        // of what was opened that which is in it says all, unless something is wrong outside
        if inner.is_empty() || self.style.verbose || !unit.findings.is_empty() {
            self.line(place, unit, bytes, record)?;
        }
        let Some(view) = (!inner.is_empty()).then(|| unit.open(bytes)).flatten() else { return Ok(()) };
        let mut at = 0;
        for unit in inner {
            let end = view.len().min(at + unit.length as usize);
            self.nested(place, unit, &view[at..end], record)?;
            at = end;
        }
        Ok(())
    }

    fn line(&mut self, place: &Place, unit: &Unit, bytes: &[u8], record: Option<u64>) -> io::Result<()> {
        self.recorder.clear();
        let shown = show(unit, bytes, &mut self.recorder);
        self.recorder.finish(bytes.len());
        if self.style.json { self.json(place, unit, bytes, record) } else { self.text(place, unit, &shown, bytes) }
    }

    fn text(&mut self, place: &Place, unit: &Unit, shown: &Shown<'_>, bytes: &[u8]) -> io::Result<()> {
        let Place { packet, stream, src, dst } = place;
        let (dialect, mode) = (unit.dialect().unwrap_or("v2"), unit.mode.name());
        write!(self.out, "{packet} {stream} {src} > {dst} {dialect} {mode} {shown}")?;
        if let Some(verdict) = unit.verdict {
            write!(self.out, " {}", verdict.name())?;
        }
        for relation in &unit.relations {
            write!(self.out, " ({} {})", relation.kind.name(), relation.packet)?;
        }
        if unit.cut {
            write!(self.out, " [cut short: {} of {} bytes captured]", bytes.len(), unit.length)?;
        }
        for finding in &unit.findings {
            write!(self.out, " [{:?}: {finding}]", finding.kind.info().severity)?;
        }
        writeln!(self.out)?;
        if self.style.verbose {
            for node in self.recorder.nodes() {
                let text = limited(tree::text(&self.recorder, node, &[bytes]), node, self.style.max_bytes);
                let indent = 2 * usize::from(node.depth);
                // what was sealed is elsewhere
                let start = match node.view {
                    0 => node.start.to_string(),
                    view => format!("{view}:{}", node.start),
                };
                writeln!(self.out, "    {start:>6}+{:<5} {:indent$}{}: {text}", node.length, "", node.field.label)?;
            }
        }
        Ok(())
    }

    fn json(&mut self, place: &Place, unit: &Unit, bytes: &[u8], record: Option<u64>) -> io::Result<()> {
        let all = tree::to_json_limited(&self.recorder, &[bytes], self.style.max_bytes);
        let (name, fields) = split(unit, &all);
        let findings: Vec<Value> = unit
            .findings
            .iter()
            .map(|finding| {
                let info = finding.kind.info();
                json!({
                    "kind": info.name,
                    "severity": format!("{:?}", info.severity).to_lowercase(),
                    "text": finding.to_string(),
                    "offset": finding.start,
                    "length": finding.length,
                })
            })
            .collect();
        let mut line = json!({
            "packet": place.packet,
            "stream": place.stream,
            "src": place.src.to_string(),
            "dst": place.dst.to_string(),
            "dialect": unit.dialect(),
            "mode": unit.mode.name(),
            "tag": unit.tag(),
            "name": name,
            "fields": fields,
            "findings": findings,
        });
        // inner frames are told the record that they stand in
        if let Some(record) = record {
            line["record"] = record.into();
        }
        if let Some(verdict) = unit.verdict {
            line["signature"] = verdict.name().into();
        }
        for (field, fact) in facts(unit) {
            let value = match fact {
                Fact::Number(number) => json!(number),
                Fact::Truth(truth) => json!(truth),
                // dialect, mode, sender, verdict and key types have keys of their own
                Fact::Text(_) => continue,
            };
            if !LINKS.contains(&field) {
                line[field.name] = value;
            }
        }
        if !unit.key_types.is_empty() {
            let key = |key: &KeyUse| json!({"owner": key.owner.to_string(), "type": key.name()});
            line["key_types"] = unit.key_types.iter().map(key).collect();
        }
        if !unit.relations.is_empty() {
            let relation = |relation: &Relation| json!({"kind": relation.kind.name(), "packet": relation.packet});
            line["relations"] = unit.relations.iter().map(relation).collect();
        }
        if unit.cut {
            line["cut"] = json!({ "captured": bytes.len(), "length": unit.length });
        }
        if self.style.verbose {
            line["frame"] = all;
        }
        serde_json::to_writer(&mut self.out, &line)?;
        writeln!(self.out)
    }
}

/// A unit's name, and the fields of its payload without the envelope around it.
fn split(unit: &Unit, all: &Value) -> (String, Value) {
    let payload = |name: String| {
        let payload = all.get(name.to_lowercase()).cloned();
        (name, payload.unwrap_or_else(|| Value::Object(Map::new())))
    };
    match unit.kind {
        UnitKind::Banner => ("BANNER".into(), all.get("banner").cloned().unwrap_or_default()),
        UnitKind::Frame(_) | UnitKind::Segments(_) if !unit.inner().is_empty() => {
            ("COMPRESSED_FRAME".into(), Value::Object(Map::new()))
        }
        UnitKind::Frame(head) | UnitKind::Segments(head) => payload(v2_1::Tag(head.tag).to_string()),
        UnitKind::Plain(head) => payload(head.tag.to_string()),
        UnitKind::Record => ("RECORD".into(), Value::Object(Map::new())),
        UnitKind::Secure => ("SECURE_FRAME".into(), Value::Object(Map::new())),
        UnitKind::Encrypted => ("ENCRYPTED".into(), Value::Object(Map::new())),
        UnitKind::Lost => ("UNDECODED".into(), all.clone()),
        UnitKind::Ended => ("END".into(), Value::Object(Map::new())),
    }
}

/// A value that doesn't fill the screen.
fn limited(mut text: String, node: &Node, max_bytes: usize) -> String {
    let Recorded::Content(length) = node.value else { return text };
    if max_bytes == 0 || length as usize <= max_bytes {
        return text;
    }
    let chars = if matches!(node.field.kind, Kind::Bytes) { 2 * max_bytes } else { max_bytes };
    if let Some((end, _)) = text.char_indices().nth(chars) {
        text.truncate(end);
    }
    format!("{text}… ({length} bytes)")
}
