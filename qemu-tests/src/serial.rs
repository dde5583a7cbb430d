//! The machine's serial console: everything it prints, line by line and without terminal codes, from the first
//! instruction on. A line that says that the boot has failed ends every wait at once.

use crate::clock;
use crate::process::tail;
use anyhow::{Context, Result, bail};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Lines which say that the boot will not come to a good end.
const FATAL: &[&str] = &[
    "Kernel panic",
    "Failed to start",
    "[FAILED]",
    "Dependency failed for",
    "emergency mode",
    "Freezing execution",
    "Attempted to kill init",
    "You are in rescue mode",
    "Access Denied",
    "UEFI Interactive Shell",
    "Not enough memory",
];
/// How much of the console an error shows.
const TAIL: usize = 60;

/// The console of one machine.
#[derive(Debug)]
pub struct Serial {
    out: UnixStream,
    text: Arc<Text>,
}

#[derive(Debug, Default)]
struct Text {
    state: Mutex<State>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct State {
    text: String,
    closed: bool,
}

impl Text {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Serial {
    /// Connects to the socket which QEMU listens on.
    ///
    /// # Errors
    /// When nothing listens there.
    pub fn connect(socket: &Path) -> Result<Self> {
        let out = UnixStream::connect(socket).with_context(|| format!("connect to {}", socket.display()))?;
        Self::over(out)
    }

    fn over(out: UnixStream) -> Result<Self> {
        let text = Arc::new(Text::default());
        let (mut input, keep) = (out.try_clone()?, Arc::clone(&text));
        thread::spawn(move || {
            let mut plain = PlainText::default();
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = input.read(&mut buffer) {
                plain.push(buffer.get(..count).unwrap_or_default(), &mut keep.lock().text);
                keep.more.notify_all();
            }
            keep.lock().closed = true;
            keep.more.notify_all();
        });
        Ok(Self { out, text })
    }

    /// Everything printed so far.
    #[must_use]
    pub fn text(&self) -> String {
        self.text.lock().text.clone()
    }

    /// How much was printed so far: a mark for [`Serial::wait_after`].
    #[must_use]
    pub fn mark(&self) -> usize {
        self.text.lock().text.len()
    }

    /// Types on the machine's keyboard.
    ///
    /// # Errors
    /// When the machine is gone.
    pub fn type_keys(&self, keys: &str) -> Result<()> {
        (&self.out).write_all(keys.as_bytes()).context("type on the serial console")
    }

    /// Waits for the first line which contains `pattern` and returns it.
    ///
    /// # Errors
    /// When the limit is over, the machine ends, or the console says that the boot has failed.
    pub fn wait_for_line(&self, pattern: &str, limit: Duration) -> Result<String> {
        self.wait_after(0, limit, |line| line.contains(pattern).then(|| line.to_owned()))
            .with_context(|| format!("wait for {pattern:?} on the console"))
    }

    /// Waits for a line beyond the first `mark` bytes that gives a value.
    ///
    /// # Errors
    /// As [`Serial::wait_for_line`].
    pub fn wait_after<T>(&self, mark: usize, limit: Duration, find: impl Fn(&str) -> Option<T>) -> Result<T> {
        self.wait(mark, limit, |text| {
            if let Some(value) = text.lines().find_map(&find) {
                return Some(Ok(value));
            }
            fatal(text).map(Err)
        })?
        .or_else(|line| bail!("the boot failed: {:?}\n{}", line.trim(), tail(&self.text(), TAIL)))
    }

    /// Waits for a line with any of these texts, also one which says that the boot has failed: for tests of failures.
    ///
    /// # Errors
    /// When the limit is over or the machine ends.
    pub fn wait_for_failure(&self, patterns: &[&str], limit: Duration) -> Result<String> {
        self.wait(0, limit, |text| {
            text.lines().find(|line| patterns.iter().any(|pattern| line.contains(pattern))).map(str::to_owned)
        })
    }

    /// The first line beyond the first `mark` bytes which says that the boot has failed.
    #[must_use]
    pub fn failure_after(&self, mark: usize) -> Option<String> {
        fatal(self.text.lock().text.get(mark..)?)
    }

    /// Waits for a text that may stand in a line which does not end, such as a prompt.
    ///
    /// # Errors
    /// When the limit is over or the machine ends.
    pub fn wait_for_prompt(&self, prompt: &str, limit: Duration) -> Result<()> {
        let found = clock::wait_until(limit, || {
            let state = self.text.lock();
            if state.closed {
                bail!("the machine ended\n{}", tail(&state.text, TAIL));
            }
            Ok(state.text.contains(prompt).then_some(()))
        })?;
        found.with_context(|| format!("no {prompt:?} for {} s\n{}", limit.as_secs(), tail(&self.text(), TAIL)))
    }

    fn wait<T>(&self, mark: usize, limit: Duration, find: impl Fn(&str) -> Option<T>) -> Result<T> {
        let end = clock::now() + limit;
        let mut state = self.text.lock();
        loop {
            // Only whole lines: half a pattern must not be missed, half a code not be read.
            let whole = state.text.get(mark..).and_then(|text| text.rfind('\n').and_then(|at| text.get(..at)));
            if let Some(value) = whole.and_then(&find) {
                return Ok(value);
            }
            if state.closed {
                bail!("the machine ended\n{}", tail(&state.text, TAIL));
            }
            let Some(left) = end.checked_duration_since(clock::now()) else {
                bail!("nothing for {} s\n{}", limit.as_secs(), tail(&state.text, TAIL));
            };
            state = self.text.more.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

fn fatal(text: &str) -> Option<String> {
    text.lines().find(|line| FATAL.iter().any(|fatal| line.contains(fatal))).map(str::to_owned)
}

/// Takes terminal codes (ECMA-48 control sequences) and carriage returns out of a stream of bytes.
#[derive(Debug, Default)]
struct PlainText {
    escape: Escape,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    Started,
    Sequence,
    Command,
}

impl PlainText {
    fn push(&mut self, bytes: &[u8], out: &mut String) {
        for &byte in bytes {
            self.escape = match (self.escape, byte) {
                (Escape::None, 0x1b) => Escape::Started,
                (Escape::None, b'\n' | b'\t' | 0x20..=0x7e) => {
                    out.push(char::from(byte));
                    Escape::None
                }
                (Escape::None, 0x80..) => {
                    out.push('?');
                    Escape::None
                }
                (Escape::None, _) => Escape::None,
                (Escape::Started, b'[') => Escape::Sequence,
                (Escape::Started, b']') => Escape::Command,
                (Escape::Started, _) => Escape::None,
                (Escape::Sequence, 0x40..=0x7e) => Escape::None,
                (Escape::Sequence, _) => Escape::Sequence,
                (Escape::Command, 0x07) => Escape::None,
                (Escape::Command, 0x1b) => Escape::Started,
                (Escape::Command, _) => Escape::Command,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Serial, UnixStream) {
        let (near, far) = UnixStream::pair().unwrap();
        (Serial::over(near).unwrap(), far)
    }

    #[test]
    fn colours_are_taken_out_of_a_line() {
        let mut out = String::new();
        let mut plain = PlainText::default();
        plain.push(b"\x1b[0;32m  OK  \x1b", &mut out);
        plain.push(b"[0m up\r\n\x1b]0;title\x07x", &mut out);
        assert_eq!(out, "  OK   up\nx");
    }

    #[test]
    fn a_wait_ends_with_the_line_and_only_with_a_whole_one() {
        let (serial, far) = pair();
        (&far).write_all(b"Setup code: AAAA").unwrap();
        let early = serial.wait_for_line("Setup code", Duration::from_millis(30));
        assert!(early.is_err());
        (&far).write_all(b"-BBBB\r\n").unwrap();
        let line = serial.wait_for_line("Setup code", Duration::from_secs(5)).unwrap();
        assert_eq!(line, "Setup code: AAAA-BBBB");
    }

    #[test]
    fn a_panic_ends_a_wait_at_once_and_is_in_the_error() {
        let (serial, far) = pair();
        (&far).write_all(b"[ 1.0] Kernel panic - not syncing: VFS\nnext\n").unwrap();
        let error = serial.wait_for_line("Address:", Duration::from_secs(3600)).unwrap_err();
        assert!(format!("{error:#}").contains("not syncing: VFS"), "{error:#}");
    }

    #[test]
    fn the_end_of_the_machine_ends_a_wait() {
        let (serial, far) = pair();
        drop(far);
        assert!(serial.wait_for_line("x", Duration::from_secs(3600)).is_err());
    }
}
