//! What is known of each connection, from the first pass through the capture on.
//!
//! In the first pass the tracker walks along, and what it says of each call's bytes is kept. Later passes, which come
//! in any order, only look that up.

use std::collections::HashMap;

use msgr2::frame::Check;
use msgr2::frame::Dialect;
use msgr2::tracker::{BANNER_PREFIX, Direction, Knowledge, Step, Tracker, Unit};
use msgr2::types::AuthMethod;

/// A call of the dissector.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    /// The packet, and how many calls for this connection came before in it.
    pub key: (u32, u32),
    /// Who sent the bytes.
    pub direction: Direction,
    /// The bytes, as many as were captured.
    pub bytes: &'a [u8],
    /// How many there were on the wire.
    pub reported: usize,
    /// Whether TCP can put segments together: if not, what is incomplete stays so.
    pub desegment: bool,
    /// TCP's sequence numbers of the segment's first byte and behind its last.
    pub sequence: Option<(u32, u32)>,
    /// Whether TCP has put the bytes together from several segments, of which that is the last to come; or the bytes
    /// are what is left of it behind such.
    pub reassembled: bool,
}

/// What was found in a call's bytes.
#[derive(Default)]
pub(crate) struct Found {
    /// Bytes at the beginning that belong to a frame of an earlier segment.
    pub carried: usize,
    /// The units, one behind the other.
    pub units: Box<[Unit]>,
    /// What is left over at the end, and how many bytes it would take.
    pub wanted: Option<Wanted>,
    /// What is wrong with the keys that the user gave, if this is where they were needed first.
    pub trouble: Option<Box<str>>,
}

/// A unit that isn't there to its end.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    /// Where it begins.
    pub offset: usize,
    /// How many more bytes it needs, if that is known.
    pub more: Option<usize>,
}

/// Whose the bytes are.
pub(crate) enum Verdict<'f> {
    /// Ours.
    Ours(&'f Found),
    /// They aren't msgr2.
    Foreign,
}

#[derive(Default)]
struct Side {
    /// The sequence number of the byte that comes next.
    next_seq: Option<u32>,
    /// The sequence number at which a frame begins that TCP is putting together.
    pending: Option<u32>,
    /// Bytes to come that belong to a frame already shown.
    carry: usize,
}

/// One connection.
#[derive(Default)]
pub(crate) struct Connection {
    tracker: Option<Tracker>,
    sides: [Side; 2],
    found: HashMap<(u32, u32), Found>,
    check: bool,
    knowledge: Knowledge,
}

/// Whether a connection that begins with these bytes is ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Begins {
    /// With one of our banners, or in the middle with one of our frames.
    Ours,
    /// It may be; the banner isn't there to its end.
    Perhaps,
    /// With the banner of the legacy messenger.
    Legacy,
    /// With something else.
    Foreign,
}

/// The banner of the legacy messenger.
const LEGACY_BANNER: &[u8] = b"ceph v027";
/// What the banners of all dialects begin with.
const BANNERS: &[u8] = b"ceph ";
/// The most bytes of the proposal's banner.
const LONGEST_BANNER: usize = 39;

/// Looks at the first bytes of a connection.
pub(crate) fn begins(bytes: &[u8]) -> Begins {
    let prefix = |banner: &[u8]| {
        let common = bytes.len().min(banner.len());
        bytes[..common] == banner[..common]
    };
    if bytes.is_empty() {
        Begins::Foreign
    } else if prefix(BANNER_PREFIX) {
        if bytes.len() >= BANNER_PREFIX.len() { Begins::Ours } else { Begins::Perhaps }
    } else if prefix(LEGACY_BANNER) {
        Begins::Legacy
    } else if let Some(words) = bytes.strip_prefix(BANNERS) {
        text_banner(words)
    } else if Tracker::recognises(bytes) {
        Begins::Ours
    } else {
        Begins::Foreign
    }
}

/// Looks at the two words of the proposal's banner. Everybody may begin with `ceph `, so all that is there must fit:
/// up to 16 lower-case hexadecimal digits, a space, as many digits again, the end of the line.
fn text_banner(words: &[u8]) -> Begins {
    let most = LONGEST_BANNER - BANNERS.len();
    let seen = &words[..words.len().min(most)];
    let (line, ended) = match seen.iter().position(|&byte| byte == b'\n') {
        Some(end) => (&seen[..end], true),
        None => (seen, false),
    };
    let digits = |word: &[u8]| word.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let word = |word: &[u8]| (1..=16).contains(&word.len()) && digits(word);
    match line.iter().position(|&byte| byte == b' ') {
        Some(space) => {
            let (first, second) = (&line[..space], &line[space + 1..]);
            if !word(first) || second.len() > 16 || !digits(second) {
                Begins::Foreign
            } else if ended {
                if second.is_empty() { Begins::Foreign } else { Begins::Ours }
            } else {
                Begins::Perhaps
            }
        }
        None if ended || line.len() > 16 || !digits(line) => Begins::Foreign,
        None => Begins::Perhaps,
    }
}

impl Connection {
    /// A connection whose segments' CRCs are checked or not, with the keys that all connections of the file share.
    pub(crate) fn new(check: bool, knowledge: Knowledge) -> Self {
        Connection { check, knowledge, ..Connection::default() }
    }

    /// The first time that these bytes are seen. `trouble` is taken by the first connection that may need keys.
    pub(crate) fn first(&mut self, call: &Call<'_>, trouble: &mut Option<Box<str>>) -> Verdict<'_> {
        match self.walk(call) {
            Some(mut found) => {
                if found.units.iter().any(needs_keys) {
                    found.trouble = trouble.take();
                }
                let place = self.found.entry(call.key).insert_entry(found);
                Verdict::Ours(place.into_mut())
            }
            None => Verdict::Foreign,
        }
    }

    /// What was found in these bytes the first time.
    pub(crate) fn again(&self, call: &Call<'_>) -> Option<&Found> {
        self.found.get(&call.key)
    }

    fn walk(&mut self, call: &Call<'_>) -> Option<Found> {
        let (mut found, mut units) = (Found::default(), Vec::new());
        let begin = self.follow_sequence(call);
        let side = &mut self.sides[call.direction as usize];
        found.carried = side.carry.min(call.reported);
        side.carry -= found.carried;

        let tracker = self.tracker.get_or_insert_with(|| {
            // with no banner in front it is the middle of a connection
            let midway = call.bytes.get(found.carried..).is_some_and(Tracker::recognises);
            let mut tracker = if midway { Tracker::midway() } else { Tracker::new(None) };
            tracker.set_check(if self.check { Check::Crc } else { Check::Nothing });
            tracker.set_knowledge(self.knowledge.clone());
            tracker
        });
        tracker.at(call.key.0);
        let whole = call.bytes.len() >= call.reported;
        let more = call.desegment && whole;
        let mut at = found.carried;
        while at < call.reported {
            let Some(bytes) = call.bytes.get(at..).filter(|b| !b.is_empty()) else {
                // sent, but not captured
                tracker.gap(call.direction);
                break;
            };
            match tracker.next(call.direction, bytes, more) {
                Step::Unit(unit) => {
                    at += unit.length.max(1) as usize;
                    units.push(unit);
                }
                Step::Need(need) => {
                    let more = need.checked_sub(bytes.len()).filter(|_| need > BANNER_PREFIX.len() * 4);
                    found.wanted = Some(Wanted { offset: at, more });
                    self.sides[call.direction as usize].pending = begin.map(|seq| seq.wrapping_add(at as u32));
                    break;
                }
                Step::Foreign => return None,
            }
        }
        self.sides[call.direction as usize].carry += at.saturating_sub(call.reported);
        found.units = units.into();
        Some(found)
    }

    /// Notices segments that the capture lacks. Returns the sequence number of the first byte, if it is known.
    fn follow_sequence(&mut self, call: &Call<'_>) -> Option<u32> {
        let (seq, next) = call.sequence?;
        let side = &mut self.sides[call.direction as usize];
        if call.reassembled {
            // they reach from where the frame began without a gap; what is left of a segment reaches to its end
            let begin = side.pending.take().unwrap_or(next.wrapping_sub(call.reported as u32));
            side.next_seq = Some(begin.wrapping_add(call.reported as u32));
            return Some(begin);
        }
        let ahead = side.next_seq.map_or(0, |expected| seq.wrapping_sub(expected) as i32);
        if side.next_seq.is_none_or(|expected| next.wrapping_sub(expected) as i32 > 0) {
            side.next_seq = Some(next);
        }
        // what comes behind a frame that began in an earlier segment is a part of this one
        let begin = Some(next.wrapping_sub(call.reported as u32));
        if ahead <= 0 {
            return begin;
        }
        let missing = ahead as usize;
        if missing <= side.carry {
            side.carry -= missing;
            return begin;
        }
        side.carry = 0;
        if let Some(tracker) = &mut self.tracker {
            tracker.gap(call.direction);
        }
        begin
    }
}

/// Whether keys may open something of the connection that the unit is of, or check its signatures.
fn needs_keys(unit: &Unit) -> bool {
    unit.dialect == Some(Dialect::Proposal) || unit.context.auth_method == Some(AuthMethod::CEPHX)
}

#[cfg(test)]
mod tests {
    use super::{Begins, begins};

    #[test]
    fn banners() {
        let ours = ["ceph v2\n", "ceph 3 0\n", "ceph 0 0\nmore", "ceph 00000000000000ff ffffffffffffffff\n\t"];
        ours.iter().for_each(|text| assert_eq!(begins(text.as_bytes()), Begins::Ours, "{text:?}"));
        let perhaps =
            ["c", "ceph ", "ceph v", "ceph 3", "ceph 3 ", "ceph 3 0", "ceph 0123456789abcdef 0123456789abcdef"];
        perhaps.iter().for_each(|text| assert_eq!(begins(text.as_bytes()), Begins::Perhaps, "{text:?}"));
        assert_eq!(begins(b"ceph v027"), Begins::Legacy);
        let foreign = [
            "ceph  3\n",
            "ceph 3\n",
            "ceph 3 \n",
            "ceph 3 0 \n",
            "ceph 3 0\r\n",
            "ceph A 0\n",
            "ceph 0x3 0\n",
            "ceph 3 0 1\n",
            "ceph 12345678901234567",
            "ceph 3 12345678901234567",
            "ceph is a store\n",
            "ceph add 0 x",
            "cephalopod",
        ];
        foreign.iter().for_each(|text| assert_eq!(begins(text.as_bytes()), Begins::Foreign, "{text:?}"));
    }
}
