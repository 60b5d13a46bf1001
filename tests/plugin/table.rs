//! What tshark shows of our frames, as rows.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use serde_json::Value;

use crate::common::{With, run, tshark, wireshark};

/// A packet with something of ours in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub packet: u32,
    pub stream: u32,
    /// The sender's port.
    pub port: u16,
    pub tags: Vec<u8>,
    /// Which of them the packet's receiver sent; nothing if none.
    pub others: Vec<bool>,
    /// The kinds of all findings, each as often as it is there.
    pub findings: Vec<String>,
    /// `_ws.malformed` of anybody.
    pub malformed: bool,
}

/// Our fields: filter, type, base and description, from `-G fields`.
pub(crate) struct FieldLine {
    pub label: String,
    pub filter: String,
    pub kind: String,
    pub base: String,
    pub doc: String,
}

/// All our fields.
pub(crate) fn fields() -> &'static [FieldLine] {
    static FIELDS: OnceLock<Vec<FieldLine>> = OnceLock::new();
    FIELDS.get_or_init(|| {
        let text = run(wireshark("tshark", With::Plugin).args(["-G", "fields"]));
        let lines = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
        lines
            .filter(|f| f[0] == "F" && f[4] == "msgr2")
            .map(|f| FieldLine {
                label: f[1].into(),
                filter: f[2].into(),
                kind: f[3].into(),
                base: f[5].into(),
                doc: f[7].into(),
            })
            .collect()
    })
}

/// The kinds of findings.
fn kinds() -> Vec<&'static str> {
    let all = fields().iter().filter_map(|field| field.filter.strip_prefix("msgr2.finding."));
    // that keys are old, and sessions are resumed, is said of clusters that are well
    all.filter(|kind| !["old_key_type", "session_reconnect"].contains(kind)).collect()
}

/// The rows of a capture.
pub(crate) fn rows(capture: &Path, options: &[&str]) -> Vec<Row> {
    let kinds = kinds();
    let finding_fields = kinds.iter().map(|kind| format!("msgr2.finding.{kind}"));
    let wanted = ["frame.number", "tcp.stream", "tcp.srcport", "msgr2.tag", "_ws.malformed", "msgr2.from_receiver"];
    let wanted = wanted.map(String::from);
    let mut arguments: Vec<String> = options.iter().map(ToString::to_string).collect();
    arguments.extend(["-Y", "msgr2 or _ws.malformed", "-T", "fields"].map(String::from));
    arguments.extend(wanted.into_iter().chain(finding_fields).flat_map(|field| ["-e".to_string(), field]));
    let text = tshark(capture, &arguments);
    text.lines()
        .map(|line| {
            let cells: Vec<&str> = line.split('\t').collect();
            let number = |at: usize| cells[at].parse::<u32>().unwrap();
            let count = |cell: &str| cell.split(',').filter(|one| !one.is_empty()).count();
            let tags = cells[3].split(',').filter(|tag| !tag.is_empty()).map(|tag| tag.parse().unwrap()).collect();
            let findings = kinds.iter().enumerate().flat_map(|(i, kind)| vec![kind.to_string(); count(cells[6 + i])]);
            Row {
                packet: number(0),
                stream: number(1),
                port: number(2) as u16,
                tags,
                others: cells[5]
                    .split(',')
                    .filter(|one| !one.is_empty())
                    .map(|one| one == "1" || one == "True")
                    .collect(),
                findings: findings.collect(),
                malformed: !cells[4].is_empty(),
            }
        })
        .collect()
}

/// The packet and tag of each frame, by stream.
pub(crate) type Frames = BTreeMap<u32, Vec<(u32, u8)>>;

/// As the plugin has them.
pub(crate) fn frames(rows: &[Row]) -> Frames {
    let mut all = Frames::new();
    for row in rows {
        let of_stream = all.entry(row.stream).or_default();
        of_stream.extend(row.tags.iter().map(|tag| (row.packet, *tag)));
    }
    all.retain(|_, frames| !frames.is_empty());
    all
}

/// As `msgr2 decode` has them.
pub(crate) fn decoded_frames(lines: &[Value]) -> Frames {
    let mut all = Frames::new();
    for line in lines {
        let number = |name: &str| line[name].as_u64().unwrap() as u32;
        if let Some(tag) = line["tag"].as_u64() {
            all.entry(number("stream")).or_default().push((number("packet"), tag as u8));
        }
    }
    all
}

/// The tags that a stream's two sides sent, in order: what the client said, what the server said.
pub(crate) fn told(rows: &[Row], stream: u32, server: u16) -> [Vec<u8>; 2] {
    let side = |of_server: bool| {
        let rows = rows.iter().filter(|row| row.stream == stream);
        let own = |row: &Row| {
            let tags = row.tags.iter().enumerate();
            let other = |at: usize| row.others.get(at).copied().unwrap_or(false);
            tags.filter(|(at, _)| ((row.port == server) != other(*at)) == of_server)
                .map(|(_, tag)| *tag)
                .collect::<Vec<_>>()
        };
        rows.flat_map(own).collect()
    };
    [side(false), side(true)]
}

/// All findings of all rows: packet and kind.
pub(crate) fn findings(rows: &[Row]) -> Vec<(u32, &str)> {
    rows.iter().flat_map(|row| row.findings.iter().map(|kind| (row.packet, kind.as_str()))).collect()
}
