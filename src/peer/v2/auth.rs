//! The frames of authentication.

use super::inbound::Whole;
use super::{BadMethod, Connection, Exchange, MOST_REQUESTS, modes};
use crate::auth::EntityName;
use crate::peer::auth::{Answer, Challenge, Challenged, Done, DoneWith, Question, Request, Requested};
use crate::peer::engine::Engine as _;
use crate::peer::shared::Shared;
use crate::peer::{Error, Refusal};
use crate::types::{
    AuthMethod, AuthMode, AuthNoneRequest, AuthPurpose, CephxAuthorizerWithVersion, CephxDone, CephxDoneReply,
    CephxMonRequest, CephxReplyMore, CephxReplyMoreChallenge, CephxRequest, CephxRequestBody, CephxRequestMore,
    CephxRequestMoreAnswer, ConnectionMode, Errno,
};
use crate::v2_1::{
    AuthBadMethod, AuthDone, AuthDonePayload, AuthReplyMore, AuthReplyMorePayload, AuthRequest, AuthRequestMore,
    AuthRequestMorePayload, AuthRequestPayload, Frame, Tag,
};
use crate::wire::ErrorKind;

/// The connection secret of secure mode, in bytes.
const SECRET_LEN: usize = 64;

/// What stands in front of a request.
fn mode_of(purpose: AuthPurpose) -> AuthMode {
    if purpose == AuthPurpose::AUTHORIZE { AuthMode::AUTHORIZER } else { AuthMode::MON }
}

/// What a request is for. The numbers of a kind are its versions.
fn purpose_of(mode: AuthMode) -> Option<AuthPurpose> {
    match mode.0 {
        1..=9 => Some(AuthPurpose::AUTHORIZE),
        10..=19 => Some(AuthPurpose::AUTHENTICATE),
        _ => None,
    }
}

impl Connection {
    /// The client's choice of a method, with its first payload.
    pub(super) fn auth_request(&mut self, shared: &mut Shared) -> Result<AuthRequest<'static>, Error> {
        let tag = Tag::AUTH_REQUEST.into();
        let nothing = Error::NotAllowed { state: self.row().name, tag };
        let Exchange::Client(exchange) = &mut self.exchange else { return Err(nothing) };
        let entry = self.link.entry(shared).ok_or(nothing.clone())?;
        let method = exchange.choose(entry, shared).ok_or(nothing)?;
        let (asker, request) = exchange.request(&mut shared.random, tag)?;
        let auth_mode = mode_of(asker.purpose);
        let payload = match request {
            _ if method == AuthMethod::NONE => {
                let (entity, global_id) = (asker.name.to_wire(), asker.gid);
                AuthRequestPayload::None(AuthNoneRequest { auth_mode, entity, global_id, ..Default::default() })
            }
            Request::Authorize(CephxAuthorizerWithVersion { version, authorizer }) => {
                let body = CephxRequestBody::Authorizer(authorizer);
                AuthRequestPayload::Cephx(CephxRequest { auth_mode: AuthMode(version), body })
            }
            _ => {
                let (entity, global_id) = (asker.name.to_wire(), asker.gid);
                let body = CephxRequestBody::Mon(CephxMonRequest { entity, global_id, ..Default::default() });
                AuthRequestPayload::Cephx(CephxRequest { auth_mode, body })
            }
        };
        let server = self.link.entry(shared).and_then(|entry| entry.target.as_ref()?.expects()).unwrap_or_default();
        let preferred_modes = modes(shared.config.v2.dial_modes_to(server), method);
        self.wanted_modes.clone_from(&preferred_modes);
        Ok(AuthRequest { method, preferred_modes, payload: Some(payload), ..Default::default() })
    }

    /// The client's second payload.
    pub(super) fn auth_request_more(&mut self, shared: &mut Shared) -> Result<AuthRequestMore<'static>, Error> {
        let tag = Tag::AUTH_REQUEST_MORE.into();
        let unexpected = Error::UnexpectedPayload { tag };
        let Exchange::Client(exchange) = &mut self.exchange else { return Err(unexpected) };
        let answer = match exchange.request(&mut shared.random, tag)?.1 {
            Request::Authenticate(request) => CephxRequestMoreAnswer::Mon(request),
            Request::Authorize(authorizer) => CephxRequestMoreAnswer::Authorizer(authorizer),
            Request::Nothing => return Err(unexpected),
        };
        let payload = Some(AuthRequestMorePayload::Cephx(CephxRequestMore { answer }));
        Ok(AuthRequestMore { payload, ..Default::default() })
    }

    /// A client chooses a method.
    pub(super) fn asked(&mut self, shared: &mut Shared, request: &AuthRequest<'_>) -> Result<(), Error> {
        let methods = self.allowed_methods(shared);
        let allowed_modes = modes(&shared.config.v2.accept_modes, request.method);
        let Exchange::Server(exchange) = &mut self.exchange else { return Ok(()) };
        exchange.choose(request.method, &methods);
        if exchange.choices > MOST_REQUESTS {
            return Err(Error::TooManyMethods { limit: MOST_REQUESTS });
        }
        self.wanted_modes.clone_from(&request.preferred_modes);
        // the client's preference decides
        let mode = self.wanted_modes.iter().copied().find(|mode| allowed_modes.contains(mode));
        let (Some(mode), Some(_)) = (mode, exchange.method) else {
            exchange.refuse(if exchange.method.is_some() { Refusal::Mode } else { Refusal::Method(request.method) });
            return Ok(());
        };
        self.mode = mode;
        let with_version;
        let (purpose, name, gid, said) = match &request.payload {
            Some(AuthRequestPayload::None(none)) => {
                let name = EntityName::try_from(&none.entity);
                (purpose_of(none.auth_mode), Some(name), Some(none.global_id), Requested::Nothing)
            }
            Some(AuthRequestPayload::Cephx(CephxRequest { auth_mode, body })) => {
                let purpose = purpose_of(*auth_mode);
                match body {
                    CephxRequestBody::Mon(mon) => {
                        let name = EntityName::try_from(&mon.entity);
                        (purpose, Some(name), Some(mon.global_id), Requested::Nothing)
                    }
                    CephxRequestBody::Authorizer(authorizer) => {
                        with_version =
                            CephxAuthorizerWithVersion { version: auth_mode.0, authorizer: authorizer.clone() };
                        (purpose, None, None, Requested::Authorize(&with_version))
                    }
                    CephxRequestBody::Other(_) => (None, None, None, Requested::Other),
                }
            }
            _ => (None, None, None, Requested::Other),
        };
        let (Some(purpose), Ok(name)) = (purpose, name.transpose()) else {
            exchange.refuse(if purpose.is_none() { Refusal::Unexpected } else { Refusal::Name });
            return Ok(());
        };
        let secret_len = if mode == ConnectionMode::SECURE { SECRET_LEN } else { 0 };
        // authorizers always take a second round here
        let question = Question { purpose, name, gid, said, secret_len, challenge: true };
        self.identity = exchange.ask(question, shared);
        Ok(())
    }

    /// A client answers a challenge.
    pub(super) fn asked_more(&mut self, shared: &mut Shared, request: &AuthRequestMore<'_>) -> Result<(), Error> {
        let Exchange::Server(exchange) = &mut self.exchange else { return Ok(()) };
        exchange.choices += 1;
        if exchange.choices > MOST_REQUESTS {
            return Err(Error::TooManyMethods { limit: MOST_REQUESTS });
        }
        let said = match &request.payload {
            Some(AuthRequestMorePayload::Cephx(CephxRequestMore { answer })) => match answer {
                CephxRequestMoreAnswer::Mon(request) => Requested::Authenticate(request),
                CephxRequestMoreAnswer::Authorizer(request) => Requested::Authorize(request),
                CephxRequestMoreAnswer::Other(_) => Requested::Other,
            },
            _ => Requested::Other,
        };
        let Some(first) = exchange.first() else {
            // it was refused already
            exchange.refuse(Refusal::Unexpected);
            return Ok(());
        };
        let (purpose, name) = (first.purpose, first.name.clone());
        let gid = (purpose == AuthPurpose::AUTHENTICATE).then_some(first.gid);
        let secret_len = if self.mode == ConnectionMode::SECURE { SECRET_LEN } else { 0 };
        let question = Question { purpose, name, gid, said, secret_len, challenge: true };
        self.identity = exchange.ask(question, shared);
        Ok(())
    }

    /// The methods that this server allows: those that can be used in one of its modes.
    fn allowed_methods(&self, shared: &Shared) -> Vec<AuthMethod> {
        let modes_of = |method| modes(&shared.config.v2.accept_modes, method);
        let methods = shared.config.server.methods.iter().copied();
        methods.filter(|&method| !modes_of(method).is_empty()).collect()
    }

    /// Whether it is a request whose payload can't be read. The server refuses it, and the connection goes on.
    pub(super) fn unreadable(&mut self, whole: &Whole, error: &crate::wire::Error) -> bool {
        let Exchange::Server(exchange) = &mut self.exchange else { return false };
        let path = error.path();
        let inside = path.split_once('.').map_or("", |(_, inside)| inside);
        let in_payload = path.starts_with("payload.") || inside.starts_with("payload.");
        let left_over = path.ends_with("payload") && matches!(error.kind, ErrorKind::Trailing { .. });
        let request = matches!(whole.tag, Tag::AUTH_REQUEST | Tag::AUTH_REQUEST_MORE);
        if !request || !(in_payload || left_over) {
            return false;
        }
        if whole.tag == Tag::AUTH_REQUEST
            && let Some(method) = whole.part(0).first_chunk()
        {
            // what was chosen stands in front
            exchange.choose(AuthMethod(u32::from_le_bytes(*method)), &[]);
        }
        exchange.refuse(Refusal::Unreadable(error.clone()));
        true
    }

    /// The server's answer, as a frame with this tag.
    pub(super) fn auth_answer(&mut self, shared: &Shared, tag: Tag) -> Result<Frame<'static>, Error> {
        let allowed_methods = self.allowed_methods(shared);
        let nothing = Error::NotAllowed { state: self.row().name, tag: tag.into() };
        let Exchange::Server(exchange) = &mut self.exchange else { return Err(nothing) };
        let method = exchange.chosen;
        Ok(match exchange.answer().ok_or(nothing)? {
            Answer::More(challenge) => {
                let challenge = match challenge {
                    Challenge::Mon(challenge) => CephxReplyMoreChallenge::Mon(challenge),
                    Challenge::Authorizer(sealed) => CephxReplyMoreChallenge::Authorizer(sealed),
                };
                let payload = Some(AuthReplyMorePayload::Cephx(CephxReplyMore { challenge }));
                Frame::AuthReplyMore(AuthReplyMore { payload, ..Default::default() })
            }
            Answer::Done(global_id, done) => {
                let reply = match done {
                    Done::Nothing => None,
                    Done::Mon(reply) => Some(CephxDoneReply::Mon(reply)),
                    Done::Authorizer(reply) => Some(CephxDoneReply::Authorizer(reply)),
                };
                let payload = reply.map(|reply| AuthDonePayload::Cephx(CephxDone { reply }));
                let connection_mode = self.mode;
                Frame::AuthDone(AuthDone { global_id, connection_mode, payload, ..Default::default() })
            }
            Answer::Denied(refusal) => {
                let allowed_modes = modes(&shared.config.v2.accept_modes, method);
                let result = refusal.errno();
                Frame::AuthBadMethod(AuthBadMethod {
                    method,
                    result,
                    allowed_methods,
                    allowed_modes,
                    ..Default::default()
                })
            }
        })
    }

    /// The server refuses what the client tried.
    pub(super) fn refused(&mut self, bad: &AuthBadMethod<'_>) -> Result<(), Error> {
        let Exchange::Client(exchange) = &mut self.exchange else { return Ok(()) };
        if exchange.round_of(bad.method).is_none() {
            let (tag, found) = (Tag::AUTH_BAD_METHOD.into(), bad.method.0.into());
            return Err(Error::BadValue { tag, field: "method", found });
        }
        // only mons let clients choose
        let choosable = self.peer_type == crate::types::EntityType::MON;
        exchange.refused(if choosable { bad.allowed_methods.clone() } else { Vec::new() });
        self.bad_method = Some(BadMethod {
            method: bad.method,
            result: bad.result,
            allowed_methods: bad.allowed_methods.clone(),
            allowed_modes: bad.allowed_modes.clone(),
        });
        Ok(())
    }

    /// Why there is nothing left to try.
    pub(super) fn why_bad_method(&self) -> Error {
        let (Some(bad), Exchange::Client(exchange)) = (&self.bad_method, &self.exchange) else {
            return Error::MethodsExhausted { tried: Vec::new(), allowed: Vec::new() };
        };
        if bad.result != Errno::EOPNOTSUPP {
            return Error::Denied { result: bad.result, message: String::new() };
        }
        if bad.allowed_methods.contains(&bad.method) {
            return Error::ModesExhausted { allowed: bad.allowed_modes.clone() };
        }
        Error::MethodsExhausted { tried: exchange.tried.clone(), allowed: bad.allowed_methods.clone() }
    }

    /// Why the client wasn't let in.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        match &self.exchange {
            Exchange::Server(exchange) if self.identity.is_none() => exchange.refusal(),
            _ => None,
        }
    }

    /// The server wants something to be answered.
    pub(super) fn challenged(&mut self, shared: &mut Shared, reply: &AuthReplyMore<'_>) -> Result<(), Error> {
        let Exchange::Client(exchange) = &mut self.exchange else { return Ok(()) };
        let challenge = match &reply.payload {
            Some(AuthReplyMorePayload::Cephx(CephxReplyMore { challenge })) => match challenge {
                CephxReplyMoreChallenge::Mon(challenge) => Some(Challenged::Mon(challenge)),
                CephxReplyMoreChallenge::Authorizer(sealed) => Some(Challenged::Authorizer(sealed)),
                CephxReplyMoreChallenge::Other(_) => None,
            },
            _ => None,
        };
        exchange.more(challenge, &mut shared.random, Tag::AUTH_REPLY_MORE.into())
    }

    /// The server lets the client in.
    pub(super) fn let_in(&mut self, shared: &mut Shared, done: &AuthDone<'_>) -> Result<(), Error> {
        let tag = Tag::AUTH_DONE.into();
        let Exchange::Client(exchange) = &mut self.exchange else { return Ok(()) };
        let what = match &done.payload {
            None => Some(DoneWith::Nothing),
            Some(AuthDonePayload::Cephx(CephxDone { reply })) => match reply {
                CephxDoneReply::Mon(reply) => Some(DoneWith::Mon(reply)),
                CephxDoneReply::Authorizer(reply) => Some(DoneWith::Authorizer(reply)),
                CephxDoneReply::Other(_) => None,
            },
            Some(_) => None,
        };
        let now = shared.now;
        if let Some(entry) = self.link.entry_mut(shared) {
            self.identity = Some(exchange.done(done.global_id, what, entry, now, tag)?);
        }
        self.mode = done.connection_mode;
        // a server that can't do what was asked for says so in another frame
        if !self.wanted_modes.contains(&self.mode) {
            return Err(Error::BadValue { tag, field: "connection_mode", found: self.mode.0.into() });
        }
        Ok(())
    }
}
