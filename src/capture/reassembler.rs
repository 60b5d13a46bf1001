//! TCP connections, numbered as Wireshark numbers them, and their bytes in order.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::SocketAddr;

use super::chunk::{Position, Sink};
use super::segment::Segment;
use super::stream::Stream;

/// How much memory may be used.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes held back behind a hole, in one direction.
    pub flow: usize,
    /// Bytes held back, in all.
    pub total: usize,
    /// Connections remembered. The oldest are given up, those that are over first.
    pub streams: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { flow: 16 << 20, total: 256 << 20, streams: 1 << 16 }
    }
}

/// Puts the segments of many connections in order.
pub struct Reassembler {
    limits: Limits,
    streams: HashMap<(SocketAddr, SocketAddr), Stream>,
    /// How many connections there were.
    count: u32,
    /// Bytes held back, in all.
    held: usize,
}

impl Reassembler {
    /// Nothing has been seen yet.
    pub fn new(limits: Limits) -> Self {
        Self { limits, streams: HashMap::new(), count: 0, held: 0 }
    }

    /// Takes the next segment of the capture. Each direction of each connection gives data and gaps in order, then
    /// closes once. Says where the segment stands.
    pub fn push<E>(&mut self, segment: &Segment<'_>, sink: &mut Sink<'_, E>) -> Result<Option<Position>, E> {
        let pair = (segment.src.min(segment.dst), segment.src.max(segment.dst));
        let known = self.streams.get(&pair);
        if known.is_none_or(|stream| stream.is_replaced_by(segment)) {
            self.open(pair, segment, sink)?;
        }
        let Some(stream) = self.streams.get_mut(&pair) else { return Ok(None) };
        self.held -= stream.held();
        let position = stream.push(segment, self.limits.flow, sink)?;
        if self.held + stream.held() > self.limits.total {
            stream.release(sink)?;
        }
        self.held += stream.held();
        Ok(Some(position))
    }

    /// Ends all connections, and gives out what waits behind holes.
    pub fn finish<E>(&mut self, sink: &mut Sink<'_, E>) -> Result<(), E> {
        self.held = 0;
        let mut streams: Vec<_> = self.streams.drain().map(|(_, stream)| stream).collect();
        streams.sort_unstable_by_key(|stream| stream.number());
        streams.iter_mut().try_for_each(|stream| stream.end(sink))
    }

    /// How many connections there were so far.
    #[cfg(test)]
    pub fn streams(&self) -> u32 {
        self.count
    }

    fn open<E>(
        &mut self,
        pair: (SocketAddr, SocketAddr),
        segment: &Segment<'_>,
        sink: &mut Sink<'_, E>,
    ) -> Result<(), E> {
        self.close(&pair, sink)?;
        if self.streams.len() >= self.limits.streams {
            self.forget(sink)?;
        }
        self.streams.insert(pair, Stream::new(self.count, segment));
        self.count = self.count.saturating_add(1);
        Ok(())
    }

    /// Gives up the oldest quarter of the connections, so that doing so is seldom.
    fn forget<E>(&mut self, sink: &mut Sink<'_, E>) -> Result<(), E> {
        let mut ages: Vec<_> =
            self.streams.iter().map(|(pair, s)| (Reverse(s.is_over()), s.last_packet(), *pair)).collect();
        ages.sort_unstable();
        ages.truncate(ages.len().div_ceil(4));
        ages.iter().try_for_each(|(.., pair)| self.close(pair, sink))
    }

    fn close<E>(&mut self, pair: &(SocketAddr, SocketAddr), sink: &mut Sink<'_, E>) -> Result<(), E> {
        let Some(mut stream) = self.streams.remove(pair) else { return Ok(()) };
        self.held -= stream.held();
        stream.end(sink)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use super::super::chunk::{Chunk, Direction, End, Kind};
    use super::*;

    const CLIENT: &str = "192.0.2.1:1000";
    const SERVER: &str = "192.0.2.2:3300";

    fn segment<'a>(
        packet: u32,
        src: &str,
        dst: &str,
        flags: &str,
        seq: u32,
        ack: u32,
        payload: &'a str,
    ) -> Segment<'a> {
        let has = |flag| flags.contains(flag);
        Segment {
            packet,
            time: Duration::from_secs(packet.into()),
            src: src.parse().expect("an address"),
            dst: dst.parse().expect("an address"),
            seq,
            ack: has('a').then_some(ack),
            syn: has('s'),
            fin: has('f'),
            rst: has('r'),
            payload: payload.as_bytes(),
            missing: 0,
        }
    }

    struct Bench {
        reassembler: Reassembler,
        log: Vec<String>,
    }

    impl Bench {
        fn new(limits: Limits) -> Self {
            Self { reassembler: Reassembler::new(limits), log: Vec::new() }
        }

        fn act(&mut self, act: impl FnOnce(&mut Reassembler, &mut Sink<'_, Infallible>) -> Result<(), Infallible>) {
            let log = &mut self.log;
            let mut sink = |chunk: Chunk<'_>| {
                let arrow = if chunk.direction == Direction::ToServer { '>' } else { '<' };
                let what = match chunk.kind {
                    Kind::Data(data) => String::from_utf8_lossy(data).into_owned(),
                    Kind::Gap(len) => format!("<{len}>"),
                    Kind::Closed(End::Reset) => "!".to_owned(),
                    Kind::Closed(_) => ".".to_owned(),
                };
                assert_eq!(chunk.time, Duration::from_secs(chunk.packet.into()));
                log.push(format!("{}{arrow}{}:{what}", chunk.stream, chunk.packet));
                Ok(())
            };
            let Ok(()) = act(&mut self.reassembler, &mut sink);
            let held: usize = self.reassembler.streams.values().map(Stream::held).sum();
            assert_eq!(self.reassembler.held, held);
            assert!(held <= self.reassembler.limits.total);
        }

        fn push(&mut self, segment: Segment<'_>) {
            self.act(|reassembler, sink| reassembler.push(&segment, sink).map(drop));
        }

        fn up(&mut self, packet: u32, flags: &str, seq: u32, ack: u32, payload: &str) {
            self.push(segment(packet, CLIENT, SERVER, flags, seq, ack, payload));
        }

        fn down(&mut self, packet: u32, flags: &str, seq: u32, ack: u32, payload: &str) {
            self.push(segment(packet, SERVER, CLIENT, flags, seq, ack, payload));
        }

        fn finish(&mut self) -> String {
            self.act(Reassembler::finish);
            self.log.join(" ")
        }
    }

    #[test]
    fn a_connection_from_syn_to_fin() {
        let mut bench = Bench::new(Limits::default());
        bench.up(1, "s", 100, 0, "");
        bench.down(2, "sa", 500, 101, "");
        bench.up(3, "a", 101, 501, "");
        bench.up(4, "a", 101, 501, "ping");
        bench.down(5, "a", 501, 105, "pong");
        bench.up(6, "fa", 105, 505, "");
        bench.down(7, "fa", 505, 106, "bye");
        bench.up(8, "a", 106, 509, "");
        bench.down(9, "fa", 505, 106, "bye");
        assert_eq!(bench.reassembler.streams(), 1);
        assert_eq!(bench.finish(), "0>4:ping 0<5:pong 0>6:. 0<7:bye 0<7:.");
    }

    #[test]
    fn the_client_is_who_sends_the_syn() {
        for (flags, arrows) in [("s", "0>1:x"), ("sa", "0<1:x"), ("a", "0>1:x")] {
            let mut bench = Bench::new(Limits::default());
            bench.down(1, flags, 9, 9, "x");
            assert!(bench.finish().starts_with(arrows), "{flags}");
        }
        // what is left of an earlier connection doesn't count
        let mut bench = Bench::new(Limits::default());
        bench.down(1, "r", 9, 0, "");
        bench.up(2, "s", 100, 0, "");
        bench.down(3, "sa", 500, 101, "");
        bench.up(4, "a", 101, 501, "x");
        bench.down(5, "a", 501, 102, "y");
        bench.up(5, "s", 100, 0, "");
        assert_eq!(bench.finish(), "0>4:x 0<5:y 0>5:. 0<5:.");
    }

    #[test]
    fn an_acknowledgement_shows_what_the_capture_missed() {
        let mut bench = Bench::new(Limits::default());
        bench.up(1, "s", 100, 0, "");
        bench.up(2, "a", 103, 501, "cd");
        for packet in 3..7 {
            bench.down(packet, "a", 501, 105, "");
        }
        bench.up(7, "a", 101, 501, "ab");
        assert_eq!(bench.finish(), "0>6:<2> 0>6:cd 0>7:. 0<7:.");
    }

    #[test]
    fn packets_a_little_out_of_order_are_put_in_order() {
        let begun = || {
            let mut bench = Bench::new(Limits::default());
            bench.up(1, "s", 100, 0, "");
            bench.down(2, "sa", 500, 101, "");
            bench
        };
        // an acknowledgement before what it acknowledges
        let mut bench = begun();
        bench.up(3, "a", 103, 501, "cd");
        bench.down(4, "a", 501, 105, "");
        bench.up(5, "a", 101, 501, "ab");
        assert_eq!(bench.finish(), "0>5:ab 0>5:cd 0>5:. 0<5:.");
        // an answer before the question
        let mut bench = begun();
        bench.down(3, "a", 501, 104, "yes");
        bench.up(4, "a", 101, 501, "why");
        bench.up(5, "a", 104, 504, "so");
        assert_eq!(bench.finish(), "0>4:why 0<4:yes 0>5:so 0>5:. 0<5:.");
        // the question never comes
        let mut bench = begun();
        bench.down(3, "a", 501, 104, "yes");
        bench.up(4, "a", 104, 504, "so");
        assert_eq!(bench.finish(), "0>4:<3> 0<4:yes 0>4:so 0>4:. 0<4:.");
        // an end before what comes before it
        let mut bench = begun();
        bench.up(3, "fa", 103, 501, "");
        bench.down(4, "a", 501, 104, "");
        bench.up(5, "a", 101, 501, "ab");
        assert_eq!(bench.finish(), "0>5:ab 0>5:. 0<5:.");
    }

    #[test]
    fn a_new_syn_between_the_same_ends_is_a_new_stream() {
        let mut bench = Bench::new(Limits::default());
        bench.up(1, "s", 100, 0, "");
        bench.down(2, "sa", 500, 101, "");
        bench.up(3, "a", 103, 501, "c");
        bench.up(4, "s", 100, 0, "");
        assert_eq!(bench.reassembler.streams(), 1);
        bench.up(5, "s", 900, 0, "");
        assert_eq!(bench.log.join(" "), "0>3:<2> 0>3:c 0>4:. 0<4:.");
        bench.push(segment(6, CLIENT, "192.0.2.3:3300", "s", 1, 0, ""));
        bench.up(7, "a", 901, 0, "x");
        // a port that nobody listens on, tried again with the same number and with another
        bench.push(segment(8, "192.0.2.3:3300", CLIENT, "ra", 0, 2, ""));
        bench.push(segment(9, CLIENT, "192.0.2.3:3300", "s", 1, 0, ""));
        bench.push(segment(10, CLIENT, "192.0.2.3:3300", "s", 2, 0, ""));
        assert_eq!(bench.reassembler.streams(), 4);
        bench.log.clear();
        // the numbers of streams rise, whatever their addresses
        assert_eq!(bench.finish(), "1>7:. 1<7:. 3>10:. 3<10:.");
    }

    #[test]
    fn streams_are_told_apart_as_wireshark_does() {
        // by what was acknowledged, where the SYN is not in the capture
        let mut bench = Bench::new(Limits::default());
        bench.down(1, "a", 9, 101, "");
        bench.up(2, "s", 101, 0, "");
        assert_eq!(bench.reassembler.streams(), 2);
        // and by what was sent
        bench.push(segment(3, CLIENT, "192.0.2.3:3300", "a", 31, 0, ""));
        bench.push(segment(3, CLIENT, "192.0.2.3:3300", "s", 30, 0, ""));
        assert_eq!(bench.reassembler.streams(), 3);
        // a SYN+ACK begins nothing, but a SYN is held against it
        bench.down(4, "sa", 500, 102, "");
        bench.down(5, "sa", 600, 102, "");
        bench.down(6, "s", 600, 0, "");
        assert_eq!(bench.reassembler.streams(), 3);
        bench.down(7, "s", 500, 0, "");
        assert_eq!(bench.reassembler.streams(), 4);
    }

    #[test]
    fn who_is_reset_may_still_be_sent_data() {
        let mut bench = Bench::new(Limits::default());
        bench.up(1, "s", 100, 0, "");
        bench.down(2, "sa", 500, 101, "");
        bench.up(3, "r", 101, 0, "");
        bench.down(4, "a", 501, 101, "late");
        assert_eq!(bench.finish(), "0>3:! 0<4:late 0<4:.");
    }

    #[test]
    fn all_that_is_held_is_limited() {
        let mut bench = Bench::new(Limits { total: 1000, ..Limits::default() });
        for port in 1..100 {
            let client = format!("192.0.2.1:{port}");
            bench.push(segment(port, &client, SERVER, "s", 0, 0, ""));
            bench.push(segment(port, &client, SERVER, "a", 3, 0, "held"));
        }
        assert!(bench.log.iter().any(|l| l == "50>51:<2>"));
        bench.finish();
        assert_eq!(bench.log.iter().filter(|l| l.ends_with(":held")).count(), 99);
    }

    #[test]
    fn only_so_many_streams_are_remembered() {
        let mut bench = Bench::new(Limits { streams: 8, ..Limits::default() });
        for port in 1..=9 {
            let client = format!("[2001:db8::1]:{port}");
            bench.push(segment(port, &client, "[2001:db8::2]:3300", "s", 0, 0, ""));
            let flags = if port > 6 { "r" } else { "a" };
            bench.push(segment(port + 10, &client, "[2001:db8::2]:3300", flags, 1, 0, "x"));
            assert!(bench.reassembler.streams.len() <= 8);
        }
        // at the ninth the oldest quarter went, and of that first what was over
        assert_eq!(bench.log.iter().filter(|l| l.ends_with("<17:.") || l.ends_with("<18:.")).count(), 2);
        assert_eq!(bench.reassembler.streams.len(), 7);
        let before = bench.log.len();
        bench.finish();
        let order: Vec<_> = bench.log[before..].iter().map(|l| l.as_bytes()[0]).collect();
        assert!(order.is_sorted() && order.len() > 7, "{order:?}");
        assert_eq!(bench.log.iter().filter(|l| l.ends_with(['.', '!'])).count(), 18);
    }

    #[test]
    fn an_error_of_the_sink_comes_back() {
        let mut reassembler = Reassembler::new(Limits::default());
        let pushed = reassembler.push(&segment(1, CLIENT, SERVER, "a", 1, 1, "x"), &mut |_| Err("full"));
        assert_eq!(pushed, Err("full"));
    }
}
