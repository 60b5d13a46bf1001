//! cephx as the one who connects.

mod session;

pub use session::{Due, Renewal, rotating_keys, rotating_keys_request};

use std::collections::BTreeMap;

use super::{Keys, asks, bit, blob, service, word};
use crate::auth::{AddError, EntityName, Key, KeyError, OpenError, SealError, Time, span};
use crate::crypto::{Random, Secret, equal};
use crate::types::{
    CephxAuthenticate, CephxAuthenticateReply, CephxAuthenticateRequest, CephxAuthorize, CephxAuthorizer,
    CephxAuthorizerReply, CephxAuthorizerWithVersion, CephxOp, CephxSealedChallenge, CephxServices, CephxTicket,
    CephxTicketBlob, CephxTicketList, CephxTicketTicket, EntityType, Errno,
};
use crate::wire::Sealed;

/// What goes wrong for a client. None of it is worth a second try on the same connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The server's challenge is 0, which none is.
    #[error("the server's challenge is 0")]
    NoChallenge,
    /// The reply answers something else.
    #[error("the reply is to {0:?}")]
    Op(CephxOp),
    /// The reply is a refusal.
    #[error("refused: {0}")]
    Status(Errno),
    /// There must be one AUTH ticket and nothing else in the first list.
    #[error("the reply has not just one AUTH ticket")]
    NotOneAuthTicket,
    /// A ticket isn't where it should be, or in a form that wasn't asked for.
    #[error("the ticket for {0} is missing or in an unexpected form")]
    TicketForm(EntityType),
    /// The id in the cluster is 0, or another than the one that was resumed.
    #[error("the server says global_id {found}, expected was {expected} (0: any)")]
    GlobalId {
        /// What the server says.
        found: u64,
        /// What it was before; 0 if there was none.
        expected: u64,
    },
    /// Something sealed doesn't open: the server hasn't the key that it should have.
    #[error("{what}: {error}")]
    Open {
        /// What.
        what: &'static str,
        /// Why.
        error: OpenError,
    },
    /// What opened holds a key that can't be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The server's answer to an authorizer doesn't prove that it could open it.
    #[error("the server's answer has a wrong nonce")]
    Nonce,
    /// The reply lacks what was asked for.
    #[error("the reply lacks what was asked for")]
    NoBody,
    /// A rotating key has a number that none has, or the name is of no service.
    #[error(transparent)]
    RotatingKey(#[from] AddError),
    /// Something can't be written.
    #[error(transparent)]
    Seal(#[from] SealError),
}

fn cannot(what: &'static str) -> impl FnOnce(OpenError) -> ClientError {
    move |error| ClientError::Open { what, error }
}

/// A ticket for a service, with the key that goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The service that it is for; [`EntityType::AUTH`] for the one that resumes a session with the monitors.
    pub service: EntityType,
    /// The number of the service key that seals it.
    pub secret_id: u64,
    /// What the service opens: nothing that its owner could read.
    pub blob: Vec<u8>,
    /// The key that the service finds in it.
    pub session_key: Key,
    /// Whom it names.
    pub name: EntityName,
    /// The id in the cluster that it names.
    pub global_id: u64,
    /// When it ends.
    pub valid_until: Time,
    /// From when on it should be renewed: a quarter of its life before the end.
    pub renew_after: Time,
}

impl Ticket {
    fn to_wire(&self) -> CephxTicketBlob<'static> {
        blob(self.secret_id, &self.blob)
    }
}

/// Who a client is, and what it has got so far.
#[derive(Clone, Debug)]
pub struct Credentials {
    name: EntityName,
    key: Key,
    global_id: u64,
    tickets: BTreeMap<EntityType, Ticket>,
}

impl Credentials {
    /// A name and its key, no tickets yet.
    pub fn new(name: EntityName, key: Key) -> Self {
        Credentials { name, key, global_id: 0, tickets: BTreeMap::new() }
    }

    /// The name.
    pub fn name(&self) -> &EntityName {
        &self.name
    }

    /// The long-term key.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The id in the cluster; 0 before the first authentication.
    pub fn global_id(&self) -> u64 {
        self.global_id
    }

    /// The ticket for a service, unless there is none or it has ended.
    pub fn ticket(&self, service: EntityType, now: Time) -> Option<&Ticket> {
        self.tickets.get(&service).filter(|ticket| now < ticket.valid_until)
    }

    /// Which of the wanted services have no ticket, or one that should be renewed.
    pub fn due(&self, wanted: CephxServices, now: Time) -> CephxServices {
        let fresh = self.tickets.values().filter(|ticket| now < ticket.renew_after);
        fresh.fold(wanted, |due, ticket| due & !bit(ticket.service))
    }

    /// Takes over what an authentication brought. With a new id all tickets of the old one go.
    pub fn learn(&mut self, authenticated: &Authenticated) {
        if self.global_id != authenticated.global_id {
            self.tickets.clear();
            self.global_id = authenticated.global_id;
        }
        for ticket in &authenticated.tickets {
            self.tickets.insert(ticket.service, ticket.clone());
        }
    }

    /// Takes over a ticket from elsewhere. With a new id all tickets of the old one go.
    pub fn insert(&mut self, ticket: Ticket) {
        if self.global_id != ticket.global_id {
            self.tickets.clear();
            self.global_id = ticket.global_id;
        }
        self.tickets.insert(ticket.service, ticket);
    }

    /// Drops a ticket that a server didn't take. Without its AUTH ticket a client begins anew, with global_id 0.
    pub fn forget(&mut self, service: EntityType) {
        self.tickets.remove(&service);
    }
}

/// Authentication to a monitor: the challenge comes, the proof goes, tickets come.
#[derive(Clone, Debug)]
pub struct Authenticate {
    name: EntityName,
    key: Key,
    services: CephxServices,
    old: Option<Ticket>,
}

/// What a monitor gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated {
    /// The client's id in the cluster.
    pub global_id: u64,
    /// The key of the new AUTH session, and the connection secret (empty if the monitor made none).
    pub keys: Keys,
    /// The AUTH ticket first, then those for services.
    pub tickets: Vec<Ticket>,
}

impl Authenticate {
    /// Begins. `services` are those whose tickets are wanted; AUTH is always among them. An AUTH ticket that hasn't ended
    /// is shown, to keep the id.
    pub fn new(credentials: &Credentials, services: CephxServices, now: Time) -> Self {
        Authenticate {
            name: credentials.name.clone(),
            key: credentials.key.clone(),
            services: services | CephxServices::AUTH,
            old: credentials.ticket(EntityType::AUTH, now).cloned(),
        }
    }

    /// The id that the request in front of the challenge must name: that of the AUTH ticket, or 0.
    pub fn global_id(&self) -> u64 {
        self.old.as_ref().map_or(0, |ticket| ticket.global_id)
    }

    /// Answers the server's challenge.
    pub fn answer(
        &self,
        server_challenge: u64,
        random: &mut dyn Random,
    ) -> Result<CephxAuthenticateRequest<'static>, ClientError> {
        if server_challenge == 0 {
            return Err(ClientError::NoChallenge);
        }
        let client_challenge = crate::crypto::number(random);
        let authenticate = CephxAuthenticate {
            client_challenge,
            key: self.key.proof(server_challenge, client_challenge),
            old_ticket: self.old.as_ref().map(Ticket::to_wire).unwrap_or_default(),
            other_keys: Some(self.services),
            ..Default::default()
        };
        Ok(CephxAuthenticateRequest { op: CephxOp::GET_AUTH_SESSION_KEY, authenticate, ..Default::default() })
    }

    /// Takes the reply. `global_id` is what the frame around it says; tickets last from `now` on.
    pub fn finish(
        &self,
        reply: &CephxAuthenticateReply<'_>,
        global_id: u64,
        now: Time,
    ) -> Result<Authenticated, ClientError> {
        if reply.op != CephxOp::GET_AUTH_SESSION_KEY {
            return Err(ClientError::Op(reply.op));
        }
        if reply.status != Errno::OK {
            return Err(ClientError::Status(reply.status));
        }
        let expected = self.global_id();
        if global_id == 0 || (expected != 0 && global_id != expected) {
            return Err(ClientError::GlobalId { found: global_id, expected });
        }
        let services = reply.service_tickets.as_ref().and_then(Option::as_ref);
        let (session_key, tickets) = self.tickets(&reply.tickets, services, global_id, now)?;
        let connection_secret = match reply.connection_secret.as_ref().and_then(Option::as_ref) {
            Some(c) => {
                c.sealed.take(&session_key, |c| Secret::from(&*c.secret)).map_err(cannot("connection secret"))?
            }
            None => Secret::default(),
        };
        Ok(Authenticated { global_id, keys: Keys { session_key, connection_secret }, tickets })
    }

    /// The key of the new AUTH session, and all tickets: the AUTH ticket first.
    fn tickets(
        &self,
        first: &CephxTicketList<'_>,
        services: Option<&CephxTicketList<'_>>,
        global_id: u64,
        now: Time,
    ) -> Result<(Key, Vec<Ticket>), ClientError> {
        let [ticket] = first.tickets.as_slice() else { return Err(ClientError::NotOneAuthTicket) };
        if service(ticket.service) != Some(EntityType::AUTH) {
            return Err(ClientError::NotOneAuthTicket);
        }
        let owner = || (self.name.clone(), global_id);
        let old_session_key = self.old.as_ref().map(|old| &old.session_key);
        let auth = accept(ticket, EntityType::AUTH, &self.key, old_session_key, owner(), now)?;
        let session_key = auth.session_key.clone();

        let mut tickets = vec![auth];
        for ticket in services.iter().flat_map(|list| &list.tickets) {
            match service(ticket.service) {
                // what wasn't asked for is left alone
                Some(service) if service != EntityType::AUTH && asks(self.services, service) => {
                    tickets.push(accept(ticket, service, &session_key, None, owner(), now)?);
                }
                _ => {}
            }
        }
        Ok((session_key, tickets))
    }
}

/// Opens a ticket's session key; with an old session key the ticket itself may be sealed with that.
fn accept(
    ticket: &CephxTicket<'_>,
    service: EntityType,
    key: &Key,
    old_session_key: Option<&Key>,
    (name, global_id): (EntityName, u64),
    now: Time,
) -> Result<Ticket, ClientError> {
    let (session_key, validity) = ticket
        .service_ticket
        .take(key, |t| (Key::from_wire(&t.session_key), span(t.validity)))
        .map_err(cannot("session key of a ticket"))?;
    let form = || ClientError::TicketForm(service);
    let (secret_id, blob) = match (&ticket.ticket, old_session_key) {
        (Some(CephxTicketTicket::Plain(blob)), _) => (blob.secret_id, blob.ticket.bytes.to_vec()),
        (Some(CephxTicketTicket::Sealed(sealed)), Some(key)) => sealed
            .sealed
            .take(key, |held| held.ticket.map(|blob| (blob.secret_id, blob.ticket.bytes.to_vec())))
            .map_err(cannot("resealed ticket"))?
            .ok_or_else(form)?,
        _ => return Err(form()),
    };
    let valid_until = now.saturating_add(validity);
    Ok(Ticket {
        service,
        secret_id,
        blob,
        session_key: session_key?,
        name,
        global_id,
        valid_until,
        renew_after: valid_until - validity.min(valid_until) / 4,
    })
}

/// Authorization by a service, with a ticket from before.
#[derive(Clone, Debug)]
pub struct Authorize {
    ticket: Ticket,
    nonce: u64,
}

impl Authorize {
    /// Begins, with a random nonce.
    pub fn new(ticket: &Ticket, random: &mut dyn Random) -> Self {
        Authorize { ticket: ticket.clone(), nonce: crate::crypto::number(random) }
    }

    /// The ticket that is shown.
    pub fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    /// The authorizer: without a challenge at first, then with the one that [`Authorize::challenge`] found.
    pub fn request(
        &self,
        challenge: Option<u64>,
        random: &mut dyn Random,
    ) -> Result<CephxAuthorizerWithVersion<'static>, ClientError> {
        let proof = CephxAuthorize {
            nonce: self.nonce,
            have_challenge: Some(challenge.is_some().into()),
            server_challenge_plus_one: Some(challenge.map_or(0, |challenge| challenge.wrapping_add(1))),
            ..Default::default()
        };
        let authorizer = CephxAuthorizer {
            global_id: self.ticket.global_id,
            service: word(self.ticket.service),
            ticket: self.ticket.to_wire(),
            proof: Sealed::seal(&self.ticket.session_key, &proof, random)?,
            ..Default::default()
        };
        Ok(CephxAuthorizerWithVersion { version: super::AUTHORIZER_VERSION, authorizer })
    }

    /// Opens the service's challenge.
    pub fn challenge(&self, challenge: &CephxSealedChallenge<'_>) -> Result<u64, ClientError> {
        challenge.sealed.take(&self.ticket.session_key, |c| c.server_challenge).map_err(cannot("challenge"))
    }

    /// Takes the reply, which proves that the service could open the ticket.
    pub fn finish(&self, reply: &CephxAuthorizerReply<'_>) -> Result<Keys, ClientError> {
        let session_key = &self.ticket.session_key;
        let (found, connection_secret) = reply
            .sealed
            .take(session_key, |r| {
                (r.nonce_plus_one, r.connection_secret.map(|secret| Secret::from(&*secret)).unwrap_or_default())
            })
            .map_err(cannot("answer to the authorizer"))?;
        if !equal(&found.to_le_bytes(), &self.nonce.wrapping_add(1).to_le_bytes()) {
            return Err(ClientError::Nonce);
        }
        Ok(Keys { session_key: session_key.clone(), connection_secret })
    }
}
