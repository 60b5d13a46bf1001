//! Sending: what is ready, then messages, taken from the queue only when there is room for them.

use super::{Connection, Error, HEADER_LEN};
use crate::auth::utime;
use crate::frame::proposal::assemble;
use crate::peer::Why;
use crate::peer::engine::Engine as _;
use crate::peer::shared::Shared;
use crate::proposal::{Ack, Keepalive2, Keepalive2Ack, Msg, Tag};
use crate::session::Message;
use crate::wire::{Encode, Writer};

impl Connection {
    /// Appends what is to be sent, until `room` bytes are reached.
    pub(super) fn write(&mut self, shared: &mut Shared, out: &mut Vec<u8>, room: usize) -> Result<(), Error> {
        let start = out.len();
        self.outbound.flush(out);
        while out.len() - start + self.outbound.pending() < room
            && let Some(tag) = self.next_tag(shared)
        {
            let Some(frame) = self.next_frame_out(shared, tag)? else { break };
            self.outbound.add(&frame, true, self.limit_out(), out)?;
            if tag == Tag::CLOSE {
                self.close_sent(shared);
            }
        }
        self.outbound.finish(out)
    }

    /// The tag of the next frame that isn't ready yet.
    pub(super) fn next_tag(&self, shared: &Shared) -> Option<Tag> {
        if self.link.over.is_some() {
            return None;
        }
        let entry = self.link.entry(shared);
        if self.farewell {
            let waiting = entry.is_some_and(|entry| entry.session.outgoing.next_size().is_some());
            return Some(if waiting && self.link.established { Tag::MSG } else { Tag::CLOSE });
        }
        let entry = entry?;
        let row = self.row();
        let may = |tag: Tag| row.sends.contains(&tag.0);
        if !self.link.keepalives.is_empty() && may(Tag::KEEPALIVE2_ACK) {
            return Some(Tag::KEEPALIVE2_ACK);
        }
        if self.link.keepalive_due && may(Tag::KEEPALIVE2) {
            return Some(Tag::KEEPALIVE2);
        }
        let waiting = entry.session.outgoing.next_size().is_some();
        if waiting && may(Tag::MSG) {
            return Some(Tag::MSG);
        }
        if entry.session.stateful && entry.session.incoming.owes_ack() && may(Tag::ACK) {
            return Some(Tag::ACK);
        }
        let nothing_left = if may(Tag::MSG) { !waiting } else { entry.session.outgoing.is_empty() };
        (entry.closing && nothing_left && !row.acting(Tag::CLOSE.0).is_empty()).then_some(Tag::CLOSE)
    }

    fn next_frame_out(&mut self, shared: &mut Shared, tag: Tag) -> Result<Option<Vec<u8>>, Error> {
        if tag == Tag::CLOSE {
            return Ok(Some(assemble(tag, &[])));
        }
        let now = shared.now;
        let Some(entry) = self.link.session.and_then(|session| shared.sessions.get_mut(&session)) else {
            return Ok(None);
        };
        let session = &mut entry.session;
        let unwritable = |error| Error::Unwritable { tag: tag.into(), error };
        let payload = match tag {
            Tag::MSG => {
                let Some(message) = session.outgoing.next(session.stateful) else { return Ok(None) };
                let ack_seq = if session.stateful { session.incoming.ack() } else { 0 };
                if session.stateful && !self.farewell && self.ack_since.is_none() {
                    self.ack_since = Some(now);
                }
                let frame = message_frame(&message, ack_seq).map_err(unwritable)?;
                if let Some(id) = self.link.session {
                    shared.writable(id);
                }
                return Ok(Some(frame));
            }
            Tag::ACK => Ack { seq: session.incoming.ack() }.to_bytes(),
            Tag::KEEPALIVE2 => {
                self.link.keepalive_due = false;
                Keepalive2 { timestamp: utime(now) }.to_bytes()
            }
            Tag::KEEPALIVE2_ACK => {
                let Some(timestamp) = self.link.keepalives.pop_front() else { return Ok(None) };
                Keepalive2Ack { timestamp }.to_bytes()
            }
            _ => Ok(Vec::new()),
        };
        Ok(Some(assemble(tag, &payload.map_err(unwritable)?)))
    }

    /// CLOSE is on its way: the peer's is awaited, or was answered.
    fn close_sent(&mut self, shared: &mut Shared) {
        if self.farewell {
            self.farewell = false;
            let entry = self.link.session.and_then(|session| shared.sessions.get_mut(&session));
            if let Some(entry) = entry.filter(|_| self.link.established) {
                // whoever closes takes what comes before the answer
                entry.session.outgoing.reset(true);
            }
            self.link.over = Some(Why::Closed);
            return;
        }
        if let [chosen, ..] = self.row().acting(Tag::CLOSE.0) {
            self.link.state = chosen.to;
        }
        self.close_since = Some(shared.now);
        self.link.established = true;
    }
}

/// A MSG frame, from its length to its last byte.
fn message_frame(message: &Message, ack_seq: u64) -> Result<Vec<u8>, crate::wire::Error> {
    let frame = Msg {
        header: message.header(ack_seq),
        front: message.front.as_ref().into(),
        middle: message.middle.as_ref().into(),
        data: message.data.as_ref().into(),
    };
    let mut writer = Writer::new();
    // the header's place; its length is known once the payload is there
    writer.put(&[0; HEADER_LEN]);
    frame.encode(&mut writer)?;
    let mut bytes = writer.into_vec();
    let frame_len = (bytes.len() - HEADER_LEN + 1) as u32;
    bytes[..4].copy_from_slice(&frame_len.to_le_bytes());
    bytes[4] = Tag::MSG.0;
    Ok(bytes)
}
