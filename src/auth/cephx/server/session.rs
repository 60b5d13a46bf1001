//! What a monitor answers within a session: renewed tickets, and the rotating keys of services.

use super::monitor::To;
use super::{Authority, Expected, Refused, Round};
use crate::auth::cephx::server;
use crate::auth::{EntityName, Key, Time, utime};
use crate::crypto::Random;
use crate::types::{
    CephxAuthenticate, CephxAuthenticateRequest, CephxAuthorizer, CephxAuthorizerWithVersion, CephxExpiringKey,
    CephxOp, CephxRenewed, CephxRotatingSecrets, CephxSealedRotatingSecrets, CephxServices, CephxSessionReply,
    CephxSessionReplyBody, CephxSessionRequest, CephxSessionRequestBody, CephxTicketList, CephxTicketRequest,
    EntityType, Errno,
};
use crate::wire::Sealed;

/// Whose session it is: what the handshake has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionOf {
    /// Who it is.
    pub name: EntityName,
    /// Its id in the cluster.
    pub global_id: u64,
    /// The challenge of the handshake, which another AUTH ticket needs; `None` if it isn't known any more.
    pub server_challenge: Option<u64>,
}

impl Authority {
    /// Answers a request within a session. What is refused has no answer but [`Refused::errno`] in the message around it;
    /// an answer can be a refusal too, by its `status`, which then stands in that message as well.
    pub fn in_session(
        &self,
        session: &SessionOf,
        request: &CephxSessionRequest<'_>,
        now: Time,
        random: &mut dyn Random,
    ) -> Result<CephxSessionReply<'static>, Refused> {
        let (status, body) = match (request.op, &request.body) {
            (CephxOp::GET_AUTH_SESSION_KEY, CephxSessionRequestBody::GetAuthSessionKey(asked)) => {
                (Errno::OK, self.renew(session, asked, now, random)?)
            }
            (CephxOp::GET_PRINCIPAL_SESSION_KEY, CephxSessionRequestBody::GetPrincipalSessionKey(asked)) => {
                self.by_ticket(session, asked, now, random)?
            }
            (CephxOp::GET_ROTATING_KEY, _) => (Errno::OK, self.rotating_keys(&session.name, random)?),
            (op, _) => return Err(Refused::Op(op)),
        };
        Ok(CephxSessionReply { op: request.op, status, body: Some(body), ..Default::default() })
    }

    /// A new AUTH ticket, and those for services. The connection keeps the secret that it has.
    fn renew(
        &self,
        session: &SessionOf,
        asked: &CephxAuthenticate<'_>,
        now: Time,
        random: &mut dyn Random,
    ) -> Result<CephxSessionReplyBody<'static>, Refused> {
        let challenge = session.server_challenge.ok_or(Refused::NoChallenge)?;
        let request = CephxAuthenticateRequest {
            op: CephxOp::GET_AUTH_SESSION_KEY,
            authenticate: asked.clone(),
            ..Default::default()
        };
        let reply = self.authenticate(&session.name, session.global_id, &request, challenge, 0, now, random)?.reply;
        Ok(CephxSessionReplyBody::GetAuthSessionKey(CephxRenewed {
            tickets: reply.tickets,
            connection_secret: Some(None),
            service_tickets: reply.service_tickets,
        }))
    }

    /// Tickets for services, for who shows an AUTH ticket. There is no challenge.
    fn by_ticket(
        &self,
        session: &SessionOf,
        asked: &CephxTicketRequest<'_>,
        now: Time,
        random: &mut dyn Random,
    ) -> Result<(Errno, CephxSessionReplyBody<'static>), Refused> {
        let shown = CephxAuthorizerWithVersion {
            version: asked.authorizer_v,
            authorizer: CephxAuthorizer {
                global_id: asked.global_id,
                service: asked.service,
                ticket: asked.ticket.clone(),
                proof: asked.proof.clone(),
                ..Default::default()
            },
        };
        let expected =
            Expected { service: EntityType::AUTH, name: Some(&session.name), global_id: Some(session.global_id) };
        let round = Round::First { want_challenge: false };
        let outcome = self.services().authorize(&shown, &expected, round, 0, now, random)?;
        let server::Outcome::Granted(granted) = outcome else { return Err(Refused::UnaskedAnswer) };
        let name = &session.name;
        let entity = self.entities().get(name).ok_or_else(|| Refused::UnknownName(name.clone()))?;
        let mut to = To { name, entity, global_id: session.global_id, now, random };
        let wanted = asked.wanted.keys;
        let tickets = self.tickets(&mut to, wanted, &granted.keys.session_key)?;
        // nothing of what was wanted: that is a refusal, and yet there is a list
        let refused = tickets.is_empty() && wanted & !CephxServices::AUTH != CephxServices(0);
        let status = if refused { Errno::EACCES } else { Errno::OK };
        let list = CephxTicketList { tickets, ..Default::default() };
        Ok((status, CephxSessionReplyBody::GetPrincipalSessionKey(list)))
    }

    /// The keys that tickets for a daemon's service are sealed with, sealed with the daemon's own key.
    fn rotating_keys(
        &self,
        name: &EntityName,
        random: &mut dyn Random,
    ) -> Result<CephxSessionReplyBody<'static>, Refused> {
        let entity = self.entities().get(name).ok_or_else(|| Refused::UnknownName(name.clone()))?;
        let services = self.services();
        let keys = services.of(name.kind);
        let keys: Vec<(u64, &Key, Option<Time>)> = keys.collect();
        // a client's service, or one that isn't served; that of the tickets themselves is for monitors only
        let Some((newest, ..)) = keys.last().filter(|_| name.kind != EntityType::AUTH) else {
            return Err(Refused::NoRotatingKeys(name.clone()));
        };
        let secrets = keys.iter().map(|(id, key, expires)| {
            // a key without an end: the last moment that can be written
            let expiration = utime(expires.unwrap_or(Time::MAX));
            (*id, CephxExpiringKey { key: key.to_wire(), expiration, ..Default::default() })
        });
        let secrets = CephxRotatingSecrets { secrets: secrets.collect(), max_ver: *newest, ..Default::default() };
        let sealed = Sealed::seal(&entity.key, &secrets, random)?;
        Ok(CephxSessionReplyBody::GetRotatingKey(CephxSealedRotatingSecrets { sealed }))
    }
}
