//! Every tag in every state of either role: a move of the spec's table, a counted drop, or a named error.

use super::network::Dice;
use super::raw::any;
use super::*;
use crate::peer::{ConnectionId, Event, Why};
use crate::proposal::{CLIENT_STATES, SERVER_STATES, Tag};

/// A payload that can be read, for tags that have one. Fields that are wrong in the context are part of the walk.
fn sample(tag: Tag) -> Vec<u8> {
    let (cookie, number) = (0x11u64.to_le_bytes(), 1u64.to_le_bytes());
    match tag {
        Tag::AUTH_METHODS => [1u32.to_le_bytes(), 1u32.to_le_bytes()].concat(),
        Tag::AUTH_SET_METHOD => 1u32.to_le_bytes().to_vec(),
        Tag::AUTH_BAD_METHOD => [[1, 0, 0, 0], (-95i32).to_le_bytes(), [1, 0, 0, 0], [2, 0, 0, 0]].concat(),
        Tag::AUTH_REQUEST => {
            [&[2, 8][..], &5u32.to_le_bytes(), b"admin", &12u64.to_le_bytes(), &0u32.to_le_bytes()].concat()
        }
        Tag::AUTH_REPLY => [&[1][..], &[0; 4], &12u64.to_le_bytes(), &[0; 8]].concat(),
        Tag::ENCRYPT_BEGIN => [&1u32.to_le_bytes()[..], &[7; 16]].concat(),
        Tag::IDENT => {
            let ident = crate::proposal::Frame::Ident(raw::ident());
            crate::frame::proposal::encode(&ident).unwrap()[5..].to_vec()
        }
        Tag::IDENT_MISSING_FEATURES | Tag::ACK => number.to_vec(),
        Tag::START => vec![0; 8],
        Tag::RECONNECT => [cookie, cookie, number, number, [0; 8]].concat(),
        Tag::RECONNECT_OK => vec![0; 8],
        Tag::RECONNECT_RETRY_SESSION | Tag::RECONNECT_RETRY_GLOBAL => number.to_vec(),
        Tag::RECONNECT_RESET => vec![1],
        Tag::SIGNATURE => vec![0; 32],
        Tag::MSG => [&number[..], &[0; 33], &[0; 12]].concat(),
        Tag::KEEPALIVE2 | Tag::KEEPALIVE2_ACK => vec![0; 8],
        _ => Vec::new(),
    }
}

/// A pair with method none whose connections are past the handshake, and the connection of one node, put in a state.
fn in_state(node: usize, state: u8) -> (Network, ConnectionId) {
    let (mut network, sessions) = established(Auth::None, |_, _| {});
    network.nodes[node].log.clear();
    let id = network.nodes[node].endpoint.connection_of(sessions[node]).unwrap();
    network.nodes[node].endpoint.connections.get_mut(&id).unwrap().state = state;
    (network, id)
}

#[test]
fn every_tag_in_every_state() {
    let mut dice = Dice(7);
    let (mut moves, mut errors, mut drops) = (0, 0, 0);
    for (node, table) in [CLIENT_STATES, SERVER_STATES].into_iter().enumerate() {
        for (state, row) in table.iter().enumerate() {
            let (mut network, mut id) = in_state(node, state as u8);
            for tag in 0..=255 {
                let noise: Vec<u8> = (0..dice.roll(60)).map(|_| dice.roll(256) as u8).collect();
                for payload in [sample(Tag(tag)), Vec::new(), noise] {
                    let endpoint = &mut network.nodes[node].endpoint;
                    endpoint.receive(network.now, id, &any(tag, &payload));
                    let (mut error, mut dropped, mut ended) = (None, false, false);
                    while let Some(event) = endpoint.event() {
                        match event {
                            Event::Closed { why: Why::Failed(what), .. }
                            | Event::Disconnected { why: Why::Failed(what), .. }
                            | Event::Failed { error: what, .. } => error = Some(what),
                            Event::Dropped { .. } => dropped = true,
                            Event::Hangup { .. } => ended = true,
                            _ => {}
                        }
                    }
                    let legal = !row.moves(tag).is_empty();
                    match error {
                        Some(error) => {
                            assert!(ended, "{} {tag:#x}: {error} and goes on", row.name);
                            assert!(!error.name().is_empty() && !error.to_string().is_empty());
                            errors += 1;
                        }
                        None if dropped => drops += 1,
                        None if legal => {
                            let to = row.moves(tag).iter().map(|step| table[usize::from(step.to)].name);
                            let to: Vec<&str> = to.collect();
                            let state = network.nodes[node].endpoint.state_name(id).unwrap_or("gone");
                            assert!(to.contains(&state), "{} {tag:#x}: to {state}, not {to:?}", row.name);
                            moves += 1;
                        }
                        // what comes to a connection that is over is ignored
                        None => assert_eq!(row.name, "closed", "{} {tag:#x} is passed over in silence", row.name),
                    }
                    if legal || ended {
                        (network, id) = in_state(node, state as u8);
                    }
                }
            }
        }
    }
    assert!(moves > 60 && errors > 10_000 && drops > 0, "{moves} moves, {errors} errors, {drops} drops");
}

#[test]
fn states_that_encrypt_take_nothing_else() {
    for node in 0..2 {
        let state = [crate::proposal::client::AWAITING_ENCRYPTION, crate::proposal::server::AWAITING_ENCRYPTION][node];
        let (mut network, id) = in_state(node, state);
        network.nodes[node].endpoint.receive(network.now, id, &any(Tag::IDENT.0, &sample(Tag::IDENT)));
        network.pump();
        assert!(network.logged(node, "IDENT came in the clear, though encryption is required"));
    }
}
