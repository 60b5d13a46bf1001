//! Clients of monitors, and monitors, on TCP.
//!
//! ```
//! use std::sync::Arc;
//!
//! use msgr2::mon::{ClientConfig, Event, MonMap, Monitor, ServerConfig};
//! use msgr2::net::{Config, MonClient, MonServer};
//! use msgr2::types::AuthMethod;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // a monitor that lets everybody in
//! let mut config = Config::new("mon.a".parse()?);
//! config.peer.server.methods = vec![AuthMethod::NONE];
//! let server = MonServer::bind(config, "127.0.0.1:0", |addr| {
//!     ServerConfig::new(MonMap { epoch: 1, mons: vec![Monitor::new("a", addr)], ..MonMap::default() }, None)
//! });
//! let server = server.await?;
//!
//! // a client, which gets its map
//! let config = ClientConfig::new(vec![server.local_addr()], None);
//! let mut client = MonClient::new(Config::new("client.admin".parse()?), config);
//! loop {
//!     if let Event::MonMap(map) = client.next().await {
//!         assert_eq!(map.mons[0].name, "a");
//!         break;
//!     }
//! }
//! # Ok(())
//! # }
//! ```

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::ToSocketAddrs;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{interval, sleep_until};

use super::clock::Clock;
use super::config::Config;
use super::endpoint::Endpoint;
use super::error::{ConnectError, Ended};
use super::listener::Listener;
use super::random::OsRandom;
use super::session::Session;
use crate::auth::cephx::client::Credentials;
use crate::mon::{Answered, Client, ClientConfig, Event, MonMap, Output, Server, ServerConfig, Setting, Subscription};
use crate::peer::{self, Message, PeerInfo, SessionId};

/// How many events of a server wait for who takes them; what comes then is not told.
const EVENTS: usize = 1024;
/// How often a server looks after its services' keys.
const REFRESH: Duration = Duration::from_secs(60);

type Dialling = Pin<Box<dyn Future<Output = Result<Session, ConnectError>> + Send>>;

/// A client of the monitors: it looks for one, keeps a session with it, and goes to another one if it must.
///
/// All of it happens in [`next`](Self::next), which is to be called again and again.
pub struct MonClient {
    endpoint: Endpoint,
    clock: Clock,
    client: Client,
    dialling: Option<Dialling>,
    session: Option<Session>,
}

/// What has happened to a session.
enum Turn {
    Dialled(Result<Session, ConnectError>),
    Message(Message),
    Event(Arc<peer::Event>),
    Ended(String),
    Tick,
}

impl MonClient {
    /// Begins to look for a monitor. Sessions of clients are lossy: the configuration needs not say so.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn new(mut config: Config, client: ClientConfig) -> Self {
        config.peer.lossy = true;
        let clock = Clock::start();
        MonClient {
            endpoint: Endpoint::new(config),
            client: Client::new(client, clock.now(), Box::new(OsRandom)),
            clock,
            dialling: None,
            session: None,
        }
    }

    /// What happens next. Nothing is lost if the returned future is dropped before it is ready.
    pub async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.outputs() {
                return event;
            }
            let turn = self.turn().await;
            self.take(turn);
        }
    }

    /// Subscribes to something more, or to something else of the same name.
    pub fn subscribe(&mut self, subscription: Subscription) {
        self.client.subscribe(self.clock.now(), subscription);
    }

    /// Sends a message to the monitor; it comes back if there is none at the moment, or too much is queued.
    pub fn send(&mut self, message: Message) -> Result<(), Box<Message>> {
        match &self.session {
            None => Err(Box::new(message)),
            Some(session) => session.try_send(message.clone()).map_err(|_| Box::new(message)),
        }
    }

    /// The last monitor map.
    pub fn map(&self) -> Option<&MonMap> {
        self.client.map()
    }

    /// The monitor that there is a session with.
    pub fn mon(&self) -> Option<SocketAddr> {
        self.client.mon()
    }

    /// Who that is, as the handshake has told.
    pub fn peer(&self) -> Option<PeerInfo> {
        self.session.as_ref().map(Session::peer)
    }

    /// Who the client is, with all tickets that it has.
    pub fn credentials(&self) -> Option<&Credentials> {
        self.client.credentials()
    }

    /// The endpoint, to which tickets may be shown at other daemons.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn outputs(&mut self) -> Option<Event> {
        while let Some(output) = self.client.output() {
            match output {
                Output::Event(event) => return Some(event),
                Output::Connect(target) => {
                    let endpoint = self.endpoint.clone();
                    self.dialling = Some(Box::pin(async move { endpoint.connect(*target).await }));
                }
                // what can't be sent now is lost with the session
                Output::Send(message) => {
                    if let Some(session) = &self.session
                        && let Err(error) = session.try_send(message)
                    {
                        self.end(error);
                    }
                }
                Output::Keepalive => {
                    if let Some(session) = &self.session {
                        session.keepalive();
                    }
                }
                // dropped, it closes itself
                Output::Close => (self.dialling, self.session) = (None, None),
            }
        }
        None
    }

    async fn turn(&mut self) -> Turn {
        let tick = sleep_until(self.clock.instant(self.client.timeout()));
        if let Some(dialling) = &mut self.dialling {
            return tokio::select! {
                biased;
                result = dialling => Turn::Dialled(result),
                () = tick => Turn::Tick,
            };
        }
        let Some(session) = &self.session else {
            tick.await;
            return Turn::Tick;
        };
        tokio::select! {
            biased;
            message = session.receive() => match message {
                Ok(Some(message)) => Turn::Message(message),
                Ok(None) => Turn::Ended("closed".into()),
                Err(Ended::Because(why)) => Turn::Ended(why.to_string()),
                Err(Ended::Stopped) => Turn::Ended(Ended::Stopped.to_string()),
            },
            Some(event) = session.event() => Turn::Event(event),
            () = tick => Turn::Tick,
        }
    }

    fn take(&mut self, turn: Turn) {
        let now = self.clock.now();
        match turn {
            Turn::Tick => self.client.tick(now),
            Turn::Dialled(result) => {
                self.dialling = None;
                match result {
                    Ok(session) => {
                        self.client.established(now, &session.peer(), session.credentials().as_ref());
                        self.session = Some(session);
                    }
                    Err(error) => self.end(reason(&error)),
                }
            }
            Turn::Message(message) => self.client.message(now, message),
            Turn::Event(event) => match &*event {
                peer::Event::Keepalive { round_trip, .. } => self.client.alive(now, *round_trip),
                peer::Event::Disconnected { why, .. } => self.end(why),
                _ => {}
            },
            Turn::Ended(why) => self.end(why),
        }
    }

    fn end(&mut self, why: impl fmt::Display) {
        self.client.ended(self.clock.now(), why);
        self.session = None;
    }
}

/// The error and what has caused it.
fn reason(error: &ConnectError) -> String {
    match error {
        ConnectError::Unreachable { source, .. } => format!("{error}: {source}"),
        _ => error.to_string(),
    }
}

impl fmt::Debug for MonClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MonClient").field("client", &self.client).finish_non_exhaustive()
    }
}

/// What has happened at a monitor.
#[derive(Debug)]
#[non_exhaustive]
pub enum MonEvent {
    /// Somebody has begun a session.
    Began {
        /// The session.
        session: SessionId,
        /// Who it is.
        peer: Box<PeerInfo>,
    },
    /// A message was answered, or not.
    Answered {
        /// In this session.
        session: SessionId,
        /// How.
        answered: Answered,
    },
    /// A session is over.
    Ended {
        /// Which one.
        session: SessionId,
    },
}

/// A monitor that serves in the background until it is dropped.
pub struct MonServer {
    addr: SocketAddr,
    endpoint: Endpoint,
    shared: Arc<Shared>,
    events: mpsc::Receiver<MonEvent>,
    tasks: [JoinHandle<()>; 2],
}

struct Shared {
    state: Mutex<State>,
    clock: Clock,
    events: mpsc::Sender<MonEvent>,
}

struct State {
    server: Server,
    sessions: HashMap<SessionId, Arc<Session>>,
}

impl MonServer {
    /// Listens at an address. What the monitor serves is asked for when it is known where it listens. It has the
    /// authority that the configuration of the peer has.
    pub async fn bind(
        config: Config,
        addr: impl ToSocketAddrs,
        serve: impl FnOnce(SocketAddr) -> ServerConfig,
    ) -> io::Result<Self> {
        let authority = config.peer.server.authority.clone();
        let (endpoint, listener) = Endpoint::bind(config, addr).await?;
        let addr = listener.local_addr();
        let mut served = serve(addr);
        served.authority = served.authority.or(authority);
        let (sender, events) = mpsc::channel(EVENTS);
        let shared = Arc::new(Shared {
            state: Mutex::new(State { server: Server::new(served), sessions: HashMap::new() }),
            clock: Clock::start(),
            events: sender,
        });
        let tasks = [tokio::spawn(shared.clone().accept(listener)), tokio::spawn(shared.clone().refresh())];
        Ok(MonServer { addr, endpoint, shared, events, tasks })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// What happens next. If 1,024 events wait for who takes them, more are not told.
    pub async fn next(&mut self) -> Option<MonEvent> {
        self.events.recv().await
    }

    /// There is another map: those who have subscribed to it get it.
    pub fn set_map(&self, map: MonMap) {
        let sends = self.shared.state().server.set_map(map);
        self.shared.send_all(sends);
    }

    /// There are other settings: those who have subscribed to them get them.
    pub fn set_settings(&self, settings: Vec<Setting>) {
        let sends = self.shared.state().server.set_settings(settings);
        self.shared.send_all(sends);
    }

    /// The endpoint.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, event: MonEvent) {
        // who doesn't listen misses it
        let _ = self.events.try_send(event);
    }

    async fn accept(self: Arc<Self>, mut listener: Listener) {
        while let Some(session) = listener.accept().await {
            tokio::spawn(self.clone().serve(Arc::new(session)));
        }
    }

    async fn refresh(self: Arc<Self>) {
        let mut turns = interval(REFRESH);
        loop {
            turns.tick().await;
            self.state().server.tick(self.clock.now(), &mut OsRandom);
        }
    }

    async fn serve(self: Arc<Self>, session: Arc<Session>) {
        let (id, peer) = (session.id(), session.peer());
        {
            let mut state = self.state();
            state.server.established(id, &peer);
            state.sessions.insert(id, session.clone());
        }
        self.tell(MonEvent::Began { session: id, peer: Box::new(peer) });
        'session: while let Ok(Some(message)) = session.receive().await {
            let (answered, sends) = self.state().server.message(self.clock.now(), id, &message, &mut OsRandom);
            self.tell(MonEvent::Answered { session: id, answered });
            for (_, answer) in sends {
                // waits while the client doesn't read
                if session.send(answer).await.is_err() {
                    break 'session;
                }
            }
        }
        {
            let mut state = self.state();
            state.server.closed(id);
            state.sessions.remove(&id);
        }
        self.tell(MonEvent::Ended { session: id });
    }

    fn send_all(&self, sends: Vec<(SessionId, Message)>) {
        let state = self.state();
        for (id, message) in sends {
            // who hasn't read what was sent before gets it when it comes again
            if let Some(session) = state.sessions.get(&id) {
                let _ = session.try_send(message);
            }
        }
    }
}

impl Drop for MonServer {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        self.shared.state().sessions.clear();
    }
}

impl fmt::Debug for MonServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MonServer({})", self.addr)
    }
}
