//! Messages both ways, whichever way in; and how long it takes until the first.

use std::time::Duration;

use super::network::START;
use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn messages_both_ways() {
    for (auth, encryption) in ways() {
        for lossy in [false, true] {
            let (mut network, session) = pair(auth, |client, server| {
                client.encryption = encryption;
                client.lossy = lossy;
                server.limits.queue_messages = 4;
            });
            for text in ["one", "two", "three"] {
                network.send(0, session, text);
            }
            network.run_until(SECOND, |network| network.texts(1).len() == 3);
            let other = network.nodes[1].sessions[0];
            for text in ["four", "five"] {
                network.send(1, other, text);
            }
            network.run_until(SECOND, |network| network.texts(0).len() == 2);
            assert_eq!(network.texts(1), ["one", "two", "three"], "{auth:?} {encryption:?} {lossy}");
            assert_eq!(network.texts(0), ["four", "five"]);
            network.run_for(SECOND);
            network.nodes[0].endpoint.close(network.now, session);
            network.run_until(SECOND, |network| network.nodes.iter().all(|node| !node.lost_sessions.is_empty()));
            network.run_for(SECOND);
            for node in &network.nodes {
                assert_eq!(node.log, ["established resumed=false", "closed: closed, 0 unacked"], "{auth:?} {lossy}");
                assert_eq!(node.endpoint.stats(), Default::default());
            }
        }
    }
}

#[test]
fn round_trips_until_the_first_message() {
    for (auth, round_trips) in [(Auth::None, 1), (Auth::Authorize, 1), (Auth::Authenticate, 2), (Auth::Challenge, 2)] {
        for encryption in [Encryption::Possible, Encryption::Wanted] {
            let (mut network, session) = pair(auth, |client, server| {
                client.encryption = encryption;
                server.encryption = encryption;
            });
            network.latency = Duration::from_millis(100);
            network.send(0, session, "hello");
            network.run_until(SECOND, |network| !network.texts(1).is_empty());
            // the message's own way is half a round trip
            let way = network.now - START - network.latency;
            assert_eq!(way, 2 * round_trips * network.latency, "{auth:?} {encryption:?}");
        }
    }
}

#[test]
fn who_is_there() {
    let (mut network, session) = pair(Auth::Authorize, |client, server| {
        client.report_handshake = true;
        server.report_handshake = true;
        client.encryption = Encryption::Wanted;
    });
    network.send(0, session, "hello");
    network.run_until(SECOND, |network| !network.texts(1).is_empty());
    let names = |node: usize, mark: &str| -> Vec<String> {
        let lines = network.nodes[node].log.iter().filter_map(|line| line.strip_prefix(mark));
        lines.filter_map(|line| line.split_whitespace().next()).map(str::to_lowercase).collect()
    };
    let client = ["banner", "auth_set_method", "auth_request", "encrypt_begin", "ident", "start"];
    assert_eq!(names(0, "> "), client);
    assert_eq!(names(1, "< "), client);
    // nobody asks the server to encrypt
    let server = ["banner", "auth_methods", "auth_reply", "ident"];
    assert_eq!(names(1, "> "), server);
    assert_eq!(names(0, "< "), server);
}

#[test]
fn queues_push_back() {
    let (mut network, session) = pair(Auth::None, |client, _| client.limits.queue_messages = 8);
    for number in 0..8 {
        assert!(network.send_number(0, session, number));
    }
    assert!(!network.send_number(0, session, 8), "full");
    network.nodes[0].writable = false;
    network.run_until(SECOND, |network| network.nodes[0].writable);
    assert!(network.send_number(0, session, 8));
    network.run_for(SECOND);
    assert_eq!(network.texts(1).len(), 9);
}

#[test]
fn keepalives_keep_a_silent_connection() {
    let (mut network, _) = established(Auth::Authorize, |_, server| server.times.keepalive = 2000 * SECOND);
    network.run_for(7200 * SECOND);
    assert_eq!(network.nodes[0].log, ["established resumed=false"]);
    // without them the server gives the connection up, and the client comes again
    let (mut network, _) = established(Auth::Authorize, |client, server| {
        client.times.keepalive = 2000 * SECOND;
        server.times.keepalive = 2000 * SECOND;
    });
    network.run_for(1000 * SECOND);
    assert!(network.logged(1, "disconnected: nothing came from the peer for too long"), "{:?}", network.nodes[1].log);
    assert!(network.logged(0, "established resumed=true"));
}

#[test]
fn large_messages_keep_their_parts() {
    for encryption in [Encryption::Never, Encryption::Required] {
        let (mut network, session) = pair(Auth::Authorize, |client, server| {
            client.encryption = encryption;
            server.encryption = encryption;
        });
        let mut message = crate::peer::Message::new(crate::types::MessageType::OSD_OP, vec![1; 100_000]);
        message.middle = vec![2; 5].into();
        message.data = vec![3; 1_000_000].into();
        message.tid = 17;
        network.nodes[0].endpoint.send(network.now, session, message.clone()).unwrap();
        network.run_until(SECOND, |network| !network.texts(1).is_empty());
        let other = network.nodes[1].sessions[0];
        message.seq = 1;
        assert_eq!(network.nodes[1].received[&other], [message]);
    }
}
