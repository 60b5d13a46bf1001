//! Authentication as all dialects have it; which frames carry it, and what stands in front, is theirs.

mod client;
mod server;

pub(super) use client::{ClientExchange, Said};
pub(super) use server::{Answer, Question, ServerExchange};

use crate::auth::EntityName;
use crate::auth::cephx::Keys;
use crate::types::{
    AuthMethod, AuthPurpose, CephxAuthenticateReply, CephxAuthenticateRequest, CephxAuthorizerReply,
    CephxAuthorizerWithVersion, CephxSealedChallenge, CephxServerChallenge,
};

/// Who was authenticated, and with which keys.
pub(super) struct Identity {
    pub(super) name: EntityName,
    pub(super) gid: u64,
    pub(super) method: AuthMethod,
    pub(super) purpose: AuthPurpose,
    pub(super) keys: Option<Keys>,
    /// The challenge of a mon, which renewals within the session need.
    pub(super) server_challenge: Option<u64>,
}

/// What a client says of the method.
#[derive(Debug)]
pub(super) enum Request {
    /// That it is there.
    Nothing,
    /// Its answer to a mon's challenge.
    Authenticate(CephxAuthenticateRequest<'static>),
    /// A ticket and a proof.
    Authorize(CephxAuthorizerWithVersion<'static>),
}

/// What a client has said of the method.
#[derive(Clone, Copy, Debug)]
pub(super) enum Requested<'r, 'a> {
    Nothing,
    Authenticate(&'r CephxAuthenticateRequest<'a>),
    Authorize(&'r CephxAuthorizerWithVersion<'a>),
    /// What belongs to no method.
    Other,
}

/// What a server wants to be answered.
#[derive(Debug)]
pub(super) enum Challenge {
    Mon(CephxServerChallenge<'static>),
    Authorizer(CephxSealedChallenge<'static>),
}

/// What a server has wanted to be answered.
#[derive(Clone, Copy, Debug)]
pub(super) enum Challenged<'r, 'a> {
    Mon(&'r CephxServerChallenge<'a>),
    Authorizer(&'r CephxSealedChallenge<'a>),
}

/// What a server says of the method at last.
#[derive(Debug)]
pub(super) enum Done {
    Nothing,
    Mon(CephxAuthenticateReply<'static>),
    Authorizer(CephxAuthorizerReply<'static>),
}

/// What a server has said of the method at last.
#[derive(Clone, Copy, Debug)]
pub(super) enum DoneWith<'r, 'a> {
    Nothing,
    Mon(&'r CephxAuthenticateReply<'a>),
    Authorizer(&'r CephxAuthorizerReply<'a>),
}
