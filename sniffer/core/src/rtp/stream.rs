//! One RTP stream: one SSRC from one endpoint to another. Taking a packet allocates nothing.

use super::{
    Header,
    jitter::Jitter,
    sequence::{Arrival, Sequence},
};
use crate::{codec, decode::Endpoint, limits, quality, time::Timestamp};

/// What names a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamKey {
    /// Where it comes from.
    pub source: Endpoint,
    /// Where it goes.
    pub destination: Endpoint,
    /// Synchronisation source.
    pub ssrc: u32,
}

/// Clock rates a dynamic payload type may have; a stream that waits for its SDP is measured with each of them.
const CANDIDATES: [u32; 5] = [8000, 16000, 32000, 48000, 90000];

/// What timing needs to know of a payload type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Clock rate in hertz.
    pub clock_rate: u32,
    /// Events and comfort noise: their timestamps do not follow the voice's (RFC 4733, section 2.2), so that they are
    /// left out of the jitter.
    pub is_auxiliary: bool,
}

impl Timing {
    /// The timing of a codec by its name and clock rate.
    #[must_use]
    pub fn of((name, clock_rate): (&str, u32)) -> Self {
        Self { clock_rate, is_auxiliary: codec::is_auxiliary(name) }
    }
}

/// One payload type of a stream.
#[derive(Clone, Copy, Debug)]
pub struct PayloadType {
    /// Its number.
    pub number: u8,
    /// Packets that carried it, duplicates included.
    pub packets: u64,
    /// How it is timed, once known.
    pub timing: Option<Timing>,
}

/// The state of a stream.
#[derive(Clone, Debug)]
pub struct Stream {
    /// What names it.
    pub key: StreamKey,
    /// The VLAN of its first packet.
    pub vlan: Option<u16>,
    /// Time of the first packet.
    pub first: Timestamp,
    /// Time of the last packet.
    pub last: Timestamp,
    sequence: Option<Sequence>,
    jitter: Jitter,
    /// The clock rate that the last packet was measured with.
    clock_rate: Option<u32>,
    /// Jitter by candidate clock rates while the payload type has none.
    candidates: Option<Box<[Jitter; CANDIDATES.len()]>>,
    types: [Option<PayloadType>; limits::PAYLOAD_TYPES],
}

impl Stream {
    /// Begins a stream; its first packet is given to [`Stream::on`].
    #[must_use]
    pub fn new(key: StreamKey, vlan: Option<u16>, time: Timestamp) -> Self {
        Self {
            key,
            vlan,
            first: time,
            last: time,
            sequence: None,
            jitter: Jitter::default(),
            clock_rate: None,
            candidates: None,
            types: [None; limits::PAYLOAD_TYPES],
        }
    }

    /// Takes a packet. `timing_of` is asked once for each payload type.
    pub fn on(&mut self, time: Timestamp, header: Header, timing_of: impl FnOnce(u8) -> Option<Timing>) {
        self.last = self.last.max(time);
        let arrival = match &mut self.sequence {
            Some(sequence) => sequence.on(header.sequence),
            None => {
                self.sequence = Some(Sequence::new(header.sequence));
                Arrival::InOrder
            }
        };
        let timing = self.count_type(header.payload_type, timing_of);
        match arrival {
            // A copy says nothing about the network's timing: it may come from a second mirror port.
            Arrival::Duplicate => return,
            Arrival::Jump => {
                self.jitter.restart();
                self.candidates = None;
            }
            Arrival::InOrder | Arrival::Late => {}
        }
        let clock_rate = match timing {
            Some(Timing { is_auxiliary: true, .. }) => return,
            Some(timing) => timing.clock_rate,
            None => {
                self.on_candidates(time, header.timestamp);
                return;
            }
        };
        if self.clock_rate.replace(clock_rate).is_some_and(|before| before != clock_rate) {
            self.jitter.restart();
        }
        self.jitter.on(time, header.timestamp, clock_rate);
    }

    fn count_type(&mut self, number: u8, timing_of: impl FnOnce(u8) -> Option<Timing>) -> Option<Timing> {
        for place in &mut self.types {
            match place {
                Some(known) if known.number == number => {
                    known.packets += 1;
                    return known.timing;
                }
                Some(_) => {}
                None => {
                    let timing = timing_of(number);
                    *place = Some(PayloadType { number, packets: 1, timing });
                    return timing;
                }
            }
        }
        None
    }

    fn on_candidates(&mut self, time: Timestamp, timestamp: u32) {
        let candidates = self.candidates.get_or_insert_default();
        for (jitter, clock_rate) in candidates.iter_mut().zip(CANDIDATES) {
            jitter.on(time, timestamp, clock_rate);
        }
    }

    /// Looks again for clock rates that were not known: SDP came after the packets.
    pub fn resolve(&mut self, timing_of: impl Fn(u8) -> Option<Timing>) {
        for known in self.types.iter_mut().flatten() {
            if known.timing.is_some() {
                continue;
            }
            known.timing = timing_of(known.number);
            let Some(Timing { clock_rate, is_auxiliary: false }) = known.timing else { continue };
            if let Some(candidates) = &self.candidates
                && self.clock_rate.is_none()
                && let Some((jitter, _)) = candidates.iter().zip(CANDIDATES).find(|pair| pair.1 == clock_rate)
            {
                self.jitter = *jitter;
                self.clock_rate = Some(clock_rate);
                self.candidates = None;
            }
        }
    }

    /// The payload type with most packets; the first one seen wins a draw.
    #[must_use]
    pub fn main_type(&self) -> Option<PayloadType> {
        self.types.iter().flatten().copied().reduce(|best, next| if next.packets > best.packets { next } else { best })
    }

    /// Packets seen, duplicates included.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.sequence.as_ref().map_or(0, Sequence::packets)
    }

    /// The state of the sequence numbers; none before the first packet.
    #[must_use]
    pub fn sequence(&self) -> Option<&Sequence> {
        self.sequence.as_ref()
    }

    /// Interarrival jitter; empty when the clock rate is not known.
    #[must_use]
    pub fn jitter(&self) -> &Jitter {
        &self.jitter
    }

    /// Mean opinion score for the codec with this name; none with too few packets or unknown figures.
    #[must_use]
    pub fn mos(&self, codec: Option<&str>) -> Option<f64> {
        let sequence = self.sequence.as_ref().filter(|sequence| sequence.unique() >= limits::MOS_PACKETS)?;
        let impairment = codec::impairment(codec?)?;
        // The one-way delay is not visible at one point of the network: Id = 0.
        quality::mos(impairment, sequence.loss(), 0.0).map(|mos| (mos * 1000.0).round() / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> StreamKey {
        let endpoint = |port| Endpoint { address: "192.0.2.1".parse().unwrap(), port };
        StreamKey { source: endpoint(1), destination: endpoint(2), ssrc: 7 }
    }

    fn feed(stream: &mut Stream, numbers: std::ops::Range<u16>, payload_type: u8, step: u32, clock: Option<u32>) {
        for n in numbers {
            let header = Header { payload_type, marker: false, sequence: n, timestamp: u32::from(n) * step, ssrc: 7 };
            let timing = clock.map(|clock_rate| Timing { clock_rate, is_auxiliary: payload_type == 101 });
            stream.on(Timestamp::from_nanos(i64::from(n) * 20_000_000), header, |_| timing);
        }
    }

    #[test]
    fn packets_before_the_sdp_are_measured_with_the_clock_rate_it_brings() {
        let mut stream = Stream::new(key(), None, Timestamp::default());
        feed(&mut stream, 0..40, 99, 960, None);
        assert_eq!(stream.jitter().max_ms(), None);
        stream.resolve(|_| Some(Timing { clock_rate: 48000, is_auxiliary: false }));
        feed(&mut stream, 40..80, 99, 960, None);
        assert_eq!(stream.jitter().max_ms(), Some(0.0));
        assert_eq!(stream.main_type().unwrap().timing.unwrap().clock_rate, 48000);
    }

    #[test]
    fn a_few_packets_give_no_mos_and_a_second_gives_one() {
        let mut stream = Stream::new(key(), None, Timestamp::default());
        feed(&mut stream, 0..49, 0, 160, Some(8000));
        assert_eq!(stream.mos(Some("PCMU")), None);
        feed(&mut stream, 49..50, 0, 160, Some(8000));
        assert_eq!(stream.mos(Some("PCMU")), Some(4.409));
        assert_eq!((stream.mos(Some("X-unheard-of")), stream.mos(None)), (None, None));
    }

    #[test]
    fn events_do_not_disturb_the_jitter_of_the_voice() {
        let mut stream = Stream::new(key(), None, Timestamp::default());
        feed(&mut stream, 0..50, 0, 160, Some(8000));
        // An event's packets all have the timestamp of its beginning.
        feed(&mut stream, 50..60, 101, 0, Some(8000));
        feed(&mut stream, 60..90, 0, 160, Some(8000));
        assert_eq!((stream.jitter().max_ms(), stream.packets()), (Some(0.0), 90));
    }

    #[test]
    fn the_payload_type_with_most_packets_names_the_stream() {
        let mut stream = Stream::new(key(), None, Timestamp::default());
        feed(&mut stream, 0..3, 101, 160, Some(8000));
        feed(&mut stream, 3..10, 8, 160, Some(8000));
        feed(&mut stream, 10..30, 13, 160, Some(8000));
        assert_eq!(stream.main_type().unwrap().number, 13);
        // More types than are counted apart do not grow anything.
        for payload_type in 20..60 {
            feed(&mut stream, 30..31, payload_type, 160, None);
        }
        assert_eq!(stream.packets(), 70);
    }
}
