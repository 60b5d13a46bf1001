//! One TCP connection: its ends, its two directions, and what Wireshark takes for the same connection.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::chunk::{Chunk, Direction, End, Kind, Position, Sink};
use super::flow::{Flow, Given, Moment, Out};
use super::held::PIECE;
use super::segment::Segment;

/// One connection.
pub(super) struct Stream {
    number: u32,
    client: SocketAddr,
    server: SocketAddr,
    to_server: Side,
    to_client: Side,
    reset: bool,
    /// Segments that are early.
    waiting: VecDeque<Waiting>,
    last: Moment,
}

/// How many segments wait at the most: as many as packets are out of order in captures of one machine.
const MOST_WAITING: usize = 3;

/// A segment that waits.
#[derive(Clone)]
struct Waiting {
    /// Without its data.
    head: Segment<'static>,
    payload: Vec<u8>,
}

impl Waiting {
    fn from(segment: &Segment<'_>) -> Self {
        Waiting { head: Segment { payload: &[], ..*segment }, payload: segment.payload.to_vec() }
    }

    fn segment(&self) -> Segment<'_> {
        Segment { payload: &self.payload, ..self.head }
    }
}

#[derive(Default)]
struct Side {
    /// Wireshark's `base_seq`, by which it tells connections apart: of the latest SYN+ACK, else of the SYN, else the
    /// number before the first that was seen or acknowledged.
    base_seq: Option<u32>,
    flow: Flow,
}

impl Stream {
    /// The connection that a segment begins.
    pub(super) fn new(number: u32, first: &Segment<'_>) -> Self {
        let answer = first.syn && first.ack.is_some();
        let (client, server) = if answer { (first.dst, first.src) } else { (first.src, first.dst) };
        let (to_server, to_client, reset, waiting) = Default::default();
        Self { number, client, server, to_server, to_client, reset, waiting, last: Moment::of(first) }
    }

    /// Its number.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// The number of its last packet.
    pub(super) fn last_packet(&self) -> u32 {
        self.last.packet
    }

    /// Whether a segment begins another connection between the same ends.
    pub(super) fn is_replaced_by(&self, segment: &Segment<'_>) -> bool {
        let side = if segment.src == self.client { &self.to_server } else { &self.to_client };
        segment.syn && segment.ack.is_none() && side.base_seq.is_some_and(|base| base != segment.seq)
    }

    /// Whether it was reset or both sides have finished.
    pub(super) fn is_over(&self) -> bool {
        self.reset || self.to_server.flow.closed() && self.to_client.flow.closed()
    }

    /// The memory that held-back data takes.
    pub(super) fn held(&self) -> usize {
        let waiting: usize = self.waiting.iter().map(|one| one.payload.len() + PIECE).sum();
        self.to_server.flow.held() + self.to_client.flow.held() + waiting
    }

    /// Takes its next segment, and says where that stands.
    ///
    /// Captures have packets a little out of order, those of both directions among them: then a segment acknowledges what
    /// comes only behind it. So a few that seem to be early wait for those that ought to have come before. When there are
    /// more, the oldest is taken as it is.
    pub(super) fn push<E>(
        &mut self,
        segment: &Segment<'_>,
        limit: usize,
        sink: &mut Sink<'_, E>,
    ) -> Result<Position, E> {
        self.last = Moment::of(segment);
        self.reset |= segment.rst;
        let fresh = !self.to_server.flow.started() && !self.to_client.flow.started();
        if fresh && segment.syn && segment.ack.is_none() && segment.src != self.client {
            // what came before was left over from an earlier connection
            std::mem::swap(&mut self.client, &mut self.server);
            std::mem::swap(&mut self.to_server, &mut self.to_client);
        }
        let (place, due) = self.sides(segment).0.flow.position(segment);
        let direction = if segment.src == self.client { Direction::ToServer } else { Direction::ToClient };
        // what begins or breaks off a connection is told at once
        let waits = !segment.syn && !segment.rst && self.is_early(segment);
        let position = Position { stream: self.number, direction, place, due, waits };
        if segment.rst {
            // nothing will come any more
            self.take_waiting(sink)?;
        }
        if !waits {
            self.take(segment, limit, sink)?;
        } else {
            if self.waiting.len() >= MOST_WAITING {
                self.take_oldest(limit, sink)?;
            }
            self.waiting.push_back(Waiting::from(segment));
        }
        self.take_due(limit, sink)?;
        Ok(position)
    }

    /// The side that sent a segment, and the other one.
    fn sides(&mut self, segment: &Segment<'_>) -> (&mut Side, &mut Side) {
        if segment.src == self.client {
            (&mut self.to_server, &mut self.to_client)
        } else {
            (&mut self.to_client, &mut self.to_server)
        }
    }

    /// Whether a segment says that there are bytes before it that the capture hasn't shown yet.
    fn is_early(&self, segment: &Segment<'_>) -> bool {
        let ours_first = segment.src == self.client;
        let (ours, theirs) =
            if ours_first { (&self.to_server, &self.to_client) } else { (&self.to_client, &self.to_server) };
        ours.flow.lacks_before(segment) || segment.ack.is_some_and(|ack| theirs.flow.lacks_acknowledged(ack))
    }

    /// Takes what has waited and is early no more.
    fn take_due<E>(&mut self, limit: usize, sink: &mut Sink<'_, E>) -> Result<(), E> {
        while let Some(index) = self.waiting.iter().position(|one| !self.is_early(&one.segment())) {
            if let Some(one) = self.waiting.remove(index) {
                self.take(&one.segment(), limit, sink)?;
            }
        }
        Ok(())
    }

    fn take_oldest<E>(&mut self, limit: usize, sink: &mut Sink<'_, E>) -> Result<(), E> {
        match self.waiting.pop_front() {
            Some(oldest) => self.take(&oldest.segment(), limit, sink),
            None => Ok(()),
        }
    }

    fn take<E>(&mut self, segment: &Segment<'_>, limit: usize, sink: &mut Sink<'_, E>) -> Result<(), E> {
        let (stream, last) = (self.number, self.last);
        let direction = if segment.src == self.client { Direction::ToServer } else { Direction::ToClient };
        let back = if segment.src == self.client { Direction::ToClient } else { Direction::ToServer };
        let (ours, theirs) = self.sides(segment);
        if segment.syn && segment.ack.is_some() {
            ours.base_seq = Some(segment.seq);
        }
        ours.base_seq.get_or_insert(segment.seq.wrapping_sub((!segment.syn).into()));
        let (src, dst) = (segment.src, segment.dst);
        if let Some(ack) = segment.ack {
            theirs.base_seq.get_or_insert(ack.wrapping_sub(1));
            let mut out = |Given { at: Moment { packet, time }, carrier }: Given, kind: Kind<'_>| {
                sink(Chunk { stream, direction: back, src: dst, dst: src, packet, carrier, time, kind })
            };
            theirs.flow.acknowledged(ack, last, limit, &mut out)?;
            if !segment.payload.is_empty() {
                // what answers bytes that are missing comes behind them
                theirs.flow.give_up(ack, last, limit, &mut out)?;
            }
        }
        ours.flow.receive(segment, last, limit, &mut |Given { at: Moment { packet, time }, carrier }, kind| {
            sink(Chunk { stream, direction, src, dst, packet, carrier, time, kind })
        })
    }

    /// Gives out what is held back, whatever is missing before it.
    pub(super) fn release<E>(&mut self, sink: &mut Sink<'_, E>) -> Result<(), E> {
        self.take_waiting(sink)?;
        let last = self.last;
        self.each(sink, |flow, out| flow.release(last, out))
    }

    /// Gives out what is held back, and closes.
    pub(super) fn end<E>(&mut self, sink: &mut Sink<'_, E>) -> Result<(), E> {
        self.take_waiting(sink)?;
        let last = self.last;
        self.each(sink, |flow, out| flow.end(End::Capture, None, last, out))
    }

    fn take_waiting<E>(&mut self, sink: &mut Sink<'_, E>) -> Result<(), E> {
        while !self.waiting.is_empty() {
            // what is held back is given out behind this, so no limit is needed here
            self.take_oldest(usize::MAX, sink)?;
        }
        Ok(())
    }

    fn each<E>(
        &mut self,
        sink: &mut Sink<'_, E>,
        act: impl Fn(&mut Flow, &mut Out<'_, E>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (stream, client, server) = (self.number, self.client, self.server);
        for (flow, direction, src, dst) in [
            (&mut self.to_server.flow, Direction::ToServer, client, server),
            (&mut self.to_client.flow, Direction::ToClient, server, client),
        ] {
            act(flow, &mut |Given { at: Moment { packet, time }, carrier }, kind| {
                sink(Chunk { stream, direction, src, dst, packet, carrier, time, kind })
            })?;
        }
        Ok(())
    }
}
