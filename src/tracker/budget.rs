//! How much may be made of what a capture holds.
//!
//! A few captured bytes may hold any amount of others, or be read as any number of fields. What comes of them is bounded
//! for a frame, for the frames that end in one packet, and for a capture. Each bound is an amount that real traffic
//! doesn't reach, and grows with the bytes that were really captured: so a long capture isn't cut for its length.

use std::fmt;

/// What there may be; in bytes, fields, or whatever is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Of one frame.
    pub frame: u64,
    /// Of the frames that end in one packet.
    pub packet: u64,
    /// Of a capture.
    pub capture: u64,
    /// How much each captured byte of a frame adds to each.
    pub per_byte: u64,
}

/// What is left of the bounds as a capture is read.
#[derive(Clone, Debug)]
pub struct Budget {
    bounds: Bounds,
    packet: u32,
    in_packet: u64,
    in_capture: u64,
}

/// What a frame may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// How much.
    pub amount: u64,
    /// What it is that ends it there.
    pub scope: Scope,
}

/// Whose bound it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The frame's own.
    Frame,
    /// The packet's: frames before it in the same packet took the rest.
    Packet,
    /// The capture's.
    Capture,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scope::Frame => "frame",
            Scope::Packet => "packet",
            Scope::Capture => "capture",
        })
    }
}

impl Budget {
    /// All of it.
    pub fn new(bounds: Bounds) -> Self {
        Budget { bounds, packet: 0, in_packet: bounds.packet, in_capture: bounds.capture }
    }

    /// What a frame of so many captured bytes may take, which ends in this packet. Packets count from 1; with 0, for who
    /// knows none, each frame is a packet of its own. To be asked once for a frame.
    pub fn grant(&mut self, packet: u32, captured: usize) -> Grant {
        if packet != self.packet || packet == 0 {
            (self.packet, self.in_packet) = (packet, self.bounds.packet);
        }
        let more = (captured as u64).saturating_mul(self.bounds.per_byte);
        self.in_packet = self.in_packet.saturating_add(more);
        self.in_capture = self.in_capture.saturating_add(more);
        let frame = Grant { amount: self.bounds.frame.saturating_add(more), scope: Scope::Frame };
        let others = [(self.in_packet, Scope::Packet), (self.in_capture, Scope::Capture)];
        let others = others.map(|(amount, scope)| Grant { amount, scope });
        others.into_iter().fold(frame, |least, other| if other.amount < least.amount { other } else { least })
    }

    /// So much was taken.
    pub fn spend(&mut self, amount: u64) {
        self.in_packet = self.in_packet.saturating_sub(amount);
        self.in_capture = self.in_capture.saturating_sub(amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_bound_counts() {
        let mut budget = Budget::new(Bounds { frame: 10, packet: 15, capture: 40, per_byte: 2 });
        let grant = |amount, scope| Grant { amount, scope };
        assert_eq!(budget.grant(1, 1), grant(12, Scope::Frame));
        budget.spend(12);
        assert_eq!(budget.grant(1, 0), grant(5, Scope::Packet), "15 and 2 for the byte, without 12");
        budget.spend(5);
        assert_eq!(budget.grant(1, 0), grant(0, Scope::Packet));
        assert_eq!(budget.grant(2, 0), grant(10, Scope::Frame), "the next packet has its own");
        budget.spend(20);
        assert_eq!(budget.grant(3, 0), grant(5, Scope::Capture));
        budget.spend(9);
        assert_eq!(budget.grant(4, 0), grant(0, Scope::Capture));
        assert_eq!(budget.grant(4, 3), grant(6, Scope::Capture), "captured bytes bring their own");
    }

    #[test]
    fn who_knows_no_packets_has_a_new_one_each_time() {
        let mut budget = Budget::new(Bounds { frame: 10, packet: 10, capture: 100, per_byte: 0 });
        for _ in 0..5 {
            assert_eq!(budget.grant(0, 9).amount, 10);
            budget.spend(10);
        }
    }
}
