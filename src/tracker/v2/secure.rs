//! Frames in secure mode.
//!
//! Where a frame begins, and which nonce is due, is known as long as all frames before it were there. Behind a gap
//! v2.0 is over; in v2.1 the beginning of a frame authenticates by itself, so it can be searched for.

use std::sync::Arc;

use super::nonces::Search;
use super::{Connection, Phase};
use crate::FindingKind;
use crate::auth::cephx::Keys;
use crate::frame::secure::{self, ConnectionKey, Opener};
use crate::frame::{Head, Revision};
use crate::tracker::Step;
use crate::tracker::unit::{Direction, Mode, Opens, Sealed, Unit, UnitKind};
use crate::wire::Role;

/// The bytes of a direction that are searched for frames behind gaps, all together.
const MOST_SEARCHED: usize = 16 << 20;

/// A direction in secure mode, with its key.
#[derive(Clone, Debug)]
pub(super) struct Secure {
    opener: Arc<Opener>,
    /// The encryptions before the next frame, of which each has taken a nonce; after a gap there were at least so many.
    op: u64,
    /// Behind a gap: what finds the next frame.
    search: Option<Arc<Search>>,
    /// The bytes that may still be searched.
    left: usize,
}

impl Connection {
    /// Everything behind an AUTH_DONE is encrypted.
    pub(super) fn begin_secure(&mut self, server: Direction, keys: &Keys) {
        // an AUTH_DONE was read, and that takes the revision
        let revision = self.revision.unwrap_or(Revision::V2_1);
        let Ok(key) = ConnectionKey::new(&keys.connection_secret, revision) else {
            return self.shut("the connection secret is too short for secure mode".into());
        };
        for (direction, role) in [(server, Role::Server), (server.other(), Role::Client)] {
            let side = &mut self.sides[direction as usize];
            let searching = matches!(side.phase, Phase::Search { .. });
            side.phase = Phase::Secure;
            side.secure = Some(Secure { opener: Arc::new(key.opener(role)), op: 0, search: None, left: MOST_SEARCHED });
            if searching {
                self.secure_gap(direction);
            }
        }
    }

    /// Both directions are encrypted, and nothing opens them.
    pub(super) fn shut(&mut self, why: String) {
        for side in &mut self.sides {
            side.phase = Phase::Encrypted;
        }
        self.order = None;
        self.shut = Some(why);
    }

    /// Bytes of a direction in secure mode are missing.
    pub(super) fn secure_gap(&mut self, direction: Direction) {
        let side = &mut self.sides[direction as usize];
        let Some(secure) = &mut side.secure else { return };
        match secure.opener.revision() {
            Revision::V2_1 => secure.search = Some(Arc::new(Search::new(&secure.opener, secure.op))),
            Revision::V2_0 => {
                side.phase = Phase::Encrypted;
                self.shut.get_or_insert_with(|| "bytes are missing before them, and v2.0 ends with that".into());
            }
        }
    }

    /// Bytes of which nothing more can be said.
    pub(super) fn encrypted(&mut self, direction: Direction, bytes: &[u8]) -> Unit {
        let mut unit = self.unit(UnitKind::Encrypted, direction, bytes.len());
        if let Some(why) = self.shut.take() {
            unit.report(FindingKind::Encrypted, 0, bytes.len(), why);
        }
        unit
    }

    /// The next frame of a direction.
    pub(super) fn secure(&mut self, direction: Direction, bytes: &[u8], more: bool) -> Step {
        let Some(secure) = self.sides[direction as usize].secure.clone() else {
            return Step::Unit(self.encrypted(direction, bytes));
        };
        let need = secure.opener.head_len();
        if bytes.len() < need {
            return if more { Step::Need(need) } else { Step::Unit(self.rest(direction, bytes)) };
        }
        if let Some(search) = &secure.search {
            return self.find(direction, &secure, search, bytes, more);
        }
        let head = match secure.opener.head(secure.op, &bytes[..need]) {
            Ok(head) => head,
            Err(error) => {
                let mut unit = self.unit(UnitKind::Encrypted, direction, need);
                unit.report(FindingKind::BadSecureFrame, 0, need, error.to_string());
                self.gap(direction);
                return Step::Unit(unit);
            }
        };
        let length = secure.opener.frame_len(&head);
        if bytes.len() < length && more {
            return Step::Need(length);
        }
        let ops = secure.opener.ops(&head);
        if let Some(secure) = &mut self.sides[direction as usize].secure {
            secure.op = secure.op.saturating_add(ops);
        }
        Step::Unit(self.secure_frame(direction, &secure, head, length, bytes))
    }

    fn secure_frame(&mut self, direction: Direction, secure: &Secure, head: Head, length: usize, bytes: &[u8]) -> Unit {
        let mut unit = self.unit(UnitKind::Secure, direction, length);
        unit.cut = bytes.len() < length;
        let mut units = Vec::new();
        let mut view = Vec::new();
        if unit.cut {
            self.follow_order(&mut unit, head.tag, false);
        } else {
            match secure.opener.open(secure.op, &head, &bytes[..length], &mut view) {
                Ok(()) => {
                    let mut inner = self.unit(UnitKind::Frame(head), direction, view.len());
                    inner.mode = Mode::Secure;
                    let opened = secure::open_view(&head, secure.opener.revision(), &view);
                    self.take(&mut inner, &head, &opened);
                    (unit.context, unit.sender) = (inner.context, inner.sender);
                    units.push(inner);
                }
                Err(error) => {
                    unit.report(FindingKind::BadSecureFrame, 0, length, error.to_string());
                    // what it was can't be known
                    if let Some(order) = &mut self.order {
                        order.gap(direction);
                    }
                }
            }
        }
        let how = Opens::Frame { op: secure.op, head, opener: secure.opener.clone() };
        unit.sealed = Some(Box::new(Sealed { units, how }));
        unit
    }

    /// Fewer bytes than the beginning of a frame has, and no more will come.
    fn rest(&mut self, direction: Direction, bytes: &[u8]) -> Unit {
        let mut unit = self.unit(UnitKind::Encrypted, direction, bytes.len());
        unit.cut = true;
        self.gap(direction);
        unit
    }

    /// Looks for the next frame behind a gap.
    fn find(&mut self, direction: Direction, secure: &Secure, search: &Search, bytes: &[u8], more: bool) -> Step {
        let all = bytes.len() - secure.opener.head_len() + 1;
        let places = all.min(secure.left);
        let found = search.find(&secure.opener, bytes, places);
        let side = &mut self.sides[direction as usize];
        if let Some(secure) = &mut side.secure {
            secure.left -= found.map_or(places, |(at, _)| at);
            if let Some((_, op)) = found {
                (secure.op, secure.search) = (op, None);
            }
        }
        let given_up = found.is_none() && places < all;
        let passed = match found {
            Some((0, _)) => return self.secure(direction, bytes, more),
            Some((at, _)) => at,
            None if more && !given_up => places,
            None => bytes.len(),
        };
        let mut detail = format!("{passed} bytes");
        if given_up {
            side.phase = Phase::Encrypted;
            detail = "bytes are missing before them, and no frame was found behind that".into();
        }
        let mut unit = self.unit(UnitKind::Encrypted, direction, passed);
        unit.report(FindingKind::Lost, 0, passed, detail);
        Step::Unit(unit)
    }
}
