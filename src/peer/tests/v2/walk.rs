//! Every tag in every state of either role, lossless and lossy: a move of the spec's table, or a named error.

use std::collections::BTreeSet;

use super::*;
use crate::frame::{Ending, Revision, assemble};
use crate::peer::tests::network::Dice;
use crate::peer::{ConnectionId, Event, Why};
use crate::types::PreambleFlags;
use crate::v2_1::{CLIENT_STATES, SERVER_STATES, Tag};
use crate::wire::{Encode as _, State};
use crate::{Action, Guard};

/// The bytes of an AUTH_SIGNATURE: preamble, signature, CRC.
const SIGNATURE_FRAME: usize = 32 + 32 + 4;

/// The segments of a frame.
type Parts = [Vec<u8>; 4];

fn bytes(tag: u8, parts: &Parts, ending: Ending) -> Vec<u8> {
    let mut out = Vec::new();
    let parts = parts.clone().map(bytes::Bytes::from);
    assemble(Revision::V2_1, Tag(tag), PreambleFlags(0), &parts, ending, &mut out);
    out.concat()
}

/// Segments that can be read, for tags that have a meaning. Fields that are wrong in the context are part of the walk.
fn sample(tag: Tag) -> Parts {
    let none = || Vec::new();
    let (cookie, number) = (0x11u64.to_le_bytes(), 1u64.to_le_bytes());
    let list = |items: &[u32]| {
        let items = items.iter().flat_map(|item| item.to_le_bytes());
        (items.clone().count() as u32 / 4).to_le_bytes().into_iter().chain(items).collect::<Vec<u8>>()
    };
    let client = entity_addr(AddrType::ANY, addr(10), 0x1a2b_3c4d).to_bytes().unwrap();
    let server = entity_addr(AddrType::MSGR2, addr(1), 77).to_bytes().unwrap();
    let addrs = |addr: &[u8]| [&[2, 1, 0, 0, 0][..], addr].concat();
    // supported and required features with MSG_ADDR2, and no flags
    let features = [(1u64 << 59).to_le_bytes(), (1u64 << 59).to_le_bytes(), [0; 8]].concat();
    let first = match tag {
        Tag::HELLO => [&[4][..], &client].concat(),
        // method none for client.admin, in crc mode
        Tag::AUTH_REQUEST => {
            let none = [&[1][..], &8u32.to_le_bytes(), &5u32.to_le_bytes(), b"admin", &12u64.to_le_bytes()].concat();
            [&1u32.to_le_bytes()[..], &list(&[1]), &(none.len() as u32).to_le_bytes(), &none].concat()
        }
        Tag::AUTH_BAD_METHOD => [&1u32.to_le_bytes()[..], &(-95i32).to_le_bytes(), &list(&[2]), &list(&[1])].concat(),
        Tag::AUTH_REPLY_MORE | Tag::AUTH_REQUEST_MORE => 0u32.to_le_bytes().to_vec(),
        Tag::AUTH_DONE => [&12u64.to_le_bytes()[..], &1u32.to_le_bytes(), &0u32.to_le_bytes()].concat(),
        Tag::AUTH_SIGNATURE => vec![0; 32],
        Tag::CLIENT_IDENT => [&addrs(&client)[..], &server, &12i64.to_le_bytes(), &number, &features, &cookie].concat(),
        Tag::SERVER_IDENT => [&addrs(&server)[..], &7i64.to_le_bytes(), &number, &features, &cookie].concat(),
        Tag::IDENT_MISSING_FEATURES | Tag::SESSION_RETRY | Tag::SESSION_RETRY_GLOBAL | Tag::ACK => number.to_vec(),
        Tag::SESSION_RECONNECT => [&addrs(&client)[..], &cookie, &cookie, &number, &number, &[0; 8]].concat(),
        Tag::SESSION_RECONNECT_OK => vec![0; 8],
        Tag::SESSION_RESET => vec![1],
        Tag::MESSAGE => [&number[..], &[0; 33]].concat(),
        Tag::KEEPALIVE2 | Tag::KEEPALIVE2_ACK => vec![0; 8],
        Tag::COMPRESSION_REQUEST => [&[1][..], &list(&[1])].concat(),
        Tag::COMPRESSION_DONE => [&[0][..], &0u32.to_le_bytes()].concat(),
        _ => none(),
    };
    let front = if tag == Tag::MESSAGE { b"front".to_vec() } else { none() };
    [first, front, none(), none()]
}

/// A pair whose one node has come to a state, and its connection. It has come there by itself, except to where nothing
/// more can come.
fn in_state(node: usize, row: &State<Guard, Action>, state: u8, lossless: bool) -> (Network, ConnectionId) {
    let policies = |client: &mut Config, server: &mut Config| {
        if lossless {
            stateful(client, server);
        }
    };
    // only cephx has a second round
    let auth = if row.name == "auth_accepting_more" { Auth::Authenticate(CryptoType::AES) } else { Auth::NoneToOsd };
    let mut network = if row.name == "session_reconnecting" {
        let (mut network, _) = established(auth, stateful);
        network.cut();
        network
    } else {
        pair(auth, policies).0
    };
    if row.name == "closed" {
        network.run_until(SECOND, |network| network.nodes.iter().all(|node| !node.sessions.is_empty()));
        network.nodes[node].endpoint.connections.values_mut().for_each(|connection| connection.state = state);
    }
    // some frames come together: of these the second is lost
    let cut: Option<fn(&[u8]) -> usize> = match row.name {
        "auth_connecting_sign" => Some(|bytes| bytes.len() - SIGNATURE_FRAME),
        "compression_accepting" => Some(|_| SIGNATURE_FRAME),
        _ => None,
    };
    if let Some(cut) = cut {
        let first = if node == 0 { Tag::AUTH_DONE } else { Tag::AUTH_SIGNATURE };
        network.tamper = Some(Box::new(move |from, mut bytes| {
            if from != node && bytes[0] == first.0 {
                bytes.truncate(cut(&bytes));
            }
            bytes
        }));
    }
    let there = |network: &Network| {
        let connections = &network.nodes[node].endpoint.connections;
        connections.iter().find(|(_, connection)| connection.state == state).map(|(id, _)| *id)
    };
    network.run_until(SECOND, |network| there(network).is_some());
    let id = there(&network).unwrap();
    (network, id)
}

/// What a connection makes of a frame.
struct Outcome {
    error: Option<crate::peer::Error>,
    dropped: bool,
    ended: bool,
}

fn outcome(network: &mut Network, node: usize, id: ConnectionId, bytes: &[u8]) -> Outcome {
    let endpoint = &mut network.nodes[node].endpoint;
    endpoint.receive(network.now, id, bytes);
    let mut outcome = Outcome { error: None, dropped: false, ended: false };
    while let Some(event) = endpoint.event() {
        match event {
            Event::Closed { why: Why::Failed(what), .. }
            | Event::Disconnected { why: Why::Failed(what), .. }
            | Event::Failed { error: what, .. } => outcome.error = Some(what),
            Event::Dropped { .. } => outcome.dropped = true,
            Event::Hangup { .. } => outcome.ended = true,
            _ => {}
        }
    }
    outcome
}

/// Moves that a frame made up here can't make: what it would hold is sealed, or it leads to an error that has a name.
const NOT_MADE: [(&str, Tag); 3] = [
    ("auth_connecting", Tag::AUTH_BAD_METHOD),
    ("auth_connecting", Tag::AUTH_REPLY_MORE),
    ("session_connecting", Tag::IDENT_MISSING_FEATURES),
];

#[test]
fn every_tag_in_every_state() {
    let mut dice = Dice(7);
    let (mut moves, mut errors, mut made) = (0, 0, BTreeSet::new());
    for lossless in [false, true] {
        for (node, table) in [CLIENT_STATES, SERVER_STATES].into_iter().enumerate() {
            for (state, row) in table.iter().enumerate() {
                let fresh = || in_state(node, row, state as u8, lossless);
                let (mut network, mut id) = fresh();
                for tag in 0..=255 {
                    let mut noise = |most: u64| (0..dice.roll(most)).map(|_| dice.roll(256) as u8).collect::<Vec<u8>>();
                    let one = [noise(60), Vec::new(), Vec::new(), Vec::new()];
                    let many = [3, 8, 1, 4].map(noise);
                    // what is in a frame that nobody knows is no matter
                    let kinds = if Tag(tag).name().is_some() { 4 } else { 1 };
                    for (kind, parts) in [sample(Tag(tag)), Parts::default(), one, many].iter().enumerate().take(kinds)
                    {
                        // 0 stands for the banner, which no frame can be mistaken for: frames are read behind it
                        let legal = tag != 0 && !row.moves(tag).is_empty();
                        let Outcome { error, dropped, ended } =
                            outcome(&mut network, node, id, &bytes(tag, parts, Ending::Complete));
                        match error {
                            Some(error) => {
                                assert!(ended, "{} {tag}: {error} and goes on", row.name);
                                assert!(!error.name().is_empty() && !error.to_string().is_empty());
                                errors += 1;
                            }
                            None if legal || dropped => {
                                // what is dropped changes nothing
                                let to = row.moves(tag).iter().map(|step| table[usize::from(step.to)].name);
                                let to: Vec<&str> = if dropped { vec![row.name] } else { to.collect() };
                                let state = network.nodes[node].endpoint.state_name(id).unwrap_or("gone");
                                assert!(to.contains(&state), "{} {tag}: to {state}, not {to:?}", row.name);
                                moves += 1;
                                if kind == 0 {
                                    made.insert((row.name, Tag(tag)));
                                }
                            }
                            // the banner isn't there yet, or it is over and nothing is read any more
                            None => {
                                let silent = row.name.starts_with("banner_") || row.name == "closed";
                                assert!(silent, "{} {tag} is passed over in silence", row.name);
                            }
                        }
                        if legal || ended {
                            (network, id) = fresh();
                        }
                    }
                }
            }
        }
    }
    for row in CLIENT_STATES.iter().chain(SERVER_STATES) {
        for tag in (1..=255).map(Tag).filter(|tag| !row.moves(tag.0).is_empty()) {
            let expected = !NOT_MADE.contains(&(row.name, tag));
            assert_eq!(made.contains(&(row.name, tag)), expected, "{} {tag}", row.name);
        }
    }
    assert!(moves > 60 && errors > 3000, "{moves} moves, {errors} errors");
}

#[test]
fn what_its_sender_gave_up_is_nothing_in_every_state() {
    // in 2.1 a frame of one segment can't be given up
    let parts = [vec![0; 41], b"front".to_vec(), Vec::new(), Vec::new()];
    for (node, table) in [CLIENT_STATES, SERVER_STATES].into_iter().enumerate() {
        for (state, row) in
            table.iter().enumerate().filter(|(_, row)| !row.name.starts_with("banner_") && row.name != "closed")
        {
            let (mut network, id) = in_state(node, row, state as u8, true);
            let aborted = bytes(Tag::MESSAGE.0, &parts, Ending::Aborted);
            let found = outcome(&mut network, node, id, &aborted.repeat(3));
            assert!(found.dropped && !found.ended && found.error.is_none(), "{}: {:?}", row.name, found.error);
            assert_eq!(network.nodes[node].endpoint.state_name(id), Some(row.name));
        }
    }
}
