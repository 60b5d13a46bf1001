//! Every way in, and messages both ways.

use super::*;
use crate::frame::Dialect;
use crate::peer::{Message, PeerInfo};
use crate::types::{ConnectionMode, MessageType, Msgr2Features};

/// What the banners of both sides say.
fn banners() -> Vec<(Msgr2Features, Msgr2Features, Dialect, bool)> {
    let (none, revision, both) =
        (Msgr2Features(0), Msgr2Features::REVISION_1, Msgr2Features::REVISION_1 | Msgr2Features::COMPRESSION);
    vec![
        (none, none, Dialect::V2_0, false),
        (both, none, Dialect::V2_0, false),
        (none, both, Dialect::V2_0, false),
        (revision, both, Dialect::V2_1, false),
        (both, both, Dialect::V2_1, true),
        (Msgr2Features::COMPRESSION, Msgr2Features::COMPRESSION, Dialect::V2_0, true),
    ]
}

fn peer(network: &Network, node: usize) -> &PeerInfo {
    network.nodes[node].peer.as_ref().unwrap()
}

#[test]
fn every_way_in_and_messages_both_ways() {
    for auth in WAYS {
        for mode in [ConnectionMode::CRC, ConnectionMode::SECURE] {
            if auth.kind().is_none() && mode == ConnectionMode::SECURE {
                continue;
            }
            for (ours, theirs, dialect, compression) in banners() {
                for lossy in [true, false] {
                    let what = format!("{auth:?} {mode} {ours} {theirs} lossy={lossy}");
                    let (mut network, session) = pair(auth, |client, server| {
                        (client.v2.features, server.v2.features) = (ours, theirs);
                        (client.v2.dial_modes, client.report_handshake) = (vec![mode], true);
                        if !lossy {
                            stateful(client, server);
                        }
                    });
                    network.piece = 7;
                    let mut message = Message::new(MessageType::OSD_OP, vec![1; 1_000]);
                    (message.middle, message.data, message.tid) = (vec![2; 5].into(), vec![3; 6_000].into(), 17);
                    network.nodes[0].endpoint.send(network.now, session, message.clone()).unwrap();
                    network.send(0, session, "");
                    network.run_until(SECOND, |network| network.texts(1).len() == 2);
                    let other = network.nodes[1].sessions[0];
                    message.seq = 1;
                    assert_eq!(network.nodes[1].received[&other][0], message, "{what}");
                    network.nodes[1].endpoint.send(network.now, other, message.clone()).unwrap();
                    network.run_until(SECOND, |network| network.texts(0).len() == 1);
                    assert_eq!(network.nodes[0].received[&session], [message], "{what}");
                    for node in 0..2 {
                        let peer = peer(&network, node);
                        assert_eq!((peer.dialect, peer.mode, peer.lossy), (dialect, mode, lossy), "{what}");
                        assert_eq!(peer.signed, auth.kind().is_some(), "{what}");
                    }
                    let asked = network.logged(0, "> COMPRESSION_REQUEST");
                    assert_eq!(asked, compression, "{what}: {:?}", network.nodes[0].log);
                    network.nodes[0].endpoint.close(network.now, session);
                    network.run_for(2000 * SECOND);
                    for node in &network.nodes {
                        assert_eq!(node.endpoint.stats(), Default::default(), "{what}: {:?}", node.log);
                    }
                }
            }
        }
    }
}

#[test]
fn who_is_there() {
    let (mut network, _) = pair(Auth::Authorize(CryptoType::AES), |client, server| {
        client.report_handshake = true;
        server.report_handshake = true;
    });
    network.run_until(SECOND, |network| !network.nodes[1].sessions.is_empty());
    network.run_for(SECOND);
    let names = |node: usize, mark: &str| -> Vec<String> {
        let lines = network.nodes[node].log.iter().filter_map(|line| line.strip_prefix(mark));
        lines.filter_map(|line| line.split_whitespace().next()).map(str::to_lowercase).collect()
    };
    let client = [
        "banner",
        "hello",
        "auth_request",
        "auth_request_more",
        "auth_signature",
        "compression_request",
        "client_ident",
    ];
    assert_eq!(names(0, "> "), client);
    assert_eq!(names(1, "< "), client);
    let server =
        ["banner", "hello", "auth_reply_more", "auth_done", "auth_signature", "compression_done", "server_ident"];
    assert_eq!(names(1, "> "), server);
    assert_eq!(names(0, "< "), server);
    let (server, client) = (peer(&network, 0), peer(&network, 1));
    assert_eq!((server.entity.to_string(), server.gid), ("osd.".into(), 7));
    assert_eq!((client.entity.to_string(), client.gid), ("client.admin".into(), 4107));
    // the client has learnt its address
    let learnt = entity_addr(AddrType::ANY, std::net::SocketAddr::new(addr(10).ip(), 0), 0x1a2b_3c4d);
    assert_eq!(client.addrs, [learnt]);
}

#[test]
fn messages_are_compressed() {
    use crate::frame::compress::ALGORITHMS;
    use crate::types::CompressionAlgorithm;
    for algorithm in ALGORITHMS {
        for mode in [ConnectionMode::CRC, ConnectionMode::SECURE] {
            for (forced, with_secure) in [(true, true), (false, true), (true, false)] {
                let expected = if forced && (with_secure || mode == ConnectionMode::CRC) {
                    algorithm
                } else {
                    CompressionAlgorithm::NONE
                };
                let (mut network, session) = pair(Auth::Authorize(CryptoType::AES), |client, server| {
                    client.v2.dial_modes = vec![mode];
                    for (config, force) in [(&mut *client, true), (&mut *server, forced)] {
                        config.v2.compression.force = force;
                        config.v2.compression.with_secure = with_secure;
                        config.v2.compression.peers = vec![EntityType::OSD, EntityType::CLIENT];
                    }
                    // the client's preference decides
                    client.v2.compression.algorithms = vec![CompressionAlgorithm::BROTLI, algorithm];
                    server.v2.compression.algorithms = ALGORITHMS.iter().rev().copied().collect();
                });
                let mut message = Message::new(MessageType::OSD_OP, b"front ".repeat(10));
                message.data = b"data ".repeat(20_000).into();
                network.nodes[0].endpoint.send(network.now, session, message.clone()).unwrap();
                network.run_until(SECOND, |network| network.texts(1).len() == 1);
                let other = network.nodes[1].sessions[0];
                message.seq = 1;
                assert_eq!(network.nodes[1].received[&other], [message.clone()], "{algorithm} {mode}");
                network.nodes[1].endpoint.send(network.now, other, message.clone()).unwrap();
                network.run_until(SECOND, |network| network.texts(0).len() == 1);
                assert_eq!(network.nodes[0].received[&session], [message]);
                assert_eq!(peer(&network, 0).compression, expected, "{algorithm} {mode} {forced} {with_secure}");
                assert_eq!(peer(&network, 1).compression, expected);
                let saved = network.bytes[1] < 60_000;
                assert_eq!(saved, expected != CompressionAlgorithm::NONE, "{} bytes", network.bytes[1]);
            }
        }
    }
}

/// What went wrong at the client and the server.
fn failure(auth: Auth, change: impl FnOnce(&mut Config, &mut Config)) -> [Vec<String>; 2] {
    let (mut network, _) = pair(auth, change);
    network.run_for(5 * SECOND);
    let mut logs = network.nodes.into_iter().map(|node| node.log);
    [logs.next().unwrap(), logs.next().unwrap()]
}

#[test]
fn refusals_have_names() {
    let aes = CryptoType::AES;
    let has = |log: &[String], text: &str| assert!(log.iter().any(|line| line.contains(text)), "{text}: {log:?}");
    // no method in common
    let [client, server] = failure(Auth::NoneToMon, |_, server| server.server.methods = vec![AuthMethod::CEPHX]);
    has(&client, "no method is left: tried none, the server allows cephx");
    has(&server, "failed refused: access denied: the method none isn't allowed");
    // no mode in common
    let [client, server] =
        failure(Auth::Authenticate(aes), |_, server| server.v2.accept_modes = vec![ConnectionMode::CRC]);
    assert!(client.iter().any(|line| line.starts_with("established")), "crc is the second choice: {server:?}");
    let [client, server] = failure(Auth::Authenticate(aes), |client, server| {
        client.v2.dial_modes = vec![ConnectionMode::SECURE];
        server.v2.accept_modes = vec![ConnectionMode::CRC];
    });
    has(&client, "no connection mode in common: the server allows crc");
    has(&server, "failed refused: access denied: none of the client's connection modes is allowed");
    // the wrong key
    let [client, server] = failure(Auth::Authenticate(aes), |_, server| {
        let other = server_config(Auth::Authenticate(CryptoType::AES256KRB5));
        server.server.authority = other.server.authority;
    });
    has(&client, "the server denies access: EACCES");
    has(&server, "failed refused: access denied: the key of client.admin is another");
    // not who was expected
    let [client, _] = failure(Auth::NoneToMon, |_, server| server.v2.entity_type = Some(EntityType::OSD));
    has(&client, "IDENT.entity_type is 4, but 1 was authenticated or expected");
    // not at this address
    let [_, server] = failure(Auth::NoneToOsd, |_, server| server.addrs[0].nonce = 1);
    has(&server, "failed wrong_address");
    // a banner that demands too much
    let [client, server] = failure(Auth::NoneToMon, |client, server| {
        client.v2.features = Msgr2Features(0);
        server.v2.required = Msgr2Features::REVISION_1;
    });
    has(&client, "the peer's banner requires REVISION_1");
    has(&server, "failed msgr2_features_required");
}

#[test]
fn a_mon_lets_clients_try_the_next_method() {
    let (mut client, mut server) = (client_config(), server_config(Auth::Authenticate(CryptoType::AES)));
    client.report_handshake = true;
    server.server.methods = vec![AuthMethod::NONE];
    let mut network = Network::new(vec![(endpoint(client, "client"), addr(10)), (endpoint(server, "server"), addr(1))]);
    let mut target = target(Auth::Authenticate(CryptoType::AES));
    target.auth.push(ClientAuth::None { service: EntityType::MON });
    network.nodes[0].endpoint.connect(network.now, target);
    network.run_until(SECOND, |network| !network.nodes[1].sessions.is_empty());
    assert!(
        network.logged(0, "< AUTH_BAD_METHOD cephx: EOPNOTSUPP, allowed [none] [secure,crc]"),
        "{:?}",
        network.nodes[0].log
    );
    assert!(network.logged(0, "> AUTH_REQUEST none [crc]"));
}

#[test]
fn damage_is_noticed() {
    for mode in [ConnectionMode::CRC, ConnectionMode::SECURE] {
        for at in 0..120 {
            let (mut network, [session, _]) = established(Auth::Authorize(CryptoType::AES), |client, _| {
                client.v2.dial_modes = vec![mode];
            });
            network.run_for(SECOND);
            network.tamper = Some(Box::new(move |node, mut bytes| {
                if let Some(byte) = bytes.get_mut(at).filter(|_| node == 0) {
                    *byte ^= 0x10;
                }
                bytes
            }));
            network.send(0, session, "a message");
            network.run_for(SECOND);
            let (log, texts) = (&network.nodes[1].log, network.texts(1));
            if at < 32 + 41 + 4 + 9 + 5 || mode == ConnectionMode::SECURE {
                let last = log.last().unwrap();
                // of the epilogue the first CRC counts; four bits of its status say nothing
                let spare = mode == ConnectionMode::CRC && at == 32 + 41 + 4 + 9;
                assert!(spare || (texts.is_empty() && last.starts_with("closed: ")), "byte {at}: {log:?} {texts:?}");
            }
        }
    }
}
