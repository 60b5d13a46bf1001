//! The client's side of authentication.

use super::super::config::ClientAuth;
use super::super::shared::{Entry, Shared};
use super::super::{Error, Time};
use super::Identity;
use crate::auth::EntityName;
use crate::auth::cephx::client::{Authenticate, Authorize};
use crate::auth::cephx::{Keys, client::ClientError};
use crate::crypto::Random;
use crate::proposal::{
    AuthReply, AuthReplyPayload, AuthRequest, AuthRequestPayload, CephxDone, CephxDoneReply, CephxReplyMore,
    CephxReplyMoreChallenge, Tag,
};
use crate::types::{AuthMethod, AuthMode, AuthPurpose, AuthStatus, EntityType, Errno};
use crate::wire::Text;

/// What a client does to be let in.
#[derive(Debug)]
pub(super) struct ClientExchange {
    /// What it would do, best first.
    choices: Vec<ClientAuth>,
    pub(super) tried: Vec<AuthMethod>,
    /// What the server allows, as far as it has said.
    pub(super) allowed: Vec<AuthMethod>,
    current: Option<Round>,
    next: Option<usize>,
    reply: Option<Reply>,
}

/// The choice that is being tried.
#[derive(Debug)]
struct Round {
    method: AuthMethod,
    purpose: AuthPurpose,
    name: EntityName,
    gid: u64,
    service: EntityType,
    how: How,
    payload: Option<AuthRequestPayload<'static>>,
    rounds: u32,
}

#[derive(Debug)]
enum How {
    None,
    Authenticate(Box<Authenticate>),
    Authorize(Box<Authorize>),
}

/// What the server said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    More,
    Done,
    Denied,
}

impl ClientExchange {
    /// Begins with what the session's target wants. Who requires encryption leaves `none` out.
    pub(super) fn new(entry: &Entry, encryption_required: bool) -> Self {
        let mut choices: Vec<ClientAuth> = Vec::new();
        for choice in entry.target.iter().flat_map(|target| &target.auth) {
            let method = choice.method();
            let first = !choices.iter().any(|other| other.method() == method);
            if first && !(encryption_required && method == AuthMethod::NONE) {
                choices.push(choice.clone());
            }
        }
        // what was got on an earlier connection
        for choice in &mut choices {
            if let (ClientAuth::Authenticate { credentials, .. }, Some(got)) = (choice, &entry.credentials) {
                *credentials = got.clone();
            }
        }
        let next = (!choices.is_empty()).then_some(0);
        ClientExchange { choices, tried: Vec::new(), allowed: Vec::new(), current: None, next, reply: None }
    }

    /// Whether there is a method to choose.
    pub(super) fn has_choice(&self) -> bool {
        self.next.is_some()
    }

    /// The server refused a method, and said which it allows.
    pub(super) fn refused(&mut self, method: AuthMethod, allowed: Vec<AuthMethod>) -> Result<(), Error> {
        if self.current.as_ref().is_none_or(|current| current.method != method || current.rounds > 0) {
            return Err(Error::BadValue { tag: Tag::AUTH_BAD_METHOD, field: "method", found: method.0.into() });
        }
        self.next = self.choices.iter().position(|choice| {
            let method = choice.method();
            allowed.contains(&method) && !self.tried.contains(&method)
        });
        self.allowed = allowed;
        Ok(())
    }

    /// Chooses the next method.
    pub(super) fn choose(&mut self, entry: &Entry, shared: &Shared) -> Option<AuthMethod> {
        let choice = self.choices.get(self.next.take()?)?;
        let method = choice.method();
        let none = |service: EntityType| Round {
            method,
            purpose: if service == EntityType::MON { AuthPurpose::AUTHENTICATE } else { AuthPurpose::AUTHORIZE },
            name: shared.config.entity.clone(),
            gid: if entry.gid == 0 { shared.config.gid } else { entry.gid },
            service,
            how: How::None,
            payload: None,
            rounds: 0,
        };
        self.tried.push(method);
        self.current = Some(match choice {
            ClientAuth::None { service } => none(*service),
            ClientAuth::Authenticate { credentials, services } => {
                let authenticate = Authenticate::new(credentials, *services, shared.now);
                Round {
                    purpose: AuthPurpose::AUTHENTICATE,
                    name: credentials.name().clone(),
                    gid: authenticate.global_id(),
                    how: How::Authenticate(Box::new(authenticate)),
                    ..none(EntityType::MON)
                }
            }
            // its nonce is drawn with the request
            ClientAuth::Authorize { ticket } => Round {
                purpose: AuthPurpose::AUTHORIZE,
                name: ticket.name.clone(),
                gid: ticket.global_id,
                ..none(ticket.service)
            },
        });
        Some(method)
    }

    /// The next request.
    pub(super) fn request(&mut self, random: &mut dyn Random) -> Result<AuthRequest<'static>, Error> {
        let missing = Error::UnexpectedPayload { tag: Tag::AUTH_REQUEST };
        let current = self.current.as_mut().ok_or(missing)?;
        if current.rounds == 0
            && let Some(ClientAuth::Authorize { ticket }) =
                self.choices.iter().find(|choice| choice.method() == current.method)
        {
            let authorize = Authorize::new(ticket, random);
            let request = authorize.request(None, random).map_err(Error::Auth)?;
            current.payload = Some(AuthRequestPayload::Authorize(request));
            current.how = How::Authorize(Box::new(authorize));
        }
        Ok(AuthRequest {
            purpose: current.purpose,
            entity_type: current.name.kind,
            entity_id: Text::from(current.name.id.clone().into_bytes()),
            global_id: current.gid,
            payload: current.payload.take(),
        })
    }

    /// How the blob of a reply is to be read.
    pub(super) fn mode(&self) -> AuthMode {
        match self.current.as_ref().map(|current| current.purpose) {
            Some(AuthPurpose::AUTHORIZE) => AuthMode::AUTHORIZER,
            _ => AuthMode::MON,
        }
    }

    /// The server's type, as it must be.
    pub(super) fn service(&self) -> EntityType {
        self.current.as_ref().map_or(EntityType::NONE, |current| current.service)
    }

    pub(super) fn said(&self) -> Option<Reply> {
        self.reply
    }

    /// Takes a reply. When it is *done*, says who this client is, and has the keys.
    pub(super) fn reply(
        &mut self,
        reply: &AuthReply<'_>,
        entry: &mut Entry,
        now: Time,
        random: &mut dyn Random,
    ) -> Result<Option<Identity>, Error> {
        let bad = |field, found| Error::BadValue { tag: Tag::AUTH_REPLY, field, found };
        let unexpected = Error::UnexpectedPayload { tag: Tag::AUTH_REPLY };
        let current = self.current.as_mut().ok_or(unexpected.clone())?;
        current.rounds += 1;
        if reply.status != AuthStatus::DENIED && reply.result != Errno::OK {
            return Err(bad("result", reply.result.0 as u32 as u64));
        }
        if (reply.status == AuthStatus::DONE) == (reply.global_id == 0) {
            return Err(bad("global_id", reply.global_id));
        }
        match reply.status {
            AuthStatus::DENIED => {
                self.reply = Some(Reply::Denied);
                Ok(None)
            }
            AuthStatus::MORE => {
                let Some(AuthReplyPayload::More(CephxReplyMore { challenge })) = &reply.payload else {
                    return Err(unexpected);
                };
                if current.rounds > 1 {
                    return Err(unexpected);
                }
                current.payload = Some(match (&current.how, challenge) {
                    (How::Authenticate(how), CephxReplyMoreChallenge::Mon(challenge)) => {
                        let answer = how.answer(challenge.server_challenge, random).map_err(Error::Auth)?;
                        AuthRequestPayload::Authenticate(answer)
                    }
                    (How::Authorize(how), CephxReplyMoreChallenge::Authorizer(sealed)) => {
                        let challenge = how.challenge(sealed).map_err(Error::Auth)?;
                        let answer = how.request(Some(challenge), random).map_err(Error::Auth)?;
                        AuthRequestPayload::Authorize(answer)
                    }
                    _ => return Err(unexpected),
                });
                self.reply = Some(Reply::More);
                Ok(None)
            }
            AuthStatus::DONE => {
                let keys = Self::finish(current, reply, entry, now)?;
                let gid = reply.global_id;
                if current.gid != 0 && current.gid != gid {
                    let (field, found, expected) = ("gid", gid, current.gid);
                    return Err(Error::IdentityMismatch { field, found, expected });
                }
                entry.gid = gid;
                self.reply = Some(Reply::Done);
                let Round { name, method, purpose, .. } = current;
                Ok(Some(Identity { name: name.clone(), gid, method: *method, purpose: *purpose, keys }))
            }
            other => Err(bad("status", other.0.into())),
        }
    }

    fn finish(current: &Round, reply: &AuthReply<'_>, entry: &mut Entry, now: Time) -> Result<Option<Keys>, Error> {
        let unexpected = Error::UnexpectedPayload { tag: Tag::AUTH_REPLY };
        let done = match &reply.payload {
            None => None,
            Some(AuthReplyPayload::Done(CephxDone { reply })) => Some(reply),
            Some(_) => return Err(unexpected),
        };
        match (&current.how, done) {
            (How::None, None) => Ok(None),
            // the challenge is what makes it fresh
            (How::Authenticate(_), Some(_)) if current.rounds < 2 => Err(Error::Auth(ClientError::NoChallenge)),
            (How::Authenticate(how), Some(CephxDoneReply::Mon(done))) => {
                let authenticated = how.finish(done, reply.global_id, now).map_err(Error::Auth)?;
                if entry.credentials.is_none() {
                    let choices = entry.target.iter().flat_map(|target| &target.auth);
                    entry.credentials = choices.into_iter().find_map(|choice| match choice {
                        ClientAuth::Authenticate { credentials, .. } => Some(credentials.clone()),
                        _ => None,
                    });
                }
                if let Some(credentials) = &mut entry.credentials {
                    credentials.learn(&authenticated);
                }
                Ok(Some(authenticated.keys))
            }
            (How::Authorize(how), Some(CephxDoneReply::Authorizer(done))) => {
                how.finish(done).map(Some).map_err(Error::Auth)
            }
            _ => Err(unexpected),
        }
    }
}
