//! A client's tickets during a session, and a daemon's rotating keys.

use std::collections::VecDeque;

use crate::auth::cephx::client::{ClientError, Credentials, Due, Renewal, rotating_keys, rotating_keys_request};
use crate::auth::{ServiceKeys, Time};
use crate::crypto::Random;
use crate::messages::{MAuthReply, MAuthReplyResultBl};
use crate::types::{CephxOp, CephxServices, CephxSessionReply, CephxSessionRequest, EntityType, Errno};

/// How often tickets are looked through.
const EVERY: Time = Time::from_secs(10);
/// The same behind a refusal.
const REFUSED: Time = Time::from_secs(60);
/// How long the key in use may have ended before new ones are asked for.
const ROTATED: Time = Time::from_secs(30);

#[derive(Debug)]
pub(super) struct Tickets {
    credentials: Option<Credentials>,
    services: CephxServices,
    /// When to ask for rotating keys; never, if this is no daemon.
    rotating_at: Option<Time>,
    server_challenge: Option<u64>,
    /// What was asked and isn't answered yet.
    asked: VecDeque<Asked>,
    check_at: Time,
}

#[derive(Debug)]
enum Asked {
    Tickets(Box<Renewal>),
    Rotating,
}

/// What is to be done.
pub(super) enum Step {
    Nothing,
    Ask(CephxSessionRequest<'static>),
    Reconnect,
}

/// What an answer has brought.
pub(super) enum Got {
    /// Tickets for these services.
    Tickets(Vec<EntityType>),
    Rotating(ServiceKeys),
}

impl Tickets {
    pub(super) fn new(credentials: Option<Credentials>, services: CephxServices, rotating: bool) -> Self {
        Tickets {
            credentials,
            services,
            rotating_at: rotating.then_some(Time::ZERO),
            server_challenge: None,
            asked: VecDeque::new(),
            check_at: Time::ZERO,
        }
    }

    pub(super) fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// A session has begun, with what its handshake has brought.
    pub(super) fn begin(&mut self, credentials: Option<&Credentials>, server_challenge: Option<u64>, now: Time) {
        if credentials.is_some() {
            self.credentials = credentials.cloned();
        }
        self.server_challenge = server_challenge;
        self.asked.clear();
        // all are fresh, or it would not be established
        self.check_at = now + EVERY;
    }

    /// When [`due`](Self::due) may have something.
    pub(super) fn timeout(&self) -> Option<Time> {
        self.credentials.as_ref()?;
        let rotating = self.rotating_at.filter(|_| !self.has_asked(CephxOp::GET_ROTATING_KEY));
        Some(rotating.map_or(self.check_at, |at| at.min(self.check_at)))
    }

    pub(super) fn due(&mut self, now: Time, random: &mut dyn Random) -> Result<Step, ClientError> {
        let Some(credentials) = &self.credentials else { return Ok(Step::Nothing) };
        if self.rotating_at.is_some_and(|at| at <= now) && !self.has_asked(CephxOp::GET_ROTATING_KEY) {
            self.asked.push_back(Asked::Rotating);
            return Ok(Step::Ask(rotating_keys_request()));
        }
        if now < self.check_at {
            return Ok(Step::Nothing);
        }
        self.check_at = now + EVERY;
        if self.asked.iter().any(|asked| matches!(asked, Asked::Tickets(_))) {
            return Ok(Step::Nothing);
        }
        match credentials.renewal(self.services, self.server_challenge, now, random)? {
            Due::Nothing => Ok(Step::Nothing),
            Due::Reconnect => Ok(Step::Reconnect),
            Due::Ask(renewal) => {
                let request = renewal.request().clone();
                self.asked.push_back(Asked::Tickets(renewal));
                Ok(Step::Ask(request))
            }
        }
    }

    fn has_asked(&self, op: CephxOp) -> bool {
        self.asked.iter().any(|asked| asked.op() == op)
    }

    /// An answer; `None` if nothing was asked.
    pub(super) fn answered(&mut self, reply: &MAuthReply<'_>, now: Time) -> Option<Result<Got, ClientError>> {
        let none = CephxSessionReply::default();
        let (op, body) = match &reply.result_bl {
            Some(MAuthReplyResultBl::Cephx(body)) => (Some(body.op), body),
            // a refusal needs to say no more; it belongs to what was asked first
            _ => (None, &none),
        };
        let index = self.asked.iter().position(|asked| op.is_none_or(|op| op == asked.op()))?;
        let asked = self.asked.remove(index)?;
        let got = match reply.result {
            Errno::OK => self.take(&asked, body, now),
            result => Err(ClientError::Status(result)),
        };
        match (&got, &asked) {
            (Err(_), Asked::Rotating) => self.rotating_at = Some(now + REFUSED),
            (Err(_), Asked::Tickets(_)) => self.check_at = now + REFUSED,
            // behind the AUTH ticket come the others
            (Ok(_), Asked::Tickets(_)) => self.check_at = now,
            (Ok(_), Asked::Rotating) => {}
        }
        Some(got)
    }

    fn take(&mut self, asked: &Asked, reply: &CephxSessionReply<'_>, now: Time) -> Result<Got, ClientError> {
        let Some(credentials) = &mut self.credentials else { return Err(ClientError::NoBody) };
        match asked {
            Asked::Tickets(renewal) => {
                let tickets = renewal.finish(Errno::OK, reply, now)?;
                let services = tickets.iter().map(|ticket| ticket.service).collect();
                credentials.renewed(tickets);
                Ok(Got::Tickets(services))
            }
            Asked::Rotating => {
                let name = credentials.name();
                let keys = rotating_keys(name, credentials.key(), Errno::OK, reply)?;
                let current = keys.current(name.kind).map(|(id, _)| id);
                let ends = current.and_then(|id| keys.expires(name.kind, id)).unwrap_or(Time::MAX);
                // the keys of a moment ago would be the same
                self.rotating_at = Some(ends.max(now).saturating_add(ROTATED));
                Ok(Got::Rotating(keys))
            }
        }
    }
}

impl Asked {
    fn op(&self) -> CephxOp {
        match self {
            Asked::Tickets(renewal) => renewal.request().op,
            Asked::Rotating => CephxOp::GET_ROTATING_KEY,
        }
    }
}
