//! Sessions with monitors: the tickets and the rotating keys that go through them open other connections.

use std::collections::VecDeque;

use crate::Context;
use crate::auth::cephx::passive::{InSession, Renewed};
use crate::auth::{EntityName, Key};
use crate::messages::{Body, MAuthPayload, MAuthReplyResultBl};
use crate::tracker::{Knowledge, SealKeys};
use crate::types::{CephxSessionRequest, MessageType};
use crate::v2_1::Message;
use crate::wire::Segments;

/// How many requests may wait for their replies, and the most bytes of one.
const MOST_REQUESTS: usize = 8;
const MOST_REQUEST: usize = 64 << 10;

/// A session with a monitor whose handshake could be opened.
#[derive(Clone, Debug)]
pub(super) struct MonSession {
    name: EntityName,
    /// Of the AUTH ticket: the handshake's, or of the last one since.
    session_key: Key,
    /// Requests without a reply yet: version and front of each.
    requests: VecDeque<(u16, Box<[u8]>)>,
}

impl MonSession {
    /// That of this entity.
    pub(super) fn new(name: EntityName, session_key: Key) -> Self {
        MonSession { name, session_key, requests: VecDeque::new() }
    }

    /// A message. Of one about authentication the keys are returned of what is sealed in it.
    pub(super) fn message(
        &mut self,
        message: &Message<'_>,
        segments: &Segments<'_>,
        context: &Context,
        knowledge: &Knowledge,
    ) -> Option<SealKeys> {
        let version = message.header.version;
        match message.header.r#type {
            MessageType::AUTH => {
                if self.requests.len() == MOST_REQUESTS {
                    self.requests.pop_front();
                }
                let front = segments.bytes(1);
                let kept = if front.len() <= MOST_REQUEST { front.into() } else { Box::default() };
                self.requests.push_back((version, kept));
                Some(self.keys(knowledge))
            }
            MessageType::AUTH_REPLY => {
                let request = self.requests.pop_front();
                let body = Body::decode(MessageType::AUTH_REPLY, version, segments, context, &mut ());
                let reply = match body {
                    Some(Ok(Body::AuthReply(reply))) => reply.result_bl,
                    _ => None,
                };
                let Some(MAuthReplyResultBl::Cephx(reply)) = reply else { return Some(self.keys(knowledge)) };
                let request = request.as_ref().and_then(|(version, front)| asked(*version, front, context));
                let session =
                    InSession { name: &self.name, session_key: Some(&self.session_key), request: request.as_ref() };
                match knowledge.in_session(&session, &reply) {
                    Ok(Renewed::Auth { principal, old_session_key, session_key }) => {
                        self.session_key = session_key.clone();
                        let old = old_session_key.into_iter();
                        Some(SealKeys::new([principal, session_key].into_iter().chain(old)))
                    }
                    Ok(Renewed::Tickets { session_key }) => Some(SealKeys::new([session_key])),
                    Ok(Renewed::Rotating { principal }) => Some(SealKeys::new([principal])),
                    Ok(Renewed::Nothing) | Err(_) => Some(self.keys(knowledge)),
                }
            }
            _ => None,
        }
    }

    fn keys(&self, knowledge: &Knowledge) -> SealKeys {
        knowledge.keys_of_entity(&self.name, Some(&self.session_key))
    }
}

/// What cephx is asked in a message.
fn asked<'f>(version: u16, front: &'f [u8], context: &Context) -> Option<CephxSessionRequest<'f>> {
    let segments = Segments::new([(0, &[]), (0, front), (0, &[]), (0, &[])]);
    match Body::decode(MessageType::AUTH, version, &segments, context, &mut ())?.ok()? {
        Body::Auth(request) => match request.payload? {
            MAuthPayload::Cephx(request) => Some(request),
            MAuthPayload::Other(_) => None,
        },
        _ => None,
    }
}
