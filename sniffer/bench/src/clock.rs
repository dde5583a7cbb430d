//! The only place of the benchmark that reads the clock.

use std::{
    thread,
    time::{Duration, Instant},
};

/// The machine's steady time.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "a benchmark is about time; it is read here alone")]
pub fn now() -> Instant {
    Instant::now()
}

/// Waits for a moment: sleeping while it is far, spinning when it is near, since a sleep ends tens of microseconds late.
pub fn wait_until(moment: Instant) {
    while let Some(left) = moment.checked_duration_since(now()).filter(|left| !left.is_zero()) {
        if left > Duration::from_millis(1) {
            thread::sleep(left - Duration::from_micros(500));
        } else {
            std::hint::spin_loop();
        }
    }
}
