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
}

impl Outgoing {
    /// An empty queue.
    pub fn new(limits: QueueLimits) -> Self {
        Outgoing { queue: VecDeque::new(), first: 1, cursor: 0, sent: 0, bytes: 0, limits, full: false }
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
        self.queue.push_back(message);
        Ok(())
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

    /// Goes on on a new connection: what the other side has is dropped, the rest is sent again.
    pub fn resume(&mut self, seq: u64) -> Result<(), Unsent> {
        self.acked(seq)?;
        self.cursor = 0;
        Ok(())
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
