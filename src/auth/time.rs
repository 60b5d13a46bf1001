//! Points in time.

use crate::wire::{Duration, Utime};

/// A point in time, as the span since 1970 in UTC.
pub type Time = std::time::Duration;

/// As it stands on the wire. What lies behind the year 2106 becomes the last second that can be written.
pub fn utime(time: Time) -> Utime {
    match u32::try_from(time.as_secs()) {
        Ok(sec) => Utime { sec, nsec: time.subsec_nanos() },
        Err(_) => Utime { sec: u32::MAX, nsec: 999_999_999 },
    }
}

/// From the wire. A second's worth of nanoseconds or more is carried over.
pub fn time(utime: Utime) -> Time {
    Time::new(utime.sec.into(), utime.nsec)
}

/// A span as it stands on the wire. What is longer than 68 years becomes the longest that can be written.
pub fn duration(span: std::time::Duration) -> Duration {
    match i32::try_from(span.as_secs()) {
        Ok(sec) => Duration { sec, nsec: span.subsec_nanos().cast_signed() },
        Err(_) => Duration { sec: i32::MAX, nsec: 999_999_999 },
    }
}

/// From the wire. A negative span is none.
pub fn span(duration: Duration) -> std::time::Duration {
    let [sec, nsec] = [duration.sec, duration.nsec].map(|part| u32::try_from(part).unwrap_or_default());
    std::time::Duration::new(sec.into(), nsec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let now = Time::new(1_700_000_000, 5);
        assert_eq!(time(utime(now)), now);
        assert_eq!(time(Utime { sec: 1, nsec: 2_000_000_001 }), Time::new(3, 1));
        assert_eq!(utime(Time::MAX).sec, u32::MAX);
        assert_eq!(span(duration(now)), now);
        assert_eq!(span(Duration { sec: -1, nsec: -5 }), Time::ZERO);
        assert_eq!(duration(Time::MAX).sec, i32::MAX);
    }
}
