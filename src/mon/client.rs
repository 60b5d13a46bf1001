//! A client of the monitors.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;

use super::map::{MonMap, OsdMaps};
use super::message::{decode, encode};
use super::subscriptions::{Subscription, Subscriptions};
use super::tickets::{Got, Step, Tickets};
use crate::auth::cephx::client::{ClientError, Credentials};
use crate::auth::{ServiceKeys, Time};
use crate::crypto::Random;
use crate::messages::{Body, MAuth, MAuthPayload, MMonGetMap};
use crate::peer::{ClientAuth, PeerInfo, Target};
use crate::session::Message;
use crate::types::{
    AuthMethod, CephFeatures, CephxServices, CephxSessionRequest, EntityType, MessageType, PaxosHeader,
};
use crate::wire::{self, Uuid};

/// What a client wants.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Where monitors are, at least one. The map that they send takes the place of this list.
    pub mons: Vec<SocketAddr>,
    /// Who it is, for cephx; without it the method is none.
    pub credentials: Option<Credentials>,
    /// The services that it wants tickets for.
    pub services: CephxServices,
    /// It asks for its service's rotating keys, as daemons do.
    pub rotating_keys: bool,
    /// What it subscribes to. Ceph's clients want `monmap` and `config`, lasting.
    pub subscriptions: Vec<Subscription>,
    /// The name of its host, which monitors are told.
    pub hostname: String,
    /// Times.
    pub times: Times,
}

impl ClientConfig {
    /// As Ceph's clients begin: subscribed to the monitor map and the settings.
    pub fn new(mons: Vec<SocketAddr>, credentials: Option<Credentials>) -> Self {
        ClientConfig {
            mons,
            credentials,
            services: CephxServices::MON | CephxServices::OSD | CephxServices::MGR,
            rotating_keys: false,
            subscriptions: vec![Subscription::new("config"), Subscription::new("monmap")],
            hostname: String::new(),
            times: Times::default(),
        }
    }
}

/// Times of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Times {
    /// How long a monitor has to answer a connect, at first; half as long again each round.
    pub hunt: Time,
    /// The longest that becomes.
    pub hunt_most: Time,
    /// How often a KEEPALIVE2 is sent.
    pub keepalive: Time,
    /// How long a monitor may be silent.
    pub silence: Time,
}

impl Default for Times {
    /// As in Ceph: 3 s, 30 s; 10 s, 30 s.
    fn default() -> Self {
        let seconds = Time::from_secs;
        Times { hunt: seconds(3), hunt_most: seconds(30), keepalive: seconds(10), silence: seconds(30) }
    }
}

/// What is to be done, or has happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Output {
    /// A session is to be begun: [`Client::established`] or [`Client::ended`] is the answer.
    Connect(Box<Target>),
    /// A message is to be sent in it.
    Send(Message),
    /// A KEEPALIVE2 is to be sent in it; [`Client::alive`] is the answer.
    Keepalive,
    /// It is to be ended. What still comes of it must not be told any more.
    Close,
    /// Something has happened.
    Event(Event),
}

/// What has happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A monitor is being tried.
    Hunting {
        /// Where.
        mon: SocketAddr,
    },
    /// There is a session with a monitor.
    Opened {
        /// Which one.
        mon: SocketAddr,
    },
    /// There is no session any more; another monitor is tried.
    Lost {
        /// With which one.
        mon: SocketAddr,
        /// Why.
        why: Lost,
    },
    /// The monitor map.
    MonMap(MonMap),
    /// The settings for this client, by the names of options.
    Config(BTreeMap<String, String>),
    /// Versions of the OSD map.
    OsdMaps(OsdMaps),
    /// A monitor has confirmed the subscriptions.
    Subscribed {
        /// How long until they must be renewed.
        interval: Time,
        /// The cluster's id.
        fsid: Uuid,
    },
    /// Tickets for these services were renewed.
    Tickets(Vec<EntityType>),
    /// The rotating keys of the daemon's service.
    RotatingKeys(ServiceKeys),
    /// Tickets or keys could not be had. It is tried again.
    AuthFailed(ClientError),
    /// The monitor is there.
    Alive {
        /// How long a KEEPALIVE2 and its answer took.
        round_trip: Time,
    },
    /// A message that is the application's business.
    Message(Message),
    /// A message that can't be read.
    Unreadable {
        /// What it is.
        kind: MessageType,
        /// Why not.
        error: wire::Error,
    },
}

/// Why a session is over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lost {
    /// The connection ended, or couldn't be made; the reason in words.
    Ended(String),
    /// The monitor has not answered the connect in time.
    NoAnswer,
    /// It was silent for too long.
    Silent,
    /// Its tickets can be renewed by a new session only.
    Tickets,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lost::Ended(why) => f.write_str(why),
            Lost::NoAnswer => f.write_str("no answer in time"),
            Lost::Silent => f.write_str("silent for too long"),
            Lost::Tickets => f.write_str("the tickets have to be renewed by a new session"),
        }
    }
}

#[derive(Debug)]
enum State {
    /// Waits before the next round.
    Waiting { until: Time },
    /// A monitor is asked for a session.
    Hunting { mon: SocketAddr, until: Time },
    /// There is a session.
    Open { mon: SocketAddr, since: Time, heard: Time, keepalive_at: Time, stateful: bool },
}

/// A client of the monitors. It is told what happens to its session, and says by [`Client::output`] what is to be done.
pub struct Client {
    config: ClientConfig,
    random: Box<dyn Random + Send>,
    state: State,
    /// Those that weren't tried yet in this round.
    round: Vec<SocketAddr>,
    /// How long each has this time.
    patience: Time,
    map: Option<MonMap>,
    subscriptions: Subscriptions,
    tickets: Tickets,
    outputs: VecDeque<Output>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Client {
    /// Begins to look for a monitor. Outside of tests the random bytes must be fit for keys.
    pub fn new(config: ClientConfig, now: Time, random: Box<dyn Random + Send>) -> Self {
        let mut subscriptions = Subscriptions::default();
        for subscription in &config.subscriptions {
            subscriptions.want(subscription.clone());
        }
        let mut client = Client {
            random,
            state: State::Waiting { until: now },
            round: Vec::new(),
            patience: config.times.hunt,
            map: None,
            subscriptions,
            tickets: Tickets::new(config.credentials.clone(), config.services, config.rotating_keys),
            outputs: VecDeque::new(),
            config,
        };
        client.tick(now);
        client
    }

    /// What is to be done next, or has happened.
    pub fn output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The last monitor map.
    pub fn map(&self) -> Option<&MonMap> {
        self.map.as_ref()
    }

    /// The monitor that there is a session with.
    pub fn mon(&self) -> Option<SocketAddr> {
        match self.state {
            State::Open { mon, .. } => Some(mon),
            State::Waiting { .. } | State::Hunting { .. } => None,
        }
    }

    /// Who the client is, with all tickets that it has; `None` with the method none.
    pub fn credentials(&self) -> Option<&Credentials> {
        self.tickets.credentials()
    }

    /// Subscribes to something more, or to something else of the same name.
    pub fn subscribe(&mut self, now: Time, subscription: Subscription) {
        self.subscriptions.want(subscription);
        self.tell_subscriptions(now);
    }

    /// No longer subscribes to something. The monitor goes on until there is another session.
    pub fn unsubscribe(&mut self, what: &str) {
        self.subscriptions.forget(what);
    }

    /// Says which versions of something have come, so that another monitor begins behind them. For what the client reads
    /// itself it does so itself: the monitor map, OSD maps.
    pub fn got(&mut self, what: &str, version: u64) {
        self.subscriptions.got(what, version);
    }

    /// The session has begun. `credentials` are what its handshake has brought.
    pub fn established(&mut self, now: Time, peer: &PeerInfo, credentials: Option<&Credentials>) {
        let State::Hunting { mon, .. } = self.state else { return };
        let stateful = peer.features.contains(CephFeatures::MON_STATEFUL_SUB);
        let keepalive_at = now + self.config.times.keepalive;
        self.state = State::Open { mon, since: now, heard: now, keepalive_at, stateful };
        self.round.clear();
        self.patience = self.config.times.hunt;
        self.event(Event::Opened { mon });
        self.tickets.begin(credentials, peer.server_challenge, now);
        self.send(MMonGetMap::default());
        self.subscriptions.begin();
        self.tell_subscriptions(now);
        self.look_at_tickets(now);
    }

    /// A message came in the session.
    pub fn message(&mut self, now: Time, message: Message) {
        let State::Open { heard, .. } = &mut self.state else { return };
        *heard = now;
        let body = match decode(&message) {
            Some(Ok(body)) => body,
            Some(Err(error)) => return self.event(Event::Unreadable { kind: message.kind, error }),
            None => return self.event(Event::Message(message)),
        };
        match body {
            Body::MonMap(body) => {
                if let Some(map) = body.monmap.as_ref().map(MonMap::from_wire) {
                    self.take_map(map);
                }
            }
            Body::Config(body) => {
                let options = body.config.iter().map(|(name, value)| (name.to_string(), value.to_string()));
                self.event(Event::Config(options.collect()));
            }
            Body::OsdMap(body) => {
                let maps = OsdMaps::from_wire(&body);
                if let Some(last) = maps.last() {
                    self.subscriptions.got("osdmap", last.into());
                }
                self.event(Event::OsdMaps(maps));
            }
            Body::MonSubscribeAck(body) => {
                let interval = Time::from_secs(body.interval.into());
                // who keeps subscriptions as long as the session needs not be told again
                if let State::Open { stateful: false, .. } = self.state {
                    self.subscriptions.acked(interval, now);
                }
                self.event(Event::Subscribed { interval, fsid: body.fsid });
            }
            Body::AuthReply(body) => {
                match self.tickets.answered(&body, now) {
                    Some(Ok(Got::Tickets(services))) => self.event(Event::Tickets(services)),
                    Some(Ok(Got::Rotating(keys))) => self.event(Event::RotatingKeys(keys)),
                    Some(Err(error)) => self.event(Event::AuthFailed(error)),
                    None => return self.event(Event::Message(message)),
                }
                self.look_at_tickets(now);
            }
            _ => self.event(Event::Message(message)),
        }
    }

    /// The answer to a KEEPALIVE2 came.
    pub fn alive(&mut self, now: Time, round_trip: Time) {
        if let State::Open { heard, .. } = &mut self.state {
            *heard = now;
            self.event(Event::Alive { round_trip });
        }
    }

    /// The session is over, or there was none to be had.
    pub fn ended(&mut self, now: Time, why: impl fmt::Display) {
        self.lost(now, Lost::Ended(why.to_string()));
    }

    /// When [`Client::tick`] is to be called.
    pub fn timeout(&self) -> Time {
        match &self.state {
            State::Waiting { until } | State::Hunting { until, .. } => *until,
            State::Open { heard, keepalive_at, .. } => {
                let silent = heard.saturating_add(self.config.times.silence);
                let others = [self.subscriptions.renew_at(), self.tickets.timeout()];
                others.into_iter().flatten().fold(silent.min(*keepalive_at), Time::min)
            }
        }
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Time) {
        match &mut self.state {
            State::Waiting { until } if *until <= now => self.hunt(now),
            State::Hunting { until, .. } if *until <= now => self.leave(now, Lost::NoAnswer),
            State::Waiting { .. } | State::Hunting { .. } => {}
            State::Open { heard, .. } if heard.saturating_add(self.config.times.silence) <= now => {
                self.leave(now, Lost::Silent);
            }
            State::Open { keepalive_at, .. } => {
                if *keepalive_at <= now {
                    *keepalive_at = now + self.config.times.keepalive;
                    self.outputs.push_back(Output::Keepalive);
                }
                self.tell_subscriptions(now);
                self.look_at_tickets(now);
            }
        }
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn send<'a>(&mut self, body: impl Into<Body<'a>>) {
        // what is too large to be written isn't sent: a list of subscriptions could be
        if let Ok(message) = encode(body) {
            self.outputs.push_back(Output::Send(message));
        }
    }

    fn take_map(&mut self, map: MonMap) {
        self.subscriptions.got("monmap", map.epoch.into());
        if self.map.as_ref().is_none_or(|before| before.epoch <= map.epoch) {
            self.map = Some(map.clone());
        }
        self.event(Event::MonMap(map));
    }

    fn tell_subscriptions(&mut self, now: Time) {
        if let State::Open { .. } = self.state
            && let Some(body) = self.subscriptions.due(&self.config.hostname, now)
            && let Ok(message) = encode(body)
        {
            self.outputs.push_back(Output::Send(message));
        }
    }

    fn look_at_tickets(&mut self, now: Time) {
        loop {
            match self.tickets.due(now, &mut *self.random) {
                Ok(Step::Nothing) => return,
                Ok(Step::Ask(request)) => self.ask(request),
                Ok(Step::Reconnect) => return self.leave(now, Lost::Tickets),
                Err(error) => return self.event(Event::AuthFailed(error)),
            }
        }
    }

    fn ask(&mut self, request: CephxSessionRequest<'static>) {
        self.send(MAuth {
            paxos: PaxosHeader { session_mon: -1, ..Default::default() },
            protocol: AuthMethod::CEPHX,
            payload: Some(MAuthPayload::Cephx(request)),
            monmap_epoch: Some(self.map.as_ref().map_or(0, |map| map.epoch)),
            ..Default::default()
        });
    }

    /// Ends the session from this side.
    fn leave(&mut self, now: Time, why: Lost) {
        self.outputs.push_back(Output::Close);
        self.lost(now, why);
    }

    fn lost(&mut self, now: Time, why: Lost) {
        let (mon, was_good) = match self.state {
            State::Waiting { .. } => return,
            State::Hunting { mon, .. } => (mon, false),
            // who lets in and throws out at once is asked no faster than who doesn't answer
            State::Open { mon, since, .. } => (mon, since.saturating_add(self.config.times.hunt) <= now),
        };
        self.event(Event::Lost { mon, why });
        if self.round.is_empty() && !was_good {
            // all were tried: a pause, and more patience
            self.state = State::Waiting { until: now.saturating_add(self.patience) };
            self.patience = (self.patience * 3 / 2).min(self.config.times.hunt_most);
        } else {
            self.hunt(now);
        }
    }

    /// Tries the next monitor.
    fn hunt(&mut self, now: Time) {
        if self.round.is_empty() {
            self.round = self.shuffled();
        }
        let Some(mon) = self.round.pop() else {
            self.state = State::Waiting { until: now.saturating_add(self.config.times.hunt_most) };
            return;
        };
        let auth = match self.tickets.credentials() {
            Some(credentials) => {
                // tickets that are still good needn't be fetched again
                let services = credentials.due(self.config.services, now);
                ClientAuth::Authenticate { credentials: credentials.clone(), services }
            }
            None => ClientAuth::None { service: EntityType::MON },
        };
        self.state = State::Hunting { mon, until: now.saturating_add(self.patience) };
        self.event(Event::Hunting { mon });
        self.outputs.push_back(Output::Connect(Box::new(Target::new(mon, vec![auth]))));
    }

    /// All monitors, in an order of their own each time.
    fn shuffled(&mut self) -> Vec<SocketAddr> {
        let mapped: Vec<SocketAddr> = self.map.iter().flat_map(MonMap::v2).collect();
        let mut mons = if mapped.is_empty() { self.config.mons.clone() } else { mapped };
        for last in (1..mons.len()).rev() {
            let mut bytes = [0; 8];
            self.random.fill(&mut bytes);
            // the remainder prefers some by less than one in 2^48
            mons.swap(last, (u64::from_le_bytes(bytes) % (last as u64 + 1)) as usize);
        }
        mons
    }
}
