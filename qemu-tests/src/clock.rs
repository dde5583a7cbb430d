//! The one place of this crate that reads the clock, and the one way to wait: until something is so, never for a
//! length of time.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How often a state that cannot announce itself is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The monotonic clock.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the harness measures real machines; this is its only clock")]
pub fn now() -> Instant {
    Instant::now()
}

/// Time since 1970, for capture files.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the harness measures real machines; this is its only clock")]
pub fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Looks until `look` gives a value, at most for `limit`. `None` when the time is over.
///
/// # Errors
/// Those of `look`, at once.
pub fn wait_until<T, E>(limit: Duration, mut look: impl FnMut() -> Result<Option<T>, E>) -> Result<Option<T>, E> {
    let end = now() + limit;
    loop {
        if let Some(value) = look()? {
            return Ok(Some(value));
        }
        if now() >= end {
            return Ok(None);
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Waits until a moment of a recording has come. Returns at once when it is past.
pub fn wait_for_moment(moment: Instant) {
    if let Some(left) = moment.checked_duration_since(now()) {
        thread::sleep(left);
    }
}
