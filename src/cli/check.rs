//! A client that looks whether servers can be reached, and shows every step.

use std::io::{self, Write as _};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use msgr2::net::{Config, ConnectError, Endpoint, Events, Session};
use msgr2::peer::{Event, PeerInfo, Target};
use msgr2::session::{Policies, Policy};
use tokio::time::timeout;

use crate::advice::{self, Advice, Asked};
use crate::peer::agreed;
use crate::witness::{Seen, Witness};

/// How wide the names of frames and of facts are printed.
const FRAME: usize = 22;
const FACT: usize = 11;
/// How long sessions have to be closed at the end.
const LEAVE: Duration = Duration::from_secs(5);

/// An endpoint whose handshakes are shown as they happen.
pub(crate) struct Checker {
    endpoint: Endpoint,
    events: Events,
    seen: Arc<Mutex<Seen>>,
}

impl Checker {
    pub(crate) fn new(mut config: Config) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let witness = Witness::new(seen.clone(), config.capture.take());
        config.capture = Some(Arc::new(Mutex::new(witness)));
        config.peer.report_handshake = true;
        // what breaks is to be seen, not to be mended
        config.peer.lossy = true;
        config.peer.v2.policies = Some(Policies::all(Policy::LOSSY_CLIENT));
        let endpoint = Endpoint::new(config);
        let events = endpoint.events();
        Checker { endpoint, events, seen }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects, shows the handshake, and says what was agreed on.
    pub(crate) async fn connect(&mut self, asked: &Asked, target: Target) -> Result<Session> {
        say(format_args!("{} at {}", asked.service, asked.addr))?;
        let begun = Instant::now();
        let endpoint = self.endpoint.clone();
        let mut connecting = pin!(endpoint.connect(target));
        let result = loop {
            tokio::select! {
                biased;
                Some(event) = self.events.next() => self.show(begun, &event)?,
                result = &mut connecting => break result,
            }
        };
        while let Some(event) = self.events.try_next() {
            self.show(begun, &event)?;
        }
        let session = result.map_err(|error| self.advice(asked, &error))?;
        facts(&session.peer())?;
        Ok(session)
    }

    fn advice(&self, asked: &Asked, error: &ConnectError) -> Advice {
        advice::on(asked, error, &self.seen())
    }

    /// A frame of the handshake.
    fn show(&self, begun: Instant, event: &Event) -> io::Result<()> {
        let Event::Handshake { sent, frame, text, .. } = event else { return Ok(()) };
        self.seen().frame(*sent, frame);
        let (after, arrow) = (begun.elapsed().as_secs_f64() * 1e3, if *sent { '>' } else { '<' });
        let line = format!("{after:8.1} ms {arrow} {frame:FRAME$} {text}");
        say(format_args!("{}", line.trim_end()))
    }

    /// Asks whether the server is still there.
    pub(crate) async fn keepalive(&self, asked: &Asked, session: &Session, wait: Duration) -> Result<()> {
        let gone = |how: &str| {
            Advice::new(format!("the {} {how} behind the handshake", asked.service)).or_try(format!(
                "its log says why, with debug_ms=10: `ceph tell {}.ID config set debug_ms 10`",
                asked.service
            ))
        };
        if !session.keepalive() {
            return Err(gone("has gone").into());
        }
        let answer = async {
            while let Some(event) = session.event().await {
                if let Event::Keepalive { round_trip, .. } = &*event {
                    return Some(*round_trip);
                }
            }
            None
        };
        match timeout(wait, answer).await {
            Ok(Some(round_trip)) => {
                fact("keepalive", format_args!("answered after {:.1} ms", round_trip.as_secs_f64() * 1e3))?;
                Ok(())
            }
            Ok(None) => Err(gone("has closed the connection").into()),
            Err(_) => Err(gone(&format!("doesn't answer a KEEPALIVE2 for {} s", wait.as_secs())).into()),
        }
    }

    /// Ends what is left.
    pub(crate) async fn leave(self) {
        self.endpoint.shutdown(LEAVE).await;
    }
}

/// What a handshake has led to.
fn facts(peer: &PeerInfo) -> io::Result<()> {
    fact("agreed", format_args!("{}", agreed(peer)))?;
    if let Some(addr) = &peer.own_addr {
        fact("seen as", format_args!("{addr}, which is where the {} sees this client", peer.entity.kind))?;
    }
    Ok(())
}

/// Prints something that was found out.
pub(crate) fn fact(name: &str, what: std::fmt::Arguments<'_>) -> io::Result<()> {
    say(format_args!("{name:FACT$} {what}"))
}

/// Prints a line at once.
pub(crate) fn say(line: std::fmt::Arguments<'_>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
