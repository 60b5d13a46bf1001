//! The server's side of authentication.

use super::{Challenge, Done, Identity, Requested};
use crate::auth::EntityName;
use crate::auth::cephx::server::{Expected, Outcome, Pending, Round, challenge};
use crate::peer::Refusal;
use crate::peer::shared::Shared;
use crate::types::{AuthMethod, AuthMode, AuthPurpose, CephxServerChallenge, EntityType};

/// What a server knows of a client that isn't in yet.
#[derive(Debug, Default)]
pub(in crate::peer) struct ServerExchange {
    /// The method that the client chose, if it is allowed.
    pub(in crate::peer) method: Option<AuthMethod>,
    /// The method that the client chose last.
    pub(in crate::peer) chosen: AuthMethod,
    /// How many it chose.
    pub(in crate::peer) choices: usize,
    first: Option<First>,
    answer: Option<Answer>,
    /// Why the client wasn't let in, once it was told so.
    refusal: Option<Refusal>,
}

/// The first request of a method.
#[derive(Debug)]
pub(in crate::peer) struct First {
    pub(in crate::peer) purpose: AuthPurpose,
    /// As the client gave it; an authorizer of v2 goes without.
    pub(in crate::peer) name: Option<EntityName>,
    pub(in crate::peer) gid: u64,
    awaits: Awaits,
}

impl First {
    /// How the blob of the next request is to be read.
    pub(in crate::peer) fn mode(&self) -> AuthMode {
        if self.purpose == AuthPurpose::AUTHORIZE { AuthMode::AUTHORIZER } else { AuthMode::MON }
    }
}

#[derive(Debug)]
enum Awaits {
    Authenticate(u64),
    Authorize(Pending),
}

/// What the server answers.
#[derive(Debug)]
pub(in crate::peer) enum Answer {
    More(Challenge),
    Done(u64, Done),
    Denied(Refusal),
}

/// What a client asks.
pub(in crate::peer) struct Question<'q, 'a> {
    pub(in crate::peer) purpose: AuthPurpose,
    /// As the client gives it; an authorizer of v2 goes without.
    pub(in crate::peer) name: Option<EntityName>,
    /// What stands in front; the authorizer has its own.
    pub(in crate::peer) gid: Option<u64>,
    pub(in crate::peer) said: Requested<'q, 'a>,
    /// How long the connection secret is to be, in bytes.
    pub(in crate::peer) secret_len: usize,
    /// Whether an authorizer takes a second round.
    pub(in crate::peer) challenge: bool,
}

impl ServerExchange {
    /// The client chose a method.
    pub(in crate::peer) fn choose(&mut self, method: AuthMethod, allowed: &[AuthMethod]) {
        self.chosen = method;
        self.choices += 1;
        self.method = allowed.contains(&method).then_some(method);
        self.first = None;
    }

    pub(in crate::peer) fn is_refused(&self) -> bool {
        matches!(self.answer, Some(Answer::Denied(_)))
    }

    pub(in crate::peer) fn needs_more(&self) -> bool {
        matches!(self.answer, Some(Answer::More(_)))
    }

    /// Why the client wasn't let in.
    pub(in crate::peer) fn refusal(&self) -> Option<Refusal> {
        self.refusal.clone()
    }

    /// The client isn't let in.
    pub(in crate::peer) fn refuse(&mut self, refusal: Refusal) {
        self.answer = Some(Answer::Denied(refusal));
    }

    /// The first request of the method, if this is the second.
    pub(in crate::peer) fn first(&self) -> Option<&First> {
        self.first.as_ref()
    }

    /// Takes a request. When the client is let in, says who it is, and has the keys.
    pub(in crate::peer) fn ask(&mut self, question: Question<'_, '_>, shared: &mut Shared) -> Option<Identity> {
        match self.serve(question, shared) {
            Ok(identity) => identity,
            Err(refusal) => {
                self.answer = Some(Answer::Denied(refusal));
                None
            }
        }
    }

    fn serve(&mut self, question: Question<'_, '_>, shared: &mut Shared) -> Result<Option<Identity>, Refusal> {
        let Question { purpose, name, gid, said, secret_len, challenge: want_challenge } = question;
        let first = self.first.take().map(|first| first.awaits);
        let method = self.method.ok_or(Refusal::Unexpected)?;
        let identity = |name, gid, keys| Identity { name, gid, method, purpose, keys, server_challenge: None };
        let own = shared.config.entity.kind;
        let now = shared.now;
        if method == AuthMethod::NONE {
            if purpose != AuthPurpose::AUTHORIZE && !(purpose == AuthPurpose::AUTHENTICATE && own == EntityType::MON) {
                return Err(Refusal::Purpose(purpose));
            }
            let (Some(name), Requested::Nothing) = (name, said) else { return Err(Refusal::Unexpected) };
            let gid = match gid {
                Some(gid) if gid != 0 => gid,
                _ => shared.new_gid(),
            };
            self.answer = Some(Answer::Done(gid, Done::Nothing));
            return Ok(Some(identity(name, gid, None)));
        }
        let Shared { config, random, .. } = shared;
        let server = &config.server;
        let unserved = Refusal::Purpose(purpose);
        match purpose {
            AuthPurpose::AUTHENTICATE => {
                let authority = server.authority.as_ref().ok_or(unserved)?;
                let (Some(name), Some(gid)) = (name, gid) else { return Err(Refusal::Unexpected) };
                match (first, said) {
                    (None, Requested::Nothing) => {
                        let server_challenge = challenge(random);
                        let structure = CephxServerChallenge { server_challenge, ..Default::default() };
                        self.answer = Some(Answer::More(Challenge::Mon(structure)));
                        let awaits = Awaits::Authenticate(server_challenge);
                        self.first = Some(First { purpose, name: Some(name), gid, awaits });
                        Ok(None)
                    }
                    (Some(Awaits::Authenticate(challenge)), Requested::Authenticate(answer)) => {
                        let granted = authority
                            .authenticate(&name, gid, answer, challenge, secret_len, now, random)
                            .map_err(Refusal::Cephx)?;
                        self.answer = Some(Answer::Done(granted.global_id, Done::Mon(granted.reply)));
                        let identity = identity(name, granted.global_id, Some(granted.keys));
                        Ok(Some(Identity { server_challenge: Some(challenge), ..identity }))
                    }
                    _ => Err(Refusal::Unexpected),
                }
            }
            AuthPurpose::AUTHORIZE => {
                let keys = server.service_keys.as_ref().ok_or(unserved)?;
                let Requested::Authorize(authorizer) = said else { return Err(Refusal::Unexpected) };
                let expected = Expected { service: own, name: name.as_ref(), global_id: gid };
                let round = match &first {
                    None => Round::First { want_challenge },
                    Some(Awaits::Authorize(pending)) => Round::Answer(pending),
                    Some(_) => return Err(Refusal::Unexpected),
                };
                match keys.authorize(authorizer, &expected, round, secret_len, now, random) {
                    Ok(Outcome::Challenge(sealed, pending)) => {
                        self.answer = Some(Answer::More(Challenge::Authorizer(sealed)));
                        let awaits = Awaits::Authorize(pending);
                        self.first = Some(First { purpose, name, gid: gid.unwrap_or(0), awaits });
                        Ok(None)
                    }
                    Ok(Outcome::Granted(granted)) => {
                        let gid = granted.ticket.global_id;
                        self.answer = Some(Answer::Done(gid, Done::Authorizer(granted.reply)));
                        Ok(Some(identity(granted.ticket.name, gid, Some(granted.keys))))
                    }
                    Err(refused) => Err(Refusal::Cephx(refused)),
                }
            }
            _ => Err(unserved),
        }
    }

    /// What is to be answered.
    pub(in crate::peer) fn answer(&mut self) -> Option<Answer> {
        let answer = self.answer.take();
        if let Some(Answer::Denied(refusal)) = &answer {
            self.refusal = Some(refusal.clone());
        }
        answer
    }
}
