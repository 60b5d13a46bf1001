//! Wall time that never goes back.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// The time since the Unix epoch, as of the start, moved on by a clock that nobody sets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    started: Instant,
    epoch: Duration,
}

impl Clock {
    pub(super) fn start() -> Self {
        // before 1970 there were no tickets
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock { started: Instant::now(), epoch }
    }

    pub(super) fn now(&self) -> Duration {
        self.epoch + self.started.elapsed()
    }

    /// When the clock shows this time.
    pub(super) fn instant(&self, time: Duration) -> Instant {
        let ahead = time.saturating_sub(self.epoch);
        // further ahead than a program runs
        self.started.checked_add(ahead).unwrap_or_else(|| Instant::now() + Duration::from_secs(86_400))
    }
}
