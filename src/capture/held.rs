//! Data that came too early, until the hole before it is filled.

use std::collections::BTreeMap;

use super::flow::Moment;

/// What a piece costs beyond its bytes.
pub(super) const PIECE: usize = 128;

/// Pieces by their place. They don't overlap.
#[derive(Debug, Default)]
pub(super) struct Held {
    pieces: BTreeMap<u64, Piece>,
    cost: usize,
}

/// A piece of data.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    /// How many bytes behind it were cut off by the capture.
    pub(super) missing: usize,
    /// Who carried it.
    pub(super) at: Moment,
}

impl Held {
    /// The memory that it takes.
    pub(super) fn cost(&self) -> usize {
        self.cost
    }

    /// The bytes in it.
    pub(super) fn len(&self) -> usize {
        self.cost - self.pieces.len() * PIECE
    }

    /// The place of the first piece, and who carried it.
    pub(super) fn first(&self) -> Option<(u64, Moment)> {
        self.pieces.first_key_value().map(|(place, piece)| (*place, piece.at))
    }

    /// Takes out the piece at a place.
    pub(super) fn take(&mut self, place: u64) -> Option<Piece> {
        let piece = self.pieces.remove(&place)?;
        self.cost -= piece.bytes.len() + PIECE;
        Some(piece)
    }

    /// Keeps data, as far as it isn't there yet. It takes no more steps than the data has bytes.
    pub(super) fn keep(&mut self, mut place: u64, mut data: &[u8], missing: usize, at: Moment) {
        let before = self.pieces.range(..place).next_back();
        let mut known = before.map_or(0, |(start, piece)| (start + piece.bytes.len() as u64).saturating_sub(place));
        while known < data.len() as u64 {
            data = &data[known as usize..];
            place += known;
            let after = self.pieces.range(place..).next();
            let (free, len) = after.map_or((u64::MAX, 0), |(start, piece)| (start - place, piece.bytes.len() as u64));
            if free > 0 {
                let bytes = data[..data.len().min(free.try_into().unwrap_or(usize::MAX))].to_vec();
                let missing = if bytes.len() == data.len() { missing } else { 0 };
                self.cost += bytes.len() + PIECE;
                self.pieces.insert(place, Piece { bytes, missing, at });
            }
            known = free.saturating_add(len);
        }
    }

    /// Lets all go.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
