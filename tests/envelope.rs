//! `frame/` follows the envelope that the spec lists by hand. This holds one against the other: frames of many shapes
//! are put together from the list, part by part, and must be what `frame` writes and reads.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use msgr2::crypto::{Gcm, Secret};
use msgr2::frame::secure::ConnectionKey;
use msgr2::frame::{self, Check, Ending, Head, Late, Revision, crc32c};
use msgr2::types::PreambleFlags;
use msgr2::v2_1::Tag;
use msgr2::wire::{Encode, Role};
use msgr2::{v2_0, v2_1};
use msgr2_spec::Spec;
use msgr2_spec::model::Part;

/// The segments that a part of the list names: `0`, `0..`, `1..`.
fn named(part: &str, count: usize) -> std::ops::Range<usize> {
    match part.strip_suffix("..") {
        Some(first) => first.parse().unwrap()..count,
        None => part.parse().unwrap()..part.parse::<usize>().unwrap() + 1,
    }
}

fn holds(condition: &str, segments: &[Vec<u8>], count: usize) -> bool {
    match condition {
        "segment 0 not empty" => !segments[0].is_empty(),
        "several segments" => count > 1,
        "segment 0 beyond 48 bytes" => segments[0].len() > 48,
        unknown => panic!("the envelope says `{unknown}`, which this test doesn't know"),
    }
}

/// A block as its type in the spec encodes it, with the CRCs that the part says it covers.
fn block(part: &Part, revision: Revision, tag: Tag, segments: &[Vec<u8>], count: usize) -> Vec<u8> {
    // under a seal only the preamble has a CRC, and that of its own
    let covers = part.covers.as_deref().unwrap_or("sealed");
    let seed = part.seed.unwrap_or(0);
    let crc = |index: usize| if index < count { crc32c(seed, &segments[index]) } else { 0 };
    match (part.block.as_deref().unwrap(), covers, revision) {
        ("preamble", "bytes 0 to 27 of the preamble" | "sealed", _) => {
            let descriptor = |index: usize| match index {
                _ if index >= count => Default::default(),
                3 if tag == Tag::MESSAGE => {
                    v2_0::SegmentDescriptor { length: segments[3].len() as u32, alignment: 4096 }
                }
                _ => v2_0::SegmentDescriptor { length: segments[index].len() as u32, alignment: 8 },
            };
            let mut preamble = v2_0::Preamble {
                tag,
                num_segments: count as u8,
                segments: (0..4).map(descriptor).collect(),
                ..Default::default()
            };
            preamble.crc = crc32c(seed, &preamble.to_bytes().unwrap()[..28]);
            preamble.to_bytes().unwrap()
        }
        ("segment_crc", "segment 0", Revision::V2_1) => v2_1::SegmentCrc { crc: crc(0) }.to_bytes().unwrap(),
        ("epilogue", "segments 1 to 3 each by itself", Revision::V2_1) => {
            let segment_crcs = (1..4).map(crc).collect();
            v2_1::Epilogue { late_status: v2_1::LateStatus::COMPLETE, segment_crcs }.to_bytes().unwrap()
        }
        ("epilogue", "each segment by itself", Revision::V2_0) => {
            let segment_crcs = (0..4).map(crc).collect();
            v2_0::Epilogue { late_flags: v2_0::LateFlags(0), segment_crcs }.to_bytes().unwrap()
        }
        ("secure_epilogue", "sealed", Revision::V2_1) => {
            let late_status = v2_1::LateStatus::COMPLETE;
            v2_1::SecureEpilogue { late_status, ..Default::default() }.to_bytes().unwrap()
        }
        ("secure_epilogue", "sealed", Revision::V2_0) => v2_0::SecureEpilogue::default().to_bytes().unwrap(),
        other => panic!("the envelope has a block that this test doesn't know: {other:?}"),
    }
}

/// What of a segment a part holds, with its padding.
fn cut(part: &Part, segment: &[u8]) -> Vec<u8> {
    let end = part.to.map_or(segment.len(), |to| segment.len().min(to as usize));
    let mut held = segment[part.from.unwrap_or(0) as usize..end].to_vec();
    if let Some(multiple) = part.padded.map(|padded| padded as usize) {
        let least = if part.to.is_some() { multiple } else { 0 };
        held.resize(held.len().next_multiple_of(multiple).max(least), 0);
    }
    held
}

/// Encrypts the last plain bytes of a frame, and appends the tag.
fn seal(part: &Part, nonce: &[u8; 12], frame: &mut Vec<u8>, since: usize) {
    let start = match part.covers.as_deref().unwrap() {
        "all of the frame" | "all since the frame began" => 0,
        "all since the last seal" => since,
        unknown => panic!("a seal covers `{unknown}`, which this test doesn't know"),
    };
    let tag = Gcm::new(&KEY).encrypt_in_place(nonce, &[], &mut frame[start..]).unwrap();
    assert_eq!(part.seal.unwrap() as usize, tag.len());
    frame.extend(tag);
}

/// The nth nonce of the client's frames, as the reference of the protocol says.
fn nonce(revision: Revision, op: u64) -> [u8; 12] {
    let (fixed, counter) = match revision {
        Revision::V2_0 => (7 + op as u32, 9),
        Revision::V2_1 => (7, 9 + op),
    };
    let mut nonce = [0; 12];
    nonce[..4].copy_from_slice(&fixed.to_le_bytes());
    nonce[4..].copy_from_slice(&counter.to_le_bytes());
    nonce
}

const KEY: [u8; 16] = *b"sixteen bytes ok";

fn by_the_list(parts: &[Part], revision: Revision, tag: Tag, segments: &[Vec<u8>], op: &mut u64) -> Vec<u8> {
    let count = segments.iter().rposition(|s| !s.is_empty()).map_or(1, |last| last + 1);
    let (mut frame, mut sealed) = (Vec::new(), 0);
    for part in parts {
        if part.when.as_deref().is_some_and(|condition| !holds(condition, segments, count)) {
            continue;
        }
        match &part.segments {
            Some(which) => segments[named(which, count)].iter().for_each(|s| frame.extend(cut(part, s))),
            None if part.seal.is_some() => {
                seal(part, &nonce(revision, *op), &mut frame, sealed);
                *op += 1;
                sealed = frame.len();
            }
            None => frame.extend(block(part, revision, tag, segments, count)),
        }
    }
    frame
}

#[test]
fn frames_are_what_the_list_says() {
    let spec = Spec::embedded().unwrap();
    let lengths = [0, 1, 48, 49, 5000];
    for revision in [Revision::V2_0, Revision::V2_1] {
        let envelope = spec.dialects[revision.name()].envelope.as_ref().unwrap();
        assert_eq!(envelope.modes.keys().collect::<Vec<_>>(), ["crc", "secure"]);
        let secret = [&KEY[..], &[0; 12], &nonce(revision, 0)].concat();
        let key = ConnectionKey::new(&Secret::from(secret), revision).unwrap();
        let (mut sealer, opener) = (key.sealer(Role::Client), key.opener(Role::Client));
        let mut op = 0;
        for shape in 0..lengths.len().pow(4) {
            let segments: Vec<Vec<u8>> =
                (0..4).map(|i| vec![i as u8 + 1; lengths[shape / lengths.len().pow(i) % lengths.len()]]).collect();
            for tag in [Tag::MESSAGE, Tag::ACK] {
                let expected = by_the_list(&envelope.modes["crc"], revision, tag, &segments, &mut 0);
                let given: [Bytes; 4] = std::array::from_fn(|i| segments[i].clone().into());
                let mut out = Vec::new();
                frame::assemble(revision, tag, PreambleFlags(0), &given, Ending::Complete, &mut out);
                let written = out.concat();
                assert_eq!(written, expected, "{revision:?} {tag:?} {shape}");

                let head = Head::parse(written.first_chunk().unwrap(), revision).unwrap();
                assert_eq!(head.frame_len(revision), written.len());
                let opened = frame::open(&head, revision, &written, Check::Crc);
                assert_eq!((opened.bad_crc, opened.late), (None, Late::Complete));
                assert_eq!(opened.segments.to_vecs().to_vec(), segments);

                let begins = op;
                let expected = by_the_list(&envelope.modes["secure"], revision, tag, &segments, &mut op);
                let mut out = Vec::new();
                sealer.assemble(tag, PreambleFlags(0), &given, Ending::Complete, &mut out).unwrap();
                let written = out.concat();
                assert_eq!(written, expected, "{revision:?} {tag:?} {shape}, sealed");
                assert_eq!(opener.head(begins, &written), Ok(head));
                let mut view = Vec::new();
                opener.open(begins, &head, &written, &mut view).unwrap();
                assert_eq!(frame::secure::open_view(&head, revision, &view).segments.to_vecs().to_vec(), segments);
            }
        }
    }
}
