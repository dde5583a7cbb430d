//! Points in time as packets carry them. Time is always a parameter here: this crate never reads a clock.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A point in time: nanoseconds since 1970-01-01T00:00:00Z. As text it is RFC 3339 in UTC with microseconds,
/// for example `2005-01-14T17:58:02.965944Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Later than any packet: the time of a timer that is not set.
    pub const NEVER: Self = Self(i64::MAX);

    /// Makes a timestamp from nanoseconds since the epoch.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Makes a timestamp from whole seconds and nanoseconds since the epoch. A time beyond the year 2262 becomes
    /// that year's: hostile files carry such times.
    #[must_use]
    pub fn from_parts(seconds: u64, nanos: u64) -> Self {
        let total = u128::from(seconds) * 1_000_000_000 + u128::from(nanos);
        Self(i64::try_from(total).unwrap_or(i64::MAX))
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Whole microseconds since the epoch; zero for times before it.
    #[must_use]
    pub fn as_micros(self) -> u64 {
        u64::try_from(self.0 / 1000).unwrap_or(0)
    }

    /// The second it lies in: this time with its fraction cut off.
    #[must_use]
    pub fn second(self) -> Self {
        Self(self.0.div_euclid(1_000_000_000).saturating_mul(1_000_000_000))
    }

    /// The time that passed since `earlier`; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// This time less a duration, bounded by the range of the type.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// This time plus a duration, bounded by the range of the type.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The range of 64-bit nanoseconds (1677 to 2262) lies within jiff's.
        let time = jiff::Timestamp::from_nanosecond(i128::from(self.0)).map_err(|_| fmt::Error)?;
        write!(f, "{time:.6}")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time: jiff::Timestamp = text.parse().map_err(de::Error::custom)?;
        i64::try_from(time.as_nanosecond()).map(Self).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_rfc_3339_in_utc_with_microseconds() {
        let time = Timestamp::from_parts(1_105_725_482, 965_944_000);
        assert_eq!(serde_json::to_string(&time).unwrap(), "\"2005-01-14T17:58:02.965944Z\"");
        assert_eq!(Timestamp::from_parts(1_105_725_482, 0).to_string(), "2005-01-14T17:58:02.000000Z");
    }

    #[test]
    fn a_time_read_back_is_the_same_to_the_microsecond() {
        let time = Timestamp::from_parts(1_790_000_000, 123_456_000);
        let text = serde_json::to_string(&time).unwrap();
        assert_eq!(serde_json::from_str::<Timestamp>(&text).unwrap(), time);
    }

    #[test]
    fn absurd_times_are_bounded_and_still_have_a_text() {
        let end = Timestamp::from_parts(u64::MAX, u64::MAX);
        assert_eq!(end.as_nanos(), i64::MAX);
        assert!(end.to_string().starts_with("2262-"));
        assert_eq!(end.after(Duration::from_secs(1)), end);
        assert_eq!(Timestamp::from_nanos(5).since(end), Duration::ZERO);
    }
}
