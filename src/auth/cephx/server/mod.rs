//! cephx as the one who is connected to: a monitor, which gives tickets, or a service, which takes them.

mod monitor;
mod refused;
mod service;
mod session;
mod ticket;

pub use monitor::{Authenticated, Authority, Lifetimes, NoAuthKey};
pub use refused::Refused;
pub use service::{Authorized, Expected, Outcome, Pending, Round};
pub use session::SessionOf;
pub use ticket::TicketInfo;
pub(super) use ticket::ticket_info;

use crate::crypto::{Random, number};

/// A new random challenge, never 0.
pub fn challenge(random: &mut dyn Random) -> u64 {
    // a source that says 0 again and again is broken, and must not hang us
    (0..8).map(|_| number(random)).find(|number| *number != 0).unwrap_or(1)
}
