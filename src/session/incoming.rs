//! What was received in a session.

/// The numbers of the messages that came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Incoming {
    received: u64,
    told: u64,
}

/// What is to be done with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is the next one.
    New,
    /// It was there before.
    Known,
    /// Messages are missing before it. [`Incoming::take`] doesn't take it; see [`Incoming::skip_to`].
    Gap {
        /// The number that was to come.
        expected: u64,
    },
}

impl Incoming {
    /// The number of the last message.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Takes note of a message.
    pub fn take(&mut self, seq: u64) -> Taken {
        let expected = self.received.saturating_add(1);
        if seq == expected {
            self.received = seq;
            Taken::New
        } else if seq != 0 && seq < expected {
            // who sends it again hasn't heard that it is here
            self.told = self.told.min(seq - 1);
            Taken::Known
        } else {
            Taken::Gap { expected }
        }
    }

    /// Takes note of a message where gaps are none of the receiver's business: it is taken, even if it is behind one.
    /// What isn't higher than the last one was there before, as is a message without number.
    pub fn take_any(&mut self, seq: u64) -> Taken {
        if seq == 0 {
            return Taken::Known;
        }
        let taken = self.take(seq);
        if let Taken::Gap { .. } = taken {
            self.skip_to(seq);
        }
        taken
    }

    /// Takes note of a message behind a gap.
    pub fn skip_to(&mut self, seq: u64) {
        self.received = self.received.max(seq);
    }

    /// Whether the other side is to be told of messages.
    pub fn owes_ack(&self) -> bool {
        self.told < self.received
    }

    /// The ack to send, which counts as sent.
    pub fn ack(&mut self) -> u64 {
        self.told = self.received;
        self.received
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let mut incoming = Incoming::default();
        assert_eq!(incoming.take(0), Taken::Gap { expected: 1 });
        assert_eq!(incoming.take(2), Taken::Gap { expected: 1 });
        assert_eq!(incoming.take(1), Taken::New);
        assert!(incoming.owes_ack());
        assert_eq!(incoming.ack(), 1);
        assert!(!incoming.owes_ack());
        assert_eq!(incoming.take(1), Taken::Known);
        assert!(incoming.owes_ack(), "the other side seems not to know");
        assert_eq!((incoming.take_any(0), incoming.take_any(1)), (Taken::Known, Taken::Known));
        assert_eq!((incoming.take_any(3), incoming.received()), (Taken::Gap { expected: 2 }, 3));
        assert_eq!((incoming.take_any(2), incoming.take_any(4)), (Taken::Known, Taken::New));
        incoming.skip_to(5);
        assert_eq!((incoming.received(), incoming.take(6)), (5, Taken::New));
    }
}
