//! How long a handshake takes, counted in round trips: both ends run the state tables of the spec, send what they may
//! as soon as they may, and bytes take half a round trip. No peer, no clock: this is what the rules allow at best.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, VecDeque};

use msgr2::wire::{On, State};
use msgr2::{Action, Guard, proposal, v2_1};

type Table = &'static [State<Guard, Action>];

/// Where tags stand, this is the banner.
const BANNER: u8 = 0;
const CLIENT: usize = 0;
const SERVER: usize = 1;

struct Dialect {
    states: [Table; 2],
    /// What carries a round of the method to the server.
    requests: &'static [u8],
    /// What carries its answer.
    replies: &'static [u8],
    message: u8,
    close: u8,
}

const PROPOSAL: Dialect = Dialect {
    states: [proposal::CLIENT_STATES, proposal::SERVER_STATES],
    requests: &[proposal::Tag::AUTH_REQUEST.0],
    replies: &[proposal::Tag::AUTH_REPLY.0],
    message: proposal::Tag::MSG.0,
    close: proposal::Tag::CLOSE.0,
};

const V2_1: Dialect = Dialect {
    states: [v2_1::CLIENT_STATES, v2_1::SERVER_STATES],
    requests: &[v2_1::Tag::AUTH_REQUEST.0, v2_1::Tag::AUTH_REQUEST_MORE.0],
    replies: &[v2_1::Tag::AUTH_REPLY_MORE.0, v2_1::Tag::AUTH_DONE.0],
    message: v2_1::Tag::MESSAGE.0,
    close: 255, // it has none
};

/// What holds when nothing goes wrong and there is no session yet; `last` says that the method is content.
fn holds(guard: Guard, last: bool, encrypted: bool) -> bool {
    match guard {
        Guard::MoreNeeded => !last,
        Guard::NewSession | Guard::MethodAllowed | Guard::Stateful => true,
        Guard::EncryptionWanted | Guard::EncryptionPossible => encrypted,
        _ => false,
    }
}

/// The half round trips from the end of TCP's handshake, as the client sees it, until the client may send a message.
fn half_round_trips(dialect: &Dialect, rounds: usize, encrypted: bool) -> u32 {
    let mut state = [0usize; 2];
    let mut seen = [0usize; 2];
    // what arrives when, in order
    let mut on_the_way: BTreeMap<u32, VecDeque<(usize, u8)>> = BTreeMap::new();
    // the server accepts when the client's ACK arrives
    for (end, begins) in [(CLIENT, 0), (SERVER, 1)] {
        on_the_way.entry(begins).or_default().push_back((end, u8::MAX));
    }
    while let Some((now, mut arrivals)) = on_the_way.pop_first() {
        while let Some((end, tag)) = arrivals.pop_front() {
            let mut sent = Vec::new();
            if tag == u8::MAX {
                sent.push(BANNER);
            } else {
                let method = if end == SERVER { dialect.requests } else { dialect.replies };
                seen[end] += usize::from(method.contains(&tag));
                let ways = dialect.states[end][state[end]].moves(tag);
                let last = seen[end] >= rounds;
                let way = ways.iter().find(|way| way.guard.is_none_or(|guard| holds(guard, last, encrypted)));
                let way = way.unwrap_or_else(|| panic!("{}: {tag:#x}", dialect.states[end][state[end]].name));
                state[end] = way.to.into();
                sent.extend(way.sends);
            }
            // what it may send by itself goes at once
            let own = |state: usize| -> Option<&'static On<Guard, Action>> {
                dialect.states[end][state].acts.iter().find(|on| on.tag != dialect.close)
            };
            while let Some(on) = own(state[end]) {
                sent.push(on.tag);
                sent.extend(on.moves[0].sends);
                state[end] = on.moves[0].to.into();
            }
            if end == CLIENT && dialect.states[CLIENT][state[CLIENT]].sends.contains(&dialect.message) {
                return now;
            }
            on_the_way.entry(now + 1).or_default().extend(sent.into_iter().map(|tag| (1 - end, tag)));
        }
    }
    panic!("the handshake never ends");
}

#[test]
fn the_proposal_takes_as_many_round_trips_as_its_method_has_rounds() {
    for encrypted in [false, true] {
        assert_eq!(half_round_trips(&PROPOSAL, 1, encrypted), 2, "none, or cephx with a ticket: 1 round trip");
        assert_eq!(half_round_trips(&PROPOSAL, 2, encrypted), 4, "cephx authenticate: 2");
    }
}

#[test]
fn what_was_shipped_takes_two_more() {
    assert_eq!(half_round_trips(&V2_1, 1, false), 6, "none: 3 round trips");
    assert_eq!(half_round_trips(&V2_1, 2, false), 8, "cephx, to a monitor or with a ticket: 4");
}
