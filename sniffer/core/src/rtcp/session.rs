//! What RTCP tells of the streams of a call: the far end's view of loss and jitter, and the round trip in two halves,
//! since the observer stands between the two ends. Facts are kept by the SSRC that they are about and the way its media
//! goes: a relay sends the same SSRC on.
//!
//! A sender report that passes at t1 and the report that names it (LSR, RFC 3550, section 6.4.1) passing back at t2 make
//! one half: t2 - t1 - DLSR is the way from here to the receiver and back. The same of the opposite stream, or a DLRR
//! block (RFC 3611, section 4.5), makes the half towards the sender. Where two workers see the two directions, the last
//! reports of both are matched when what they heard is added up.

use std::{hash::BuildHasher, net::IpAddr, time::Duration};

use foldhash::fast::FixedState;

use super::{Item, ReportBlock, SenderReport, xr};
use crate::{
    bytes::{float, round4},
    limits,
    time::Timestamp,
};

/// The facts of a call's sources.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Session {
    sources: Vec<Source>,
}

/// From where to where media goes.
pub type Way = (IpAddr, IpAddr);

/// What is known of one source's stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Source {
    /// Synchronisation source.
    pub ssrc: u32,
    /// The way of its media.
    pub way: Way,
    /// Its sender reports.
    pub sender_reports: u32,
    /// Packets it says it has sent, in its last report.
    pub sent_packets: u32,
    /// Reports of receivers about it.
    pub reports: u32,
    /// Packets lost, in the last report; negative when duplicates outnumber losses.
    pub lost: i32,
    /// Largest share of packets lost between two reports, in 1/256.
    pub fraction_max: u8,
    /// Interarrival jitter at the receiver in timestamp units: the last, and the largest.
    pub jitter_last: u32,
    /// See `jitter_last`.
    pub jitter_max: u32,
    /// From here to the receiver and back.
    pub receiver_half: RoundTrip,
    /// From here to the sender and back.
    pub sender_half: RoundTrip,
    /// The receiver's VoIP metrics, the last.
    pub voip: Option<xr::VoipMetrics>,
    voip_at: Timestamp,
    /// When it said goodbye.
    pub bye: Option<Timestamp>,
    /// Its reports are encrypted.
    pub is_encrypted: bool,
    /// Its last two sender reports.
    sent: [Passed; 2],
    /// Its last reference time.
    asked: Passed,
    /// The last report about it that named a sender report which was not seen here.
    unmatched: Unmatched,
    /// The last report about it, as a number: the same again at once is a copy of the packet.
    last_report: u32,
    last_report_at: Timestamp,
}

/// A report whose sender report another worker may have seen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Unmatched {
    named: u32,
    delay: u32,
    at: Timestamp,
}

/// A report whose answer is waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Passed {
    /// Middle 32 bits of its NTP time; zero for none.
    ntp_middle: u32,
    at: Timestamp,
}

/// Round trips that were measured, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RoundTrip {
    sum: u64,
    count: u32,
    max: u32,
}

impl RoundTrip {
    fn add(&mut self, now: Timestamp, passed: Passed, delay: u32) {
        let elapsed = u64::try_from(now.since(passed.at).as_micros()).unwrap_or(u64::MAX);
        let delay = u64::from(delay) * 1_000_000 / 65_536;
        // A far end that rounds its delay up may make it a little negative: that is zero.
        let trip = if delay > elapsed && delay - elapsed < 1000 { Some(0) } else { elapsed.checked_sub(delay) };
        if let Some(trip) = trip.filter(|&trip| u128::from(trip) <= limits::ROUND_TRIP.as_micros()) {
            self.sum = self.sum.saturating_add(trip);
            self.count = self.count.saturating_add(1);
            self.max = self.max.max(u32::try_from(trip).unwrap_or(u32::MAX));
        }
    }

    fn merge(&mut self, other: &Self) {
        self.sum = self.sum.saturating_add(other.sum);
        self.count = self.count.saturating_add(other.count);
        self.max = self.max.max(other.max);
    }

    /// The mean in milliseconds; none when none was measured.
    #[must_use]
    pub fn mean_ms(&self) -> Option<f64> {
        (self.count > 0).then(|| round4(float(self.sum) / f64::from(self.count) / 1000.0))
    }

    /// The largest in milliseconds.
    #[must_use]
    pub fn max_ms(&self) -> Option<f64> {
        (self.count > 0).then(|| round4(f64::from(self.max) / 1000.0))
    }
}

impl Source {
    fn new(ssrc: u32, way: Way) -> Self {
        Self {
            ssrc,
            way,
            sender_reports: 0,
            sent_packets: 0,
            reports: 0,
            lost: 0,
            fraction_max: 0,
            jitter_last: 0,
            jitter_max: 0,
            receiver_half: RoundTrip::default(),
            sender_half: RoundTrip::default(),
            voip: None,
            voip_at: Timestamp::default(),
            bye: None,
            is_encrypted: false,
            sent: [Passed::default(); 2],
            asked: Passed::default(),
            unmatched: Unmatched::default(),
            last_report: 0,
            last_report_at: Timestamp::default(),
        }
    }

    /// Takes a sender report, unless it is a copy of the last one.
    fn sender_report(&mut self, now: Timestamp, report: &SenderReport) {
        let [last, _] = self.sent;
        let is_same = last.ntp_middle == report.ntp_middle && self.sent_packets == report.packets;
        if self.sender_reports > 0 && is_same && is_copy(now, last.at) {
            return;
        }
        self.sender_reports = self.sender_reports.saturating_add(1);
        let passed = Passed { ntp_middle: report.ntp_middle, at: now };
        // What another worker had to be asked about comes after what was heard here in the meantime.
        if self.sender_reports > 1 && now < last.at {
            self.sent = [last, passed];
            return;
        }
        self.sent_packets = report.packets;
        self.sent = [passed, last];
    }

    /// Takes a receiver's report, unless it is a copy of the last one.
    fn report(&mut self, now: Timestamp, block: &ReportBlock) {
        let ReportBlock { reporter, highest, last_sender_report, delay, lost, jitter, .. } = *block;
        let number = FixedState::with_seed(0).hash_one((reporter, highest, last_sender_report, delay, lost, jitter));
        let number = u32::try_from(number >> 32).unwrap_or(0);
        if self.reports > 0 && self.last_report == number && is_copy(now, self.last_report_at) {
            return;
        }
        if self.reports == 0 || now >= self.last_report_at {
            (self.last_report, self.last_report_at) = (number, now);
            (self.lost, self.jitter_last) = (block.lost, block.jitter);
        }
        self.reports = self.reports.saturating_add(1);
        self.fraction_max = self.fraction_max.max(block.fraction_lost);
        self.jitter_max = self.jitter_max.max(block.jitter);
        let named = |passed: &&Passed| passed.ntp_middle != 0 && passed.ntp_middle == block.last_sender_report;
        if let Some(&passed) = self.sent.iter().find(named) {
            self.receiver_half.add(now, passed, block.delay);
        } else if block.last_sender_report != 0 {
            self.unmatched = Unmatched { named: block.last_sender_report, delay: block.delay, at: now };
        }
    }

    /// Measures what another worker's sender reports make of the report that found none here.
    fn join(&mut self, sent: &[Passed], unmatched: Unmatched) {
        let named = |passed: &&Passed| unmatched.named != 0 && passed.ntp_middle == unmatched.named;
        if let Some(&passed) = sent.iter().find(named).filter(|passed| passed.at <= unmatched.at) {
            self.receiver_half.add(unmatched.at, passed, unmatched.delay);
        }
    }

    /// Adds what another worker has heard of the same source: of what the last word counts for, the later one holds.
    fn merge(&mut self, other: &Self) {
        let ([ours, _], [theirs, _]) = (self.sent, other.sent);
        if other.sender_reports > 0 && (self.sender_reports == 0 || theirs.at > ours.at) {
            self.sent_packets = other.sent_packets;
        }
        if other.reports > 0 && (self.reports == 0 || other.last_report_at > self.last_report_at) {
            (self.last_report, self.last_report_at) = (other.last_report, other.last_report_at);
            (self.lost, self.jitter_last) = (other.lost, other.jitter_last);
        }
        if other.voip.is_some() && (self.voip.is_none() || other.voip_at > self.voip_at) {
            (self.voip, self.voip_at) = (other.voip, other.voip_at);
        }
        self.sender_reports = self.sender_reports.saturating_add(other.sender_reports);
        self.reports = self.reports.saturating_add(other.reports);
        self.fraction_max = self.fraction_max.max(other.fraction_max);
        self.jitter_max = self.jitter_max.max(other.jitter_max);
        self.receiver_half.merge(&other.receiver_half);
        self.join(&other.sent, self.unmatched);
        let ours = self.sent;
        self.join(&ours, other.unmatched);
        self.sender_half.merge(&other.sender_half);
        self.bye = self.bye.max(other.bye);
        self.is_encrypted |= other.is_encrypted;
    }
}

/// Says whether what is the same as something before is a copy of its packet, seen at another monitoring port.
fn is_copy(now: Timestamp, before: Timestamp) -> bool {
    now.since(before) < Duration::from_millis(u64::from(limits::COPY_MILLIS))
}

impl Session {
    /// Takes one thing that RTCP said in a packet that went this way: a sender's media goes with its words, and a
    /// receiver speaks of media that comes towards it.
    pub fn on(&mut self, now: Timestamp, way: Way, item: Item) {
        let back = (way.1, way.0);
        match item {
            Item::Sender(report) => {
                let Some(source) = self.source(report.ssrc, way) else { return };
                source.sender_report(now, &report);
            }
            Item::Report(block) => {
                if let Some(source) = self.source(block.ssrc, back) {
                    source.report(now, &block);
                }
            }
            Item::Bye { ssrc } => {
                if let Some(source) = self.source(ssrc, way) {
                    source.bye = source.bye.max(Some(now));
                }
            }
            Item::Encrypted { ssrc } => {
                if let Some(source) = self.source(ssrc, way) {
                    source.is_encrypted = true;
                }
            }
            Item::Extended(block) => self.extended(now, way, block),
            Item::Description { .. } => {}
        }
    }

    fn extended(&mut self, now: Timestamp, way: Way, block: xr::Block) {
        let back = (way.1, way.0);
        match block {
            xr::Block::ReferenceTime { reporter, ntp_middle } => {
                if let Some(source) = self.source(reporter, way) {
                    source.asked = Passed { ntp_middle, at: now };
                }
            }
            xr::Block::Delay { reporter, ssrc, last_reference, delay } => {
                let asked = self.exactly(ssrc, back).map(|source| source.asked);
                let named = asked.filter(|asked| asked.ntp_middle != 0 && asked.ntp_middle == last_reference);
                if let (Some(asked), Some(source)) = (named, self.source(reporter, way)) {
                    source.sender_half.add(now, asked, delay);
                }
            }
            xr::Block::Voip { ssrc, metrics } => {
                let source = self.source(ssrc, back);
                if let Some(source) = source.filter(|source| source.voip.is_none() || now >= source.voip_at) {
                    (source.voip, source.voip_at) = (Some(metrics), now);
                }
            }
            xr::Block::Statistics { .. } | xr::Block::Other { .. } => {}
        }
    }

    /// The source with this SSRC and way, made where there is room.
    fn source(&mut self, ssrc: u32, way: Way) -> Option<&mut Source> {
        if let Some(at) = self.sources.iter().position(|source| source.ssrc == ssrc && source.way == way) {
            return self.sources.get_mut(at);
        }
        // A receiver that has heard nothing reports of nobody.
        if ssrc == 0 || self.sources.len() >= limits::STREAMS_PER_CALL {
            return None;
        }
        self.sources.reserve_exact(1);
        self.sources.push(Source::new(ssrc, way));
        self.sources.last_mut()
    }

    fn exactly(&self, ssrc: u32, way: Way) -> Option<&Source> {
        self.sources.iter().find(|source| source.ssrc == ssrc && source.way == way)
    }

    /// What is known of the source of a stream. Without its way the SSRC must be the only one of its kind: the figures of
    /// another leg would be wrong.
    #[must_use]
    pub fn get(&self, ssrc: u32, way: Option<Way>) -> Option<&Source> {
        if let Some(way) = way {
            return self.exactly(ssrc, way);
        }
        let mut others = self.sources.iter().filter(|source| source.ssrc == ssrc);
        others.next().filter(|_| others.next().is_none())
    }

    /// Adds what another worker has heard of the same call.
    pub fn merge(&mut self, other: &Self) {
        for theirs in &other.sources {
            let is_same = |ours: &&mut Source| ours.ssrc == theirs.ssrc && ours.way == theirs.way;
            if let Some(ours) = self.sources.iter_mut().find(is_same) {
                ours.merge(theirs);
            } else if self.sources.len() < limits::STREAMS_PER_CALL {
                self.sources.push(*theirs);
            }
        }
    }
}

#[cfg(test)]
mod tests;
