//! A lossless session with a real OSD that breaks connections on purpose.

use std::time::Duration;

use msgr2::net::Endpoint;
use msgr2::peer::{ClientAuth, Event, Message, Target, entity_addr};
use msgr2::session::{Policies, Policy};
use msgr2::types::{AddrType, EntityType, MessageType};
use tokio::time::{Instant, sleep};

use crate::cluster::{Cluster, PATIENCE, cephx, config};

/// How many messages are sent.
const MESSAGES: u64 = 300;

/// The tids of our messages that the OSD says to have received, in the order of its log.
fn received(cluster: &Cluster, mark: u32) -> Vec<u64> {
    // … <== osd.99 v2:127.0.0.1:0/77 17 ==== ping magic: 0 v1 ==== 0+0+0 …
    let from = format!("/{mark} ");
    cluster
        .log("osd.0")
        .lines()
        .filter(|line| line.contains(" <== osd.") && line.contains(&from) && line.contains("==== ping"))
        .map(|line| line.split(&from).nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Ceph: make check-ceph"]
async fn client_that_loses_connections_loses_no_message() {
    let cluster = Cluster::given();
    let name = "osd.0";
    let mut config = config(name);
    let mark = 1_000_000 + std::process::id();
    config.peer.addrs = vec![entity_addr(AddrType::ANY, "127.0.0.1:0".parse().unwrap(), mark)];
    config.peer.v2.gid = Some(99);
    config.peer.v2.policies = Some(Policies::all(Policy::LOSSLESS_PEER));
    let endpoint = Endpoint::new(config);
    let auth = if cephx() {
        let mon = Endpoint::new(crate::cluster::config(name)).connect(cluster.at_mon(name)).await.unwrap();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        ClientAuth::Authorize { ticket: mon.credentials().unwrap().ticket(EntityType::OSD, now).cloned().unwrap() }
    } else {
        ClientAuth::None { service: EntityType::OSD }
    };
    let set = |option: &str, value: &str| {
        cluster.exec(&["ceph", "daemon", "osd.0", "config", "set", option, value]);
    };
    set("debug_ms", "1");

    let (socket, addr) = cluster.osd("cluster_addrs");
    let target = Target { entity_addrs: vec![addr], ..Target::new(socket, vec![auth]) };
    let session = endpoint.connect(target).await.unwrap();
    assert!(!session.peer().lossy, "{:?}", session.peer());
    // one in so many reads and writes of the OSD breaks the connection
    set("ms_inject_socket_failures", "40");
    for n in 0..MESSAGES {
        session.send(Message { tid: n, ..Message::new(MessageType::PING, "") }).await.unwrap();
        if n % 10 == 0 {
            sleep(Duration::from_millis(30)).await;
        }
    }
    let until = Instant::now() + 2 * PATIENCE;
    while received(&cluster, mark).len() < MESSAGES as usize && Instant::now() < until {
        sleep(Duration::from_millis(200)).await;
    }
    set("ms_inject_socket_failures", "0");
    let mut broken = 0;
    while let Some(event) = session.try_event() {
        broken += usize::from(matches!(&*event, Event::Disconnected { .. }));
    }
    sleep(Duration::from_millis(500)).await;
    let numbers = received(&cluster, mark);
    assert_eq!(numbers, (1..=MESSAGES).collect::<Vec<_>>(), "each message once, and in order");
    assert!(broken > 0, "no connection was broken");
    set("debug_ms", "0");
}
