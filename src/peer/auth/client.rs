//! The client's side of authentication.

use super::{Challenged, DoneWith, Identity, Request};
use crate::auth::EntityName;
use crate::auth::cephx::client::{Authenticate, Authorize};
use crate::auth::cephx::{Keys, client::ClientError};
use crate::crypto::Random;
use crate::peer::config::ClientAuth;
use crate::peer::shared::{Entry, Shared};
use crate::peer::{Error, Tag, Time};
use crate::types::{AuthMethod, AuthMode, AuthPurpose, EntityType};

/// What a client does to be let in.
#[derive(Debug)]
pub(in crate::peer) struct ClientExchange {
    /// What it would do, best first.
    choices: Vec<ClientAuth>,
    pub(in crate::peer) tried: Vec<AuthMethod>,
    /// What the server allows, as far as it has said.
    pub(in crate::peer) allowed: Vec<AuthMethod>,
    current: Option<Round>,
    next: Option<usize>,
    pub(in crate::peer) said: Option<Said>,
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
    request: Option<Request>,
    rounds: u32,
    server_challenge: Option<u64>,
}

#[derive(Debug)]
enum How {
    None,
    Authenticate(Box<Authenticate>),
    Authorize(Box<Authorize>),
}

/// What the server said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::peer) enum Said {
    More,
    Done,
    Denied,
}

/// What a request says of the one who asks.
#[derive(Clone, Debug)]
pub(in crate::peer) struct Asker {
    pub(in crate::peer) purpose: AuthPurpose,
    pub(in crate::peer) name: EntityName,
    pub(in crate::peer) gid: u64,
}

impl ClientExchange {
    /// Begins with what the session's target wants, as far as it may be.
    pub(in crate::peer) fn new(entry: &Entry, may: impl Fn(AuthMethod) -> bool) -> Self {
        let mut choices: Vec<ClientAuth> = Vec::new();
        for choice in entry.target.iter().flat_map(|target| &target.auth) {
            let method = choice.method();
            let first = !choices.iter().any(|other| other.method() == method);
            if first && may(method) {
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
        ClientExchange { choices, tried: Vec::new(), allowed: Vec::new(), current: None, next, said: None }
    }

    /// Whether there is a method to choose.
    pub(in crate::peer) fn has_choice(&self) -> bool {
        self.next.is_some()
    }

    /// Whether this is the method that is being tried, and in which round: 0 before the server has said anything.
    pub(in crate::peer) fn round_of(&self, method: AuthMethod) -> Option<u32> {
        self.current.as_ref().filter(|current| current.method == method).map(|current| current.rounds)
    }

    /// The server refused the method, and said which it allows.
    pub(in crate::peer) fn refused(&mut self, allowed: Vec<AuthMethod>) {
        self.next = self.choices.iter().position(|choice| {
            let method = choice.method();
            allowed.contains(&method) && !self.tried.contains(&method)
        });
        self.allowed = allowed;
    }

    /// Chooses the next method.
    pub(in crate::peer) fn choose(&mut self, entry: &Entry, shared: &Shared) -> Option<AuthMethod> {
        let choice = self.choices.get(self.next.take()?)?;
        let method = choice.method();
        let none = |service: EntityType| Round {
            method,
            purpose: if service == EntityType::MON { AuthPurpose::AUTHENTICATE } else { AuthPurpose::AUTHORIZE },
            name: shared.config.entity.clone(),
            gid: if entry.gid == 0 { shared.config.gid } else { entry.gid },
            service,
            how: How::None,
            request: None,
            rounds: 0,
            server_challenge: None,
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

    /// The next request, which goes in a frame with this tag.
    pub(in crate::peer) fn request(&mut self, random: &mut dyn Random, tag: Tag) -> Result<(Asker, Request), Error> {
        let current = self.current.as_mut().ok_or(Error::UnexpectedPayload { tag })?;
        if current.rounds == 0
            && let Some(ClientAuth::Authorize { ticket }) =
                self.choices.iter().find(|choice| choice.method() == current.method)
        {
            let authorize = Authorize::new(ticket, random);
            let request = authorize.request(None, random).map_err(Error::Auth)?;
            current.request = Some(Request::Authorize(request));
            current.how = How::Authorize(Box::new(authorize));
        }
        let Round { purpose, ref name, gid, .. } = *current;
        Ok((Asker { purpose, name: name.clone(), gid }, current.request.take().unwrap_or(Request::Nothing)))
    }

    /// How the blob of a reply is to be read.
    pub(in crate::peer) fn mode(&self) -> AuthMode {
        match self.current.as_ref().map(|current| current.purpose) {
            Some(AuthPurpose::AUTHORIZE) => AuthMode::AUTHORIZER,
            _ => AuthMode::MON,
        }
    }

    /// The server's type, as it must be.
    pub(in crate::peer) fn service(&self) -> EntityType {
        self.current.as_ref().map_or(EntityType::NONE, |current| current.service)
    }

    /// The server wants something to be answered, in a frame with this tag.
    pub(in crate::peer) fn more(
        &mut self,
        challenge: Option<Challenged<'_, '_>>,
        random: &mut dyn Random,
        tag: Tag,
    ) -> Result<(), Error> {
        let unexpected = Error::UnexpectedPayload { tag };
        let current = self.current.as_mut().ok_or(unexpected.clone())?;
        current.rounds += 1;
        if current.rounds > 1 {
            return Err(unexpected);
        }
        current.request = Some(match (&current.how, challenge) {
            (How::Authenticate(how), Some(Challenged::Mon(challenge))) => {
                current.server_challenge = Some(challenge.server_challenge);
                Request::Authenticate(how.answer(challenge.server_challenge, random).map_err(Error::Auth)?)
            }
            (How::Authorize(how), Some(Challenged::Authorizer(sealed))) => {
                let challenge = how.challenge(sealed).map_err(Error::Auth)?;
                Request::Authorize(how.request(Some(challenge), random).map_err(Error::Auth)?)
            }
            _ => return Err(unexpected),
        });
        self.said = Some(Said::More);
        Ok(())
    }

    /// The server has let the client in, by a frame with this tag: says who this client is, and has the keys.
    pub(in crate::peer) fn done(
        &mut self,
        gid: u64,
        done: Option<DoneWith<'_, '_>>,
        entry: &mut Entry,
        now: Time,
        tag: Tag,
    ) -> Result<Identity, Error> {
        let unexpected = Error::UnexpectedPayload { tag };
        let current = self.current.as_mut().ok_or(unexpected.clone())?;
        current.rounds += 1;
        let keys = finish(current, gid, done.ok_or(unexpected)?, entry, now, tag)?;
        if current.gid != 0 && current.gid != gid {
            let (field, found, expected) = ("gid", gid, current.gid);
            return Err(Error::IdentityMismatch { field, found, expected });
        }
        entry.gid = gid;
        self.said = Some(Said::Done);
        let Round { ref name, method, purpose, server_challenge, .. } = *current;
        Ok(Identity { name: name.clone(), gid, method, purpose, keys, server_challenge })
    }
}

fn finish(
    current: &Round,
    gid: u64,
    done: DoneWith<'_, '_>,
    entry: &mut Entry,
    now: Time,
    tag: Tag,
) -> Result<Option<Keys>, Error> {
    match (&current.how, done) {
        (How::None, DoneWith::Nothing) => Ok(None),
        // the challenge is what makes it fresh
        (How::Authenticate(_), DoneWith::Mon(_) | DoneWith::Authorizer(_)) if current.rounds < 2 => {
            Err(Error::Auth(ClientError::NoChallenge))
        }
        (How::Authenticate(how), DoneWith::Mon(done)) => {
            let authenticated = how.finish(done, gid, now).map_err(Error::Auth)?;
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
        (How::Authorize(how), DoneWith::Authorizer(done)) => how.finish(done).map(Some).map_err(Error::Auth),
        _ => Err(Error::UnexpectedPayload { tag }),
    }
}
