//! Connections of v2.0 and v2.1.

mod auth;
mod compressed;
mod monitor;
mod nonces;
mod refusal;
mod seals;
mod secure;
mod take;

use auth::Auth;
use compressed::Agreement;
pub(super) use compressed::decompressed;
use monitor::MonSession;
use secure::Secure;

use super::order::{self, Facts, Order};
use super::search;
use super::unit::{Direction, Mode, Unit, UnitKind, Verdict};
use super::{BANNER_PREFIX, Knowledge, Step};
use crate::auth::cephx::passive::Shut;
use crate::frame::{self, Check, Dialect, Head, HeadError, PREAMBLE_LEN, Revision};
use crate::types::Msgr2Features;
use crate::wire::Reader;
use crate::{Context, FindingKind, Guard, v2_0};

/// The bytes of a banner up to and including its length.
const BANNER_HEAD: usize = 10;

/// What one direction is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Before its banner.
    Banner,
    /// Frames in crc mode.
    Frames,
    /// Frames in secure mode, with the key for them.
    Secure,
    /// Frames in secure mode whose boundaries can't be known.
    Encrypted,
    /// Somewhere between frames.
    Search {
        /// Whether the search began for want of a beginning, not because of damage.
        resumed: bool,
    },
}

#[derive(Clone, Debug)]
struct Side {
    phase: Phase,
    features: Option<Msgr2Features>,
    required: Msgr2Features,
    /// What opens its frames in secure mode.
    secure: Option<Secure>,
}

/// What is known of a connection.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    sides: [Side; 2],
    revision: Option<Revision>,
    context: Context,
    order: Option<Order>,
    auth: Auth,
    /// With whom the server is a monitor, and its handshake could be opened.
    mon: Option<MonSession>,
    compression: Agreement,
    /// The packet that completes what comes next; 0 if that isn't known.
    packet: u32,
    /// Why frames in secure mode can't be opened, until it has been said.
    shut: Option<String>,
    check: Check,
    seals: seals::Seals,
    knowledge: Knowledge,
}

/// What two banners say of the guards.
pub(super) fn compression(both: bool) -> Facts {
    Facts::default().with(Guard::Compression, both)
}

impl Connection {
    /// A connection from its beginning.
    pub(super) fn new(client: Option<Direction>, knowledge: Knowledge) -> Self {
        let side = Side { phase: Phase::Banner, features: None, required: Msgr2Features(0), secure: None };
        Connection {
            sides: [side.clone(), side],
            revision: None,
            context: Context::default(),
            order: Some(Order::new(&order::V2, client)),
            auth: Auth::default(),
            mon: None,
            compression: Agreement::default(),
            packet: 0,
            shut: None,
            check: Check::Crc,
            seals: seals::Seals::default(),
            knowledge,
        }
    }

    /// A connection whose beginning is not to be had.
    pub(super) fn midway() -> Self {
        let mut connection = Connection::new(None, Knowledge::default());
        connection.order = None;
        connection.auth = Auth::midway();
        for side in &mut connection.sides {
            side.phase = Phase::Search { resumed: true };
        }
        connection
    }

    /// What is known beyond this connection.
    pub(super) fn set_knowledge(&mut self, knowledge: Knowledge) {
        self.knowledge = knowledge;
    }

    /// What is known of the order of its frames.
    pub(super) fn order(&self) -> Option<&Order> {
        self.order.as_ref()
    }

    /// Whether the banner of a direction is still to come.
    pub(super) fn awaits_banner(&self, direction: Direction) -> bool {
        self.sides[direction as usize].phase == Phase::Banner
    }

    /// The end of a direction.
    pub(super) fn ended(&self, direction: Direction) -> Unit {
        self.unit(UnitKind::Ended, direction, 0)
    }

    /// Bytes of this direction, which begins with something else than msgr2.
    pub(super) fn stranger(&mut self, direction: Direction, length: usize) -> Unit {
        self.gap(direction);
        self.unit(UnitKind::Lost, direction, length)
    }

    /// Bytes of this direction are missing.
    pub(super) fn gap(&mut self, direction: Direction) {
        if let Some(order) = &mut self.order {
            order.gap(direction);
        }
        self.auth.lose(direction);
        let side = &mut self.sides[direction as usize];
        match side.phase {
            Phase::Encrypted => {}
            Phase::Secure => self.secure_gap(direction),
            _ => side.phase = Phase::Search { resumed: false },
        }
    }

    /// The next unit of a direction.
    pub(super) fn next(&mut self, direction: Direction, bytes: &[u8], more: bool, check: Check, packet: u32) -> Step {
        (self.check, self.packet) = (check, packet);
        match self.sides[direction as usize].phase {
            Phase::Banner => self.banner(direction, bytes, more),
            Phase::Frames => self.frame(direction, bytes, more, false),
            Phase::Secure => self.secure(direction, bytes, more),
            Phase::Encrypted => Step::Unit(self.encrypted(direction, bytes)),
            Phase::Search { resumed } => self.search(direction, bytes, more, resumed),
        }
    }

    fn unit(&self, kind: UnitKind, direction: Direction, length: usize) -> Unit {
        let mode = if matches!(kind, UnitKind::Encrypted | UnitKind::Secure) { Mode::Secure } else { Mode::Crc };
        Unit {
            dialect: self.revision.map(Dialect::from),
            sender: self.order.as_ref().and_then(|order| order.role(direction)),
            context: self.context,
            ..Unit::new(kind, direction, length, mode)
        }
    }

    fn banner(&mut self, direction: Direction, bytes: &[u8], more: bool) -> Step {
        let common = bytes.len().min(BANNER_PREFIX.len());
        if bytes[..common] != BANNER_PREFIX[..common] {
            // the other side speaks msgr2, so this one's banner is what is missing
            self.gap(direction);
            return self.search(direction, bytes, more, true);
        }
        let Some(length) = bytes.get(8..BANNER_HEAD) else {
            return self.need(UnitKind::Banner, direction, bytes, BANNER_HEAD, more);
        };
        let length = BANNER_HEAD + usize::from(u16::from_le_bytes([length[0], length[1]]));
        if bytes.len() < length {
            return self.need(UnitKind::Banner, direction, bytes, length, more);
        }
        self.auth.heard(direction, &bytes[..length]);
        let mut unit = self.unit(UnitKind::Banner, direction, length);
        let read = v2_0::decode_banner(&mut Reader::new(&bytes[..length]), &self.context, &mut ());
        let side = &mut self.sides[direction as usize];
        side.phase = Phase::Frames;
        match read {
            Ok(v2_0::Banner { features: Some(features) }) => {
                side.features = Some(features.supported);
                side.required = features.required;
                self.both_banners(&mut unit);
            }
            Ok(_) => unit.report(FindingKind::MalformedBanner, 8, 2, "no features at all".into()),
            Err(error) => unit.report(FindingKind::MalformedBanner, error.offset, 1, error.to_string()),
        }
        if let Some(order) = &mut self.order {
            order.banner(direction);
        }
        unit.sender = self.order.as_ref().and_then(|order| order.role(direction));
        Step::Unit(unit)
    }

    /// What follows from a banner: revision, and whether the two sides can speak at all.
    fn both_banners(&mut self, unit: &mut Unit) {
        let [one, other] = &self.sides;
        let (Some(a), Some(b)) = (one.features, other.features) else { return };
        self.revision = Some(Revision::negotiated(a, b));
        let missing = (one.required & !b) | (other.required & !a);
        if missing.0 != 0 {
            unit.report(FindingKind::MissingFeatures, 0, unit.length as usize, missing.to_string());
        }
        if let Some(order) = &mut self.order {
            let facts = compression((a & b).contains(Msgr2Features::COMPRESSION));
            order.set_facts(Direction::Forward, facts);
            order.set_facts(Direction::Backward, facts);
        }
    }

    /// A unit that needs more bytes than there are.
    fn need(&mut self, kind: UnitKind, direction: Direction, bytes: &[u8], length: usize, more: bool) -> Step {
        if more {
            return Step::Need(length);
        }
        let mut unit = self.unit(kind, direction, bytes.len());
        unit.cut = true;
        match kind {
            UnitKind::Banner => {
                self.auth.lose(direction);
                self.sides[direction as usize].phase = Phase::Frames;
            }
            // without its preamble nobody knows where the frame ends
            _ => self.gap(direction),
        }
        Step::Unit(unit)
    }

    fn frame(&mut self, direction: Direction, bytes: &[u8], more: bool, resumed: bool) -> Step {
        let Some(preamble) = bytes.first_chunk::<PREAMBLE_LEN>() else {
            return self.need(UnitKind::Lost, direction, bytes, PREAMBLE_LEN, more);
        };
        // with one banner alone, and without any, the frame itself decides
        let guess = self.revision.unwrap_or_else(|| match self.sides[direction as usize].features {
            Some(features) => Revision::negotiated(features, features),
            None => Revision::V2_1,
        });
        let head = match Head::parse(preamble, guess) {
            Ok(head) => head,
            Err(HeadError::BadCrc { .. }) if self.auth.may_be_secure() => {
                self.shut(Shut::NotCaptured.to_string());
                return Step::Unit(self.encrypted(direction, bytes));
            }
            Err(error) => return self.damaged(direction, bytes, more, error),
        };
        let revision = match self.revision {
            Some(revision) => revision,
            None => match search::revision(&head, bytes, guess, more) {
                Ok(revision) => revision,
                Err(needed) => return Step::Need(needed),
            },
        };
        let length = head.frame_len(revision);
        if bytes.len() < length && more {
            return Step::Need(length);
        }
        self.revision = Some(revision);
        let mut unit = self.unit(UnitKind::Frame(head), direction, length);
        unit.cut = bytes.len() < length;
        if resumed {
            unit.report(FindingKind::Resumed, 0, PREAMBLE_LEN, String::new());
        }
        let bytes = &bytes[..length.min(bytes.len())];
        if unit.cut {
            self.auth.lose(direction);
        } else {
            self.auth.heard(direction, bytes);
        }
        let opened = frame::open(&head, revision, bytes, self.check);
        unit.crc = Some(match opened.bad_crc {
            Some(_) => Verdict::Bad,
            None if unit.cut || self.check == Check::Nothing => Verdict::Unchecked,
            None => Verdict::Good,
        });
        self.take(&mut unit, &head, &opened);
        Step::Unit(unit)
    }

    /// A preamble that is none: what it says isn't believed, and the next one is searched for.
    fn damaged(&mut self, direction: Direction, bytes: &[u8], more: bool, error: HeadError) -> Step {
        let kind = match error {
            HeadError::BadCrc { .. } => FindingKind::BadPreambleCrc,
            HeadError::TooLarge { .. } => FindingKind::FrameTooLarge,
            _ => FindingKind::BadPreamble,
        };
        self.gap(direction);
        let next = search::next_preamble(&bytes[1..], more).map_or_else(|kept| bytes.len() - kept, |at| at + 1);
        let mut unit = self.unit(UnitKind::Lost, direction, next);
        unit.crc = matches!(error, HeadError::BadCrc { .. }).then_some(Verdict::Bad);
        unit.report(kind, 0, PREAMBLE_LEN, error.to_string());
        Step::Unit(unit)
    }

    fn search(&mut self, direction: Direction, bytes: &[u8], more: bool, resumed: bool) -> Step {
        match search::next_preamble(bytes, more) {
            Ok(0) => {
                let step = self.frame(direction, bytes, more, resumed);
                if let Step::Unit(_) = &step
                    && let Phase::Search { .. } = self.sides[direction as usize].phase
                {
                    self.sides[direction as usize].phase = Phase::Frames;
                }
                step
            }
            Ok(at) => Step::Unit(self.lost(direction, at)),
            Err(kept) if kept == bytes.len() => Step::Need(PREAMBLE_LEN),
            Err(kept) => Step::Unit(self.lost(direction, bytes.len() - kept)),
        }
    }

    fn lost(&mut self, direction: Direction, length: usize) -> Unit {
        let mut unit = self.unit(UnitKind::Lost, direction, length);
        unit.report(FindingKind::Lost, 0, length, format!("{length} bytes"));
        unit
    }
}
