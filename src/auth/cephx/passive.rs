//! cephx as somebody who listens: what a recorded handshake and the right long-term keys give away.
//!
//! Tickets are known by their bytes, which clients show as they got them. A ticket that wasn't seen opens with the
//! service key that seals it, if that is known.

mod session;

pub use session::{InSession, Renewed};

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::Hash;

use super::server::ticket_info;
use super::{Keys, service};
use crate::auth::{EntityName, Key, Keyring, OpenError, ServiceKeys};
use crate::crypto::{Secret, equal, sha256};
use crate::types::{
    CephxAuthenticate, CephxAuthenticateReply, CephxAuthorizer, CephxAuthorizerReply, CephxTicket, CephxTicketBlob,
    CephxTicketList, CephxTicketTicket, EntityType,
};

/// Why a connection stays shut.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Shut {
    /// The keyring has no key of the one who connects.
    #[error("no key for {0}")]
    NoKey(EntityName),
    /// It has one, but another one was used.
    #[error("the key of {0} is another than the keyring's")]
    KeyDiffers(EntityName),
    /// A ticket was shown that wasn't seen when it was given, and the service key that seals it isn't known either.
    #[error("the ticket of {} for {service} was not seen, and there is no service key #{secret_id}", Or(name))]
    NoTicket {
        /// Whose ticket it is, if that is known.
        name: Option<EntityName>,
        /// The service that it is for.
        service: EntityType,
        /// The number of the service key.
        secret_id: u64,
    },
    /// The service key is known, but the ticket doesn't open with it: another cluster's, perhaps.
    #[error("key #{secret_id} of service {service} is another")]
    ServiceKeyDiffers {
        /// The service.
        service: EntityType,
        /// The number of the service key.
        secret_id: u64,
    },
    /// The key is there, but something doesn't open or can't be read.
    #[error("{what}: {error}")]
    NotOpened {
        /// What.
        what: &'static str,
        /// Why.
        error: OpenError,
    },
    /// The reply isn't one to a good proof, or lacks its ticket.
    #[error("the reply has no AUTH ticket")]
    NoAuthTicket,
    /// Tickets were renewed by an AUTH ticket that wasn't seen when it was given.
    #[error("the AUTH ticket of {0} was not seen")]
    NoAuthSession(EntityName),
    /// The handshake wasn't recorded, or not all of it.
    #[error("the handshake was not captured")]
    NotCaptured,
}

/// A name, or that there is none.
struct Or<'n>(&'n Option<EntityName>);

impl fmt::Display for Or<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => name.fmt(f),
            None => f.write_str("somebody"),
        }
    }
}

/// How much is kept; what is oldest goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Tickets, a few hundred bytes each.
    pub tickets: usize,
    /// Service keys.
    pub service_keys: usize,
    /// Names of global ids.
    pub names: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { tickets: 65_536, service_keys: 1024, names: 65_536 }
    }
}

/// A map that forgets what is oldest.
#[derive(Clone, Debug)]
struct Bounded<K, V> {
    map: HashMap<K, V>,
    order: VecDeque<K>,
    limit: usize,
}

impl<K: Eq + Hash + Clone, V> Bounded<K, V> {
    fn new(limit: usize) -> Self {
        Bounded { map: HashMap::new(), order: VecDeque::new(), limit }
    }

    /// Whether the key is new.
    fn insert(&mut self, key: K, value: V) -> bool {
        if self.limit == 0 {
            return false;
        }
        if self.map.insert(key.clone(), value).is_some() {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.map.remove(&oldest);
        }
        true
    }
}

/// What listening has brought so far, for all connections of a recording.
#[derive(Clone, Debug)]
pub struct Learnt {
    keyring: Keyring,
    tickets: Bounded<[u8; 32], Key>,
    service_keys: Bounded<(EntityType, u64), Key>,
    names: Bounded<u64, EntityName>,
    generation: u64,
}

/// The keys of an exchange with a monitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated {
    /// The client's long-term key, which opens the first ticket's session key.
    pub principal: Key,
    /// The key of the AUTH session from before, which opens a resealed ticket; if an old ticket was shown that is known.
    pub old_session_key: Option<Key>,
    /// The key of the new AUTH session, and the connection secret.
    pub keys: Keys,
}

/// The keys of a ticket that was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The service key that opens the ticket itself, if it is known.
    pub service_key: Option<Key>,
    /// The key that is in the ticket.
    pub session_key: Key,
    /// Whose ticket it is, if that is known.
    pub name: Option<EntityName>,
}

impl Learnt {
    /// Somebody who has these keys and has heard nothing yet.
    pub fn new(keyring: Keyring) -> Self {
        Learnt::with_limits(keyring, Limits::default())
    }

    /// The same with other limits.
    pub fn with_limits(keyring: Keyring, limits: Limits) -> Self {
        Learnt {
            keyring,
            tickets: Bounded::new(limits.tickets),
            service_keys: Bounded::new(limits.service_keys),
            names: Bounded::new(limits.names),
            generation: 0,
        }
    }

    /// The keys of entities.
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// More keys of entities. Of two keys of one entity the later counts.
    pub fn add_keyring(&mut self, keyring: &Keyring) -> Vec<EntityName> {
        let mut replaced = Vec::new();
        for (name, entity) in keyring.iter() {
            let before = self.keyring.insert(name.clone(), entity.clone());
            if before.is_some_and(|before| before.key != entity.key) {
                replaced.push(name.clone());
            }
        }
        self.generation += 1;
        replaced
    }

    /// Grows whenever a ticket or a service key is learnt: what was shut before may open now.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Takes over service keys from elsewhere.
    pub fn add_service_keys(&mut self, keys: &ServiceKeys) {
        for (service, id, key) in keys.iter() {
            self.add_service_key(service, id, key.clone());
        }
    }

    /// Takes over a service key.
    pub fn add_service_key(&mut self, service: EntityType, id: u64, key: Key) {
        if self.service_keys.map.get(&(service, id)) != Some(&key) {
            self.service_keys.insert((service, id), key);
            self.generation += 1;
        }
    }

    /// The key that seals tickets of a service. 2⁶⁴-1 means the service's own key, which only monitors have.
    pub fn service_key(&self, service: EntityType, id: u64) -> Option<&Key> {
        if id == u64::MAX {
            return self.keyring.get(&EntityName::new(service, "")).map(|entity| &entity.key);
        }
        self.service_keys.map.get(&(service, id))
    }

    /// Who has an id in the cluster, as far as was heard.
    pub fn name(&self, global_id: u64) -> Option<&EntityName> {
        self.names.map.get(&global_id)
    }

    /// The session key of a ticket that was seen when it was given, or that could be opened.
    pub fn session_key(&self, ticket: &CephxTicketBlob<'_>) -> Option<&Key> {
        self.tickets.map.get(&sha256(&[&ticket.ticket.bytes]))
    }

    /// Whether the proof that a client gave a monitor was made with the keyring's key.
    pub fn proof_matches(
        &self,
        name: &EntityName,
        server_challenge: u64,
        authenticate: &CephxAuthenticate<'_>,
    ) -> Result<(), Shut> {
        let entity = self.keyring.get(name).ok_or_else(|| Shut::NoKey(name.clone()))?;
        let proof = |key: &Key| key.proof(server_challenge, authenticate.client_challenge).to_le_bytes();
        let matches = entity.keys().any(|key| equal(&proof(key), &authenticate.key.to_le_bytes()));
        if matches { Ok(()) } else { Err(Shut::KeyDiffers(name.clone())) }
    }

    /// A monitor has authenticated somebody: learns the tickets, and returns the keys. `global_id` is that of the frame
    /// around the reply, `old_ticket` that of the request; both may be unknown, 0 and `None`.
    pub fn authenticate(
        &mut self,
        name: &EntityName,
        global_id: u64,
        old_ticket: Option<&CephxTicketBlob<'_>>,
        reply: &CephxAuthenticateReply<'_>,
    ) -> Result<Authenticated, Shut> {
        if global_id != 0 {
            self.names.insert(global_id, name.clone());
        }
        let old_session_key = old_ticket.and_then(|ticket| self.session_key(ticket)).cloned();
        let services = reply.service_tickets.as_ref().and_then(Option::as_ref);
        let (principal, session_key) = self.learn_tickets(name, &reply.tickets, services, old_session_key.as_ref())?;
        let connection_secret = match reply.connection_secret.as_ref().and_then(Option::as_ref) {
            Some(c) => c
                .sealed
                .take(&session_key, |c| Secret::from(&*c.secret))
                .map_err(|error| Shut::NotOpened { what: "the connection secret", error })?,
            None => Secret::default(),
        };
        Ok(Authenticated { principal, old_session_key, keys: Keys { session_key, connection_secret } })
    }

    /// Learns an AUTH ticket, and with its key those for services. Returns the owner's long-term key and the new AUTH
    /// session's.
    fn learn_tickets(
        &mut self,
        name: &EntityName,
        first: &CephxTicketList<'_>,
        services: Option<&CephxTicketList<'_>>,
        old_session_key: Option<&Key>,
    ) -> Result<(Key, Key), Shut> {
        let entity = self.keyring.get(name).ok_or_else(|| Shut::NoKey(name.clone()))?;
        let first = first.tickets.first().ok_or(Shut::NoAuthTicket)?;
        let opened = entity.keys().find_map(|key| Some((key.clone(), session_key(first, key)?)));
        let (principal, session_key) = opened.ok_or_else(|| Shut::KeyDiffers(name.clone()))?;
        self.learn_ticket(first, old_session_key, &session_key);
        if let Some(services) = services {
            self.learn_service_tickets(services, &session_key);
        }
        Ok((principal, session_key))
    }

    /// Learns tickets whose session keys are sealed with that of an AUTH session.
    fn learn_service_tickets(&mut self, list: &CephxTicketList<'_>, auth_session_key: &Key) {
        for ticket in &list.tickets {
            if let Some(key) = session_key(ticket, auth_session_key) {
                self.learn_ticket(ticket, None, &key);
            }
        }
    }

    /// Learns a ticket under the bytes that its owner will show.
    fn learn_ticket(&mut self, ticket: &CephxTicket<'_>, reseal_key: Option<&Key>, session_key: &Key) {
        let hash = match (&ticket.ticket, reseal_key) {
            (Some(CephxTicketTicket::Plain(blob)), _) => Some(sha256(&[&blob.ticket.bytes])),
            (Some(CephxTicketTicket::Sealed(sealed)), Some(key)) => {
                sealed.sealed.take(key, |held| held.ticket.map(|blob| sha256(&[&blob.ticket.bytes]))).ok().flatten()
            }
            _ => None,
        };
        if let Some(hash) = hash {
            self.generation += u64::from(self.tickets.insert(hash, session_key.clone()));
        }
    }

    /// Somebody shows a ticket to a service: returns the keys of that ticket, with which challenge, proof and reply open.
    pub fn shown(&mut self, authorizer: &CephxAuthorizer<'_>) -> Result<Shown, Shut> {
        let secret_id = authorizer.ticket.secret_id;
        let name = self.name(authorizer.global_id).cloned();
        let service = service(authorizer.service).unwrap_or_default();
        let service_key = self.service_key(service, secret_id).cloned();
        if let Some(session_key) = self.session_key(&authorizer.ticket) {
            return Ok(Shown { service_key, session_key: session_key.clone(), name });
        }
        let Some(service_key) = service_key else { return Err(Shut::NoTicket { name, service, secret_id }) };
        let (ticket, session_key) =
            ticket_info(&authorizer.ticket, &service_key).ok_or(Shut::ServiceKeyDiffers { service, secret_id })?;
        if ticket.global_id != 0 {
            self.names.insert(ticket.global_id, ticket.name.clone());
        }
        let hash = sha256(&[&authorizer.ticket.ticket.bytes]);
        self.generation += u64::from(self.tickets.insert(hash, session_key.clone()));
        Ok(Shown { service_key: Some(service_key), session_key, name: Some(ticket.name) })
    }

    /// A service has let somebody in: returns the keys.
    pub fn authorize(
        &mut self,
        authorizer: &CephxAuthorizer<'_>,
        reply: &CephxAuthorizerReply<'_>,
    ) -> Result<Keys, Shut> {
        let session_key = self.shown(authorizer)?.session_key;
        let connection_secret = reply
            .sealed
            .take(&session_key, |reply| {
                reply.connection_secret.map(|secret| Secret::from(&*secret)).unwrap_or_default()
            })
            .map_err(|error| Shut::NotOpened { what: "the answer to the authorizer", error })?;
        Ok(Keys { session_key, connection_secret })
    }
}

/// The session key of a ticket, if it opens with this key.
fn session_key(ticket: &CephxTicket<'_>, key: &Key) -> Option<Key> {
    ticket.service_ticket.take(key, |ticket| Key::from_wire(&ticket.session_key).ok()).ok().flatten()
}
