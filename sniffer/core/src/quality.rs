//! The E-model (ITU-T G.107) in the form that a passive observer can use: R = 93.2 - Id - Ie,eff, and MOS from R.

use crate::codec::{Impairment, Scale};

/// R with all default values of G.107: Ro - Is.
const R_NARROWBAND: f64 = 93.2;
/// R of a flawless fullband connection (ITU-T G.107.2).
const R_FULLBAND: f64 = 148.0;
/// From the fullband to the narrowband scale.
const FULLBAND_SCALE: f64 = 1.48;

/// What was observed of a stream's losses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loss {
    /// Share of packets lost, 0 to 1.
    pub share: f64,
    /// Mean length of a run of lost packets; 0 when none was lost.
    pub mean_run: f64,
}

impl Loss {
    /// Burst ratio (G.107, section 7): the mean run of lost packets against that of random loss, 1 / (1 - p). At least
    /// 1, as the formula for Ie,eff is defined for it.
    #[must_use]
    pub fn burst_ratio(self) -> f64 {
        (self.mean_run * (1.0 - self.share)).max(1.0)
    }
}

/// Effective equipment impairment, G.107 equation 7-29: Ie + (95 - Ie) · Ppl / (Ppl / BurstR + Bpl), Ppl in percent.
/// For fullband G.107.2 has 132 in place of 95. None when packets were lost and the codec's Bpl is not known.
#[must_use]
pub fn effective_impairment(codec: Impairment, loss: Loss) -> Option<f64> {
    if loss.share <= 0.0 {
        return Some(codec.ie);
    }
    let limit = match codec.scale {
        Scale::Narrowband => 95.0,
        Scale::Fullband => 132.0,
    };
    let percent = loss.share * 100.0;
    Some(codec.ie + (limit - codec.ie) * percent / (percent / loss.burst_ratio() + codec.bpl?))
}

/// Delay impairment Id for a one-way delay in milliseconds, in the simplified form of Cole and Rosenbluth (2001):
/// 0.024 d + 0.11 (d - 177.3) H(d - 177.3).
#[must_use]
pub fn delay_impairment(delay_ms: f64) -> f64 {
    0.024 * delay_ms + 0.11 * (delay_ms - 177.3).max(0.0)
}

/// MOS from R, G.107 annex B.
#[must_use]
pub fn mos_of_r(r: f64) -> f64 {
    if r <= 0.0 {
        1.0
    } else if r >= 100.0 {
        4.5
    } else {
        // The cubic dips below 1 for R under 6.5; the scale does not.
        (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).max(1.0)
    }
}

/// MOS of a stream. `delay_ms` is the one-way delay where it is known, else 0: a passive observer does not see it.
#[must_use]
pub fn mos(codec: Impairment, loss: Loss, delay_ms: f64) -> Option<f64> {
    let impairment = effective_impairment(codec, loss)?;
    let r = match codec.scale {
        Scale::Narrowband => R_NARROWBAND - impairment,
        Scale::Fullband => (R_FULLBAND - impairment) / FULLBAND_SCALE,
    };
    Some(mos_of_r(r - delay_impairment(delay_ms)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::impairment;

    const NONE: Loss = Loss { share: 0.0, mean_run: 0.0 };

    fn close(left: f64, right: f64) -> bool {
        (left - right).abs() < 0.001
    }

    #[test]
    fn mos_from_r_gives_the_published_values() {
        let table = [(93.2, 4.409), (90.0, 4.339), (80.0, 4.024), (70.0, 3.597), (60.0, 3.100), (50.0, 2.575)];
        for (r, expected) in table {
            assert!(close(mos_of_r(r), expected), "R {r}: {} and not {expected}", mos_of_r(r));
        }
        assert!(close(mos_of_r(-3.0), 1.0) && close(mos_of_r(3.0), 1.0) && close(mos_of_r(120.0), 4.5));
    }

    #[test]
    fn g711_without_loss_is_4_41_and_never_4_5() {
        assert!(close(mos(impairment("PCMU").unwrap(), NONE, 0.0).unwrap(), 4.409));
    }

    #[test]
    fn g729_starts_lower_than_g711() {
        // R = 93.2 - 11 = 82.2.
        assert!(close(mos(impairment("g729").unwrap(), NONE, 0.0).unwrap(), mos_of_r(82.2)));
    }

    #[test]
    fn a_hole_of_one_second_in_ten_costs_more_than_the_same_loss_at_random() {
        let codec = impairment("PCMA").unwrap();
        let hole = mos(codec, Loss { share: 0.1, mean_run: 50.0 }, 0.0).unwrap();
        let random = mos(codec, Loss { share: 0.1, mean_run: 1.0 / 0.9 }, 0.0).unwrap();
        // Random: 95 · 10 / (10 + 25.1) = 27.07; hole: 95 · 10 / (10/45 + 25.1) = 37.52.
        assert!(close(random, mos_of_r(93.2 - 27.066)) && close(hole, mos_of_r(93.2 - 37.517)));
        assert!(hole < random && random < 4.2);
    }

    #[test]
    fn delay_costs_little_up_to_177_ms_and_much_beyond() {
        assert!(close(delay_impairment(100.0), 2.4) && close(delay_impairment(277.3), 17.655));
    }

    #[test]
    fn what_is_not_published_gives_no_mos() {
        assert_eq!(impairment("telephone-event"), None);
        let g726 = impairment("G726-32").unwrap();
        assert!(mos(g726, NONE, 0.0).is_some());
        assert_eq!(mos(g726, Loss { share: 0.01, mean_run: 1.0 }, 0.0), None);
    }
}
