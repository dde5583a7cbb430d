//! How far reading has come, for a person at a terminal: on the standard error, and only where that is a terminal.

use std::io::{self, IsTerminal, Write};

/// Characters of the bar.
const BAR: usize = 30;
/// Octets in front of a packet in a pcap file; pcapng has a few more, so that the bar ends a little early.
const PACKET_HEADER: u64 = 16;

/// A bar that grows with the bytes read.
#[derive(Debug)]
pub struct Progress<W: Write> {
    output: Option<W>,
    total: u64,
    done: u64,
    /// Hundredths that are shown.
    shown: u64,
}

impl Progress<io::Stderr> {
    /// A bar for so many bytes on the standard error; none where nobody watches.
    #[must_use]
    pub fn on_terminal(total: u64) -> Self {
        let output = io::stderr();
        let is_watched = output.is_terminal();
        Self::new(is_watched.then_some(output), total)
    }
}

impl<W: Write> Progress<W> {
    fn new(output: Option<W>, total: u64) -> Self {
        Self { output: output.filter(|_| total > 0), total, done: 0, shown: 0 }
    }

    /// Takes note of a packet; draws at each hundredth.
    #[inline]
    pub fn packet(&mut self, octets: usize) {
        if self.output.is_some() {
            self.grow(octets);
        }
    }

    fn grow(&mut self, octets: usize) {
        let octets = u64::try_from(octets).unwrap_or(u64::MAX).saturating_add(PACKET_HEADER);
        self.done = self.done.saturating_add(octets).min(self.total);
        let hundredths = self.done.saturating_mul(100).checked_div(self.total).unwrap_or(100);
        if hundredths != self.shown {
            self.shown = hundredths;
            self.draw();
        }
    }

    /// Takes the bar away.
    pub fn clear(&mut self) {
        if self.shown > 0 {
            self.write("\r\x1b[K");
        }
        self.output = None;
    }

    fn draw(&mut self) {
        let full = usize::try_from(self.shown).unwrap_or(100).saturating_mul(BAR) / 100;
        let text = format!("\r  {}{} {:>3} %", "█".repeat(full), "░".repeat(BAR.saturating_sub(full)), self.shown);
        self.write(&text);
    }

    fn write(&mut self, text: &str) {
        if let Some(output) = &mut self.output
            && output.write_all(text.as_bytes()).and_then(|()| output.flush()).is_err()
        {
            // A bar is not worth an error.
            self.output = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_grows_to_its_end_and_goes_away() {
        let mut text = Vec::new();
        let mut progress = Progress::new(Some(&mut text), 10_000);
        for _ in 0..10 {
            progress.packet(1000);
        }
        progress.clear();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains(" 10 %") && text.contains("100 %"), "{text:?}");
        assert!(text.ends_with("\r\x1b[K"), "{text:?}");
        assert_eq!(text.matches('\r').count(), 11, "one drawing for each packet that moves it: {text:?}");
    }

    #[test]
    fn nobody_watching_means_nothing_written() {
        let mut progress: Progress<Vec<u8>> = Progress::new(None, 100);
        progress.packet(1000);
        progress.clear();
        assert!(progress.output.is_none() && progress.shown == 0);
    }
}
