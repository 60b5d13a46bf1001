//! Sessions outlive their connections: each message arrives once, and in order.

use std::time::Duration;

use super::network::Dice;
use super::*;

/// Sends numbered messages both ways while connections break; each side checks what comes.
fn through_kills(auth: Auth, encryption: Encryption, messages: u64, kills: u64, every: u64, seed: u64) {
    let (mut network, sessions) = established(auth, |client, server| {
        client.encryption = encryption;
        server.encryption = encryption;
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
    network.run_for(Duration::from_secs(60));
    for (node, session) in network.nodes.iter().zip(sessions) {
        assert!(node.received.get(&session).is_none_or(Vec::is_empty), "more than was sent");
        assert!(!node.log.iter().any(|line| line.starts_with("closed") || line.starts_with("reset")));
    }
    network.nodes[0].endpoint.close(network.now, sessions[0]);
    network.run_for(Duration::from_secs(1));
    for node in &network.nodes {
        assert_eq!(node.log.last().map(String::as_str), Some("closed: closed, 0 unacked"));
    }
}

#[test]
fn a_hundred_thousand_messages_through_200_kills() {
    through_kills(Auth::None, Encryption::Possible, 100_000, 200, 60_000, 1);
}

#[test]
fn signed_and_sealed_messages_through_kills() {
    through_kills(Auth::Authorize, Encryption::Possible, 1000, 60, 1500, 2);
    through_kills(Auth::Authorize, Encryption::Required, 1000, 60, 1500, 3);
    through_kills(Auth::Authenticate, Encryption::Required, 500, 30, 1500, 4);
    through_kills(Auth::Challenge, Encryption::Wanted, 500, 30, 1500, 5);
}

#[test]
fn kills_in_the_handshake_too() {
    // so often that most connections end before they carry anything
    for seed in 0..10 {
        through_kills(Auth::None, Encryption::Possible, 50, 40, 250, seed);
        through_kills(Auth::Authorize, Encryption::Required, 50, 40, 700, seed);
    }
}

#[test]
fn connections_that_carry_little() {
    for (auth, encryption) in ways() {
        for (count, size, lifetime) in [(50, 100, 5000), (12, 2000, 5000), (4, 30_000, 50_000)] {
            let (mut network, sessions) = established(auth, |client, server| {
                client.encryption = encryption;
                server.encryption = encryption;
            });
            network.through_short_lives(sessions, count, size, lifetime);
            assert!(network.killed > 1, "{auth:?} {encryption:?}: no connection has broken");
        }
    }
}

#[test]
fn records_are_shared_again_once_something_has_arrived() {
    // what 500 messages cost, on the first connection and on the second one
    let cost = |broken: bool| {
        let (mut network, sessions) = established(Auth::Authorize, |client, server| {
            (client.encryption, server.encryption) = (Encryption::Required, Encryption::Required);
        });
        if broken {
            network.cut();
            network.send(0, sessions[0], "first");
            network.run_for(Duration::from_secs(5));
            assert!(network.logged(1, "resumed=true"));
        }
        let before = network.bytes[1];
        for number in 0..500 {
            network.send_number(0, sessions[0], number);
        }
        network.run_for(Duration::from_secs(5));
        network.bytes[1] - before
    };
    assert_eq!(cost(false), cost(true));
}

#[test]
fn bytes_that_change_on_their_way() {
    for seed in 0..30 {
        let encryption = if seed % 2 == 0 { Encryption::Possible } else { Encryption::Required };
        let (mut network, sessions) = established(Auth::Authorize, |client, _| client.encryption = encryption);
        network.run_for(Duration::from_secs(1));
        let mut dice = Dice(seed);
        network.tamper = Some(Box::new(move |_, mut bytes| {
            let at = dice.roll(bytes.len() as u64 * 4) as usize;
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << dice.roll(8);
            }
            bytes
        }));
        for number in 0..40u64 {
            for (node, session) in sessions.into_iter().enumerate() {
                assert!(network.send_number(node, session, number));
            }
            network.run_for(Duration::from_millis(50));
        }
        network.tamper = None;
        network.run_for(Duration::from_secs(100));
        for (node, session) in sessions.into_iter().enumerate() {
            let received = &network.nodes[node].received[&session];
            let numbers: Vec<_> = received.iter().map(|message| message.front.to_vec()).collect();
            let expected: Vec<_> = (0..40u64).map(|number| number.to_le_bytes().to_vec()).collect();
            assert_eq!(numbers, expected, "seed {seed} node {node}: {:#?}", network.nodes[node].log);
        }
    }
}
