//! The keys with which the sealed blobs of a unit may open.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::Knowledge;
use crate::auth::cephx::passive::Authenticated;
use crate::auth::{EntityName, Key};
use crate::types::{
    CephxAuthenticateReply, CephxAuthorizer, CephxHeldTicket, CephxTicketBlob, CephxTicketTicket, EntityType,
};
use crate::wire::Unseal;

/// The most keys that are tried at each seal.
const MOST_KEYS: usize = 8;

/// Candidate keys for the sealed blobs of a unit: which of them fits a seal shows when it opens. Cheap to clone; wiped
/// with the last clone.
#[derive(Clone, Default)]
pub struct SealKeys(Option<Arc<Candidates>>);

struct Candidates(Box<[Key]>);

impl SealKeys {
    /// These keys, without repetitions; what is beyond the first eight is left out.
    pub fn new(keys: impl IntoIterator<Item = Key>) -> Self {
        let mut candidates: Vec<Key> = Vec::new();
        for key in keys {
            if candidates.len() < MOST_KEYS && !candidates.contains(&key) {
                candidates.push(key);
            }
        }
        SealKeys((!candidates.is_empty()).then(|| Arc::new(Candidates(candidates.into()))))
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |candidates| candidates.0.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// For a trace.
    pub(super) fn unseal(&self) -> Option<Arc<dyn Unseal>> {
        self.0.clone().map(|candidates| candidates as Arc<dyn Unseal>)
    }
}

impl fmt::Debug for SealKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealKeys({})", self.len())
    }
}

impl fmt::Debug for Candidates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Candidates({})", self.0.len())
    }
}

impl Unseal for Candidates {
    fn unseal(&self, usage: u32, bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.0.iter().find_map(|key| key.open(usage, bytes).ok())
    }
}

impl Knowledge {
    /// For the request that answers a monitor's challenge: it shows the AUTH ticket from before.
    pub(super) fn keys_of_old_ticket(&self, ticket: &CephxTicketBlob<'_>) -> SealKeys {
        SealKeys::new(self.service_key(EntityType::AUTH, ticket.secret_id))
    }

    /// For a monitor's answer to a good proof, which [`Knowledge::authenticate`] has opened.
    pub(super) fn keys_of_reply(&self, opened: &Authenticated, reply: &CephxAuthenticateReply<'_>) -> SealKeys {
        let Authenticated { principal, old_session_key, keys } = opened;
        let own = [Some(principal), Some(&keys.session_key), old_session_key.as_ref()];
        let services = reply.service_tickets.iter().flatten();
        // the tickets themselves are for services; their owner can't open them
        let tickets = services.chain([&reply.tickets]).flat_map(|list| &list.tickets).filter_map(|ticket| {
            let secret_id = match ticket.ticket.as_ref()? {
                CephxTicketTicket::Plain(blob) => blob.secret_id,
                CephxTicketTicket::Sealed(resealed) => {
                    let held = |held: CephxHeldTicket<'_>| held.ticket.map(|blob| blob.secret_id);
                    resealed.sealed.take(old_session_key.as_ref()?, held).ok()??
                }
                CephxTicketTicket::Other(_) => return None,
            };
            let service = u8::try_from(ticket.service.0).ok().map(EntityType)?;
            self.service_key(service, secret_id)
        });
        SealKeys::new(own.into_iter().flatten().cloned().chain(tickets))
    }

    /// For all frames of a handshake in which a ticket is shown: the authorizers, the challenge, and the answer.
    pub(super) fn keys_of_authorizer(&self, authorizer: &CephxAuthorizer<'_>) -> SealKeys {
        match self.shown(authorizer) {
            Ok(shown) => SealKeys::new(std::iter::once(shown.session_key).chain(shown.service_key)),
            Err(_) => SealKeys::default(),
        }
    }

    /// For what a monitor sends an entity inside a session: its long-term keys, and the key of the AUTH session.
    pub(super) fn keys_of_entity(&self, name: &EntityName, session_key: Option<&Key>) -> SealKeys {
        SealKeys::new(self.entity_keys(name).into_iter().chain(session_key.cloned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::FixedRandom;
    use crate::types::CryptoType;
    use crate::wire::Utime;

    #[test]
    fn keys_are_few_and_not_shown() {
        let mut random = FixedRandom::new(b"seal keys");
        let mut keys: Vec<Key> =
            (0..10).map(|_| Key::generate(CryptoType::AES256KRB5, Utime::default(), &mut random).unwrap()).collect();
        keys.insert(1, keys[0].clone());
        let seals = SealKeys::new(keys.clone());
        assert_eq!((seals.len(), format!("{seals:?}").as_str()), (8, "SealKeys(8)"));
        assert!(SealKeys::new(None).is_empty() && SealKeys::default().unseal().is_none());

        let unseal = seals.unseal().unwrap();
        let sealed = keys[8].seal(3, b"in it", &mut random);
        assert_eq!(**unseal.unseal(3, &sealed).unwrap(), *b"in it");
        assert!(unseal.unseal(4, &sealed).is_none());
        let beyond = keys[9].seal(3, b"in it", &mut random);
        assert!(unseal.unseal(3, &beyond).is_none());
    }
}
