//! The E-model of ITU-T G.107 (2015) as a function of the one-way delay, all other parameters at their default values
//! (Table 2): equations 7-1 to 7-28. What codec and loss take away (Ie,eff) is subtracted elsewhere.

/// Send and receive loudness rating, in dB.
const SLR: f64 = 8.0;
const RLR: f64 = 2.0;
/// Sidetone masking rating; the listener's sidetone is 3 dB above it.
const STMR: f64 = 15.0;
const LSTR: f64 = 18.0;
/// D-value of the telephone on the send side.
const DS: f64 = 3.0;
/// Talker echo loudness rating.
const TELR: f64 = 65.0;
/// Weighted echo path loss.
const WEPL: f64 = 110.0;
/// Circuit noise at the 0 dBr point in dBm0p, and the noise floor at the receive side in dBmp.
const NC: f64 = -70.0;
const NFOR: f64 = -64.0;
/// Room noise at the send and receive side, in dB(A).
const PS: f64 = 35.0;
const PR: f64 = 35.0;
/// Quantizing distortion units.
const QDU: f64 = 1.0;

/// R = Ro - Is - Id for a one-way delay in milliseconds: T = Ta and Tr = 2 T. 93.2 without delay.
#[must_use]
pub fn rating(delay_ms: f64) -> f64 {
    let delay_ms = delay_ms.max(0.0);
    let noise = noise();
    let ro = 15.0 - 1.5 * (SLR + noise);
    ro - simultaneous(ro, noise, delay_ms)
        - talker_echo(noise, delay_ms)
        - listener_echo(ro, 2.0 * delay_ms)
        - absolute_delay(delay_ms)
}

/// Idd, the impairment by the delay itself, with perfect echo cancelling (equation 7-27).
#[must_use]
pub fn absolute_delay(delay_ms: f64) -> f64 {
    if delay_ms <= 100.0 {
        return 0.0;
    }
    let x = (delay_ms / 100.0).log2();
    25.0 * ((1.0 + x.powi(6)).powf(1.0 / 6.0) - 3.0 * (1.0 + (x / 3.0).powi(6)).powf(1.0 / 6.0) + 2.0)
}

/// No: all noise together, at the 0 dBr point (equations 7-3 to 7-7).
fn noise() -> f64 {
    let olr = SLR + RLR;
    let send = PS - SLR - DS - 100.0 + 0.004 * (PS - olr - DS - 14.0).powi(2);
    let room = PR + 10.0 * (1.0 + 10_f64.powf((10.0 - LSTR) / 10.0)).log10();
    let receive = RLR - 121.0 + room + 0.008 * (room - 35.0).powi(2);
    let powers = [NC, send, receive, NFOR + RLR].map(|level| 10_f64.powf(level / 10.0));
    10.0 * powers.iter().sum::<f64>().log10()
}

/// Is: too loud, sidetone, quantizing (equations 7-8 to 7-18).
fn simultaneous(ro: f64, noise: f64, delay_ms: f64) -> f64 {
    let olr = (SLR + RLR) + 0.2 * (64.0 + noise - RLR);
    let loudness = 20.0 * ((1.0 + (olr / 8.0).powi(8)).powf(1.0 / 8.0) - olr / 8.0);
    let sidetone = -10.0 * (10_f64.powf(-STMR / 10.0) + (-delay_ms / 4.0).exp() * 10_f64.powf(-TELR / 10.0)).log10();
    let ist = 12.0 * (1.0 + ((sidetone - 13.0) / 6.0).powi(8)).powf(1.0 / 8.0)
        - 28.0 * (1.0 + ((sidetone + 1.0) / 19.4).powi(35)).powf(1.0 / 35.0)
        - 13.0 * (1.0 + ((sidetone - 3.0) / 33.0).powi(13)).powf(1.0 / 13.0)
        + 29.0;
    let q = 37.0 - 15.0 * QDU.log10();
    let g = 1.07 + 0.258 * q + 0.0602 * q * q;
    let y = (ro - 100.0) / 15.0 + 46.0 / 8.4 - g / 9.0;
    let z = 46.0 / 30.0 - g / 40.0;
    loudness + ist + 15.0 * (1.0 + 10_f64.powf(y) + 10_f64.powf(z)).log10()
}

/// Idte, the talker's echo (equations 7-20 to 7-24).
fn talker_echo(noise: f64, delay_ms: f64) -> f64 {
    if delay_ms < 1.0 {
        return 0.0;
    }
    let terv = TELR - 40.0 * ((1.0 + delay_ms / 10.0) / (1.0 + delay_ms / 150.0)).log10()
        + 6.0 * (-0.3 * delay_ms * delay_ms).exp();
    let (roe, re) = (-1.5 * (noise - RLR), 80.0 + 2.5 * (terv - 14.0));
    let half = (roe - re) / 2.0;
    (half + (half * half + 100.0).sqrt() - 1.0) * (1.0 - (-delay_ms).exp())
}

/// Idle, the listener's echo (equations 7-25 and 7-26).
fn listener_echo(ro: f64, round_trip_ms: f64) -> f64 {
    let rle = 10.5 * (WEPL + 7.0) * (round_trip_ms + 1.0).powf(-0.25);
    let half = (ro - rle) / 2.0;
    half + (half * half + 169.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_default_values_give_93_2() {
        // G.107, section 7.7: "R = 93.2". To more digits it is 93.2062, as other implementations have it.
        assert!((rating(0.0) - 93.2062).abs() < 0.0001, "{}", rating(0.0));
    }

    #[test]
    fn the_absolute_delay_has_its_known_course() {
        // X = 1 at 200 ms: 25 (2^(1/6) - 3 (1 + 3^-6)^(1/6) + 2).
        let at_200 = 25.0 * (2_f64.powf(1.0 / 6.0) - 3.0 * (1.0 + 3_f64.powi(-6)).powf(1.0 / 6.0) + 2.0);
        assert!((absolute_delay(200.0) - at_200).abs() < 1e-9 && (at_200 - 3.044).abs() < 0.001);
        assert_eq!(absolute_delay(100.0), 0.0);
    }

    #[test]
    fn more_delay_is_never_better() {
        let ratings: Vec<f64> = (0..100).map(|step| rating(f64::from(step) * 10.0)).collect();
        assert!(ratings.windows(2).all(|pair| pair[1] < pair[0]), "{ratings:?}");
        assert!((89.0..90.0).contains(&rating(150.0)) && rating(400.0) < 65.0);
    }
}
