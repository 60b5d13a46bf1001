//! IP packets that were sent in fragments.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use etherparse::IpNumber;

use super::flow::Moment;
use super::held::Held;
use super::layers::{self, Found, Fragment, Identity, Layer, Payload, Rest};
use super::packet::Packet;
use super::segment::{Segment, Skipped};

/// The most that fragments take in memory unless something else is asked for, in bytes: four times what Linux allows.
const DEFAULT_LIMIT: usize = 16 << 20;

/// How long the fragments of a packet may be apart: as long as Linux waits. The numbers that tell them apart come again.
const PATIENCE: Duration = Duration::from_secs(30);

/// Packets of which one is in the other's fragments; real ones are two.
const DEEPEST: usize = 4;

/// What a packet costs beyond its bytes.
const OVERHEAD: usize = 256;

/// The most bytes of an IP packet.
const LARGEST: usize = 0xffff;

/// Finds segments as [`Segment::parse`] does, and those in fragments of IP packets, too.
///
/// Of bytes that come twice the first count. What a packet's fragments take in memory is bounded; the oldest packets are
/// given up.
#[derive(Debug)]
pub struct Defragmenter {
    packets: Packets,
    /// The packet that was made whole last.
    whole: Whole,
}

impl Default for Defragmenter {
    fn default() -> Self {
        Self::new(DEFAULT_LIMIT)
    }
}

impl Defragmenter {
    /// One whose fragments take so many bytes of memory at most.
    pub fn new(limit: usize) -> Self {
        Self { packets: Packets { limit, ..Packets::default() }, whole: Whole::default() }
    }

    /// The segment in a packet, or in the IP packet whose last missing fragment it is.
    ///
    /// # Errors
    ///
    /// Why there is none; [`Skipped::Fragment`] while other fragments are missing, and for those that have come before.
    pub fn parse<'a>(&'a mut self, packet: &Packet<'a>) -> Result<Segment<'a>, Skipped> {
        let fragment = match layers::of_packet(packet)? {
            Found::Tcp(tcp) => return Segment::of(packet, tcp),
            Found::Fragment(fragment) => fragment,
        };
        let mut whole = self.packets.add(&fragment, packet)?;
        for _ in 0..DEEPEST {
            self.whole = whole;
            match layers::find(self.whole.layer()?)? {
                // once more, because what was found ends with this turn
                Found::Tcp(_) => return self.segment(packet),
                Found::Fragment(fragment) => whole = self.packets.add(&fragment, packet)?,
            }
        }
        Err(Skipped::Nested)
    }

    fn segment(&self, packet: &Packet<'_>) -> Result<Segment<'_>, Skipped> {
        match layers::find(self.whole.layer()?)? {
            Found::Tcp(tcp) => Segment::of(packet, tcp),
            Found::Fragment(_) => Err(Skipped::Fragment),
        }
    }

    /// How many IP packets had fragments in the capture so far, but not all.
    pub fn incomplete(&self) -> u64 {
        self.packets.given_up + self.packets.known.values().filter(|known| known.whole.is_none()).count() as u64
    }
}

/// The payload of an IP packet.
#[derive(Debug, Clone, Default)]
struct Whole {
    of: Option<(Identity, IpNumber)>,
    bytes: Vec<u8>,
}

impl Whole {
    fn layer(&self) -> Result<Layer<'_>, Skipped> {
        let (Identity { src, dst, .. }, number) = self.of.ok_or(Skipped::Fragment)?;
        Ok(Layer::Payload(Payload { src, dst, number, rest: Rest { bytes: &self.bytes, missing: 0 } }))
    }
}

/// Packets of which fragments have come.
#[derive(Debug, Default)]
struct Packets {
    limit: usize,
    known: HashMap<Identity, Known>,
    /// Which of them came when, by serial numbers.
    ages: BTreeMap<u64, Identity>,
    count: u64,
    /// The memory that they take.
    cost: usize,
    /// How many were given up.
    given_up: u64,
}

/// What is known of one.
#[derive(Debug)]
struct Known {
    serial: u64,
    since: Duration,
    held: Held,
    /// What it carries, as the first fragment says.
    number: Option<IpNumber>,
    /// Where its last fragment ends.
    end: Option<usize>,
    /// How far the fragments reach.
    reach: usize,
    /// All of it, once it is there; kept to know copies of its fragments by.
    whole: Option<Vec<u8>>,
}

impl Known {
    fn cost(&self) -> usize {
        OVERHEAD + self.held.cost() + self.whole.as_ref().map_or(0, Vec::len)
    }

    /// Whether a fragment is a copy of what came before.
    fn has(&self, fragment: &Fragment<'_>) -> bool {
        let there =
            |whole: &Vec<u8>| whole.get(fragment.start..).is_some_and(|behind| behind.starts_with(fragment.rest.bytes));
        self.whole.as_ref().is_some_and(there)
    }

    fn take(&mut self, fragment: &Fragment<'_>, at: Moment) {
        let Fragment { number, start, more, rest, .. } = *fragment;
        if start == 0 {
            self.number.get_or_insert(number);
        }
        if !more {
            self.end.get_or_insert(start + rest.bytes.len());
        }
        self.reach = self.reach.max(start + rest.bytes.len());
        self.held.keep(start as u64, rest.bytes, 0, at);
    }

    /// Whether the fragments contradict each other.
    fn is_absurd(&self) -> bool {
        self.reach > self.end.unwrap_or(LARGEST).min(LARGEST)
    }

    /// All bytes, when there is no hole in them.
    fn join(&mut self) -> Option<Vec<u8>> {
        let end = self.end.filter(|end| self.held.len() == *end)?;
        let mut bytes = Vec::with_capacity(end);
        while let Some(piece) = self.held.take(bytes.len() as u64) {
            bytes.extend_from_slice(&piece.bytes);
        }
        Some(bytes)
    }
}

impl Packets {
    /// Takes a fragment, and gives the packet if it is whole now.
    fn add(&mut self, fragment: &Fragment<'_>, packet: &Packet<'_>) -> Result<Whole, Skipped> {
        let rest = fragment.rest;
        if rest.bytes.is_empty() || fragment.more && !(rest.bytes.len() + rest.missing).is_multiple_of(8) {
            return Err(Skipped::Damaged);
        }
        // a packet that the snaplen has cut can't be whole any more
        if rest.missing > 0 {
            return Err(Skipped::Fragment);
        }
        let at = Moment { packet: packet.number, time: packet.time };
        let mut new = match self.remove(fragment.of) {
            Some(known) if at.time.saturating_sub(known.since) > PATIENCE => {
                self.give_up(&known);
                self.fresh(at.time)
            }
            Some(known) if known.has(fragment) => {
                self.insert(fragment.of, known);
                return Err(Skipped::Fragment);
            }
            Some(known) if known.whole.is_none() => known,
            // the number comes again
            _ => self.fresh(at.time),
        };
        new.take(fragment, at);
        if new.is_absurd() {
            self.give_up(&new);
            return Err(Skipped::Damaged);
        }
        new.whole = new.join();
        let number = new.number.unwrap_or(fragment.number);
        let whole = new.whole.as_ref().map(|bytes| Whole { of: Some((fragment.of, number)), bytes: bytes.clone() });
        self.insert(fragment.of, new);
        whole.ok_or(Skipped::Fragment)
    }

    fn fresh(&mut self, since: Duration) -> Known {
        let serial = self.count;
        self.count += 1;
        Known { serial, since, held: Held::default(), number: None, end: None, reach: 0, whole: None }
    }

    fn remove(&mut self, of: Identity) -> Option<Known> {
        let known = self.known.remove(&of)?;
        self.ages.remove(&known.serial);
        self.cost -= known.cost();
        Some(known)
    }

    fn insert(&mut self, of: Identity, known: Known) {
        self.cost += known.cost();
        self.ages.insert(known.serial, of);
        self.known.insert(of, known);
        while self.cost > self.limit
            && let Some((_, oldest)) = self.ages.pop_first()
        {
            if let Some(known) = self.remove(oldest) {
                self.give_up(&known);
            }
        }
    }

    fn give_up(&mut self, known: &Known) {
        self.given_up += u64::from(known.whole.is_none());
    }
}

#[cfg(test)]
mod tests {
    use pcap_parser::Linktype;

    use super::super::testing::{ipv4, ipv6, tcp, udp, vxlan};
    use super::*;

    const ACK: u8 = 0x10;

    fn data() -> Vec<u8> {
        (0..100u8).collect()
    }

    /// A fragment of an IPv4 packet with the number `id`.
    fn v4(id: u16, start: usize, more: bool, bytes: &[u8]) -> Vec<u8> {
        let mut packet = ipv4(u16::from(more) << 13 | (start / 8) as u16, bytes);
        packet[4..6].copy_from_slice(&id.to_be_bytes());
        packet
    }

    /// The fragments of a payload, cut into pieces of so many bytes.
    fn cut(id: u16, payload: &[u8], most: usize) -> Vec<Vec<u8>> {
        let pieces = payload.chunks(most).enumerate();
        pieces.map(|(i, piece)| v4(id, i * most, (i + 1) * most < payload.len(), piece)).collect()
    }

    fn push<'a>(d: &'a mut Defragmenter, number: u32, bytes: &'a [u8]) -> Result<Segment<'a>, Skipped> {
        let time = Duration::from_secs(number.into());
        d.parse(&Packet { number, time, link: Linktype::RAW, data: bytes, original_len: bytes.len() })
    }

    #[test]
    fn fragments_in_any_order_and_twice() {
        let fragments = cut(7, &tcp(9, ACK, &data()), 48);
        assert_eq!(fragments.len(), 3);
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut d = Defragmenter::default();
            for (n, at) in order[..2].iter().enumerate() {
                for _ in 0..2 {
                    assert_eq!(push(&mut d, n as u32, &fragments[*at]), Err(Skipped::Fragment));
                }
            }
            assert_eq!(d.incomplete(), 1);
            let segment = push(&mut d, 5, &fragments[order[2]]).unwrap();
            assert_eq!((segment.packet, segment.seq, segment.payload, segment.missing), (5, 9, &data()[..], 0));
            // copies of what is whole are no packet of their own
            for fragment in &fragments {
                assert_eq!(push(&mut d, 6, fragment), Err(Skipped::Fragment));
            }
            assert_eq!(d.incomplete(), 0);
        }
    }

    #[test]
    fn a_number_that_comes_again_is_another_packet() {
        let mut d = Defragmenter::default();
        for n in 0..4 {
            let fragments = cut(7, &tcp(n, ACK, &data()), 64);
            assert_eq!(push(&mut d, 1, &fragments[0]), Err(Skipped::Fragment));
            assert_eq!(push(&mut d, 1, &fragments[1]).unwrap().seq, n);
        }
        // the second half never came, and the number comes again half a minute later
        let fragments = cut(8, &tcp(1, ACK, &data()), 64);
        assert_eq!(push(&mut d, 1, &fragments[0]), Err(Skipped::Fragment));
        assert_eq!(push(&mut d, 32, &fragments[1]), Err(Skipped::Fragment));
        assert_eq!(d.incomplete(), 2);
    }

    #[test]
    fn of_bytes_that_come_twice_the_first_count() {
        let whole = tcp(9, ACK, &data());
        let mut d = Defragmenter::default();
        assert_eq!(push(&mut d, 1, &v4(1, 64, false, &whole[64..])), Err(Skipped::Fragment));
        assert_eq!(
            push(&mut d, 1, &v4(1, 40, true, &[&whole[40..48], &[0xee; 32][..]].concat())),
            Err(Skipped::Fragment)
        );
        assert_eq!(push(&mut d, 1, &v4(1, 56, true, &[0xdd; 24])), Err(Skipped::Fragment));
        let first = v4(1, 0, true, &whole[..40]);
        let segment = push(&mut d, 1, &first).unwrap();
        assert_eq!(segment.payload, [&data()[..28], &[0xee; 16], &data()[44..]].concat());
    }

    #[test]
    fn fragments_that_make_no_sense_are_given_up() {
        let mut d = Defragmenter::default();
        assert_eq!(push(&mut d, 1, &v4(1, 0, true, &[0; 9])), Err(Skipped::Damaged));
        assert_eq!(push(&mut d, 1, &v4(1, 0x1fff * 8, false, &[0; 100])), Err(Skipped::Damaged));
        // behind the end
        assert_eq!(push(&mut d, 1, &v4(2, 8, false, &[0; 8])), Err(Skipped::Fragment));
        assert_eq!(push(&mut d, 1, &v4(2, 16, false, &[0; 8])), Err(Skipped::Damaged));
        assert_eq!((d.incomplete(), d.packets.cost), (2, 0));
        // cut by the snaplen
        let bytes = v4(3, 0, true, &[0; 64]);
        let packet = Packet {
            number: 1,
            time: Duration::ZERO,
            link: Linktype::RAW,
            data: &bytes[..50],
            original_len: bytes.len(),
        };
        assert_eq!(d.parse(&packet), Err(Skipped::Fragment));
        assert_eq!(d.packets.cost, 0);
    }

    #[test]
    fn ipv6_fragments_with_headers_in_them() {
        // the fragments hold destination options and the segment
        let whole = [&[6, 0, 1, 4, 0, 0, 0, 0][..], &tcp(9, ACK, &data())].concat();
        let fragment = |start: usize, more: bool, bytes: &[u8]| {
            let [f0, f1] = ((start as u16) | u16::from(more)).to_be_bytes();
            let header = [60, 0, f0, f1, 0, 0, 0, 1];
            ipv6(0, &[&[44, 0, 1, 4, 0, 0, 0, 0][..], &header, bytes].concat())
        };
        let mut d = Defragmenter::default();
        let (first, second) = (fragment(0, true, &whole[..64]), fragment(64, false, &whole[64..]));
        assert_eq!(push(&mut d, 1, &second), Err(Skipped::Fragment));
        let segment = push(&mut d, 2, &first).unwrap();
        assert_eq!((segment.payload, segment.src.port()), (&data()[..], 1000));
    }

    #[test]
    fn fragments_within_fragments() {
        let mut d = Defragmenter::default();
        let inner = cut(7, &tcp(9, ACK, &data()), 64);
        let mut last = Err(Skipped::Fragment);
        for (n, inner) in inner.iter().enumerate() {
            let mut outer = cut(n as u16, &udp(4789, &vxlan(0x0800, inner)), 48);
            outer.iter_mut().for_each(|packet| packet[9] = 17);
            for fragment in &outer {
                assert_eq!(last, Err(Skipped::Fragment));
                last = push(&mut d, 9, fragment).map(|segment| segment.payload.to_vec());
            }
        }
        assert_eq!(last, Ok(data()));
    }

    #[test]
    fn memory_is_bounded() {
        let mut d = Defragmenter::new(100_000);
        for id in 0..u16::MAX {
            // half are never whole
            for fragment in cut(id, &tcp(9, ACK, &[0; 1000]), 400).iter().take(2 + usize::from(id % 2)) {
                let _ = push(&mut d, 1, fragment);
                assert!(d.packets.cost <= 100_000 && d.packets.ages.len() == d.packets.known.len());
            }
        }
        assert_eq!(d.incomplete(), u64::from(u16::MAX / 2 + 1));
        let costs: usize = d.packets.known.values().map(Known::cost).sum();
        assert_eq!(d.packets.cost, costs);
    }
}
