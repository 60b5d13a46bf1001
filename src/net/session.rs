//! A session, as the application holds it.

use std::collections::VecDeque;
use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::config::Config;
use super::endpoint::Guard;
use super::error::{Ended, SendError};
use super::shared::Shared;
use crate::auth::cephx::client::Credentials;
use crate::peer::{self, Event, Message, PeerInfo, SessionId, Why};

/// How many events wait for an application that doesn't ask for them; older ones go.
const EVENTS: usize = 256;

/// A session with a peer.
///
/// All its methods take `&self`: in an [`Arc`] it serves several tasks at once, one that sends and one that receives,
/// say. When it is dropped the session is closed behind what was sent, without anybody waiting for it;
/// [`close`](Self::close) waits.
pub struct Session {
    guard: Arc<Guard>,
    state: Arc<SessionState>,
}

impl Session {
    pub(super) fn new(guard: Arc<Guard>, state: Arc<SessionState>) -> Self {
        Session { guard, state }
    }

    pub(super) fn state(&self) -> &SessionState {
        &self.state
    }

    fn shared(&self) -> &Arc<Shared> {
        self.guard.shared()
    }

    /// Its number in this endpoint, as events name it.
    pub fn id(&self) -> SessionId {
        self.state.id
    }

    /// Who is at the other end, as the last handshake has told.
    pub fn peer(&self) -> PeerInfo {
        // nobody gets a session before
        self.state.inbox().peer.clone().expect("a session is established before it is handed out")
    }

    /// Sends a message behind those before it. Waits while the queue is full.
    ///
    /// That it is sent doesn't mean that it has arrived: a stateful session keeps it until the peer has it, whatever
    /// happens to connections meanwhile. If the returned future is dropped before it is ready, nothing is sent.
    pub async fn send(&self, message: Message) -> Result<(), SendError> {
        let mut message = message;
        loop {
            let mut writable = pin!(self.state.writable.notified());
            writable.as_mut().enable();
            match self.try_send(message) {
                Err(SendError::Full(back)) => message = *back,
                result => return result,
            }
            writable.await;
        }
    }

    /// Sends a message if there is room in the queue; otherwise it comes back with the error.
    pub fn try_send(&self, message: Message) -> Result<(), SendError> {
        self.shared().with(|state, now| {
            state.peer.send(now, self.state.id, message).map_err(|error| match error {
                peer::SendError::Full { message } => SendError::Full(Box::new(message)),
                peer::SendError::TooLarge { size, limit } => SendError::TooLarge { size, limit },
                peer::SendError::Closed => SendError::Closed,
            })
        })
    }

    /// Asks whether the peer is there; the answer is an [event](Self::event). Whether there was a connection to ask on.
    pub fn keepalive(&self) -> bool {
        self.shared().with(|state, now| state.peer.keepalive(now, self.state.id))
    }

    /// The next message; `None` when the session has been closed and everything is taken.
    ///
    /// Nothing is lost if the returned future is dropped. While nobody takes messages the socket isn't read, and the
    /// sender finds its queue full; after some time it ends the connection, since it waits for acks in vain, and comes
    /// again.
    pub async fn receive(&self) -> Result<Option<Message>, Ended> {
        let shared = self.shared();
        self.state
            .until(|inbox| match inbox.take(&shared.config, &shared.waiting_bytes) {
                Some(message) => Some(Ok(Some(message))),
                None => inbox.ended().map(|how| how.map(|()| None)),
            })
            .await
    }

    /// The next message that has already arrived.
    pub fn try_receive(&self) -> Option<Message> {
        let shared = self.shared();
        InboxView(&mut self.state.inbox()).take(&shared.config, &shared.waiting_bytes)
    }

    /// The next event: the session has lost its connection, was resumed or reset, a frame was dropped. `None` when it
    /// is over and all are told. Only the last 256 are kept for who doesn't ask.
    pub async fn event(&self) -> Option<Arc<Event>> {
        self.state
            .until(|inbox| match inbox.event() {
                Some(event) => Some(Some(event)),
                None => inbox.ended().map(|_| None),
            })
            .await
    }

    /// The next event that is already there.
    pub fn try_event(&self) -> Option<Arc<Event>> {
        InboxView(&mut self.state.inbox()).event()
    }

    /// What this side has got by authenticating: its global id, and tickets to present to other servers.
    pub fn credentials(&self) -> Option<Credentials> {
        self.shared().look(|state| state.peer.credentials(self.state.id).cloned())
    }

    /// Whether the session is over.
    pub fn is_over(&self) -> bool {
        self.state.inbox().ended.is_some()
    }

    /// Closes the session behind what was sent, and waits until the peer has answered. What arrives meanwhile can be
    /// received, at the same time and after. If more is on its way than fits into the inbox, somebody has to take it:
    /// the answer is behind it.
    pub async fn close(&self) -> Result<(), Ended> {
        let id = self.state.id;
        self.shared().with(|state, now| state.peer.close(now, id));
        self.state.until(|inbox| inbox.ended()).await
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({})", self.state.id)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let shared = self.shared();
        let bytes = self.state.discard();
        shared.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        let id = self.state.id;
        shared.with(|state, now| {
            if state.sessions.contains_key(&id) {
                state.peer.close(now, id);
            }
        });
    }
}

/// What arrives for a session, kept where the application takes it.
pub(super) struct SessionState {
    pub(super) id: SessionId,
    inbox: Mutex<Inbox>,
    /// Something in the inbox has changed.
    changed: Notify,
    /// There may be room to send.
    pub(super) writable: Notify,
}

#[derive(Default)]
struct Inbox {
    messages: VecDeque<Message>,
    bytes: usize,
    events: VecDeque<Arc<Event>>,
    /// The connection's task, if it has stopped reading.
    paused: Option<Arc<Notify>>,
    peer: Option<PeerInfo>,
    /// What the last attempt to open a socket has met.
    unreachable: Option<std::io::Error>,
    /// Why the last connection ended.
    disconnected: Option<Why>,
    /// The application has left.
    discards: bool,
    ended: Option<Result<(), Ended>>,
}

impl SessionState {
    pub(super) fn new(id: SessionId) -> Arc<Self> {
        Arc::new(SessionState { id, inbox: Mutex::default(), changed: Notify::new(), writable: Notify::new() })
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<R>(&self, run: impl FnOnce(&mut Inbox) -> R) -> R {
        let result = run(&mut self.inbox());
        self.changed.notify_waiters();
        result
    }

    /// Waits until there is an answer.
    pub(super) async fn until<R>(&self, mut answer: impl FnMut(&mut InboxView<'_>) -> Option<R>) -> R {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(result) = answer(&mut InboxView(&mut self.inbox())) {
                return result;
            }
            changed.await;
        }
    }

    pub(super) fn established(&self, peer: PeerInfo) {
        self.change(|inbox| inbox.peer = Some(peer));
    }

    pub(super) fn deliver(&self, message: Message, waiting_bytes: &AtomicUsize) {
        let bytes = size(&message);
        self.change(|inbox| {
            if !inbox.discards {
                waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
                inbox.bytes += bytes;
                inbox.messages.push_back(message);
            }
        });
    }

    pub(super) fn tell(&self, event: &Arc<Event>) {
        self.change(|inbox| {
            if inbox.events.len() == EVENTS {
                inbox.events.pop_front();
            }
            inbox.events.push_back(event.clone());
        });
    }

    pub(super) fn unreachable(&self, error: std::io::Error) {
        self.change(|inbox| inbox.unreachable = Some(error));
    }

    pub(super) fn disconnected(&self, why: Why) {
        self.change(|inbox| inbox.disconnected = Some(why));
    }

    /// Nobody takes what arrives any more. Gives the bytes that were waiting.
    pub(super) fn discard(&self) -> usize {
        let mut inbox = self.inbox();
        inbox.discards = true;
        inbox.messages = VecDeque::new();
        if let Some(wake) = inbox.paused.take() {
            wake.notify_one();
        }
        std::mem::take(&mut inbox.bytes)
    }

    /// The session is over; what has arrived can still be taken.
    pub(super) fn end(&self, how: Result<(), Ended>) {
        self.change(|inbox| {
            inbox.ended.get_or_insert(how);
        });
        self.writable.notify_waiters();
    }

    /// Whether nobody takes what arrives.
    pub(super) fn is_discarded(&self) -> bool {
        self.inbox().discards
    }

    /// Why the last connection ended.
    pub(super) fn last_disconnected(&self) -> Option<Why> {
        self.inbox().disconnected.clone()
    }

    /// Whether the application has room for more; if not, `wake` is told when it has.
    pub(super) fn has_room(&self, config: &Config, waiting_bytes: &AtomicUsize, wake: &Arc<Notify>) -> bool {
        let mut inbox = self.inbox();
        // before it is established, what comes is the handshake
        let full = inbox.peer.is_some()
            && (inbox.messages.len() >= config.inbox_messages
                || inbox.bytes >= config.inbox_bytes
                || (inbox.bytes > 0 && waiting_bytes.load(Ordering::Relaxed) >= config.waiting_bytes));
        inbox.paused = full.then(|| wake.clone());
        !full
    }
}

/// The parts of an inbox that may be waited for.
pub(super) struct InboxView<'a>(&'a mut Inbox);

impl InboxView<'_> {
    pub(super) fn is_established(&self) -> bool {
        self.0.peer.is_some()
    }

    pub(super) fn unreachable(&mut self) -> Option<std::io::Error> {
        self.0.unreachable.take()
    }

    pub(super) fn disconnected(&self) -> Option<&Why> {
        self.0.disconnected.as_ref()
    }

    pub(super) fn ended(&self) -> Option<Result<(), Ended>> {
        self.0.ended.clone()
    }

    fn event(&mut self) -> Option<Arc<Event>> {
        self.0.events.pop_front()
    }

    fn take(&mut self, config: &Config, waiting_bytes: &AtomicUsize) -> Option<Message> {
        let message = self.0.messages.pop_front()?;
        let bytes = size(&message);
        self.0.bytes -= bytes;
        let waiting = waiting_bytes.fetch_sub(bytes, Ordering::Relaxed) - bytes;
        let low = self.0.messages.len() <= config.inbox_messages / 2
            && self.0.bytes <= config.inbox_bytes / 2
            && (self.0.bytes == 0 || waiting < config.waiting_bytes);
        if low && let Some(wake) = self.0.paused.take() {
            wake.notify_one();
        }
        Some(message)
    }
}

/// What a message costs in an inbox, in bytes.
fn size(message: &Message) -> usize {
    size_of::<Message>() + message.size()
}
