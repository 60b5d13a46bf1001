//! Our client at a real monitor and a real OSD.

use std::time::Duration;

use msgr2::Context;
use msgr2::auth::Key;
use msgr2::auth::cephx::client::Credentials;
use msgr2::crypto::Secret;
use msgr2::messages::{Body, MMonGetMap, MMonSubscribe};
use msgr2::net::{ConnectError, Endpoint, Session};
use msgr2::peer::{ClientAuth, Error, Event, Message, Target, Why};
use msgr2::types::{
    AuthMethod, CephxServices, ConnectionMode, CryptoType, EntityType, MessageType, MonSubscription,
    MonSubscriptionItem,
};
use msgr2::wire::{Segments, Utime};
use tokio::time::timeout;

use crate::cluster::{Cluster, PATIENCE, cephx, config, message, mode, next};

/// The parts of a message where they would be in its frame.
fn body(message: &Message) -> Body<'_> {
    let mut at = 0;
    let parts = [&[][..], &message.front, &message.middle, &message.data].map(|part| {
        let start = at;
        at += part.len();
        (start, part)
    });
    let read = Body::decode(message.kind, message.version, &Segments::new(parts), &Context::default(), &mut ());
    read.unwrap_or_else(|| panic!("{} isn't laid out", message.kind)).unwrap()
}

/// The peer answers a KEEPALIVE2.
async fn alive(session: &Session) {
    assert!(session.keepalive());
    let answer = async {
        while let Some(event) = session.event().await {
            if let Event::Keepalive { round_trip, .. } = &*event {
                return *round_trip;
            }
        }
        panic!("the session is over");
    };
    let round_trip = timeout(PATIENCE, answer).await.expect("KEEPALIVE2 is answered");
    assert!(round_trip < PATIENCE);
}

#[tokio::test]
#[ignore = "needs Ceph: make check-ceph"]
async fn at_the_mon() {
    let cluster = Cluster::given();
    let endpoint = Endpoint::new(config("client.admin"));
    let session = endpoint.connect(cluster.at_mon("client.admin")).await.unwrap();
    let peer = session.peer();
    assert_eq!((peer.mode, peer.lossy), (mode(), true), "{peer:?}");
    assert_eq!(peer.method, if cephx() { AuthMethod::CEPHX } else { AuthMethod::NONE });

    if cephx() {
        let credentials = session.credentials().unwrap();
        assert_ne!(credentials.global_id(), 0);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        for service in [EntityType::MON, EntityType::OSD, EntityType::MGR] {
            assert!(credentials.ticket(service, now).is_some(), "a ticket for {service}");
        }
    }

    session.send(message(&Body::MonGetMap(MMonGetMap::default()))).await.unwrap();
    let map = next(&session, MessageType::MON_MAP).await;
    let Body::MonMap(map) = body(&map) else { panic!("{map:?}") };
    let map = map.monmap.unwrap();
    let dump = cluster.json(&["ceph", "mon", "dump"]);
    assert_eq!(map.fsid.to_string(), dump["fsid"].as_str().unwrap());
    assert_eq!(u64::from(map.epoch), dump["epoch"].as_u64().unwrap());

    let item = |start| MonSubscriptionItem { start, flags: MonSubscription::LASTING };
    let what = ["config", "monmap", "osdmap"].map(|what| (what.into(), item(0))).to_vec();
    let subscribe = MMonSubscribe { what, hostname: Some("check".into()), ..MMonSubscribe::default() };
    session.send(message(&Body::MonSubscribe(subscribe))).await.unwrap();
    let first = next(&session, MessageType::CONFIG).await;
    let Body::Config(_) = body(&first) else { panic!("{first:?}") };
    let osdmap = next(&session, MessageType::OSD_MAP).await;
    let fsid: [u8; 16] = *osdmap.front.first_chunk().unwrap();
    assert_eq!(msgr2::wire::Uuid(fsid).to_string(), dump["fsid"].as_str().unwrap());

    for _ in 0..3 {
        alive(&session).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(!session.is_over());
    session.close().await.unwrap();
}

#[tokio::test]
#[ignore = "needs Ceph: make check-ceph"]
async fn at_an_osd() {
    let cluster = Cluster::given();
    let endpoint = Endpoint::new(config("client.admin"));
    let mon = endpoint.connect(cluster.at_mon("client.admin")).await.unwrap();
    let auth = if cephx() {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let ticket = mon.credentials().unwrap().ticket(EntityType::OSD, now).cloned().unwrap();
        ClientAuth::Authorize { ticket }
    } else {
        ClientAuth::None { service: EntityType::OSD }
    };
    let (socket, addr) = cluster.osd("public_addrs");
    let target = Target { entity_addrs: vec![addr.clone()], ..Target::new(socket, vec![auth]) };
    let session = endpoint.connect(target).await.unwrap();
    let peer = session.peer();
    assert_eq!((peer.mode, peer.lossy, peer.entity.kind), (mode(), true, EntityType::OSD), "{peer:?}");
    assert!(peer.addrs.contains(&addr), "{peer:?}");
    for _ in 0..3 {
        alive(&session).await;
    }
    session.close().await.unwrap();
    mon.close().await.unwrap();
}

/// What ends a handshake.
fn failure(result: Result<Session, ConnectError>) -> Error {
    match result {
        Err(ConnectError::Handshake { why: Why::Failed(error), .. }) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
#[ignore = "needs Ceph: make check-ceph"]
async fn a_mode_that_the_mon_does_not_allow() {
    if !cephx() {
        return; // without keys there is only one mode
    }
    let cluster = Cluster::given();
    let mut config = config("client.admin");
    let other = if mode() == ConnectionMode::CRC { ConnectionMode::SECURE } else { ConnectionMode::CRC };
    config.peer.v2.dial_modes = vec![other];
    let error = failure(Endpoint::new(config).connect(cluster.at_mon("client.admin")).await);
    assert!(matches!(&error, Error::ModesExhausted { allowed } if *allowed == [mode()]), "{error:?}");
}

#[tokio::test]
#[ignore = "needs Ceph: make check-ceph"]
async fn a_wrong_key() {
    if !cephx() {
        return; // nobody looks at keys
    }
    let cluster = Cluster::given();
    let kind = cluster.credentials("client.admin").key().kind();
    let length = if kind == CryptoType::AES { 16 } else { 32 };
    let key = Key::new(kind, Utime::default(), Secret::from(vec![7; length])).unwrap();
    let denied = cluster.denied();
    for name in ["client.admin", "client.nobody"] {
        let credentials = Credentials::new(name.parse().unwrap(), key.clone());
        let auth = vec![ClientAuth::Authenticate { credentials, services: CephxServices(0) }];
        let error = failure(Endpoint::new(config(name)).connect(Target::new(cluster.mon, auth)).await);
        assert!(matches!(&error, Error::Denied { result, .. } if *result == denied), "{name}: {error:?}");
    }
}
