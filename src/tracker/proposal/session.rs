//! What a session demands of the frames in it: who the sides are, and the numbers of messages.

use super::effect::{Effect, Ident};
use crate::FindingKind;
use crate::limits::PROPOSAL_MAX_RECONNECTS;
use crate::tracker::Direction;
use crate::types::{CephFeatures, EntityType};
use crate::wire::Role;

/// Something to be reported.
pub(super) type Report = (FindingKind, String);

/// What authentication has proved.
#[derive(Clone, Debug, Default)]
pub(super) struct Identities {
    /// The client's type and number.
    pub(super) client: Option<(EntityType, u64)>,
    /// The server's type.
    pub(super) server: Option<EntityType>,
}

/// What is known of a session.
#[derive(Clone, Debug, Default)]
pub(super) struct Session {
    pub(super) identities: Identities,
    /// Whether both banners support RECONNECT, if that is known.
    pub(super) reconnect: Option<bool>,
    idents: [Option<Ident>; 2],
    reconnects: u64,
    /// The last message that the client says to have received.
    client_has: Option<u64>,
    /// The number of the next message of each direction, if it is known.
    next: [Option<u64>; 2],
    /// Whether nothing more can be read of a direction.
    lost: [bool; 2],
}

impl Session {
    /// The features that the sender of one direction lacks, once both have said who they are.
    pub(super) fn lacks(&self, direction: Direction) -> Option<CephFeatures> {
        let own = self.idents[direction as usize].as_ref()?;
        let other = self.idents[direction.other() as usize].as_ref()?;
        Some(other.required & !own.supported)
    }

    /// The cookies of client and server.
    pub(super) fn cookies(&self, client: Direction) -> Option<(u64, u64)> {
        let [client, server] = [client, client.other()].map(|end| self.idents[end as usize].as_ref());
        Some((client?.cookie, server?.cookie))
    }

    /// Numbers of messages of this direction are no longer known.
    pub(super) fn lose(&mut self, direction: Direction) {
        self.next[direction as usize] = None;
    }

    /// Nothing more can be read of this direction.
    pub(super) fn lose_for_good(&mut self, direction: Direction) {
        self.lost[direction as usize] = true;
        self.lose(direction);
    }

    fn expect(&mut self, direction: Direction, next: Option<u64>) {
        self.next[direction as usize] = next.filter(|_| !self.lost[direction as usize]);
    }

    fn lossy(&self) -> bool {
        self.idents.iter().flatten().any(|ident| ident.lossy)
    }

    /// A frame has taken effect.
    pub(super) fn take(&mut self, direction: Direction, sender: Option<Role>, effect: Effect) -> Vec<Report> {
        let mut reports = Vec::new();
        match effect {
            Effect::None => {}
            Effect::Unread { .. } => self.lose(direction),
            Effect::Ident(ident) => self.identified(direction, sender, ident, &mut reports),
            Effect::Start => {
                self.expect(direction, Some(1));
                self.expect(direction.other(), Some(1));
            }
            Effect::Reconnect { msg_seq } => {
                self.reconnects += 1;
                self.client_has = Some(msg_seq);
                if self.reconnects == PROPOSAL_MAX_RECONNECTS + 1 {
                    let text = format!("more than {PROPOSAL_MAX_RECONNECTS} RECONNECTs on one connection");
                    reports.push((FindingKind::RuleBroken, text));
                }
            }
            Effect::ReconnectOk { msg_seq } => {
                self.expect(direction, self.client_has.map(|seq| seq.saturating_add(1)));
                self.expect(direction.other(), Some(msg_seq.saturating_add(1)));
            }
            Effect::Msg { seq, ack } => {
                self.message(direction, seq, &mut reports);
                if !self.lossy() {
                    self.acknowledged(direction, ack, &mut reports);
                } else if ack != 0 {
                    reports.push((FindingKind::RuleBroken, format!("ack_seq {ack} on a lossy connection")));
                }
            }
            Effect::Ack(_) if self.lossy() => reports.push((FindingKind::AckLossy, String::new())),
            Effect::Ack(seq) => self.acknowledged(direction, seq, &mut reports),
        }
        reports
    }

    fn identified(&mut self, direction: Direction, sender: Option<Role>, ident: Ident, reports: &mut Vec<Report>) {
        let mut mismatch = |text: String| reports.push((FindingKind::RuleBroken, text));
        let found = (ident.entity_type, ident.gid);
        match sender {
            Some(Role::Client) => {
                if let Some(expected) = self.identities.client
                    && expected != found
                {
                    let ((found, gid), (kind, id)) = (found, expected);
                    mismatch(format!("{found} with gid {gid}, but authenticated as {kind} with {id}"));
                }
            }
            Some(Role::Server) => {
                if let Some(expected) = self.identities.server
                    && expected != ident.entity_type
                {
                    mismatch(format!("{}, but authenticated as {expected}", ident.entity_type));
                }
            }
            None => {}
        }
        if self.reconnect == Some(false) && !ident.lossy {
            mismatch("not LOSSY, though the banners don't both support RECONNECT".into());
        }
        self.idents[direction as usize] = Some(ident);
        for end in [direction, direction.other()] {
            if let Some(lacking) = self.lacks(end)
                && lacking.0 != 0
            {
                reports.push((FindingKind::MissingFeatures, lacking.to_string()));
            }
        }
    }

    fn message(&mut self, direction: Direction, seq: u64, reports: &mut Vec<Report>) {
        let next = &mut self.next[direction as usize];
        match *next {
            Some(expected) if seq < expected => {
                reports.push((FindingKind::SequenceRepeated, format!("{seq} where {expected} is due")));
            }
            Some(expected) if seq > expected => {
                reports.push((FindingKind::SequenceGap, format!("{seq} where {expected} is due")));
            }
            _ => {}
        }
        *next = Some(seq.saturating_add(1).max(next.unwrap_or(0)));
    }

    fn acknowledged(&mut self, direction: Direction, seq: u64, reports: &mut Vec<Report>) {
        if let Some(next) = self.next[direction.other() as usize]
            && seq >= next
        {
            let text = format!("{seq}, but {} was the last", next.saturating_sub(1));
            reports.push((FindingKind::AckUnsent, text));
        }
    }
}
