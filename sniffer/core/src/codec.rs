//! What is known of codecs: static payload types (RFC 3551, section 6) and impairment figures for the E-model.

/// Name and clock rate of a static payload type, in hertz.
#[must_use]
pub fn static_type(payload_type: u8) -> Option<(&'static str, u32)> {
    Some(match payload_type {
        0 => ("PCMU", 8000),
        3 => ("GSM", 8000),
        4 => ("G723", 8000),
        5 => ("DVI4", 8000),
        6 => ("DVI4", 16000),
        7 => ("LPC", 8000),
        8 => ("PCMA", 8000),
        // G.722 samples at 16 kHz; its RTP clock is 8 kHz by an old error that stays (RFC 3551, section 4.5.2).
        9 => ("G722", 8000),
        10 | 11 => ("L16", 44100),
        12 => ("QCELP", 8000),
        // 19 was comfort noise before RFC 3389 made it 13.
        13 | 19 => ("CN", 8000),
        14 => ("MPA", 90000),
        15 => ("G728", 8000),
        16 => ("DVI4", 11025),
        17 => ("DVI4", 22050),
        18 => ("G729", 8000),
        25 => ("CelB", 90000),
        26 => ("JPEG", 90000),
        28 => ("nv", 90000),
        31 => ("H261", 90000),
        32 => ("MPV", 90000),
        33 => ("MP2T", 90000),
        34 => ("H263", 90000),
        _ => return None,
    })
}

/// The name of a well-known codec as its standard writes it.
#[must_use]
pub fn canonical(name: &str) -> Option<&'static str> {
    const NAMES: &[&str] = &[
        "PCMU",
        "PCMA",
        "GSM",
        "G723",
        "G722",
        "G728",
        "G729",
        "DVI4",
        "L16",
        "CN",
        "AMR",
        "AMR-WB",
        "iLBC",
        "opus",
        "speex",
        "EVS",
        "telephone-event",
    ];
    NAMES.iter().copied().find(|known| known.eq_ignore_ascii_case(name))
}

/// Says whether a payload is not speech: events (RFC 4733) or comfort noise (RFC 3389).
#[must_use]
pub fn is_auxiliary(name: &str) -> bool {
    ["telephone-event", "CN", "tone"].iter().any(|auxiliary| name.eq_ignore_ascii_case(auxiliary))
}

/// The E-model a codec is rated with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// Narrowband, ITU-T G.107: at most R 93.2.
    Narrowband,
    /// Fullband, ITU-T G.107.2: at most R 148, brought to the narrowband scale by 1.48.
    Fullband,
}

/// Impairment figures of a codec (ITU-T G.113, Appendix I).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Impairment {
    /// Which scale the figures belong to.
    pub scale: Scale,
    /// Equipment impairment factor Ie.
    pub ie: f64,
    /// Packet-loss robustness factor Bpl; none where only the loss-free figure is published.
    pub bpl: Option<f64>,
}

/// The impairment figures of a codec by its encoding name; none where nothing is published, and then there is no MOS.
///
/// G.711 is taken with packet loss concealment (G.711 Appendix I), which phones have; AMR as its 12.2 kbit/s mode, which
/// is GSM-EFR. Opus has the figures of rtpengine's fullband model.
#[must_use]
pub fn impairment(name: &str) -> Option<Impairment> {
    let narrowband = |ie, bpl| Impairment { scale: Scale::Narrowband, ie, bpl };
    const TABLE: &[(&str, f64, Option<f64>)] = &[
        ("PCMU", 0.0, Some(25.1)),
        ("PCMA", 0.0, Some(25.1)),
        ("G722", 5.0, Some(7.1)),
        ("G729", 11.0, Some(19.0)),
        ("G729A", 11.0, Some(19.0)),
        ("G723", 15.0, Some(16.1)),
        ("GSM", 20.0, Some(10.0)),
        ("GSM-EFR", 5.0, Some(10.0)),
        ("AMR", 5.0, Some(10.0)),
        ("G728", 7.0, None),
        ("G726-40", 2.0, None),
        ("G726-32", 7.0, None),
        ("G726-24", 25.0, None),
        ("G726-16", 50.0, None),
    ];
    if name.eq_ignore_ascii_case("opus") {
        return Some(Impairment { scale: Scale::Fullband, ie: 10.2, bpl: Some(4.3) });
    }
    let bare = name.strip_prefix("AAL2-").unwrap_or(name);
    TABLE.iter().find(|row| row.0.eq_ignore_ascii_case(bare)).map(|&(_, ie, bpl)| narrowband(ie, bpl))
}
