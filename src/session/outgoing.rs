//! The queue of what is to be sent: numbered, kept until it is acknowledged, sent again on a new connection.

use std::collections::VecDeque;
use std::fmt;

use super::Message;

/// How much a queue takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// The most messages, queued and unacknowledged.
    pub messages: usize,
    /// The most bytes of their parts. A single message may be larger.
    pub bytes: usize,
}

/// An acknowledgement of a message that was never sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsent {
    /// What was acknowledged.
    pub seq: u64,
    /// The last message that was sent.
    pub sent: u64,
}

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "message {} is acknowledged, the last one sent is {}", self.seq, self.sent)
    }
}

/// The queue. A message's number is its place: `first` and so on.
#[derive(Debug)]
pub struct Outgoing {
    queue: VecDeque<Message>,
    /// The number of the queue's first message.
    first: u64,
    /// How many of the queue were sent on this connection.
    cursor: usize,
    /// The last message that was ever sent.
    sent: u64,
    bytes: usize,
    limits: QueueLimits,
    /// Somebody waits for room.
    full: bool,
    /// Messages of a higher priority overtake others, as long as nothing of them was sent.
    ranked: bool,
}

impl Outgoing {
    /// An empty queue.
    pub fn new(limits: QueueLimits) -> Self {
        Outgoing { queue: VecDeque::new(), first: 1, cursor: 0, sent: 0, bytes: 0, limits, full: false, ranked: false }
    }

    /// Queues a message, or gives it back if there is no room.
    #[expect(clippy::result_large_err, reason = "the message is given back")]
    pub fn push(&mut self, message: Message) -> Result<(), Message> {
        let bytes = self.bytes.saturating_add(message.size());
        let room = self.queue.len() < self.limits.messages && bytes <= self.limits.bytes;
        if !self.queue.is_empty() && !room {
            self.full = true;
            return Err(message);
        }
        self.bytes = bytes;
        let place = self.place(&message);
        self.queue.insert(place, message);
        Ok(())
    }

    /// From here on messages of a higher priority overtake others. What was sent once keeps its number, and its place.
    pub fn rank(&mut self) {
        self.ranked = true;
    }

    /// Where a message is queued.
    fn place(&self, message: &Message) -> usize {
        let mut place = self.queue.len();
        let numbered = (self.sent + 1).saturating_sub(self.first) as usize;
        while self.ranked && place > numbered && self.queue[place - 1].priority < message.priority {
            place -= 1;
        }
        place
    }

    /// Whether there is room again for who was refused. Says so once.
    pub fn room_again(&mut self) -> bool {
        let room = self.queue.len() <= self.limits.messages / 2 && self.bytes <= self.limits.bytes / 2;
        self.full && room && {
            self.full = false;
            true
        }
    }

    /// The bytes of the next message for this connection, if there is one.
    pub fn next_size(&self) -> Option<usize> {
        self.queue.get(self.cursor).map(Message::size)
    }

    /// The next message for this connection, with its number. It stays until it is acknowledged if `keep`.
    pub fn next(&mut self, keep: bool) -> Option<Message> {
        let seq = self.first + self.cursor as u64;
        let mut message = if keep {
            let message = self.queue.get(self.cursor)?.clone();
            self.cursor += 1;
            message
        } else {
            self.pop()?
        };
        self.sent = self.sent.max(seq);
        message.seq = seq;
        Some(message)
    }

    fn pop(&mut self) -> Option<Message> {
        let message = self.queue.pop_front()?;
        self.first += 1;
        self.bytes -= message.size();
        self.cursor = self.cursor.saturating_sub(1);
        Some(message)
    }

    /// Drops what the other side has. Returns how many messages that were.
    pub fn acked(&mut self, seq: u64) -> Result<usize, Unsent> {
        if seq > self.sent {
            return Err(Unsent { seq, sent: self.sent });
        }
        let mut dropped = 0;
        while self.first <= seq && self.pop().is_some() {
            dropped += 1;
        }
        Ok(dropped)
    }

    /// Drops what the other side has, up to what was ever sent. Returns how many messages that were.
    pub fn forget(&mut self, seq: u64) -> usize {
        // nobody can have more
        self.acked(seq.min(self.sent)).unwrap_or(0)
    }

    /// Everything that is still there is sent again on a new connection, with the same numbers.
    pub fn requeue(&mut self) {
        self.cursor = 0;
    }

    /// Goes on on a new connection: what the other side has is dropped, the rest is sent again. Returns how many
    /// messages were dropped.
    pub fn resume(&mut self, seq: u64) -> Result<usize, Unsent> {
        let dropped = self.acked(seq)?;
        self.cursor = 0;
        Ok(dropped)
    }

    /// Numbers begin at 1 again. Drops all messages if `full`; returns how many.
    pub fn reset(&mut self, full: bool) -> usize {
        (self.first, self.cursor, self.sent) = (1, 0, 0);
        let lost = if full { self.queue.len() } else { 0 };
        if full {
            self.queue.clear();
            self.bytes = 0;
        }
        lost
    }

    /// How many messages are queued and unacknowledged.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether everything was acknowledged.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether an acknowledgement is awaited on this connection.
    pub fn awaits_ack(&self) -> bool {
        self.cursor > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::MessageType;

    fn message(text: &'static str) -> Message {
        Message::new(MessageType::PING, text.as_bytes())
    }

    fn queue() -> Outgoing {
        Outgoing::new(QueueLimits { messages: 4, bytes: 100 })
    }

    #[test]
    fn what_was_not_acknowledged_is_sent_again() {
        let mut queue = queue();
        for text in ["a", "b", "c"] {
            queue.push(message(text)).unwrap();
        }
        assert_eq!(queue.next(true).unwrap().seq, 1);
        assert_eq!(queue.next(true).unwrap().seq, 2);
        assert_eq!(queue.acked(3), Err(Unsent { seq: 3, sent: 2 }));
        assert_eq!(queue.acked(1), Ok(1));
        assert_eq!(queue.acked(1), Ok(0));
        assert!(queue.awaits_ack());
        queue.resume(1).unwrap();
        let again = queue.next(true).unwrap();
        assert_eq!((again.seq, again.front.as_ref()), (2, b"b".as_slice()));
        assert_eq!(queue.next(true).unwrap().seq, 3);
        assert!(queue.next(true).is_none());
        assert_eq!(queue.acked(3), Ok(2));
        assert!(queue.is_empty() && !queue.awaits_ack());
    }

    #[test]
    fn higher_priorities_overtake_what_was_never_sent() {
        let mut queue = Outgoing::new(QueueLimits { messages: 9, bytes: 100 });
        queue.rank();
        let ranked = |text: &'static str, priority| Message { priority, ..message(text) };
        for (text, priority) in [("a", 127), ("b", 127), ("c", 255), ("d", 127), ("e", 196)] {
            queue.push(ranked(text, priority)).unwrap();
        }
        assert_eq!(queue.next(true).unwrap().front, "c");
        assert_eq!(queue.next(true).unwrap().front, "e");
        queue.requeue();
        queue.push(ranked("f", 255)).unwrap();
        let order: Vec<_> = std::iter::from_fn(|| queue.next(true)).map(|m| (m.seq, m.front)).collect();
        let texts: Vec<&[u8]> = order.iter().map(|(_, text)| &text[..]).collect();
        assert_eq!(texts, [b"c", b"e", b"f", b"a", b"b", b"d"]);
        assert_eq!(order.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
        assert_eq!(queue.forget(4), 4);
        assert_eq!(queue.forget(99), 2, "what was never sent isn't forgotten, and here is none");
    }

    #[test]
    fn resets() {
        let mut queue = queue();
        queue.push(message("a")).unwrap();
        queue.push(message("b")).unwrap();
        queue.next(true).unwrap();
        assert_eq!(queue.reset(false), 0);
        assert_eq!(queue.next(true).unwrap().seq, 1);
        assert_eq!(queue.reset(true), 2);
        assert!(queue.next(true).is_none());
        assert_eq!(queue.acked(1), Err(Unsent { seq: 1, sent: 0 }));
    }

    #[test]
    fn limits() {
        let mut queue = queue();
        queue.push(Message::new(MessageType::PING, vec![0; 1000])).unwrap();
        assert!(queue.push(message("x")).is_err(), "too many bytes");
        assert!(!queue.room_again());
        queue.next(false).unwrap();
        assert!(queue.room_again() && !queue.room_again());
        for _ in 0..4 {
            queue.push(message("x")).unwrap();
        }
        assert!(queue.push(message("x")).is_err(), "too many messages");
        assert_eq!(queue.next(false).unwrap().seq, 2);
        assert!(!queue.room_again());
        queue.next(false).unwrap();
        assert!(queue.room_again());
    }
}
