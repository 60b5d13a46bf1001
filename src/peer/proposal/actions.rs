//! What the actions of the spec do.

use bytes::Bytes;

use super::inbound::Whole;
use super::{Connection, HEADER_LEN};
use crate::Action;
use crate::frame::proposal::{Opener, Signer, Verifier};
use crate::peer::link::part;
use crate::peer::shared::{Entry, Shared};
use crate::peer::{Dropped, Error, Event, Why};
use crate::proposal::{Frame, Msg};
use crate::session::{Message, Session, Taken};
use crate::wire::Role;

impl Connection {
    /// Does an action.
    pub(super) fn act_on(
        &mut self,
        shared: &mut Shared,
        action: Action,
        whole: Option<&Whole>,
        frame: Option<&Frame<'_>>,
    ) -> Result<(), Error> {
        let bytes = whole.map(|whole| whole.bytes.clone()).unwrap_or_default();
        match (action, frame) {
            // the server's keys come into force behind its AUTH_REPLY, which is part of the transcript
            (Action::TakeKeys, _) if self.link.role == Role::Client => self.take_keys(),
            (Action::Unseal, Some(Frame::EncryptBegin(begin))) => {
                if let Some(key) = &self.key {
                    self.inbound.unseal(Opener::new(key, self.link.role.other(), &begin.salt.0));
                }
            }
            (Action::CheckIdentity, Some(Frame::Ident(ident))) => {
                self.check_identity(shared, ident)?;
                self.keep_ident(ident, bytes.get(HEADER_LEN..).unwrap_or_default());
                self.lacks = self.lacking(shared, ident);
            }
            (Action::BeginSession, _) => match self.link.role {
                Role::Client => self.begin_at_client(shared),
                Role::Server => self.begin_at_server(shared)?,
            },
            (Action::ResumeSession, Some(Frame::ReconnectOk(ok))) => {
                if let Some(entry) = self.link.entry_mut(shared)
                    && entry.session.outgoing.resume(ok.msg_seq)? > 0
                {
                    // the connection before has carried something, though no ack came back on it
                    entry.attempts = 0;
                }
                self.establish(shared, true);
            }
            (Action::ResumeSession, Some(frame @ Frame::Reconnect(reconnect))) => {
                let found = self.found(shared, Some(frame)).map(|(id, _)| id);
                let Some(id) = found else { return Ok(()) };
                self.link.take_over(shared, id);
                if let Some(entry) = shared.sessions.get_mut(&id) {
                    entry.session.outgoing.resume(reconnect.msg_seq)?;
                    entry.session.connect_seq = reconnect.connect_seq;
                    entry.session.global_seq = reconnect.global_seq;
                }
                self.establish(shared, true);
            }
            (Action::ResetSession, Some(Frame::ReconnectReset(reset))) => {
                if let (Some(id), Some(entry)) = (self.link.session, self.link.entry_mut(shared)) {
                    let lost = entry.session.reset(reset.full.get());
                    if reset.full.get() {
                        shared.events.push_back(Event::Reset { session: id, lost });
                        shared.writable(id);
                    }
                }
            }
            (Action::RaiseConnectSeq, Some(Frame::ReconnectRetrySession(retry))) => {
                self.link.raise_connect_seq(shared, retry.connect_seq);
            }
            (Action::RaiseGlobalSeq, Some(Frame::ReconnectRetryGlobal(retry))) => {
                self.global_seq = shared.raise_global_seq(retry.global_seq);
            }
            // the endpoint sees to the pause
            (Action::ComeAgain, _) => self.link.over = Some(Why::Wait),
            (Action::Deliver, Some(Frame::Msg(msg))) => self.deliver(shared, &bytes, msg)?,
            (Action::Acknowledge, Some(Frame::Ack(ack))) => self.acknowledge(shared, ack.seq)?,
            (Action::AnswerKeepalive, Some(Frame::Keepalive2(keepalive))) => {
                self.link.owe_keepalive(keepalive.timestamp);
            }
            (Action::EndSession, _) => self.end_session(shared),
            // that a frame came is noted for each of them; drops are counted where they happen
            _ => {}
        }
        Ok(())
    }

    /// Derives the connection key: from here on both directions are signed.
    pub(super) fn take_keys(&mut self) {
        let Some(keys) = self.identity.as_mut().and_then(|identity| identity.keys.take()) else { return };
        let (session_key, secret) = (keys.session_key.secret().expose(), keys.connection_secret.expose());
        let key = self.transcripts.connection_key(session_key, secret);
        self.outbound.sign(Signer::new(&key, self.link.role));
        self.verifier = Some(Verifier::new(&key, self.link.role.other()));
        self.key = Some(key);
    }

    fn begin_at_client(&mut self, shared: &mut Shared) {
        let stateful = !self.is_lossy();
        let theirs = self.peer.as_ref().map_or(0, |peer| peer.cookie);
        let Some(id) = self.link.session else { return };
        let Some(entry) = shared.sessions.get_mut(&id) else { return };
        if entry.session.can_resume() {
            // the server no longer knows how: what it has of the old session can't be learnt
            let lost = entry.session.reset(true);
            shared.events.push_back(Event::Reset { session: id, lost });
        }
        if let Some(entry) = shared.sessions.get_mut(&id) {
            let (client_cookie, server_cookie) = if stateful { (self.own.cookie, theirs) } else { (0, 0) };
            entry.session.begin(client_cookie, server_cookie, stateful);
        }
        self.establish(shared, false);
    }

    fn begin_at_server(&mut self, shared: &mut Shared) -> Result<(), Error> {
        let (Some(key), Some(peer)) = (self.peer_key(), &self.peer) else { return Ok(()) };
        let (stateful, global_seq, client_cookie) = (!self.is_lossy(), peer.global_seq, peer.cookie);
        let old = shared.table.get(&key);
        match old.and_then(|old| shared.sessions.get(&old)) {
            Some(old) if old.session.global_seq > global_seq => {
                return Err(Error::LateStart { global_seq, session: old.session.global_seq });
            }
            None if shared.table.len() >= shared.config.limits.sessions => {
                return Err(Error::TooManySessions { limit: shared.config.limits.sessions });
            }
            _ => {}
        }
        shared.given.started(self.own.cookie);
        let mut session = Session::new(stateful, shared.config.limits.queue());
        let (client_cookie, server_cookie) = if stateful { (client_cookie, self.own.cookie) } else { (0, 0) };
        session.begin(client_cookie, server_cookie, stateful);
        session.global_seq = global_seq;
        let mut entry = Entry::new(Role::Server, session);
        (entry.key, entry.gid) = (Some(key.clone()), key.gid);
        let id = shared.add_session(entry);
        shared.register(key, id);
        self.link.session = Some(id);
        self.establish(shared, false);
        Ok(())
    }

    /// Messages can flow.
    fn establish(&mut self, shared: &mut Shared, resumed: bool) {
        let peer = self.peer_info();
        // the last connection has broken, and perhaps in the middle of a record: this one may do so no later
        let again = self.link.entry(shared).is_some_and(|entry| entry.known && entry.session.stateful);
        self.outbound.keep_apart(again);
        self.link.establish(shared, peer, resumed);
    }

    fn deliver(&mut self, shared: &mut Shared, bytes: &Bytes, msg: &Msg<'_>) -> Result<(), Error> {
        let lossy = self.is_lossy();
        let header = &msg.header;
        let Some(session) = self.link.session else { return Ok(()) };
        if !lossy {
            self.acknowledge(shared, header.ack_seq)?;
        }
        let Some(entry) = shared.sessions.get_mut(&session) else { return Ok(()) };
        match entry.session.incoming.take(header.seq) {
            Taken::New => {}
            Taken::Known => {
                shared.drop_frame(self.link.id, Dropped::Known { seq: header.seq });
                return Ok(());
            }
            Taken::Gap { expected } if !lossy || header.seq == 0 => {
                return Err(Error::SequenceGap { expected, found: header.seq });
            }
            Taken::Gap { expected } => {
                entry.session.incoming.skip_to(header.seq);
                let what = Dropped::Gap { expected, found: header.seq };
                shared.events.push_back(Event::Dropped { connection: self.link.id, what });
            }
        }
        if let Some(entry) = shared.sessions.get_mut(&session) {
            entry.attempts = 0;
        }
        let part = |field: &[u8]| part(bytes, field);
        let message = Message::received(header, [part(&msg.front), part(&msg.middle), part(&msg.data)]);
        shared.events.push_back(Event::Message { session, message });
        Ok(())
    }

    fn acknowledge(&mut self, shared: &mut Shared, seq: u64) -> Result<(), Error> {
        let now = shared.now;
        let Some(id) = self.link.session else { return Ok(()) };
        let Some(entry) = shared.sessions.get_mut(&id) else { return Ok(()) };
        if entry.session.outgoing.acked(seq)? > 0 {
            entry.attempts = 0;
            self.ack_since = entry.session.outgoing.awaits_ack().then_some(now);
            self.outbound.keep_apart(false);
            shared.writable(id);
        }
        Ok(())
    }

    /// The session is over. What is queued goes out before the answer to the peer's CLOSE.
    fn end_session(&mut self, shared: &mut Shared) {
        let closing = self.close_since.is_some();
        if let Some(entry) = self.link.entry_mut(shared) {
            entry.closing = true;
            if closing {
                // all that was sent has arrived before the CLOSE that is answered
                entry.session.outgoing.reset(true);
            }
        }
        self.farewell = !closing;
        if !closing {
            self.close_since = Some(shared.now);
            self.ack_since = None;
        }
    }
}
