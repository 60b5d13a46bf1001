//! One direction of a TCP connection: puts its bytes in order.

use std::time::Duration;

use super::chunk::{End, Kind};
use super::held::{Held, Piece};
use super::segment::Segment;

/// Where in the capture something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Moment {
    /// The packet's number.
    pub(super) packet: u32,
    /// Its time.
    pub(super) time: Duration,
}

impl Moment {
    /// When a segment was captured.
    pub(super) fn of(segment: &Segment<'_>) -> Self {
        Self { packet: segment.packet, time: segment.time }
    }
}

/// Takes what a flow gives out.
pub(super) type Out<'a, E> = dyn FnMut(Given, Kind<'_>) -> Result<(), E> + 'a;

/// What led to something being given out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given {
    /// Who made it deliverable.
    pub(super) at: Moment,
    /// The packet that carried it.
    pub(super) carrier: u32,
}

/// How long to wait for a hole to be filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// Until so much is held back.
    Limit(usize),
    /// No longer.
    None,
}

/// One direction of a connection. Places are counted in bytes from where it starts.
#[derive(Debug, Default)]
pub(super) struct Flow {
    started: bool,
    closed: bool,
    /// The place of the next byte to give out.
    next: u64,
    /// Its sequence number.
    next_seq: u32,
    /// The other side has all before this place.
    acked: u64,
    /// What is not there before this place is not in the capture.
    lost: u64,
    /// The place behind the last byte, and who said so.
    fin: Option<(u64, Moment)>,
    /// What came too early: it lies behind `next`.
    held: Held,
    /// When something was given out last.
    last: Moment,
}

impl Flow {
    /// Whether anything but acknowledgements has been seen.
    pub(super) fn started(&self) -> bool {
        self.started
    }

    /// Whether no more will come out.
    pub(super) fn closed(&self) -> bool {
        self.closed
    }

    /// The place of the byte that a segment begins with, and of the one that is due.
    pub(super) fn position(&self, segment: &Segment<'_>) -> (i64, i64) {
        let due = i64::try_from(self.next).unwrap_or(i64::MAX);
        let seq = segment.seq.wrapping_add(segment.syn.into());
        let ahead = if self.started { distance(self.next_seq, seq) } else { 0 };
        (due.saturating_add(ahead.into()), due)
    }

    /// The memory that held-back data takes.
    pub(super) fn held(&self) -> usize {
        self.held.cost()
    }

    /// Whether a segment of this direction has bytes before it that are not there yet.
    pub(super) fn lacks_before(&self, segment: &Segment<'_>) -> bool {
        let (place, due) = self.position(segment);
        !self.closed && place > due
    }

    /// Whether the other side has acknowledged bytes of this direction that are not there yet.
    pub(super) fn lacks_acknowledged(&self, ack: u32) -> bool {
        // its end is acknowledged like a byte
        let end = u64::from(self.fin.is_some_and(|(end, _)| end == self.next));
        let ahead = distance(self.next_seq, ack);
        self.started && !self.closed && ahead > 0 && ahead.unsigned_abs() as u64 > end
    }

    /// Takes a segment of this direction; `at` is the packet that makes it due, which may be a later one.
    pub(super) fn receive<E>(
        &mut self,
        segment: &Segment<'_>,
        at: Moment,
        limit: usize,
        out: &mut Out<'_, E>,
    ) -> Result<(), E> {
        let &Segment { mut payload, mut missing, fin, .. } = segment;
        let seq = segment.seq.wrapping_add(segment.syn.into());
        if segment.rst {
            // the answer to a SYN that nobody wanted starts nothing, and an old one ends nothing
            let current = self.started && distance(self.next_seq, seq) >= 0;
            return if current { self.end(End::Reset, Some(at), at, out) } else { Ok(()) };
        }
        if self.closed || !(self.started || segment.syn || fin || !payload.is_empty() || missing > 0) {
            return Ok(());
        }
        if !self.started {
            self.started = true;
            self.next_seq = seq;
        }
        let ahead = distance(self.next_seq, seq);
        // what lies before `next` was given out or is a keep-alive probe
        let old = ahead.min(0).unsigned_abs() as usize;
        let old_payload = old.min(payload.len());
        payload = &payload[old_payload..];
        if old - old_payload > missing {
            return Ok(());
        }
        missing -= old - old_payload;
        let place = self.next + ahead.max(0).unsigned_abs() as u64;
        if fin {
            let end = place + (payload.len() + missing) as u64;
            self.fin.get_or_insert((end, at));
        }
        if place > self.next {
            self.held.keep(place, payload, missing, Moment::of(segment));
        } else {
            self.give(payload, missing, at, segment.packet, out)?;
        }
        self.advance(Some(at), Patience::Limit(limit), out)
    }

    /// Takes an acknowledgement that the other direction carried.
    pub(super) fn acknowledged<E>(
        &mut self,
        ack: u32,
        at: Moment,
        limit: usize,
        out: &mut Out<'_, E>,
    ) -> Result<(), E> {
        let ahead = distance(self.next_seq, ack);
        if !self.started || ahead <= 0 {
            return Ok(());
        }
        self.acked = self.acked.max(self.next + ahead.unsigned_abs() as u64);
        self.advance(Some(at), Patience::Limit(limit), out)
    }

    /// Gives up bytes that the other side has acknowledged and that didn't come before what it sent then.
    pub(super) fn give_up<E>(&mut self, ack: u32, at: Moment, limit: usize, out: &mut Out<'_, E>) -> Result<(), E> {
        if self.lacks_acknowledged(ack) {
            let end = self.fin.map_or(u64::MAX, |(end, _)| end);
            let acked = self.next + distance(self.next_seq, ack).unsigned_abs() as u64;
            self.lost = self.lost.max(acked.min(end));
        }
        self.advance(Some(at), Patience::Limit(limit), out)
    }

    /// Gives out what is held back, whatever is missing before it.
    pub(super) fn release<E>(&mut self, at: Moment, out: &mut Out<'_, E>) -> Result<(), E> {
        self.advance(Some(at), Patience::Limit(0), out)
    }

    /// Gives out what is held back, and closes. Where no packet made data deliverable, the packet that carried it is
    /// named; `last` is the connection's last packet.
    pub(super) fn end<E>(&mut self, how: End, at: Option<Moment>, last: Moment, out: &mut Out<'_, E>) -> Result<(), E> {
        self.advance(at, Patience::None, out)?;
        self.close(how, last, out)
    }

    /// Gives out data that begins at `next`. Where it overlaps data that is held, that was first and wins.
    fn give<E>(
        &mut self,
        payload: &[u8],
        missing: usize,
        at: Moment,
        carrier: u32,
        out: &mut Out<'_, E>,
    ) -> Result<(), E> {
        let start = self.next;
        let end = start + payload.len() as u64;
        while self.next < end {
            let free = self.held.first().map_or(end, |(place, _)| end.min(place));
            // both below payload.len()
            let (from, to) = ((self.next - start) as usize, (free - start) as usize);
            self.emit(at, carrier, Kind::Data(&payload[from..to]), free - self.next, out)?;
            while let Some(piece) = self.held.take(self.next) {
                self.give_piece(piece, at, out)?;
            }
        }
        self.lost = self.lost.max(end + missing as u64);
        Ok(())
    }

    fn give_piece<E>(&mut self, piece: Piece, at: Moment, out: &mut Out<'_, E>) -> Result<(), E> {
        self.emit(at, piece.at.packet, Kind::Data(&piece.bytes), piece.bytes.len() as u64, out)?;
        self.lost = self.lost.max(self.next + piece.missing as u64);
        Ok(())
    }

    /// Gives out what has become due.
    fn advance<E>(&mut self, at: Option<Moment>, patience: Patience, out: &mut Out<'_, E>) -> Result<(), E> {
        loop {
            if let Some(piece) = self.held.take(self.next) {
                let at = at.unwrap_or(piece.at);
                self.give_piece(piece, at, out)?;
                continue;
            }
            let waits = self.held.first().or(self.fin.filter(|(end, _)| *end > self.next));
            let to = match waits {
                _ if self.lost > self.next => waits.map_or(self.lost, |(place, _)| place.min(self.lost)),
                Some((place, _)) if self.acked >= place || self.exhausted(patience) => place,
                _ => break,
            };
            let at = at.or(waits.map(|(_, at)| at)).unwrap_or(self.last);
            self.emit(at, at.packet, Kind::Gap(to - self.next), to - self.next, out)?;
        }
        match self.fin {
            Some((end, fin_at)) if end <= self.next => self.close(End::Fin, at.unwrap_or(fin_at), out),
            _ => Ok(()),
        }
    }

    fn exhausted(&self, patience: Patience) -> bool {
        match patience {
            Patience::Limit(limit) => self.held.cost() > limit,
            Patience::None => true,
        }
    }

    fn close<E>(&mut self, how: End, at: Moment, out: &mut Out<'_, E>) -> Result<(), E> {
        if std::mem::replace(&mut self.closed, true) {
            return Ok(());
        }
        self.held.clear();
        self.emit(at, at.packet, Kind::Closed(how), 0, out)
    }

    fn emit<E>(&mut self, at: Moment, carrier: u32, kind: Kind<'_>, len: u64, out: &mut Out<'_, E>) -> Result<(), E> {
        self.last = self.last.max(at);
        self.next += len;
        self.next_seq = self.next_seq.wrapping_add(len as u32);
        out(Given { at: self.last, carrier }, kind)
    }
}

/// How far `to` lies behind `from`, in sequence numbers.
fn distance(from: u32, to: u32) -> i32 {
    to.wrapping_sub(from).cast_signed()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::net::{Ipv4Addr, SocketAddr};

    use super::super::held::PIECE;
    use super::*;

    /// A flow, and what it gave out: packet number and data, `<gap>` or `.` for closed.
    #[derive(Default)]
    struct Line {
        flow: Flow,
        log: Vec<String>,
        limit: Option<usize>,
    }

    fn segment(packet: u32, seq: u32, payload: &str) -> Segment<'_> {
        let end = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 1);
        let (src, dst, time) = (end, end, Duration::from_secs(packet.into()));
        let (ack, syn, fin, rst, missing) = (None, false, false, false, 0);
        Segment { packet, time, src, dst, seq, ack, syn, fin, rst, payload: payload.as_bytes(), missing }
    }

    impl Line {
        fn with(
            mut self,
            act: impl FnOnce(&mut Flow, usize, &mut Out<'_, Infallible>) -> Result<(), Infallible>,
        ) -> Self {
            let mut out = |Given { at, .. }: Given, kind: Kind<'_>| {
                assert_eq!(at.time, Duration::from_secs(at.packet.into()));
                self.log.push(match kind {
                    Kind::Data(data) => format!("{}:{}", at.packet, String::from_utf8_lossy(data)),
                    Kind::Gap(len) => format!("{}:<{len}>", at.packet),
                    Kind::Closed(End::Reset) => format!("{}:!", at.packet),
                    Kind::Closed(_) => format!("{}:.", at.packet),
                });
                Ok(())
            };
            let Ok(()) = act(&mut self.flow, self.limit.unwrap_or(1 << 20), &mut out);
            self
        }

        fn push(self, segment: Segment<'_>) -> Self {
            self.with(|flow, limit, out| flow.receive(&segment, Moment::of(&segment), limit, out))
        }

        fn data(self, packet: u32, seq: u32, payload: &str) -> Self {
            self.push(segment(packet, seq, payload))
        }

        fn ack(self, packet: u32, ack: u32) -> Self {
            let at = Moment::of(&segment(packet, 0, ""));
            self.with(|flow, limit, out| flow.acknowledged(ack, at, limit, out))
        }

        fn end(self, packet: u32) -> Self {
            let last = Moment::of(&segment(packet, 0, ""));
            let ended = self.with(|flow, _, out| flow.end(End::Capture, None, last, out));
            assert_eq!(ended.flow.held(), 0);
            ended
        }

        fn text(&self) -> String {
            self.log.join(" ")
        }

        /// The data alone.
        fn bytes(&self) -> String {
            self.log.iter().filter_map(|l| l.split_once(':')).map(|(_, data)| data).collect()
        }
    }

    fn syn(seq: u32) -> Line {
        Line::default().push(Segment { syn: true, ..segment(1, seq, "") })
    }

    #[test]
    fn any_split_in_any_order_gives_the_same() {
        let text = "abcdefgh";
        // the sequence numbers wrap in the middle
        let start = u32::MAX - 3;
        let at = |i: usize| start.wrapping_add(1 + i as u32);
        for i in 0..=text.len() {
            for k in i..=text.len() {
                let parts = [(0, &text[..i]), (i, &text[i..k]), (k, &text[k..])];
                for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
                    let mut line = syn(start);
                    for (n, part) in order.into_iter().enumerate() {
                        line = line.data(n as u32 + 2, at(parts[part].0), parts[part].1);
                    }
                    assert_eq!((line.bytes().as_str(), line.flow.held()), (text, 0), "{parts:?} {order:?}");
                }
            }
        }
        let reversed = (0..8).rev().fold(syn(start), |line, i| line.data(9, at(i), &text[i..=i]));
        assert_eq!(reversed.text(), "9:a 9:b 9:c 9:d 9:e 9:f 9:g 9:h");
    }

    #[test]
    fn the_first_copy_wins() {
        assert_eq!(syn(0).data(2, 1, "abc").data(3, 1, "XXX").data(4, 2, "XXd").text(), "2:abc 4:d");
        assert_eq!(syn(0).data(2, 3, "cd").data(3, 6, "f").data(4, 2, "XXXXXgh").text(), "");
        let line = syn(0).data(2, 3, "cd").data(3, 6, "f").data(4, 2, "bXXeXgh").data(5, 4, "X").data(6, 1, "aXX");
        assert_eq!(line.text(), "6:a 6:b 6:cd 6:e 6:f 6:gh");
        // the segment that fills the hole is longer than the hole
        assert_eq!(syn(0).data(2, 3, "cd").data(3, 1, "abXXef").text(), "3:ab 3:cd 3:ef");
        assert_eq!(syn(0).data(2, 1, "ab").data(3, 1, "XXcd").data(4, 5, "e").text(), "2:ab 3:cd 4:e");
    }

    #[test]
    fn keep_alive_probes_are_ignored() {
        assert_eq!(syn(0).data(2, 1, "abc").data(3, 3, "X").data(4, 3, "").data(5, 4, "d").text(), "2:abc 5:d");
    }

    #[test]
    fn a_capture_may_begin_in_the_middle() {
        let line = Line::default().data(1, 70, "").ack(2, 90).data(3, 71, "abc").data(4, 68, "old").data(5, 74, "d");
        assert_eq!(line.text(), "3:abc 5:d");
        // what was acknowledged before says nothing about holes
        assert_eq!(Line::default().ack(1, 500).data(2, 100, "a").data(3, 105, "z").text(), "2:a");
    }

    #[test]
    fn data_in_a_syn_counts() {
        let line = Line::default().push(Segment { syn: true, ..segment(1, 9, "ab") }).data(2, 10, "abc");
        assert_eq!(line.text(), "1:ab 2:c");
    }

    #[test]
    fn what_the_other_side_has_acknowledged_will_not_come() {
        let line = syn(0).data(2, 4, "def").ack(3, 3);
        assert_eq!(line.text(), "");
        assert_eq!(line.ack(4, 4).data(5, 7, "g").text(), "4:<3> 4:def 5:g");
        // the acknowledgement was first
        assert_eq!(syn(0).ack(2, 7).data(3, 4, "def").data(4, 1, "abc").text(), "3:<3> 3:def");
        // with nothing behind the hole there may be a retransmission
        assert_eq!(syn(0).ack(2, 7).data(3, 1, "abcdef").text(), "3:abcdef");
    }

    #[test]
    fn the_end_gives_out_what_waits() {
        let line = syn(0).data(2, 3, "c").data(3, 5, "e").data(4, 1, "").end(8);
        assert_eq!(line.text(), "2:<2> 2:c 3:<1> 3:e 8:.");
        // packet numbers don't go back
        assert_eq!(syn(0).data(2, 5, "e").data(3, 1, "a").end(8).text(), "3:a 3:<3> 3:e 8:.");
        assert_eq!(Line::default().end(8).end(9).text(), "8:.");
    }

    #[test]
    fn fin_closes_when_all_before_it_is_there() {
        let fin = |packet, seq, payload| Segment { fin: true, ..segment(packet, seq, payload) };
        assert_eq!(syn(0).push(fin(2, 1, "ab")).data(3, 3, "X").push(fin(4, 1, "ab")).end(5).text(), "2:ab 2:.");
        assert_eq!(syn(0).push(fin(2, 3, "")).data(3, 1, "ab").text(), "3:ab 3:.");
        assert_eq!(syn(0).push(fin(2, 3, "")).ack(3, 4).text(), "3:<2> 3:.");
        assert_eq!(syn(0).push(fin(2, 3, "")).end(7).text(), "2:<2> 2:.");
        assert_eq!(syn(0).push(fin(2, 3, "")).push(fin(3, 9, "")).data(4, 1, "ab").text(), "4:ab 4:.");
        assert_eq!(Line::default().push(fin(2, 3, "")).text(), "2:.");
    }

    #[test]
    fn rst_closes_unless_it_is_old() {
        let rst = |packet, seq| Segment { rst: true, ..segment(packet, seq, "reason") };
        let line = syn(0).data(2, 1, "ab").data(3, 4, "d").push(rst(4, 2));
        assert_eq!(line.text(), "2:ab");
        assert_eq!(line.push(rst(5, 5)).data(6, 3, "c").text(), "2:ab 5:<1> 5:d 5:!");
        assert_eq!(Line::default().push(rst(1, 0)).push(Segment { syn: true, ..segment(2, 9, "a") }).text(), "2:a");
    }

    #[test]
    fn what_the_snaplen_cut_off_is_a_gap() {
        let cut = |packet, seq, payload, missing| Segment { missing, ..segment(packet, seq, payload) };
        assert_eq!(
            syn(0).push(cut(2, 1, "ab", 3)).push(cut(3, 6, "", 4)).data(4, 10, "z").text(),
            "2:ab 2:<3> 3:<4> 4:z"
        );
        // out of order, and a part of the cut is there
        let line = syn(0).data(2, 5, "e").push(cut(3, 3, "c", 4)).data(4, 1, "ab");
        assert_eq!(line.text(), "4:ab 4:c 4:<1> 4:e 4:<2>");
        // again, whole and in other pieces
        assert_eq!(syn(0).push(cut(2, 1, "ab", 3)).push(cut(3, 1, "a", 6)).text(), "2:ab 2:<3> 3:<2>");
        let fin = Segment { fin: true, ..cut(2, 1, "ab", 3) };
        assert_eq!(syn(0).push(fin).text(), "2:ab 2:<3> 2:.");
    }

    #[test]
    fn what_is_held_back_is_limited() {
        let mut line = Line { limit: Some(3 * (PIECE + 1)), ..syn(0) };
        for n in 0..1000 {
            line = line.data(n + 2, 3 + 2 * n, "x");
            assert!(line.flow.held() <= 3 * (PIECE + 1));
        }
        assert!(line.text().starts_with("5:<2> 5:x 6:<1> 6:x 7:<1> 7:x "), "{}", &line.text()[..80]);
        // release lets all go
        let at = Moment::of(&segment(9999, 0, ""));
        let line = line.with(|flow, _, out| flow.release(at, out));
        assert_eq!(line.flow.held(), 0);
        assert_eq!(line.bytes().matches('x').count(), 1000);
    }

    #[test]
    fn many_overlaps_cost_no_more_than_their_bytes() {
        let long = "y".repeat(20_000);
        let mut line = Line { limit: Some(64 << 20), ..syn(0) };
        for n in 0..10_000 {
            line = line.data(2, 3 + 2 * n, "x");
        }
        let before = line.flow.held();
        for _ in 0..10 {
            line = line.data(3, 3, &long);
        }
        assert_eq!(line.flow.held(), before + 10_000 * (PIECE + 1));
        assert_eq!(line.data(4, 1, "ab").bytes().len(), 20_002);
    }
}
