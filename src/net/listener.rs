//! Where sessions come in.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::endpoint::Guard;
use super::session::{Session, SessionState};

/// Takes the sessions that peers begin. When it is dropped nobody new is let in at its address.
pub struct Listener {
    guard: Arc<Guard>,
    addr: SocketAddr,
    sessions: mpsc::UnboundedReceiver<Arc<SessionState>>,
}

impl Listener {
    pub(super) fn new(
        guard: Arc<Guard>,
        addr: SocketAddr,
        sessions: mpsc::UnboundedReceiver<Arc<SessionState>>,
    ) -> Self {
        Listener { guard, addr, sessions }
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// The next session; `None` when the endpoint is shut down. Sessions that peers resume aren't new ones.
    ///
    /// Those that nobody has accepted yet count against the limits on connections and sessions.
    pub async fn accept(&mut self) -> Option<Session> {
        self.sessions.recv().await.map(|state| Session::new(self.guard.clone(), state))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.sessions.close();
        while let Ok(state) = self.sessions.try_recv() {
            drop(Session::new(self.guard.clone(), state));
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listener({})", self.addr)
    }
}
