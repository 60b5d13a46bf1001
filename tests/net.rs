//! Client and server in one process, over sockets of the loopback interface.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use msgr2::auth::cephx::client::Credentials;
use msgr2::auth::cephx::server::Authority;
use msgr2::auth::keyring::Entity;
use msgr2::auth::{EntityName, Key, Keyring, ServiceKeys, utime};
use msgr2::net::{Config, ConnectError, Ended, Endpoint, Fault, Listener, OsRandom, SendError, Session, Tap};
use msgr2::peer::{ClientAuth, ConnectionId, Encryption, Event, Family, Message, Target, Time, Why};
use msgr2::session::{Policies, Policy};
use msgr2::types::{AuthMethod, CephxServices, CryptoType, EntityType, MessageType};
use msgr2::wire::Role;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(20);

/// A server that lets everybody in.
fn open_server() -> Config {
    let mut config = Config::new("mon.a".parse().unwrap());
    config.peer.family = Family::Proposal;
    config.peer.server.methods = vec![AuthMethod::NONE];
    config
}

fn client() -> Config {
    let mut config = Config::new("client.admin".parse().unwrap());
    config.peer.family = Family::Proposal;
    config
}

fn anybody(addr: SocketAddr) -> Target {
    Target::new(addr, vec![ClientAuth::None { service: EntityType::MON }])
}

fn ping(text: impl Into<Bytes>) -> Message {
    Message::new(MessageType::PING, text)
}

/// A mon with one client, and what that client has to show.
fn cephx() -> (Config, ClientAuth) {
    let name: EntityName = "client.admin".parse().unwrap();
    let now = utime(Duration::from_secs(1_800_000_000));
    let key = Key::generate(CryptoType::AES, now, &mut OsRandom).unwrap();
    let mut keyring = Keyring::new();
    keyring.insert(name.clone(), Entity::new(key.clone()));
    let mut services = ServiceKeys::new();
    services.rotate(EntityType::AUTH, CryptoType::AES, now, &mut OsRandom).unwrap();
    let mut config = Config::new("mon.a".parse().unwrap());
    config.peer.family = Family::Proposal;
    config.peer.server.methods = vec![AuthMethod::CEPHX];
    config.peer.server.authority = Some(Authority::new(keyring, services, 4100, &mut OsRandom).unwrap().into());
    let auth = ClientAuth::Authenticate { credentials: Credentials::new(name, key), services: CephxServices(0) };
    (config, auth)
}

/// Sends back what comes, in a task for each session.
fn echo(mut listener: Listener) {
    tokio::spawn(async move {
        while let Some(session) = listener.accept().await {
            tokio::spawn(async move {
                while let Ok(Some(message)) = session.receive().await {
                    if session.send(message).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
}

/// A server and a client, and both ends of a session between them.
async fn pair(server: Config, client: Config) -> (Endpoint, Endpoint, Session, Session) {
    let (server, mut listener) = Endpoint::bind(server, "127.0.0.1:0").await.unwrap();
    let client = Endpoint::new(client);
    let near = client.connect(anybody(listener.local_addr())).await.unwrap();
    let far = timeout(SOON, listener.accept()).await.unwrap().unwrap();
    (server, client, near, far)
}

/// Sends numbered messages and checks those that come.
async fn exchange(session: Arc<Session>, count: u64) {
    let sender = session.clone();
    let sending = tokio::spawn(async move {
        for n in 0..count {
            sender.send(ping(n.to_le_bytes().to_vec())).await.unwrap();
        }
    });
    for n in 0..count {
        let message = session.receive().await.unwrap().unwrap();
        assert_eq!(message.front, n.to_le_bytes().to_vec(), "message {n}");
        assert_eq!(message.seq, n + 1);
    }
    sending.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_messages_through_many_resets() {
    let (server, auth) = cephx();
    through_resets(server, client(), auth, 100_000, 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn encrypted_messages_of_v2_through_many_resets() {
    let (mut server, auth) = cephx();
    let mut client = client();
    for (config, policy) in [(&mut server, Policy::STATEFUL_SERVER), (&mut client, Policy::LOSSLESS_CLIENT)] {
        config.peer.family = Family::Msgr2;
        config.peer.v2.policies = Some(Policies::all(policy));
    }
    through_resets(server, client, auth, 6_000, 15).await;
}

/// Numbered messages both ways, while the client's connections break.
async fn through_resets(mut server: Config, mut client: Config, auth: ClientAuth, count: u64, least: usize) {
    client.faults = vec![Fault::KillEveryBytes(75_001)];
    client.connect_timeout = Duration::from_secs(60);
    // the queues are small, so that not too much is sent again and again
    client.peer.limits.queue_messages = 200;
    server.peer.limits.queue_messages = 200;
    let (server, mut listener) = Endpoint::bind(server, "127.0.0.1:0").await.unwrap();
    let client = Endpoint::new(client);
    let mut events = client.events();
    let resets = Arc::new(AtomicUsize::new(0));
    let seen = resets.clone();
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            match &*event {
                Event::Disconnected { .. } => {
                    seen.fetch_add(1, Ordering::Relaxed);
                }
                Event::Reset { .. } | Event::Closed { why: Why::Failed(_), .. } => panic!("{event:?}"),
                _ => {}
            }
        }
    });
    let near = Arc::new(client.connect(Target::new(listener.local_addr(), vec![auth])).await.unwrap());
    let far = Arc::new(listener.accept().await.unwrap());
    let began = Instant::now();
    let both = async { tokio::join!(exchange(near, count), exchange(far, count)) };
    timeout(Duration::from_secs(150), both).await.expect("in time");
    let resets = resets.load(Ordering::Relaxed);
    println!("{count} messages each way, {resets} resets, {:?}", began.elapsed());
    assert!(resets >= least, "{resets} resets");
    drop((server, client));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crowds_of_strangers() {
    const CROWD: usize = 400;
    let (mut server, auth) = cephx();
    server.peer.limits.connections = 150;
    server.peer.limits.half_open = 100;
    server.peer.limits.memory = 1 << 20;
    server.peer.times.handshake = Duration::from_millis(400);
    let (server, listener) = Endpoint::bind(server, "127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr();
    echo(listener);
    let client = Endpoint::new(client());
    let good = client.connect(Target::new(addr, vec![auth])).await.unwrap();

    let strangers = tokio::spawn(async move {
        for crowd in 0..5 {
            let mut held = Vec::new();
            for n in 0..CROWD {
                let Ok(mut stream) = TcpStream::connect(addr).await else { continue };
                let words: &[u8] = match (n + crowd) % 6 {
                    0 => b"",
                    1 => b"GET / HTTP/1.1\r\nHost: here\r\n\r\n",
                    2 => b"ceph 3 0",
                    // a frame as large as may be, of which nothing comes
                    3 => b"ceph 3 0\n\x00\x00\x01\x00\x21",
                    4 => b"ceph 3 0\n\xff\xff\xff\xff\x21",
                    _ => b"ceph 3 0\n\x05\x00\x00\x00\x21\x02\x00\x00\x00\xff\xff\x00\x00\x23\x01\x08",
                };
                // who isn't let in can't write either
                let _ = stream.write_all(words).await;
                held.push(stream);
            }
        }
    });
    let (mut rounds, mut most) = (0, (0, 0, 0));
    while !strangers.is_finished() {
        let text = format!("round {rounds}");
        good.send(ping(text.clone())).await.unwrap();
        let reply = timeout(SOON, good.receive()).await.expect("the good session goes on").unwrap().unwrap();
        assert_eq!(reply.front, text);
        let stats = server.stats().peer;
        most = (most.0.max(stats.connections), most.1.max(stats.half_open), most.2.max(stats.memory));
        assert!(stats.connections <= 150 && stats.half_open <= 100 && stats.memory <= 1 << 20, "{stats:?}");
        rounds += 1;
    }
    strangers.await.unwrap();
    println!("{rounds} rounds, at most {most:?}, {} refused", server.stats().refused);
    assert!(most.1 > 10, "there was a crowd: {most:?}");
    // and all of them go
    timeout(SOON, async {
        while server.stats().peer.connections > 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("strangers are shown out");
    good.close().await.unwrap();
}

#[tokio::test]
async fn a_slow_reader_slows_the_sender() {
    let mut server = open_server();
    server.inbox_messages = 10;
    let mut client = client();
    client.peer.limits.queue_messages = 5;
    let (_server, _client, near, far) = pair(server, client).await;
    // more than fits into all buffers on the way
    let data = Bytes::from(vec![7; 1 << 20]);
    let message = |n: u64| Message { data: data.clone(), ..ping(n.to_le_bytes().to_vec()) };
    let mut sent = 0;
    while let Ok(result) = timeout(Duration::from_millis(500), near.send(message(sent))).await {
        result.unwrap();
        sent += 1;
        assert!(sent < 60, "the sender isn't slowed");
    }
    assert!(sent >= 10, "{sent}");
    // who waits is let in when there is some room, others already when there is any
    let back = loop {
        match near.try_send(message(sent)) {
            Ok(()) => sent += 1,
            Err(SendError::Full(back)) => break back,
            Err(error) => panic!("{error}"),
        }
        assert!(sent < 70, "the sender isn't slowed");
    };
    assert_eq!(back.data.len(), 1 << 20);
    // and it goes on when somebody reads
    let near = Arc::new(near);
    let sender = near.clone();
    let data = data.clone();
    let sending = tokio::spawn(async move {
        for n in sent..sent + 20 {
            sender.send(Message { data: data.clone(), ..ping(n.to_le_bytes().to_vec()) }).await.unwrap();
        }
    });
    for n in 0..sent + 20 {
        let message = timeout(SOON, far.receive()).await.unwrap().unwrap().unwrap();
        assert_eq!(message.front, n.to_le_bytes().to_vec());
    }
    sending.await.unwrap();
}

#[tokio::test]
async fn close_waits_for_what_was_sent() {
    let (_server, _client, near, far) = pair(open_server(), client()).await;
    for n in 0..500u64 {
        near.send(ping(n.to_le_bytes().to_vec())).await.unwrap();
    }
    timeout(SOON, near.close()).await.unwrap().unwrap();
    assert!(matches!(near.try_send(ping("late")), Err(SendError::Closed)));
    for n in 0..500u64 {
        assert_eq!(far.receive().await.unwrap().unwrap().front, n.to_le_bytes().to_vec());
    }
    assert_eq!(timeout(SOON, far.receive()).await.unwrap().unwrap(), None);
    assert!(matches!(near.receive().await, Ok(None)));
}

#[tokio::test]
async fn closes_that_cross() {
    let (_server, _client, near, far) = pair(open_server(), client()).await;
    let (one, other) = timeout(SOON, async { tokio::join!(near.close(), far.close()) }).await.unwrap();
    one.unwrap();
    other.unwrap();
}

#[tokio::test]
async fn a_dropped_session_is_closed() {
    let (_server, client, near, far) = pair(open_server(), client()).await;
    near.send(ping("last words")).await.unwrap();
    drop(near);
    assert_eq!(timeout(SOON, far.receive()).await.unwrap().unwrap().unwrap().front, "last words");
    assert_eq!(timeout(SOON, far.receive()).await.unwrap().unwrap(), None);
    timeout(SOON, async {
        while client.stats().peer.connections > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn shutdown_closes_all() {
    let (server, mut listener) = Endpoint::bind(open_server(), "127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr();
    let client = Endpoint::new(client());
    let mut ends = Vec::new();
    for _ in 0..5 {
        ends.push((client.connect(anybody(addr)).await.unwrap(), listener.accept().await.unwrap()));
    }
    for (_, far) in &ends {
        far.send(ping("goodbye")).await.unwrap();
    }
    // somebody who never gets further
    let idle = TcpStream::connect(addr).await.unwrap();
    assert_eq!(timeout(SOON, server.shutdown(Duration::from_secs(10))).await.unwrap(), 0);
    assert!(listener.accept().await.is_none());
    for (near, far) in &ends {
        assert_eq!(near.receive().await.unwrap().unwrap().front, "goodbye");
        assert_eq!(near.receive().await.unwrap(), None);
        assert!(far.is_over());
    }
    assert!(TcpStream::connect(addr).await.is_err(), "nobody listens any more");
    drop(idle);
}

#[tokio::test]
async fn shutdown_doesnt_wait_for_ever() {
    let mut slow = open_server();
    slow.inbox_messages = 1;
    let (_server, client, near, _far) = pair(slow, client()).await;
    // the server doesn't read, so it won't see the CLOSE behind this
    while let Ok(result) = timeout(Duration::from_millis(300), near.send(ping(vec![0; 1 << 20]))).await {
        result.unwrap();
    }
    let began = Instant::now();
    assert_eq!(client.shutdown(Duration::from_millis(300)).await, 1);
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(matches!(near.receive().await, Err(Ended::Stopped)));
    assert!(matches!(client.connect(anybody(([127, 0, 0, 1], 1).into())).await, Err(ConnectError::Stopped)));
}

#[tokio::test]
async fn nobody_answers() {
    let addr = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = Endpoint::new(client()).connect(anybody(addr)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error:?}");
    assert_eq!(error.to_string(), format!("no connection to {addr}"));
}

#[tokio::test]
async fn a_silent_server() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = client();
    config.peer.times.handshake = Duration::from_millis(200);
    config.connect_timeout = Duration::from_millis(900);
    let endpoint = Endpoint::new(config);
    let error = endpoint.connect(anybody(silent.local_addr().unwrap())).await.unwrap_err();
    assert!(matches!(&error, ConnectError::TimedOut { last: Some(Why::Failed(_)), .. }), "{error:?}");
    assert_eq!(endpoint.stats().peer.sessions, 0);
}

#[tokio::test]
async fn a_silent_client() {
    let mut config = open_server();
    config.peer.times.handshake = Duration::from_millis(200);
    let (_server, listener) = Endpoint::bind(config, "127.0.0.1:0").await.unwrap();
    let mut stream = TcpStream::connect(listener.local_addr()).await.unwrap();
    let mut said = Vec::new();
    // banner and methods, and then the end
    timeout(SOON, stream.read_to_end(&mut said)).await.unwrap().unwrap();
    assert!(said.starts_with(b"ceph 3 0\n"), "{said:?}");
}

#[tokio::test]
async fn a_wrong_key() {
    let (server, _) = cephx();
    let (_, wrong) = cephx();
    let (_server, listener) = Endpoint::bind(server, "127.0.0.1:0").await.unwrap();
    let target = Target::new(listener.local_addr(), vec![wrong]);
    let error = Endpoint::new(client()).connect(target).await.unwrap_err();
    assert!(
        matches!(&error, ConnectError::Handshake { why: Why::Failed(msgr2::peer::Error::Denied { .. }), .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_lossy_session_ends_with_its_connection() {
    let mut config = client();
    config.peer.lossy = true;
    config.faults = vec![Fault::KillAfterBytes(2_000)];
    let (_server, _client, near, far) = pair(open_server(), config).await;
    let outcome = timeout(SOON, async {
        loop {
            if let Err(error) = near.send(ping(vec![0; 100])).await {
                break error;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    assert!(matches!(outcome.await.unwrap(), SendError::Closed));
    assert!(matches!(near.receive().await, Err(Ended::Because(_))));
    // the server gets to know too
    timeout(SOON, async { while let Ok(Some(_)) = far.receive().await {} }).await.unwrap();
}

#[tokio::test]
async fn bytes_one_at_a_time_and_late() {
    let mut config = client();
    config.faults = vec![Fault::Split(1), Fault::Delay(Duration::from_millis(5))];
    let mut server = open_server();
    server.faults = vec![Fault::Split(3)];
    let (_server, _client, near, far) = pair(server, config).await;
    near.send(ping("slowly")).await.unwrap();
    assert_eq!(timeout(SOON, far.receive()).await.unwrap().unwrap().unwrap().front, "slowly");
    far.send(ping("but surely")).await.unwrap();
    assert_eq!(timeout(SOON, near.receive()).await.unwrap().unwrap().unwrap().front, "but surely");
}

#[tokio::test]
async fn a_changed_byte_costs_the_connection_alone() {
    let (server, auth) = cephx();
    let mut config = client();
    config.peer.encryption = Encryption::Required;
    config.faults = vec![Fault::CorruptByte(3_000)];
    let (_server, listener) = Endpoint::bind(server, "127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr();
    echo(listener);
    let client = Endpoint::new(config);
    let session = client.connect(Target::new(addr, vec![auth])).await.unwrap();
    assert!(session.peer().sealed_out && session.peer().sealed_in);
    for n in 0..50u64 {
        session.send(ping(vec![n as u8; 100])).await.unwrap();
    }
    for n in 0..50u64 {
        let message = timeout(SOON, session.receive()).await.unwrap().unwrap().unwrap();
        assert_eq!(message.front, vec![n as u8; 100]);
    }
    let mut events = Vec::new();
    while let Some(event) = session.try_event() {
        events.push(event);
    }
    let resumed = events.iter().filter(|event| matches!(&***event, Event::Established { resumed: true, .. })).count();
    assert_eq!(resumed, 1, "{events:?}");
}

#[tokio::test]
async fn a_tap_hears_both_directions() {
    #[derive(Default)]
    struct Heard {
        opened: usize,
        closed: usize,
        bytes: [Vec<u8>; 2],
    }
    impl Tap for Heard {
        fn opened(&mut self, _: ConnectionId, client: SocketAddr, server: SocketAddr, _: Time) {
            assert_ne!(client, server);
            self.opened += 1;
        }
        fn data(&mut self, _: ConnectionId, from: Role, bytes: &[u8], _: Time) {
            self.bytes[usize::from(from == Role::Server)].extend_from_slice(bytes);
        }
        fn closed(&mut self, _: ConnectionId, _: Role, _: Time) {
            self.closed += 1;
        }
        fn reset(&mut self, _: ConnectionId, _: Role, _: Time) {
            panic!("nobody resets this");
        }
    }
    let (near_tap, far_tap) = (Arc::new(Mutex::new(Heard::default())), Arc::new(Mutex::new(Heard::default())));
    let mut server = open_server();
    server.capture = Some(far_tap.clone());
    let mut config = client();
    config.capture = Some(near_tap.clone());
    let (server, client, near, far) = pair(server, config).await;
    near.send(ping("something to hear")).await.unwrap();
    far.receive().await.unwrap().unwrap();
    near.close().await.unwrap();
    tokio::join!(server.shutdown(SOON), client.shutdown(SOON));
    let (near, far) = (near_tap.lock().unwrap(), far_tap.lock().unwrap());
    assert_eq!(near.bytes, far.bytes);
    assert!(near.bytes[0].starts_with(b"ceph ") && near.bytes[1].starts_with(b"ceph "));
    assert!(near.bytes[0].windows(9).any(|window| window == b"something"));
    assert_eq!((near.opened, near.closed, far.opened, far.closed), (1, 2, 1, 2));
}
