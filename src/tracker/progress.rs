//! How far a connection has come: what is judged when it ends.

use super::order::Order;
use super::unit::{Direction, Unit, UnitKind};
use crate::wire::{End, Role};
use crate::{FindingKind, proposal, v2_1};

/// What is known of a connection's course when it ends.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    /// Which directions msgr2 was seen of.
    heard: [bool; 2],
    /// A session began or went on.
    begun: bool,
    /// Why the connection ends was told by a frame: a refusal, or a request to come again.
    told: bool,
    /// What is incomplete of the last unit of each direction.
    cut: [Option<Cut>; 2],
    ended: [Option<End>; 2],
    judged: bool,
}

/// A unit of which not all bytes came.
#[derive(Clone, Debug)]
struct Cut {
    name: String,
    came: usize,
    length: u32,
}

impl Progress {
    /// A unit was handed out, of which so many bytes were there.
    pub(super) fn unit(&mut self, unit: &Unit, came: usize, order: Option<&Order>) {
        self.heard[unit.direction as usize] = true;
        self.begun |= order.is_some_and(Order::settled);
        self.told |= explains(unit);
        let name = || name(unit).unwrap_or_else(|| "the beginning of a frame".into());
        self.cut[unit.direction as usize] = unit.cut.then(|| Cut { name: name(), came, length: unit.length });
    }

    /// Bytes of this direction are missing: where frames end in it isn't known.
    pub(super) fn lose(&mut self, direction: Direction) {
        self.cut[direction as usize] = None;
    }

    /// A direction has ended; `order` is missing if nothing is known of it. What is to be said of that.
    pub(super) fn end(&mut self, direction: Direction, how: End, order: Option<&Order>) -> Vec<(FindingKind, String)> {
        self.ended[direction as usize] = Some(how);
        let mut said = Vec::new();
        if self.heard == [false; 2] {
            return said;
        }
        let reset = self.ended.contains(&Some(End::Reset));
        if (reset || how == End::Fin)
            && let Some(Cut { name, came, length }) = self.cut[direction as usize].take()
        {
            let how = if reset { "reset" } else { "closed" };
            said.push((FindingKind::EndedInFrame, format!("{how} when {came} of {length} bytes of {name} had come")));
        }
        let over = how == End::Reset || self.ended.iter().all(Option::is_some);
        if over && !std::mem::replace(&mut self.judged, true) {
            said.extend(self.handshake(order));
        }
        said
    }

    /// What is to be said of a connection that ends before its session began.
    fn handshake(&self, order: Option<&Order>) -> Option<(FindingKind, String)> {
        let order = order?;
        if self.begun || self.told || order.is_blind() {
            return None;
        }
        let sides = [Direction::Forward, Direction::Backward];
        let (mut whose, mut due) = (None, None);
        if let Some(silent) = sides.into_iter().find(|side| !self.heard[*side as usize]) {
            // nothing of it may have been captured
            if matches!(self.ended[silent as usize], None | Some(End::Capture)) {
                return None;
            }
            (whose, due) = (Some(silent), Some("a banner".into()));
        } else if let Some((side, tags)) = order.owed() {
            (whose, due) = (Some(side), Some(tags.join(" or ")));
        } else if sides.into_iter().all(|side| order.role(side).is_none()) {
            // it isn't known yet who is the client, but it is always the client's turn
            due = order.client_owes().map(|tags| tags.join(" or "));
        }
        let role =
            whose.and_then(|side| order.role(side)).or(due.as_ref().filter(|_| whose.is_none()).map(|_| Role::Client));
        let from = role.map(|role| format!(" from the {}", role.name())).unwrap_or_default();
        let detail = due.as_ref().map(|due| format!("{due} was due{from}")).unwrap_or_default();
        if self.ended.contains(&Some(End::Reset)) {
            return Some((FindingKind::HandshakeReset, detail));
        }
        // where the capture ends the answer may come later
        if self.ended.contains(&Some(End::Capture)) {
            return None;
        }
        let silent = role == Some(Role::Client);
        Some((if silent { FindingKind::ClientSilent } else { FindingKind::HandshakeClosed }, detail))
    }
}

/// Whether a unit says why the connection will end.
fn explains(unit: &Unit) -> bool {
    let ends = |kind: FindingKind| {
        use FindingKind as F;
        matches!(
            kind,
            F::MissingFeatures
                | F::WrongProtocol
                | F::MalformedBanner
                | F::BadSignature
                | F::Denied
                | F::MethodRefused
                | F::ModeRefused
                | F::RefusedAllowed
                | F::SessionWait
        )
    };
    unit.findings.iter().any(|finding| ends(finding.kind)) || unit.inner().iter().any(explains)
}

/// What a unit is called, if that is known.
fn name(unit: &Unit) -> Option<String> {
    Some(match unit.kind {
        UnitKind::Banner => "a banner".into(),
        UnitKind::Frame(head) | UnitKind::Segments(head) => v2_1::Tag(head.tag).to_string(),
        UnitKind::Secure => v2_1::Tag(unit.secure_head()?.tag).to_string(),
        UnitKind::Plain(head) => proposal::Tag::to_string(&head.tag),
        UnitKind::Record => "a sealed record".into(),
        UnitKind::Encrypted | UnitKind::Lost | UnitKind::Ended => return None,
    })
}
