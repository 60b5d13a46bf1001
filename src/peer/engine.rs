//! What runs the spec's tables of states.
//!
//! A frame is looked up in the table of the state; the first move whose guard holds is made: its actions are done, its
//! frames are sent, in this order, and its state is the next. What guards mean, what actions do and what is in the
//! frames says each dialect.

use super::link::Link;
use super::shared::Shared;
use super::{Dropped, Error, Tag, Why};
use crate::wire::State;
use crate::{Action, Guard};

/// One side of a connection whose states the spec has.
pub(super) trait Engine {
    /// A whole frame as it was received.
    type Received;
    /// What is in a frame.
    type Frame<'f>;

    fn link(&self) -> &Link;
    fn link_mut(&mut self) -> &mut Link;

    /// The states of this side.
    fn table(&self) -> &'static [State<Guard, Action>];

    /// A tag's number in this dialect.
    fn tag(number: u8) -> Tag;

    /// The number of a frame's tag.
    fn number(received: &Self::Received) -> u8;

    /// Reads a frame. `None` can't be read, and yet moves the state.
    fn decode<'f>(&mut self, shared: &Shared, received: &'f Self::Received) -> Result<Option<Self::Frame<'f>>, Error>;

    /// What is in a frame of the handshake, for people; `None` for others.
    fn describe(frame: &Self::Frame<'_>) -> Option<String>;

    /// Holds a frame against what no guard says, and takes from it what guards want to know.
    fn check(&mut self, shared: &mut Shared, frame: &Self::Frame<'_>) -> Result<(), Error>;

    /// Whether a guard holds.
    fn holds(&self, shared: &Shared, guard: Guard, frame: Option<&Self::Frame<'_>>) -> bool;

    /// Does an action.
    fn act(
        &mut self,
        shared: &mut Shared,
        action: Action,
        received: Option<&Self::Received>,
        frame: Option<&Self::Frame<'_>>,
    ) -> Result<(), Error>;

    /// Sends a frame that a move names.
    fn send(&mut self, shared: &mut Shared, tag: u8) -> Result<(), Error>;

    /// Why it is over now that a frame has led to an end; `None` if it isn't yet.
    fn why_closed(&self, frame: Option<&Self::Frame<'_>>) -> Option<Why>;

    /// The row of the table for the state.
    fn row(&self) -> &'static State<Guard, Action> {
        &self.table()[usize::from(self.link().state)]
    }

    /// Whether nothing leads out of the state.
    fn at_end(&self) -> bool {
        let row = self.row();
        row.on.is_empty() && row.acts.is_empty()
    }

    /// A frame takes effect.
    fn step(&mut self, shared: &mut Shared, received: &Self::Received) -> Result<(), Error> {
        let number = Self::number(received);
        let (row, tag) = (self.row(), Self::tag(number));
        let moves = row.moves(number);
        if moves.is_empty() {
            let unknown = tag.name().is_none();
            let not_allowed = Error::NotAllowed { state: row.name, tag };
            return Err(if unknown { Error::UnknownTag { tag: number } } else { not_allowed });
        }
        if let [only] = moves
            && only.actions == [Action::Drop]
        {
            shared.drop_frame(self.link().id, Dropped::Request);
            self.link_mut().state = only.to;
            return Ok(());
        }
        let frame = self.decode(shared, received)?;
        if let Some(frame) = &frame {
            if shared.config.report_handshake
                && let Some(text) = Self::describe(frame)
            {
                self.link().report(shared, false, tag.name().unwrap_or("?"), text);
            }
            self.check(shared, frame)?;
        }
        self.make(shared, number, Some(received), frame.as_ref())
    }

    /// Makes the first move whose guard holds; 0 is the number of the banner.
    fn make(
        &mut self,
        shared: &mut Shared,
        number: u8,
        received: Option<&Self::Received>,
        frame: Option<&Self::Frame<'_>>,
    ) -> Result<(), Error> {
        let row = self.row();
        let held = |guard: Option<Guard>| guard.is_none_or(|guard| self.holds(shared, guard, frame));
        let chosen = row.moves(number).iter().find(|chosen| held(chosen.guard));
        let chosen = chosen.ok_or(Error::NotAllowed { state: row.name, tag: Self::tag(number) })?;
        for &action in chosen.actions {
            self.act(shared, action, received, frame)?;
        }
        for &tag in chosen.sends {
            self.send(shared, tag)?;
        }
        self.link_mut().state = chosen.to;
        if self.at_end() && self.link().over.is_none() {
            self.link_mut().over = self.why_closed(frame);
        }
        Ok(())
    }

    /// Sends a frame on this side's own initiative.
    fn act_with(&mut self, shared: &mut Shared, number: u8) -> Result<(), Error> {
        let row = self.row();
        let held = |guard: Option<Guard>| guard.is_none_or(|guard| self.holds(shared, guard, None));
        let chosen = row.acting(number).iter().find(|chosen| held(chosen.guard));
        let chosen = chosen.ok_or(Error::NotAllowed { state: row.name, tag: Self::tag(number) })?;
        self.send(shared, number)?;
        for &tag in chosen.sends {
            self.send(shared, tag)?;
        }
        self.link_mut().state = chosen.to;
        Ok(())
    }
}
