//! An endpoint on TCP: it connects and listens.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::sync::{broadcast, mpsc};
use tokio::time::timeout;

use super::clock::Clock;
use super::config::Config;
use super::error::{ConnectError, Ended};
use super::listener::Listener;
use super::random::OsRandom;
use super::session::{Session, SessionState};
use super::shared::{Shared, Stage};
use crate::crypto::Random as _;
use crate::peer::{self, Error, Event, Family, Target, Why, entity_addr};
use crate::types::AddrType;

/// How long sessions have to be closed when the last handle has gone.
const LEAVE: Duration = Duration::from_secs(5);

/// One process's end of all its connections. Clones are handles to the same.
///
/// When the last handle has gone, those of listeners and sessions included, what is left is closed in the background;
/// [`shutdown`](Self::shutdown) waits for it.
#[derive(Clone)]
pub struct Endpoint {
    guard: Arc<Guard>,
}

/// Ends the tasks when the last handle has gone.
pub(super) struct Guard {
    shared: Arc<Shared>,
}

impl Guard {
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.shared.finish(LEAVE);
    }
}

/// What an endpoint has to do at the moment.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Stats {
    /// What the peer counts.
    pub peer: peer::Stats,
    /// Connections that weren't let in, because there were too many.
    pub refused: u64,
    /// The bytes of messages that wait for the application.
    pub waiting_bytes: usize,
}

/// What happens on an endpoint, from the moment on at which somebody asked for it.
#[derive(Debug)]
pub struct Events(broadcast::Receiver<Arc<Event>>);

impl Events {
    /// The next event; `None` when the endpoint has gone. Who is more than 1,024 events behind misses the oldest.
    pub async fn next(&mut self) -> Option<Arc<Event>> {
        loop {
            match self.0.recv().await {
                Ok(event) => return Some(event),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    /// The next event that is already there.
    pub fn try_next(&mut self) -> Option<Arc<Event>> {
        loop {
            match self.0.try_recv() {
                Ok(event) => return Some(event),
                Err(broadcast::error::TryRecvError::Lagged(_)) => {}
                Err(_) => return None,
            }
        }
    }
}

impl Endpoint {
    /// An endpoint that connects; it may [`listen`](Self::listen) too.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn new(mut config: Config) -> Self {
        if config.peer.addrs.is_empty() {
            let blank = SocketAddr::from(([0, 0, 0, 0], 0));
            config.peer.addrs.push(entity_addr(AddrType::ANY, blank, nonce()));
        }
        let peer = peer::Endpoint::new(config.peer.clone(), Box::new(OsRandom));
        Endpoint { guard: Arc::new(Guard { shared: Shared::new(config, peer, Clock::start()) }) }
    }

    /// An endpoint that listens at an address and announces it. Port 0 lets the system choose.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub async fn bind(mut config: Config, addr: impl ToSocketAddrs) -> io::Result<(Self, Listener)> {
        let socket = TcpListener::bind(addr).await?;
        if config.peer.addrs.is_empty() {
            config.peer.addrs.push(entity_addr(
                AddrType::MSGR2,
                socket.local_addr()?,
                server_nonce(config.peer.family),
            ));
        }
        let endpoint = Endpoint::new(config);
        let listener = endpoint.serve(socket)?;
        Ok((endpoint, listener))
    }

    /// Listens at one more address, which isn't announced. Port 0 lets the system choose.
    pub async fn listen(&self, addr: impl ToSocketAddrs) -> io::Result<Listener> {
        self.serve(TcpListener::bind(addr).await?)
    }

    fn serve(&self, socket: TcpListener) -> io::Result<Listener> {
        let addr = socket.local_addr()?;
        let (backlog, sessions) = mpsc::unbounded_channel();
        tokio::spawn(self.shared().clone().serve_listener(socket, backlog));
        Ok(Listener::new(self.guard.clone(), addr, sessions))
    }

    fn shared(&self) -> &Arc<Shared> {
        self.guard.shared()
    }

    /// Begins a session with a server, and waits until it is established.
    ///
    /// A connection that breaks meanwhile is tried again; that nobody answers, or that the server refuses, is an error
    /// at once. Later a stateful session finds its way back by itself, whatever happens to its connections.
    pub async fn connect(&self, target: Target) -> Result<Session, ConnectError> {
        let addr = target.addr;
        let after = self.shared().config.connect_timeout;
        let state = self
            .shared()
            .with(|state, now| {
                if state.stage != Stage::Running {
                    return None;
                }
                let id = state.peer.connect(now, target);
                let session = SessionState::new(id);
                state.sessions.insert(id, session.clone());
                Some(session)
            })
            .ok_or(ConnectError::Stopped)?;
        let session = Session::new(self.guard.clone(), state);
        let outcome = session.state().until(|inbox| {
            if inbox.is_established() {
                return Some(Ok(()));
            }
            if let Some(source) = inbox.unreachable() {
                return Some(Err(ConnectError::Unreachable { addr, source }));
            }
            match inbox.ended() {
                Some(Err(Ended::Stopped)) => return Some(Err(ConnectError::Stopped)),
                Some(Err(Ended::Because(why))) => return Some(Err(ConnectError::Handshake { addr, why })),
                Some(Ok(())) => return Some(Err(ConnectError::Handshake { addr, why: Why::Closed })),
                None => {}
            }
            match inbox.disconnected() {
                Some(why) if !may_pass(why) => Some(Err(ConnectError::Handshake { addr, why: why.clone() })),
                _ => None,
            }
        });
        match timeout(after, outcome).await {
            Ok(outcome) => outcome.map(|()| session),
            Err(_) => {
                let last = session.state().last_disconnected();
                Err(ConnectError::TimedOut { addr, after, last })
            }
        }
    }

    /// What happens from now on, on all connections and sessions; messages aren't events. The frames of handshakes
    /// are only told if the configuration says so.
    pub fn events(&self) -> Events {
        Events(self.shared().events.subscribe())
    }

    /// What there is to do at the moment.
    pub fn stats(&self) -> Stats {
        let shared = self.shared();
        Stats {
            peer: shared.look(|state| state.peer.stats()),
            refused: shared.refused.load(Ordering::Relaxed),
            waiting_bytes: shared.waiting_bytes.load(Ordering::Relaxed),
        }
    }

    /// Lets nobody in any more, closes all sessions behind what was sent, and breaks off what isn't over when the
    /// deadline has passed. Gives the number of sessions that were broken off.
    pub async fn shutdown(&self, deadline: Duration) -> usize {
        let shared = self.shared();
        shared.finish(deadline);
        loop {
            let mut gone = pin!(shared.gone.notified());
            gone.as_mut().enable();
            if let Some(broken) = shared.look(|state| (state.stage == Stage::Stopped).then_some(state.broken_off)) {
                return broken;
            }
            gone.await;
        }
    }
}

/// Whether a handshake that ended so is worth another try.
fn may_pass(why: &Why) -> bool {
    match why {
        Why::Failed(error) => matches!(error, Error::TimedOut { .. }),
        _ => true,
    }
}

/// The nonce that a server announces: who knows no more than its IP address and port takes it for 0, and in v2 it must
/// be what the client dials.
fn server_nonce(family: Family) -> u32 {
    match family {
        Family::Msgr2 => 0,
        Family::Proposal => nonce(),
    }
}

fn nonce() -> u32 {
    let mut bytes = [0; 4];
    OsRandom.fill(&mut bytes);
    u32::from_le_bytes(bytes)
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
