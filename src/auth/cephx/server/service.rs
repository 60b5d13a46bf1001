//! A service: it takes tickets that are sealed with its rotating keys.

use super::{Refused, TicketInfo, challenge};
use crate::auth::cephx::{AUTHORIZER_VERSION, Keys, connection_secret, service};
use crate::auth::{EntityName, ServiceKeys, Time};
use crate::crypto::{Random, equal, sha256};
use crate::types::{
    CephxAuthorizeChallenge, CephxAuthorizeReply, CephxAuthorizer, CephxAuthorizerReply, CephxAuthorizerWithVersion,
    CephxSealedChallenge, EntityType,
};
use crate::wire::{Bool, Encode as _, Sealed, Text};

/// The only version that is served.
const AUTHORIZE_VERSION: u8 = 2;

/// Who shows a ticket, as far as is known from elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'n> {
    /// What the server is: the only service that a ticket may be for.
    pub service: EntityType,
    /// The name that the client gave, if the dialect has it give one.
    pub name: Option<&'n EntityName>,
    /// The id that the client gave outside of the authorizer, if the dialect has it give one.
    pub global_id: Option<u64>,
}

/// Where an authorization is.
#[derive(Clone, Copy, Debug)]
pub enum Round<'p> {
    /// The first authorizer.
    First {
        /// Whether to answer a good one with a challenge.
        want_challenge: bool,
    },
    /// The second one, which must answer this challenge.
    Answer(&'p Pending),
}

/// A challenge that was given, and what the answer must have in common with the request.
#[derive(Clone)]
pub struct Pending {
    server_challenge: u64,
    nonce: u64,
    ticket: [u8; 32],
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pending")
    }
}

/// What a good authorizer leads to.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// A challenge, to be sent; the next authorizer is judged in [`Round::Answer`].
    Challenge(CephxSealedChallenge<'static>, Pending),
    /// The client is let in.
    Granted(Box<Authorized>),
}

/// A client has shown a good ticket.
#[derive(Clone, Debug)]
pub struct Authorized {
    /// What it is to be told.
    pub reply: CephxAuthorizerReply<'static>,
    /// What the ticket says.
    pub ticket: TicketInfo,
    /// The ticket's session key, and the connection secret.
    pub keys: Keys,
}

impl ServiceKeys {
    /// Judges an authorizer. The connection secret gets `secret_len` bytes (at most
    /// [`LONGEST_CONNECTION_SECRET`](crate::auth::cephx::LONGEST_CONNECTION_SECRET)); with 0 the reply is of the version that has none.
    pub fn authorize(
        &self,
        request: &CephxAuthorizerWithVersion<'_>,
        expected: &Expected<'_>,
        round: Round<'_>,
        secret_len: usize,
        now: Time,
        random: &mut dyn Random,
    ) -> Result<Outcome, Refused> {
        if request.version != AUTHORIZER_VERSION {
            return Err(Refused::Version { what: "the authorizer", found: request.version });
        }
        let authorizer = &request.authorizer;
        if !self.services().any(|service| service == expected.service) {
            return Err(Refused::NotServed(expected.service));
        }
        if service(authorizer.service) != Some(expected.service) {
            return Err(Refused::Service { found: authorizer.service.0, expected: expected.service });
        }
        let (ticket, session_key) = self.open_ticket(expected.service, &authorizer.ticket)?;
        ticket.check(expected, authorizer.global_id, now)?;

        // nothing that was sealed is told apart: an answer that did could be used to decrypt
        let (version, nonce, answer) = authorizer
            .proof
            .take(&session_key, |proof| {
                let answer = proof.have_challenge.is_some_and(Bool::get).then_some(proof.server_challenge_plus_one);
                (proof.struct_v, proof.nonce, answer.flatten())
            })
            .map_err(|_| Refused::ProofNotOpened)?;
        if version != AUTHORIZE_VERSION {
            return Err(Refused::ProofNotOpened);
        }
        let hash = ticket_hash(authorizer)?;
        match round {
            Round::First { .. } if answer.is_some() => return Err(Refused::UnaskedAnswer),
            Round::First { want_challenge: false } => {}
            Round::First { want_challenge: true } => {
                let server_challenge = challenge(random);
                let sealed = CephxAuthorizeChallenge { server_challenge, ..Default::default() };
                let sealed = Sealed::seal(&session_key, &sealed, random)?;
                let pending = Pending { server_challenge, nonce, ticket: hash };
                return Ok(Outcome::Challenge(CephxSealedChallenge { sealed }, pending));
            }
            Round::Answer(pending) => {
                let expected = pending.server_challenge.wrapping_add(1).to_le_bytes();
                if !answer.is_some_and(|answer| equal(&answer.to_le_bytes(), &expected)) {
                    return Err(Refused::WrongAnswer);
                }
                if !equal(&pending.nonce.to_le_bytes(), &nonce.to_le_bytes()) || !equal(&pending.ticket, &hash) {
                    return Err(Refused::OtherAuthorizer);
                }
            }
        }
        let connection_secret = connection_secret(secret_len, random);
        let nonce_plus_one = nonce.wrapping_add(1);
        let reply = if connection_secret.is_empty() {
            CephxAuthorizeReply { struct_v: 1, nonce_plus_one, connection_secret: None }
        } else {
            let connection_secret = Some(Text::from(connection_secret.expose()));
            CephxAuthorizeReply { struct_v: 2, nonce_plus_one, connection_secret }
        };
        let sealed = Sealed::seal(&session_key, &reply, random)?;
        let reply = CephxAuthorizerReply { sealed, ..Default::default() };
        Ok(Outcome::Granted(Box::new(Authorized { reply, ticket, keys: Keys { session_key, connection_secret } })))
    }
}

fn ticket_hash(authorizer: &CephxAuthorizer<'_>) -> Result<[u8; 32], Refused> {
    Ok(sha256(&[&authorizer.ticket.to_bytes()?]))
}
