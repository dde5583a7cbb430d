//! Frames that carry one message together, as they were captured: who keeps packets needs all of them, and whose they are
//! is known when the last has come. Nothing is held unless [`super::Settings::holds_frames`] says so.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{
    decode::LinkType,
    engine::{FrameMeta, Whose},
    time::Timestamp,
};

/// A frame that is held, shared by the messages that it carries parts of.
pub type Held = Arc<HeldFrame>;

/// See the module's text.
#[derive(Debug)]
pub struct HeldFrame {
    /// Which one it was of all that this reader saw, from 1.
    pub number: u64,
    /// How it begins.
    pub link: LinkType,
    /// What is known besides its bytes.
    pub meta: FrameMeta,
    /// Its bytes.
    pub bytes: Box<[u8]>,
    /// How many of them are headers where it carries media: what lies behind is somebody's voice.
    pub head: usize,
    /// To whom it was given.
    given: Mutex<Vec<Whose>>,
}

impl PartialEq for HeldFrame {
    fn eq(&self, other: &Self) -> bool {
        (self.number, self.link, self.meta.time, &self.bytes)
            == (other.number, other.link, other.meta.time, &other.bytes)
    }
}

impl Eq for HeldFrame {}

impl HeldFrame {
    /// Notes that somebody has it. False for one who had it before: a segment may hold several messages of one call.
    #[must_use]
    pub fn give(&self, whose: Whose) -> bool {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = !given.contains(&whose);
        if is_first {
            given.push(whose);
        }
        is_first
    }
}

/// The bytes that frames are counted with.
pub fn bytes(frames: &[Held]) -> usize {
    frames.iter().map(|frame| frame.bytes.len()).sum()
}

/// The frame that is being looked at.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a> {
    /// Its time.
    pub now: Timestamp,
    /// What it is, where frames are held.
    pub frame: Option<(u64, LinkType, FrameMeta, &'a [u8])>,
    /// The frames of the IP packet that was put together, instead of one.
    pub joined: &'a [Held],
}

impl Raw<'_> {
    /// Holds it. Behind the beginning of `payload` and `headers` octets more is what media says.
    pub fn hold(&self, payload: &[u8], headers: usize) -> Vec<Held> {
        if !self.joined.is_empty() {
            return self.joined.to_vec();
        }
        let Some((number, link, meta, bytes)) = self.frame else { return Vec::new() };
        let at = payload.as_ptr().addr().wrapping_sub(bytes.as_ptr().addr());
        let head = if at <= bytes.len() { at.saturating_add(headers).min(bytes.len()) } else { 0 };
        vec![Arc::new(HeldFrame { number, link, meta, bytes: bytes.into(), head, given: Mutex::new(Vec::new()) })]
    }
}
