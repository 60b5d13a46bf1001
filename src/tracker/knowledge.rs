//! What is known beyond a single connection: keys, tickets that other connections have shown, sessions.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::auth::cephx::Keys;
use crate::auth::cephx::passive::{Learnt, Shut};
use crate::auth::{EntityName, Keyring, ServiceKeys};
use crate::types::{CephxAuthenticateReply, CephxAuthorizer, CephxAuthorizerReply, CephxTicketBlob};

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

    /// More keys of entities. Of two keys of one entity the later counts.
    pub fn add_keyring(&self, keyring: &Keyring) {
        self.known().learnt.add_keyring(keyring);
    }

    /// Keys of services, which open tickets that nobody has shown being handed out.
    pub fn add_service_keys(&self, keys: &ServiceKeys) {
        self.known().learnt.add_service_keys(keys);
    }

    /// The keys of a connection whose client authenticated itself; its new tickets are remembered.
    pub(super) fn authenticate(
        &self,
        name: &EntityName,
        global_id: u64,
        old_ticket: Option<&CephxTicketBlob<'_>>,
        reply: &CephxAuthenticateReply<'_>,
    ) -> Result<Keys, Shut> {
        self.known().learnt.authenticate(name, global_id, old_ticket, reply).map(|opened| opened.keys)
    }

    /// The keys of a connection whose client showed a ticket.
    pub(super) fn authorize(
        &self,
        authorizer: &CephxAuthorizer<'_>,
        reply: &CephxAuthorizerReply<'_>,
    ) -> Result<Keys, Shut> {
        self.known().learnt.authorize(authorizer, reply)
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

#[cfg(test)]
mod tests {
    use super::*;

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
