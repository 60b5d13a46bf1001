//! What an endpoint asks of a connection, whatever is spoken on it.

use std::ops::{Deref, DerefMut};

use super::link::Link;
use super::shared::Shared;
use super::{ConnectionId, Error, Family, SessionId, Time, Why, proposal, v2};
use crate::wire::Role;

/// A connection of some dialect. An error ends it.
pub(super) trait Protocol: Send {
    fn link(&self) -> &Link;
    fn link_mut(&mut self) -> &mut Link;

    /// The name of the state, for tests and messages.
    fn state_name(&self) -> &'static str;

    /// Whether it has come to an end, but may still have something to send.
    fn is_closed(&self) -> bool;

    /// Bytes came.
    fn receive(&mut self, shared: &mut Shared, bytes: &[u8]) -> Result<(), Error>;

    /// How many bytes are kept until more come.
    fn buffered(&self) -> usize;

    /// Whether there is something to send.
    fn wants_transmit(&self, shared: &Shared) -> bool;

    /// Appends what is to be sent, until `room` bytes are reached.
    fn transmit(&mut self, shared: &mut Shared, out: &mut Vec<u8>, room: usize) -> Result<(), Error>;

    /// When something is due, at the latest.
    fn deadline(&self, shared: &Shared) -> Option<Time>;

    /// Does what is due.
    fn tick(&mut self, shared: &mut Shared) -> Result<(), Error>;

    /// It ends at once: nothing of what waits is sent.
    fn fail(&mut self, why: Why);

    /// What was received in part won't be completed.
    fn drop_held(&mut self, _: &mut Shared) {}

    /// The next frame goes out without its signature, as from a faulty peer.
    #[cfg(test)]
    fn forget_signature(&mut self) {}
}

// what the endpoint knows of a connection is there without a detour
impl Deref for dyn Protocol {
    type Target = Link;

    fn deref(&self) -> &Link {
        self.link()
    }
}

impl DerefMut for dyn Protocol {
    fn deref_mut(&mut self) -> &mut Link {
        self.link_mut()
    }
}

/// A connection of the endpoint's family of dialects that has just been made, with what goes out at once.
pub(super) fn begin(
    id: ConnectionId,
    role: Role,
    session: Option<SessionId>,
    shared: &mut Shared,
) -> Result<Box<dyn Protocol>, Error> {
    Ok(match shared.config.family {
        Family::Proposal => Box::new(proposal::Connection::new(id, role, session, shared)?),
        Family::Msgr2 => Box::new(v2::Connection::new(id, role, session, shared)?),
    })
}
