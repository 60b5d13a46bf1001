//! How much waits in all streams of a capture for the rest of its units.

use std::collections::BTreeMap;

use crate::limits;

/// Keeps count of what streams hold back, each under a number, and says whose bytes are to be given up: a frame may
/// announce up to `max_frame` and never end, and any number of connections may do so.
#[derive(Debug)]
pub struct Backlog {
    limit: usize,
    held: usize,
    /// Streams that hold something back, with how much, by their turn: who began to wait first is the oldest.
    turns: BTreeMap<u64, (u32, usize)>,
    waiting: BTreeMap<u32, u64>,
    next: u64,
}

impl Default for Backlog {
    /// Room for the largest frame that there may be.
    fn default() -> Self {
        Backlog::new(limits::MAX_FRAME as usize)
    }
}

impl Backlog {
    /// Room for so many bytes.
    pub fn new(limit: usize) -> Self {
        Backlog { limit, held: 0, turns: BTreeMap::new(), waiting: BTreeMap::new(), next: 0 }
    }

    /// A stream holds back so many bytes now. Returned is the stream whose bytes are to be given up, until there is none:
    /// the caller does that and tells again.
    pub fn tell(&mut self, stream: u32, held: usize) -> Option<u32> {
        let turn = self.waiting.get(&stream).copied();
        let before = turn.and_then(|turn| self.turns.get(&turn)).map_or(0, |(_, held)| *held);
        self.held = self.held - before + held;
        // fewer bytes than before: a unit was complete, and another one waits now
        if let Some(turn) = turn
            && held < before
        {
            self.turns.remove(&turn);
            self.waiting.remove(&stream);
        }
        if held > 0 {
            let turn = *self.waiting.entry(stream).or_insert_with(|| {
                self.next += 1;
                self.next
            });
            self.turns.insert(turn, (stream, held));
        }
        let oldest = self.turns.first_key_value().map(|(_, (stream, _))| *stream);
        oldest.filter(|_| self.held > self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_longest_is_given_up_first() {
        let mut backlog = Backlog::new(100);
        assert_eq!(backlog.tell(1, 40), None);
        assert_eq!(backlog.tell(2, 50), None);
        // its unit was complete: what waits now came later
        assert_eq!(backlog.tell(1, 10), None);
        assert_eq!(backlog.tell(3, 60), Some(2));
        assert_eq!(backlog.tell(2, 0), None);
        assert_eq!(backlog.tell(3, 90), None);
        assert_eq!(backlog.tell(3, 95), Some(1));
        assert_eq!(backlog.tell(1, 0), None);
        assert_eq!(backlog.tell(3, 101), Some(3), "no other is left");
        assert_eq!(backlog.tell(3, 0), None);
        assert_eq!((backlog.held, backlog.turns.len(), backlog.waiting.len()), (0, 0, 0));
    }
}
