//! The authentication of a connection: what it proves, and which keys come out of it.

use std::fmt;

use crate::auth::EntityName;
use crate::auth::cephx::Keys;
use crate::auth::cephx::passive::Shut;
use crate::frame::proposal::{ConnectionKey, HEADER_LEN, Transcripts};
use crate::limits::PROPOSAL_MAX_EARLY_FRAME;
use crate::proposal::{AuthReply, AuthReplyPayload, AuthRequest, AuthRequestPayload, Frame, Tag};
use crate::tracker::{Direction, Knowledge, SealKeys};
use crate::types::{AuthMethod, AuthMode, AuthPurpose, AuthStatus, CephxDoneReply, EntityType};
use crate::wire::{Role, Segments};
use crate::{Context, types};

/// Why the keys of a connection are not to be had.
#[derive(Clone, Debug)]
pub(super) enum NoKey {
    /// The keys that are known don't open it.
    Shut(String),
    /// Bytes of the handshake are missing.
    Incomplete,
    /// The payloads say something else than cephx does.
    Unreadable,
}

impl fmt::Display for NoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoKey::Shut(why) => f.write_str(why),
            NoKey::Incomplete => f.write_str("the capture lacks a part of the handshake"),
            NoKey::Unreadable => f.write_str("the handshake can't be read"),
        }
    }
}

impl From<Shut> for NoKey {
    fn from(shut: Shut) -> Self {
        NoKey::Shut(shut.to_string())
    }
}

/// Who alone sends this frame, if it belongs to authentication.
pub(super) fn sender(tag: Tag) -> Option<Role> {
    match tag {
        Tag::AUTH_SET_METHOD | Tag::AUTH_REQUEST => Some(Role::Client),
        Tag::AUTH_METHODS | Tag::AUTH_BAD_METHOD | Tag::AUTH_REPLY => Some(Role::Server),
        _ => None,
    }
}

/// What an AUTH_REPLY begins with. It is read by itself, so that it is known also of one that is cut or whose blob
/// can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// `None` if it wasn't captured or doesn't exist.
    pub(super) status: Option<AuthStatus>,
    /// `None` if it wasn't captured.
    pub(super) global_id: Option<u64>,
}

impl Answer {
    /// From the payload of an AUTH_REPLY, as far as it is there.
    pub(super) fn read(payload: &[u8]) -> Self {
        let status = payload.first().map(|byte| AuthStatus(*byte)).filter(|status| status.name().is_some());
        // behind the status and a result of 4 bytes
        let global_id = payload.get(5..).and_then(<[u8]>::first_chunk).map(|bytes| u64::from_le_bytes(*bytes));
        Answer { status, global_id }
    }
}

/// How far authentication is.
#[derive(Clone, Debug, Default)]
pub(super) struct Auth {
    pub(super) method: Option<AuthMethod>,
    /// What the rounds have in common.
    who: Option<Who>,
    /// The last AUTH_REQUEST that says more than that, as a whole frame.
    request: Box<[u8]>,
    transcripts: Both,
    /// What opens what is sealed in the last frame.
    pub(super) seals: SealKeys,
}

/// What an AUTH_REQUEST says in front of its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Who {
    purpose: AuthPurpose,
    entity_type: EntityType,
    entity_id: Box<[u8]>,
    global_id: u64,
}

/// The transcripts, with either direction taken for the client's.
#[derive(Clone, Debug, Default)]
struct Both([Transcripts; 2]);

impl Both {
    fn add(&mut self, direction: Direction, bytes: &[u8]) {
        for client in [Direction::Forward, Direction::Backward] {
            let sender = if client == direction { Role::Client } else { Role::Server };
            self.0[client as usize].add(sender, bytes);
        }
    }
}

impl Auth {
    /// Bytes of the handshake.
    pub(super) fn heard(&mut self, direction: Direction, bytes: &[u8]) {
        self.transcripts.add(direction, bytes);
    }

    /// The client has chosen; what, is `None` if that can't be read.
    pub(super) fn choose(&mut self, method: Option<AuthMethod>) {
        *self = Auth { method, transcripts: std::mem::take(&mut self.transcripts), ..Auth::default() };
    }

    /// What decoding the answer takes.
    pub(super) fn mode(request: &AuthRequest<'_>) -> Option<AuthMode> {
        match request.purpose {
            AuthPurpose::AUTHENTICATE => Some(AuthMode::MON),
            AuthPurpose::AUTHORIZE => Some(AuthMode::AUTHORIZER),
            _ => None,
        }
    }

    /// A request. An error names the rule that it breaks.
    pub(super) fn asks(
        &mut self,
        request: &AuthRequest<'_>,
        frame: &[u8],
        knowledge: &Knowledge,
    ) -> Result<(), String> {
        self.seals = match &request.payload {
            Some(AuthRequestPayload::Authenticate(asked)) => {
                knowledge.keys_of_old_ticket(&asked.authenticate.old_ticket)
            }
            Some(AuthRequestPayload::Authorize(shown)) => knowledge.keys_of_authorizer(&shown.authorizer),
            _ => SealKeys::default(),
        };
        let who = Who {
            purpose: request.purpose,
            entity_type: request.entity_type,
            entity_id: request.entity_id.0.as_ref().into(),
            global_id: request.global_id,
        };
        // behind a gap frames may be larger, but then no key comes of them
        if request.payload.is_some() && frame.len() as u64 <= PROPOSAL_MAX_EARLY_FRAME + HEADER_LEN as u64 {
            self.request = frame.into();
        }
        let same = self.who.as_ref().is_none_or(|before| *before == who);
        self.who = Some(who);
        if same { Ok(()) } else { Err("purpose, name and global_id are the same in every round".into()) }
    }

    /// The global_id that the client asked to keep; 0 if any will do, or nothing is known.
    pub(super) fn wanted_id(&self) -> u64 {
        self.who.as_ref().map_or(0, |who| who.global_id)
    }

    /// The client's type, once it is known.
    pub(super) fn client_type(&self) -> Option<EntityType> {
        self.who.as_ref().map(|who| who.entity_type)
    }

    /// Who the client says to be.
    pub(super) fn name(&self, context: &Context) -> Option<EntityName> {
        let request = self.request(context)?;
        Some(EntityName::new(request.entity_type, request.entity_id.to_string()))
    }

    /// The type that a server must have, once cephx has proved it.
    pub(super) fn server_type(&self, context: &Context) -> Option<EntityType> {
        match self.request(context)?.payload? {
            AuthRequestPayload::Authenticate(_) => Some(EntityType::MON),
            AuthRequestPayload::Authorize(shown) => u8::try_from(shown.authorizer.service.0).ok().map(EntityType),
            AuthRequestPayload::Other(_) => None,
        }
    }

    fn request(&self, context: &Context) -> Option<AuthRequest<'_>> {
        let payload = self.request.get(HEADER_LEN..)?;
        match Frame::decode(Tag::AUTH_REQUEST, &Segments::one(payload), context, &mut ()) {
            Ok(Frame::AuthRequest(request)) => Some(request),
            _ => None,
        }
    }

    /// The key of the connection, from the reply that completes authentication; its bytes have been heard.
    pub(super) fn key(
        &mut self,
        server: Direction,
        reply: &AuthReply<'_>,
        context: &Context,
        knowledge: &Knowledge,
    ) -> Result<ConnectionKey, NoKey> {
        let (keys, seals) = self.keys(reply, context, knowledge)?;
        self.seals = seals;
        let transcripts = &self.transcripts.0[server.other() as usize];
        Ok(transcripts.connection_key(keys.session_key.secret().expose(), keys.connection_secret.expose()))
    }

    fn keys(&self, reply: &AuthReply<'_>, context: &Context, knowledge: &Knowledge) -> Result<(Keys, SealKeys), NoKey> {
        let request = self.request(context).ok_or(NoKey::Unreadable)?;
        let Some(AuthReplyPayload::Done(done)) = &reply.payload else { return Err(NoKey::Unreadable) };
        match (&request.payload, &done.reply) {
            (Some(AuthRequestPayload::Authenticate(asked)), CephxDoneReply::Mon(answer)) => {
                let name = EntityName::new(request.entity_type, request.entity_id.to_string());
                let old: &types::CephxTicketBlob<'_> = &asked.authenticate.old_ticket;
                let old = Some(old).filter(|_| request.global_id != 0);
                let opened = knowledge.authenticate(&name, reply.global_id, old, answer)?;
                let seals = knowledge.keys_of_reply(&opened, answer);
                Ok((opened.keys, seals))
            }
            (Some(AuthRequestPayload::Authorize(shown)), CephxDoneReply::Authorizer(answer)) => {
                // learnt or not, the name stands in the request
                let name = || EntityName::new(request.entity_type, request.entity_id.to_string());
                let keys = knowledge.authorize(&shown.authorizer, answer).map_err(|shut| match shut {
                    Shut::NoTicket { name: None, service, secret_id } => {
                        Shut::NoTicket { name: Some(name()), service, secret_id }
                    }
                    other => other,
                })?;
                // learnt by now, if it wasn't before
                Ok((keys, knowledge.keys_of_authorizer(&shown.authorizer)))
            }
            _ => Err(NoKey::Unreadable),
        }
    }
}
