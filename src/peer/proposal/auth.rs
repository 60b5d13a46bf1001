//! The frames of authentication.

use super::{Connection, Exchange};
use crate::auth::EntityName;
use crate::peer::auth::{Answer, Challenge, Challenged, Done, DoneWith, Question, Request, Requested, Said};
use crate::peer::config::ServerAuth;
use crate::peer::engine::Engine as _;
use crate::peer::shared::Shared;
use crate::peer::{Error, Refusal};
use crate::proposal::{
    AuthReply, AuthReplyPayload, AuthRequest, AuthRequestPayload, CephxDone, CephxDoneReply, CephxReplyMore,
    CephxReplyMoreChallenge, Tag,
};
use crate::types::{AuthMethod, AuthStatus, Errno};
use crate::wire::Text;

/// The connection secret of this dialect, in bytes.
const SECRET_LEN: usize = 64;

/// The methods that a server offers: who requires encryption doesn't offer `none`.
pub(super) fn offered(server: &ServerAuth, encryption_required: bool) -> Vec<AuthMethod> {
    let left_out = |method: AuthMethod| encryption_required && method == AuthMethod::NONE;
    server.methods.iter().copied().filter(|&method| !left_out(method)).collect()
}

impl Connection {
    /// The client's next request.
    pub(super) fn auth_request(&mut self, shared: &mut Shared) -> Result<AuthRequest<'static>, Error> {
        let tag = Tag::AUTH_REQUEST;
        let Exchange::Client(exchange) = &mut self.exchange else {
            return Err(Error::NotAllowed { state: self.row().name, tag: tag.into() });
        };
        let (asker, request) = exchange.request(&mut shared.random, tag.into())?;
        Ok(AuthRequest {
            purpose: asker.purpose,
            entity_type: asker.name.kind,
            entity_id: Text::from(asker.name.id.into_bytes()),
            global_id: asker.gid,
            payload: match request {
                Request::Nothing => None,
                Request::Authenticate(request) => Some(AuthRequestPayload::Authenticate(request)),
                Request::Authorize(request) => Some(AuthRequestPayload::Authorize(request)),
            },
        })
    }

    /// A client asks.
    pub(super) fn asked(&mut self, shared: &mut Shared, request: &AuthRequest<'_>) -> Result<(), Error> {
        let Exchange::Server(exchange) = &mut self.exchange else { return Ok(()) };
        if let Some(first) = exchange.first() {
            let name = first.name.as_ref();
            let same = first.purpose == request.purpose
                && name.is_some_and(|name| name.kind == request.entity_type)
                && name.is_some_and(|name| name.id.as_bytes() == &request.entity_id[..])
                && first.gid == request.global_id;
            if !same {
                return Err(Error::RequestChanged);
            }
        }
        let said = match &request.payload {
            None => Requested::Nothing,
            Some(AuthRequestPayload::Authenticate(request)) => Requested::Authenticate(request),
            Some(AuthRequestPayload::Authorize(request)) => Requested::Authorize(request),
            Some(_) => Requested::Other,
        };
        let Ok(id) = std::str::from_utf8(&request.entity_id) else {
            exchange.refuse(Refusal::Name);
            return Ok(());
        };
        let question = Question {
            purpose: request.purpose,
            name: Some(EntityName::new(request.entity_type, id)),
            gid: Some(request.global_id),
            said,
            secret_len: SECRET_LEN,
            challenge: shared.config.server.challenge,
        };
        self.identity = exchange.ask(question, shared);
        Ok(())
    }

    /// The server's answer.
    pub(super) fn auth_reply(&mut self) -> AuthReply<'static> {
        let answer = match &mut self.exchange {
            Exchange::Server(exchange) => exchange.answer(),
            Exchange::Client(_) => None,
        };
        match answer {
            Some(Answer::More(challenge)) => {
                let challenge = match challenge {
                    Challenge::Mon(challenge) => CephxReplyMoreChallenge::Mon(challenge),
                    Challenge::Authorizer(sealed) => CephxReplyMoreChallenge::Authorizer(sealed),
                };
                AuthReply {
                    status: AuthStatus::MORE,
                    payload: Some(AuthReplyPayload::More(CephxReplyMore { challenge })),
                    ..Default::default()
                }
            }
            Some(Answer::Done(global_id, done)) => {
                let done = match done {
                    Done::Nothing => None,
                    Done::Mon(reply) => Some(CephxDoneReply::Mon(reply)),
                    Done::Authorizer(reply) => Some(CephxDoneReply::Authorizer(reply)),
                };
                AuthReply {
                    status: AuthStatus::DONE,
                    global_id,
                    payload: done.map(|reply| AuthReplyPayload::Done(CephxDone { reply })),
                    ..Default::default()
                }
            }
            Some(Answer::Denied(refusal)) => {
                AuthReply { status: AuthStatus::DENIED, result: refusal.errno(), ..Default::default() }
            }
            None => AuthReply::default(),
        }
    }

    /// The server answers.
    pub(super) fn answered(&mut self, shared: &mut Shared, reply: &AuthReply<'_>) -> Result<(), Error> {
        let tag = Tag::AUTH_REPLY.into();
        let bad = |field, found| Error::BadValue { tag, field, found };
        let Exchange::Client(exchange) = &mut self.exchange else { return Ok(()) };
        if reply.status != AuthStatus::DENIED && reply.result != Errno::OK {
            return Err(bad("result", reply.result.0 as u32 as u64));
        }
        if (reply.status == AuthStatus::DONE) == (reply.global_id == 0) {
            return Err(bad("global_id", reply.global_id));
        }
        match reply.status {
            AuthStatus::DENIED => exchange.said = Some(Said::Denied),
            AuthStatus::MORE => {
                let challenge = match &reply.payload {
                    Some(AuthReplyPayload::More(CephxReplyMore { challenge })) => match challenge {
                        CephxReplyMoreChallenge::Mon(challenge) => Some(Challenged::Mon(challenge)),
                        CephxReplyMoreChallenge::Authorizer(sealed) => Some(Challenged::Authorizer(sealed)),
                        _ => None,
                    },
                    _ => None,
                };
                exchange.more(challenge, &mut shared.random, tag)?;
            }
            AuthStatus::DONE => {
                let done = match &reply.payload {
                    None => Some(DoneWith::Nothing),
                    Some(AuthReplyPayload::Done(CephxDone { reply })) => match reply {
                        CephxDoneReply::Mon(reply) => Some(DoneWith::Mon(reply)),
                        CephxDoneReply::Authorizer(reply) => Some(DoneWith::Authorizer(reply)),
                        _ => None,
                    },
                    Some(_) => None,
                };
                let now = shared.now;
                if let Some(entry) = self.link.entry_mut(shared) {
                    self.identity = Some(exchange.done(reply.global_id, done, entry, now, tag)?);
                }
            }
            other => return Err(bad("status", other.0.into())),
        }
        Ok(())
    }
}
