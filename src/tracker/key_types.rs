//! Whose keys are of which type: told by lengths, whether anything can be opened or not.

use std::fmt;

use crate::FindingKind;
use crate::auth::{EntityName, key_type};
use crate::tracker::Unit;
use crate::types::{CephxAuthenticateReply, CephxAuthorizer, CephxTicketTicket, CryptoType, EntityTypeWord};

/// Whose key it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyOwner {
    /// A client's own key.
    Client(Option<EntityName>),
    /// The key with which the tickets for a service are sealed.
    Service(EntityTypeWord),
}

impl fmt::Display for KeyOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyOwner::Client(Some(name)) => name.fmt(f),
            KeyOwner::Client(None) => f.write_str("the client"),
            KeyOwner::Service(service) => write!(f, "service {service}"),
        }
    }
}

/// A key, and its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// Whose it is.
    pub owner: KeyOwner,
    /// What it is for.
    pub kind: CryptoType,
}

impl KeyUse {
    /// The type's name, as `ceph auth` has it.
    pub fn name(&self) -> &'static str {
        match self.kind {
            CryptoType::AES256KRB5 => "aes256k",
            _ => "aes",
        }
    }
}

impl fmt::Display for KeyUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.owner, self.name())
    }
}

/// The keys that a monitor's answer to a client shows.
pub(super) fn of_login(client: Option<EntityName>, reply: &CephxAuthenticateReply<'_>) -> Vec<KeyUse> {
    let mut found = Vec::new();
    let own =
        reply.tickets.tickets.first().and_then(|ticket| key_type::of_service_ticket(ticket.service_ticket.bytes.len()));
    if let Some((kind, _)) = own {
        found.push(KeyUse { owner: KeyOwner::Client(client), kind });
    }
    let more = reply.service_tickets.iter().flatten().flat_map(|list| &list.tickets);
    for ticket in reply.tickets.tickets.iter().chain(more) {
        let session = key_type::of_service_ticket(ticket.service_ticket.bytes.len()).map(|(_, session)| session);
        // sealed once more it shows nothing
        if let Some(CephxTicketTicket::Plain(blob)) = &ticket.ticket
            && let Some(kind) = key_type::of_ticket(blob.ticket.bytes.len(), session)
        {
            found.push(KeyUse { owner: KeyOwner::Service(ticket.service), kind });
        }
    }
    found
}

/// The key that a ticket shown to a service shows.
pub(super) fn of_authorizer(shown: &CephxAuthorizer<'_>) -> Vec<KeyUse> {
    let kind = key_type::of_ticket(shown.ticket.ticket.bytes.len(), key_type::of_proof(shown.proof.bytes.len()));
    kind.map(|kind| KeyUse { owner: KeyOwner::Service(shown.service), kind }).into_iter().collect()
}

/// Notes the keys at a unit, and reports those of the old type.
pub(super) fn note(unit: &mut Unit, keys: Vec<KeyUse>) {
    let old: Vec<String> =
        keys.iter().filter(|key| key.kind == CryptoType::AES).map(|key| key.owner.to_string()).collect();
    if !old.is_empty() {
        unit.report(FindingKind::OldKeyType, 0, unit.length as usize, old.join(", "));
    }
    unit.key_types = keys;
}
