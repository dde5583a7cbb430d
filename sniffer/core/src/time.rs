//! Points in time as packets carry them. Time is always a parameter here: this crate never reads a clock.

use std::{fmt, num::NonZero, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A point in time: nanoseconds since 1970-01-01T00:00:00Z. As text it is RFC 3339 in UTC with microseconds,
/// for example `2005-01-14T17:58:02.965944Z`.
///
/// Kept as the distance from the earliest time there is, which orders times as they are and leaves zero to
/// `Option<Timestamp>`: each call and stream has several.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(NonZero<u64>);

/// The distance of the epoch from the earliest time.
const EPOCH: u64 = 1 << 63;

impl Timestamp {
    /// Later than any packet: the time of a timer that is not set.
    pub const NEVER: Self = Self::from_nanos(i64::MAX);

    /// Makes a timestamp from nanoseconds since the epoch. The smallest number counts as the one above it.
    #[must_use]
    #[inline]
    pub const fn from_nanos(nanos: i64) -> Self {
        match NonZero::new(nanos.cast_unsigned() ^ EPOCH) {
            Some(distance) => Self(distance),
            None => Self(NonZero::<u64>::MIN),
        }
    }

    /// Makes a timestamp from whole seconds and nanoseconds since the epoch. A time beyond the year 2262 becomes
    /// that year's: hostile files carry such times.
    #[must_use]
    #[inline]
    pub fn from_parts(seconds: u64, nanos: u64) -> Self {
        let total = seconds.checked_mul(1_000_000_000).and_then(|whole| whole.checked_add(nanos));
        Self::from_nanos(total.and_then(|total| i64::try_from(total).ok()).unwrap_or(i64::MAX))
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    #[inline]
    pub const fn as_nanos(self) -> i64 {
        (self.0.get() ^ EPOCH).cast_signed()
    }

    /// Whole microseconds since the epoch; zero for times before it.
    #[must_use]
    pub fn as_micros(self) -> u64 {
        u64::try_from(self.as_nanos() / 1000).unwrap_or(0)
    }

    /// As text, see the type; none for times before 1970, which only `Display` writes.
    #[must_use]
    pub fn to_text(self) -> Option<[u8; 27]> {
        Some(text_of(u64::try_from(self.as_nanos()).ok()? / 1000))
    }

    /// The second it lies in: this time with its fraction cut off.
    #[must_use]
    #[inline]
    pub fn second(self) -> Self {
        Self::from_nanos(self.as_nanos().div_euclid(1_000_000_000).saturating_mul(1_000_000_000))
    }

    /// The time that passed since `earlier`; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.nanos_since(earlier)).unwrap_or(0))
    }

    /// The same in nanoseconds, negative when `earlier` is later: what is asked of every packet needs no division.
    #[must_use]
    #[inline]
    pub const fn nanos_since(self, earlier: Self) -> i64 {
        self.as_nanos().saturating_sub(earlier.as_nanos())
    }

    /// This time less a duration, bounded by the range of the type.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self::from_nanos(self.as_nanos().saturating_sub(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// This time plus a duration, bounded by the range of the type.
    #[must_use]
    #[inline]
    pub fn after(self, duration: Duration) -> Self {
        Self::from_nanos(self.as_nanos().saturating_add(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
    }
}

impl Default for Timestamp {
    /// 1970-01-01T00:00:00Z.
    fn default() -> Self {
        Self::from_nanos(0)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Timestamp").field(&self.as_nanos()).finish()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = self.to_text() {
            return f.write_str(str::from_utf8(&text).map_err(|_| fmt::Error)?);
        }
        // The range of 64-bit nanoseconds (1677 to 2262) lies within jiff's.
        let time = jiff::Timestamp::from_nanosecond(i128::from(self.as_nanos())).map_err(|_| fmt::Error)?;
        write!(f, "{time:.6}")
    }
}

/// Microseconds since the epoch as text. Each record has several times, and a general formatter was a third of what it
/// cost to write one. The calendar is Howard Hinnant's `civil_from_days` for days after 1970.
fn text_of(micros: u64) -> [u8; 27] {
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let two = |number: u64| {
        let number = u8::try_from(number % 100).unwrap_or(0);
        [b'0' + number / 10, b'0' + number % 10]
    };
    let [[a, b], [c, d]] = [two(year / 100), two(year)];
    let [[e, f], [g, h]] = [two(month), two(day)];
    let [[i, j], [k, l], [m, n]] = [two(second / 3600), two(second / 60 % 60), two(second % 60)];
    let [[o, p], [q, r], [s, t]] = [two(micros / 10_000), two(micros / 100), two(micros)];
    [a, b, c, d, b'-', e, f, b'-', g, h, b'T', i, j, b':', k, l, b':', m, n, b'.', o, p, q, r, s, t, b'Z']
}

/// Text where people read it; else nanoseconds in eight octets, big endian.
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_bytes(&self.as_nanos().to_be_bytes())
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not by what the form says of itself: what serde holds back for a flattened field does not know it.
        deserializer.deserialize_any(TextOrOctets)
    }
}

struct TextOrOctets;

impl de::Visitor<'_> for TextOrOctets {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time as RFC 3339 has it")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
        let time: jiff::Timestamp = text.parse().map_err(de::Error::custom)?;
        i64::try_from(time.as_nanosecond()).map(Timestamp::from_nanos).map_err(de::Error::custom)
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Timestamp, E> {
        let octets = bytes.try_into().map_err(|_| de::Error::invalid_length(bytes.len(), &self))?;
        Ok(Timestamp::from_nanos(i64::from_be_bytes(octets)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_order_over_the_epoch_and_an_absent_one_takes_no_room() {
        let nanos = [i64::MIN + 1, -1_000_000_001, -1, 0, 1, 1_790_000_000_123_456_789, i64::MAX];
        let times = nanos.map(Timestamp::from_nanos);
        assert_eq!(times.map(Timestamp::as_nanos), nanos);
        assert!(times.is_sorted());
        assert_eq!(Timestamp::from_nanos(i64::MIN), times[0]);
        assert_eq!((times[3], format!("{:?}", times[1])), (Timestamp::default(), "Timestamp(-1000000001)".to_owned()));
        assert_eq!(size_of::<Option<Timestamp>>(), size_of::<Timestamp>());
    }

    #[test]
    fn a_time_is_rfc_3339_in_utc_with_microseconds() {
        let time = Timestamp::from_parts(1_105_725_482, 965_944_000);
        assert_eq!(serde_json::to_string(&time).unwrap(), "\"2005-01-14T17:58:02.965944Z\"");
        assert_eq!(Timestamp::from_parts(1_105_725_482, 0).to_string(), "2005-01-14T17:58:02.000000Z");
    }

    #[test]
    fn the_text_is_that_of_the_calendar_on_every_day() {
        let day = 86_400_000_000_000_i64;
        let moments = (0..106_751).map(|number| number * day + (number * 7_919_123_457) % day);
        for nanos in moments.chain([0, 951_782_399_999_999_999, 951_782_400_000_000_000, i64::MAX]) {
            let general = jiff::Timestamp::from_nanosecond(i128::from(nanos)).unwrap();
            assert_eq!(Timestamp::from_nanos(nanos).to_string(), format!("{general:.6}"));
        }
        assert_eq!(Timestamp::from_nanos(-1_000_000_000).to_string(), "1969-12-31T23:59:59.000000Z");
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
