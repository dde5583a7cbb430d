//! Times in the machine's zone, with the zone shown, and durations in words.

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use psa_model::ntp::ZoneName;

/// The time at which a page is made, and the zone of its times.
#[derive(Debug, Clone)]
pub struct Clock {
    zone: TimeZone,
    name: String,
    now: Timestamp,
}

impl Clock {
    /// A clock that stands at `now`. A zone that the built-in database lost is shown as UTC.
    #[must_use]
    pub fn new(zone: &ZoneName, now: Timestamp) -> Self {
        match TimeZoneDatabase::bundled().get(zone.as_str()) {
            Ok(found) => Self { zone: found, name: zone.as_str().to_owned(), now },
            Err(_) => Self { zone: TimeZone::UTC, name: "UTC".into(), now },
        }
    }

    /// The time at which the page is made.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The zone's name.
    #[must_use]
    pub fn zone(&self) -> &str {
        &self.name
    }

    /// Date and time: `Tue 24 Nov 2026, 14:03:10 WET`.
    #[must_use]
    pub fn full(&self, time: Timestamp) -> String {
        self.text(time, "%a %-d %b %Y, %H:%M:%S %Z")
    }

    /// Date and time for a table: `24 Nov, 14:03:10 WET`, with the year where it is another one.
    #[must_use]
    pub fn short(&self, time: Timestamp) -> String {
        format!("{}, {}", self.date(time), self.time_of_day(time))
    }

    /// Time of day: `14:03:10 WET`.
    #[must_use]
    pub fn time_of_day(&self, time: Timestamp) -> String {
        self.text(time, "%H:%M:%S %Z")
    }

    /// Day and month, with the year where it is another one: `24 Nov`.
    #[must_use]
    pub fn date(&self, time: Timestamp) -> String {
        let year = |time: Timestamp| time.to_zoned(self.zone.clone()).year();
        self.text(time, if year(time) == year(self.now) { "%-d %b" } else { "%-d %b %Y" })
    }

    /// Time of day and age: `14:03:10 WET, 2 min ago`.
    #[must_use]
    pub fn with_age(&self, time: Timestamp) -> String {
        let age = self.now.as_second().saturating_sub(time.as_second());
        let text = if age < 86_400 { self.time_of_day(time) } else { self.short(time) };
        match u64::try_from(age) {
            Ok(age) => format!("{text}, {} ago", span(age)),
            Err(_) => text,
        }
    }

    fn text(&self, time: Timestamp, format: &str) -> String {
        time.to_zoned(self.zone.clone()).strftime(format).to_string()
    }
}

/// A duration in its two largest units: `41 days 3 h`, `2 min 4 s`.
#[must_use]
pub fn span(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    let day = if days == 1 { "day" } else { "days" };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => match seconds % 60 {
            0 => format!("{minutes} min"),
            rest => format!("{minutes} min {rest} s"),
        },
        (0, _, 0) => format!("{hours} h"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        (_, 0, _) => format!("{days} {day}"),
        (_, _, _) => format!("{days} {day} {hours} h"),
    }
}

/// The length of a call: `0:19`, `1:02:03`.
#[must_use]
pub fn length(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours == 0 { format!("{minutes}:{seconds:02}") } else { format!("{hours}:{minutes:02}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> Clock {
        Clock::new(&ZoneName::parse("Europe/Berlin").unwrap(), "2026-07-01T12:00:00Z".parse().unwrap())
    }

    #[test]
    fn times_are_in_the_machines_zone_and_say_so() {
        let time = "2026-07-01T11:57:50Z".parse().unwrap();
        assert_eq!(clock().full(time), "Wed 1 Jul 2026, 13:57:50 CEST");
        assert_eq!(clock().with_age(time), "13:57:50 CEST, 2 min 10 s ago");
        let winter = "2025-12-31T11:57:50Z".parse().unwrap();
        assert_eq!(clock().short(winter), "31 Dec 2025, 12:57:50 CET");
        let ahead = "2026-07-01T12:00:30Z".parse().unwrap();
        assert_eq!(clock().with_age(ahead), "14:00:30 CEST");
    }

    #[test]
    fn durations_have_their_two_largest_units() {
        let spans = [0, 59, 60, 130, 3600, 3660, 86_400, 90_000, 41 * 86_400].map(span);
        assert_eq!(spans, ["0 s", "59 s", "1 min", "2 min 10 s", "1 h", "1 h 1 min", "1 day", "1 day 1 h", "41 days"]);
        assert_eq!([length(19), length(124), length(3723)], ["0:19", "2:04", "1:02:03"]);
    }
}
