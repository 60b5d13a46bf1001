//! Sessions: which one a connection begins, takes over or resumes.

use std::cmp::Ordering;

use super::{Connection, PeerIdent};
use crate::peer::shared::{Entry, Shared};
use crate::peer::{Error, Event, SessionId};
use crate::session::{
    Existing, IdentDecision, PeerKey, Policy, ReconnectDecision, Session, Stage, client_ident, compare_addrs,
    session_reconnect,
};
use crate::types::{AddrType, EntityAddr, EntityAddrvec};
use crate::v2_1::{ClientIdent, SessionReconnect};
use crate::wire::{Encode as _, Role};

/// What the server makes of the client's wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Ident(IdentDecision),
    Reconnect(ReconnectDecision),
}

/// What tells peers apart: all of their addresses, byte for byte.
pub(in crate::peer) fn key(addrs: &[EntityAddr<'static>]) -> Option<PeerKey> {
    let addrs = EntityAddrvec { addrs: addrs.to_vec() }.to_bytes().ok()?;
    Some(PeerKey { entity_type: 0, id: Vec::new(), gid: 0, addrs })
}

/// The address of v2, or whatever there is.
fn v2_addr<'r, 'a>(addrs: &'r [EntityAddr<'a>]) -> Option<&'r EntityAddr<'a>> {
    addrs.iter().find(|addr| addr.r#type == AddrType::MSGR2).or(addrs.first())
}

/// What is known of a session, for the rules.
fn existing(entry: &Entry) -> Existing {
    let session = &entry.session;
    // what another connection takes over is taken over at once: nobody ever sees it being replaced
    let stage = if entry.established {
        Stage::Ready
    } else if entry.connection.is_some() || entry.dialling || entry.redial_at.is_some() {
        Stage::Connecting
    } else {
        Stage::Standby
    };
    Existing {
        stage,
        lossy: !session.stateful,
        policy: entry.policy,
        client_cookie: session.client_cookie,
        server_cookie: session.server_cookie,
        peer_global_seq: session.global_seq,
        connect_seq: session.connect_seq,
    }
}

impl Connection {
    /// What this side does about such a peer.
    pub(super) fn policy(&self, shared: &Shared) -> Policy {
        shared.config.policies().of(self.peer_type)
    }

    /// The session with the peer that has these addresses, if it is one that is looked for.
    fn known(&mut self, shared: &Shared, addrs: &[EntityAddr<'static>]) -> Option<SessionId> {
        self.key = key(addrs).filter(|_| self.policy(shared).register);
        shared.table.get(self.key.as_ref()?).filter(|id| shared.sessions.contains_key(id))
    }

    /// How the peer's address compares with this side's.
    fn order(&self, shared: &Shared, addrs: &[EntityAddr<'_>]) -> Ordering {
        match (v2_addr(addrs), v2_addr(&shared.config.addrs)) {
            (Some(theirs), Some(own)) => compare_addrs(theirs, own),
            _ => Ordering::Equal,
        }
    }

    /// Whether a session belongs to somebody else, who only has the same addresses.
    fn is_anothers(&self, entry: &Entry) -> bool {
        match (&entry.name, &self.identity) {
            (Some(name), Some(identity)) => *name != identity.name,
            _ => false,
        }
    }

    /// Decides about a new session.
    pub(super) fn decide_ident(&mut self, shared: &Shared, ident: &ClientIdent<'_>) {
        let Some(PeerIdent { addrs, .. }) = &self.peer else { return };
        let addrs = addrs.clone();
        self.known = self.known(shared, &addrs);
        let entry = self.known.and_then(|id| shared.sessions.get(&id));
        let order = self.order(shared, &addrs);
        let mut decision = client_ident(entry.map(existing).as_ref(), ident.cookie, ident.global_seq, order);
        if let (IdentDecision::TakeOver { .. }, Some(entry)) = (decision, entry)
            && self.is_anothers(entry)
        {
            decision = IdentDecision::Replace;
        }
        self.stale_at = entry.map_or(0, |entry| entry.session.global_seq);
        self.decision = Some(Decision::Ident(decision));
    }

    /// Decides about an old session.
    pub(super) fn decide_reconnect(&mut self, shared: &Shared, wish: &SessionReconnect<'_>) {
        let addrs: Vec<_> = wish.addrs.addrs.iter().map(crate::peer::link::owned).collect();
        self.known = self.known(shared, &addrs);
        let entry = self.known.and_then(|id| shared.sessions.get(&id)).filter(|entry| !self.is_anothers(entry));
        let order = self.order(shared, &addrs);
        let (cookie, global_seq, connect_seq) = (wish.client_cookie, wish.global_seq, wish.connect_seq);
        let existing = entry.map(existing);
        let decision = session_reconnect(existing.as_ref(), cookie, global_seq, connect_seq, order);
        self.decision = Some(Decision::Reconnect(decision));
        // features and number stay as they were: the frame doesn't say them
        if let (ReconnectDecision::Resume, Some(entry)) = (decision, entry) {
            let (gid, features) = entry.peer.unwrap_or_default();
            self.peer = Some(PeerIdent { addrs, gid, global_seq, features, cookie });
        }
    }

    pub(super) fn begin_at_client(&mut self, shared: &mut Shared) {
        let (own, theirs) = (self.own_cookie, self.peer.as_ref().map_or(0, |peer| peer.cookie));
        let stateful = !self.lossy;
        let global_seq = self.peer.as_ref().map_or(0, |peer| peer.global_seq);
        let seen = self.seen();
        if let Some(entry) = self.link.entry_mut(shared) {
            let (client_cookie, server_cookie) = if stateful { (own, theirs) } else { (0, 0) };
            entry.session.begin(client_cookie, server_cookie, stateful);
            entry.session.global_seq = global_seq;
            entry.session.outgoing.requeue();
            entry.peer = seen;
        }
        self.establish(shared, false);
    }

    /// What is to be known of the peer when the session is resumed.
    fn seen(&self) -> Option<(i64, crate::types::CephFeatures)> {
        self.peer.as_ref().map(|peer| (peer.gid, peer.features))
    }

    pub(super) fn begin_at_server(&mut self, shared: &mut Shared) -> Result<(), Error> {
        let Some(peer) = &self.peer else { return Ok(()) };
        let (theirs, global_seq) = (peer.cookie, peer.global_seq);
        let policy = self.policy(shared);
        self.lossy = policy.lossy;
        let known = self.known;
        if let (Some(Decision::Ident(IdentDecision::TakeOver { reset })), Some(id)) = (self.decision, known) {
            self.cookie_for(shared);
            self.take_over(shared, id);
            let (own, lossy, seen) = (self.own_cookie, self.lossy, self.seen());
            if let Some(entry) = shared.sessions.get_mut(&id) {
                if reset {
                    let lost = entry.session.reset(true);
                    shared.events.push_back(Event::Reset { session: id, lost });
                }
                entry.session.begin(theirs, own, !lossy);
                entry.session.global_seq = global_seq;
                entry.session.outgoing.requeue();
                entry.peer = seen;
            }
            self.establish(shared, false);
            return Ok(());
        }
        let limit = shared.config.limits.sessions;
        if known.is_none() && shared.sessions.len() >= limit {
            return Err(Error::TooManySessions { limit });
        }
        self.cookie_for(shared);
        let mut session = Session::new(!policy.lossy, shared.config.limits.queue());
        session.outgoing.rank();
        let (client_cookie, server_cookie) = if policy.lossy { (0, 0) } else { (theirs, self.own_cookie) };
        session.begin(client_cookie, server_cookie, !policy.lossy);
        session.global_seq = global_seq;
        let mut entry = Entry::new(Role::Server, session);
        entry.policy = policy;
        entry.gid = self.identity.as_ref().map_or(0, |identity| identity.gid);
        entry.name = self.identity.as_ref().map(|identity| identity.name.clone());
        entry.peer = self.seen();
        entry.key.clone_from(&self.key);
        let id = shared.add_session(entry);
        if let Some(key) = self.key.clone() {
            shared.register(key, id);
        }
        self.link.session = Some(id);
        self.establish(shared, false);
        Ok(())
    }

    /// The numbers of a SERVER_IDENT.
    fn cookie_for(&mut self, shared: &mut Shared) {
        self.own_cookie = if self.lossy { 0 } else { shared.cookie() };
        shared.global_seq += 1;
        self.global_seq = shared.global_seq;
    }

    /// A session goes on here.
    fn take_over(&mut self, shared: &mut Shared, id: SessionId) {
        self.link.take_over(shared, id);
        if let Some(entry) = shared.sessions.get_mut(&id) {
            // whoever opens a socket for it comes too late
            entry.dialling = false;
            if let Some(identity) = &self.identity {
                entry.name.get_or_insert_with(|| identity.name.clone());
            }
        }
    }

    /// The server goes on with an old session.
    pub(super) fn resume_at_server(&mut self, shared: &mut Shared, wish: &SessionReconnect<'_>) {
        let Some(id) = self.known else { return };
        self.lossy = false;
        self.take_over(shared, id);
        if let Some(entry) = shared.sessions.get_mut(&id) {
            entry.session.connect_seq = wish.connect_seq;
            entry.session.global_seq = wish.global_seq;
            entry.session.outgoing.forget(wish.msg_seq);
            entry.session.outgoing.requeue();
        }
        self.establish(shared, true);
    }

    /// The client goes on with its session.
    pub(super) fn resume_at_client(&mut self, shared: &mut Shared, msg_seq: u64) {
        self.lossy = false;
        let Some(entry) = self.link.entry_mut(shared) else { return };
        if entry.session.outgoing.forget(msg_seq) > 0 {
            // the connection before has carried something, though no ack came back on it
            entry.attempts = 0;
        }
        entry.session.outgoing.requeue();
        let (gid, features) = entry.peer.unwrap_or_default();
        let (global_seq, cookie) = (entry.session.global_seq, entry.session.server_cookie);
        let addrs = entry.target.as_ref().map(|target| target.addrs()).unwrap_or_default();
        self.peer = Some(PeerIdent { addrs, gid, global_seq, features, cookie });
        self.establish(shared, true);
    }

    /// The server has no session to resume.
    pub(super) fn reset_at_client(&mut self, shared: &mut Shared, full: bool) {
        let Some(id) = self.link.session else { return };
        let Some(entry) = shared.sessions.get_mut(&id) else { return };
        if full {
            let lost = entry.session.reset(true);
            shared.events.push_back(Event::Reset { session: id, lost });
            shared.writable(id);
        } else {
            entry.session.reset_half();
        }
    }

    /// The peer's own connection is to win: this side's session is to be tried again soon, in case it doesn't.
    pub(super) fn kick(&self, shared: &mut Shared) {
        let now = shared.now;
        if let Some(id) = self.known
            && let Some(entry) = shared.sessions.get_mut(&id)
            && entry.redial_at.is_some()
        {
            entry.redial_at = Some(now);
            shared.kicked.push(id);
        }
    }

    /// Messages can flow.
    fn establish(&mut self, shared: &mut Shared, resumed: bool) {
        let peer = self.peer_info();
        self.link.establish(shared, peer, resumed);
    }
}
