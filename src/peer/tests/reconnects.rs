//! Sessions that are resumed, reset, taken over and closed.

use std::time::Duration;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn reports(client: &mut Config, server: &mut Config) {
    client.report_handshake = true;
    server.report_handshake = true;
}

#[test]
fn a_session_goes_on() {
    let (mut network, [session, other]) = established(Auth::Authorize, reports);
    network.send(0, session, "one");
    network.run_for(SECOND);
    network.cut();
    network.send(0, session, "two");
    network.send(1, other, "three");
    network.run_for(SECOND);
    assert_eq!((network.texts(1), network.texts(0)), (vec!["one".into(), "two".into()], vec!["three".into()]));
    for node in &network.nodes {
        let ends: Vec<_> = node.log.iter().filter(|line| !line.starts_with(['<', '>'])).collect();
        assert_eq!(
            ends,
            ["established resumed=false", "disconnected: the connection ended", "established resumed=true"]
        );
        assert_eq!(node.endpoint.stats().connections, 1);
    }
    assert!(network.logged(0, "> RECONNECT "));
    assert!(network.logged(0, "< RECONNECT_OK msg_seq 1"));
}

#[test]
fn a_reconnect_fetches_what_a_missing_signature_has_cost() {
    for encryption in [Encryption::Possible, Encryption::Required] {
        let (mut network, [session, _]) = established(Auth::Authorize, |client, server| {
            client.encryption = encryption;
            reports(client, server);
        });
        network.send(0, session, "one");
        network.run_for(SECOND);
        network.nodes[0].endpoint.connections.values_mut().for_each(|connection| connection.forget_signature());
        network.send(0, session, "two");
        network.send(0, session, "three");
        network.run_for(SECOND);
        assert_eq!(network.texts(1), ["one", "two", "three"]);
        assert_eq!(network.nodes[1].endpoint.stats().dropped_frames, 1);
        let gap = |line: &String| line.starts_with("disconnected: ") && line.contains("2") && line.contains("3");
        assert!(network.nodes[1].log.iter().any(gap), "{:#?}", network.nodes[1].log);
        assert!(network.logged(0, "< RECONNECT_OK msg_seq 1"));
    }
}

#[test]
fn a_server_that_forgot_the_session_resets_it() {
    let (mut network, [session, _]) = established(Auth::None, reports);
    network.send(0, session, "one");
    network.run_for(SECOND);
    network.cut();
    // another process in the server's place
    network.nodes[1].endpoint = endpoint(server_config(Auth::None), "a new server");
    network.send(0, session, "two");
    network.send(0, session, "three");
    network.run_for(SECOND);
    assert!(network.logged(0, "< RECONNECT_RESET full "));
    assert!(network.logged(0, "reset: 2 lost"), "{:#?}", network.nodes[0].log);
    network.send(0, session, "four");
    network.run_for(SECOND);
    assert_eq!(network.texts(1), ["one", "four"]);
    let received = network.nodes[1].received.values().flatten();
    let numbers: Vec<_> = received.map(|message| (message.front.to_vec(), message.seq)).collect();
    assert_eq!(numbers, [(b"one".to_vec(), 1), (b"four".to_vec(), 1)], "numbers begin anew");
}

#[test]
fn a_start_that_got_lost_loses_nothing() {
    let (mut network, session) = pair(Auth::Authorize, reports);
    network.send(0, session, "one");
    // until the client has sent START and its message
    network.run_until(SECOND, |network| network.logged(0, "established"));
    network.cut();
    network.run_for(SECOND);
    assert!(network.logged(0, "> RECONNECT "));
    assert!(network.logged(0, "< RECONNECT_RESET"), "{:#?}", network.nodes[0].log);
    assert!(!network.logged(0, "reset:"));
    assert_eq!(network.texts(1), ["one"]);
}

#[test]
fn a_live_connection_is_taken_over() {
    let (mut network, [session, other]) = established(Auth::Authorize, |_, _| {});
    network.send(0, session, "one");
    network.run_for(SECOND);
    // the client alone notices that its connection is gone
    let connection = network.nodes[0].endpoint.connection_of(session).unwrap();
    network.nodes[0].endpoint.ended(network.now, connection);
    network.send(0, session, "two");
    network.run_for(SECOND);
    network.send(1, other, "three");
    network.run_for(SECOND);
    assert_eq!((network.texts(1).len(), network.texts(0).len()), (2, 1));
    assert_eq!(network.nodes[1].log, ["established resumed=false", "established resumed=true"]);
    assert_eq!(network.nodes[1].endpoint.stats().connections, 1, "the old one is gone");
}

#[test]
fn old_sequences_are_raised() {
    let (mut network, [session, other]) = established(Auth::None, reports);
    let server = &mut network.nodes[1].endpoint.shared.sessions;
    server.get_mut(&other).unwrap().session.connect_seq = 5;
    network.cut();
    network.send(0, session, "one");
    network.run_for(SECOND);
    assert!(network.logged(0, "< RECONNECT_RETRY_SESSION connect_seq 5"), "{:#?}", network.nodes[0].log);
    assert_eq!(network.texts(1), ["one"]);
    assert_eq!(network.nodes[1].endpoint.shared.sessions[&other].session.connect_seq, 6);

    network.nodes[1].endpoint.shared.sessions.get_mut(&other).unwrap().session.global_seq = 1000;
    network.cut();
    network.send(0, session, "two");
    network.run_for(SECOND);
    assert!(network.logged(0, "< RECONNECT_RETRY_GLOBAL global_seq 1000"));
    assert_eq!(network.texts(1), ["one", "two"]);
    assert_eq!(network.nodes[1].endpoint.shared.sessions[&other].session.global_seq, 1001);
}

#[test]
fn who_dials_back_says_wait() {
    // the server is a client too, and dials the address that its peer gives as its own
    let own = addr(10);
    let (mut network, [session, _]) = established(Auth::None, |client, server| {
        reports(client, server);
        client.addrs = vec![entity_addr(AddrType::MSGR2, own, 1)];
    });
    network.cut();
    let auth = vec![ClientAuth::None { service: EntityType::CLIENT }];
    let back = network.nodes[1].endpoint.connect(network.now, Target::new(own, auth));
    // its dialling takes long
    while let Some(event) = network.nodes[1].endpoint.event() {
        assert!(matches!(event, crate::peer::Event::Dial { .. } | crate::peer::Event::Disconnected { .. }));
    }
    network.send(0, session, "one");
    network.run_for(SECOND / 10);
    assert!(network.logged(0, "< RECONNECT_WAIT"), "{:#?}", network.nodes[0].log);
    assert!(network.logged(0, "disconnected: the server asks to come again later"));
    network.nodes[1].endpoint.abandon(network.now, back);
    network.run_for(SECOND);
    assert_eq!(network.texts(1), ["one"]);
}

#[test]
fn sessions_close_in_all_ways() {
    for auth in ALL {
        for lossy in [false, true] {
            // by either side, and by both at once; behind what is queued
            for closers in [&[0usize][..], &[1], &[0, 1]] {
                let (mut network, sessions) = established(auth, |client, _| client.lossy = lossy);
                network.send(0, sessions[0], "last words");
                network.send(1, sessions[1], "last words");
                for &closer in closers {
                    network.nodes[closer].endpoint.close(network.now, sessions[closer]);
                    let refused =
                        network.nodes[closer].endpoint.send(network.now, sessions[closer], Default::default());
                    assert_eq!(refused, Err(crate::peer::SendError::Closed));
                }
                network.run_for(SECOND);
                for node in 0..2 {
                    assert_eq!(network.texts(node), ["last words"], "{auth:?} {lossy} {closers:?} {node}");
                    let log = &network.nodes[node].log;
                    assert_eq!(log[1..], ["closed: closed, 0 unacked"], "{auth:?} {lossy} {closers:?}");
                    assert_eq!(network.nodes[node].endpoint.stats(), Default::default());
                }
            }
        }
    }
}

#[test]
fn a_session_without_a_connection_expires() {
    let (mut network, sessions) = established(Auth::None, |_, _| {});
    network.refuse_dials = true;
    network.cut();
    network.send(0, sessions[0], "in vain");
    network.run_for(890 * SECOND);
    assert!(network.nodes.iter().all(|node| node.lost_sessions.is_empty()));
    let dials = network.nodes[0].log.iter().filter(|line| line.contains("nobody answers")).count();
    assert!((60..70).contains(&dials), "pauses grow to 15 s: {dials}");
    network.run_for(30 * SECOND);
    assert!(network.logged(0, "closed: too long without a connection, 1 unacked"));
    assert!(network.logged(1, "closed: too long without a connection, 0 unacked"));
}

#[test]
fn a_lossy_session_ends_with_its_connection() {
    let (mut network, _) = established(Auth::None, |_, server| server.lossy = true);
    network.cut();
    network.run_for(SECOND);
    for node in &network.nodes {
        assert_eq!(node.log, ["established resumed=false", "closed: the connection ended, 0 unacked"]);
    }
}

#[test]
fn a_client_without_reconnect_makes_it_lossy() {
    let (mut network, _) = established(Auth::Authorize, |client, _| client.reconnect = false);
    network.cut();
    assert!(network.logged(1, "closed: the connection ended"));
}

#[test]
fn a_new_process_replaces_nothing_but_its_own_session() {
    let (mut network, _) = established(Auth::Authorize, |_, _| {});
    // the same addresses, nonce included, and the same ticket: the same peer
    let target = Target::new(addr(1), client_auth(Auth::Authorize));
    let again = network.nodes[0].endpoint.connect(network.now, target);
    network.run_for(SECOND);
    assert!(network.logged(1, "closed: the peer began a new session"));
    assert_eq!(network.nodes[1].endpoint.stats().sessions, 1);
    assert!(network.nodes[0].endpoint.connection_of(again).is_some());
}

#[test]
fn nobody_answers() {
    let (mut network, _) = pair(Auth::None, |client, _| client.times.handshake = 10 * SECOND);
    network.latency = 3600 * SECOND;
    network.run_for(11 * SECOND);
    assert!(network.logged(0, "disconnected: the handshake took too long"), "{:?}", network.nodes[0].log);
    assert!(network.logged(1, "failed timed_out: the handshake took too long"));
}

#[test]
fn an_ack_that_does_not_come_ends_the_connection() {
    let (mut network, [session, _]) = established(Auth::Authorize, |_, _| {});
    // the server's socket is read by nobody
    network.latency = 60 * SECOND;
    network.send(0, session, "one");
    network.run_for(31 * SECOND);
    assert!(network.logged(0, "disconnected: messages weren't acknowledged in time"), "{:?}", network.nodes[0].log);
    network.latency = SECOND / 100;
    network.run_for(120 * SECOND);
    assert_eq!(network.texts(1), ["one"]);
}

#[test]
fn a_close_that_nobody_answers() {
    for lossy in [false, true] {
        let (mut network, [session, _]) = established(Auth::Authorize, |client, _| client.lossy = lossy);
        network.latency = 3600 * SECOND;
        network.nodes[0].endpoint.close(network.now, session);
        network.run_for(29 * SECOND);
        assert!(network.nodes[0].lost_sessions.is_empty());
        network.run_for(2 * SECOND);
        assert!(network.logged(0, "closed: CLOSE wasn't answered in time, 0 unacked"), "{:?}", network.nodes[0].log);
    }
}

#[test]
fn a_server_that_never_agrees() {
    let (mut network, [session, other]) = established(Auth::None, |client, server| {
        reports(client, server);
        client.times.pause_first = 100 * SECOND;
    });
    network.cut();
    let asked = |network: &Network| network.nodes[0].log.iter().filter(|line| line.starts_with("> RECONNECT ")).count();
    network.send(0, session, "one");
    while asked(&network) < 20 && network.step() {
        // whatever the client says, the server knows of something newer
        if let Some(entry) = network.nodes[1].endpoint.shared.sessions.get_mut(&other) {
            entry.session.connect_seq += 100;
        }
        if network.logged(0, "more than 10 RECONNECT") {
            break;
        }
    }
    assert!(
        network.logged(0, "disconnected: a session was asked for more than 10 times"),
        "{:?}",
        network.nodes[0].log
    );
}

#[test]
fn a_closed_session_whose_client_is_gone() {
    let (mut network, sessions) = established(Auth::None, |_, _| {});
    network.send(1, sessions[1], "last words");
    network.nodes[1].endpoint.close(network.now, sessions[1]);
    network.pump();
    // the client gets all of it, and its answer gets lost
    network.run_until(SECOND, |network| network.logged(0, "closed: closed"));
    network.cut();
    assert_eq!(network.texts(0), ["last words"]);
    network.run_for(31 * SECOND);
    assert!(network.logged(1, "closed: "), "{:?}", network.nodes[1].log);
}
