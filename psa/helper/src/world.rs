//! Time and randomness: the one place that reads a clock or draws random numbers. Everything else gets them handed in.

use jiff::Timestamp;
use nix::time::{ClockId, clock_gettime};
use std::io;
use std::time::Duration;

/// A moment, by both of the machine's clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The time of day, which chrony may set at any moment: for people to read.
    pub wall: Timestamp,
    /// Time since boot, which nobody can set: for every limit and delay.
    pub up: Duration,
}

/// What the helper needs of the world outside besides files and programs.
pub trait World: Send + Sync {
    /// The moment it is.
    fn now(&self) -> Moment;

    /// Names this boot of the machine: [`Moment::up`] of another boot means nothing.
    fn boot(&self) -> String;

    /// Fills a buffer with random bytes that nobody can guess.
    ///
    /// # Errors
    /// When the kernel gives none.
    fn fill(&self, bytes: &mut [u8]) -> io::Result<()>;
}

/// The real world.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealWorld;

impl World for RealWorld {
    fn now(&self) -> Moment {
        // CLOCK_BOOTTIME cannot fail on Linux; a helper that took 0 for it would only end sessions late by its uptime.
        let up = clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default();
        Moment { wall: Timestamp::now(), up }
    }

    fn boot(&self) -> String {
        // Without it (no /proc) every start of the helper counts as a boot, and sessions end with it.
        std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
    }

    fn fill(&self, bytes: &mut [u8]) -> io::Result<()> {
        getrandom::fill(bytes).map_err(io::Error::other)
    }
}

/// Random bytes as an array.
///
/// # Errors
/// When the kernel gives none.
pub fn random<const N: usize>(world: &dyn World) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    world.fill(&mut bytes)?;
    Ok(bytes)
}

/// Bytes in lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len().saturating_mul(2)), |mut text, byte| {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}
