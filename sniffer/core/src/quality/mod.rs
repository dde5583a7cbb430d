#![doc = include_str!("README.md")]

pub mod call;
pub mod emodel;
pub mod stream;

use crate::codec::{Impairment, Scale};

/// R of a flawless connection: G.107 with all default values, G.107.1, G.107.2.
fn highest_r(scale: Scale) -> f64 {
    match scale {
        Scale::Narrowband => 93.2,
        Scale::Wideband => 129.0,
        Scale::Fullband => 148.0,
    }
}

/// What was observed of a stream's losses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loss {
    /// Share of packets lost, 0 to 1.
    pub share: f64,
    /// Mean length of a run of lost packets; 0 when none was lost.
    pub mean_run: f64,
}

impl Loss {
    /// No loss.
    pub const NONE: Self = Self { share: 0.0, mean_run: 0.0 };

    /// The loss of `lost` packets of `expected`, in `runs` runs.
    #[must_use]
    pub fn of(lost: f64, expected: f64, runs: f64) -> Self {
        Self { share: (lost / expected.max(1.0)).min(1.0), mean_run: if runs > 0.0 { lost / runs } else { 0.0 } }
    }

    /// Burst ratio (G.107, section 3.5): the mean run of lost packets against that of random loss, 1 / (1 - p). At
    /// least 1, as the formula for Ie,eff is defined for it.
    #[must_use]
    pub fn burst_ratio(self) -> f64 {
        (self.mean_run * (1.0 - self.share)).max(1.0)
    }
}

/// Effective equipment impairment, G.107 equation 7-29: Ie + (95 - Ie) · Ppl / (Ppl / BurstR + Bpl), Ppl in percent.
/// For wideband G.107.1 has the same for random loss (equation 7-15); for fullband G.107.2 has 132 in place of 95. None
/// when packets were lost and the codec's Bpl is not known.
#[must_use]
pub fn effective_impairment(codec: Impairment, loss: Loss) -> Option<f64> {
    if loss.share <= 0.0 {
        return Some(codec.ie);
    }
    let (limit, burst_ratio) = match codec.scale {
        Scale::Narrowband => (95.0, loss.burst_ratio()),
        Scale::Wideband => (95.0, 1.0),
        Scale::Fullband => (132.0, loss.burst_ratio()),
    };
    let percent = loss.share * 100.0;
    Some(codec.ie + (limit - codec.ie) * percent / (percent / burst_ratio + codec.bpl?))
}

/// Delay impairment Id for a one-way delay in milliseconds, on a scale of R. Narrowband has the whole of G.107 with echo
/// as good as its default values; wideband and fullband have the part for the delay itself (Idd), fullband 1.48 times.
#[must_use]
pub fn delay_impairment(scale: Scale, delay_ms: f64) -> f64 {
    match scale {
        Scale::Narrowband => emodel::rating(0.0) - emodel::rating(delay_ms),
        Scale::Wideband => emodel::absolute_delay(delay_ms),
        Scale::Fullband => 1.48 * emodel::absolute_delay(delay_ms),
    }
}

/// R of a stream on its codec's scale, for a one-way delay in milliseconds, zero where it is not known.
#[must_use]
pub fn rating(codec: Impairment, loss: Loss, delay_ms: f64) -> Option<f64> {
    let delay = if delay_ms > 0.0 { delay_impairment(codec.scale, delay_ms) } else { 0.0 };
    Some((highest_r(codec.scale) - effective_impairment(codec, loss)? - delay).max(0.0))
}

/// MOS from R (G.107, annex B); wideband and fullband R are brought to the narrowband scale first (annexes A of G.107.1
/// and G.107.2: R / 1.29, R / 1.48).
#[must_use]
pub fn mos_of_r(scale: Scale, r: f64) -> f64 {
    let r = match scale {
        Scale::Narrowband => r,
        Scale::Wideband => r / 1.29,
        Scale::Fullband => r / 1.48,
    };
    if r <= 0.0 {
        1.0
    } else if r >= 100.0 {
        4.5
    } else {
        // The cubic dips below 1 for R under 6.5; the scale does not.
        (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).max(1.0)
    }
}

/// MOS of a stream; see [`rating`].
#[must_use]
pub fn mos(codec: Impairment, loss: Loss, delay_ms: f64) -> Option<f64> {
    rating(codec, loss, delay_ms).map(|r| mos_of_r(codec.scale, r))
}

/// Rounds a MOS or an R to three decimals.
#[must_use]
pub fn round3(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::impairment;

    fn close(left: f64, right: f64) -> bool {
        (left - right).abs() < 0.001
    }

    #[test]
    fn mos_from_r_gives_the_published_values() {
        let table = [(93.2, 4.409), (90.0, 4.339), (80.0, 4.024), (70.0, 3.597), (60.0, 3.100), (50.0, 2.575)];
        for (r, expected) in table {
            let mos = mos_of_r(Scale::Narrowband, r);
            assert!(close(mos, expected), "R {r}: {mos} and not {expected}");
        }
        let mos = |r| mos_of_r(Scale::Narrowband, r);
        assert!(close(mos(-3.0), 1.0) && close(mos(3.0), 1.0) && close(mos(120.0), 4.5));
    }

    #[test]
    fn wideband_mos_gives_the_values_of_g_107_1() {
        // Ie,WB of AMR-WB's modes (G.113, Table IV.1): 23.05, 23.85, 12.65 and 6.6 kbit/s.
        for (ie, expected) in [(1.0, 4.494), (8.0, 4.4206), (13.0, 4.3371), (41.0, 3.5123)] {
            let codec = Impairment { scale: Scale::Wideband, ie, bpl: None };
            assert!(close(mos(codec, Loss::NONE, 0.0).unwrap(), expected), "Ie {ie}");
        }
        // 12.65 kbit/s for both ears (Ie 20, Bpl 4.3) with 2 % of random loss: Ie,eff = 43.81, MOS 3.406.
        let codec = Impairment { scale: Scale::Wideband, ie: 20.0, bpl: Some(4.3) };
        let loss = Loss { share: 0.02, mean_run: 1.0 / 0.98 };
        assert!(close(effective_impairment(codec, loss).unwrap(), 43.8095));
        assert!(close(mos(codec, loss, 0.0).unwrap(), 3.4062));
    }

    #[test]
    fn g711_without_loss_is_4_41_and_never_4_5() {
        assert!(close(mos(impairment("PCMU").unwrap(), Loss::NONE, 0.0).unwrap(), 4.409));
    }

    #[test]
    fn codecs_have_the_impairments_of_g_113() {
        // R without loss: 93.2 - Ie.
        let table = [("g729", 82.2), ("G723", 78.2), ("GSM", 73.2), ("G726-32", 86.2), ("AAL2-G726-16", 43.2)];
        for (name, r) in table {
            assert!(close(rating(impairment(name).unwrap(), Loss::NONE, 0.0).unwrap(), r), "{name}");
        }
        // Opus, fullband: (148 - 10.2) / 1.48 = 93.11.
        assert!(close(mos(impairment("opus").unwrap(), Loss::NONE, 0.0).unwrap(), 4.407));
    }

    #[test]
    fn the_burst_ratio_is_one_for_random_loss_and_more_for_bursts() {
        // G.107: a mean run of 1 / (1 - p) is random.
        assert!(close(Loss { share: 0.05, mean_run: 1.0 / 0.95 }.burst_ratio(), 1.0));
        // A two-state Markov model with p = 0.02 and q = 0.4: loss p / (p + q), mean run 1 / q, BurstR 1 / (p + q).
        assert!(close(Loss { share: 0.02 / 0.42, mean_run: 2.5 }.burst_ratio(), 1.0 / 0.42));
        assert!(close(Loss::NONE.burst_ratio(), 1.0));
    }

    #[test]
    fn a_hole_of_one_second_in_ten_costs_more_than_the_same_loss_at_random() {
        let codec = impairment("PCMA").unwrap();
        let hole = mos(codec, Loss { share: 0.1, mean_run: 50.0 }, 0.0).unwrap();
        let random = mos(codec, Loss { share: 0.1, mean_run: 1.0 / 0.9 }, 0.0).unwrap();
        // Random: 95 · 10 / (10 + 25.1) = 27.07; hole: 95 · 10 / (10/45 + 25.1) = 37.52.
        let narrowband = |r| mos_of_r(Scale::Narrowband, r);
        assert!(close(random, narrowband(93.2 - 27.066)) && close(hole, narrowband(93.2 - 37.517)));
        assert!(hole < random && random < 4.2);
    }

    #[test]
    fn delay_costs_little_up_to_177_ms_and_much_beyond() {
        // Cole and Rosenbluth (2001) fitted G.107 by 0.024 d + 0.11 (d - 177.3) H(d - 177.3).
        for delay in [25.0, 50.0, 100.0, 150.0, 200.0, 250.0, 300.0] {
            let fitted = 0.024 * delay + 0.11 * (delay - 177.3_f64).max(0.0);
            let ours = delay_impairment(Scale::Narrowband, delay);
            assert!((ours - fitted).abs() < 0.5, "{delay} ms: {ours} and not {fitted}");
        }
        assert_eq!(delay_impairment(Scale::Wideband, 100.0), 0.0);
        assert!(delay_impairment(Scale::Fullband, 400.0) > delay_impairment(Scale::Wideband, 400.0));
    }

    #[test]
    fn what_is_not_published_gives_no_mos() {
        assert_eq!(impairment("telephone-event"), None);
        assert_eq!((impairment("speex"), impairment("iLBC"), impairment("EVS")), (None, None, None));
        let g726 = impairment("G726-32").unwrap();
        assert!(mos(g726, Loss::NONE, 0.0).is_some());
        assert_eq!(mos(g726, Loss { share: 0.01, mean_run: 1.0 }, 0.0), None);
    }
}
