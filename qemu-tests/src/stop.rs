//! Waits for the person's Ctrl-C, or for whatever else ends a program in the foreground.

use anyhow::Result;
use nix::sys::signal::{SigSet, Signal};
use std::thread;

/// The signals that end a program in the foreground, held back from now on in this thread and all that it starts.
#[derive(Debug)]
pub struct Stop {
    signals: SigSet,
}

impl Stop {
    /// Holds the signals back. Call it before any thread is started.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn watch() -> Result<Self> {
        let mut signals = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            signals.add(signal);
        }
        signals.thread_block()?;
        Ok(Self { signals })
    }

    /// Calls this in a thread of its own when a signal comes.
    pub fn then(self, act: impl FnOnce() + Send + 'static) {
        thread::spawn(move || {
            if self.signals.wait().is_ok() {
                act();
            }
        });
    }
}
