//! The authentication of a connection: what both sides have said, the keys that come of it, and what their signatures
//! must be.

use std::fmt;

use subtle::ConstantTimeEq as _;

use super::refusal::{self, Asked, Client};

use crate::auth::EntityName;
use crate::auth::cephx::Keys;
use crate::auth::cephx::passive::Shut;
use crate::crypto::hmac_sha256;
use crate::tracker::{Direction, Knowledge, Verdict};
use crate::types::{
    AuthMethod, AuthMode, CephxAuthorizer, CephxDoneReply, CephxMonRequest, CephxReplyMoreChallenge, CephxRequestBody,
    CephxRequestMoreAnswer, ConnectionMode, EntityType,
};
use crate::v2_0::{AuthDonePayload, AuthReplyMorePayload, AuthRequestMorePayload, AuthRequestPayload};
use crate::v2_1::{AuthBadMethod, AuthDone, AuthReplyMore, AuthRequest, AuthRequestMore, Frame, Tag};
use crate::wire::Segments;
use crate::{Context, FindingKind, types};

/// The most bytes of a direction that are kept for the signature of the other: many times what a handshake has.
const MOST_TRANSCRIPT: usize = 256 << 10;
/// The most bytes of a frame that are kept to be read again.
const MOST_KEPT: usize = 64 << 10;

/// Why the keys of a connection are not to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoKey {
    /// The keys that are known don't open it.
    Shut(Shut),
    /// The payloads say something else than cephx does.
    Unreadable,
}

impl fmt::Display for NoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoKey::Shut(shut) => shut.fmt(f),
            NoKey::Unreadable => f.write_str("the handshake can't be read"),
        }
    }
}

impl From<Shut> for NoKey {
    fn from(shut: Shut) -> Self {
        NoKey::Shut(shut)
    }
}

/// All bytes that one side has sent in the clear.
#[derive(Clone, Debug)]
enum Transcript {
    Whole(Vec<u8>),
    /// Not all were captured, or there are too many.
    Incomplete,
}

impl Default for Transcript {
    fn default() -> Self {
        Transcript::Whole(Vec::new())
    }
}

/// What the signature of a side must be.
#[derive(Clone, Copy, Debug, Default)]
enum Expected {
    #[default]
    Unknown,
    Signature([u8; 32]),
}

/// How far authentication is.
#[derive(Clone, Debug, Default)]
pub(super) struct Auth {
    transcripts: [Transcript; 2],
    /// Bytes of the handshake are missing.
    incomplete: bool,
    /// The payloads of the last AUTH_REQUEST and the last AUTH_REQUEST_MORE.
    request: Box<[u8]>,
    more: Box<[u8]>,
    /// What the last AUTH_REQUEST asks for.
    asked: Option<Asked>,
    challenge: Option<u64>,
    /// Whether the client's proof was made with another key than is known.
    proof: Option<Shut>,
    /// Who has authenticated at a monitor, with keys that are known.
    at_mon: Option<EntityName>,
    /// The keys, once authentication is complete.
    keys: Option<Result<Keys, NoKey>>,
    expected: [Expected; 2],
}

impl Auth {
    /// One whose beginning is not to be had.
    pub(super) fn midway() -> Self {
        let mut auth = Auth::default();
        auth.lose(Direction::Forward);
        auth.lose(Direction::Backward);
        auth
    }

    /// Bytes that were sent in the clear: a banner, or a frame.
    pub(super) fn heard(&mut self, direction: Direction, bytes: &[u8]) {
        if self.keys.is_some() {
            return;
        }
        let transcript = &mut self.transcripts[direction as usize];
        match transcript {
            Transcript::Whole(held) if held.len() + bytes.len() <= MOST_TRANSCRIPT => held.extend_from_slice(bytes),
            _ => *transcript = Transcript::Incomplete,
        }
    }

    /// Bytes of this direction are missing.
    pub(super) fn lose(&mut self, direction: Direction) {
        if self.keys.is_none() {
            self.transcripts[direction as usize] = Transcript::Incomplete;
            self.incomplete = true;
        }
    }

    /// Whether the end of authentication was seen.
    pub(super) fn complete(&self) -> bool {
        self.keys.is_some()
    }

    /// Who has authenticated, if it was at a monitor and the keys are known.
    pub(super) fn at_mon(&self) -> Option<&EntityName> {
        self.at_mon.as_ref()
    }

    /// Whether bytes of the handshake are missing, its end among them, and the client would rather have secure mode.
    pub(super) fn may_be_secure(&self) -> bool {
        self.keys.is_none() && self.incomplete && self.asked.as_ref().is_some_and(Asked::would_rather_be_secure)
    }

    /// An AUTH_REQUEST; everything begins anew.
    pub(super) fn request(&mut self, request: &AuthRequest<'_>, payload: &[u8]) {
        if self.keys.is_some() {
            return;
        }
        (self.challenge, self.proof) = (None, None);
        self.asked = Some(Asked::of(request));
        self.request = kept(payload);
        self.more = Box::default();
    }

    /// An AUTH_REPLY_MORE.
    pub(super) fn challenge(&mut self, reply: &AuthReplyMore<'_>) {
        if let Some(AuthReplyMorePayload::Cephx(more)) = &reply.payload
            && let CephxReplyMoreChallenge::Mon(challenge) = &more.challenge
        {
            self.challenge = Some(challenge.server_challenge);
        }
    }

    /// An AUTH_REQUEST_MORE.
    pub(super) fn more(
        &mut self,
        more: &AuthRequestMore<'_>,
        payload: &[u8],
        context: &Context,
        knowledge: &Knowledge,
    ) {
        if self.keys.is_some() {
            return;
        }
        self.more = kept(payload);
        if let Some(AuthRequestMorePayload::Cephx(more)) = &more.payload
            && let CephxRequestMoreAnswer::Mon(answer) = &more.answer
            && let Some(challenge) = self.challenge
            && let Some(name) = self.name(context)
        {
            self.proof = knowledge.proof_matches(&name, challenge, &answer.authenticate).err();
        }
    }

    /// An AUTH_BAD_METHOD: what is to be said of it.
    pub(super) fn refused(&self, refused: &AuthBadMethod<'_>, context: &Context) -> (FindingKind, String) {
        let client = Client { asked: self.asked.as_ref(), name: self.name(context), proof: self.proof.as_ref() };
        refusal::why(refused, &client)
    }

    /// An AUTH_DONE, which ends what is signed. `done` is missing if it can't be read.
    pub(super) fn done(
        &mut self,
        server: Direction,
        done: Option<&AuthDone<'_>>,
        context: &Context,
        knowledge: &Knowledge,
    ) -> Result<&Keys, &NoKey> {
        if self.keys.is_none() {
            let keys = match done {
                Some(done) => self.find_keys(done, context, knowledge),
                None => Err(NoKey::Unreadable),
            };
            let keys = keys.map_err(|why| match why {
                NoKey::Unreadable if self.incomplete => NoKey::Shut(Shut::NotCaptured),
                why => why,
            });
            let transcripts = std::mem::take(&mut self.transcripts);
            // who signs has received what the other has sent
            for (signer, heard) in [(server, server.other()), (server.other(), server)] {
                self.expected[signer as usize] = match (context.auth_method, &keys, &transcripts[heard as usize]) {
                    (Some(AuthMethod::NONE), ..) => Expected::Signature([0; 32]),
                    (_, Ok(keys), Transcript::Whole(bytes)) => {
                        Expected::Signature(hmac_sha256(keys.session_key.secret().expose(), &[bytes]))
                    }
                    _ => Expected::Unknown,
                };
            }
            (self.request, self.more) = Default::default();
            self.keys = Some(keys);
        }
        match self.keys.as_ref() {
            Some(keys) => keys.as_ref(),
            None => Err(&NoKey::Unreadable),
        }
    }

    /// What an AUTH_SIGNATURE is worth.
    pub(super) fn verdict(&self, direction: Direction, signature: &[u8; 32]) -> Verdict {
        match &self.expected[direction as usize] {
            Expected::Unknown => Verdict::Unchecked,
            Expected::Signature(expected) if bool::from(expected.ct_eq(signature)) => Verdict::Good,
            Expected::Signature(_) => Verdict::Bad,
        }
    }

    fn find_keys(&mut self, done: &AuthDone<'_>, context: &Context, knowledge: &Knowledge) -> Result<Keys, NoKey> {
        let Some(AuthDonePayload::Cephx(payload)) = &done.payload else { return Err(NoKey::Unreadable) };
        match &payload.reply {
            CephxDoneReply::Mon(reply) => {
                let name = self.name(context).ok_or(NoKey::Unreadable)?;
                let answer = self.answer(context);
                let old = match &answer {
                    Some(CephxRequestMoreAnswer::Mon(answer)) => Some(&answer.authenticate.old_ticket),
                    _ => None,
                };
                let old = old.filter(|ticket| !ticket.ticket.bytes.is_empty());
                let keys = knowledge.authenticate(&name, done.global_id, old, reply)?.keys;
                self.at_mon = Some(name);
                Ok(keys)
            }
            CephxDoneReply::Authorizer(reply) => {
                let authorizer = self.authorizer(context).ok_or(NoKey::Unreadable)?;
                Ok(knowledge.authorize(&authorizer, reply).map_err(|shut| named(shut, &authorizer))?)
            }
            CephxDoneReply::Other(_) => Err(NoKey::Unreadable),
        }
    }

    /// What the client has said of itself, if it is a monitor that it talks to.
    fn mon_request(&self, context: &Context) -> Option<CephxMonRequest<'_>> {
        match self.asked(context)? {
            CephxRequestBody::Mon(request) => Some(request),
            _ => None,
        }
    }

    pub(super) fn name(&self, context: &Context) -> Option<EntityName> {
        EntityName::try_from(&self.mon_request(context)?.entity).ok()
    }

    /// The ticket that the client shows. It does so twice; either will do.
    fn authorizer(&self, context: &Context) -> Option<CephxAuthorizer<'_>> {
        match (self.answer(context), self.asked(context)) {
            (Some(CephxRequestMoreAnswer::Authorizer(shown)), _) => Some(shown.authorizer),
            (_, Some(CephxRequestBody::Authorizer(shown))) => Some(shown),
            _ => None,
        }
    }

    fn asked(&self, context: &Context) -> Option<CephxRequestBody<'_>> {
        match Frame::decode(Tag::AUTH_REQUEST, &Segments::one(&self.request), context, &mut ()).ok()? {
            Frame::AuthRequest(AuthRequest { payload: Some(AuthRequestPayload::Cephx(request)), .. }) => {
                Some(request.body)
            }
            _ => None,
        }
    }

    fn answer(&self, context: &Context) -> Option<CephxRequestMoreAnswer<'_>> {
        match Frame::decode(Tag::AUTH_REQUEST_MORE, &Segments::one(&self.more), context, &mut ()).ok()? {
            Frame::AuthRequestMore(AuthRequestMore { payload: Some(AuthRequestMorePayload::Cephx(more)), .. }) => {
                Some(more.answer)
            }
            _ => None,
        }
    }
}

/// The same, with the name that the authorizer gives away: only monitors have no id in the cluster.
fn named(shut: Shut, authorizer: &CephxAuthorizer<'_>) -> Shut {
    match shut {
        Shut::NoTicket { name: None, service, secret_id } if authorizer.global_id == 0 => {
            Shut::NoTicket { name: Some(EntityName::new(EntityType::MON, "")), service, secret_id }
        }
        other => other,
    }
}

fn kept(payload: &[u8]) -> Box<[u8]> {
    if payload.len() <= MOST_KEPT { payload.into() } else { Box::default() }
}

/// What a request asks for: the first byte of every method's payload.
pub(super) fn asked_for(request: &AuthRequest<'_>) -> Option<AuthMode> {
    match request.payload.as_ref()? {
        AuthRequestPayload::None(none) => Some(none.auth_mode),
        AuthRequestPayload::Cephx(types::CephxRequest { auth_mode, .. }) => Some(*auth_mode),
        AuthRequestPayload::Other(_) => None,
    }
}

/// The mode that an AUTH_DONE says, read by itself, so that it is known also of one that is cut or whose payload can't be
/// read. `None` if it wasn't captured.
pub(super) fn chosen_mode(payload: &[u8]) -> Option<ConnectionMode> {
    // behind the global_id
    payload.get(8..).and_then(<[u8]>::first_chunk).map(|bytes| ConnectionMode(u32::from_le_bytes(*bytes)))
}
