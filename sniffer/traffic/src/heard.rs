//! What a listener behind three jitter buffers would have heard, from what was sent and when it arrived: by the
//! definitions, over the whole stream at once, and apart from the product, which does it packet by packet.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::rtp::Codec;

/// Packets are sent this often.
const PTIME: Duration = Duration::from_millis(20);
/// RFC 3611, section 4.7.2: so many in a row that came part two bursts.
const GMIN: u32 = 16;

/// What was heard of one direction.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    /// Runs of 1, 2, … 10, 11 and more lost packets.
    pub loss_runs: Vec<u64>,
    /// The longest of them.
    pub longest_run: u64,
    /// Bursts of losses (RFC 3611, Gmin 16).
    pub bursts: u64,
    /// Of the packets within them, those that were lost; a number from 0 to 1.
    pub burst_density: Option<f64>,
    /// Packets that came too late for a buffer of 50 ms, of 200 ms, and one that adapts.
    pub late: [u64; 3],
    /// Largest delay beyond the smallest so far, in milliseconds.
    pub delay_variation_ms: f64,
    /// MOS by the network's losses, and by what was lost to each of the buffers, with its delay.
    pub mos: Option<f64>,
    /// See `mos`.
    pub mos_buffers: [Option<f64>; 3],
}

impl Heard {
    /// Of so many sent packets these came, in this order: when, and which.
    #[must_use]
    pub fn of(sent: u32, arrivals: &[(Duration, u32)], codec: Codec) -> Self {
        let mut came: BTreeMap<u32, Duration> = BTreeMap::new();
        let mut order = Vec::new();
        for (at, index) in arrivals {
            // A copy says nothing: the first has been played.
            if let std::collections::btree_map::Entry::Vacant(place) = came.entry(*index) {
                place.insert(*at);
                order.push((*at, *index));
            }
        }
        let lost: BTreeSet<u32> = (0..sent).filter(|index| !came.contains_key(index)).collect();
        let runs = runs(&lost);
        let mut heard = Self { loss_runs: vec![0; 11], ..Self::default() };
        for &(first, last) in &runs {
            let length = u64::from(last - first) + 1;
            heard.longest_run = heard.longest_run.max(length);
            let bin = usize::try_from(length.min(11)).unwrap_or(11) - 1;
            heard.loss_runs[bin] += 1;
        }
        heard.count_bursts(&lost);
        heard.mos = mos(codec, sent, &lost, 0.0);
        let (late, depth, variation) = late(&order);
        heard.delay_variation_ms = variation;
        for (buffer, depth) in [50.0, 200.0, depth].into_iter().enumerate() {
            heard.late[buffer] = u64::try_from(late[buffer].len()).unwrap_or(u64::MAX);
            heard.mos_buffers[buffer] = mos(codec, sent, &lost.union(&late[buffer]).copied().collect(), depth);
        }
        heard
    }

    /// A burst begins and ends with a loss, has two at least, and fewer than Gmin in a row came within.
    fn count_bursts(&mut self, lost: &BTreeSet<u32>) {
        let (mut groups, mut last): (Vec<Vec<u32>>, Option<u32>) = (Vec::new(), None);
        for &index in lost {
            match (last, groups.last_mut()) {
                (Some(last), Some(group)) if index - last - 1 < GMIN => group.push(index),
                _ => groups.push(vec![index]),
            }
            last = Some(index);
        }
        let bursts: Vec<_> = groups.into_iter().filter(|group| group.len() > 1).collect();
        self.bursts = u64::try_from(bursts.len()).unwrap_or(u64::MAX);
        let within: u32 = bursts.iter().map(|burst| burst[burst.len() - 1] - burst[0] + 1).sum();
        let lost: u32 = bursts.iter().map(|burst| u32::try_from(burst.len()).unwrap_or(u32::MAX)).sum();
        self.burst_density = (within > 0).then(|| f64::from(lost) / f64::from(within));
    }
}

/// Runs of numbers: first and last of each.
fn runs(numbers: &BTreeSet<u32>) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for &number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => runs.push((number, number)),
        }
    }
    runs
}

/// Which packets each buffer could not play, the mean depth of the one that adapts in milliseconds, and the largest
/// delay variation. A buffer plays a packet its depth after the fastest one would have come; after a second of silence
/// it begins anew, and when 25 in a row were late, from the last of them. The third begins at 60 ms and grows to what a
/// late packet needed, up to 500 ms.
fn late(order: &[(Duration, u32)]) -> ([BTreeSet<u32>; 3], f64, f64) {
    let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
    let mut late = [BTreeSet::new(), BTreeSet::new(), BTreeSet::new()];
    let (mut fastest, mut before) = (i64::MAX, None);
    let (mut plays, mut in_a_row) = ([i64::MAX; 3], [0; 3]);
    let (mut depth, mut depths, mut variation) = (60_000, 0, 0);
    for &(at, index) in order {
        let transit = micros(at) - micros(PTIME * index);
        if before.is_some_and(|before| at > before + Duration::from_secs(1)) {
            (fastest, plays) = (transit, [transit; 3]);
        }
        before = Some(at);
        fastest = fastest.min(transit);
        variation = variation.max(transit - fastest);
        plays = plays.map(|from| from.min(transit));
        let needed = plays.map(|from| transit - from);
        for (buffer, depth) in [50_000, 200_000, depth].into_iter().enumerate() {
            in_a_row[buffer] = if needed[buffer] > depth { in_a_row[buffer] + 1 } else { 0 };
            if needed[buffer] > depth {
                late[buffer].insert(index);
            }
            if in_a_row[buffer] == 25 {
                (plays[buffer], in_a_row[buffer]) = (transit, 0);
            }
        }
        depths += depth;
        depth = depth.max(needed[2].min(500_000));
    }
    let packets = u32::try_from(order.len()).unwrap_or(u32::MAX).max(1);
    let millis = |micros: i64| f64::from(u32::try_from(micros / 100).unwrap_or(u32::MAX)) / 10.0;
    (late, millis(depths) / f64::from(packets), f64::from(u32::try_from(variation).unwrap_or(u32::MAX)) / 1000.0)
}

/// MOS by the E-model for what was lost and how it was bundled: Ie and Bpl from G.113, Appendix I, the burst ratio of
/// G.107, 3.5 (the mean run against that of random loss, not below 1). None below 50 packets that came.
fn mos(codec: Codec, sent: u32, lost: &BTreeSet<u32>, delay_ms: f64) -> Option<f64> {
    let (impairment, robustness) = match codec {
        Codec::Pcmu | Codec::Pcma => (0.0, 25.1),
        Codec::G729 => (11.0, 19.0),
    };
    if sent < 50 {
        return None;
    }
    let count = f64::from(u32::try_from(lost.len()).ok()?);
    let share = count / f64::from(sent);
    let bundles = f64::from(u32::try_from(runs(lost).len()).ok()?).max(1.0);
    let ratio = (count / bundles * (1.0 - share)).max(1.0);
    let percent = 100.0 * share;
    let effective = impairment + (95.0 - impairment) * percent / (percent / ratio + robustness);
    Some(score((93.2 - effective - (delay(delay_ms) - delay(0.0))).max(0.0)))
}

/// G.107, annex B.
fn score(rating: f64) -> f64 {
    if rating >= 100.0 {
        return 4.5;
    }
    (1.0 + 0.035 * rating + rating * (rating - 60.0) * (100.0 - rating) * 7e-6).max(1.0)
}

/// What a one-way delay takes from R with default values (G.107, 7-19 to 7-28): talker's echo, listener's echo, and the
/// delay itself. No is -61.18 dBm0p and Ro 94.77 for all defaults.
fn delay(millis: f64) -> f64 {
    const NO: f64 = -61.18;
    const RO: f64 = 94.77;
    let rle = 10.5 * 117.0 * (2.0 * millis + 1.0).powf(-0.25);
    let listener = (RO - rle) / 2.0 + ((RO - rle).powi(2) / 4.0 + 169.0).sqrt();
    if millis <= 0.0 {
        return listener;
    }
    let level =
        65.0 - 40.0 * ((1.0 + millis / 10.0) / (1.0 + millis / 150.0)).log10() + 6.0 * (-0.3 * millis.powi(2)).exp();
    let difference = -1.5 * (NO - 2.0) - (80.0 + 2.5 * (level - 14.0));
    let talker = (difference / 2.0 + (difference.powi(2) / 4.0 + 100.0).sqrt() - 1.0) * (1.0 - (-millis).exp());
    let itself = if millis > 100.0 {
        let x = (millis / 100.0).ln() / 2_f64.ln();
        25.0 * ((1.0 + x.powi(6)).powf(1.0 / 6.0) - 3.0 * (1.0 + (x / 3.0).powi(6)).powf(1.0 / 6.0) + 2.0)
    } else {
        0.0
    };
    listener + talker + itself
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(index: u32, late_ms: u64) -> (Duration, u32) {
        (PTIME * index + Duration::from_millis(late_ms), index)
    }

    #[test]
    fn runs_bursts_and_late_packets_are_what_the_definitions_say() {
        // Lost: 5, 7, 8 (a burst of four with three lost), and 30 alone.
        let gone = [5, 7, 8, 30];
        let mut arrivals: Vec<_> = (0..100).filter(|index| !gone.contains(index)).map(|index| at(index, 0)).collect();
        for late in [(40, 50), (41, 51), (50, 200), (60, 201), (70, 600)] {
            let place = arrivals.iter().position(|(_, index)| *index == late.0).unwrap();
            arrivals[place] = at(late.0, late.1);
        }
        arrivals.sort();
        let heard = Heard::of(100, &arrivals, Codec::Pcma);
        assert_eq!((heard.loss_runs[0], heard.loss_runs[1], heard.longest_run, heard.bursts), (2, 1, 2, 1));
        assert!((heard.burst_density.unwrap() - 0.75).abs() < 1e-9);
        // The one that adapts stood at 60, at 200, at 201 and at 500 ms.
        assert_eq!(heard.late, [4, 2, 3]);
        assert!((heard.delay_variation_ms - 600.0).abs() < 1e-9);
    }

    #[test]
    fn losses_in_a_bundle_are_heard_more_than_as_many_alone_and_delay_is_heard() {
        let arrivals = |gone: &[u32]| -> Vec<_> {
            (0..1000).filter(|index| !gone.contains(index)).map(|index| at(index, 0)).collect()
        };
        let alone: Vec<u32> = (1..21).map(|n| n * 40).collect();
        let bundle: Vec<u32> = (400..420).collect();
        let heard = [&[][..], &alone, &bundle].map(|gone| Heard::of(1000, &arrivals(gone), Codec::Pcma));
        let [none, alone, bundle] = heard.each_ref().map(|heard| heard.mos.unwrap());
        assert!((none - 4.409).abs() < 0.001 && alone < 4.3 && bundle < alone - 0.005, "{none} {alone} {bundle}");
        let [short, long, _] = heard[0].mos_buffers.map(Option::unwrap);
        assert!(short < none && long < short - 0.05, "{none} {short} {long}");
    }
}
