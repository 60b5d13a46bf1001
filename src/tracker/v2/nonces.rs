//! The search for a frame in secure mode, where neither its place nor its nonce is known.
//!
//! Every nonce masks the bytes of a preamble with a key stream of its own. Three of these bytes have few values: the
//! tag, the number of segments, and one that is reserved. Tables that say, for each value that is seen, under which
//! nonces it is one of them, leave few candidates, and these must authenticate.

use std::fmt;

use crate::frame::PREAMBLE_LEN;
use crate::frame::secure::Opener;
use crate::v2_1::Tag;

/// How many of the next nonces are tried.
const NONCES: usize = 512;
/// The numbers in a word of the tables.
const WORD: usize = u64::BITS as usize;

/// Whether a byte may stand at its place.
type Fits = fn(u8) -> bool;

/// The places of bytes with few values in a preamble, and those values.
const FEW: [(usize, Fits); 3] =
    [(0, |tag| Tag(tag).name().is_some()), (1, |segments| matches!(segments, 1..=4)), (27, |reserved| reserved == 0)];

/// For each place, each value that is seen there: the nonces under which it fits.
type Table = [[u64; NONCES / WORD]; 256];

/// Frames with these nonces can be searched for.
pub(super) struct Search {
    first: u64,
    tables: Box<[Table; FEW.len()]>,
}

impl fmt::Debug for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Search from encryption {}", self.first)
    }
}

impl Search {
    /// For a direction that has had at least so many encryptions.
    pub(super) fn new(opener: &Opener, first: u64) -> Self {
        let mut tables = Box::new([[[0; NONCES / WORD]; 256]; FEW.len()]);
        for number in 0..NONCES {
            let Some(op) = first.checked_add(number as u64) else { break };
            let Ok(mask) = opener.peek(op, [0; PREAMBLE_LEN]) else { break };
            for (table, (place, fits)) in tables.iter_mut().zip(FEW) {
                for plain in (0..=u8::MAX).filter(|plain| fits(*plain)) {
                    table[usize::from(plain ^ mask[place])][number / WORD] |= 1 << (number % WORD);
                }
            }
        }
        Search { first, tables }
    }

    /// The encryptions before the frame that begins with these bytes; they are as many as it takes to tell.
    fn begins_here(&self, opener: &Opener, bytes: &[u8]) -> Option<u64> {
        let rows: [&[u64; NONCES / WORD]; FEW.len()] =
            std::array::from_fn(|index| &self.tables[index][usize::from(bytes[FEW[index].0])]);
        (0..NONCES / WORD).find_map(|word| {
            let mut fit = rows.iter().fold(u64::MAX, |fit, row| fit & row[word]);
            while fit != 0 {
                let op = self.first + (word * WORD) as u64 + u64::from(fit.trailing_zeros());
                if opener.head(op, bytes).is_ok() {
                    return Some(op);
                }
                fit &= fit - 1;
            }
            None
        })
    }

    /// The first of so many places at which a frame begins, and the encryptions before it.
    pub(super) fn find(&self, opener: &Opener, bytes: &[u8], places: usize) -> Option<(usize, u64)> {
        let need = opener.head_len();
        (0..places).find_map(|at| Some((at, self.begins_here(opener, bytes.get(at..at + need)?)?)))
    }
}
