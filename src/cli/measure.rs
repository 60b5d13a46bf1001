//! How quickly messages come back.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use bytes::Bytes;
use msgr2::net::Session;
use msgr2::peer::Message;
use msgr2::types::MessageType;
use tokio::time::timeout;

/// What is measured.
#[derive(clap::Args)]
#[group(id = "measurement")]
pub(crate) struct Args {
    /// How many messages to send.
    #[arg(long, value_name = "N", default_value_t = 10_000, requires = "measure")]
    count: u64,
    /// How large they are, in bytes of data.
    #[arg(long, value_name = "BYTES", default_value_t = 4096, requires = "measure")]
    size: usize,
    /// How many may be under way at a time.
    #[arg(long, value_name = "W", default_value_t = 64, requires = "measure",
          value_parser = clap::value_parser!(u64).range(1..))]
    window: u64,
}

/// What was measured.
pub(crate) struct Measured {
    count: u64,
    size: usize,
    took: Duration,
    /// From sending to the echo, the quickest first.
    trips: Vec<Duration>,
}

impl Args {
    /// Sends messages to an echo and waits for each of them, so long for the next one.
    pub(crate) async fn run(&self, session: &Session, kind: MessageType, wait: Duration) -> Result<Measured> {
        let data = Bytes::from(vec![0x5a; self.size]);
        let mut under_way = VecDeque::new();
        let mut trips = Vec::new();
        let begun = Instant::now();
        let mut sent = 0;
        while (trips.len() as u64) < self.count {
            while sent < self.count && (under_way.len() as u64) < self.window {
                let message = Message { tid: sent + 1, data: data.clone(), ..Message::new(kind, Bytes::new()) };
                under_way.push_back((message.tid, Instant::now()));
                session.send(message).await?;
                sent += 1;
            }
            let Ok(come) = timeout(wait, session.receive()).await else {
                bail!("nothing came back for {wait:?}: does the server echo?");
            };
            let Some(message) = come? else { bail!("the server has closed the session") };
            match under_way.pop_front() {
                Some((tid, at)) if tid == message.tid && message.data.len() == self.size => trips.push(at.elapsed()),
                _ => bail!(
                    "message {} of {} bytes came out of turn: does the server echo? `msgr2 serve --behave echo` does",
                    message.tid,
                    message.data.len()
                ),
            }
        }
        let took = begun.elapsed();
        trips.sort_unstable();
        Ok(Measured { count: self.count, size: self.size, took, trips })
    }
}

impl Measured {
    /// A percentile of the round trips.
    fn trip(&self, percent: usize) -> Duration {
        let last = self.trips.len().saturating_sub(1);
        self.trips.get(last * percent / 100).copied().unwrap_or_default()
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Measured { count, size, took, .. } = self;
        let rate = *count as f64 / took.as_secs_f64();
        let volume = rate * *size as f64 / 1e6;
        write!(
            f,
            "{count} messages of {size} bytes there and back in {:.3} s: {rate:.0} messages/s, {volume:.1} MB/s each \
             way; round trip {:.3} ms at the median, {:.3} ms for 99 %",
            took.as_secs_f64(),
            self.trip(50).as_secs_f64() * 1e3,
            self.trip(99).as_secs_f64() * 1e3,
        )
    }
}
