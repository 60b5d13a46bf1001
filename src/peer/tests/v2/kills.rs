//! Connections that break at any byte: no message of a lossless session is lost, doubled or moved.

use super::*;
use crate::peer::tests::network::Dice;
use crate::types::{ConnectionMode, Msgr2Features};

const NEWEST: Msgr2Features = Msgr2Features(3);

/// Sends numbered messages both ways while connections break; each side checks what comes.
fn through_kills(auth: Auth, secure: bool, features: Msgr2Features, messages: u64, kills: u64, every: u64, seed: u64) {
    let mode = if secure { ConnectionMode::SECURE } else { ConnectionMode::CRC };
    let (mut network, sessions) = established(auth, |client, server| {
        stateful(client, server);
        (client.v2.features, client.v2.dial_modes) = (features, vec![mode]);
    });
    network.kills = (kills, every, Dice(seed));
    network.kill_in = Some(every);
    let (mut sent, mut expected) = ([0; 2], [0; 2]);
    while expected != [messages; 2] || !network.nodes.iter().all(|node| node.endpoint.stats().memory == 0) {
        for node in 0..2 {
            while sent[node] < messages && network.send_number(node, sessions[node], sent[node]) {
                sent[node] += 1;
            }
        }
        assert!(network.step(), "nothing more happens: {expected:?}");
        for node in 0..2 {
            assert_eq!(network.nodes[node].sessions, [sessions[node]], "no other session");
            for message in network.nodes[node].received.get_mut(&sessions[node]).into_iter().flat_map(std::mem::take) {
                assert_eq!(message.front.as_ref(), expected[node].to_le_bytes(), "node {node}");
                expected[node] += 1;
                assert_eq!(message.seq, expected[node]);
            }
        }
    }
    assert!(network.killed >= kills, "{} of {kills} kills", network.killed);
    network.run_for(60 * SECOND);
    for (node, session) in network.nodes.iter().zip(sessions) {
        assert!(node.received.get(&session).is_none_or(Vec::is_empty), "more than was sent");
        assert!(!node.log.iter().any(|line| line.starts_with("closed") || line.starts_with("reset")));
    }
    network.nodes[0].endpoint.close(network.now, sessions[0]);
    network.run_for(2000 * SECOND);
    assert_eq!(network.nodes[0].log.last().map(String::as_str), Some("closed: closed, 0 unacked"));
    // nobody tells a server that nobody comes back
    let last = network.nodes[1].log.last().map(String::as_str);
    assert_eq!(last, Some("closed: too long without a connection, 0 unacked"));
}

#[test]
fn a_hundred_kills() {
    through_kills(Auth::NoneToOsd, false, NEWEST, 20_000, 100, 20_000, 1);
    through_kills(Auth::NoneToOsd, false, Msgr2Features(0), 2000, 100, 2500, 2);
}

#[test]
fn encrypted_messages_through_kills() {
    through_kills(Auth::Authorize(CryptoType::AES), true, NEWEST, 1000, 60, 2500, 3);
    through_kills(Auth::Authorize(CryptoType::AES), true, Msgr2Features(0), 1000, 60, 2500, 4);
    through_kills(Auth::Authenticate(CryptoType::AES256KRB5), true, NEWEST, 500, 30, 2500, 5);
}

#[test]
fn kills_in_the_handshake_too() {
    // so often that most connections end before they carry anything
    for seed in 0..10 {
        through_kills(Auth::NoneToOsd, false, NEWEST, 50, 40, 600, seed);
        through_kills(Auth::Authorize(CryptoType::AES), true, NEWEST, 50, 40, 1500, seed);
    }
}

#[test]
fn connections_that_carry_little() {
    for features in [NEWEST, Msgr2Features(0)] {
        for (auth, mode) in [
            (Auth::NoneToOsd, ConnectionMode::CRC),
            (Auth::Authorize(CryptoType::AES), ConnectionMode::CRC),
            (Auth::Authorize(CryptoType::AES), ConnectionMode::SECURE),
            (Auth::Authenticate(CryptoType::AES256KRB5), ConnectionMode::SECURE),
        ] {
            for (compress, count, size, lifetime) in
                [(false, 100, 0, 5000), (true, 12, 2000, 5000), (false, 4, 30_000, 50_000)]
            {
                let (mut network, sessions) = established(auth, |client, server| {
                    stateful(client, server);
                    (client.v2.features, client.v2.dial_modes) = (features, vec![mode]);
                    for config in [client, server] {
                        let compression = &mut config.v2.compression;
                        (compression.force, compression.with_secure) = (compress, true);
                    }
                });
                network.through_short_lives(sessions, count, size, lifetime);
                let expected = if compress { 0 } else { 1 };
                assert!(network.killed > expected, "{features} {auth:?} {mode}: no connection has broken");
            }
        }
    }
}
