//! What the actions of the spec do.

use super::Connection;
use super::inbound::Whole;
use crate::Action;
use crate::auth::{time, utime};
use crate::frame::secure::ConnectionKey;
use crate::peer::shared::Shared;
use crate::peer::{Dropped, Error, Event, Why};
use crate::session::{Message, Taken};
use crate::types::{CompressionAlgorithm, ConnectionMode, MessageHeader};
use crate::v2_1::{Frame, Tag};
use crate::wire::{Role, Utime};

impl Connection {
    /// Does an action.
    pub(super) fn act_on(
        &mut self,
        shared: &mut Shared,
        action: Action,
        whole: Option<&Whole>,
        frame: Option<&Frame<'_>>,
    ) -> Result<(), Error> {
        match (action, frame) {
            // the server's take effect behind AUTH_DONE, which is part of the transcript
            (Action::TakeKeys, _) if self.link.role == Role::Client => self.take_keys()?,
            (Action::VerifySignature, Some(Frame::AuthSignature(signature)))
                if !self.transcripts.verifies(&signature.signature.0) =>
            {
                return Err(Error::BadSignature { number: 0 });
            }
            (Action::SetCompression, Some(Frame::CompressionDone(done))) => {
                self.set_compression(shared, done.is_compress.get(), done.algorithm)?;
            }
            (Action::CheckIdentity, frame) => self.check_identity(shared, frame)?,
            (Action::BeginSession, _) => match self.link.role {
                Role::Client => self.begin_at_client(shared),
                Role::Server => self.begin_at_server(shared)?,
            },
            (Action::ResumeSession, Some(Frame::SessionReconnect(wish))) => self.resume_at_server(shared, wish),
            (Action::ResumeSession, Some(Frame::SessionReconnectOk(ok))) => self.resume_at_client(shared, ok.msg_seq),
            (Action::ResetSession, Some(Frame::SessionReset(reset))) => self.reset_at_client(shared, reset.full.get()),
            (Action::RaiseConnectSeq, Some(Frame::SessionRetry(retry))) => {
                self.link.raise_connect_seq(shared, retry.connect_seq);
            }
            (Action::RaiseGlobalSeq, Some(Frame::SessionRetryGlobal(retry))) => {
                self.global_seq = shared.raise_global_seq(retry.global_seq);
            }
            // the endpoint sees to the pause
            (Action::ComeAgain, _) => self.link.over = Some(Why::Wait),
            (Action::Deliver, Some(Frame::Message(message))) => {
                if let Some(whole) = whole {
                    self.deliver(shared, whole, &message.header);
                }
            }
            (Action::Acknowledge, Some(Frame::Ack(ack))) => self.acknowledge(shared, ack.seq),
            (Action::AnswerKeepalive, Some(Frame::Keepalive2(keepalive))) => {
                self.link.owe_keepalive(keepalive.timestamp);
            }
            (Action::NoteKeepalive, Some(Frame::Keepalive2Ack(ack))) => self.note_keepalive(shared, ack.timestamp),
            _ => {}
        }
        Ok(())
    }

    /// Authentication is complete: both signatures are known, and what was agreed on begins.
    pub(super) fn take_keys(&mut self) -> Result<(), Error> {
        let keys = self.identity.as_ref().and_then(|identity| identity.keys.as_ref());
        self.transcripts.sign(keys.map(|keys| keys.session_key.secret().expose()));
        if self.mode == ConnectionMode::SECURE {
            let secret = keys.map(|keys| &keys.connection_secret).ok_or(Error::NoConnectionSecret)?;
            let key = ConnectionKey::new(secret, self.revision()).map_err(|_| Error::NoConnectionSecret)?;
            self.outbound.seal(key.sealer(self.link.role));
            self.inbound.unseal(key.opener(self.link.role.other()));
        }
        Ok(())
    }

    /// What was agreed on takes effect.
    pub(super) fn set_compression(
        &mut self,
        shared: &Shared,
        is_compress: bool,
        algorithm: CompressionAlgorithm,
    ) -> Result<(), Error> {
        if !is_compress || algorithm == CompressionAlgorithm::NONE {
            return Ok(());
        }
        let wish = shared.config.v2.compression.towards(self.peer_type, self.mode);
        if !wish.force || !wish.algorithms.contains(&algorithm) {
            let tag = Tag::COMPRESSION_DONE.into();
            return Err(Error::BadValue { tag, field: "algorithm", found: algorithm.0.into() });
        }
        self.compression = algorithm;
        self.outbound.compress(algorithm, wish.min_size);
        self.inbound.decompress(algorithm);
        Ok(())
    }

    fn deliver(&mut self, shared: &mut Shared, whole: &Whole, header: &MessageHeader) {
        if !self.lossy {
            self.acknowledge(shared, header.ack_seq);
        }
        let Some(session) = self.link.session else { return };
        let Some(entry) = shared.sessions.get_mut(&session) else { return };
        match entry.session.incoming.take_any(header.seq) {
            Taken::New => {}
            Taken::Known => {
                shared.drop_frame(self.link.id, Dropped::Known { seq: header.seq });
                return;
            }
            Taken::Gap { expected } => {
                let what = Dropped::Gap { expected, found: header.seq };
                shared.events.push_back(Event::Dropped { connection: self.link.id, what });
            }
        }
        if let Some(entry) = shared.sessions.get_mut(&session) {
            entry.attempts = 0;
        }
        let part = |index: usize| crate::peer::link::part(whole.part(index), whole.part(index));
        let message = Message::received(header, [part(1), part(2), part(3)]);
        shared.events.push_back(Event::Message { session, message });
    }

    fn acknowledge(&mut self, shared: &mut Shared, seq: u64) {
        if self.lossy {
            return;
        }
        let Some(id) = self.link.session else { return };
        let Some(entry) = shared.sessions.get_mut(&id) else { return };
        if entry.session.outgoing.forget(seq) > 0 {
            entry.attempts = 0;
            shared.writable(id);
        }
    }

    fn note_keepalive(&mut self, shared: &mut Shared, timestamp: Utime) {
        let sent = time(timestamp);
        let Some(session) = self.link.session else { return };
        // what this side never said isn't worth telling
        if self.link.asked.iter().any(|asked| utime(*asked) == timestamp) {
            self.link.asked.retain(|asked| utime(*asked) != timestamp);
            let round_trip = shared.now.saturating_sub(sent);
            let connection = self.link.id;
            shared.events.push_back(Event::Keepalive { session, connection, sent, round_trip });
        }
    }
}
