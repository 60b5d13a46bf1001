//! What is heard within a monitor's sessions: renewed tickets, and rotating keys, which open all that is shown to a
//! service.

use super::{Learnt, Shut, session_key};
use crate::auth::{EntityName, Key};
use crate::types::{
    CephxSessionReply, CephxSessionReplyBody, CephxSessionRequest, CephxSessionRequestBody, CephxTicketBlob,
    CephxTicketList,
};

/// A session with a monitor, as far as it was heard.
#[derive(Clone, Copy, Debug)]
pub struct InSession<'s> {
    /// Whose it is.
    pub name: &'s EntityName,
    /// The key of its AUTH session: from the handshake, or of the last AUTH ticket since.
    pub session_key: Option<&'s Key>,
    /// What the reply answers, if that was heard.
    pub request: Option<&'s CephxSessionRequest<'s>>,
}

/// The keys of a reply within a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renewed {
    /// A new AUTH ticket: with the keys that open it.
    Auth {
        /// The owner's long-term key.
        principal: Key,
        /// The AUTH session's key from before, if it is known; a resealed ticket opens with it.
        old_session_key: Option<Key>,
        /// That of the new AUTH ticket.
        session_key: Key,
    },
    /// Tickets for services, which open with this key.
    Tickets {
        /// The key of the AUTH ticket that was shown.
        session_key: Key,
    },
    /// Rotating keys, which open with the daemon's long-term key.
    Rotating {
        /// That key.
        principal: Key,
    },
    /// A refusal: it holds nothing.
    Nothing,
}

impl Learnt {
    /// A monitor has answered within a session: learns tickets and rotating keys, and returns the keys that open them.
    pub fn in_session(&mut self, session: &InSession<'_>, reply: &CephxSessionReply<'_>) -> Result<Renewed, Shut> {
        match &reply.body {
            Some(CephxSessionReplyBody::GetAuthSessionKey(renewed)) => {
                let services = renewed.service_tickets.as_ref().and_then(Option::as_ref);
                let old_ticket = session.request.and_then(|request| match &request.body {
                    CephxSessionRequestBody::GetAuthSessionKey(asked) => Some(&asked.old_ticket),
                    _ => None,
                });
                let shown = old_ticket.and_then(|ticket| self.session_key(ticket)).or(session.session_key).cloned();
                let (principal, session_key) =
                    self.learn_tickets(session.name, &renewed.tickets, services, shown.as_ref())?;
                Ok(Renewed::Auth { principal, old_session_key: shown, session_key })
            }
            Some(CephxSessionReplyBody::GetPrincipalSessionKey(list)) => {
                let shown = session.request.and_then(|request| match &request.body {
                    CephxSessionRequestBody::GetPrincipalSessionKey(asked) => Some(&asked.ticket),
                    _ => None,
                });
                let session_key = self.key_of_tickets(list, shown, session)?;
                self.learn_service_tickets(list, &session_key);
                Ok(Renewed::Tickets { session_key })
            }
            Some(CephxSessionReplyBody::GetRotatingKey(secrets)) => {
                let name = session.name;
                let entity = self.keyring.get(name).ok_or_else(|| Shut::NoKey(name.clone()))?;
                let opened = entity.keys().find_map(|key| {
                    let keys = secrets.sealed.take(key, |secrets| {
                        let keys = secrets.secrets.iter();
                        keys.filter_map(|(id, held)| Some((*id, Key::from_wire(&held.key).ok()?))).collect::<Vec<_>>()
                    });
                    Some((key.clone(), keys.ok()?))
                });
                let (principal, keys) = opened.ok_or_else(|| Shut::KeyDiffers(name.clone()))?;
                for (id, key) in keys {
                    self.add_service_key(name.kind, id, key);
                }
                Ok(Renewed::Rotating { principal })
            }
            Some(CephxSessionReplyBody::Other(_)) | None => Ok(Renewed::Nothing),
        }
    }

    /// The AUTH session's key that opens a list of tickets: that of the ticket that was shown for them, or the session's.
    fn key_of_tickets(
        &self,
        list: &CephxTicketList<'_>,
        shown: Option<&CephxTicketBlob<'_>>,
        session: &InSession<'_>,
    ) -> Result<Key, Shut> {
        let shown = shown.and_then(|ticket| self.session_key(ticket));
        let mut candidates = shown.into_iter().chain(session.session_key);
        let opens = |key: &&Key| list.tickets.first().is_none_or(|ticket| session_key(ticket, key).is_some());
        candidates.find(opens).cloned().ok_or_else(|| Shut::NoAuthSession(session.name.clone()))
    }
}
