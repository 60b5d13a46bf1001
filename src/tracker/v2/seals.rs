//! The keys of what is sealed in frames of v2.0 and v2.1.

use crate::auth::EntityName;
use crate::tracker::{Knowledge, SealKeys};
use crate::types::{CephxAuthenticateReply, CephxDoneReply, CephxRequestBody, CephxRequestMoreAnswer, CephxTicketBlob};
use crate::v2_0::{AuthDonePayload, AuthRequestMorePayload, AuthRequestPayload};
use crate::v2_1::Frame;
use crate::wire::{Blob, Sealed};

/// The most bytes of a ticket that is kept to be recognised: many times what one has.
const MOST_TICKET: usize = 64 << 10;

/// What the frames of a handshake say of the keys of those that follow.
#[derive(Clone, Debug, Default)]
pub(super) struct Seals {
    /// Who wants to be authenticated by a monitor.
    name: Option<EntityName>,
    /// The AUTH ticket from before that it has shown.
    old_ticket: Option<CephxTicketBlob<'static>>,
    /// The keys of the ticket that a client shows to anybody else.
    shown: SealKeys,
}

impl Seals {
    /// The keys for a frame that could be read; to be told all of them, in order.
    pub(super) fn frame(&mut self, frame: &Frame<'_>, knowledge: &Knowledge) -> SealKeys {
        match frame {
            Frame::AuthRequest(request) => {
                *self = Seals::default();
                let Some(AuthRequestPayload::Cephx(cephx)) = &request.payload else { return SealKeys::default() };
                match &cephx.body {
                    CephxRequestBody::Mon(asked) => self.name = EntityName::try_from(&asked.entity).ok(),
                    CephxRequestBody::Authorizer(shown) => self.shown = knowledge.keys_of_authorizer(shown),
                    CephxRequestBody::Other(_) => {}
                }
                self.shown.clone()
            }
            Frame::AuthRequestMore(more) => {
                let Some(AuthRequestMorePayload::Cephx(cephx)) = &more.payload else { return SealKeys::default() };
                match &cephx.answer {
                    CephxRequestMoreAnswer::Mon(answer) => {
                        let ticket = &answer.authenticate.old_ticket;
                        self.old_ticket = kept(ticket);
                        knowledge.keys_of_old_ticket(ticket)
                    }
                    CephxRequestMoreAnswer::Authorizer(shown) => {
                        self.shown = knowledge.keys_of_authorizer(&shown.authorizer);
                        self.shown.clone()
                    }
                    CephxRequestMoreAnswer::Other(_) => SealKeys::default(),
                }
            }
            Frame::AuthReplyMore(_) => self.shown.clone(),
            Frame::AuthDone(done) => match &done.payload {
                Some(AuthDonePayload::Cephx(cephx)) => match &cephx.reply {
                    CephxDoneReply::Mon(reply) => self.authenticated(done.global_id, reply, knowledge),
                    _ => self.shown.clone(),
                },
                _ => SealKeys::default(),
            },
            _ => SealKeys::default(),
        }
    }

    fn authenticated(&mut self, global_id: u64, reply: &CephxAuthenticateReply<'_>, knowledge: &Knowledge) -> SealKeys {
        let Some(name) = self.name.clone() else { return SealKeys::default() };
        let Ok(opened) = knowledge.authenticate(&name, global_id, self.old_ticket.as_ref(), reply) else {
            return SealKeys::default();
        };
        knowledge.keys_of_reply(&opened, reply)
    }
}

/// A ticket that lasts longer than the frame that it stands in; none if there is none.
fn kept(ticket: &CephxTicketBlob<'_>) -> Option<CephxTicketBlob<'static>> {
    let bytes = &ticket.ticket.bytes;
    if bytes.is_empty() || bytes.len() > MOST_TICKET {
        return None;
    }
    let ticket_bytes = Sealed::new(Blob::from(bytes.to_vec()));
    Some(CephxTicketBlob { struct_v: ticket.struct_v, secret_id: ticket.secret_id, ticket: ticket_bytes })
}
