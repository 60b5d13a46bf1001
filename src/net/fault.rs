//! Faults on purpose: sockets that break, dawdle or lie, to see that peers get over it.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Something that goes wrong with the sockets of an endpoint. What is counted is counted over all its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Resets a connection, once, when so many bytes have been sent and received.
    KillAfterBytes(u64),
    /// Resets a connection, once, when so many frames have been sent. A frame is one together with its signature and
    /// its record, and so is all that a handshake sends at a time.
    KillAfterFrames(u64),
    /// Resets the connection each time that so many bytes have been sent and received.
    KillEveryBytes(u64),
    /// Waits before anything is sent.
    Delay(Duration),
    /// Sends at most so many bytes at a time.
    Split(usize),
    /// Turns over the bits of one byte that is sent: 1 is the first.
    CorruptByte(u64),
}

/// A fault that can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownFault(String);

impl fmt::Display for UnknownFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no fault; there are kill-after-bytes=N, kill-after-frames=N, kill-every-bytes=N, delay=MS, \
             split=N and corrupt-byte=N, with numbers from 1",
            self.0
        )
    }
}

impl std::error::Error for UnknownFault {}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let unknown = || UnknownFault(text.to_owned());
        let (name, number) = text.split_once('=').ok_or_else(unknown)?;
        let number: u64 = number.parse().ok().filter(|&n| n > 0).ok_or_else(unknown)?;
        Ok(match name {
            "kill-after-bytes" => Fault::KillAfterBytes(number),
            "kill-after-frames" => Fault::KillAfterFrames(number),
            "kill-every-bytes" => Fault::KillEveryBytes(number),
            "delay" => Fault::Delay(Duration::from_millis(number)),
            "split" => Fault::Split(usize::try_from(number).map_err(|_| unknown())?),
            "corrupt-byte" => Fault::CorruptByte(number),
            _ => return Err(unknown()),
        })
    }
}

/// What goes wrong, and how far it is; shared by all connections.
#[derive(Clone, Debug)]
pub(super) struct Faults(Option<Arc<Mutex<Plan>>>);

#[derive(Debug)]
struct Plan {
    faults: Vec<Fault>,
    /// Sent and received.
    bytes: u64,
    sent: u64,
    frames: u64,
}

impl Faults {
    pub(super) fn new(faults: &[Fault]) -> Self {
        if faults.is_empty() {
            return Faults(None);
        }
        let plan = Plan { faults: faults.to_vec(), bytes: 0, sent: 0, frames: 0 };
        Faults(Some(Arc::new(Mutex::new(plan))))
    }

    /// How long to wait before something is sent.
    pub(super) fn delay(&self) -> Option<Duration> {
        self.with(|plan| {
            let delays = plan.faults.iter().filter_map(|fault| match fault {
                Fault::Delay(delay) => Some(*delay),
                _ => None,
            });
            delays.reduce(|a, b| a + b)
        })?
    }

    /// How many bytes may be received at once.
    pub(super) fn readable(&self, most: usize) -> usize {
        self.with(|plan| plan.until_kill(most)).unwrap_or(most)
    }

    /// So many bytes have come. Whether the connection is to be reset.
    pub(super) fn received(&self, bytes: usize) -> bool {
        self.with(|plan| plan.count(bytes)).unwrap_or(false)
    }

    /// Sends as much as may go at once. Gives how many bytes went, and whether the connection is to be reset.
    pub(super) fn send<E>(
        &self,
        bytes: &mut [u8],
        write: impl FnOnce(&[u8]) -> Result<usize, E>,
    ) -> Result<(usize, bool), E> {
        let Some(plan) = &self.0 else { return write(bytes).map(|n| (n, false)) };
        let mut plan = plan.lock().unwrap_or_else(PoisonError::into_inner);
        let most = plan.until_kill(plan.largest(bytes.len()));
        let chunk = &mut bytes[..most];
        let corrupt = plan.corrupted(chunk.len());
        if let Some(at) = corrupt {
            chunk[at] ^= 0xff;
        }
        let result = write(chunk);
        // it didn't go yet: its turn comes again
        if let Some(at) = corrupt
            && result.as_ref().map_or(0, |&n| n) <= at
        {
            chunk[at] ^= 0xff;
        }
        let sent = result?;
        plan.sent += sent as u64;
        Ok((sent, plan.count(sent)))
    }

    /// Whether frames are counted.
    pub(super) fn counts_frames(&self) -> bool {
        self.with(|plan| plan.faults.iter().any(|fault| matches!(fault, Fault::KillAfterFrames(_)))).unwrap_or(false)
    }

    /// A frame is on its way. Whether the connection is to be reset behind it.
    pub(super) fn sent_frame(&self) -> bool {
        self.with(|plan| {
            plan.frames += 1;
            plan.faults.contains(&Fault::KillAfterFrames(plan.frames))
        })
        .unwrap_or(false)
    }

    fn with<R>(&self, run: impl FnOnce(&mut Plan) -> R) -> Option<R> {
        self.0.as_ref().map(|plan| run(&mut plan.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Plan {
    /// How many of these bytes go before the next reset.
    fn until_kill(&self, most: usize) -> usize {
        let left = self.faults.iter().filter_map(|fault| match fault {
            Fault::KillAfterBytes(n) => n.checked_sub(self.bytes).filter(|&left| left > 0),
            Fault::KillEveryBytes(n) => Some(n - self.bytes % n),
            _ => None,
        });
        left.min().map_or(most, |left| usize::try_from(left).unwrap_or(usize::MAX).min(most))
    }

    fn largest(&self, most: usize) -> usize {
        let sizes = self.faults.iter().filter_map(|fault| match fault {
            Fault::Split(size) => Some(*size),
            _ => None,
        });
        sizes.min().map_or(most, |size| size.min(most))
    }

    /// Which of the next bytes to be sent is to be changed.
    fn corrupted(&self, length: usize) -> Option<usize> {
        self.faults.iter().find_map(|fault| match fault {
            Fault::CorruptByte(n) => {
                let ahead = (n - 1).checked_sub(self.sent)?;
                usize::try_from(ahead).ok().filter(|&at| at < length)
            }
            _ => None,
        })
    }

    fn count(&mut self, bytes: usize) -> bool {
        let before = self.bytes;
        self.bytes += bytes as u64;
        let now = self.bytes;
        self.faults.iter().any(|fault| match fault {
            Fault::KillAfterBytes(n) => before < *n && *n <= now,
            Fault::KillEveryBytes(n) => before / n < now / n,
            _ => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(faults: &Faults, bytes: &[u8]) -> (Vec<u8>, bool) {
        let mut bytes = bytes.to_vec();
        let mut went = Vec::new();
        let (n, kill) = faults
            .send(&mut bytes, |chunk| {
                went.extend_from_slice(chunk);
                Ok::<usize, ()>(chunk.len())
            })
            .unwrap();
        assert_eq!(n, went.len());
        (went, kill)
    }

    #[test]
    fn are_read() {
        assert_eq!("delay=5".parse(), Ok(Fault::Delay(Duration::from_millis(5))));
        assert_eq!("kill-every-bytes=9".parse(), Ok(Fault::KillEveryBytes(9)));
        for wrong in ["", "split", "split=0", "split=x", "explode=1"] {
            let error = wrong.parse::<Fault>().unwrap_err().to_string();
            assert!(error.contains("corrupt-byte=N"), "{error}");
        }
    }

    #[test]
    fn kill_at_the_byte() {
        let faults = Faults::new(&[Fault::KillEveryBytes(10)]);
        assert_eq!(faults.readable(100), 10);
        assert!(!faults.received(4));
        assert_eq!(send(&faults, &[7; 20]), (vec![7; 6], true));
        assert_eq!(send(&faults, &[7; 9]), (vec![7; 9], false));
        assert_eq!(send(&faults, &[7; 9]), (vec![7; 1], true));

        let faults = Faults::new(&[Fault::KillAfterBytes(3)]);
        assert_eq!(send(&faults, &[7; 9]), (vec![7; 3], true));
        assert_eq!(send(&faults, &[7; 9]), (vec![7; 9], false));
    }

    #[test]
    fn kill_at_the_frame() {
        let faults = Faults::new(&[Fault::KillAfterFrames(3)]);
        assert!(faults.counts_frames());
        assert_eq!([(); 5].map(|()| faults.sent_frame()), [false, false, true, false, false]);
    }

    #[test]
    fn split_and_corrupt() {
        let faults = Faults::new(&[Fault::Split(2), Fault::CorruptByte(4)]);
        assert_eq!(send(&faults, &[1, 2, 3, 4, 5]).0, [1, 2]);
        let mut bytes = [3, 4, 5];
        faults.send(&mut bytes, |_| Err::<usize, _>("not now")).unwrap_err();
        assert_eq!(bytes, [3, 4, 5]);
        assert_eq!(send(&faults, &[3, 4, 5]).0, [3, !4]);
        assert_eq!(send(&faults, &[5]).0, [5]);
    }
}
