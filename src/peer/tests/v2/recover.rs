//! Two endpoints whose knowledge of a session has drifted apart: which answers that leads to, and what becomes of the
//! messages.

use super::*;
use crate::peer::tests::network::Dice;
use crate::session::Session;

const PEER: Policy = Policy { standby: false, ..Policy::LOSSLESS_PEER };

/// A client and a server with a session through which one message went each way, and another one is on its way; then
/// the connection breaks. `drift` changes what the client and the server know.
fn drifted(server: Policy, drift: impl FnOnce(&mut Network, [SessionId; 2])) -> (Network, [SessionId; 2]) {
    let (mut network, sessions) = established(Auth::NoneToOsd, |client, config| {
        stateful(client, config);
        config.v2.policies = Some(Policies::all(server));
        client.report_handshake = true;
    });
    for (node, session) in sessions.into_iter().enumerate() {
        network.send(node, session, "one");
    }
    network.run_for(SECOND);
    for (node, session) in sessions.into_iter().enumerate() {
        network.send(node, session, "two");
    }
    network.pump();
    network.cut();
    drift(&mut network, sessions);
    (network, sessions)
}

fn session(network: &mut Network, node: usize, id: SessionId) -> &mut Session {
    &mut network.nodes[node].endpoint.shared.sessions.get_mut(&id).unwrap().session
}

/// The client's view of the session's handshake: names of frames from the wish for a session on.
fn course(network: &Network) -> Vec<&str> {
    let log = &network.nodes[0].log;
    let last = log.iter().rposition(|line| line.starts_with("< COMPRESSION_DONE")).unwrap();
    let frames = log[last + 1..].iter().filter(|line| line.starts_with(['<', '>']));
    frames.map(|line| line.split(' ').nth(1).unwrap()).collect()
}

#[test]
fn numbers_that_are_behind_are_raised() {
    let (mut network, _) = drifted(Policy::STATEFUL_SERVER, |network, sessions| {
        network.nodes[0].endpoint.shared.global_seq = 0;
        session(network, 1, sessions[1]).global_seq = 700;
        session(network, 1, sessions[1]).connect_seq = 41;
    });
    network.run_for(SECOND);
    let expected = [
        "SESSION_RECONNECT",
        "SESSION_RETRY_GLOBAL",
        "SESSION_RECONNECT",
        "SESSION_RETRY",
        "SESSION_RECONNECT",
        "SESSION_RECONNECT_OK",
    ];
    assert_eq!(course(&network), expected);
    assert!(
        network.logged(0, "< SESSION_RETRY_GLOBAL global_seq 700")
            && network.logged(0, "< SESSION_RETRY connect_seq 41")
    );
    for node in 0..2 {
        assert_eq!(network.texts(node), ["one", "two"], "nothing is lost, nothing comes twice");
    }
    // both know the same now
    network.cut();
    network.run_for(SECOND);
    assert_eq!(course(&network), ["SESSION_RECONNECT", "SESSION_RECONNECT_OK"]);
}

#[test]
fn a_server_that_knows_another_session() {
    for (policy, full) in
        [(Policy::STATEFUL_SERVER, true), (Policy { resetcheck: false, ..Policy::STATEFUL_SERVER }, false)]
    {
        let (mut network, sessions) = drifted(policy, |network, sessions| {
            session(network, 1, sessions[1]).client_cookie ^= 1;
        });
        network.run_for(SECOND);
        assert_eq!(course(&network), ["SESSION_RECONNECT", "SESSION_RESET", "CLIENT_IDENT", "SERVER_IDENT"]);
        network.send(0, sessions[0], "three");
        network.send(1, sessions[1], "four");
        network.run_for(SECOND);
        if full {
            for node in 0..2 {
                assert!(network.logged(node, "reset: 1 lost"), "{:?}", network.nodes[node].log);
            }
            assert_eq!(
                (network.texts(1), network.texts(0)),
                (vec!["one".into(), "three".into()], vec!["one".into(), "four".into()])
            );
        } else {
            assert!((0..2).all(|node| !network.logged(node, "reset")));
            let texts = |last: &str| ["one", "two", last].map(str::to_owned).to_vec();
            assert_eq!((network.texts(1), network.texts(0)), (texts("three"), texts("four")));
        }
    }
}

#[test]
fn the_answer_to_the_first_ident_is_lost() {
    // whatever the server has said since its SERVER_IDENT never arrived: the session goes on as it began
    let (mut network, session) = pair(Auth::NoneToOsd, |client, server| {
        stateful(client, server);
        client.report_handshake = true;
    });
    network.send(0, session, "one");
    network.run_until(SECOND, |network| !network.nodes[1].sessions.is_empty());
    let other = network.nodes[1].sessions[0];
    network.send(1, other, "two");
    network.pump();
    network.cut();
    network.run_for(SECOND);
    assert_eq!(course(&network), ["CLIENT_IDENT", "SERVER_IDENT"]);
    assert_eq!((network.texts(1), network.texts(0)), (vec!["one".into()], vec!["two".into()]));
    assert_eq!(network.nodes[1].sessions, [other]);
    assert!(!network.logged(1, "reset"));
}

/// One of two OSDs that dial each other.
fn osd(host: u8, seed: &str) -> Endpoint {
    let mut config = Config::new(EntityName::new(EntityType::OSD, host.to_string()));
    config.gid = host.into();
    config.addrs = vec![entity_addr(AddrType::MSGR2, addr(host), host.into())];
    config.server = ServerAuth { methods: vec![AuthMethod::NONE], ..Default::default() };
    config.v2.policies = Some(Policies::all(PEER));
    config.report_handshake = true;
    endpoint(config, seed)
}

/// Where a node's peer is.
fn other(node: usize) -> Target {
    let host = 2 - node as u8;
    let mut target = Target::new(addr(host), vec![ClientAuth::None { service: EntityType::OSD }]);
    target.entity_addrs = vec![entity_addr(AddrType::MSGR2, addr(host), host.into())];
    target
}

fn dial(network: &mut Network, node: usize) -> SessionId {
    network.nodes[node].endpoint.connect(network.now, other(node))
}

#[test]
fn a_peer_that_restarts_and_counts_from_the_beginning() {
    let mut dice = Dice(3);
    for round in 0..60 {
        let restarts = round % 2;
        let mut network = Network::new(vec![(osd(1, "one"), addr(1)), (osd(2, "two"), addr(2))]);
        // many attempts before: its counter is high
        network.nodes[restarts].endpoint.shared.global_seq = 1000;
        dial(&mut network, restarts);
        network.run_for(SECOND);
        let survivor = 1 - restarts;
        // it dials, too: one that only waits would find all of this too late, until the counter is as high as before
        let session = network.nodes[survivor].sessions[0];
        network.nodes[survivor].endpoint.set_target(session, other(survivor));
        network.refuse_dials = true;
        network.cut();
        network.nodes[restarts].endpoint = osd(restarts as u8 + 1, &format!("restarted {round}"));
        network.nodes[restarts].sessions.clear();
        network.run_for(Duration::from_millis(dice.roll(2000)));
        network.refuse_dials = false;
        network.latency = Duration::from_millis(1 + dice.roll(60));
        let session = dial(&mut network, restarts);
        network.send(restarts, session, "new");
        network.run_until(120 * SECOND, |network| network.texts(survivor).contains(&"new".to_owned()));
        network.run_for(60 * SECOND);
        assert_eq!(network.texts(survivor), ["new"], "{round}");
        let back = *network.nodes[survivor].sessions.last().unwrap();
        network.send(survivor, back, "answer");
        network.run_for(SECOND);
        assert_eq!(network.texts(restarts), ["answer"], "{round}: {:?}", network.nodes[survivor].log);
        assert!(network.nodes.iter().all(|node| node.endpoint.stats().sessions == 1), "{round}");
    }
}
