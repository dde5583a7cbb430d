//! What is known of codecs: static payload types (RFC 3551, section 6), what they carry, and impairment figures for the
//! E-model.

/// Name and clock rate of a static payload type, in hertz.
#[must_use]
pub fn static_type(payload_type: u8) -> Option<(&'static str, u32)> {
    Some(match payload_type {
        0 => ("PCMU", 8000),
        // 1 and 2 are reserved since RFC 3551; RFC 1890 had 1016 and G.721 there, and phones still send G.726 as 2.
        1 => ("1016", 8000),
        2 => ("G726-32", 8000),
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
        "G726-16",
        "G726-24",
        "G726-32",
        "G726-40",
        "G7221",
        "GSM-EFR",
        "GSM-HR-08",
        "SILK",
        "red",
        "rtx",
        "ulpfec",
        "H261",
        "H263",
        "H263-1998",
        "H264",
        "H265",
        "VP8",
        "VP9",
        "AV1",
        "t38",
        "tone",
    ];
    NAMES.iter().copied().find(|known| known.eq_ignore_ascii_case(name))
}

/// What a codec carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// Speech or other sound.
    Audio,
    /// Pictures, and what repairs them.
    Video,
    /// Digits and tones (RFC 4733): all packets of an event have the timestamp of its beginning.
    Event,
    /// Comfort noise (RFC 3389): sent in the pauses of speech.
    Noise,
}

/// What a codec carries, by its encoding name; sound where nothing is known.
#[must_use]
pub fn media(name: &str) -> Media {
    const TABLE: &[(&str, Media)] = &[
        ("telephone-event", Media::Event),
        ("tone", Media::Event),
        ("CN", Media::Noise),
        ("CelB", Media::Video),
        ("JPEG", Media::Video),
        ("nv", Media::Video),
        ("H261", Media::Video),
        ("MPV", Media::Video),
        ("MP2T", Media::Video),
        ("H263", Media::Video),
        ("H263-1998", Media::Video),
        ("H263-2000", Media::Video),
        ("H264", Media::Video),
        ("H264-SVC", Media::Video),
        ("H265", Media::Video),
        ("VP8", Media::Video),
        ("VP9", Media::Video),
        ("AV1", Media::Video),
        ("rtx", Media::Video),
        ("ulpfec", Media::Video),
        ("flexfec-03", Media::Video),
        ("MP4V-ES", Media::Video),
        ("theora", Media::Video),
        ("MP1S", Media::Video),
        ("MP2P", Media::Video),
    ];
    TABLE.iter().find(|row| row.0.eq_ignore_ascii_case(name)).map_or(Media::Audio, |row| row.1)
}

/// Says whether a payload is not speech: events (RFC 4733) or comfort noise (RFC 3389).
#[must_use]
pub fn is_auxiliary(name: &str) -> bool {
    matches!(media(name), Media::Event | Media::Noise)
}

/// The largest payload of a codec that holds no speech: a silence descriptor, or nothing at all. Zero where the codec
/// has none of its own.
///
/// G.729 Annex B has 2 octets, G.723.1 Annex A 4; AMR and AMR-WB have 7 with their headers (RFC 4867, in both formats),
/// EVS 7 with its header; Opus sends at most 2 in its pauses (RFC 6716, section 3.1).
#[must_use]
pub fn silence_octets(name: &str) -> u8 {
    const TABLE: &[(&str, u8)] =
        &[("G729", 2), ("G729A", 2), ("G723", 4), ("AMR", 7), ("AMR-WB", 7), ("EVS", 7), ("opus", 2)];
    TABLE.iter().find(|row| row.0.eq_ignore_ascii_case(name)).map_or(0, |row| row.1)
}

/// The E-model a codec is rated with. MOS of different scales are not to be compared with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Narrowband, ITU-T G.107: R is at most 93.2.
    Narrowband,
    /// Wideband, ITU-T G.107.1: R is at most 129.
    Wideband,
    /// Fullband, ITU-T G.107.2: R is at most 148.
    Fullband,
}

/// Impairment figures of a codec (ITU-T G.113, Appendix I, and IV for wideband codecs).
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
/// G.113 (11/2007) has Ie of all narrowband codecs here in Appendix I, and Bpl of four only: G.711 with and without
/// concealment, G.723.1, G.729A and GSM-EFR. G.711 is taken with packet loss concealment (G.711 Appendix I), which phones
/// have; AMR as its 12.2 kbit/s mode, which is GSM-EFR. Wideband codecs have Table IV.1 (one ear); AMR-WB is taken as its mode of 12.65 kbit/s, which VoLTE uses
/// most, with the Bpl of Table IV.4, and G.722 at 64 kbit/s with the 7.1 that other monitors use. Opus has the figures
/// of rtpengine's fullband model. iLBC, Speex, EVS and others have no published figures on these scales.
#[must_use]
pub fn impairment(name: &str) -> Option<Impairment> {
    use Scale::{Fullband, Narrowband, Wideband};
    const TABLE: &[(&str, Scale, f64, Option<f64>)] = &[
        ("PCMU", Narrowband, 0.0, Some(25.1)),
        ("PCMA", Narrowband, 0.0, Some(25.1)),
        ("G729", Narrowband, 11.0, Some(19.0)),
        ("G729A", Narrowband, 11.0, Some(19.0)),
        ("G723", Narrowband, 15.0, Some(16.1)),
        ("GSM", Narrowband, 20.0, None),
        ("GSM-HR-08", Narrowband, 23.0, None),
        ("GSM-EFR", Narrowband, 5.0, Some(10.0)),
        ("AMR", Narrowband, 5.0, Some(10.0)),
        ("G728", Narrowband, 7.0, None),
        ("G726-40", Narrowband, 2.0, None),
        ("G726-32", Narrowband, 7.0, None),
        ("G726-24", Narrowband, 25.0, None),
        ("G726-16", Narrowband, 50.0, None),
        ("G722", Wideband, 13.0, Some(7.1)),
        ("G7221", Wideband, 13.0, None),
        ("AMR-WB", Wideband, 13.0, Some(4.3)),
        ("opus", Fullband, 10.2, Some(4.3)),
    ];
    let bare = name.strip_prefix("AAL2-").unwrap_or(name);
    let &(_, scale, ie, bpl) = TABLE.iter().find(|row| row.0.eq_ignore_ascii_case(bare))?;
    Some(Impairment { scale, ie, bpl })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_static_type_of_rfc_3551_is_known_and_no_other() {
        let known: Vec<u8> = (0..128).filter(|&number| static_type(number).is_some()).collect();
        let table = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 25, 26, 28, 31, 32, 33, 34];
        assert_eq!(known, table);
        for number in [25, 26, 28, 31, 32, 33, 34] {
            assert_eq!(media(static_type(number).unwrap().0), Media::Video, "{number}");
        }
        assert_eq!((media("cn"), media("Telephone-Event"), media("PCMU")), (Media::Noise, Media::Event, Media::Audio));
    }

    #[test]
    fn silence_descriptors_are_told_by_their_size() {
        assert_eq!((silence_octets("g729"), silence_octets("AMR-WB"), silence_octets("PCMA")), (2, 7, 0));
    }
}
