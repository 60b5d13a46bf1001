//! The time of a packet, as text.

use std::time::Duration;

use clap::ValueEnum;

const SECONDS_A_DAY: u64 = 24 * 60 * 60;

/// What the time column shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Column {
    /// No time.
    None,
    /// Seconds since the first packet, as in Wireshark.
    Relative,
    /// Seconds since 1970.
    Epoch,
    /// Date and time, in UTC.
    Utc,
}

/// Tells times. A time of zero is that of a packet whose time the capture doesn't say.
pub(super) struct Clock {
    column: Column,
    first: Option<Duration>,
    digits: u8,
}

impl Clock {
    pub(super) fn new(column: Column) -> Self {
        Self { column, first: None, digits: 0 }
    }

    /// A packet was read: its time, and how many digits of a second the capture has.
    pub(super) fn packet(&mut self, time: Duration, digits: u8) {
        self.digits = digits;
        if !time.is_zero() {
            self.first.get_or_insert(time);
        }
    }

    /// What the column has; nothing if there is no column.
    pub(super) fn column(&self, time: Duration) -> Option<String> {
        if self.column == Column::None {
            return None;
        }
        let text = match self.column {
            _ if time.is_zero() => None,
            Column::None | Column::Epoch => Some(seconds(time, self.digits)),
            Column::Utc => utc(time, self.digits),
            Column::Relative => {
                let first = self.first.unwrap_or(time);
                let sign = if time < first { "-" } else { "" };
                Some(format!("{sign}{}", seconds(time.abs_diff(first), self.digits)))
            }
        };
        Some(text.unwrap_or_else(|| "-".to_owned()))
    }

    /// Date and time in UTC as RFC 3339 has them, with the capture's digits; nothing behind the year 9999.
    pub(super) fn utc(&self, time: Duration) -> Option<String> {
        utc(time, self.digits)
    }
}

fn seconds(time: Duration, digits: u8) -> String {
    format!("{}{}", time.as_secs(), fraction(time, digits))
}

/// The point and the digits behind it.
fn fraction(time: Duration, digits: u8) -> String {
    if digits == 0 {
        return String::new();
    }
    let all = format!("{:09}", time.subsec_nanos());
    format!(".{}", &all[..usize::from(digits.min(9))])
}

fn utc(time: Duration, digits: u8) -> Option<String> {
    let (year, month, day) = date(time.as_secs() / SECONDS_A_DAY)?;
    let second = time.as_secs() % SECONDS_A_DAY;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let fraction = fraction(time, digits);
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z"))
}

/// The date so many days after 1970-01-01, up to the year 9999. Counted from a first of March on, leap days come last in
/// their year, and months have lengths that a line through five of them gives.
fn date(days: u64) -> Option<(u64, u64, u64)> {
    const DAYS_400_YEARS: u64 = 146_097;
    const DAYS_FROM_0000_03_01: u64 = 719_468;
    let days = days.checked_add(DAYS_FROM_0000_03_01)?;
    let (era, day) = (days / DAYS_400_YEARS, days % DAYS_400_YEARS);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let march = (5 * day + 2) / 153;
    let day = day - (153 * march + 2) / 5 + 1;
    let (month, next) = if march < 10 { (march + 3, 0) } else { (march - 9, 1) };
    let year = era * 400 + year + next;
    (year <= 9999).then_some((year, month, day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_follow_each_other() {
        let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..2_932_897 {
            assert_eq!(date(days), Some((year, month, day)), "{days}");
            let length = match month {
                2 if leap(year) => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            (year, month, day) = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                (_, day) if day == length => (year, month + 1, 1),
                _ => (year, month, day + 1),
            };
        }
        assert_eq!((year, date(2_932_897), date(u64::MAX)), (10_000, None, None));
    }

    #[test]
    fn columns() {
        let time = |nanos| Duration::new(1_709_209_845, nanos);
        let all = |digits, nanos| {
            [Column::None, Column::Relative, Column::Epoch, Column::Utc].map(|column| {
                let mut clock = Clock::new(column);
                clock.packet(Duration::ZERO, 6);
                clock.packet(time(5000), digits);
                clock.column(time(nanos)).unwrap_or_default()
            })
        };
        assert_eq!(all(6, 7000), ["", "0.000002", "1709209845.000007", "2024-02-29T12:30:45.000007Z"]);
        assert_eq!(all(9, 4999), ["", "-0.000000001", "1709209845.000004999", "2024-02-29T12:30:45.000004999Z"]);
        assert_eq!(all(0, 7000), ["", "0", "1709209845", "2024-02-29T12:30:45Z"]);
        for column in [Column::Relative, Column::Epoch, Column::Utc] {
            assert_eq!(Clock::new(column).column(Duration::ZERO).as_deref(), Some("-"));
        }
    }
}
