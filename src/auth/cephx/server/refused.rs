//! Refusals: what the log says, and what the client is told.

use crate::auth::{EntityName, KeyError, SealError};
use crate::types::{CephxOp, EntityType, Errno};
use crate::wire::Utime;

/// Why a client is refused. The client is told [`Refused::errno`] only; the rest is for logs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It asks for something else than is served here.
    #[error("asks for {0:?}")]
    Op(CephxOp),
    /// A structure has a version that isn't served.
    #[error("{what} has version {found}")]
    Version {
        /// Which structure.
        what: &'static str,
        /// Its version.
        found: u8,
    },
    /// Nobody has this name.
    #[error("nobody is called {0}")]
    UnknownName(EntityName),
    /// The proof is wrong: it was made with another key.
    #[error("the key of {0} is another")]
    WrongKey(EntityName),
    /// A new id is wanted, and yet an old ticket shown.
    #[error("an old ticket, but no old global_id")]
    UnwantedTicket,
    /// An id is to be resumed without its ticket.
    #[error("global_id {0} is to be resumed without a ticket")]
    NoTicket(u64),
    /// The service here has no keys at all.
    #[error("there are no keys for service {0}")]
    NotServed(EntityType),
    /// The ticket is for another service.
    #[error("the ticket is for service {found}, this is {expected}")]
    Service {
        /// What the authorizer says.
        found: u32,
        /// What is here.
        expected: EntityType,
    },
    /// The service key that seals the ticket isn't there, or no longer.
    #[error("no key {secret_id} of service {service}")]
    NoServiceKey {
        /// The service.
        service: EntityType,
        /// The key's number.
        secret_id: u64,
    },
    /// The ticket doesn't open, or what it holds can't be read.
    #[error("the ticket doesn't open")]
    TicketNotOpened,
    /// The ticket has ended.
    #[error("the ticket of {name} has ended at {expires}")]
    Expired {
        /// Whose it is.
        name: EntityName,
        /// Until when it was good.
        expires: Utime,
    },
    /// The ticket is somebody else's.
    #[error("the ticket is of {found}, not of {expected}")]
    Name {
        /// Whose it is.
        found: EntityName,
        /// Who shows it.
        expected: EntityName,
    },
    /// The ticket is for another id.
    #[error("the ticket is for global_id {found}, not {expected}")]
    GlobalId {
        /// Whose it is.
        found: u64,
        /// Who shows it.
        expected: u64,
    },
    /// The proof doesn't open: who shows the ticket hasn't its session key.
    #[error("the proof of the ticket's owner doesn't open")]
    ProofNotOpened,
    /// A challenge is answered that nobody gave.
    #[error("a challenge is answered, and there was none")]
    UnaskedAnswer,
    /// The challenge isn't answered, or wrongly.
    #[error("the answer to the challenge is wrong")]
    WrongAnswer,
    /// Ticket or nonce aren't those of the round before.
    #[error("not the ticket and nonce of the first round")]
    OtherAuthorizer,
    /// Another AUTH ticket is asked for in a session whose handshake had no challenge.
    #[error("there was no challenge in the session's handshake")]
    NoChallenge,
    /// Rotating keys are asked for by somebody who is no service.
    #[error("there are no rotating keys for {0}")]
    NoRotatingKeys(EntityName),
    /// The server can't make a key or write an answer.
    #[error("the server can't answer: {0}")]
    Internal(String),
}

impl Refused {
    /// What the client is told: -13 for all that has to do with keys and tickets, -22 for what can't be read or makes no
    /// sense, -95 for what isn't served.
    pub fn errno(&self) -> Errno {
        match self {
            Refused::Op(_) | Refused::Version { .. } | Refused::UnwantedTicket => Errno::EINVAL,
            Refused::NotServed(_) => Errno::EOPNOTSUPP,
            Refused::UnknownName(_)
            | Refused::WrongKey(_)
            | Refused::NoTicket(_)
            | Refused::Service { .. }
            | Refused::NoServiceKey { .. }
            | Refused::TicketNotOpened
            | Refused::Expired { .. }
            | Refused::Name { .. }
            | Refused::GlobalId { .. }
            | Refused::ProofNotOpened
            | Refused::UnaskedAnswer
            | Refused::WrongAnswer
            | Refused::OtherAuthorizer
            | Refused::NoChallenge
            | Refused::NoRotatingKeys(_)
            | Refused::Internal(_) => Errno::EACCES,
        }
    }
}

impl From<KeyError> for Refused {
    fn from(error: KeyError) -> Self {
        Refused::Internal(error.to_string())
    }
}

impl From<SealError> for Refused {
    fn from(error: SealError) -> Self {
        Refused::Internal(error.to_string())
    }
}

impl From<crate::wire::Error> for Refused {
    fn from(error: crate::wire::Error) -> Self {
        Refused::Internal(error.to_string())
    }
}
