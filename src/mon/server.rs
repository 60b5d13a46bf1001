//! A monitor, as far as handshake, map, settings and subscriptions.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::map::{MonMap, features};
use super::message::{FROM_MON, decode, encode};
use super::status::pong;
use crate::auth::cephx::server::{Authority, Refused, SessionOf};
use crate::auth::{EntityName, Time};
use crate::crypto::Random;
use crate::messages::{
    Body, MAuth, MAuthPayload, MAuthReply, MAuthReplyResultBl, MCommandReply, MConfig, MMonCommand, MMonCommandAck,
    MMonGetVersion, MMonGetVersionReply, MMonMap, MMonSubscribe, MMonSubscribeAck,
};
use crate::peer::{PeerInfo, SessionId};
use crate::session::Message;
use crate::types::{AuthMethod, CephFeatures, CephRelease, CephxOp, Errno, MessageType, MonSubscription, PaxosHeader};
use crate::wire::{self, Text};

/// The most subscriptions of a session.
const MOST_SUBSCRIPTIONS: usize = 64;

/// The longest that a subscription's name may be, in bytes.
const LONGEST_NAME: usize = 256;

/// What a monitor says of itself and of the cluster.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// The monitors. Its `features` and `min_mon_release` are those of the release if they are left at 0.
    pub map: MonMap,
    /// The release that it speaks as: how it writes its map.
    pub release: CephRelease,
    /// The settings of the cluster.
    pub settings: Vec<Setting>,
    /// How long clients of before the release Jewel may go without renewing their subscriptions.
    pub subscribe_interval: Time,
    /// The keys that cephx needs, the same as the endpoint has.
    pub authority: Option<Arc<Authority>>,
}

impl ServerConfig {
    /// A monitor of release 18 without settings.
    pub fn new(map: MonMap, authority: Option<Arc<Authority>>) -> Self {
        ServerConfig {
            map,
            release: CephRelease::REEF,
            settings: Vec::new(),
            subscribe_interval: Time::from_secs(24 * 3600),
            authority,
        }
    }
}

/// A setting of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Whom it is for: `global`, a type such as `osd`, or an entity such as `osd.0`. The nearest counts.
    pub section: String,
    /// The option.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// What a message has led to. There may be messages to be sent besides.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Answered {
    /// A sign of life was given.
    Ping,
    /// The map was sent, because it was asked for.
    Map,
    /// Subscriptions were taken.
    Subscribed {
        /// Those that are served.
        served: Vec<String>,
        /// Those of which there is nothing here.
        unserved: Vec<String>,
    },
    /// Tickets or keys were given.
    Auth(CephxOp),
    /// They were refused.
    AuthRefused(Refused),
    /// What is asked in the session is of a method that has nothing to give.
    NoAuth(AuthMethod),
    /// A version of a map was told.
    Version {
        /// Of this map.
        what: String,
        /// 0 if there is none here.
        version: u64,
    },
    /// A command was refused: none is served.
    Command(Vec<String>),
    /// Nothing is known of such messages here.
    Ignored(MessageType),
    /// The message can't be read, or not be answered.
    Unreadable(MessageType, wire::Error),
    /// The message belongs to no session.
    NoSession,
}

/// A monitor. It is told of sessions and of their messages, and says what is to be sent in which session.
#[derive(Debug)]
pub struct Server {
    config: ServerConfig,
    sessions: HashMap<SessionId, Session>,
}

#[derive(Debug)]
struct Session {
    of: SessionOf,
    /// It keeps subscriptions as long as the session lasts, and needs no confirmation.
    stateful: bool,
    subscriptions: BTreeMap<String, Wanted>,
}

#[derive(Debug)]
struct Wanted {
    /// The next version to be sent; 0: whatever there is.
    next: u64,
    once: bool,
}

/// Messages to be sent, in their order.
type Sends = Vec<(SessionId, Message)>;

impl Server {
    /// A monitor without sessions.
    pub fn new(mut config: ServerConfig) -> Self {
        let map = &mut config.map;
        if map.features.0 == 0 {
            map.features = features(config.release);
        }
        if map.min_mon_release == CephRelease::UNKNOWN {
            map.min_mon_release = config.release;
        }
        Server { config, sessions: HashMap::new() }
    }

    /// Its map.
    pub fn map(&self) -> &MonMap {
        &self.config.map
    }

    /// A session has begun.
    pub fn established(&mut self, session: SessionId, peer: &PeerInfo) {
        let PeerInfo { entity, global_id, server_challenge, .. } = peer;
        let of = SessionOf { name: entity.clone(), global_id: *global_id, server_challenge: *server_challenge };
        let stateful = peer.features.contains(CephFeatures::MON_STATEFUL_SUB);
        self.sessions.insert(session, Session { of, stateful, subscriptions: BTreeMap::new() });
    }

    /// A session is over.
    pub fn closed(&mut self, session: SessionId) {
        self.sessions.remove(&session);
    }

    /// A message came.
    pub fn message(
        &mut self,
        now: Time,
        session: SessionId,
        message: &Message,
        random: &mut dyn Random,
    ) -> (Answered, Sends) {
        if !self.sessions.contains_key(&session) {
            return (Answered::NoSession, Vec::new());
        }
        let mut sends = Vec::new();
        let answered = match decode(message) {
            None if message.kind == MessageType::PING => pong(&self.config.map).map(|answer| {
                sends.push((session, Message { tid: message.tid, priority: FROM_MON, ..answer }));
                Answered::Ping
            }),
            Some(Ok(body)) => self.answer(now, session, message, body, random, &mut sends),
            Some(Err(error)) => Ok(Answered::Unreadable(message.kind, error)),
            None => Ok(Answered::Ignored(message.kind)),
        };
        (answered.unwrap_or_else(|error| Answered::Unreadable(message.kind, error)), sends)
    }

    /// There is another map: those who want it get it.
    pub fn set_map(&mut self, map: MonMap) -> Sends {
        self.config.map = map;
        self.publish("monmap")
    }

    /// There are other settings: those who want them get them.
    pub fn set_settings(&mut self, settings: Vec<Setting>) -> Sends {
        self.config.settings = settings;
        self.publish("config")
    }

    /// Keeps the services' keys fresh; to be called every now and then.
    pub fn tick(&mut self, now: Time, random: &mut dyn Random) {
        if let Some(authority) = &self.config.authority {
            authority.refresh_services(now, random);
        }
    }

    fn answer(
        &mut self,
        now: Time,
        id: SessionId,
        message: &Message,
        body: Body<'_>,
        random: &mut dyn Random,
        sends: &mut Sends,
    ) -> Result<Answered, wire::Error> {
        let mut send = |body: Body<'_>| {
            encode(body).map(|answer| sends.push((id, Message { tid: message.tid, priority: FROM_MON, ..answer })))
        };
        match body {
            Body::MonGetMap(_) => {
                send(self.mon_map().into())?;
                Ok(Answered::Map)
            }
            Body::MonSubscribe(body) => self.subscribe(id, &body, sends),
            Body::Auth(body) => {
                let (answered, reply) = self.auth(now, id, &body, random);
                send(reply.into())?;
                Ok(answered)
            }
            Body::MonGetVersion(body) => {
                let (what, version) = (body.what.to_string(), self.version(&body));
                let (handle, oldest) = (body.handle, Some(version.min(1)));
                send(MMonGetVersionReply { handle, version, oldest, ..Default::default() }.into())?;
                Ok(Answered::Version { what, version })
            }
            Body::MonCommand(body) => {
                send(refusal(&body).into())?;
                Ok(Answered::Command(body.cmd.iter().map(Text::to_string).collect()))
            }
            // the same for a single daemon, which this monitor is too
            Body::Command(body) => {
                let message = Text::from(NO_COMMANDS);
                send(MCommandReply { result: Errno::EOPNOTSUPP, message, ..Default::default() }.into())?;
                Ok(Answered::Command(body.cmd.iter().map(Text::to_string).collect()))
            }
            _ => Ok(Answered::Ignored(message.kind)),
        }
    }

    fn subscribe(
        &mut self,
        id: SessionId,
        body: &MMonSubscribe<'_>,
        sends: &mut Sends,
    ) -> Result<Answered, wire::Error> {
        let (mut served, mut unserved) = (Vec::new(), Vec::new());
        for (what, item) in &body.what {
            let Some(session) = self.sessions.get_mut(&id) else { break };
            let name = what.to_string();
            let room = session.subscriptions.len() < MOST_SUBSCRIPTIONS || session.subscriptions.contains_key(&name);
            if !["monmap", "config"].contains(&&*name) || !room {
                unserved.push(name.chars().take(LONGEST_NAME).collect());
                continue;
            }
            let once = item.flags == MonSubscription::ONCE;
            session.subscriptions.insert(name.clone(), Wanted { next: item.start, once });
            sends.extend(self.due(id, &name)?);
            served.push(name);
        }
        if self.sessions.get(&id).is_some_and(|session| !session.stateful) {
            let interval = u32::try_from(self.config.subscribe_interval.as_secs()).unwrap_or(u32::MAX);
            let ack = encode(MMonSubscribeAck { interval, fsid: self.config.map.fsid, ..Default::default() })?;
            sends.push((id, Message { priority: FROM_MON, ..ack }));
        }
        Ok(Answered::Subscribed { served, unserved })
    }

    /// What a subscription of a session is to get now.
    fn due(&mut self, id: SessionId, what: &str) -> Result<Option<(SessionId, Message)>, wire::Error> {
        let epoch = u64::from(self.config.map.epoch);
        let Some(session) = self.sessions.get_mut(&id) else { return Ok(None) };
        let Some(wanted) = session.subscriptions.get_mut(what) else { return Ok(None) };
        let is_map = what == "monmap";
        if is_map && wanted.next > epoch {
            return Ok(None);
        }
        // settings have no versions: each change is sent
        wanted.next = if is_map { epoch + 1 } else { 0 };
        if wanted.once {
            session.subscriptions.remove(what);
        }
        let name = session.of.name.clone();
        let message = if is_map { encode(self.mon_map())? } else { encode(self.settings(&name))? };
        Ok(Some((id, Message { priority: FROM_MON, ..message })))
    }

    fn publish(&mut self, what: &str) -> Sends {
        let mut ids: Vec<SessionId> = self.sessions.keys().copied().collect();
        ids.sort();
        // what can't be written isn't sent to anybody
        ids.into_iter().filter_map(|id| self.due(id, what).ok().flatten()).collect()
    }

    fn mon_map(&self) -> MMonMap<'_> {
        MMonMap { monmap: Some(self.config.map.to_wire(self.config.release)), ..Default::default() }
    }

    /// The settings for an entity, in the order of their names.
    fn settings(&self, name: &EntityName) -> MConfig<'_> {
        let own = name.to_string();
        let kind = own.split_once('.').map_or(&*own, |(kind, _)| kind);
        let mut config: BTreeMap<&str, &str> = BTreeMap::new();
        for section in ["global", kind, &own] {
            for setting in self.config.settings.iter().filter(|setting| setting.section == section) {
                config.insert(&setting.name, &setting.value);
            }
        }
        let config = config.into_iter().map(|(name, value)| (Text::from(name), Text::from(value)));
        MConfig { config: config.collect(), ..Default::default() }
    }

    fn version(&self, body: &MMonGetVersion<'_>) -> u64 {
        if &*body.what == b"monmap" { self.config.map.epoch.into() } else { 0 }
    }

    fn auth(
        &self,
        now: Time,
        id: SessionId,
        body: &MAuth<'_>,
        random: &mut dyn Random,
    ) -> (Answered, MAuthReply<'static>) {
        let none = |result| MAuthReply { protocol: body.protocol, result, ..Default::default() };
        let (Some(MAuthPayload::Cephx(request)), Some(session), Some(authority)) =
            (&body.payload, self.sessions.get(&id), &self.config.authority)
        else {
            return (Answered::NoAuth(body.protocol), none(Errno::EOPNOTSUPP));
        };
        let global_id = session.of.global_id;
        match authority.in_session(&session.of, request, now, random) {
            Ok(reply) => {
                let (answered, result) = (Answered::Auth(request.op), reply.status);
                let result_bl = Some(MAuthReplyResultBl::Cephx(reply));
                (answered, MAuthReply { global_id, result_bl, ..none(result) })
            }
            Err(refused) => {
                let reply = MAuthReply { global_id, ..none(refused.errno()) };
                (Answered::AuthRefused(refused), reply)
            }
        }
    }
}

/// What somebody is told who gives a command.
const NO_COMMANDS: &str = "this monitor takes no commands";

/// Who gives commands is told that there are none.
fn refusal<'a>(body: &MMonCommand<'a>) -> MMonCommandAck<'a> {
    MMonCommandAck {
        paxos: PaxosHeader { session_mon: -1, ..Default::default() },
        result: Errno::EOPNOTSUPP,
        message: Text::from(NO_COMMANDS),
        cmd: body.cmd.clone(),
        ..Default::default()
    }
}
