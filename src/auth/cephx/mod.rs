//! cephx: who has a secret gets tickets from a monitor, and shows them to everybody else.
//!
//! These are the parts of the exchange that all dialects share: from structures to structures. Which frames carry them,
//! and what stands in front, is the dialects' business.

pub mod client;
pub mod passive;
pub mod server;

#[cfg(test)]
mod tests;

use super::Key;
use crate::crypto::{Random, Secret};
use crate::types::{CephxServices, CephxTicketBlob, EntityType, EntityTypeWord};
use crate::wire::Sealed;

/// The most bytes of a connection secret: what the spec allows.
pub const LONGEST_CONNECTION_SECRET: usize = 256;

/// The version of authorizers.
const AUTHORIZER_VERSION: u8 = 1;

/// What both sides have at the end, whichever way they took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The key of the new AUTH session, or of the ticket that was shown.
    pub session_key: Key,
    /// The random bytes that the server made for this connection; empty if it made none.
    pub connection_secret: Secret,
}

/// The service of an `EntityTypeWord`, if it is one that fits a byte.
fn service(word: EntityTypeWord) -> Option<EntityType> {
    u8::try_from(word.0).ok().map(EntityType)
}

fn word(service: EntityType) -> EntityTypeWord {
    EntityTypeWord(service.0.into())
}

/// The bit of a service in the words that ask for tickets.
fn bit(service: EntityType) -> CephxServices {
    CephxServices(service.0.into())
}

/// Whether a word that asks for tickets asks for one of this service.
fn asks(word: CephxServices, service: EntityType) -> bool {
    service.0.is_power_of_two() && word.contains(bit(service))
}

/// A ticket as it is held and shown.
fn blob(secret_id: u64, bytes: &[u8]) -> CephxTicketBlob<'static> {
    CephxTicketBlob { secret_id, ticket: Sealed::new(bytes.to_vec().into()), ..Default::default() }
}

/// A secret for a connection, no longer than the spec allows.
fn connection_secret(length: usize, random: &mut dyn Random) -> Secret {
    Secret::random(length.min(LONGEST_CONNECTION_SECRET), random)
}
