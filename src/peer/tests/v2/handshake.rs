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
