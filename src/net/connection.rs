//! The task that serves one socket.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

use super::fault::Faults;
use super::shared::{Shared, Stage};
use crate::peer::ConnectionId;
use crate::wire::Role;

/// How much is asked of the peer at once, in bytes. A message may be larger.
const WRITE: usize = 128 << 10;
/// An output buffer that has grown above this isn't kept.
const KEEP: usize = 256 << 10;
/// How long a connection that is over waits for the other side's end, so that its last frames aren't lost by a reset.
const LINGER: Duration = Duration::from_secs(1);
/// How much is read and thrown away meanwhile, in bytes.
const LINGER_BYTES: usize = 1 << 20;
/// How many connections may wait so at once.
const LINGERING: usize = 256;

/// A socket and what is on its way out.
pub(super) struct Socket {
    pub(super) stream: TcpStream,
    pub(super) id: ConnectionId,
    pub(super) role: Role,
    pub(super) wake: Arc<Notify>,
    out: Vec<u8>,
    /// How much of it has been written.
    written: usize,
    /// Nothing is written before this.
    not_before: Option<Instant>,
    /// A fault ends the connection behind what is on its way out.
    last: bool,
}

/// How a connection ends.
enum End {
    /// The other side has ended it.
    Ended,
    /// Ours has, and everything is written.
    Finished,
    /// It is broken off, by a fault or because everything ends.
    Broken,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, id: ConnectionId, role: Role, wake: Arc<Notify>) -> Self {
        Socket { stream, id, role, wake, out: Vec::new(), written: 0, not_before: None, last: false }
    }

    /// Serves the socket until the connection is over.
    pub(super) async fn serve(mut self, shared: Arc<Shared>) {
        // small frames aren't to wait for others; who can't have it is only slower
        let _ = self.stream.set_nodelay(true);
        let ends = self.stream.peer_addr().and_then(|peer| Ok((peer, self.stream.local_addr()?)));
        if let Ok((peer, local)) = ends {
            let (client, server): (SocketAddr, SocketAddr) = match self.role {
                Role::Client => (local, peer),
                Role::Server => (peer, local),
            };
            shared.tap(|tap, now| tap.opened(self.id, client, server, now));
        }
        let end = self.exchange(&shared).await;
        let (id, own, other) = (self.id, self.role, self.role.other());
        match end {
            Ok(End::Ended) => shared.tap(|tap, now| {
                tap.closed(id, other, now);
                tap.closed(id, own, now);
            }),
            Ok(End::Finished) => {
                shared.tap(|tap, now| tap.closed(id, own, now));
                self.linger(&shared).await;
                shared.tap(|tap, now| tap.closed(id, other, now));
            }
            Ok(End::Broken) => {
                // what can't be set is a plain end then
                let _ = self.stream.set_zero_linger();
                shared.tap(|tap, now| tap.reset(id, own, now));
            }
            Err(_) => shared.tap(|tap, now| tap.reset(id, other, now)),
        }
        drop(self);
        shared.forget(id);
    }

    async fn exchange(&mut self, shared: &Arc<Shared>) -> io::Result<End> {
        let mut readable = false;
        loop {
            // one turn under the lock: take what has come, get what is to go
            let turn = shared.with(|state, now| {
                let mut turn = Turn { read: true, ..Turn::default() };
                state.served = Some(self.id);
                match state.connections.get(&self.id) {
                    Some(_) if state.stage == Stage::Stopped => turn.stopped = true,
                    // a handshake of somebody who comes too late
                    Some(connection) if state.stage == Stage::Closing && connection.session.is_none() => {
                        turn.stopped = true;
                    }
                    Some(connection) => {
                        turn.over = connection.over;
                        turn.read = !turn.over
                            && connection.session.as_ref().is_none_or(|session| {
                                session.has_room(&shared.config, &shared.waiting_bytes, &self.wake)
                            });
                    }
                    None => turn.stopped = true,
                }
                if readable && turn.read && !turn.stopped {
                    let room = shared.faults.readable(state.read.len());
                    match self.stream.try_read(&mut state.read[..room]) {
                        Ok(0) => turn.ended = true,
                        Ok(n) => {
                            let bytes = &state.read[..n];
                            shared.tap(|tap, now| tap.data(self.id, self.role.other(), bytes, now));
                            state.peer.receive(now, self.id, bytes);
                            turn.broken = shared.faults.received(n);
                        }
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        Err(error) => turn.error = Some(error),
                    }
                }
                if self.written == self.out.len() {
                    let id = self.id;
                    self.refill(&shared.faults, |out, room| state.peer.transmit(now, id, out, room));
                }
                turn
            });
            if let Some(error) = turn.error {
                return Err(error);
            }
            if turn.stopped || turn.broken {
                return Ok(End::Broken);
            }
            if turn.ended {
                return Ok(End::Ended);
            }
            readable = false;

            if self.write(shared)? {
                return Ok(End::Broken);
            }
            let flushed = self.written == self.out.len();
            if flushed && self.last {
                return Ok(End::Broken);
            }
            if flushed && !self.out.is_empty() {
                // there may be more; but others have their turn first
                tokio::task::consume_budget().await;
                continue;
            }
            if turn.over && flushed {
                return Ok(End::Finished);
            }
            let delayed = self.not_before.filter(|_| !flushed);
            let interest = match (turn.read, !flushed && delayed.is_none()) {
                (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
                (true, false) => Some(Interest::READABLE),
                (false, true) => Some(Interest::WRITABLE),
                (false, false) => None,
            };
            tokio::select! {
                ready = ready(&self.stream, interest) => readable = ready?,
                () = self.wake.notified() => {}
                () = reached(delayed) => self.not_before = None,
            }
        }
    }

    /// Gets new bytes to write; the old ones have gone.
    fn refill(&mut self, faults: &Faults, mut transmit: impl FnMut(&mut Vec<u8>, usize) -> usize) {
        self.written = 0;
        self.out.clear();
        if self.out.capacity() > KEEP {
            self.out = Vec::new();
        }
        if !faults.counts_frames() {
            transmit(&mut self.out, WRITE);
        }
        // one at a time
        while faults.counts_frames() && !self.last && self.out.len() < WRITE && transmit(&mut self.out, 1) > 0 {
            self.last = faults.sent_frame();
        }
        if !self.out.is_empty() {
            self.not_before = faults.delay().map(|delay| Instant::now() + delay);
        }
    }

    /// Writes what the socket takes. Whether the connection is to be broken off.
    fn write(&mut self, shared: &Arc<Shared>) -> io::Result<bool> {
        while self.written < self.out.len() && self.not_before.is_none() {
            let Self { stream, out, written, id, role, .. } = self;
            match shared.faults.send(&mut out[*written..], |bytes| stream.try_write(bytes)) {
                Ok((n, broken)) => {
                    let bytes = &out[*written..*written + n];
                    shared.tap(|tap, now| tap.data(*id, *role, bytes, now));
                    *written += n;
                    if broken {
                        return Ok(true);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Says that nothing more comes, and waits a moment for the other side to say so too.
    async fn linger(&mut self, shared: &Arc<Shared>) {
        use tokio::io::AsyncWriteExt as _;
        let admitted = shared.look(|state| {
            let room = state.lingering < LINGERING && state.stage != Stage::Stopped;
            state.lingering += usize::from(room);
            room
        });
        if !admitted || self.stream.shutdown().await.is_err() {
            return;
        }
        let drain = async {
            let mut rest = [0; 4096];
            let mut left = LINGER_BYTES;
            while left > 0 {
                self.stream.readable().await?;
                match self.stream.try_read(&mut rest) {
                    Ok(0) => break,
                    Ok(n) => left = left.saturating_sub(n),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
            io::Result::Ok(())
        };
        // late or broken: it is over either way
        let _ = timeout(LINGER, drain).await;
        shared.look(|state| state.lingering -= 1);
    }
}

/// What came of one turn under the lock.
#[derive(Default)]
struct Turn {
    /// The application has room for what comes.
    read: bool,
    /// The peer has nothing more to say.
    over: bool,
    /// Everything ends.
    stopped: bool,
    ended: bool,
    broken: bool,
    error: Option<io::Error>,
}

/// Waits until there is something to do, and says whether something has come.
async fn ready(stream: &TcpStream, interest: Option<Interest>) -> io::Result<bool> {
    match interest {
        Some(interest) => Ok(stream.ready(interest).await?.is_readable()),
        None => std::future::pending().await,
    }
}

async fn reached(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
