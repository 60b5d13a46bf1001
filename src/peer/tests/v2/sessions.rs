//! Sessions that are resumed, reset, taken over, waited for; and who wins when both sides dial.

use super::*;
use crate::peer::Event;
use crate::types::CephFeatures;

fn reports(client: &mut Config, server: &mut Config) {
    stateful(client, server);
    client.report_handshake = true;
    server.report_handshake = true;
}

#[test]
fn a_session_is_resumed() {
    let (mut network, [session, other]) = established(Auth::Authorize(CryptoType::AES), reports);
    network.send(0, session, "one");
    network.run_until(SECOND, |network| network.texts(1).len() == 1);
    // acknowledged when idle
    network.run_for(SECOND);
    network.cut();
    network.send(0, session, "two");
    network.send(1, other, "three");
    network.run_until(5 * SECOND, |network| network.texts(1).len() == 2 && network.texts(0).len() == 1);
    assert!(network.logged(0, "> SESSION_RECONNECT ") && network.logged(0, "< SESSION_RECONNECT_OK msg_seq 1"));
    assert!(network.logged(0, "established resumed=true") && network.logged(1, "established resumed=true"));
    assert_eq!(network.texts(1), ["one", "two"]);
    assert_eq!(network.texts(0), ["three"]);
}

#[test]
fn a_server_that_has_forgotten_makes_the_client_begin_anew() {
    let (mut network, [session, other]) = established(Auth::NoneToOsd, reports);
    network.send(0, session, "one");
    network.run_until(SECOND, |network| network.texts(1).len() == 1);
    network.cut();
    network.nodes[1].endpoint.abandon(network.now, other);
    network.send(0, session, "two");
    network.send(0, session, "three");
    network.run_until(5 * SECOND, |network| network.logged(0, "reset:"));
    network.run_for(SECOND);
    assert!(network.logged(0, "< SESSION_RESET full true"), "{:?}", network.nodes[0].log);
    assert!(network.logged(0, "reset: 3 lost"), "one was never acknowledged: {:?}", network.nodes[0].log);
    network.send(0, session, "four");
    network.run_for(SECOND);
    assert_eq!(network.texts(1), ["one", "four"]);
}

#[test]
fn a_lossy_session_ends_with_its_connection() {
    let (mut network, [session, _]) = established(Auth::NoneToMon, |_, _| {});
    network.send(0, session, "one");
    network.cut();
    network.run_for(2000 * SECOND);
    for node in &network.nodes {
        assert!(node.log.iter().any(|line| line.starts_with("closed: the connection ended")), "{:?}", node.log);
        assert_eq!(node.endpoint.stats(), Default::default());
    }
}

#[test]
fn a_client_that_is_new_replaces_its_session_of_before() {
    let (mut network, _) = established(Auth::NoneToOsd, reports);
    // the same process address, but nothing is known of before
    let mut config = client_config();
    let mut server = server_config(Auth::NoneToOsd);
    stateful(&mut config, &mut server);
    network.cut();
    network.refuse_dials = true;
    network.run_for(SECOND);
    network.refuse_dials = false;
    network.join(endpoint(config, "somebody new"), addr(10));
    // its global_seq must be as high as that of before
    let session = network.nodes[2].endpoint.connect(network.now, target(Auth::NoneToOsd));
    network.send(2, session, "new");
    let old = network.nodes[0].sessions[0];
    network.nodes[0].endpoint.abandon(network.now, old);
    network.run_until(5 * SECOND, |network| !network.texts(1).is_empty());
    assert!(network.logged(1, "reset: 0 lost"), "{:?}", network.nodes[1].log);
    assert_eq!(network.texts(1), ["new"]);
    assert_eq!(network.nodes[1].endpoint.stats().sessions, 1);
}

/// Two OSDs that dial each other.
fn peers(standby: bool) -> Network {
    let config = |host: u8, id: &str| {
        let mut config = Config::new(EntityName::new(EntityType::OSD, id));
        config.gid = host.into();
        config.addrs = vec![entity_addr(AddrType::MSGR2, addr(host), host.into())];
        config.server = ServerAuth { methods: vec![AuthMethod::NONE], ..Default::default() };
        let policy = Policy { standby, ..Policy::LOSSLESS_PEER };
        config.v2.policies = Some(Policies::all(policy));
        config.report_handshake = true;
        config
    };
    Network::new(vec![(endpoint(config(1, "1"), "one"), addr(1)), (endpoint(config(2, "2"), "two"), addr(2))])
}

fn dial(network: &mut Network, node: usize) -> SessionId {
    let host = 2 - node as u8;
    let mut target = Target::new(addr(host), vec![ClientAuth::None { service: EntityType::OSD }]);
    target.entity_addrs = vec![entity_addr(AddrType::MSGR2, addr(host), host.into())];
    network.nodes[node].endpoint.connect(network.now, target)
}

#[test]
fn both_dial_and_one_session_comes_of_it() {
    for lead in 0..=40 {
        for first in 0..2 {
            let mut network = peers(true);
            let mut sessions = [None, None];
            sessions[first] = Some(dial(&mut network, first));
            network.run_for(Duration::from_millis(5 * lead));
            let other = 1 - first;
            // who is connected already doesn't dial
            let known = network.nodes[other].sessions.first().copied();
            sessions[other] = Some(known.unwrap_or_else(|| dial(&mut network, other)));
            let [one, two] = sessions.map(Option::unwrap);
            for number in 0..20 {
                network.send(0, one, &format!("a{number}"));
                network.send(1, two, &format!("b{number}"));
            }
            network.run_until(40 * SECOND, |network| (0..2).all(|node| network.texts(node).len() == 20));
            for node in 0..2 {
                let stats = network.nodes[node].endpoint.stats();
                assert_eq!(stats.sessions, 1, "{lead} {first}: {:?}", network.nodes[node].log);
                let expected: Vec<String> = (0..20).map(|n| format!("{}{n}", ["b", "a"][node])).collect();
                assert_eq!(network.texts(node), expected);
            }
            network.run_for(40 * SECOND);
            assert!((0..2).all(|node| network.nodes[node].endpoint.stats().connections == 1));
        }
    }
}

#[test]
fn both_come_back_after_a_loss() {
    for seed in 0..20 {
        let mut network = peers(false);
        let sessions = [dial(&mut network, 0), dial(&mut network, 1)];
        network.run_for(30 * SECOND);
        for round in 0..5 {
            network.cut();
            network.latency = Duration::from_millis(1 + seed * 3 + round);
            for (node, session) in sessions.into_iter().enumerate() {
                network.send(node, session, &format!("{round}"));
            }
            network.run_until(60 * SECOND, |network| (0..2).all(|node| network.texts(node).len() > round as usize));
        }
        for node in 0..2 {
            assert_eq!(network.texts(node), ["0", "1", "2", "3", "4"]);
        }
    }
}

#[test]
fn standby_waits_for_something_to_send() {
    let mut network = peers(true);
    let session = dial(&mut network, 0);
    network.run_for(SECOND);
    network.cut();
    network.run_for(5000 * SECOND);
    assert_eq!(network.nodes[0].endpoint.stats().connections, 0);
    network.send(0, session, "again");
    network.run_until(SECOND, |network| !network.texts(1).is_empty());
    assert_eq!(network.texts(1), ["again"]);
}

#[test]
fn who_lacks_features_is_told() {
    let (mut network, _) = pair(Auth::NoneToMon, |client, server| {
        client.features_supported = CephFeatures::MSG_ADDR2;
        server.features_required = CephFeatures(1 << 60 | 1 << 59);
        client.report_handshake = true;
    });
    network.run_for(SECOND);
    assert!(network.logged(0, "< IDENT_MISSING_FEATURES"), "{:?}", network.nodes[0].log);
    assert!(network.logged(0, "closed: the peer says that this side lacks features"), "{:?}", network.nodes[0].log);
}

#[test]
fn keepalives_are_answered() {
    let (mut network, [session, _]) = established(Auth::NoneToMon, |_, _| {});
    assert!(network.nodes[0].endpoint.keepalive(network.now, session));
    network.run_for(SECOND);
    assert_eq!(network.nodes[0].round_trips, [2 * network.latency]);
    network.cut();
    network.pump();
    while let Some(Event::Keepalive { .. }) = network.nodes[0].endpoint.event() {}
    assert!(!network.nodes[0].endpoint.keepalive(network.now, session), "there is no connection");
}
