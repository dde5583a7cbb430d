//! Extended reports (RFC 3611): all block types are walked; round trips and VoIP metrics are told, the others by their
//! type.

use super::middle;
use crate::{
    bytes::{u8_at, u16_at, u32_at},
    limits,
};

/// A block of an extended report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// Receiver reference time (type 4): lets a receiver that sends nothing measure the round trip.
    ReferenceTime {
        /// Who asks.
        reporter: u32,
        /// Middle 32 bits of its NTP time.
        ntp_middle: u32,
    },
    /// An answer to a reference time (type 5).
    Delay {
        /// Who answers.
        reporter: u32,
        /// Who asked.
        ssrc: u32,
        /// The reference time it answers; zero when there was none.
        last_reference: u32,
        /// Delay since then, in 1/65536 seconds.
        delay: u32,
    },
    /// Statistics of a stream (type 6).
    Statistics {
        /// The stream's source.
        ssrc: u32,
        /// Packets lost, where the report says.
        lost: Option<u32>,
        /// Packets that came twice, where the report says.
        duplicates: Option<u32>,
    },
    /// VoIP metrics of a stream (type 7).
    Voip {
        /// The stream's source.
        ssrc: u32,
        /// The figures.
        metrics: VoipMetrics,
    },
    /// Another block: lost packets (1), duplicates (2), receipt times (3), or a later standard's.
    Other {
        /// Its type.
        kind: u8,
    },
}

/// VoIP metrics (RFC 3611, section 4.7), as they are on the wire; 127 in the last four means unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VoipMetrics {
    /// Share of packets lost, in 1/256.
    pub loss_rate: u8,
    /// Share of packets that the jitter buffer discarded, in 1/256.
    pub discard_rate: u8,
    /// Share of packets lost and discarded within bursts, in 1/256.
    pub burst_density: u8,
    /// The same within gaps.
    pub gap_density: u8,
    /// Mean length of a burst in milliseconds.
    pub burst_duration: u16,
    /// Mean length of a gap in milliseconds.
    pub gap_duration: u16,
    /// Round trip in milliseconds; zero when unknown.
    pub round_trip: u16,
    /// Delay within the end system in milliseconds; zero when unknown.
    pub end_system_delay: u16,
    /// R of the connection as the far end rates it, 0 to 100.
    pub r_factor: u8,
    /// Listening quality MOS in tenths.
    pub mos_listening: u8,
    /// Conversational quality MOS in tenths.
    pub mos_conversational: u8,
    /// Nominal delay of its jitter buffer in milliseconds.
    pub buffer_nominal: u16,
    /// Present largest delay of its jitter buffer in milliseconds.
    pub buffer_maximum: u16,
}

/// Walks the blocks of an extended report (type 207).
pub fn walk(packet: &[u8], mut tell: impl FnMut(Block)) {
    let Some(reporter) = u32_at(packet, 4) else { return };
    let mut rest = packet.get(8..).unwrap_or_default();
    for _ in 0..limits::RTCP_PACKETS {
        let (Some(kind), Some(words)) = (u8_at(rest, 0), u16_at(rest, 2)) else { return };
        let length = usize::from(words).saturating_add(1).saturating_mul(4);
        let Some((block, after)) = rest.split_at_checked(length) else { return };
        tell_block(kind, reporter, block, &mut tell);
        rest = after;
    }
}

fn tell_block(kind: u8, reporter: u32, block: &[u8], tell: &mut impl FnMut(Block)) {
    let told = match kind {
        4 => reference_time(reporter, block),
        5 => {
            for sub_block in block.get(4..).unwrap_or_default().chunks_exact(12) {
                if let Some(delay) = delay(reporter, sub_block) {
                    tell(delay);
                }
            }
            return;
        }
        6 => statistics(block),
        7 => voip(block),
        _ => Some(Block::Other { kind }),
    };
    if let Some(told) = told {
        tell(told);
    }
}

fn reference_time(reporter: u32, block: &[u8]) -> Option<Block> {
    Some(Block::ReferenceTime { reporter, ntp_middle: middle(u32_at(block, 4)?, u32_at(block, 8)?) })
}

fn delay(reporter: u32, block: &[u8]) -> Option<Block> {
    Some(Block::Delay {
        reporter,
        ssrc: u32_at(block, 0)?,
        last_reference: u32_at(block, 4)?,
        delay: u32_at(block, 8)?,
    })
}

/// The bits L and D of the block's second byte say whether losses and duplicates were counted (section 4.6).
fn statistics(block: &[u8]) -> Option<Block> {
    let flags = u8_at(block, 1)?;
    Some(Block::Statistics {
        ssrc: u32_at(block, 4)?,
        lost: u32_at(block, 12).filter(|_| flags & 0x80 != 0),
        duplicates: u32_at(block, 16).filter(|_| flags & 0x40 != 0),
    })
}

fn voip(block: &[u8]) -> Option<Block> {
    let metrics = VoipMetrics {
        loss_rate: u8_at(block, 8)?,
        discard_rate: u8_at(block, 9)?,
        burst_density: u8_at(block, 10)?,
        gap_density: u8_at(block, 11)?,
        burst_duration: u16_at(block, 12)?,
        gap_duration: u16_at(block, 14)?,
        round_trip: u16_at(block, 16)?,
        end_system_delay: u16_at(block, 18)?,
        r_factor: u8_at(block, 24)?,
        mos_listening: u8_at(block, 26)?,
        mos_conversational: u8_at(block, 27)?,
        buffer_nominal: u16_at(block, 30)?,
        buffer_maximum: u16_at(block, 32)?,
    };
    Some(Block::Voip { ssrc: u32_at(block, 4)?, metrics })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(blocks: &[&[u8]]) -> Vec<Block> {
        let body = blocks.concat();
        let words = u16::try_from(body.len() / 4 + 1).unwrap().to_be_bytes();
        let packet = [&[0x80, 207, words[0], words[1], 0, 0, 0, 5][..], &body].concat();
        let mut told = Vec::new();
        walk(&packet, |block| told.push(block));
        told
    }

    #[test]
    fn every_block_type_of_the_rfc_is_walked() {
        let voip: Vec<u8> = [&[7, 0, 0, 8, 0, 0, 0, 9][..], &(10..38).collect::<Vec<u8>>()].concat();
        let statistics: Vec<u8> =
            [&[6, 0x80, 0, 9, 0, 0, 0, 9, 0, 1, 0, 9, 0, 0, 0, 3, 0, 0, 0, 4][..], &[0; 20]].concat();
        let told = report(&[
            &[1, 0, 0, 3, 0, 0, 0, 9, 0, 1, 0, 9, 0x80, 0, 0, 0],
            &[2, 0, 0, 2, 0, 0, 0, 9, 0, 1, 0, 9],
            &[3, 0, 0, 2, 0, 0, 0, 9, 0, 1, 0, 9],
            &[4, 0, 0, 2, 0xe0, 0, 0xab, 0xcd, 0x12, 0x34, 0, 0],
            &[5, 0, 0, 6, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 6],
            &statistics,
            &voip,
            &[20, 0, 0, 1, 1, 2, 3, 4],
        ]);
        let metrics = VoipMetrics {
            loss_rate: 10,
            discard_rate: 11,
            burst_density: 12,
            gap_density: 13,
            burst_duration: 0x0e0f,
            gap_duration: 0x1011,
            round_trip: 0x1213,
            end_system_delay: 0x1415,
            r_factor: 26,
            mos_listening: 28,
            mos_conversational: 29,
            buffer_nominal: 0x2021,
            buffer_maximum: 0x2223,
        };
        let expected = [
            Block::Other { kind: 1 },
            Block::Other { kind: 2 },
            Block::Other { kind: 3 },
            Block::ReferenceTime { reporter: 5, ntp_middle: 0xabcd_1234 },
            Block::Delay { reporter: 5, ssrc: 1, last_reference: 2, delay: 3 },
            Block::Delay { reporter: 5, ssrc: 4, last_reference: 5, delay: 6 },
            Block::Statistics { ssrc: 9, lost: Some(3), duplicates: None },
            Block::Voip { ssrc: 9, metrics },
            Block::Other { kind: 20 },
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_block_longer_than_its_report_ends_the_walk() {
        assert_eq!(report(&[&[4, 0, 0, 2, 1, 2, 3, 4], &[]]), []);
        assert_eq!(report(&[&[7, 0, 0, 0]]), [], "too short for its figures");
    }
}
