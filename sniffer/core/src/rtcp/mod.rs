//! RTCP (RFC 3550, section 6; RFC 3611): compound packets are walked and their reports told one by one. What is
//! encrypted (SRTCP, RFC 3711, section 3.4) is recognised and not interpreted.

pub mod session;
pub mod xr;

use crate::{
    bytes::{u8_at, u16_at, u32_at},
    drops::Reason,
    limits,
};

/// What a compound packet holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compound {
    /// Sender reports (type 200).
    pub sender_reports: u32,
    /// Receiver reports (type 201).
    pub receiver_reports: u32,
    /// Packets of all other types.
    pub others: u32,
    /// What follows the first eight bytes is encrypted: only the first packet's type and sender are known.
    pub is_encrypted: bool,
}

/// One thing that a compound packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// A sender report's own part.
    Sender(SenderReport),
    /// What a receiver reports of a stream, in a sender or a receiver report.
    Report(ReportBlock),
    /// A source description (SDES): whom it is about. Its texts name people and are not read.
    Description {
        /// Synchronisation source.
        ssrc: u32,
    },
    /// A source says goodbye.
    Bye {
        /// Synchronisation source.
        ssrc: u32,
    },
    /// A block of an extended report (RFC 3611).
    Extended(xr::Block),
    /// Reports of this source that are encrypted.
    Encrypted {
        /// Synchronisation source.
        ssrc: u32,
    },
}

/// What a sender says of itself (RFC 3550, section 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderReport {
    /// The sender.
    pub ssrc: u32,
    /// The middle 32 bits of its NTP time: the form in which a receiver sends it back.
    pub ntp_middle: u32,
    /// RTP packets it has sent.
    pub packets: u32,
}

/// What a receiver says of a stream (RFC 3550, section 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportBlock {
    /// Who reports.
    pub reporter: u32,
    /// The stream's source.
    pub ssrc: u32,
    /// Share of packets lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost since the beginning; negative when duplicates outnumber losses.
    pub lost: i32,
    /// Extended highest sequence number received.
    pub highest: u32,
    /// Interarrival jitter in timestamp units.
    pub jitter: u32,
    /// Middle 32 bits of the last sender report's NTP time; zero when there was none.
    pub last_sender_report: u32,
    /// Delay since that report, in 1/65536 seconds.
    pub delay: u32,
}

/// Says whether a datagram with version 2 is RTCP and not RTP: its second byte is a type from 192 to 223 (RFC 5761,
/// section 4).
#[must_use]
pub fn has_rtcp_type(datagram: &[u8]) -> bool {
    u8_at(datagram, 1).is_some_and(|kind| (192..=223).contains(&kind))
}

/// Walks a compound packet and tells what it says. What follows the first packet may be encrypted or cut off by the
/// capture: the walk ends there.
///
/// # Errors
/// When the first packet is longer than the datagram, or of a type that begins no compound packet.
pub fn walk(datagram: &[u8], mut tell: impl FnMut(Item)) -> Result<Compound, Reason> {
    let (kind, length) = header(datagram).ok_or(Reason::RtcpHeader)?;
    // RFC 3550, section 6.1, and RFC 5506: reports, feedback or XR come first; other types there are not RTCP.
    if !(200..=207).contains(&kind) || length > datagram.len() {
        return Err(Reason::RtcpHeader);
    }
    let mut compound = Compound { is_encrypted: is_encrypted(datagram, length), ..Compound::default() };
    if compound.is_encrypted {
        compound.count(kind);
        if let Some(ssrc) = u32_at(datagram, 4) {
            tell(Item::Encrypted { ssrc });
        }
        return Ok(compound);
    }
    let mut rest = datagram;
    for _ in 0..limits::RTCP_PACKETS {
        let Some((kind, length)) = header(rest) else { break };
        let Some((packet, after)) = rest.split_at_checked(length) else { break };
        compound.count(kind);
        tell_packet(kind, packet, &mut tell);
        rest = after;
    }
    Ok(compound)
}

/// Counts what a compound packet holds.
///
/// # Errors
/// As [`walk`].
pub fn parse(datagram: &[u8]) -> Result<Compound, Reason> {
    walk(datagram, |_| {})
}

impl Compound {
    fn count(&mut self, kind: u8) {
        match kind {
            200 => self.sender_reports += 1,
            201 => self.receiver_reports += 1,
            _ => self.others += 1,
        }
    }
}

/// Says whether the rest is SRTCP: what follows the first packet is no RTCP. The second one's header is encrypted too,
/// and a lone packet is followed by a bit E with an index, and an authentication tag; neither looks like a header with
/// an assigned type.
fn is_encrypted(datagram: &[u8], first: usize) -> bool {
    let Some(rest) = datagram.get(first..) else { return false };
    match header(rest) {
        Some((kind, _)) => !(200..=213).contains(&kind),
        // Zeros that fill up a packet are neither.
        None => rest.len() >= 4 && rest.iter().any(|&byte| byte != 0),
    }
}

/// Type and length in bytes of the packet that begins here.
fn header(bytes: &[u8]) -> Option<(u8, usize)> {
    u8_at(bytes, 0).filter(|byte| byte >> 6 == 2)?;
    let kind = u8_at(bytes, 1).filter(|kind| (192..=223).contains(kind))?;
    let words = usize::from(u16_at(bytes, 2)?);
    Some((kind, words.saturating_add(1).saturating_mul(4)))
}

fn tell_packet(kind: u8, packet: &[u8], tell: &mut impl FnMut(Item)) {
    let count = usize::from(u8_at(packet, 0).unwrap_or(0) & 0x1f);
    match kind {
        200 => {
            if let Some(report) = sender_report(packet) {
                tell(Item::Sender(report));
            }
            report_blocks(packet, 28, count).for_each(|block| tell(Item::Report(block)));
        }
        201 => report_blocks(packet, 8, count).for_each(|block| tell(Item::Report(block))),
        202 => describe(packet, count, tell),
        203 => {
            for at in 0..count {
                if let Some(ssrc) = u32_at(packet, at.saturating_mul(4).saturating_add(4)) {
                    tell(Item::Bye { ssrc });
                }
            }
        }
        207 => xr::walk(packet, |block| tell(Item::Extended(block))),
        // APP (204), transport and payload feedback (205, 206) and whatever comes after: their length is enough.
        _ => {}
    }
}

fn sender_report(packet: &[u8]) -> Option<SenderReport> {
    let (seconds, fraction) = (u32_at(packet, 8)?, u32_at(packet, 12)?);
    Some(SenderReport { ssrc: u32_at(packet, 4)?, ntp_middle: middle(seconds, fraction), packets: u32_at(packet, 20)? })
}

/// The middle 32 bits of an NTP timestamp.
fn middle(seconds: u32, fraction: u32) -> u32 {
    (seconds << 16) | (fraction >> 16)
}

fn report_blocks(packet: &[u8], start: usize, count: usize) -> impl Iterator<Item = ReportBlock> {
    let reporter = u32_at(packet, 4);
    (0..count).map_while(move |number| {
        let block = packet.get(number.saturating_mul(24).saturating_add(start)..)?;
        let losses = u32_at(block, 4)?;
        Some(ReportBlock {
            reporter: reporter?,
            ssrc: u32_at(block, 0)?,
            fraction_lost: u8_at(block, 4)?,
            // 24 bits with a sign.
            lost: (losses << 8).cast_signed() >> 8,
            highest: u32_at(block, 8)?,
            jitter: u32_at(block, 12)?,
            last_sender_report: u32_at(block, 16)?,
            delay: u32_at(block, 20)?,
        })
    })
}

/// Chunks of a source description (RFC 3550, section 6.5): a source, items of type, length and text, a zero, padding.
fn describe(packet: &[u8], count: usize, tell: &mut impl FnMut(Item)) {
    let mut at = 4_usize;
    for _ in 0..count {
        let Some(ssrc) = u32_at(packet, at) else { return };
        tell(Item::Description { ssrc });
        at = at.saturating_add(4);
        while u8_at(packet, at).is_some_and(|kind| kind != 0) {
            let Some(length) = u8_at(packet, at.saturating_add(1)) else { return };
            at = at.saturating_add(2).saturating_add(usize::from(length));
        }
        at = at.saturating_add(4) & !3;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(datagram: &[u8]) -> Vec<Item> {
        let mut items = Vec::new();
        walk(datagram, |item| items.push(item)).unwrap();
        items
    }

    /// A sender report of 0x11 with one block about 0x22.
    fn sender() -> Vec<u8> {
        let mut packet = vec![0x81, 200, 0, 12, 0, 0, 0, 0x11];
        packet.extend([0xe0, 0, 0xab, 0xcd, 0x12, 0x34, 0, 0, 0, 0, 0, 160, 0, 0, 1, 0, 0, 0, 9, 9]);
        packet.extend([
            0, 0, 0, 0x22, 64, 0xff, 0xff, 0xfe, 0, 1, 0, 5, 0, 0, 0, 80, 0xab, 0xcd, 0x12, 0x34, 0, 1, 0x80, 0,
        ]);
        packet
    }

    #[test]
    fn a_compound_packet_is_counted_by_type() {
        let report = [0x80, 201, 0, 1, 0, 0, 0, 7];
        let description = [0x81, 202, 0, 2, 0, 0, 0, 7, 1, 0, 0, 0];
        let compound = parse(&[report.as_slice(), &description, &report].concat()).unwrap();
        assert_eq!(compound, Compound { receiver_reports: 2, others: 1, ..Compound::default() });
    }

    #[test]
    fn a_first_packet_longer_than_the_datagram_is_refused_and_a_later_one_ends_the_walk() {
        assert_eq!(parse(&[0x80, 200, 0, 6, 0, 0, 0, 1]), Err(Reason::RtcpHeader));
        assert_eq!(parse(&[0x80]), Err(Reason::RtcpHeader));
        assert_eq!(parse(&[0x80, 199, 0, 0]), Err(Reason::RtcpHeader));
        let cut = [0x80, 201, 0, 1, 0, 0, 0, 7, 0x80, 200, 0, 60, 1, 2, 3, 4];
        let compound = parse(&cut).unwrap();
        assert_eq!((compound.receiver_reports, compound.sender_reports, compound.is_encrypted), (1, 0, false));
    }

    #[test]
    fn reports_are_told_with_their_figures() {
        let block = ReportBlock {
            reporter: 0x11,
            ssrc: 0x22,
            fraction_lost: 64,
            lost: -2,
            highest: 0x1_0005,
            jitter: 80,
            last_sender_report: 0xabcd_1234,
            delay: 0x0001_8000,
        };
        let sent = SenderReport { ssrc: 0x11, ntp_middle: 0xabcd_1234, packets: 256 };
        assert_eq!(items(&sender()), [Item::Sender(sent), Item::Report(block)]);
    }

    #[test]
    fn goodbyes_and_descriptions_name_their_sources_and_nothing_more() {
        let description =
            [&[0x82, 202, 0, 6][..], &[0, 0, 0, 7, 1, 5], b"alice", &[0], &[0, 0, 0, 8, 1, 2], b"bo", &[0, 0, 0, 0]]
                .concat();
        let bye = [0x82, 203, 0, 2, 0, 0, 0, 7, 0, 0, 0, 8];
        let report = [0x80, 201, 0, 1, 0, 0, 0, 7];
        let told = items(&[&report[..], &description, &bye].concat());
        let expected = [
            Item::Description { ssrc: 7 },
            Item::Description { ssrc: 8 },
            Item::Bye { ssrc: 7 },
            Item::Bye { ssrc: 8 },
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn feedback_and_application_packets_are_passed_over() {
        let feedback = [0x8f, 205, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0xff, 0xff, 0xff, 0xff];
        let application = [0x80, 204, 0, 2, 0, 0, 0, 1, b'a', b'b', b'c', b'd'];
        let compound = parse(&[&sender()[..], &feedback, &application].concat()).unwrap();
        assert_eq!((compound.sender_reports, compound.others, compound.is_encrypted), (1, 2, false));
    }

    #[test]
    fn srtcp_is_recognised_and_its_reports_are_not_believed() {
        // A lone report: what follows the first eight bytes is noise, then E and index, then a tag of 80 bits.
        let mut lone = sender();
        lone[8..].iter_mut().for_each(|byte| *byte ^= 0x5a);
        lone.extend([0x80, 0, 0, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(items(&lone), [Item::Encrypted { ssrc: 0x11 }]);
        // A compound one: the second packet's header is noise.
        let mut compound = [sender(), vec![0x81, 202, 0, 2, 0, 0, 0, 7, 1, 0, 0, 0]].concat();
        compound[8..].iter_mut().for_each(|byte| *byte ^= 0x5a);
        compound.extend([0x80, 0, 0, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(items(&compound), [Item::Encrypted { ssrc: 0x11 }]);
    }

    #[test]
    fn zeros_behind_a_report_do_not_make_it_encrypted() {
        let told = items(&[sender(), vec![0; 8]].concat());
        assert_eq!(told, items(&sender()));
        assert_eq!(items(&[sender(), vec![0, 0, 0, 1]].concat()), [Item::Encrypted { ssrc: 0x11 }]);
    }

    #[test]
    fn any_bytes_end_the_walk_and_never_panic() {
        let mut state = 99_u32;
        for length in 0..2000_usize {
            let mut bytes: Vec<u8> = (0..length % 300)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    u8::try_from(state >> 24).unwrap()
                })
                .collect();
            if let [first, second, ..] = bytes.as_mut_slice() {
                (*first, *second) = (0x80 | (*first & 0x3f), 200 + *second % 8);
            }
            if let [_, _, high, low, ..] = bytes.as_mut_slice() {
                (*high, *low) = (0, *low % 40);
            }
            let mut told = 0;
            if let Ok(compound) = walk(&bytes, |_| told += 1) {
                assert!(told <= bytes.len(), "{compound:?}");
            }
        }
    }
}
