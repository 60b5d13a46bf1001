//! What a client asks a monitor for within a session: renewed tickets, and the rotating keys of its service.

use super::{Authenticate, Authorize, ClientError, Credentials, Ticket, accept, cannot};
use crate::auth::{EntityName, Key, ServiceKeys, Time, time};
use crate::crypto::Random;
use crate::types::{
    CephxOp, CephxServices, CephxSessionReply, CephxSessionReplyBody, CephxSessionRequest, CephxSessionRequestBody,
    CephxTicketList, CephxTicketRequest, CephxWanted, EntityType, Errno,
};

/// What is to be done for the tickets.
#[derive(Debug)]
pub enum Due {
    /// Nothing: all are there and fresh.
    Nothing,
    /// This is to be asked for.
    Ask(Box<Renewal>),
    /// The AUTH ticket has ended, or can't be renewed within this session: only a new connection helps.
    Reconnect,
}

/// Tickets that are asked for within a session.
#[derive(Clone, Debug)]
pub struct Renewal {
    request: CephxSessionRequest<'static>,
    with: With,
}

#[derive(Clone, Debug)]
enum With {
    /// A new AUTH ticket: by the long-term key.
    Proof(Authenticate),
    /// Tickets for these services: by the AUTH ticket.
    Ticket(Ticket, CephxServices),
}

impl Credentials {
    /// Looks which of the wanted tickets are missing or should be renewed, and how. As in Ceph the AUTH ticket comes
    /// first; what it brings is to be learnt, and then this to be asked again. `server_challenge` is that of the
    /// connection's handshake, without which no AUTH ticket can be had.
    pub fn renewal(
        &self,
        wanted: CephxServices,
        server_challenge: Option<u64>,
        now: Time,
        random: &mut dyn Random,
    ) -> Result<Due, ClientError> {
        let due = self.due(wanted | CephxServices::AUTH, now);
        if due == CephxServices(0) {
            return Ok(Due::Nothing);
        }
        let Some(auth) = self.ticket(EntityType::AUTH, now) else { return Ok(Due::Reconnect) };
        if due.contains(CephxServices::AUTH) {
            let Some(challenge) = server_challenge else { return Ok(Due::Reconnect) };
            let proof = Authenticate::new(self, due, now);
            let asked = proof.answer(challenge, random)?;
            let body = CephxSessionRequestBody::GetAuthSessionKey(asked.authenticate);
            let request = CephxSessionRequest { op: asked.op, body, ..Default::default() };
            return Ok(Due::Ask(Box::new(Renewal { request, with: With::Proof(proof) })));
        }
        let shown = Authorize::new(auth, random).request(None, random)?;
        let asked = CephxTicketRequest {
            authorizer_v: shown.version,
            global_id: shown.authorizer.global_id,
            service: shown.authorizer.service,
            ticket: shown.authorizer.ticket,
            proof: shown.authorizer.proof,
            wanted: CephxWanted { keys: due, ..Default::default() },
        };
        let body = CephxSessionRequestBody::GetPrincipalSessionKey(asked);
        let request = CephxSessionRequest { op: CephxOp::GET_PRINCIPAL_SESSION_KEY, body, ..Default::default() };
        Ok(Due::Ask(Box::new(Renewal { request, with: With::Ticket(auth.clone(), due) })))
    }

    /// Takes over renewed tickets of the same id.
    pub fn renewed(&mut self, tickets: Vec<Ticket>) {
        for ticket in tickets {
            self.insert(ticket);
        }
    }
}

impl Renewal {
    /// What to ask.
    pub fn request(&self) -> &CephxSessionRequest<'static> {
        &self.request
    }

    /// Takes the reply. `result` is what the message around it says; tickets last from `now` on.
    pub fn finish(&self, result: Errno, reply: &CephxSessionReply<'_>, now: Time) -> Result<Vec<Ticket>, ClientError> {
        match (body(result, self.request.op, reply)?, &self.with) {
            (CephxSessionReplyBody::GetAuthSessionKey(renewed), With::Proof(proof)) => {
                let services = renewed.service_tickets.as_ref().and_then(Option::as_ref);
                Ok(proof.tickets(&renewed.tickets, services, proof.global_id(), now)?.1)
            }
            (CephxSessionReplyBody::GetPrincipalSessionKey(list), With::Ticket(auth, wanted)) => {
                by_ticket(list, auth, *wanted, now)
            }
            _ => Err(ClientError::NoBody),
        }
    }
}

/// The tickets of a reply, whose session keys are sealed with that of the AUTH ticket.
fn by_ticket(
    list: &CephxTicketList<'_>,
    auth: &Ticket,
    wanted: CephxServices,
    now: Time,
) -> Result<Vec<Ticket>, ClientError> {
    let wanted = list.tickets.iter().filter_map(|ticket| {
        let service = super::service(ticket.service)?;
        (service != EntityType::AUTH && super::asks(wanted, service)).then_some((ticket, service))
    });
    wanted
        .map(|(ticket, service)| {
            accept(ticket, service, &auth.session_key, None, (auth.name.clone(), auth.global_id), now)
        })
        .collect()
}

/// What a daemon asks for at the beginning of a session, and before its keys end: the keys that tickets for its service
/// are sealed with.
pub fn rotating_keys_request() -> CephxSessionRequest<'static> {
    CephxSessionRequest { op: CephxOp::GET_ROTATING_KEY, ..Default::default() }
}

/// Takes the reply to [`rotating_keys_request`]. The keys are those of the service that `name` is of.
pub fn rotating_keys(
    name: &EntityName,
    key: &Key,
    result: Errno,
    reply: &CephxSessionReply<'_>,
) -> Result<ServiceKeys, ClientError> {
    let CephxSessionReplyBody::GetRotatingKey(secrets) = body(result, CephxOp::GET_ROTATING_KEY, reply)? else {
        return Err(ClientError::NoBody);
    };
    let keys = secrets.sealed.take(key, |secrets| {
        secrets.secrets.iter().map(|(id, key)| Ok((*id, Key::from_wire(&key.key)?, time(key.expiration)))).collect()
    });
    let keys: Result<Vec<(u64, Key, Time)>, ClientError> = keys.map_err(cannot("rotating keys"))?;
    let mut service_keys = ServiceKeys::new();
    // a service has three at most: the newest
    for (id, key, expires) in keys?.into_iter().rev().take(ServiceKeys::GENERATIONS) {
        service_keys.insert_until(name.kind, id, key, expires)?;
    }
    Ok(service_keys)
}

fn body<'r, 'a>(
    result: Errno,
    op: CephxOp,
    reply: &'r CephxSessionReply<'a>,
) -> Result<&'r CephxSessionReplyBody<'a>, ClientError> {
    for errno in [result, reply.status] {
        if errno != Errno::OK {
            return Err(ClientError::Status(errno));
        }
    }
    if reply.op != op {
        return Err(ClientError::Op(reply.op));
    }
    reply.body.as_ref().ok_or(ClientError::NoBody)
}
