//! A client of monitors and monitors on TCP: what they agree upon, what is pushed, and what happens when one goes.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use msgr2::auth::cephx::client::Credentials;
use msgr2::auth::cephx::server::Authority;
use msgr2::auth::{Entity, Key, Keyring, ServiceKeys, Time};
use msgr2::messages::{Body, MCommand, MMonCommand};
use msgr2::mon::{
    Answered, ClientConfig, Event, Lost, MonMap, Monitor, ServerConfig, Setting, Subscription, decode, encode,
    pong_status,
};
use msgr2::net::{Config, MonClient, MonEvent, MonServer, OsRandom};
use msgr2::peer::Message;
use msgr2::types::{AuthMethod, ConnectionMode, CryptoType, EntityType, Errno, MessageType};
use msgr2::wire::Text;
use tokio::time::timeout;

const ADMIN: &str = "client.admin";

/// Long enough for anything that is to happen.
const LIMIT: Duration = Duration::from_secs(20);

fn authority(kind: CryptoType) -> (Arc<Authority>, Key) {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let key = Key::generate(kind, Default::default(), &mut OsRandom).unwrap();
    let mut keyring = Keyring::new();
    keyring.insert(ADMIN.parse().unwrap(), Entity::new(key.clone()));
    let mut services = ServiceKeys::new();
    for service in [EntityType::AUTH, EntityType::MON, EntityType::OSD, EntityType::MGR] {
        services.refresh(service, kind, Time::from_secs(3600), now, &mut OsRandom).unwrap();
    }
    (Arc::new(Authority::new(keyring, services, 4100, &mut OsRandom).unwrap()), key)
}

async fn server(authority: &Arc<Authority>, others: &[&MonServer]) -> MonServer {
    let mut config = Config::new("mon.a".parse().unwrap());
    config.peer.server.methods = vec![AuthMethod::CEPHX];
    config.peer.server.authority = Some(authority.clone());
    let others: Vec<_> = others.iter().map(|server| server.local_addr()).collect();
    let serve = |addr| {
        let mons = others.into_iter().chain([addr]).zip("abc".chars());
        let mons = mons.map(|(addr, name)| Monitor::new(name, addr)).collect();
        ServerConfig::new(MonMap { epoch: 1, mons, ..MonMap::default() }, None)
    };
    MonServer::bind(config, "127.0.0.1:0", serve).await.unwrap()
}

fn client(server: &MonServer, key: &Key, modes: &[ConnectionMode]) -> MonClient {
    let mut config = Config::new(ADMIN.parse().unwrap());
    config.peer.v2.dial_modes = modes.to_vec();
    let credentials = Credentials::new(ADMIN.parse().unwrap(), key.clone());
    MonClient::new(config, ClientConfig::new(vec![server.local_addr()], Some(credentials)))
}

async fn until<T>(client: &mut MonClient, mut found: impl FnMut(&MonClient, Event) -> Option<T>) -> T {
    let search = async {
        loop {
            let event = client.next().await;
            if let Some(found) = found(client, event) {
                return found;
            }
        }
    };
    timeout(LIMIT, search).await.expect("it happens in time")
}

#[tokio::test]
async fn map_settings_and_tickets() {
    for kind in [CryptoType::AES, CryptoType::AES256KRB5] {
        for mode in [ConnectionMode::SECURE, ConnectionMode::CRC] {
            let (authority, key) = authority(kind);
            let mut server = server(&authority, &[]).await;
            let mut client = client(&server, &key, &[mode]);
            let map = until(&mut client, |_, event| match event {
                Event::MonMap(map) => Some(map),
                _ => None,
            });
            assert_eq!(map.await.v2().collect::<Vec<_>>(), [server.local_addr()]);
            assert_eq!((client.mon(), client.peer().unwrap().mode), (Some(server.local_addr()), mode));
            let now = SystemTime::UNIX_EPOCH.elapsed().unwrap();
            let ticket = client.credentials().unwrap().ticket(EntityType::OSD, now).unwrap();
            assert_eq!((ticket.global_id, ticket.session_key.kind()), (4100, kind));

            // what changes comes by itself
            let setting = Setting { section: "client".into(), name: "a".into(), value: "1".into() };
            while let Some(event) = server.next().await {
                if let MonEvent::Answered { answered: Answered::Subscribed { .. }, .. } = event {
                    break;
                }
            }
            server.set_settings(vec![setting]);
            until(&mut client, |_, event| match event {
                Event::Config(config) if config.get("a").is_some_and(|value| value == "1") => Some(()),
                _ => None,
            })
            .await;
            client.subscribe(Subscription { what: "monmap".into(), start: 0, once: true });
            until(&mut client, |_, event| matches!(event, Event::MonMap(_)).then_some(())).await;
        }
    }
}

#[tokio::test]
async fn pings_and_commands_are_answered_at_once() {
    let (authority, key) = authority(CryptoType::AES);
    let server = server(&authority, &[]).await;
    let mut client = client(&server, &key, &[ConnectionMode::SECURE]);
    until(&mut client, |_, event| matches!(event, Event::MonMap(_)).then_some(())).await;
    let cmd = || vec![Text::from("{\"prefix\": \"status\"}")];
    let to_all = encode(MMonCommand { cmd: cmd(), ..Default::default() }).unwrap();
    let to_one = encode(MCommand { cmd: cmd(), ..Default::default() }).unwrap();
    let asked = [Message::new(MessageType::PING, ""), to_all, to_one];
    for (tid, message) in asked.into_iter().enumerate() {
        client.send(Message { tid: tid as u64, ..message }).unwrap();
        let answer = timeout(
            Duration::from_secs(5),
            until(&mut client, |_, event| match event {
                Event::Message(message) => Some(message),
                _ => None,
            }),
        );
        let answer = answer.await.expect("it doesn't keep silent");
        assert_eq!(answer.tid, tid as u64);
        match decode(&answer) {
            None => assert!(pong_status(&answer).unwrap().contains("\"monmap\"")),
            Some(Ok(Body::MonCommandAck(ack))) => assert_eq!(ack.result, Errno::EOPNOTSUPP),
            Some(Ok(Body::CommandReply(reply))) => assert_eq!(reply.result, Errno::EOPNOTSUPP),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn another_monitor_takes_over() {
    let (authority, key) = authority(CryptoType::AES);
    let first = server(&authority, &[]).await;
    let second = server(&authority, &[&first]).await;
    // the client is told of the second by the second alone: it begins there, and the map says where the first is
    let mut client = client(&second, &key, &[ConnectionMode::SECURE]);
    until(&mut client, |_, event| matches!(event, Event::MonMap(_)).then_some(())).await;
    assert_eq!(client.mon(), Some(second.local_addr()));
    second.endpoint().shutdown(Duration::ZERO).await;
    drop(second);
    let mut lost = false;
    until(&mut client, |client, event| {
        lost |= matches!(event, Event::Lost { .. });
        (client.mon() == Some(first.local_addr())).then_some(())
    })
    .await;
    assert!(lost);
    assert_eq!(client.credentials().unwrap().global_id(), 4100, "the ticket of the one is good at the other");
}

#[tokio::test]
async fn a_wrong_key_is_refused() {
    let (authority, _) = authority(CryptoType::AES);
    let server = server(&authority, &[]).await;
    let other = Key::generate(CryptoType::AES, Default::default(), &mut OsRandom).unwrap();
    let mut client = client(&server, &other, &[ConnectionMode::SECURE]);
    let why = until(&mut client, |_, event| match event {
        Event::Lost { why: Lost::Ended(why), .. } => Some(why),
        _ => None,
    });
    let why = why.await;
    assert!(why.contains("EACCES"), "{why}");
}
