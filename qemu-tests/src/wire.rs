//! The far end of a network card's cable: frames in and out of QEMU's `-netdev stream` over a Unix socket. Each frame
//! is a 32-bit big-endian length and that many bytes, in both directions. Everything that comes out of the card is
//! kept from the first frame on, since the harness connects before the machine's first instruction.

use anyhow::{Context, Result, bail};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::clock;

/// The longest frame that QEMU passes on (its `NET_BUFSIZE`).
const MAX_FRAME: usize = 4096 + 65536;
/// Frames kept of one card; a test that looks at more has gone astray.
const MAX_KEPT: usize = 500_000;
/// A card that takes no frame for this long is a failure: its driver has stopped.
const SEND_LIMIT: Duration = Duration::from_secs(120);

/// A cable into one card of the machine.
#[derive(Debug)]
pub struct Wire {
    out: UnixStream,
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    frames: Mutex<Vec<Vec<u8>>>,
    more: Condvar,
}

impl Seen {
    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wire {
    /// Plugs in: connects to the socket which QEMU listens on.
    ///
    /// # Errors
    /// When nothing listens there.
    pub fn connect(socket: &Path) -> Result<Self> {
        let stream = UnixStream::connect(socket).with_context(|| format!("connect to {}", socket.display()))?;
        stream.set_write_timeout(Some(SEND_LIMIT))?;
        Ok(Self::over(stream.try_clone()?, stream))
    }

    fn over(input: UnixStream, out: UnixStream) -> Self {
        let seen = Arc::new(Seen::default());
        let keep = Arc::clone(&seen);
        thread::spawn(move || read_frames(input, &keep));
        Self { out, seen }
    }

    /// Sends one frame into the card. Blocks while the card's queue is full.
    ///
    /// # Errors
    /// When the frame is too long, or the card takes none.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        if frame.len() > MAX_FRAME {
            bail!("a frame of {} bytes is longer than QEMU passes on", frame.len());
        }
        let mut message = u32::try_from(frame.len())?.to_be_bytes().to_vec();
        message.extend_from_slice(frame);
        (&self.out).write_all(&message).context("send a frame into the card")
    }

    /// Every frame that came out of the card so far.
    #[must_use]
    pub fn received(&self) -> Vec<Vec<u8>> {
        self.seen.lock().clone()
    }

    /// How many frames came out of the card so far: a mark for [`Wire::wait_for`].
    #[must_use]
    pub fn count(&self) -> usize {
        self.seen.lock().len()
    }

    /// Waits until a frame that came out after the first `from` gives a value.
    #[must_use]
    pub fn wait_for<T>(&self, from: usize, limit: Duration, mut find: impl FnMut(&[u8]) -> Option<T>) -> Option<T> {
        let end = clock::now() + limit;
        let mut frames = self.seen.lock();
        let mut at = from;
        loop {
            while let Some(frame) = frames.get(at) {
                at += 1;
                if let Some(value) = find(frame) {
                    return Some(value);
                }
            }
            let left = end.checked_duration_since(clock::now())?;
            frames = self.seen.more.wait_timeout(frames, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

fn read_frames(mut input: UnixStream, seen: &Seen) {
    let mut length = [0; 4];
    while input.read_exact(&mut length).is_ok() {
        let Ok(length) = usize::try_from(u32::from_be_bytes(length)) else { return };
        if length > MAX_FRAME {
            return;
        }
        let mut frame = vec![0; length];
        if input.read_exact(&mut frame).is_err() {
            return;
        }
        let mut frames = seen.lock();
        if frames.len() < MAX_KEPT {
            frames.push(frame);
        }
        drop(frames);
        seen.more.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_pass_both_ways_with_their_length_in_front() {
        let (near, far) = UnixStream::pair().unwrap();
        let wire = Wire::over(near.try_clone().unwrap(), near);
        wire.send(b"into the card").unwrap();
        let mut sent = [0; 17];
        (&far).read_exact(&mut sent).unwrap();
        assert_eq!(&sent, b"\0\0\0\x0dinto the card");
        (&far).write_all(b"\0\0\0\x03out\0\0\0\x04more").unwrap();
        let found = wire.wait_for(0, Duration::from_secs(5), |frame| (frame == b"more").then_some(frame.len()));
        assert_eq!(found, Some(4));
        assert_eq!(wire.received(), [b"out".to_vec(), b"more".to_vec()]);
    }

    #[test]
    fn waiting_for_a_frame_that_does_not_come_ends() {
        let (near, _far) = UnixStream::pair().unwrap();
        let wire = Wire::over(near.try_clone().unwrap(), near);
        assert_eq!(wire.wait_for(0, Duration::from_millis(20), |_| Some(())), None);
    }
}
