//! What the handles, the connections' tasks and the timer of an endpoint share.
//!
//! The peer stands behind one lock, which nobody holds across an await. Each connection has a task that serves its
//! socket, one task serves the timer; so no task ever looks through all connections for one that is ready.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{Notify, broadcast, mpsc};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::clock::Clock;
use super::config::Config;
use super::connection::Socket;
use super::error::Ended;
use super::fault::Faults;
use super::session::SessionState;
use super::tap::Tap;
use crate::peer::{self, ConnectionId, Event, Refused, SessionId, Time, Why};
use crate::wire::Role;

/// How much is read from a socket at once, in bytes.
const READ: usize = 64 << 10;
/// How many events a slow listener may be behind.
const EVENTS: usize = 1024;
/// How long nobody is let in after the system could not.
const PAUSE: Duration = Duration::from_millis(50);

pub(super) struct Shared {
    state: Mutex<State>,
    clock: Clock,
    runtime: Handle,
    pub(super) config: Config,
    pub(super) faults: Faults,
    pub(super) tap: Option<Arc<Mutex<dyn Tap>>>,
    pub(super) events: broadcast::Sender<Arc<Event>>,
    /// There is an earlier time-out.
    timer: Notify,
    /// A session or a connection has gone, or everything is to end.
    pub(super) gone: Notify,
    /// The bytes of all messages that wait for the application.
    pub(super) waiting_bytes: AtomicUsize,
    /// The connections that weren't let in.
    pub(super) refused: AtomicU64,
}

pub(super) struct State {
    pub(super) peer: peer::Endpoint,
    pub(super) connections: HashMap<ConnectionId, Connection>,
    pub(super) sessions: HashMap<SessionId, Arc<SessionState>>,
    dials: HashMap<SessionId, AbortHandle>,
    pub(super) read: Box<[u8]>,
    /// What the timer waits for.
    timer: Option<Time>,
    /// The connection whose task is asking.
    pub(super) served: Option<ConnectionId>,
    pub(super) stage: Stage,
    /// When everything ends that hasn't by then.
    stop_at: Option<Instant>,
    /// The sessions that weren't closed by then.
    pub(super) broken_off: usize,
    /// Connections that are over and only wait for the other side's end.
    pub(super) lingering: usize,
}

/// How far the end of an endpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(super) enum Stage {
    Running,
    /// Nothing new begins; sessions are being closed.
    Closing,
    /// All tasks end.
    Stopped,
}

/// A connection, as others see it.
pub(super) struct Connection {
    /// There is something to do for its task.
    pub(super) wake: Arc<Notify>,
    pub(super) session: Option<Arc<SessionState>>,
    /// Where a session goes that it begins.
    listener: Option<mpsc::UnboundedSender<Arc<SessionState>>>,
    /// The peer has nothing more to say on it.
    pub(super) over: bool,
}

impl Shared {
    pub(super) fn new(config: Config, peer: peer::Endpoint, clock: Clock) -> Arc<Self> {
        let shared = Arc::new(Shared {
            clock,
            faults: Faults::new(&config.faults),
            tap: config.capture.clone(),
            events: broadcast::Sender::new(EVENTS),
            timer: Notify::new(),
            gone: Notify::new(),
            waiting_bytes: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            runtime: Handle::current(),
            config,
            state: Mutex::new(State {
                peer,
                connections: HashMap::new(),
                sessions: HashMap::new(),
                dials: HashMap::new(),
                read: vec![0; READ].into_boxed_slice(),
                timer: None,
                served: None,
                stage: Stage::Running,
                stop_at: None,
                broken_off: 0,
                lingering: 0,
            }),
        });
        tokio::spawn(shared.clone().serve_timer());
        shared
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // a panic in between leaves a connection half done, which its peer will notice
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the peer, and then what follows from it.
    pub(super) fn with<R>(self: &Arc<Self>, run: impl FnOnce(&mut State, Time) -> R) -> R {
        let mut state = self.lock();
        let result = run(&mut state, self.clock.now());
        self.settle(&mut state);
        result
    }

    /// Looks at the state, or changes what the peer has no part in.
    pub(super) fn look<R>(&self, run: impl FnOnce(&mut State) -> R) -> R {
        run(&mut self.lock())
    }

    pub(super) fn tap(&self, run: impl FnOnce(&mut dyn Tap, Time)) {
        if let Some(tap) = &self.tap {
            run(&mut *tap.lock().unwrap_or_else(PoisonError::into_inner), self.clock.now());
        }
    }

    /// Forgets a connection whose task ends.
    pub(super) fn forget(self: &Arc<Self>, id: ConnectionId) {
        let closing = self.with(|state, now| {
            state.peer.ended(now, id);
            state.connections.remove(&id);
            state.stage != Stage::Running
        });
        if closing {
            self.gone.notify_waiters();
            self.timer.notify_one();
        }
    }

    /// Takes what the peer has to tell, and sees to it that everybody does what there is to do.
    fn settle(self: &Arc<Self>, state: &mut State) {
        while let Some(event) = state.peer.event() {
            self.event(state, event);
        }
        let served = state.served.take();
        while let Some(id) = state.peer.dirty() {
            // who is being served has just asked
            if served == Some(id) && !state.peer.wants_transmit(id) {
                continue;
            }
            if let Some(connection) = state.connections.get(&id) {
                connection.wake.notify_one();
            }
        }
        // that there is nothing to do at a time that was set is found then
        if let Some(next) = state.peer.timeout()
            && state.timer.is_none_or(|set| next < set)
        {
            state.timer = Some(next);
            self.timer.notify_one();
        }
    }

    fn event(self: &Arc<Self>, state: &mut State, event: Event) {
        let session = match event {
            Event::Dial { session, addr } => {
                let dial = self.runtime.spawn(self.clone().dial(session, addr));
                state.dials.insert(session, dial.abort_handle());
                return;
            }
            Event::Message { session, message } => {
                if let Some(session) = state.sessions.get(&session) {
                    session.deliver(message, &self.waiting_bytes);
                }
                return;
            }
            Event::Writable { session } => {
                if let Some(session) = state.sessions.get(&session) {
                    session.writable.notify_waiters();
                }
                return;
            }
            Event::Hangup { connection } => {
                if let Some(connection) = state.connections.get_mut(&connection) {
                    connection.over = true;
                    connection.wake.notify_one();
                }
                return;
            }
            Event::Established { session, connection, ref peer, .. } => {
                let connection = state.connections.get_mut(&connection);
                let known = state.sessions.entry(session).or_insert_with(|| {
                    let session = SessionState::new(session);
                    session.established(peer.clone());
                    let listener = connection.as_ref().and_then(|connection| connection.listener.as_ref());
                    if listener.is_none_or(|listener| listener.send(session.clone()).is_err()) {
                        session.discard();
                    }
                    session
                });
                known.established(peer.clone());
                let known = known.clone();
                if let Some(connection) = connection {
                    connection.session = Some(known.clone());
                }
                if known.is_discarded() || state.stage != Stage::Running {
                    state.peer.close(self.clock.now(), session);
                }
                Some(known)
            }
            Event::Disconnected { session, ref why } => {
                let session = state.sessions.get(&session).cloned();
                if let Some(session) = &session {
                    session.disconnected(why.clone());
                }
                session
            }
            Event::Closed { session, ref why, .. } => {
                if let Some(dial) = state.dials.remove(&session) {
                    dial.abort();
                }
                let session = state.sessions.remove(&session);
                self.gone.notify_waiters();
                if let Some(session) = &session {
                    let how = match why {
                        Why::Closed => Ok(()),
                        _ => Err(Ended::Because(why.clone())),
                    };
                    // what comes of it before anybody learns that it is over
                    let event = Arc::new(event);
                    session.tell(&event);
                    session.end(how);
                    self.broadcast(event);
                    return;
                }
                None
            }
            Event::Reset { session, .. } | Event::Keepalive { session, .. } => state.sessions.get(&session).cloned(),
            Event::Handshake { connection, .. }
            | Event::Failed { connection, .. }
            | Event::Dropped { connection, .. } => {
                state.connections.get(&connection).and_then(|connection| connection.session.clone())
            }
        };
        let event = Arc::new(event);
        if let Some(session) = session {
            session.tell(&event);
        }
        self.broadcast(event);
    }

    fn broadcast(&self, event: Arc<Event>) {
        // that nobody listens is fine
        let _ = self.events.send(event);
    }

    /// Opens a socket for a session, and serves it.
    async fn dial(self: Arc<Self>, session: SessionId, addr: SocketAddr) {
        let opened = match timeout(self.config.peer.times.handshake, TcpStream::connect(addr)).await {
            Ok(result) => result,
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "nobody answers")),
        };
        let socket = self.with(|state, now| {
            state.dials.remove(&session);
            match opened {
                Ok(stream) => {
                    let id = state.peer.connected(now, session)?;
                    let known = state.sessions.get(&session).cloned();
                    let wake = state.register(id, known, None);
                    Some(Socket::new(stream, id, Role::Client, wake))
                }
                Err(error) => {
                    if let Some(known) = state.sessions.get(&session) {
                        known.unreachable(error);
                    }
                    state.peer.dial_failed(now, session);
                    None
                }
            }
        });
        if let Some(socket) = socket {
            socket.serve(self).await;
        }
    }

    /// Takes connections from a socket that listens, until everything ends or the listener has gone.
    pub(super) async fn serve_listener(
        self: Arc<Self>,
        socket: TcpListener,
        backlog: mpsc::UnboundedSender<Arc<SessionState>>,
    ) {
        loop {
            let mut gone = pin!(self.gone.notified());
            gone.as_mut().enable();
            if self.look(|state| state.stage) != Stage::Running {
                return;
            }
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                () = backlog.closed() => return,
                () = gone => continue,
            };
            let (stream, from) = match accepted {
                Ok(accepted) => accepted,
                Err(_) => {
                    // there are no more files to be had, say: others have to end first
                    sleep(PAUSE).await;
                    continue;
                }
            };
            let admitted = self.with(|state, now| {
                let id = state.peer.accept(now, from)?;
                let wake = state.register(id, None, Some(backlog.clone()));
                Ok::<_, Refused>(Socket::new(stream, id, Role::Server, wake))
            });
            match admitted {
                Ok(socket) => {
                    self.runtime.spawn(socket.serve(self.clone()));
                }
                Err(_) => {
                    self.refused.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    async fn serve_timer(self: Arc<Self>) {
        loop {
            let (stage, next, stop_at) = self.look(|state| {
                state.timer = state.peer.timeout();
                let idle = state.connections.is_empty() && state.sessions.is_empty();
                let stop_at = state.stop_at.map(|at| if idle { Instant::now() } else { at });
                (state.stage, state.timer, stop_at)
            });
            if stage == Stage::Stopped {
                return;
            }
            let next = next.map(|next| self.clock.instant(next));
            let Some(next) = next.into_iter().chain(stop_at).min() else {
                self.timer.notified().await;
                continue;
            };
            tokio::select! {
                () = self.timer.notified() => {}
                () = sleep_until(next) => {
                    if stop_at.is_some_and(|at| at <= Instant::now()) {
                        self.stop();
                        return;
                    }
                    self.with(|state, now| state.peer.tick(now));
                }
            }
        }
    }

    /// Nothing new begins, and all sessions are closed behind what was sent. Everything ends with them, or with
    /// the deadline.
    pub(super) fn finish(self: &Arc<Self>, deadline: Duration) {
        self.with(|state, now| {
            if state.stage == Stage::Running {
                state.stage = Stage::Closing;
            }
            let at = Instant::now() + deadline;
            state.stop_at = Some(state.stop_at.map_or(at, |set| set.min(at)));
            let sessions: Vec<SessionId> = state.sessions.keys().copied().collect();
            for session in sessions {
                state.peer.close(now, session);
            }
            for connection in state.connections.values() {
                connection.wake.notify_one();
            }
        });
        self.gone.notify_waiters();
        self.timer.notify_one();
    }

    /// Everything ends now.
    pub(super) fn stop(self: &Arc<Self>) {
        self.look(|state| {
            state.stage = Stage::Stopped;
            state.broken_off = state.sessions.len();
            for (_, dial) in state.dials.drain() {
                dial.abort();
            }
            for connection in state.connections.values() {
                connection.wake.notify_one();
            }
            for (_, session) in state.sessions.drain() {
                session.end(Err(Ended::Stopped));
            }
        });
        self.timer.notify_one();
        self.gone.notify_waiters();
    }
}

impl State {
    /// Makes a connection known, before its task begins.
    fn register(
        &mut self,
        id: ConnectionId,
        session: Option<Arc<SessionState>>,
        listener: Option<mpsc::UnboundedSender<Arc<SessionState>>>,
    ) -> Arc<Notify> {
        let wake = Arc::new(Notify::new());
        self.connections.insert(id, Connection { wake: wake.clone(), session, listener, over: false });
        wake
    }
}
