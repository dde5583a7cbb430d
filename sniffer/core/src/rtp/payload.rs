//! The payload types of a stream: which there were, how often, and how each is timed.

use crate::{
    codec::{self, Media},
    limits,
};

/// What timing needs to know of a payload type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Clock rate in hertz.
    pub clock_rate: u32,
    /// What it carries.
    pub media: Media,
    /// A payload of at most so many octets is no speech but a silence descriptor or nothing; zero where the codec has
    /// none.
    pub silence_octets: u8,
}

impl Timing {
    /// The timing of a codec by its name and clock rate.
    #[must_use]
    pub fn of((name, clock_rate): (&str, u32)) -> Self {
        Self { clock_rate, media: codec::media(name), silence_octets: codec::silence_octets(name) }
    }
}

/// One payload type of a stream, in twelve bytes.
#[derive(Clone, Copy, Debug)]
pub struct PayloadType {
    packets: u32,
    /// Zero while it is not known.
    clock_rate: u32,
    number: u8,
    media: Media,
    silence_octets: u8,
}

impl PayloadType {
    const NONE: Self = Self { packets: 0, clock_rate: 0, number: 0, media: Media::Audio, silence_octets: 0 };

    /// Its number.
    #[must_use]
    pub fn number(&self) -> u8 {
        self.number
    }

    /// Packets that carried it, duplicates included.
    #[must_use]
    pub fn packets(&self) -> u32 {
        self.packets
    }

    /// How it is timed, once known.
    #[must_use]
    #[inline]
    pub fn timing(&self) -> Option<Timing> {
        let Self { clock_rate, media, silence_octets, .. } = *self;
        (clock_rate > 0).then_some(Timing { clock_rate, media, silence_octets })
    }

    fn learn(&mut self, timing: Option<Timing>) {
        if let Some(timing) = timing {
            self.clock_rate = timing.clock_rate;
            self.media = timing.media;
            self.silence_octets = timing.silence_octets;
        }
    }
}

/// The payload types of a stream in the order in which they came, up to a limit. A place without packets is free.
#[derive(Clone, Debug)]
pub struct PayloadTypes {
    first: PayloadType,
    /// Kept from the second one on.
    others: Option<Box<[PayloadType; OTHERS]>>,
}

const OTHERS: usize = limits::PAYLOAD_TYPES - 1;

impl Default for PayloadTypes {
    fn default() -> Self {
        Self { first: PayloadType::NONE, others: None }
    }
}

impl PayloadTypes {
    /// Counts a packet and tells its type's timing. `timing_of` is asked once for each type; types beyond the limit are
    /// not counted and have no timing.
    #[inline]
    pub fn count(&mut self, number: u8, timing_of: impl FnOnce(u8) -> Option<Timing>) -> Option<Timing> {
        let first = &mut self.first;
        if first.number == number && first.packets > 0 {
            first.packets = first.packets.saturating_add(1);
            return first.timing();
        }
        self.count_other(number, timing_of)
    }

    /// The clock rate of the first type if it has this number and is a codec for sound without silence descriptors.
    #[must_use]
    #[inline]
    pub fn sound_rate(&self, number: u8) -> Option<u32> {
        let PayloadType { packets, clock_rate, number: first, media, silence_octets } = self.first;
        let is_it = first == number && packets > 0 && clock_rate > 0 && media == Media::Audio && silence_octets == 0;
        is_it.then_some(clock_rate)
    }

    /// Counts a packet of the first type.
    #[inline]
    pub fn count_first(&mut self) {
        self.first.packets = self.first.packets.saturating_add(1);
    }

    #[inline(never)]
    fn count_other(&mut self, number: u8, timing_of: impl FnOnce(u8) -> Option<Timing>) -> Option<Timing> {
        let others = match (self.first.packets, &mut self.others) {
            (0, _) => &mut [][..],
            (_, others) => others.get_or_insert(Box::new([PayloadType::NONE; OTHERS])).as_mut_slice(),
        };
        for place in std::iter::once(&mut self.first).chain(others) {
            if place.packets == 0 {
                *place = PayloadType { number, packets: 1, ..PayloadType::NONE };
                place.learn(timing_of(number));
                return place.timing();
            }
            if place.number == number {
                place.packets = place.packets.saturating_add(1);
                return place.timing();
            }
        }
        None
    }

    /// Those that came.
    fn seen(&self) -> impl Iterator<Item = &PayloadType> {
        let all = std::iter::once(&self.first).chain(self.others.iter().flat_map(|others| others.iter()));
        all.filter(|known| known.packets > 0)
    }

    /// Looks again for timings, as SDP may have told them, or told others. True when one was found that was not known.
    pub fn resolve(&mut self, timing_of: impl Fn(u8) -> Option<Timing>) -> bool {
        let mut found = false;
        let all = std::iter::once(&mut self.first).chain(self.others.iter_mut().flat_map(|others| others.iter_mut()));
        for known in all.filter(|known| known.packets > 0) {
            let was_known = known.clock_rate > 0;
            known.learn(timing_of(known.number));
            found |= !was_known && known.clock_rate > 0;
        }
        found
    }

    /// The timing of a type, once known.
    #[must_use]
    pub fn timing(&self, number: u8) -> Option<Timing> {
        self.seen().find(|known| known.number == number)?.timing()
    }

    /// The type with most packets; the first one seen wins a draw.
    #[must_use]
    pub fn main(&self) -> Option<PayloadType> {
        self.seen().copied().reduce(|best, next| if next.packets > best.packets { next } else { best })
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.others.as_ref().map_or(0, |others| size_of_val(others.as_ref()))
    }
}
