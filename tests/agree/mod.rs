//! The two readers, held against each other: what generated code tells of bytes, and what the walker does.
#![allow(dead_code)]

use std::fmt::Debug;
use std::sync::Arc;

use msgr2::wire::{Error, Field, Recorded, Recorder, Segments, Trace as _, Unseal};
use zeroize::Zeroizing;

/// A key to every seal: what is sealed is what is inside.
#[derive(Debug)]
struct Open;

impl Unseal for Open {
    fn unseal(&self, _: u32, bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        Some(Zeroizing::new(bytes.to_vec()))
    }
}

/// All that a recorder knows of a node, in a form that can be compared.
type Told<'r> = (Field, [u32; 4], String, &'r str);

fn told(recorder: &Recorder) -> impl Iterator<Item = Told<'_>> {
    recorder.nodes().iter().map(|node| {
        let value = match node.value {
            // a number that is none equals nothing
            Recorded::Float(x) => format!("{:x}", x.to_bits()),
            other => format!("{other:?}"),
        };
        let place = [node.depth.into(), node.view.into(), node.start, node.length];
        (node.field, place, value, recorder.text(node))
    })
}

/// Reads with both, and compares acceptance, errors with field and byte, every field with place and value, texts, and
/// what is sealed.
pub(crate) fn agree(
    what: &dyn Debug,
    typed: impl FnOnce(&mut Recorder) -> Result<(), Error>,
    walked: impl FnOnce(&mut Recorder) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut recorders = [Recorder::new(), Recorder::new()];
    for recorder in &mut recorders {
        recorder.unseal_with(Some(Arc::new(Open)));
    }
    let [by_type, by_walk] = &mut recorders;
    let (typed, walked) = (typed(by_type), walked(by_walk));
    let kinds = [&typed, &walked].map(|read| read.as_ref().err().map(|error| error.kind));
    assert_eq!(kinds[0], kinds[1], "{what:?}: {typed:?} {walked:?}");
    assert_eq!(typed, walked, "{what:?}");
    if let Err(error) = &typed {
        // who is open is told, too
        assert_eq!(by_type.depth(), by_walk.depth(), "{what:?}");
        by_type.finish(error.offset);
        by_walk.finish(error.offset);
    }
    let (mut left, mut right) = (told(by_type), told(by_walk));
    loop {
        match (left.next(), right.next()) {
            (None, None) => break,
            (one, other) => assert_eq!(one, other, "{what:?}"),
        }
    }
    let views = [&*by_type, &*by_walk].map(|r| r.views().iter().map(|view| view.bytes().to_vec()).collect::<Vec<_>>());
    assert_eq!(views[0], views[1], "{what:?}");
    typed
}

/// How many mutations of each example are tried.
pub(crate) fn mutations() -> u64 {
    std::env::var("MSGR2_MUTATIONS").map_or(200, |number| number.parse().unwrap())
}

/// Numbers that look random and are the same each time.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    /// Bytes with one to four faults: other bits, other bytes, numbers at their limits, bytes missing or too many.
    pub(crate) fn mutate(&mut self, parts: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut parts = parts.to_vec();
        for _ in 0..=self.below(4) {
            let index = self.below(parts.len());
            let part = &mut parts[index];
            let at = self.below(part.len());
            match (self.below(8), part.is_empty()) {
                (0, _) => part.insert(at, self.next() as u8),
                (_, true) => {}
                (1, _) => part.truncate(at),
                (2, _) => drop(part.remove(at)),
                (3, _) => part[at] ^= 1 << self.below(8),
                (4, _) => part[at] = [0, 1, 2, 0x7f, 0x80, 0xff][self.below(6)],
                (5, _) => part[at] = part[at].wrapping_add([1, 255][self.below(2)]),
                (6, _) => {
                    // a few bytes again
                    let end = part.len().min(at + 1 + self.below(16));
                    let copy = part[at..end].to_vec();
                    part.splice(at..at, copy);
                }
                _ => part[at] = self.next() as u8,
            }
        }
        parts
    }
}

/// Segments that follow each other in a view.
pub(crate) fn segments(parts: &[Vec<u8>]) -> Segments<'_> {
    let mut at = 0;
    let mut list = [(0, &[][..]); 4];
    for (slot, part) in list.iter_mut().zip(parts) {
        *slot = (at, part);
        at += part.len();
    }
    for slot in list.iter_mut().skip(parts.len()) {
        slot.0 = at;
    }
    Segments::new(list)
}
