//! What the accepting side of the shipped protocol decides about a session: rules without memory, in Ceph's order.
//!
//! "Existing" is what is known of the peer with the same addresses. The rules are numbered in the order in which Ceph
//! asks them; `3a` came with 20.2, and what a peer of msgr1 would need as number 2 is left out.

use std::cmp::Ordering;

use super::Policy;

/// How far an existing session's own connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// It is being dialled, or its handshake goes on.
    Connecting,
    /// Messages flow.
    Ready,
    /// It waits without connection until there is something to send.
    Standby,
    /// Another connection is just taking it over.
    Replacing,
    /// It is over.
    Closed,
}

/// What is known of a session with the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Existing {
    /// How far its connection is.
    pub stage: Stage,
    /// Whether it ends with its connection.
    pub lossy: bool,
    /// The policy for the peer.
    pub policy: Policy,
    /// The cookie of who was the client when the session began; 0 if there is none.
    pub client_cookie: u64,
    /// The cookie of who was the server; 0 if this side dialled and hasn't seen SERVER_IDENT.
    pub server_cookie: u64,
    /// The highest global_seq that the peer has said.
    pub peer_global_seq: u64,
    /// The number of the session's connections.
    pub connect_seq: u64,
}

/// What a CLIENT_IDENT leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentDecision {
    /// A session begins; of the peer there was none. Answer: SERVER_IDENT.
    Begin,
    /// The existing session is ended, and a new one begins. Answer: SERVER_IDENT.
    Replace,
    /// The existing session goes on, on this connection. Answer: SERVER_IDENT.
    TakeOver {
        /// The peer has lost its session: what is queued is dropped, and the application told.
        reset: bool,
    },
    /// The other connection is to win. Answer: WAIT.
    Wait,
    /// It comes too late: this connection is closed, without an answer.
    Stale,
}

/// What a SESSION_RECONNECT leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReconnectDecision {
    /// The session goes on, on this connection. Answer: SESSION_RECONNECT_OK.
    Resume,
    /// There is nothing to resume. Answer: SESSION_RESET.
    Reset {
        /// Whether the peer is to forget what it has queued, too.
        full: bool,
    },
    /// Answer: SESSION_RETRY, with the connect_seq that is known.
    Retry {
        /// That one.
        connect_seq: u64,
    },
    /// Answer: SESSION_RETRY_GLOBAL, with the global_seq that is known.
    RetryGlobal {
        /// That one.
        global_seq: u64,
    },
    /// The other connection is to win. Answer: WAIT.
    Wait,
}

/// The rule that a CLIENT_IDENT falls under, in the order in which they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IdentRule {
    /// 1: there is no session with the peer, or it is over.
    NoSession,
    /// 3: another connection is just taking the session over.
    BeingReplaced,
    /// 3a: the peer's counter is behind, and so is its cookie another: it has restarted while this side dialled it.
    Restarted,
    /// 4: the peer has begun a later connection already.
    Overtaken,
    /// 5: the session that is known doesn't outlive its connection.
    Lossy,
    /// 6: the session had begun, and the peer knows nothing of it.
    Forgotten,
    /// 7: the session was just being made when its connection was lost.
    Interrupted,
    /// 8: the session's own connection is up, or none is wanted.
    Settled,
    /// 9: both dial, and the peer's connection wins.
    RaceLost,
    /// 10: both dial, and this side's connection wins.
    RaceWon,
}

impl IdentRule {
    /// The number in Ceph's order.
    pub fn number(self) -> &'static str {
        match self {
            IdentRule::NoSession => "1",
            IdentRule::BeingReplaced => "3",
            IdentRule::Restarted => "3a",
            IdentRule::Overtaken => "4",
            IdentRule::Lossy => "5",
            IdentRule::Forgotten => "6",
            IdentRule::Interrupted => "7",
            IdentRule::Settled => "8",
            IdentRule::RaceLost => "9",
            IdentRule::RaceWon => "10",
        }
    }

    /// The rule for a CLIENT_IDENT with this cookie and global_seq. `peer` is how the peer's address compares with this
    /// side's, by [`compare_addrs`](super::compare_addrs).
    pub fn of(existing: Option<&Existing>, cookie: u64, global_seq: u64, peer: Ordering) -> Self {
        let Some(existing) = existing.filter(|existing| existing.stage != Stage::Closed) else {
            return IdentRule::NoSession;
        };
        let settled = matches!(existing.stage, Stage::Ready | Stage::Standby);
        if existing.stage == Stage::Replacing {
            return IdentRule::BeingReplaced;
        }
        if existing.peer_global_seq > global_seq {
            let another = existing.client_cookie != 0 && cookie != 0 && existing.client_cookie != cookie;
            return if another && !settled { IdentRule::Restarted } else { IdentRule::Overtaken };
        }
        if existing.lossy {
            return IdentRule::Lossy;
        }
        if existing.server_cookie != 0 && existing.client_cookie != 0 && existing.client_cookie != cookie {
            return IdentRule::Forgotten;
        }
        if existing.client_cookie == cookie {
            return IdentRule::Interrupted;
        }
        if settled {
            return IdentRule::Settled;
        }
        if peer == Ordering::Less || existing.policy.server { IdentRule::RaceLost } else { IdentRule::RaceWon }
    }
}

/// The rule that a SESSION_RECONNECT falls under, in the order in which they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReconnectRule {
    /// 1: there is no session with the peer, or it is over.
    NoSession,
    /// 2: another connection is just taking the session over.
    BeingReplaced,
    /// 3: the session that is known began with another client cookie.
    OtherSession,
    /// 4: this side dialled, and its SERVER_IDENT never came.
    NeverBegun,
    /// 5: the peer has begun a later connection already.
    Overtaken,
    /// 6: the session has had more connections than the peer knows of.
    ConnectSeqOld,
    /// 7: both dial, and this side's connection wins.
    RaceWon,
    /// 8: the session goes on.
    Found,
}

impl ReconnectRule {
    /// The number in Ceph's order.
    pub fn number(self) -> &'static str {
        match self {
            ReconnectRule::NoSession => "1",
            ReconnectRule::BeingReplaced => "2",
            ReconnectRule::OtherSession => "3",
            ReconnectRule::NeverBegun => "4",
            ReconnectRule::Overtaken => "5",
            ReconnectRule::ConnectSeqOld => "6",
            ReconnectRule::RaceWon => "7",
            ReconnectRule::Found => "8",
        }
    }

    /// The rule for a SESSION_RECONNECT. The server_cookie that it names isn't looked at.
    pub fn of(
        existing: Option<&Existing>,
        client_cookie: u64,
        global_seq: u64,
        connect_seq: u64,
        peer: Ordering,
    ) -> Self {
        let Some(existing) = existing.filter(|existing| existing.stage != Stage::Closed) else {
            return ReconnectRule::NoSession;
        };
        if existing.stage == Stage::Replacing {
            return ReconnectRule::BeingReplaced;
        }
        if existing.client_cookie != client_cookie {
            return ReconnectRule::OtherSession;
        }
        if existing.server_cookie == 0 {
            return ReconnectRule::NeverBegun;
        }
        if existing.peer_global_seq > global_seq {
            return ReconnectRule::Overtaken;
        }
        match existing.connect_seq.cmp(&connect_seq) {
            Ordering::Greater => ReconnectRule::ConnectSeqOld,
            Ordering::Equal if peer == Ordering::Greater && !existing.policy.server => ReconnectRule::RaceWon,
            _ => ReconnectRule::Found,
        }
    }
}

/// Decides about a CLIENT_IDENT; see [`IdentRule::of`] for the arguments.
pub fn client_ident(existing: Option<&Existing>, cookie: u64, global_seq: u64, peer: Ordering) -> IdentDecision {
    let reset = existing.is_some_and(|existing| existing.policy.resetcheck);
    match IdentRule::of(existing, cookie, global_seq, peer) {
        IdentRule::NoSession => IdentDecision::Begin,
        IdentRule::Restarted | IdentRule::Lossy => IdentDecision::Replace,
        IdentRule::Overtaken => IdentDecision::Stale,
        IdentRule::Forgotten => IdentDecision::TakeOver { reset },
        IdentRule::Interrupted | IdentRule::Settled | IdentRule::RaceLost => IdentDecision::TakeOver { reset: false },
        IdentRule::BeingReplaced | IdentRule::RaceWon => IdentDecision::Wait,
    }
}

/// Decides about a SESSION_RECONNECT; see [`ReconnectRule::of`] for the arguments.
pub fn session_reconnect(
    existing: Option<&Existing>,
    client_cookie: u64,
    global_seq: u64,
    connect_seq: u64,
    peer: Ordering,
) -> ReconnectDecision {
    let rule = ReconnectRule::of(existing, client_cookie, global_seq, connect_seq, peer);
    let Some(existing) = existing else { return ReconnectDecision::Reset { full: true } };
    match rule {
        ReconnectRule::NoSession => ReconnectDecision::Reset { full: true },
        ReconnectRule::OtherSession => ReconnectDecision::Reset { full: existing.policy.resetcheck },
        ReconnectRule::NeverBegun => ReconnectDecision::Reset { full: false },
        ReconnectRule::BeingReplaced | ReconnectRule::Overtaken => {
            ReconnectDecision::RetryGlobal { global_seq: existing.peer_global_seq }
        }
        ReconnectRule::ConnectSeqOld => ReconnectDecision::Retry { connect_seq: existing.connect_seq },
        ReconnectRule::RaceWon => ReconnectDecision::Wait,
        ReconnectRule::Found => ReconnectDecision::Resume,
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering::{Greater, Less};
    use std::collections::BTreeSet;

    use super::*;

    /// A session of two that dial each other, whose connection was lost.
    fn existing() -> Existing {
        Existing {
            stage: Stage::Connecting,
            lossy: false,
            policy: Policy::LOSSLESS_PEER,
            client_cookie: 0xc,
            server_cookie: 0x5,
            peer_global_seq: 10,
            connect_seq: 3,
        }
    }

    const REUSE: Policy = Policy::LOSSLESS_PEER_REUSE;
    const SERVER: Policy = Policy::STATEFUL_SERVER;

    #[test]
    fn every_row_for_client_ident() {
        use IdentDecision::*;
        let mut seen = BTreeSet::new();
        let e = existing();
        let fresh = Existing { client_cookie: 0xaa, server_cookie: 0, ..e };
        let ready = Existing { stage: Stage::Ready, ..fresh };
        for (row, existing, cookie, global_seq, peer, expected) in [
            ("1", None, 0xc, 1, Less, Begin),
            ("1, closed", Some(Existing { stage: Stage::Closed, ..e }), 0xc, 1, Less, Begin),
            ("3", Some(Existing { stage: Stage::Replacing, ..e }), 0xc, 99, Less, Wait),
            ("3a", Some(e), 0xd, 9, Less, Replace),
            ("3a, not of one that is ready", Some(Existing { stage: Stage::Ready, ..e }), 0xd, 9, Less, Stale),
            ("3a, not of one that waits", Some(Existing { stage: Stage::Standby, ..e }), 0xd, 9, Less, Stale),
            ("3a, not without cookie", Some(e), 0, 9, Less, Stale),
            ("4", Some(e), 0xc, 9, Less, Stale),
            ("5", Some(Existing { lossy: true, ..e }), 0xd, 10, Less, Replace),
            ("6", Some(e), 0xd, 10, Less, TakeOver { reset: false }),
            ("6, resetcheck", Some(Existing { policy: REUSE, ..e }), 0xd, 10, Less, TakeOver { reset: true }),
            ("7", Some(e), 0xc, 10, Greater, TakeOver { reset: false }),
            ("7, resetcheck", Some(Existing { policy: REUSE, ..e }), 0xc, 11, Greater, TakeOver { reset: false }),
            ("8", Some(ready), 0xd, 10, Greater, TakeOver { reset: false }),
            (
                "8, standby",
                Some(Existing { stage: Stage::Standby, ..ready }),
                0xd,
                10,
                Greater,
                TakeOver { reset: false },
            ),
            ("9", Some(fresh), 0xd, 10, Less, TakeOver { reset: false }),
            ("9, a server", Some(Existing { policy: SERVER, ..fresh }), 0xd, 10, Greater, TakeOver { reset: false }),
            ("10", Some(fresh), 0xd, 10, Greater, Wait),
        ] {
            assert_eq!(client_ident(existing.as_ref(), cookie, global_seq, peer), expected, "row {row}");
            let rule = IdentRule::of(existing.as_ref(), cookie, global_seq, peer);
            // what is named after "not" falls to the next rule
            let number = if row.contains("not") { "4" } else { row.split(',').next().unwrap() };
            assert_eq!(rule.number(), number, "row {row}");
            seen.insert(rule);
        }
        assert_eq!(seen.len(), 10, "{seen:?}");
    }

    #[test]
    fn every_row_for_session_reconnect() {
        use ReconnectDecision::*;
        let mut seen = BTreeSet::new();
        let e = existing();
        for (row, existing, cookie, global_seq, connect_seq, peer, expected) in [
            ("1", None, 0xc, 11, 4, Less, Reset { full: true }),
            ("1, closed", Some(Existing { stage: Stage::Closed, ..e }), 0xc, 11, 4, Less, Reset { full: true }),
            ("2", Some(Existing { stage: Stage::Replacing, ..e }), 0xc, 11, 4, Less, RetryGlobal { global_seq: 10 }),
            ("3", Some(e), 0xd, 11, 4, Less, Reset { full: false }),
            ("3, resetcheck", Some(Existing { policy: REUSE, ..e }), 0xd, 11, 4, Less, Reset { full: true }),
            ("4", Some(Existing { server_cookie: 0, ..e }), 0xc, 11, 4, Less, Reset { full: false }),
            ("5", Some(e), 0xc, 9, 4, Less, RetryGlobal { global_seq: 10 }),
            ("6", Some(e), 0xc, 10, 2, Less, Retry { connect_seq: 3 }),
            ("7", Some(e), 0xc, 10, 3, Greater, Wait),
            ("7, a server", Some(Existing { policy: SERVER, ..e }), 0xc, 10, 3, Greater, Resume),
            ("8, the lower address", Some(e), 0xc, 10, 3, Less, Resume),
            ("8", Some(e), 0xc, 10, 4, Greater, Resume),
        ] {
            let decision = session_reconnect(existing.as_ref(), cookie, global_seq, connect_seq, peer);
            assert_eq!(decision, expected, "row {row}");
            let rule = ReconnectRule::of(existing.as_ref(), cookie, global_seq, connect_seq, peer);
            let number = if row == "7, a server" { "8" } else { row.split(',').next().unwrap() };
            assert_eq!(rule.number(), number, "row {row}");
            seen.insert(rule);
        }
        assert_eq!(seen.len(), 8, "{seen:?}");
    }
}
