//! Clients and monitors over the peers' endpoints, in memory and simulated time.

use std::net::SocketAddr;
use std::sync::Arc;

use super::*;
use crate::auth::cephx::client::{ClientError, Credentials};
use crate::auth::cephx::server::{Authority, Lifetimes, Refused};
use crate::auth::{Entity, Key, Keyring, ServiceKeys, Time};
use crate::crypto::FixedRandom;
use crate::messages::{Body, MCommand, MMonCommand, MMonGetVersion};
use crate::peer::{self, ConnectionId, Endpoint, SessionId, Target, entity_addr};
use crate::session::Message;
use crate::types::{
    AddrType, AuthMethod, CephFeatures, CephxOp, CephxServices, CryptoType, EntityType, Errno, MessageType, OsdMapBlob,
    OsdMapIncBlob,
};
use crate::wire::{Encode as _, Text, Utime};

const START: Time = Time::from_secs(1_700_000_000);
const SECOND: Time = Time::from_secs(1);
const MINUTE: Time = Time::from_secs(60);
const HOUR: Time = Time::from_secs(3600);

fn addr(host: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, host], 3300))
}

fn random(seed: &str) -> Box<FixedRandom> {
    Box::new(FixedRandom::new(seed.as_bytes()))
}

fn key(seed: &str) -> Key {
    Key::generate(CryptoType::AES, Utime::default(), &mut *random(seed)).unwrap()
}

fn credentials(name: &str) -> Credentials {
    Credentials::new(name.parse().unwrap(), key(name))
}

fn authority() -> Arc<Authority> {
    let mut keyring = Keyring::new();
    for name in ["client.admin", "osd.0"] {
        keyring.insert(name.parse().unwrap(), Entity::new(key(name)));
    }
    let (lifetimes, mut random) = (Lifetimes { auth: 4 * HOUR, service: HOUR }, random("authority"));
    let mut services = ServiceKeys::new();
    for service in [EntityType::AUTH, EntityType::MON, EntityType::OSD, EntityType::MGR] {
        let lifetime = if service == EntityType::AUTH { lifetimes.auth } else { lifetimes.service };
        services.refresh(service, CryptoType::AES, lifetime, START, &mut *random).unwrap();
    }
    Arc::new(Authority::new(keyring, services, 4100, &mut *random).unwrap().with_lifetimes(lifetimes))
}

struct Mon {
    addr: SocketAddr,
    endpoint: Endpoint,
    server: Server,
    answered: Vec<Answered>,
    up: bool,
}

struct Link {
    at_client: ConnectionId,
    mon: usize,
    at_mon: ConnectionId,
    /// What is written gets lost.
    mute: bool,
}

/// A client, and monitors that may be down.
struct World {
    now: Time,
    client: Client,
    endpoint: Endpoint,
    session: Option<SessionId>,
    mons: Vec<Mon>,
    links: Vec<Link>,
    events: Vec<Event>,
}

/// How a world is made.
struct Made {
    mons: u8,
    method: AuthMethod,
    config: ClientConfig,
    features: CephFeatures,
    settings: Vec<Setting>,
    subscribe_interval: Time,
}

impl Made {
    fn new(mons: u8, name: &str) -> Self {
        let hosts = (1..=mons).map(addr).collect();
        Made {
            mons,
            method: AuthMethod::CEPHX,
            config: ClientConfig::new(hosts, Some(credentials(name))),
            features: peer::Config::new("mon.a".parse().unwrap()).features_supported,
            settings: Vec::new(),
            subscribe_interval: 24 * HOUR,
        }
    }

    fn world(self) -> World {
        let map = MonMap {
            epoch: 1,
            mons: (1..=self.mons).map(|host| Monitor::new(format!("{host}"), addr(host))).collect(),
            ..MonMap::default()
        };
        let authority = authority();
        let mon = |host: u8| {
            let mut config = peer::Config::new("mon.a".parse().unwrap());
            config.addrs = vec![entity_addr(AddrType::MSGR2, addr(host), 0)];
            config.features_supported = self.features;
            config.server.methods = vec![self.method];
            config.server.authority = Some(authority.clone());
            let server = ServerConfig {
                settings: self.settings.clone(),
                subscribe_interval: self.subscribe_interval,
                ..ServerConfig::new(map.clone(), Some(authority.clone()))
            };
            Mon {
                addr: addr(host),
                endpoint: Endpoint::new(config, random(&format!("mon {host}"))),
                server: Server::new(server),
                answered: Vec::new(),
                up: true,
            }
        };
        let name = self.config.credentials.as_ref().map(|credentials| credentials.name().clone());
        let mut config = peer::Config::new(name.unwrap_or_else(|| "client.admin".parse().unwrap()));
        config.lossy = true;
        config.features_supported = self.features;
        let mut world = World {
            now: START,
            client: Client::new(self.config.clone(), START, random("client")),
            endpoint: Endpoint::new(config, random("endpoint")),
            session: None,
            mons: (1..=self.mons).map(mon).collect(),
            links: Vec::new(),
            events: Vec::new(),
        };
        world.pump();
        world
    }
}

impl World {
    /// Goes on until nobody has anything to do.
    fn pump(&mut self) {
        while self.outputs() | self.client_events() | self.mon_events() | self.bytes() {}
    }

    fn outputs(&mut self) -> bool {
        let mut busy = false;
        while let Some(output) = self.client.output() {
            busy = true;
            let session = self.session;
            match output {
                Output::Connect(target) => {
                    assert_eq!(session, None);
                    self.session = Some(self.endpoint.connect(self.now, Target::clone(&target)));
                }
                Output::Send(message) => self.endpoint.send(self.now, session.unwrap(), message).unwrap(),
                Output::Keepalive => assert!(self.endpoint.keepalive(self.now, session.unwrap())),
                Output::Close => {
                    if let Some(session) = self.session.take() {
                        self.endpoint.abandon(self.now, session);
                    }
                }
                Output::Event(event) => self.events.push(event),
            }
        }
        busy
    }

    fn client_events(&mut self) -> bool {
        let mut busy = false;
        while let Some(event) = self.endpoint.event() {
            busy = true;
            let own = self.session;
            match event {
                peer::Event::Dial { session, addr } => {
                    match self.mons.iter_mut().position(|mon| mon.addr == addr && mon.up) {
                        Some(mon) => {
                            let Some(at_client) = self.endpoint.connected(self.now, session) else { continue };
                            let from = SocketAddr::from(([192, 0, 2, 99], 40000));
                            let at_mon = self.mons[mon].endpoint.accept(self.now, from).unwrap();
                            self.links.push(Link { at_client, mon, at_mon, mute: false });
                        }
                        None => self.endpoint.dial_failed(self.now, session),
                    }
                }
                peer::Event::Established { session, peer, .. } if own == Some(session) => {
                    self.client.established(self.now, &peer, self.endpoint.credentials(session));
                }
                peer::Event::Message { session, message } if own == Some(session) => {
                    self.client.message(self.now, message);
                }
                peer::Event::Keepalive { session, round_trip, .. } if own == Some(session) => {
                    self.client.alive(self.now, round_trip);
                }
                peer::Event::Disconnected { session, why } | peer::Event::Closed { session, why, .. }
                    if own == Some(session) =>
                {
                    self.session = None;
                    self.endpoint.abandon(self.now, session);
                    self.client.ended(self.now, why);
                }
                peer::Event::Hangup { connection } => {
                    self.bytes();
                    self.cut(|link| link.at_client == connection);
                }
                _ => {}
            }
        }
        busy
    }

    fn mon_events(&mut self) -> bool {
        let mut busy = false;
        for index in 0..self.mons.len() {
            while let Some(event) = self.mons[index].endpoint.event() {
                busy = true;
                let mon = &mut self.mons[index];
                match event {
                    peer::Event::Established { session, peer, .. } => mon.server.established(session, &peer),
                    peer::Event::Message { session, message } => {
                        let (answered, sends) =
                            mon.server.message(self.now, session, &message, &mut FixedRandom::new(b"answers"));
                        mon.answered.push(answered);
                        self.send_all(index, sends);
                    }
                    peer::Event::Closed { session, .. } => mon.server.closed(session),
                    peer::Event::Hangup { connection } => {
                        self.bytes();
                        self.cut(|link| (link.mon, link.at_mon) == (index, connection));
                    }
                    _ => {}
                }
            }
        }
        busy
    }

    fn send_all(&mut self, mon: usize, sends: Vec<(SessionId, Message)>) {
        for (session, message) in sends {
            self.mons[mon].endpoint.send(self.now, session, message).unwrap();
        }
    }

    fn bytes(&mut self) -> bool {
        let mut busy = false;
        for link in &self.links {
            let mon = &mut self.mons[link.mon].endpoint;
            let mut bytes = Vec::new();
            while self.endpoint.transmit(self.now, link.at_client, &mut bytes, 4096) > 0 {}
            busy |= !bytes.is_empty();
            if !bytes.is_empty() && !link.mute {
                mon.receive(self.now, link.at_mon, &bytes);
            }
            bytes.clear();
            while mon.transmit(self.now, link.at_mon, &mut bytes, 4096) > 0 {}
            busy |= !bytes.is_empty();
            if !bytes.is_empty() && !link.mute {
                self.endpoint.receive(self.now, link.at_client, &bytes);
            }
        }
        busy
    }

    /// Ends connections.
    fn cut(&mut self, which: impl Fn(&Link) -> bool) {
        let links = std::mem::take(&mut self.links);
        let (cut, left) = links.into_iter().partition(which);
        self.links = left;
        for link in cut {
            self.endpoint.ended(self.now, link.at_client);
            self.mons[link.mon].endpoint.ended(self.now, link.at_mon);
        }
    }

    /// Lets time pass.
    fn pass(&mut self, time: Time) {
        let end = self.now + time;
        loop {
            let mut next = self.client.timeout();
            let endpoints = std::iter::once(&self.endpoint).chain(self.mons.iter().map(|mon| &mon.endpoint));
            for timeout in endpoints.filter_map(Endpoint::timeout) {
                next = next.min(timeout);
            }
            if next > end {
                break;
            }
            // what is late is due now
            self.now = self.now.max(next);
            self.client.tick(self.now);
            self.endpoint.tick(self.now);
            for mon in &mut self.mons {
                mon.endpoint.tick(self.now);
                mon.server.tick(self.now, &mut FixedRandom::new(b"tick"));
            }
            self.pump();
        }
        self.now = end;
    }

    fn down(&mut self, mon: usize) {
        self.mons[mon].up = false;
        self.cut(|link| link.mon == mon);
        self.pump();
    }

    fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The monitor that the client is at.
    fn at(&self) -> usize {
        self.mons.iter().position(|mon| Some(mon.addr) == self.client.mon()).expect("a session")
    }

    fn ask<'a>(&mut self, body: impl Into<Body<'a>>, tid: u64) {
        let message = Message { tid, ..encode(body).unwrap() };
        self.endpoint.send(self.now, self.session.unwrap(), message).unwrap();
        self.pump();
    }
}

fn names(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| format!("{event:?}").split([' ', '(', '{']).next().unwrap().to_owned()).collect()
}

fn is_lost(event: &Event, expected: &Lost) -> bool {
    matches!(event, Event::Lost { why, .. } if why == expected)
}

#[test]
fn a_session_begins_as_cephs_do() {
    for method in [AuthMethod::CEPHX, AuthMethod::NONE] {
        let mut made = Made::new(1, "client.admin");
        made.method = method;
        if method == AuthMethod::NONE {
            made.config.credentials = None;
        }
        let setting = |section: &str, name: &str, value: &str| Setting {
            section: section.into(),
            name: name.into(),
            value: value.into(),
        };
        made.settings = vec![
            setting("client.admin", "b", "own"),
            setting("global", "a", "all"),
            setting("client", "b", "clients"),
            setting("osd", "c", "osds"),
        ];
        let mut world = made.world();
        let events = world.events();
        // the map comes for MMonGetMap, and for the subscription
        assert_eq!(names(&events), ["Hunting", "Opened", "MonMap", "Config", "MonMap"]);
        let Event::Config(config) = &events[3] else { panic!("{events:?}") };
        let config: Vec<(&str, &str)> = config.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(config, [("a", "all"), ("b", "own")]);
        assert_eq!(world.client.map(), Some(world.mons[0].server.map()));
        let served = vec!["config".to_owned(), "monmap".to_owned()];
        assert_eq!(world.mons[0].answered, [Answered::Map, Answered::Subscribed { served, unserved: vec![] }]);
    }
}

#[test]
fn a_monitor_is_asked_whether_it_is_there() {
    let mut world = Made::new(1, "client.admin").world();
    world.events();
    world.pass(35 * SECOND);
    assert_eq!(names(&world.events()), ["Alive"; 3]);
    // it no longer is
    world.links[0].mute = true;
    world.pass(29 * SECOND);
    let events = world.events();
    let [lost, hunting, ..] = &*events else { panic!("{events:?}") };
    assert!(is_lost(lost, &Lost::Silent), "{lost:?}");
    assert!(matches!(hunting, Event::Hunting { .. }));
    assert!(world.client.mon().is_some(), "a new connection works");
}

#[test]
fn tickets_are_renewed_in_time() {
    let mut world = Made::new(1, "client.admin").world();
    world.events();
    let session = world.session;
    let renewals = |events: &[Event]| {
        let tickets = events.iter().filter_map(|event| match event {
            Event::Tickets(services) => Some(services.clone()),
            _ => None,
        });
        tickets.collect::<Vec<_>>()
    };
    world.pass(44 * MINUTE);
    assert_eq!(renewals(&world.events()), Vec::<Vec<EntityType>>::new());
    world.pass(2 * MINUTE);
    assert_eq!(renewals(&world.events()), [vec![EntityType::MON, EntityType::OSD, EntityType::MGR]]);

    // the AUTH ticket, which lasts four hours here; all in the same session, and over rotations of the keys
    let mut auth = 0;
    for _ in 0..14 {
        world.pass(HOUR / 2);
        let events = world.events();
        assert!(events.iter().all(|event| matches!(event, Event::Alive { .. } | Event::Tickets(_))), "{events:?}");
        auth += renewals(&events).iter().filter(|services| services.contains(&EntityType::AUTH)).count();
        let (now, credentials) = (world.now, world.client.credentials().unwrap());
        let services = [EntityType::AUTH, EntityType::MON, EntityType::OSD, EntityType::MGR];
        assert!(services.into_iter().all(|service| credentials.ticket(service, now).is_some()));
    }
    assert_eq!(auth, 2, "after three hours each");
    assert_eq!(world.session, session);
    assert!(world.mons[0].answered.contains(&Answered::Auth(CephxOp::GET_AUTH_SESSION_KEY)));
}

#[test]
fn tickets_that_no_monitor_gives() {
    let mut made = Made::new(1, "client.admin");
    made.config.services = CephxServices::MDS;
    let mut world = made.world();
    world.pass(5 * MINUTE);
    let events = world.events();
    let failed = events.iter().filter(|event| matches!(event, Event::AuthFailed(ClientError::Status(Errno::EACCES))));
    assert!((3..=6).contains(&failed.count()), "asked for again, but not all the time: {:?}", names(&events));
}

#[test]
fn a_daemon_gets_its_rotating_keys() {
    let mut made = Made::new(1, "osd.0");
    made.config.rotating_keys = true;
    let mut world = made.world();
    let ids = |events: &[Event]| {
        let keys = events.iter().filter_map(|event| match event {
            Event::RotatingKeys(keys) => Some(keys.of(EntityType::OSD).map(|(id, ..)| id).collect::<Vec<_>>()),
            _ => None,
        });
        keys.collect::<Vec<_>>()
    };
    assert_eq!(ids(&world.events()), [[1, 2, 3]]);
    assert_eq!(
        world.mons[0].answered[1..],
        [
            Answered::Subscribed { served: vec!["config".into(), "monmap".into()], unserved: vec![] },
            Answered::Auth(CephxOp::GET_ROTATING_KEY)
        ]
    );
    world.pass(HOUR + 59 * MINUTE);
    assert_eq!(ids(&world.events()), Vec::<Vec<u64>>::new());
    world.pass(2 * MINUTE);
    assert_eq!(ids(&world.events()), [[2, 3, 4]]);

    // a client has none, and is told so
    let mut made = Made::new(1, "client.admin");
    made.config.rotating_keys = true;
    let mut world = made.world();
    assert!(world.events().iter().any(|event| matches!(event, Event::AuthFailed(_))));
    let refused = Refused::NoRotatingKeys("client.admin".parse().unwrap());
    assert_eq!(world.mons[0].answered[2], Answered::AuthRefused(refused));
}

#[test]
fn another_monitor_takes_over() {
    let mut world = Made::new(3, "client.admin").world();
    let first = world.at();
    let global_id = world.client.credentials().unwrap().global_id();
    world.pass(MINUTE);
    world.events();
    world.down(first);
    let second = world.at();
    assert_ne!(second, first);
    let events = world.events();
    assert!(names(&events).starts_with(&["Lost".into(), "Hunting".into()]), "{events:?}");
    assert_eq!(world.client.credentials().unwrap().global_id(), global_id, "it keeps its id");
    assert_eq!(world.mons[second].answered.len(), 2, "map and subscriptions");

    // nobody is left: rounds with pauses that grow
    world.down(second);
    world.down(3 - first - second);
    world.events();
    world.pass(HOUR);
    let events = world.events();
    let tries = events.iter().filter(|event| matches!(event, Event::Hunting { .. })).count();
    assert!((300..=420).contains(&tries), "three each 30 s: {tries}");
    assert_eq!(world.client.mon(), None);
    world.mons[first].up = true;
    world.pass(MINUTE);
    assert_eq!(world.at(), first);
}

#[test]
fn a_wrong_key_is_told_and_not_tried_too_often() {
    let mut made = Made::new(1, "client.admin");
    let name = "client.admin".parse().unwrap();
    made.config.credentials = Some(Credentials::new(name, key("another")));
    let mut world = made.world();
    let events = world.events();
    let Event::Lost { why: Lost::Ended(why), .. } = &events[1] else { panic!("{events:?}") };
    assert!(why.contains("EACCES") || why.contains("-13"), "{why}");
    world.pass(10 * MINUTE);
    let tries = world.events().iter().filter(|event| matches!(event, Event::Hunting { .. })).count();
    assert!((15..=30).contains(&tries), "{tries}");
}

#[test]
fn what_changes_is_told() {
    let mut world = Made::new(1, "client.admin").world();
    world.events();
    let mut map = world.mons[0].server.map().clone();
    map.epoch = 2;
    map.mons.push(Monitor::new("z", addr(77)));
    let sends = world.mons[0].server.set_map(map.clone());
    world.send_all(0, sends);
    let setting = Setting { section: "global".into(), name: "a".into(), value: "1".into() };
    let sends = world.mons[0].server.set_settings(vec![setting]);
    world.send_all(0, sends);
    world.pump();
    assert_eq!(names(&world.events()), ["MonMap", "Config"]);
    assert_eq!(world.client.map(), Some(&map));
    // the same once more is nothing new
    assert!(world.mons[0].server.set_map(map).is_empty());

    // what is wanted once comes once
    world.client.subscribe(world.now, Subscription { what: "monmap".into(), start: 0, once: true });
    world.client.unsubscribe("config");
    world.pump();
    assert_eq!(names(&world.events()), ["Config", "MonMap"], "both are told again");
    assert_eq!(world.mons[0].server.set_settings(Vec::new()).len(), 1, "it has not heard that it is to stop");
    let mut map = world.mons[0].server.map().clone();
    map.epoch = 3;
    assert!(world.mons[0].server.set_map(map).is_empty());
}

#[test]
fn old_monitors_want_to_be_told_again() {
    let mut made = Made::new(1, "client.admin");
    made.features = made.features & !CephFeatures::MON_STATEFUL_SUB;
    made.subscribe_interval = 2 * HOUR;
    let mut world = made.world();
    let events = world.events();
    let Some(Event::Subscribed { interval, .. }) = events.last() else { panic!("{events:?}") };
    assert_eq!(*interval, 2 * HOUR);
    let told = |world: &World| {
        let answered = world.mons[0].answered.iter();
        answered.filter(|answered| matches!(answered, Answered::Subscribed { .. })).count()
    };
    world.pass(HOUR - SECOND);
    assert_eq!(told(&world), 1);
    world.pass(2 * SECOND);
    assert_eq!(told(&world), 2);
}

#[test]
fn what_is_not_served_is_answered_all_the_same() {
    let mut world = Made::new(1, "client.admin").world();
    world.client.subscribe(world.now, Subscription::new("osdmap"));
    world.pump();
    world.events();
    let Some(Answered::Subscribed { unserved, .. }) = world.mons[0].answered.last() else { panic!("nothing") };
    assert_eq!(*unserved, ["osdmap"]);

    let command = "{\"prefix\": \"status\"}";
    world.ask(MMonCommand { cmd: vec![Text::from(command)], ..Default::default() }, 7);
    assert_eq!(world.mons[0].answered.last(), Some(&Answered::Command(vec![command.into()])));
    world.ask(MMonGetVersion { handle: 5, what: Text::from("monmap"), ..Default::default() }, 8);
    world.ask(MMonGetVersion { handle: 6, what: Text::from("osdmap"), ..Default::default() }, 9);
    let events = world.events();
    let replies: Vec<&Message> = events
        .iter()
        .map(|event| match event {
            Event::Message(message) => message,
            _ => panic!("{event:?}"),
        })
        .collect();
    let [command, monmap, osdmap] = &*replies else { panic!("{replies:?}") };
    assert_eq!((command.tid, monmap.tid, osdmap.tid), (7, 8, 9));
    let Some(Ok(Body::MonCommandAck(ack))) = decode(command) else { panic!("{command:?}") };
    assert_eq!(ack.result, Errno::EOPNOTSUPP);
    let Some(Ok(Body::MonGetVersionReply(reply))) = decode(monmap) else { panic!("{monmap:?}") };
    assert_eq!((reply.handle, reply.version, reply.oldest), (5, 1, Some(1)));
    let Some(Ok(Body::MonGetVersionReply(reply))) = decode(osdmap) else { panic!("{osdmap:?}") };
    assert_eq!((reply.handle, reply.version, reply.oldest), (6, 0, Some(0)));

    // a command to this daemon is refused as one to all monitors is
    world.ask(MCommand { cmd: vec![Text::from("{}")], ..Default::default() }, 10);
    assert_eq!(world.mons[0].answered.last(), Some(&Answered::Command(vec!["{}".into()])));
    let (now, session) = (world.now, world.session.unwrap());
    let ping = Message { tid: 11, ..Message::new(MessageType::PING, "") };
    world.endpoint.send(now, session, ping).unwrap();
    world.pump();
    assert_eq!(world.mons[0].answered.last(), Some(&Answered::Ping));
    let [Event::Message(command), Event::Message(pong)] = &*world.events() else { panic!("an answer is missing") };
    assert_eq!((command.tid, pong.tid), (10, 11));
    let Some(Ok(Body::CommandReply(reply))) = decode(command) else { panic!("{command:?}") };
    assert_eq!(reply.result, Errno::EOPNOTSUPP);
    assert!(pong_status(pong).unwrap().starts_with("{\"mon_status\":{\"monmap\":{\"epoch\":1,"));

    world.endpoint.send(now, session, Message::new(MessageType::STATFS, "")).unwrap();
    world.endpoint.send(now, session, Message::new(MessageType::MON_SUBSCRIBE, "x")).unwrap();
    world.pump();
    let [.., ignored, unreadable] = &*world.mons[0].answered else { panic!("nothing") };
    assert_eq!(*ignored, Answered::Ignored(MessageType::STATFS));
    assert!(matches!(unreadable, Answered::Unreadable(MessageType::MON_SUBSCRIBE, _)));
    assert!(world.client.mon().is_some());
}

#[test]
fn osd_maps_are_handed_on_as_they_are() {
    let mut world = Made::new(1, "client.admin").world();
    world.client.subscribe(world.now, Subscription::new("osdmap"));
    world.pump();
    world.events();
    let (difference, whole) = (crate::types::OsdMapInc::default(), crate::types::OsdMap::default());
    let (difference_bytes, whole_bytes) = (difference.to_bytes().unwrap(), whole.to_bytes().unwrap());
    let body = crate::messages::MOsdMap {
        incrementals: vec![(11, OsdMapIncBlob { map: Some(difference) }), (12, OsdMapIncBlob::default())],
        maps: vec![(10, OsdMapBlob { map: Some(whole) })],
        oldest_map: 1,
        newest_map: 12,
        gaps: Some(0),
        ..Default::default()
    };
    let message = encode(body).unwrap();
    assert_eq!((message.version, message.compat_version), (4, 3));
    world.client.message(world.now, message);
    world.client.message(world.now, Message::new(MessageType::OSD_MAP, "short"));
    world.pump();
    let events = world.events();
    let [Event::OsdMaps(maps), Event::Unreadable { kind: MessageType::OSD_MAP, .. }] = &*events else {
        panic!("{events:?}")
    };
    assert_eq!(
        (&*maps.incrementals[0].1, &*maps.maps[0].1, maps.last()),
        (&difference_bytes[..], &whole_bytes[..], Some(12))
    );

    // another monitor is asked for what comes next
    world.cut(|_| true);
    world.pump();
    world.pass(10 * SECOND);
    let mut wanted = Vec::new();
    let sends = world.mons[0].answered.iter();
    wanted.extend(sends.filter(|answered| matches!(answered, Answered::Subscribed { .. })));
    assert_eq!(wanted.len(), 3);
}
