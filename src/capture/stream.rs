//! One TCP connection: its ends, its two directions, and what Wireshark takes for the same connection.

use std::net::SocketAddr;

use super::chunk::{Chunk, Direction, End, Sink};
use super::flow::{Flow, Moment, Out};
use super::segment::Segment;

/// One connection.
pub(super) struct Stream {
    number: u32,
    client: SocketAddr,
    server: SocketAddr,
    to_server: Side,
    to_client: Side,
    reset: bool,
    last: Moment,
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
        let (to_server, to_client, reset) = Default::default();
        Self { number, client, server, to_server, to_client, reset, last: Moment::of(first) }
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
        self.to_server.flow.held() + self.to_client.flow.held()
    }

    /// Takes its next segment.
    pub(super) fn push<E>(&mut self, segment: &Segment<'_>, limit: usize, sink: &mut Sink<'_, E>) -> Result<(), E> {
        self.last = Moment::of(segment);
        self.reset |= segment.rst;
        let fresh = !self.to_server.flow.started() && !self.to_client.flow.started();
        if fresh && segment.syn && segment.ack.is_none() && segment.src != self.client {
            // what came before was left over from an earlier connection
            std::mem::swap(&mut self.client, &mut self.server);
            std::mem::swap(&mut self.to_server, &mut self.to_client);
        }
        let number = self.number;
        let (ours, theirs, direction, back) = if segment.src == self.client {
            (&mut self.to_server, &mut self.to_client, Direction::ToServer, Direction::ToClient)
        } else {
            (&mut self.to_client, &mut self.to_server, Direction::ToClient, Direction::ToServer)
        };
        if segment.syn && segment.ack.is_some() {
            ours.base_seq = Some(segment.seq);
        }
        ours.base_seq.get_or_insert(segment.seq.wrapping_sub((!segment.syn).into()));
        let (src, dst) = (segment.src, segment.dst);
        if let Some(ack) = segment.ack {
            theirs.base_seq.get_or_insert(ack.wrapping_sub(1));
            theirs.flow.acknowledged(ack, self.last, limit, &mut |Moment { packet, time }, kind| {
                sink(Chunk { stream: number, direction: back, src: dst, dst: src, packet, time, kind })
            })?;
        }
        ours.flow.receive(segment, limit, &mut |Moment { packet, time }, kind| {
            sink(Chunk { stream: number, direction, src, dst, packet, time, kind })
        })
    }

    /// Gives out what is held back, whatever is missing before it.
    pub(super) fn release<E>(&mut self, sink: &mut Sink<'_, E>) -> Result<(), E> {
        let last = self.last;
        self.each(sink, |flow, out| flow.release(last, out))
    }

    /// Gives out what is held back, and closes.
    pub(super) fn end<E>(&mut self, sink: &mut Sink<'_, E>) -> Result<(), E> {
        let last = self.last;
        self.each(sink, |flow, out| flow.end(End::Capture, None, last, out))
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
            act(flow, &mut |Moment { packet, time }, kind| {
                sink(Chunk { stream, direction, src, dst, packet, time, kind })
            })?;
        }
        Ok(())
    }
}
