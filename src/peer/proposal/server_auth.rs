//! The server's side of authentication.

use super::super::config::ServerAuth;
use super::super::shared::Shared;
use super::super::{Error, Refusal};
use super::Identity;
use crate::auth::EntityName;
use crate::auth::cephx::server::{Expected, Outcome, Pending, Round, challenge};
use crate::proposal::{
    AuthReply, AuthReplyPayload, AuthRequest, AuthRequestPayload, CephxDone, CephxDoneReply, CephxReplyMore,
    CephxReplyMoreChallenge, CephxServerChallenge,
};
use crate::types::{AuthMethod, AuthPurpose, AuthStatus, EntityType};

/// The connection secret of this dialect, in bytes.
const SECRET_LEN: usize = 64;

/// What a server knows of a client that isn't in yet.
#[derive(Debug, Default)]
pub(super) struct ServerExchange {
    /// The method that the client chose, if it is allowed.
    pub(super) method: Option<AuthMethod>,
    /// The method that the client chose last.
    pub(super) chosen: AuthMethod,
    /// How many it chose.
    pub(super) choices: usize,
    first: Option<First>,
    reply: Option<Reply>,
    /// Why the client wasn't let in, once it was told so.
    refusal: Option<Refusal>,
}

/// The first request of a method.
#[derive(Debug)]
struct First {
    purpose: AuthPurpose,
    name: EntityName,
    gid: u64,
    challenge: Challenge,
}

#[derive(Debug)]
enum Challenge {
    Authenticate(u64),
    Authorize(Pending),
}

/// What the server answers.
#[derive(Debug)]
enum Reply {
    More(CephxReplyMoreChallenge<'static>),
    Done(u64, Option<CephxDone<'static>>),
    Denied(Refusal),
}

/// The methods that a server offers: who requires encryption doesn't offer `none`.
pub(super) fn offered(server: &ServerAuth, encryption_required: bool) -> Vec<AuthMethod> {
    let left_out = |method: AuthMethod| encryption_required && method == AuthMethod::NONE;
    server.methods.iter().copied().filter(|&method| !left_out(method)).collect()
}

impl ServerExchange {
    /// The client chose a method.
    pub(super) fn choose(&mut self, method: AuthMethod, allowed: &[AuthMethod]) {
        self.chosen = method;
        self.choices += 1;
        self.method = allowed.contains(&method).then_some(method);
        self.first = None;
    }

    pub(super) fn is_refused(&self) -> bool {
        matches!(self.reply, Some(Reply::Denied(_)))
    }

    pub(super) fn needs_more(&self) -> bool {
        matches!(self.reply, Some(Reply::More(_)))
    }

    /// Why the client wasn't let in.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.refusal.clone()
    }

    /// The request can't be read.
    pub(super) fn unreadable(&mut self, error: crate::wire::Error) {
        self.reply = Some(Reply::Denied(Refusal::Unreadable(error)));
    }

    /// Takes a request. When the client is let in, says who it is, and has the keys.
    pub(super) fn request(
        &mut self,
        request: &AuthRequest<'_>,
        shared: &mut Shared,
    ) -> Result<Option<Identity>, Error> {
        let first = self.first.take();
        if let Some(first) = &first {
            let same = first.purpose == request.purpose
                && first.name.kind == request.entity_type
                && first.name.id.as_bytes() == &request.entity_id[..]
                && first.gid == request.global_id;
            if !same {
                return Err(Error::RequestChanged);
            }
        }
        match self.serve(request, first, shared) {
            Ok(identity) => Ok(identity),
            Err(refusal) => {
                self.reply = Some(Reply::Denied(refusal));
                Ok(None)
            }
        }
    }

    fn serve(
        &mut self,
        request: &AuthRequest<'_>,
        first: Option<First>,
        shared: &mut Shared,
    ) -> Result<Option<Identity>, Refusal> {
        let id = std::str::from_utf8(&request.entity_id).map_err(|_| Refusal::Name)?;
        let name = EntityName::new(request.entity_type, id);
        let method = self.method.ok_or(Refusal::Unexpected)?;
        let identity = |gid, keys| Identity { name: name.clone(), gid, method, purpose: request.purpose, keys };
        let begin =
            |challenge| Some(First { purpose: request.purpose, name: name.clone(), gid: request.global_id, challenge });
        let own = shared.config.entity.kind;
        let now = shared.now;
        let first = first.map(|first| first.challenge);
        if method == AuthMethod::NONE {
            if request.purpose != AuthPurpose::AUTHORIZE
                && !(request.purpose == AuthPurpose::AUTHENTICATE && own == EntityType::MON)
            {
                return Err(Refusal::Purpose(request.purpose));
            }
            if request.payload.is_some() {
                return Err(Refusal::Unexpected);
            }
            let gid = if request.global_id == 0 { shared.new_gid() } else { request.global_id };
            self.reply = Some(Reply::Done(gid, None));
            return Ok(Some(identity(gid, None)));
        }
        let Shared { config, random, .. } = shared;
        let server = &config.server;
        let unserved = Refusal::Purpose(request.purpose);
        match request.purpose {
            AuthPurpose::AUTHENTICATE => {
                let authority = server.authority.as_ref().ok_or(unserved)?;
                match (first, &request.payload) {
                    (None, None) => {
                        let server_challenge = challenge(random);
                        let structure = CephxServerChallenge { server_challenge, ..Default::default() };
                        self.reply = Some(Reply::More(CephxReplyMoreChallenge::Mon(structure)));
                        self.first = begin(Challenge::Authenticate(server_challenge));
                        Ok(None)
                    }
                    (Some(Challenge::Authenticate(challenge)), Some(AuthRequestPayload::Authenticate(answer))) => {
                        let gid = request.global_id;
                        let granted = authority
                            .authenticate(&name, gid, answer, challenge, SECRET_LEN, now, random)
                            .map_err(Refusal::Cephx)?;
                        let done = CephxDone { reply: CephxDoneReply::Mon(granted.reply) };
                        self.reply = Some(Reply::Done(granted.global_id, Some(done)));
                        Ok(Some(identity(granted.global_id, Some(granted.keys))))
                    }
                    _ => Err(Refusal::Unexpected),
                }
            }
            AuthPurpose::AUTHORIZE => {
                let keys = server.service_keys.as_ref().ok_or(unserved)?;
                let Some(AuthRequestPayload::Authorize(authorizer)) = &request.payload else {
                    return Err(Refusal::Unexpected);
                };
                let expected = Expected { service: own, name: Some(&name), global_id: Some(request.global_id) };
                let round = match &first {
                    None => Round::First { want_challenge: server.challenge },
                    Some(Challenge::Authorize(pending)) => Round::Answer(pending),
                    Some(_) => return Err(Refusal::Unexpected),
                };
                match keys.authorize(authorizer, &expected, round, SECRET_LEN, now, random) {
                    Ok(Outcome::Challenge(sealed, pending)) => {
                        self.reply = Some(Reply::More(CephxReplyMoreChallenge::Authorizer(sealed)));
                        self.first = begin(Challenge::Authorize(pending));
                        Ok(None)
                    }
                    Ok(Outcome::Granted(granted)) => {
                        let done = CephxDone { reply: CephxDoneReply::Authorizer(granted.reply) };
                        self.reply = Some(Reply::Done(granted.ticket.global_id, Some(done)));
                        Ok(Some(identity(granted.ticket.global_id, Some(granted.keys))))
                    }
                    Err(refused) => Err(Refusal::Cephx(refused)),
                }
            }
            _ => Err(unserved),
        }
    }

    /// The answer to the request.
    pub(super) fn reply(&mut self) -> AuthReply<'static> {
        match self.reply.take() {
            Some(Reply::More(challenge)) => AuthReply {
                status: AuthStatus::MORE,
                payload: Some(AuthReplyPayload::More(CephxReplyMore { challenge })),
                ..Default::default()
            },
            Some(Reply::Done(global_id, done)) => AuthReply {
                status: AuthStatus::DONE,
                global_id,
                payload: done.map(AuthReplyPayload::Done),
                ..Default::default()
            },
            Some(Reply::Denied(refusal)) => {
                let result = refusal.errno();
                self.refusal = Some(refusal);
                AuthReply { status: AuthStatus::DENIED, result, ..Default::default() }
            }
            None => AuthReply::default(),
        }
    }
}
