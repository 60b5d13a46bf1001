//! Frames as lines of text or JSON.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use msgr2::field;
use msgr2::tracker::{Bounds, Budget, Fact, KeyUse, Relation, Shown, Unit, UnitKind, facts, show};
use msgr2::v2_1;
use msgr2::wire::{Field, Kind, Node, Recorded, Recorder, Severity, tree};
use serde_json::{Map, Value, json};

use super::clock::Clock;
use super::files::Files;

/// Fields that lead to other packets, which are printed together.
const LINKS: [Field; 2] = [field::COMMON_SIGNS, field::COMMON_RESUMES];

/// How frames are printed.
pub(super) struct Style {
    /// As JSON Lines.
    pub(super) json: bool,
    /// With all fields.
    pub(super) verbose: bool,
    /// The most bytes of a field's content that are shown; 0 for all.
    pub(super) max_bytes: usize,
}

/// Where a frame ended.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The packet that completed it, counted over all files.
    pub(super) packet: u32,
    /// The time of that packet, since 1970.
    pub(super) time: Duration,
    /// The connection, numbered as Wireshark's `tcp.stream`.
    pub(super) stream: u32,
    /// The sender.
    pub(super) src: SocketAddr,
    /// The receiver.
    pub(super) dst: SocketAddr,
}

/// What packets' numbers and times are told by.
#[derive(Clone, Copy)]
pub(super) struct Scene<'s> {
    pub(super) files: &'s Files,
    pub(super) clock: &'s Clock,
}

impl Scene<'_> {
    /// A packet, as it is named in text.
    fn packet(self, global: u32) -> String {
        let packet = self.files.packet(global);
        if self.files.several() { format!("{}:{}", packet.file, packet.number) } else { packet.number.to_string() }
    }

    /// Another packet than that of the line, whose file goes without saying if it is the same.
    fn other_packet(self, own: u32, other: u32) -> String {
        let (own, packet) = (self.files.packet(own), self.files.packet(other));
        if own.file == packet.file { packet.number.to_string() } else { self.packet(other) }
    }
}

/// What a line is about.
#[derive(Clone, Copy)]
pub(super) struct Subject<'s> {
    pub(super) place: &'s Place,
    pub(super) scene: Scene<'s>,
    pub(super) unit: &'s Unit,
    pub(super) bytes: &'s [u8],
    /// The sealed record of the proposal that it was in.
    pub(super) record: Option<u64>,
}

/// Makes lines of frames.
pub(super) struct Printer {
    style: Style,
    recorder: Recorder,
    fields: Budget,
    /// The captured bytes of which nothing was shown yet.
    captured: usize,
}

/// The most fields that are shown. Frames of real traffic have some hundreds, the largest some thousands, and fewer than
/// they have bytes.
const FIELDS: Bounds = Bounds { frame: 1 << 17, packet: 1 << 18, capture: 1 << 22, per_byte: 1 };

impl Printer {
    pub(super) fn new(style: Style) -> Self {
        Printer { style, recorder: Recorder::new(), fields: Budget::new(FIELDS), captured: 0 }
    }

    /// So many bytes were captured of what comes next; what is opened of it was not.
    pub(super) fn captured(&mut self, bytes: usize) {
        self.captured = bytes;
    }

    /// Whether all fields are shown.
    pub(super) fn verbose(&self) -> bool {
        self.style.verbose
    }

    /// Writes a unit as text of one or more lines. What is large is not kept.
    pub(super) fn line(&mut self, subject: Subject<'_>, out: &mut impl Write) -> io::Result<()> {
        let Subject { place, unit, bytes, .. } = subject;
        self.recorder.clear();
        if !self.style.json && !self.style.verbose {
            return self.text(subject, &show(unit, bytes, &mut ()), out);
        }
        let grant = self.fields.grant(place.packet, std::mem::take(&mut self.captured));
        self.recorder.set_limit(grant.amount.try_into().unwrap_or(usize::MAX));
        let shown = show(unit, bytes, &mut self.recorder);
        self.recorder.finish(bytes.len());
        self.fields.spend(self.recorder.nodes().len() as u64);
        if self.style.json { self.json(subject, out) } else { self.text(subject, &shown, out) }
    }

    fn text(&self, subject: Subject<'_>, shown: &Shown<'_>, out: &mut impl Write) -> io::Result<()> {
        let Subject { place, scene, unit, bytes, .. } = subject;
        let Place { packet, time, stream, src, dst } = place;
        let (dialect, mode) = (unit.dialect().unwrap_or("v2"), unit.mode.name());
        write!(out, "{} ", scene.packet(*packet))?;
        if let Some(time) = scene.clock.column(*time) {
            write!(out, "{time} ")?;
        }
        write!(out, "{stream} {src} > {dst} {dialect} {mode} {shown}")?;
        if let Some(verdict) = unit.verdict {
            write!(out, " {}", verdict.name())?;
        }
        for relation in &unit.relations {
            write!(out, " ({} {})", relation.kind.name(), scene.other_packet(place.packet, relation.packet))?;
        }
        if unit.cut {
            write!(out, " [cut short: {} of {} bytes captured]", bytes.len(), unit.length)?;
        }
        for finding in &unit.findings {
            write!(out, " [{:?}: {finding}]", finding.kind.info().severity)?;
        }
        writeln!(out)?;
        if self.style.verbose {
            for node in self.recorder.nodes() {
                let text = limited(tree::text(&self.recorder, node, &[bytes]), node, self.style.max_bytes);
                let indent = 2 * usize::from(node.depth);
                // what was sealed is elsewhere
                let start = match node.view {
                    0 => node.start.to_string(),
                    view => format!("{view}:{}", node.start),
                };
                writeln!(out, "    {start:>6}+{:<5} {:indent$}{}: {text}", node.length, "", node.field.label)?;
            }
            if self.recorder.left_out() > 0 {
                writeln!(out, "    {} more fields left out: there are too many", self.recorder.left_out())?;
            }
        }
        Ok(())
    }

    fn json(&self, subject: Subject<'_>, out: &mut impl Write) -> io::Result<()> {
        let Subject { place, scene, unit, bytes, record } = subject;
        let mut all = tree::to_json_limited(&self.recorder, &[bytes], self.style.max_bytes);
        let fields = fields(unit, &mut all, self.style.verbose);
        let findings: Vec<Value> = unit
            .findings
            .iter()
            .map(|finding| {
                let info = finding.kind.info();
                json!({
                    "kind": info.name,
                    "severity": severity(info.severity),
                    "text": finding.to_string(),
                    "offset": finding.start,
                    "length": finding.length,
                })
            })
            .collect();
        let packet = scene.files.packet(place.packet);
        let mut line = json!({
            "file": packet.file,
            "packet": packet.number,
            "time": time(place.time, scene.clock),
            "stream": place.stream,
            "src": place.src.to_string(),
            "dst": place.dst.to_string(),
            "dialect": unit.dialect(),
            "mode": unit.mode.name(),
            "tag": unit.tag(),
            "name": name(unit),
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
            let relation = |relation: &Relation| {
                let packet = scene.files.packet(relation.packet);
                json!({"kind": relation.kind.name(), "file": packet.file, "packet": packet.number})
            };
            line["relations"] = unit.relations.iter().map(relation).collect();
        }
        if unit.cut {
            line["cut"] = json!({ "captured": bytes.len(), "length": unit.length });
        }
        if self.recorder.left_out() > 0 {
            line["left_out"] = self.recorder.left_out().into();
        }
        if self.style.verbose {
            line["frame"] = all;
        }
        serde_json::to_writer(&mut *out, &line)?;
        writeln!(out)
    }
}

/// The time of a packet, if the capture says it.
fn time(time: Duration, clock: &Clock) -> Value {
    if time.is_zero() {
        return Value::Null;
    }
    json!({ "text": clock.utc(time), "seconds": time.as_secs(), "nanoseconds": time.subsec_nanos() })
}

/// A severity's name.
pub(super) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Chat => "chat",
        Severity::Note => "note",
        Severity::Warn => "warn",
        Severity::Error => "error",
    }
}

const BANNER: &str = "BANNER";
const COMPRESSED: &str = "COMPRESSED_FRAME";
const RECORD: &str = "RECORD";
const SECURE: &str = "SECURE_FRAME";
const ENCRYPTED: &str = "ENCRYPTED";
const UNDECODED: &str = "UNDECODED";
const END: &str = "END";

/// The names of what has no tag.
pub(super) const OTHER_NAMES: [&str; 7] = [BANNER, COMPRESSED, RECORD, SECURE, ENCRYPTED, UNDECODED, END];

/// A unit's name: that of its tag if it has one.
pub(super) fn name(unit: &Unit) -> String {
    let name = match unit.kind {
        UnitKind::Frame(_) | UnitKind::Segments(_) if !unit.inner().is_empty() => COMPRESSED,
        UnitKind::Frame(head) | UnitKind::Segments(head) => return v2_1::Tag(head.tag).to_string(),
        UnitKind::Plain(head) => return head.tag.to_string(),
        UnitKind::Banner => BANNER,
        UnitKind::Record => RECORD,
        UnitKind::Secure => SECURE,
        UnitKind::Encrypted => ENCRYPTED,
        UnitKind::Lost => UNDECODED,
        UnitKind::Ended => END,
    };
    name.to_owned()
}

/// The fields of a unit's payload without the envelope around it. They are copied only if all fields are to be shown, too:
/// there may be many.
fn fields(unit: &Unit, all: &mut Value, copied: bool) -> Value {
    let taken = |part: &mut Value| if copied { part.clone() } else { part.take() };
    let payload = match unit.kind {
        UnitKind::Banner | UnitKind::Frame(_) | UnitKind::Segments(_) | UnitKind::Plain(_) => {
            all.get_mut(name(unit).to_lowercase()).map(taken)
        }
        UnitKind::Lost => Some(taken(all)),
        UnitKind::Record | UnitKind::Secure | UnitKind::Encrypted | UnitKind::Ended => None,
    };
    payload.unwrap_or_else(|| Value::Object(Map::new()))
}

/// A value that doesn't fill the screen.
fn limited(mut text: String, node: &Node, max_bytes: usize) -> String {
    let Recorded::Content(length) = node.value else { return text };
    if max_bytes == 0 || length as usize <= max_bytes || matches!(node.field.kind, Kind::Ipv6 | Kind::Uuid) {
        return text;
    }
    let chars = if matches!(node.field.kind, Kind::Bytes) { 2 * max_bytes } else { max_bytes };
    if let Some((end, _)) = text.char_indices().nth(chars) {
        text.truncate(end);
    }
    format!("{text}… ({length} bytes)")
}
