//! Packets that a capture lacks: whatever is missing, nobody is blamed for it.
#![allow(clippy::unwrap_used)]
#![cfg(feature = "cli")]

mod common;

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::path::Path;

use common::{captures, keyring_of};
use msgr2::FindingKind;
use msgr2::capture::{CaptureFile, Chunk, Direction as Way, Kind, Limits, Reassembler, Segment};
use msgr2::tracker::{Direction, Event, Knowledge, SECRETS_TYPE, Stream, Unit};

/// A segment of a capture, with bytes of its own.
struct Owned {
    head: Segment<'static>,
    payload: Vec<u8>,
}

impl Owned {
    fn segment(&self) -> Segment<'_> {
        Segment { payload: &self.payload, ..self.head }
    }
}

/// All segments of a capture, and the keys to it.
fn load(path: &Path) -> (Vec<Owned>, Vec<u8>) {
    use std::sync::{Arc, Mutex};
    let mut file = CaptureFile::open(path).unwrap();
    let secrets = Arc::new(Mutex::new(Vec::new()));
    let kept = secrets.clone();
    file.on_secrets(move |kind, bytes| {
        if kind == SECRETS_TYPE {
            kept.lock().unwrap().extend_from_slice(bytes);
        }
    });
    let mut segments = Vec::new();
    while let Some(packet) = file.next_packet().unwrap() {
        if let Ok(segment) = Segment::parse(&packet) {
            segments.push(Owned { payload: segment.payload.to_vec(), head: Segment { payload: &[], ..segment } });
        }
    }
    let mut keys = secrets.lock().unwrap().clone();
    if let Some(keyring) = keyring_of(path) {
        keys.extend(std::fs::read(keyring).unwrap());
    }
    (segments, keys)
}

/// What is found by the tracker in these segments: kinds, and how often.
fn found<'s>(
    segments: impl Iterator<Item = &'s Owned>,
    keys: &[u8],
) -> BTreeMap<&'static str, (FindingKind, Vec<String>)> {
    let knowledge = Knowledge::default();
    if !keys.is_empty() {
        knowledge.add_text(keys).unwrap();
    }
    let mut streams: HashMap<u32, Stream> = HashMap::new();
    let mut all = BTreeMap::new();
    let mut reassembler = Reassembler::new(Limits::default());
    let mut sink = |chunk: Chunk<'_>| {
        let direction = if chunk.direction == Way::ToServer { Direction::Forward } else { Direction::Backward };
        let stream = streams.entry(chunk.stream).or_insert_with(|| {
            let mut stream = Stream::new(None);
            stream.set_knowledge(knowledge.clone());
            stream
        });
        stream.at(chunk.packet);
        let mut out = |event| {
            if let Event::Unit(unit, _) = event {
                note(&unit, chunk.packet, &mut all);
            }
        };
        match chunk.kind {
            Kind::Data(bytes) => stream.push(direction, bytes, &mut out),
            Kind::Gap(_) => stream.gap(direction, &mut out),
            Kind::Closed(end) => stream.close(direction, end, &mut out),
        }
        Ok::<_, Infallible>(())
    };
    for one in segments {
        reassembler.push(&one.segment(), &mut sink).unwrap();
    }
    reassembler.finish(&mut sink).unwrap();
    all
}

fn note(unit: &Unit, packet: u32, all: &mut BTreeMap<&'static str, (FindingKind, Vec<String>)>) {
    for finding in &unit.findings {
        let entry = all.entry(finding.kind.info().name).or_insert((finding.kind, Vec::new()));
        entry.1.push(format!("packet {packet}: {finding}"));
    }
    unit.inner().iter().for_each(|unit| note(unit, packet, all));
}

/// Findings that say what the capture lacks, and so may come of any loss.
const OF_THE_CAPTURE: [FindingKind; 4] =
    [FindingKind::Lost, FindingKind::Resumed, FindingKind::Encrypted, FindingKind::NotDecompressed];

#[track_caller]
fn nobody_is_blamed(what: &str, whole: &[Owned], without: impl Fn(usize) -> bool, keys: &[u8]) {
    let before = found(whole.iter(), keys);
    let now = found(whole.iter().enumerate().filter(|(index, _)| !without(*index)).map(|(_, one)| one), keys);
    for (name, (kind, texts)) in &now {
        let known = before.get(name).map_or(0, |(_, texts)| texts.len());
        assert!(texts.len() <= known || OF_THE_CAPTURE.contains(kind), "{what}: {texts:#?}");
    }
}

#[test]
fn each_single_packet_may_be_missing() {
    let mut tried = 0;
    for path in captures() {
        let (segments, keys) = load(&path);
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // the handshakes of many connections, the middle of some
        let places: Vec<usize> = (0..segments.len()).filter(|index| !segments[*index].payload.is_empty()).collect();
        let step = places.len().div_ceil(120);
        for &missing in places.iter().step_by(step) {
            nobody_is_blamed(&format!("{name} without segment {missing}"), &segments, |index| index == missing, &keys);
            tried += 1;
        }
    }
    assert!(tried > 500, "{tried}");
}

#[test]
fn some_packets_in_a_hundred_may_be_missing() {
    for path in captures() {
        let (segments, keys) = load(&path);
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        for (seed, rate) in (1..=4).map(|seed| (seed, 0.01)).chain([(5, 0.05), (6, 0.2)]) {
            let mut state = 0x9e37_79b9_7f4a_7c15_u64.rotate_left(seed);
            let lost: Vec<bool> = segments
                .iter()
                .map(|_| {
                    // xorshift64
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    ((state >> 11) as f64 / (1u64 << 53) as f64) < rate
                })
                .collect();
            nobody_is_blamed(&format!("{name}, seed {seed}"), &segments, |index| lost[index], &keys);
        }
    }
}
