//! Connections of the proposal.
//!
//! Frames are handed out as they come. What follows from a frame waits, with a connection key, for its signature: a
//! frame without one is dropped by its receiver, and so has no effect here either.

mod auth;
mod effect;
mod session;

use std::sync::Arc;

use auth::{Answer, Auth, NoKey};
use effect::{Effect, broken_rules, refusal};
use session::Session;
use subtle::ConstantTimeEq;

use super::order::{self, Facts, Order};
use super::unit::{Direction, Mode, Opens, Relation, RelationKind, Sealed, Unit, UnitKind, Verdict};
use super::{Knowledge, PROPOSAL_BANNER_MAX, Step, body, key_types};
use crate::frame::Dialect;
use crate::frame::proposal::{ConnectionKey, HEADER_LEN, Head, Opener, RecordHead, SIGNATURE_LEN, Signer};
use crate::limits::{PROPOSAL_MAX_EARLY_FRAME, PROPOSAL_MAX_FRAME};
use crate::proposal::{
    AuthReply, AuthReplyPayload, AuthRequest, AuthRequestPayload, Banner, Frame, Tag, decode_banner,
};
use crate::types::{AuthMethod, AuthStatus, CephxDoneReply, ProposalFeatures};
use crate::wire::{Error, Reader, Role, Segments};
use crate::{Context, FindingKind, Guard};

/// The bytes in front of a record that say how long it is.
const RECORD_HEAD: usize = 4;
/// The most frames of one record that are handed out; what follows from the others is noted all the same.
const MOST_INNER: usize = 16_384;

/// The bytes of the banner that begins here; `None` as long as its end isn't there.
pub(super) fn banner_len(bytes: &[u8]) -> Option<usize> {
    let line = &bytes[..bytes.len().min(PROPOSAL_BANNER_MAX)];
    let end = line.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
    end.or((line.len() == PROPOSAL_BANNER_MAX).then_some(PROPOSAL_BANNER_MAX))
}

/// What is wrong with a whole banner.
pub(super) fn malformed(banner: &[u8]) -> Option<Error> {
    read_banner(banner).err()
}

fn read_banner(bytes: &[u8]) -> Result<Banner, Error> {
    let mut reader = Reader::new(bytes);
    let banner = decode_banner(&mut reader, &Context::default(), &mut ())?;
    reader.end()?;
    Ok(banner)
}

/// What one direction is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Before its banner.
    Banner,
    /// Frames in the clear.
    Clear,
    /// Sealed records.
    Sealed,
    /// Somewhere between frames, and nothing tells where the next one begins.
    Lost { sealed: bool },
}

/// Whether frames are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signing {
    /// Not before authentication is complete.
    NotYet,
    /// Not with method none.
    Never,
    /// All of them.
    Always,
    /// The capture lacks the bytes that would tell.
    Unknown,
}

#[derive(Clone, Debug)]
struct Side {
    phase: Phase,
    banner: Option<Banner>,
    /// Its IDENT has taken effect, so that larger frames are allowed.
    identified: bool,
    /// The frame whose signature is due.
    held: Option<Held>,
    /// Says what the next signature must be.
    signer: Option<Signer>,
    opener: Option<Arc<Opener>>,
    records: u64,
    lost_noted: bool,
    /// Behind bytes that could not be read: a SIGNATURE may belong to a frame among them.
    unsure: bool,
    /// It has sent signatures that were not counted, or may have: the number of the next isn't known.
    uncounted: bool,
    /// What its ENCRYPT_BEGIN said, as long as there is no key.
    salt: Option<[u8; 16]>,
}

/// A frame that has no effect yet.
#[derive(Clone, Debug)]
struct Held {
    packet: u32,
    tag: Tag,
    effect: Effect,
    /// What its signature must be, and the signer behind it.
    expected: Option<([u8; SIGNATURE_LEN], Signer)>,
}

/// What is known of a connection.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    sides: [Side; 2],
    order: Option<Order>,
    context: Context,
    auth: Auth,
    session: Session,
    signing: Signing,
    /// The key, or why it is not to be had, once authentication is complete.
    key: Option<Result<ConnectionKey, NoKey>>,
    no_key_noted: bool,
    /// It was noted that records come before the reply that their key comes with.
    early_noted: bool,
    /// The direction of the client, once it is certain: also when the order no longer is.
    client: Option<Direction>,
    /// Bytes are missing from the handshake.
    incomplete: bool,
    knowledge: Knowledge,
    packet: u32,
}

impl Connection {
    pub(super) fn new(client: Option<Direction>, knowledge: Knowledge) -> Self {
        let side = Side {
            phase: Phase::Banner,
            banner: None,
            identified: false,
            held: None,
            signer: None,
            opener: None,
            records: 0,
            lost_noted: false,
            unsure: false,
            uncounted: false,
            salt: None,
        };
        Connection {
            sides: [side.clone(), side],
            order: Some(Order::new(&order::PROPOSAL, client)),
            context: Context::default(),
            auth: Auth::default(),
            session: Session::default(),
            signing: Signing::NotYet,
            key: None,
            no_key_noted: false,
            early_noted: false,
            client,
            incomplete: false,
            knowledge,
            packet: 0,
        }
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
        self.unit(UnitKind::Ended, direction, 0, Mode::Plain)
    }

    /// Bytes of this direction, which begins with something else than the proposal.
    pub(super) fn stranger(&mut self, direction: Direction, length: usize) -> Unit {
        self.gap(direction);
        self.side(direction).lost_noted = true;
        self.unit(UnitKind::Lost, direction, length, Mode::Plain)
    }

    /// Bytes of this direction are missing. Nothing marks the beginning of a frame, so all behind them is lost.
    pub(super) fn gap(&mut self, direction: Direction) {
        let side = self.side(direction);
        if let Phase::Lost { .. } = side.phase {
            return;
        }
        side.phase = Phase::Lost { sealed: side.phase == Phase::Sealed };
        self.missing(direction);
        self.session.lose_for_good(direction);
    }

    /// What a direction said is not known to its end.
    fn missing(&mut self, direction: Direction) {
        if let Some(order) = &mut self.order {
            order.gap(direction);
        }
        self.session.lose(direction);
        let side = self.side(direction);
        (side.signer, side.held, side.unsure, side.uncounted) = (None, None, true, true);
        // an IDENT may be among it
        side.identified = true;
        let sealed = matches!(side.phase, Phase::Sealed | Phase::Lost { sealed: true });
        // what is sealed comes behind the handshake
        if self.signing == Signing::NotYet && !sealed {
            self.incomplete = true;
            self.signing = Signing::Unknown;
        }
    }

    fn side(&mut self, direction: Direction) -> &mut Side {
        &mut self.sides[direction as usize]
    }

    /// The next unit of a direction.
    pub(super) fn next(&mut self, direction: Direction, bytes: &[u8], more: bool, packet: u32) -> Step {
        self.packet = packet;
        match self.sides[direction as usize].phase {
            Phase::Banner => self.banner(direction, bytes, more),
            Phase::Clear => self.clear(direction, bytes, more),
            Phase::Sealed => self.record(direction, bytes, more),
            Phase::Lost { sealed } => Step::Unit(self.lost(direction, bytes.len(), sealed)),
        }
    }

    fn unit(&self, kind: UnitKind, direction: Direction, length: usize, mode: Mode) -> Unit {
        Unit {
            dialect: Some(Dialect::Proposal),
            sender: self.role(direction),
            context: self.context,
            ..Unit::new(kind, direction, length, mode)
        }
    }

    fn role(&self, direction: Direction) -> Option<Role> {
        self.client.map(|client| if client == direction { Role::Client } else { Role::Server })
    }

    /// What shows who is the client, where the order doesn't say it.
    fn learn_role(&mut self, direction: Direction, tag: Tag) {
        let told = match &self.order {
            Some(order) => order.role(direction),
            None => auth::sender(tag).filter(|_| self.signing != Signing::Always),
        };
        if let (None, Some(role)) = (self.client, told) {
            self.client = Some(if role == Role::Client { direction } else { direction.other() });
        }
    }

    /// Bytes that nothing can be said of.
    fn lost(&mut self, direction: Direction, length: usize, sealed: bool) -> Unit {
        let (kind, mode) = if sealed { (UnitKind::Encrypted, Mode::Secure) } else { (UnitKind::Lost, Mode::Plain) };
        let mut unit = self.unit(kind, direction, length, mode);
        if !std::mem::replace(&mut self.side(direction).lost_noted, true) {
            let detail = "bytes are missing before them, and nothing shows where the next frame begins";
            unit.report(FindingKind::Lost, 0, length, detail.into());
        }
        unit
    }

    /// A direction ends here for its receiver, and so for the tracker.
    fn damaged(&mut self, mut unit: Unit, kind: FindingKind, length: usize, detail: String) -> Step {
        let direction = unit.direction;
        unit.report(kind, 0, length, detail);
        self.gap(direction);
        self.side(direction).lost_noted = true;
        Step::Unit(unit)
    }

    fn banner(&mut self, direction: Direction, bytes: &[u8], more: bool) -> Step {
        let length = match banner_len(bytes) {
            Some(length) => length,
            None if more => return Step::Need(bytes.len() + 1),
            None => {
                let mut unit = self.unit(UnitKind::Banner, direction, bytes.len(), Mode::Plain);
                unit.cut = true;
                self.gap(direction);
                return Step::Unit(unit);
            }
        };
        let bytes = &bytes[..length];
        let mut unit = self.unit(UnitKind::Banner, direction, length, Mode::Plain);
        match read_banner(bytes) {
            Ok(banner) => {
                self.auth.heard(direction, bytes);
                let alone = banner.required & !banner.supported;
                if alone.0 != 0 {
                    let detail = format!("requires {alone}, which it doesn't support itself");
                    unit.report(FindingKind::RuleBroken, 0, length, detail);
                }
                let side = self.side(direction);
                side.phase = Phase::Clear;
                side.banner = Some(banner);
            }
            Err(error) => {
                let detail = error.to_string();
                unit.report(FindingKind::MalformedBanner, error.offset, 1, detail);
                self.gap(direction);
                self.side(direction).lost_noted = true;
                return Step::Unit(unit);
            }
        }
        if let Some(order) = &mut self.order {
            order.banner(direction);
        }
        self.both_banners(&mut unit);
        if let (None, Some(order)) = (self.client, &self.order) {
            self.client = [direction, direction.other()].into_iter().find(|end| order.role(*end) == Some(Role::Client));
        }
        unit.sender = self.role(direction);
        Step::Unit(unit)
    }

    /// Both banners' words of supported and of required features.
    fn banners(&self) -> Option<[&Banner; 2]> {
        let [one, other] = &self.sides;
        Some([one.banner.as_ref()?, other.banner.as_ref()?])
    }

    fn both_banners(&mut self, unit: &mut Unit) {
        let Some([one, other]) = self.banners() else { return };
        let missing = (one.required & !other.supported) | (other.required & !one.supported);
        let reconnect = (one.supported & other.supported).contains(ProposalFeatures::RECONNECT);
        if missing.0 != 0 {
            unit.report(FindingKind::MissingFeatures, 0, unit.length as usize, missing.to_string());
        }
        self.session.reconnect = Some(reconnect);
    }

    /// The largest frame_len that a direction may use now.
    fn limit(&self, direction: Direction) -> u32 {
        let identified = self.sides[direction as usize].identified;
        let limit = if identified { PROPOSAL_MAX_FRAME } else { PROPOSAL_MAX_EARLY_FRAME };
        u32::try_from(limit).unwrap_or(u32::MAX)
    }

    /// A frame in the clear.
    fn clear(&mut self, direction: Direction, bytes: &[u8], more: bool) -> Step {
        // what an IDENT that wasn't seen has allowed isn't known
        let limit = if self.signing == Signing::Unknown { PROPOSAL_MAX_FRAME as u32 } else { self.limit(direction) };
        let head = match Head::parse(bytes, limit) {
            Ok(Some(head)) => head,
            Ok(None) if more => return Step::Need(HEADER_LEN),
            Ok(None) => {
                let mut unit = self.unit(UnitKind::Lost, direction, bytes.len(), Mode::Plain);
                unit.cut = true;
                self.gap(direction);
                return Step::Unit(unit);
            }
            Err(error) => {
                let unit = self.unit(UnitKind::Lost, direction, bytes.len(), Mode::Plain);
                return self.damaged(unit, FindingKind::BadFrameLength, 4, error.to_string());
            }
        };
        let length = head.total_len();
        if bytes.len() < length && more {
            return Step::Need(length);
        }
        let mut unit = self.unit(UnitKind::Plain(head), direction, length, Mode::Plain);
        unit.cut = bytes.len() < length;
        self.take(&mut unit, head.tag, &bytes[..length.min(bytes.len())]);
        Step::Unit(unit)
    }

    /// A frame, whole unless it is cut.
    fn take(&mut self, unit: &mut Unit, tag: Tag, bytes: &[u8]) {
        let direction = unit.direction;
        // a capture may show what follows authentication before the end of it
        if self.key.is_none() && !self.incomplete && auth::sender(tag).is_some() {
            self.auth.heard(direction, bytes);
            self.incomplete = unit.cut;
        }
        let always = self.signing == Signing::Always;
        if always && unit.mode == Mode::Plain && tag != Tag::ENCRYPT_BEGIN {
            unit.mode = Mode::Signed;
        }
        let unsure = std::mem::take(&mut self.side(direction).unsure);
        if tag == Tag::SIGNATURE {
            return self.signature(unit, bytes, unsure);
        }
        if let Some(held) = self.side(direction).held.take() {
            let detail = format!("{} in packet {} is dropped", held.tag, held.packet);
            unit.report(FindingKind::Unsigned, 0, 1, detail);
        }
        if tag.name().is_none() {
            unit.report(FindingKind::UnknownTag, 4, 1, format!("tag {:#04x}", tag.0));
        }
        let length = bytes.len();
        let segments = payload(bytes);
        let frame = match Frame::decode(tag, &segments, &self.context, &mut ()) {
            Ok(frame) => Some(frame),
            Err(_) if unit.cut => None,
            Err(error) => {
                unit.report(FindingKind::MalformedPayload, error.offset, 1, error.to_string());
                None
            }
        };
        if let Some(frame) = &frame {
            body::judge_msg(unit, frame, &segments);
        }
        for rule in frame.as_ref().map(broken_rules).unwrap_or_default() {
            unit.report(FindingKind::RuleBroken, HEADER_LEN, length, rule);
        }
        if let Some((kind, detail)) = frame.as_ref().and_then(refusal) {
            unit.report(kind, 0, unit.length as usize, detail);
        }
        if let Some(Frame::Reconnect(again)) = &frame
            && let Some(packet) = self.knowledge.session((again.client_cookie, again.server_cookie))
        {
            unit.relations.push(Relation { kind: RelationKind::Resumes, packet });
        }
        if let Some(frame) = &frame
            && self.gives_up_encryption(direction, frame)
        {
            let detail = "method none from a side that requires encryption";
            unit.report(FindingKind::RuleBroken, HEADER_LEN, length, detail.into());
        }
        let effect = frame.as_ref().map_or(Effect::Unread { ident: tag == Tag::IDENT }, Effect::of);
        if always && tag != Tag::ENCRYPT_BEGIN {
            let packet = self.packet;
            let side = self.side(direction);
            let expected = side.signer.as_ref().filter(|_| !unit.cut).map(|signer| {
                let mut signer = signer.clone();
                (signer.sign(bytes), signer)
            });
            side.held = Some(Held { packet, tag, effect, expected });
            return;
        }
        let answer = (tag == Tag::AUTH_REPLY).then(|| Answer::read(payload_bytes(bytes)));
        let facts = self.facts(answer.as_ref());
        self.follow_order(unit, tag, facts);
        match &frame {
            None if tag == Tag::AUTH_SET_METHOD => self.auth.choose(None),
            Some(Frame::AuthSetMethod(chosen)) => {
                self.auth.choose(Some(chosen.method));
                self.context.auth_method = Some(chosen.method);
            }
            Some(Frame::AuthRequest(request)) if self.key.is_none() => {
                self.context.auth_mode = Auth::mode(request);
                if let Err(rule) = self.auth.asks(request, bytes, &self.knowledge) {
                    unit.report(FindingKind::RuleBroken, HEADER_LEN, length, rule);
                }
            }
            _ => {}
        }
        if let Some(answer) = answer {
            let reply = match &frame {
                Some(Frame::AuthReply(reply)) => Some(reply),
                _ => None,
            };
            self.answered(unit, &answer, reply);
        }
        match &frame {
            Some(Frame::AuthRequest(AuthRequest { payload: Some(AuthRequestPayload::Authorize(shown)), .. })) => {
                key_types::note(unit, key_types::of_authorizer(&shown.authorizer));
            }
            Some(Frame::AuthReply(AuthReply { payload: Some(AuthReplyPayload::Done(done)), .. })) => {
                if let CephxDoneReply::Mon(reply) = &done.reply {
                    key_types::note(unit, key_types::of_login(self.auth.name(&self.context), reply));
                }
            }
            _ => {}
        }
        unit.context = self.context;
        if matches!(tag, Tag::AUTH_REQUEST | Tag::AUTH_REPLY) {
            unit.keys = self.auth.seals.clone();
        }
        if tag == Tag::ENCRYPT_BEGIN {
            self.seals(direction, frame.as_ref());
        }
        self.apply(unit, self.packet, effect);
    }

    /// What banners and the frame itself say of the guards.
    fn facts(&self, answer: Option<&Answer>) -> Facts {
        let facts = Facts::default();
        let Some(status) = answer.and_then(|answer| answer.status) else { return facts };
        let facts = facts
            .with(Guard::Refused, status == AuthStatus::DENIED)
            .with(Guard::MoreNeeded, status == AuthStatus::MORE);
        let (Some([one, other]), Some(method)) = (self.banners(), self.auth.method) else { return facts };
        let key = method != AuthMethod::NONE;
        let required = key && (one.required | other.required).contains(ProposalFeatures::ENCRYPT);
        let possible = key && (one.supported & other.supported).contains(ProposalFeatures::ENCRYPT);
        let facts = facts.with(Guard::EncryptionRequired, required).with(Guard::EncryptionPossible, possible);
        // whether it is wanted nobody says
        if possible { facts } else { facts.with(Guard::EncryptionWanted, false) }
    }

    fn follow_order(&mut self, unit: &mut Unit, tag: Tag, facts: Facts) {
        let other = unit.direction.other();
        let unheard = self.awaits_banner(other).then_some(other);
        if let Some(order) = &mut self.order
            && tag.name().is_some()
            && let Err(why) = order.judge(unit.direction, tag.0, facts, unheard)
        {
            unit.report(FindingKind::IllegalOrder, 0, 1, why);
        }
        self.learn_role(unit.direction, tag);
        unit.sender = self.role(unit.direction);
    }

    /// Whether a side that requires encryption offers, chooses or allows the method that has no keys for it.
    fn gives_up_encryption(&self, direction: Direction, frame: &Frame<'_>) -> bool {
        let none = match frame {
            Frame::AuthMethods(offered) => offered.methods.contains(&AuthMethod::NONE),
            Frame::AuthBadMethod(refused) => refused.allowed_methods.contains(&AuthMethod::NONE),
            Frame::AuthSetMethod(chosen) => chosen.method == AuthMethod::NONE,
            _ => false,
        };
        let banner = self.sides[direction as usize].banner.as_ref();
        none && banner.is_some_and(|banner| banner.required.contains(ProposalFeatures::ENCRYPT))
    }

    /// The server has answered; perhaps authentication is complete. `reply` is missing if it can't be read to its end.
    fn answered(&mut self, unit: &mut Unit, answer: &Answer, reply: Option<&crate::proposal::AuthReply<'_>>) {
        let (server, length) = (unit.direction, unit.length as usize);
        if answer.status == Some(AuthStatus::DENIED) {
            let said = reply.map(|reply| format!("{} {}", reply.result, reply.message)).unwrap_or_default();
            unit.report(FindingKind::Denied, 0, length, said.trim_end().into());
        }
        if answer.status.is_none() && self.signing == Signing::NotYet {
            (self.signing, self.incomplete) = (Signing::Unknown, true);
        }
        if answer.status != Some(AuthStatus::DONE) || self.key.is_some() {
            return;
        }
        let wanted = self.auth.wanted_id();
        if let Some(given) = answer.global_id
            && wanted != 0
            && wanted != given
        {
            let detail = format!("global_id {given}, but {wanted} was asked for");
            unit.report(FindingKind::RuleBroken, HEADER_LEN, length, detail);
        }
        self.session.identities.client = self.auth.client_type().zip(answer.global_id);
        let key = match self.auth.method {
            Some(AuthMethod::NONE) => {
                self.signing = Signing::Never;
                Err(NoKey::Unreadable)
            }
            Some(AuthMethod::CEPHX) => {
                self.signing = Signing::Always;
                self.session.identities.server = self.auth.server_type(&self.context);
                match reply {
                    _ if self.incomplete => Err(NoKey::Incomplete),
                    Some(reply) => self.auth.key(server, reply, &self.context, &self.knowledge),
                    None => Err(NoKey::Unreadable),
                }
            }
            _ => {
                self.signing = Signing::Unknown;
                Err(NoKey::Unreadable)
            }
        };
        if let Ok(key) = &key {
            self.client = Some(server.other());
            for (direction, role) in [(server, Role::Server), (server.other(), Role::Client)] {
                let side = self.side(direction);
                side.signer = (!side.uncounted).then(|| Signer::new(key, role));
                side.opener = side.salt.take().map(|salt| Arc::new(Opener::new(key, role, &salt)));
            }
        }
        self.key = Some(key);
    }

    /// What this direction sends from here on is sealed, with or without a key to open it, legal or not: nothing
    /// else follows this frame.
    fn seals(&mut self, direction: Direction, frame: Option<&Frame<'_>>) {
        let role = self.role(direction);
        let side = &mut self.sides[direction as usize];
        if side.phase != Phase::Clear {
            return; // a second one, reported as out of place
        }
        side.phase = Phase::Sealed;
        let Some(Frame::EncryptBegin(begin)) = frame else { return };
        match (&self.key, role) {
            (Some(Ok(key)), Some(sender)) => side.opener = Some(Arc::new(Opener::new(key, sender, &begin.salt.0))),
            (Some(_), _) => {}
            (None, _) => side.salt = Some(begin.salt.0),
        }
    }

    /// A frame has taken effect.
    fn apply(&mut self, unit: &mut Unit, packet: u32, effect: Effect) {
        let direction = unit.direction;
        let identifies = matches!(effect, Effect::Ident(_) | Effect::Unread { ident: true });
        if let Effect::Start = effect
            && let Some(cookies) = self.session.cookies(direction)
            && cookies.0 != 0
            && cookies.1 != 0
        {
            self.knowledge.session_begins(cookies, packet);
        }
        for (kind, detail) in self.session.take(direction, unit.sender, effect) {
            unit.report(kind, 0, unit.length as usize, detail);
        }
        if !identifies {
            return;
        }
        self.side(direction).identified = true;
        let Some(order) = &mut self.order else { return };
        for end in [direction, direction.other()] {
            if let Some(lacking) = self.session.lacks(end.other()) {
                order.set_facts(end, Facts::default().with(Guard::FeaturesMissing, lacking.0 != 0));
            }
        }
    }

    /// A SIGNATURE: the frame before it takes effect.
    fn signature(&mut self, unit: &mut Unit, bytes: &[u8], unsure: bool) {
        let direction = unit.direction;
        let read = match Frame::decode(Tag::SIGNATURE, &payload(bytes), &self.context, &mut ()) {
            Ok(Frame::Signature(read)) => Some(read.signature.0),
            Err(error) if !unit.cut => {
                unit.report(FindingKind::MalformedPayload, error.offset, 1, error.to_string());
                None
            }
            _ => None,
        };
        unit.verdict = Some(Verdict::Unchecked);
        match self.signing {
            Signing::Always => {}
            Signing::Unknown => return,
            Signing::NotYet | Signing::Never => {
                self.side(direction).uncounted = true;
                unit.report(FindingKind::IllegalOrder, 0, 1, "SIGNATURE without a connection key".into());
                return;
            }
        }
        let Some(held) = self.side(direction).held.take() else {
            if !unsure {
                unit.report(FindingKind::SignatureAlone, 0, 1, String::new());
            }
            return;
        };
        unit.relations.push(Relation { kind: RelationKind::Signs, packet: held.packet });
        if let (Some((expected, signer)), Some(found)) = (held.expected, read) {
            self.side(direction).signer = Some(signer);
            let good = bool::from(expected.ct_eq(&found));
            unit.verdict = Some(if good { Verdict::Good } else { Verdict::Bad });
        } else {
            // without the bytes nobody knows how many signatures there were
            self.side(direction).signer = None;
        }
        self.follow_order(unit, held.tag, Facts::default());
        if unit.verdict == Some(Verdict::Bad) {
            let detail = format!("of {} in packet {}", held.tag, held.packet);
            unit.report(FindingKind::BadSignature, HEADER_LEN, SIGNATURE_LEN, detail);
            // nothing in the frame can be trusted
            self.session.lose(direction);
            return;
        }
        self.apply(unit, held.packet, held.effect);
    }

    /// A sealed record.
    fn record(&mut self, direction: Direction, bytes: &[u8], more: bool) -> Step {
        let opener = self.sides[direction as usize].opener.clone();
        // without the key nobody sees an IDENT that allows more
        let limit = if opener.is_some() { self.limit(direction) } else { PROPOSAL_MAX_FRAME as u32 };
        let head = match RecordHead::parse(bytes, limit) {
            Ok(Some(head)) => head,
            Ok(None) if more => return Step::Need(RECORD_HEAD),
            Ok(None) => {
                let mut unit = self.unit(UnitKind::Encrypted, direction, bytes.len(), Mode::Secure);
                unit.cut = true;
                self.gap(direction);
                return Step::Unit(unit);
            }
            Err(error) => {
                let unit = self.unit(UnitKind::Encrypted, direction, bytes.len(), Mode::Secure);
                return self.damaged(unit, FindingKind::BadRecord, RECORD_HEAD, error.to_string());
            }
        };
        let length = head.total_len();
        if bytes.len() < length && more {
            return Step::Need(length);
        }
        let number = self.sides[direction as usize].records;
        self.side(direction).records += 1;
        let mut unit = self.unit(UnitKind::Record, direction, length, Mode::Secure);
        unit.cut = bytes.len() < length;
        let mut units = Vec::new();
        match &opener {
            Some(_) if unit.cut => self.missing(direction),
            Some(opener) => {
                let mut view = Vec::new();
                match opener.open_at(number, &bytes[..length], &mut view) {
                    Ok(()) => units = self.inner(&mut unit, &view),
                    Err(error) => {
                        unit.report(FindingKind::BadRecord, 0, length, error.to_string());
                        self.missing(direction);
                    }
                }
            }
            None => {
                self.missing(direction);
                if let Some(why) = self.why_shut() {
                    unit.report(FindingKind::Encrypted, 0, length, why);
                }
            }
        }
        unit.sealed = Some(Box::new(Sealed { units, how: Opens::Record { number, opener } }));
        Step::Unit(unit)
    }

    /// Why there is nothing to open a record with, unless that was said before.
    fn why_shut(&mut self) -> Option<String> {
        let (noted, why) = match &self.key {
            None if !self.incomplete && self.signing == Signing::NotYet => {
                let why = "in the capture it comes before the AUTH_REPLY that completes authentication";
                (&mut self.early_noted, why.into())
            }
            None => (&mut self.no_key_noted, NoKey::Incomplete.to_string()),
            Some(Err(why)) => (&mut self.no_key_noted, why.to_string()),
            Some(Ok(_)) => (&mut self.no_key_noted, "its ENCRYPT_BEGIN can't be read".into()),
        };
        (!std::mem::replace(noted, true)).then_some(why)
    }

    /// The frames in an opened record.
    fn inner(&mut self, record: &mut Unit, view: &[u8]) -> Vec<Unit> {
        let direction = record.direction;
        let mut units = Vec::new();
        let (mut at, mut shown) = (0, 0);
        let mut rest = None;
        while at < view.len() {
            let bytes = &view[at..];
            let bad = match Head::parse(bytes, self.limit(direction)) {
                Ok(Some(head)) if head.total_len() <= bytes.len() => {
                    let length = head.total_len();
                    let mut unit = self.unit(UnitKind::Plain(head), direction, length, Mode::Secure);
                    self.take(&mut unit, head.tag, &bytes[..length]);
                    at += length;
                    if units.len() < MOST_INNER {
                        units.push(unit);
                        shown = at;
                    }
                    continue;
                }
                Ok(_) => (FindingKind::BadRecord, "the record ends in the middle of a frame".into()),
                Err(error) => (FindingKind::BadFrameLength, error.to_string()),
            };
            rest = Some(bad);
            self.missing(direction);
            break;
        }
        if shown < view.len() {
            let length = view.len() - shown;
            let mut unit = self.unit(UnitKind::Lost, direction, length, Mode::Secure);
            let many = || (FindingKind::Lost, format!("more than {MOST_INNER} frames in one record"));
            let (kind, detail) = rest.unwrap_or_else(many);
            match kind {
                FindingKind::BadRecord => record.report(kind, 0, record.length as usize, detail),
                _ => unit.report(kind, 0, length, detail),
            }
            units.push(unit);
        }
        units
    }
}

/// The bytes of a frame's payload, as far as they are there.
fn payload_bytes(frame: &[u8]) -> &[u8] {
    &frame[HEADER_LEN.min(frame.len())..]
}

/// The payload of a frame.
fn payload(frame: &[u8]) -> Segments<'_> {
    let end = frame.len();
    let start = HEADER_LEN.min(end);
    Segments::new([(start, &frame[start..]), (end, &[]), (end, &[]), (end, &[])])
}
