//! What payload types mean by the SDP of a call, kept once for all calls that announce the same.

use std::sync::Arc;

use crate::{
    codec, limits,
    sdp::{Codec, CodecName, Kind},
};

/// What timing and records need of a codec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coding {
    pub payload_type: u8,
    /// What the m= line that names it is for.
    pub kind: Kind,
    pub clock_rate: u32,
    pub name: CodecName,
}

/// The payload types of one description that do not mean what RFC 3551 says anyway. Calls share them: phones of a kind
/// announce the same.
pub type Codings = Arc<[Coding]>;

/// What codings take, when nobody shares them.
pub fn heap_bytes(codings: &[Coding]) -> usize {
    codings
        .iter()
        .fold(0, |sum, coding| sum.saturating_add(size_of::<Coding>()).saturating_add(coding.name.as_str().len()))
}

/// Codings with those that another description names.
pub fn added(codings: &[Coding], codecs: &[Codec], kind: Kind) -> Vec<Coding> {
    let mut all = codings.to_vec();
    for Codec { payload_type, name, clock_rate, .. } in codecs {
        let coding = || Coding { payload_type: *payload_type, kind, clock_rate: *clock_rate, name: name.clone() };
        let is_usual = kind == Kind::Audio || codec::media(name.as_str()) == codec::Media::Video;
        let has_room = all.len() < limits::SDP_CODECS;
        match all.iter_mut().find(|old| old.payload_type == *payload_type) {
            Some(old) => *old = coding(),
            None if is_usual && codec::static_type(*payload_type) == Some((name.as_str(), *clock_rate)) => {}
            None if has_room => all.push(coding()),
            None => {}
        }
    }
    all
}

/// Payload types as they were announced lately, which the next call shares.
#[derive(Debug, Default)]
pub struct Lately {
    pub(super) codings: Vec<Codings>,
    oldest: usize,
}

impl Lately {
    /// The same codings as those of an earlier call where there are such.
    pub fn share(&mut self, codings: Vec<Coding>) -> Option<Codings> {
        if codings.is_empty() {
            return None;
        }
        if let Some(known) = self.codings.iter().find(|known| ***known == *codings) {
            return Some(Arc::clone(known));
        }
        let codings: Codings = codings.into();
        if self.codings.len() < limits::SHARED_CODINGS {
            self.codings.push(Arc::clone(&codings));
        } else if let Some(place) = self.codings.get_mut(self.oldest) {
            *place = Arc::clone(&codings);
            self.oldest = self.oldest.wrapping_add(1).checked_rem(limits::SHARED_CODINGS).unwrap_or(0);
        }
        Some(codings)
    }
}
