//! What is known beyond a single connection: keys, tickets that other connections have shown, sessions.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

use crate::auth::cephx::Keys;
use crate::auth::cephx::passive::{Authenticated, InSession, Learnt, Renewed, Shown, Shut};
use crate::auth::{EntityName, Key, Keyring, KeyringError, ServiceKeys};
use crate::types::{
    CephxAuthenticate, CephxAuthenticateReply, CephxAuthorizer, CephxAuthorizerReply, CephxSessionReply,
    CephxTicketBlob, EntityType,
};

/// The type of a pcapng file's decryption secrets block that holds keys as [`Knowledge::add_text`] takes them: `M2KR`.
pub const SECRETS_TYPE: u32 = 0x4d32_4b52;
/// How many sessions are remembered; then the oldest are forgotten.
const MOST_SESSIONS: usize = 65_536;

/// Shared by all connections of a capture: keys that were given, keys and tickets learnt on the way, and where
/// sessions began. What is learnt is bounded. Clones share the same knowledge.
#[derive(Clone, Default)]
pub struct Knowledge(Arc<Mutex<Known>>);

struct Known {
    learnt: Learnt,
    sessions: Sessions,
}

impl Default for Known {
    fn default() -> Self {
        Known { learnt: Learnt::new(Keyring::new()), sessions: Sessions::default() }
    }
}

/// The packets in which sessions began, by the cookies of client and server.
#[derive(Default)]
struct Sessions {
    begun: HashMap<(u64, u64), u32>,
    oldest: VecDeque<(u64, u64)>,
}

impl fmt::Debug for Knowledge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Knowledge")
    }
}

impl Knowledge {
    /// The keys of entities, and nothing else yet.
    pub fn with_keyring(keyring: Keyring) -> Self {
        let known = Known { learnt: Learnt::new(keyring), sessions: Sessions::default() };
        Knowledge(Arc::new(Mutex::new(known)))
    }

    /// More keys of entities. Of two keys of one entity the later counts; returns whose key was replaced by another.
    pub fn add_keyring(&self, keyring: &Keyring) -> Vec<EntityName> {
        self.known().learnt.add_keyring(keyring)
    }

    /// Keys of services, which open tickets that nobody has shown being handed out.
    pub fn add_service_keys(&self, keys: &ServiceKeys) {
        self.known().learnt.add_service_keys(keys);
    }

    /// Keys as text: those of a keyring, those of services as [`ServiceKeys`] reads them, or both in one. Returns the
    /// entities that have two different keys, within the text or with what was known before: the later one counts.
    ///
    /// # Errors
    ///
    /// What is wrong in which line; then nothing is added.
    pub fn add_text(&self, text: &[u8]) -> Result<BTreeSet<EntityName>, KeyringError> {
        let (entities, services) = sorted(text);
        let entities = Keyring::parse(&*entities)?;
        let services = ServiceKeys::parse(&*services)?;
        let mut conflicts: BTreeSet<EntityName> = entities.conflicts().cloned().collect();
        conflicts.extend(self.add_keyring(&entities));
        self.add_service_keys(&services);
        Ok(conflicts)
    }

    /// Whether a client's proof was made with the key that is known.
    pub(super) fn proof_matches(
        &self,
        name: &EntityName,
        server_challenge: u64,
        authenticate: &CephxAuthenticate<'_>,
    ) -> Result<(), Shut> {
        self.known().learnt.proof_matches(name, server_challenge, authenticate)
    }

    /// The keys of a connection whose client authenticated itself; its new tickets are remembered.
    pub(super) fn authenticate(
        &self,
        name: &EntityName,
        global_id: u64,
        old_ticket: Option<&CephxTicketBlob<'_>>,
        reply: &CephxAuthenticateReply<'_>,
    ) -> Result<Authenticated, Shut> {
        self.known().learnt.authenticate(name, global_id, old_ticket, reply)
    }

    /// The keys of a connection whose client showed a ticket.
    pub(super) fn authorize(
        &self,
        authorizer: &CephxAuthorizer<'_>,
        reply: &CephxAuthorizerReply<'_>,
    ) -> Result<Keys, Shut> {
        self.known().learnt.authorize(authorizer, reply)
    }

    /// The keys of what a monitor has answered within a session; tickets and rotating keys in it are remembered.
    pub(super) fn in_session(&self, session: &InSession<'_>, reply: &CephxSessionReply<'_>) -> Result<Renewed, Shut> {
        self.known().learnt.in_session(session, reply)
    }

    /// The keys of a ticket that a client shows.
    pub(super) fn shown(&self, authorizer: &CephxAuthorizer<'_>) -> Result<Shown, Shut> {
        self.known().learnt.shown(authorizer)
    }

    /// The key that seals tickets of a service.
    pub(super) fn service_key(&self, service: EntityType, id: u64) -> Option<Key> {
        self.known().learnt.service_key(service, id).cloned()
    }

    /// The long-term keys of an entity.
    pub(super) fn entity_keys(&self, name: &EntityName) -> Vec<Key> {
        let known = self.known();
        known.learnt.keyring().get(name).map(|entity| entity.keys().cloned().collect()).unwrap_or_default()
    }

    /// A session begins in this packet.
    pub(super) fn session_begins(&self, cookies: (u64, u64), packet: u32) {
        let sessions = &mut self.known().sessions;
        if sessions.begun.insert(cookies, packet).is_none() {
            sessions.oldest.push_back(cookies);
        }
        if sessions.oldest.len() > MOST_SESSIONS
            && let Some(oldest) = sessions.oldest.pop_front()
        {
            sessions.begun.remove(&oldest);
        }
    }

    /// The packet in which a session began.
    pub(super) fn session(&self, cookies: (u64, u64)) -> Option<u32> {
        self.known().sessions.begun.get(&cookies).copied()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // what is known is no worse for a panic elsewhere
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sections of entities and those of services. A line keeps its number.
fn sorted(text: &[u8]) -> (Zeroizing<Vec<u8>>, Zeroizing<Vec<u8>>) {
    // as large as they get, so that no copy is left behind
    let empty = || Zeroizing::new(Vec::with_capacity(text.len() + 1));
    let (mut entities, mut services) = (empty(), empty());
    let mut service = false;
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        let content = line.trim_ascii();
        if content.starts_with(b"[") {
            service = content.starts_with(b"[service.");
        }
        let (this, other) = if service { (&mut services, &mut entities) } else { (&mut entities, &mut services) };
        this.extend_from_slice(line);
        other.push(b'\n');
    }
    (entities, services)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_may_hold_both_kinds_of_keys() {
        let key = "AQAAAAAAAAAAABAAAAECAwQFBgcICQoLDA0ODw==";
        let knowledge = Knowledge::default();
        let text = format!("[client.admin]\nkey = {key}\n[service.osd]\nkey.2 = {key}\n[mon.]\nkey = {key}\n");
        knowledge.add_text(text.as_bytes()).unwrap();
        assert_eq!(knowledge.known().learnt.keyring().len(), 2);
        assert!(knowledge.known().learnt.service_key(crate::types::EntityType::OSD, 2).is_some());
        let wrong = format!("{text}\n[service.osd]\nkey.3 = AQ\n");
        assert_eq!(knowledge.add_text(wrong.as_bytes()).unwrap_err().line, 9);
        let wrong = format!("{text}\n[client.x]\nkey AQ\n");
        assert_eq!(knowledge.add_text(wrong.as_bytes()).unwrap_err().line, 9);
    }

    #[test]
    fn sessions_are_bounded() {
        let knowledge = Knowledge::default();
        for n in 0..MOST_SESSIONS as u64 + 10 {
            knowledge.session_begins((n, n + 1), n as u32);
        }
        assert_eq!(knowledge.known().sessions.begun.len(), MOST_SESSIONS);
        assert_eq!(knowledge.session((9, 10)), None);
        assert_eq!(knowledge.session((10, 11)), Some(10));
    }
}
