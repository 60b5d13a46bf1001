//! Tickets as the service that they are for sees them.

use super::{Expected, Refused};
use crate::auth::{EntityName, Key, ServiceKeys, Time, time, utime};
use crate::types::{CephxTicketBlob, EntityType};

/// What a ticket says about its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketInfo {
    /// Who it is.
    pub name: EntityName,
    /// Its id in the cluster.
    pub global_id: u64,
    /// When the ticket was made.
    pub created: Time,
    /// When it ends.
    pub expires: Time,
    /// Whether everything is allowed.
    pub allow_all: bool,
    /// What is allowed: an encoded string, or nothing.
    pub caps: Vec<u8>,
}

impl TicketInfo {
    /// Whether it is that of who shows it, and still good.
    pub(super) fn check(&self, expected: &Expected<'_>, shown_global_id: u64, now: Time) -> Result<(), Refused> {
        if let Some(name) = expected.name.filter(|name| **name != self.name) {
            return Err(Refused::Name { found: self.name.clone(), expected: name.clone() });
        }
        let ids = [Some(shown_global_id), expected.global_id];
        if let Some(other) = ids.into_iter().flatten().find(|id| *id != self.global_id) {
            return Err(Refused::GlobalId { found: self.global_id, expected: other });
        }
        if self.expires <= now {
            return Err(Refused::Expired { name: self.name.clone(), expires: utime(self.expires) });
        }
        Ok(())
    }
}

impl ServiceKeys {
    /// Opens a ticket of a service.
    pub(super) fn open_ticket(
        &self,
        service: EntityType,
        ticket: &CephxTicketBlob<'_>,
    ) -> Result<(TicketInfo, Key), Refused> {
        let secret_id = ticket.secret_id;
        let key = self.get(service, secret_id).ok_or(Refused::NoServiceKey { service, secret_id })?;
        // why it doesn't is not for the client to learn, by the answer's number or otherwise
        ticket_info(ticket, key).ok_or(Refused::TicketNotOpened)
    }
}

/// What a ticket says, and the session key in it, if it opens with a service's key and can be read.
pub(in crate::auth::cephx) fn ticket_info(ticket: &CephxTicketBlob<'_>, key: &Key) -> Option<(TicketInfo, Key)> {
    ticket
        .ticket
        .take(key, |info| {
            let ticket = info.ticket;
            let ticket = TicketInfo {
                name: EntityName::try_from(&ticket.name).ok()?,
                global_id: ticket.global_id,
                created: time(ticket.created),
                expires: time(ticket.expires),
                allow_all: ticket.caps.allow_all.get(),
                caps: ticket.caps.caps.to_vec(),
            };
            Some((ticket, Key::from_wire(&info.session_key).ok()?))
        })
        .ok()
        .flatten()
}
