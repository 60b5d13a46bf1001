//! A monitor: it knows everybody's key, and gives tickets.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::{Expected, Refused};
use crate::auth::cephx::{self, Keys, asks, word};
use crate::auth::{Entity, EntityName, Key, Keyring, ServiceKeys, Time, duration, entity_name, utime};
use crate::crypto::{Random, Secret, equal};
use crate::types::{
    AuthCapsInfo, AuthTicket, CephxAuthenticate, CephxAuthenticateReply, CephxAuthenticateRequest,
    CephxConnectionSecret, CephxHeldTicket, CephxOp, CephxSealedConnectionSecret, CephxSealedTicket,
    CephxServiceTicket, CephxServiceTicketInfo, CephxServices, CephxTicket, CephxTicketBlob, CephxTicketForm,
    CephxTicketList, CephxTicketTicket, CryptoType, EntityType, Errno,
};
use crate::wire::{Blob, Bool, Sealed, Text, Utime, Writer};

/// The versions that are served. From the last one on a client shows its old ticket whenever it wants its old id.
const AUTHENTICATE_VERSIONS: RangeInclusive<u8> = 1..=3;

/// The version of what a ticket list has for each service.
const TICKET_VERSION: u8 = 1;

/// How long tickets last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Those of the AUTH service, which resume a session with the monitors.
    pub auth: Time,
    /// Those of all other services.
    pub service: Time,
}

impl Default for Lifetimes {
    /// 72 hours and one hour, as in Ceph.
    fn default() -> Self {
        Lifetimes { auth: Time::from_secs(72 * 3600), service: Time::from_secs(3600) }
    }
}

/// What a monitor has to authenticate others: their keys, and the keys of services.
#[derive(Debug)]
pub struct Authority {
    entities: Keyring,
    services: RwLock<Arc<ServiceKeys>>,
    lifetimes: Lifetimes,
    insecure_reclaim: bool,
    next_global_id: AtomicU64,
    /// What is computed with for names that nobody has, so that they take as long.
    nobody: Entity,
}

/// Without a key of the AUTH service there is nothing to seal an AUTH ticket with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no key of the service auth")]
pub struct NoAuthKey;

/// A client is who it says.
#[derive(Clone, Debug)]
pub struct Authenticated {
    /// Its id in the cluster: a new one, or the one that it has proved to have.
    pub global_id: u64,
    /// What it is to be told.
    pub reply: CephxAuthenticateReply<'static>,
    /// The key of the new AUTH session, and the connection secret.
    pub keys: Keys,
}

impl Authority {
    /// A monitor with these keys. Ids are given from `first_global_id` (at least 1) on, each once; after a restart it must
    /// be one that was never given.
    pub fn new(
        entities: Keyring,
        services: ServiceKeys,
        first_global_id: u64,
        random: &mut dyn Random,
    ) -> Result<Self, NoAuthKey> {
        services.current(EntityType::AUTH).ok_or(NoAuthKey)?;
        // of the kind that most names have, so that it takes the same time
        let krb5 = entities.iter().filter(|(_, entity)| entity.key.kind() == CryptoType::AES256KRB5).count();
        let kind = if krb5 * 2 > entities.len() { CryptoType::AES256KRB5 } else { CryptoType::AES };
        let nobody = Key::generate(kind, Utime::default(), random).map_err(|_| NoAuthKey)?;
        Ok(Authority {
            entities,
            services: RwLock::new(Arc::new(services)),
            lifetimes: Lifetimes::default(),
            insecure_reclaim: false,
            next_global_id: AtomicU64::new(first_global_id.max(1)),
            nobody: Entity::new(nobody),
        })
    }

    /// The same with other lifetimes of tickets.
    #[must_use]
    pub fn with_lifetimes(mut self, lifetimes: Lifetimes) -> Self {
        self.lifetimes = lifetimes;
        self
    }

    /// Whether clients from before the spring of 2021 (which send CephXAuthenticate of version 1 or 2) may have an old id
    /// again without showing its ticket, as `auth_allow_insecure_global_id_reclaim` says in Ceph. They may not if nothing
    /// is said.
    #[must_use]
    pub fn with_insecure_reclaim(mut self, allowed: bool) -> Self {
        self.insecure_reclaim = allowed;
        self
    }

    /// The entities that can be authenticated.
    pub fn entities(&self) -> &Keyring {
        &self.entities
    }

    /// The keys that tickets are sealed with.
    pub fn services(&self) -> Arc<ServiceKeys> {
        Arc::clone(&self.services.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts other service keys in place.
    pub fn set_services(&self, services: ServiceKeys) -> Result<(), NoAuthKey> {
        services.current(EntityType::AUTH).ok_or(NoAuthKey)?;
        *self.services.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(services);
        Ok(())
    }

    /// Makes new keys for the services whose keys come to their end; see [`ServiceKeys::refresh`]. Each new key is of the
    /// newest one's kind. Returns how many were made.
    pub fn refresh_services(&self, now: Time, random: &mut dyn Random) -> usize {
        let mut services = ServiceKeys::clone(&self.services());
        let newest: Vec<_> =
            services.services().filter_map(|of| Some((of, services.newest(of)?.kind(), self.lifetime(of)))).collect();
        let made = newest.into_iter().map(|(service, kind, lifetime)| {
            // a service and a kind that there is a key of can't be wrong
            services.refresh(service, kind, lifetime, now, random).unwrap_or_default()
        });
        let made = made.sum();
        if made > 0 {
            *self.services.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(services);
        }
        made
    }

    fn lifetime(&self, service: EntityType) -> Time {
        if service == EntityType::AUTH { self.lifetimes.auth } else { self.lifetimes.service }
    }

    /// An id that nobody has had.
    pub fn new_global_id(&self) -> u64 {
        self.next_global_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Judges the answer to a challenge (from [`challenge`](super::challenge)). `global_id` is what the client gave in front of it: 0, or an id
    /// that it must prove to have had by its AUTH ticket. The connection secret gets `secret_len` bytes (at most
    /// [`LONGEST_CONNECTION_SECRET`](crate::auth::cephx::LONGEST_CONNECTION_SECRET)).
    #[expect(clippy::too_many_arguments, reason = "all that the exchange depends on")]
    pub fn authenticate(
        &self,
        name: &EntityName,
        global_id: u64,
        request: &CephxAuthenticateRequest<'_>,
        server_challenge: u64,
        secret_len: usize,
        now: Time,
        random: &mut dyn Random,
    ) -> Result<Authenticated, Refused> {
        if request.op != CephxOp::GET_AUTH_SESSION_KEY {
            return Err(Refused::Op(request.op));
        }
        let asked = &request.authenticate;
        if !AUTHENTICATE_VERSIONS.contains(&asked.struct_v) {
            return Err(Refused::Version { what: "CephXAuthenticate", found: asked.struct_v });
        }
        let (entity, key) = self.prove(name, asked, server_challenge)?;
        let old_session_key = self.resume(name, global_id, asked, now)?;
        let global_id = if global_id == 0 { self.new_global_id() } else { global_id };

        let to = To { name, entity, global_id, now, random };
        self.grant(to, key, old_session_key, asked.other_keys, secret_len)
    }

    /// Finds the key that the proof was made with.
    fn prove(
        &self,
        name: &EntityName,
        asked: &CephxAuthenticate<'_>,
        server_challenge: u64,
    ) -> Result<(&Entity, &Key), Refused> {
        let known = self.entities.get(name);
        let entity = known.unwrap_or(&self.nobody);
        let proves = |key: &Key| {
            equal(&key.proof(server_challenge, asked.client_challenge).to_le_bytes(), &asked.key.to_le_bytes())
        };
        // with all keys, whichever fits, and for names that nobody has too
        let fits = entity.keys().fold(None, |fits, key| if proves(key) { fits.or(Some(key)) } else { fits });
        match (known, fits) {
            (None, _) => Err(Refused::UnknownName(name.clone())),
            (Some(_), None) => Err(Refused::WrongKey(name.clone())),
            (Some(entity), Some(key)) => Ok((entity, key)),
        }
    }

    /// Looks whether an id from before is the client's; returns the session key of its AUTH ticket.
    fn resume(
        &self,
        name: &EntityName,
        global_id: u64,
        asked: &CephxAuthenticate<'_>,
        now: Time,
    ) -> Result<Option<Key>, Refused> {
        let ticket = &asked.old_ticket;
        match (global_id, ticket.ticket.bytes.is_empty()) {
            (0, true) => return Ok(None),
            (0, false) => return Err(Refused::UnwantedTicket),
            (_, true) if self.insecure_reclaim && asked.struct_v < *AUTHENTICATE_VERSIONS.end() => return Ok(None),
            (_, true) => return Err(Refused::NoTicket(global_id)),
            (_, false) => {}
        }
        let (info, session_key) = self.services().open_ticket(EntityType::AUTH, ticket)?;
        let expected = Expected { service: EntityType::AUTH, name: Some(name), global_id: Some(global_id) };
        info.check(&expected, global_id, now)?;
        Ok(Some(session_key))
    }

    fn grant(
        &self,
        mut to: To<'_>,
        key: &Key,
        old_session_key: Option<Key>,
        wanted: Option<CephxServices>,
        secret_len: usize,
    ) -> Result<Authenticated, Refused> {
        let (auth, session_key) = self.ticket(&mut to, EntityType::AUTH, key, old_session_key.as_ref())?;
        let mut reply = CephxAuthenticateReply {
            op: CephxOp::GET_AUTH_SESSION_KEY,
            status: Errno::OK,
            tickets: CephxTicketList { tickets: vec![auth], ..Default::default() },
            ..Default::default()
        };
        let mut connection_secret = Secret::default();
        // version 1 of the request can't ask, and its sender knows of no more
        if let Some(wanted) = wanted {
            let tickets = self.tickets(&mut to, wanted, &session_key)?;
            connection_secret = cephx::connection_secret(secret_len, to.random);
            let secret = CephxConnectionSecret { secret: Text::from(connection_secret.expose()) };
            let sealed = Sealed::seal(&session_key, &secret, to.random)?;
            let list = (!tickets.is_empty()).then(|| CephxTicketList { tickets, ..Default::default() });
            reply.connection_secret = Some(Some(CephxSealedConnectionSecret { sealed }));
            reply.service_tickets = Some(list);
        }
        Ok(Authenticated { global_id: to.global_id, reply, keys: Keys { session_key, connection_secret } })
    }

    /// Tickets for the wanted services that there are keys of; AUTH is none of them.
    pub(super) fn tickets(
        &self,
        to: &mut To<'_>,
        wanted: CephxServices,
        session_key: &Key,
    ) -> Result<Vec<CephxTicket<'static>>, Refused> {
        let services = self.services();
        let services = services.services().filter(|of| *of != EntityType::AUTH && asks(wanted, *of));
        services.map(|service| Ok(self.ticket(to, service, session_key, None)?.0)).collect()
    }

    /// A ticket for its owner, with the session key that is in it. As in Ceph the session key is of the owner's kind.
    fn ticket(
        &self,
        to: &mut To<'_>,
        service: EntityType,
        key: &Key,
        reseal_with: Option<&Key>,
    ) -> Result<(CephxTicket<'static>, Key), Refused> {
        let services = self.services();
        let (secret_id, service_key) = services.current_at(service, to.now).ok_or(Refused::NotServed(service))?;
        let session_key = Key::generate(to.entity.key.kind(), utime(to.now), to.random)?;
        let validity = self.lifetime(service);
        let info = CephxServiceTicketInfo {
            ticket: AuthTicket {
                name: to.name.to_wire(),
                global_id: to.global_id,
                old_auid: Some(u64::MAX),
                created: utime(to.now),
                expires: utime(to.now.saturating_add(validity)),
                caps: to.caps(service)?,
                ..Default::default()
            },
            session_key: session_key.to_wire(),
            ..Default::default()
        };
        let ticket = Sealed::seal(service_key, &info, to.random)?;
        let ticket = CephxTicketBlob { secret_id, ticket, ..Default::default() };

        let (form, ticket) = match reseal_with {
            None => (CephxTicketForm::PLAIN, CephxTicketTicket::Plain(ticket)),
            Some(old) => {
                let held = CephxHeldTicket { ticket: Some(ticket) };
                let sealed = Sealed::seal(old, &held, to.random)?;
                (CephxTicketForm::SEALED, CephxTicketTicket::Sealed(CephxSealedTicket { sealed }))
            }
        };
        let service_ticket = CephxServiceTicket {
            session_key: session_key.to_wire(),
            validity: duration(validity),
            ..Default::default()
        };
        let service_ticket = Sealed::seal(key, &service_ticket, to.random)?;
        let ticket = CephxTicket {
            service: word(service),
            ticket_v: TICKET_VERSION,
            service_ticket,
            form,
            ticket: Some(ticket),
        };
        Ok((ticket, session_key))
    }
}

/// Whom tickets are for, and when they are made.
pub(super) struct To<'a> {
    pub(super) name: &'a EntityName,
    pub(super) entity: &'a Entity,
    pub(super) global_id: u64,
    pub(super) now: Time,
    pub(super) random: &'a mut dyn Random,
}

impl To<'_> {
    /// What the keyring allows at a service, as a ticket says it.
    fn caps(&self, service: EntityType) -> Result<AuthCapsInfo<'static>, Refused> {
        let caps = match self.entity.caps.get(entity_name::kind_name(service)) {
            Some(caps) => {
                let mut writer = Writer::new();
                writer.scalar(&Text::from(caps.as_str()));
                Blob::from(writer.into_vec())
            }
            None => Blob::default(),
        };
        Ok(AuthCapsInfo { allow_all: Bool::default(), caps, ..Default::default() })
    }
}
