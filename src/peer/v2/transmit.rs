//! Sending: what is ready, then messages, taken from the queue only when there is room for them.

use bytes::Bytes;

use super::{Connection, EMPTY};
use crate::auth::utime;
use crate::peer::engine::Engine as _;
use crate::peer::shared::Shared;
use crate::peer::{Error, Why};
use crate::session::Message;
use crate::v2_1::{Ack, Keepalive2, Keepalive2Ack, Tag};
use crate::wire::Encode;

impl Connection {
    /// Appends what is to be sent, until `room` bytes are reached.
    pub(super) fn write(&mut self, shared: &mut Shared, out: &mut Vec<u8>, room: usize) -> Result<(), Error> {
        let start = out.len();
        self.outbound.flush(out);
        while out.len() - start < room
            && let Some(tag) = self.next_tag(shared)
        {
            let Some(segments) = self.next_segments(shared, tag)? else { break };
            self.outbound.add(self.revision(), tag, &segments, out)?;
        }
        if self.is_done(shared) {
            self.link.over = Some(Why::Closed);
        }
        Ok(())
    }

    /// Whether the application wants the session closed, and nothing is left that would keep it.
    pub(super) fn is_done(&self, shared: &Shared) -> bool {
        let closing = |entry: &crate::peer::shared::Entry| entry.closing && entry.session.outgoing.is_empty();
        self.link.established && self.link.over.is_none() && self.link.entry(shared).is_some_and(closing)
    }

    /// The tag of the next frame that isn't ready yet.
    pub(super) fn next_tag(&self, shared: &Shared) -> Option<Tag> {
        if self.link.over.is_some() {
            return None;
        }
        let entry = self.link.entry(shared)?;
        let row = self.row();
        let may = |tag: Tag| row.sends.contains(&tag.0);
        if !self.link.keepalives.is_empty() && may(Tag::KEEPALIVE2_ACK) {
            return Some(Tag::KEEPALIVE2_ACK);
        }
        if self.link.keepalive_due && may(Tag::KEEPALIVE2) {
            return Some(Tag::KEEPALIVE2);
        }
        if entry.session.outgoing.next_size().is_some() && may(Tag::MESSAGE) {
            return Some(Tag::MESSAGE);
        }
        // no message goes that way that could say it
        (!self.lossy && entry.session.incoming.owes_ack() && may(Tag::ACK)).then_some(Tag::ACK)
    }

    fn next_segments(&mut self, shared: &mut Shared, tag: Tag) -> Result<Option<[Bytes; 4]>, Error> {
        let now = shared.now;
        let Some(entry) = self.link.entry_mut(shared) else { return Ok(None) };
        let session = &mut entry.session;
        let unwritable = |error| Error::Unwritable { tag: tag.into(), error };
        let payload = match tag {
            Tag::MESSAGE => {
                let Some(message) = session.outgoing.next(session.stateful) else { return Ok(None) };
                let ack_seq = session.incoming.ack();
                if let Some(id) = self.link.session {
                    shared.writable(id);
                }
                return message_segments(message, ack_seq).map(Some).map_err(unwritable);
            }
            Tag::ACK => Ack { seq: session.incoming.ack(), ..Default::default() }.to_bytes(),
            Tag::KEEPALIVE2 => {
                self.link.asks_keepalive(now);
                Keepalive2 { timestamp: utime(now), ..Default::default() }.to_bytes()
            }
            Tag::KEEPALIVE2_ACK => {
                let Some(timestamp) = self.link.keepalives.pop_front() else { return Ok(None) };
                Keepalive2Ack { timestamp, ..Default::default() }.to_bytes()
            }
            _ => Ok(Vec::new()),
        };
        Ok(Some([payload.map_err(unwritable)?.into(), EMPTY, EMPTY, EMPTY]))
    }
}

/// The segments of a MESSAGE frame.
fn message_segments(message: Message, ack_seq: u64) -> Result<[Bytes; 4], crate::wire::Error> {
    Ok([message.header(ack_seq).to_bytes()?.into(), message.front, message.middle, message.data])
}
