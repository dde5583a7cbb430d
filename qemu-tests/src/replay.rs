//! Plays frames into the monitoring port, at the speed of the recording or as fast as the machine takes them, and
//! reads capture files (pcap and pcapng).

use crate::clock;
use crate::traffic::TimedFrame;
use crate::wire::Wire;
use anyhow::{Context, Result, bail};
use pcap_parser::{Block, PcapBlockOwned, PcapError, create_reader};
use std::fs::File;
use std::path::Path;
use std::time::Duration;

/// The buffer of the capture file reader; a packet must fit.
const BUFFER: usize = 1024 * 1024;
/// Ethernet, as pcap and pcapng number link types.
const ETHERNET: i32 = 1;

/// How fast to play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speed {
    /// As recorded: what jitter is measured from.
    Recorded,
    /// As fast as the machine takes the frames.
    Fastest,
}

/// What was played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Played {
    /// Frames.
    pub frames: u64,
    /// Bytes in them.
    pub bytes: u64,
}

/// Plays frames into a port.
///
/// # Errors
/// When the machine takes no more frames.
pub fn play(wire: &Wire, frames: &[TimedFrame], speed: Speed) -> Result<Played> {
    play_while(wire, frames, speed, || true)
}

/// Plays frames into a port as long as `go_on` says so.
///
/// # Errors
/// When the machine takes no more frames.
pub fn play_while(wire: &Wire, frames: &[TimedFrame], speed: Speed, go_on: impl Fn() -> bool) -> Result<Played> {
    let start = clock::now();
    let mut played = Played::default();
    for frame in frames.iter().take_while(|_| go_on()) {
        if speed == Speed::Recorded {
            clock::wait_for_moment(start + frame.at);
        }
        wire.send(&frame.bytes)?;
        played.frames += 1;
        played.bytes += u64::try_from(frame.bytes.len())?;
    }
    Ok(played)
}

/// Reads the Ethernet frames of a capture file, with their times from the first one on.
///
/// # Errors
/// When it is no capture file, or one of another link type.
pub fn read_capture(path: &Path) -> Result<Vec<TimedFrame>> {
    let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
    let mut reader = create_reader(BUFFER, file).map_err(|error| anyhow::anyhow!("{}: {error:?}", path.display()))?;
    let mut stamped: Vec<(Duration, Vec<u8>)> = Vec::new();
    // Ticks per second of each interface; of the whole file for pcap.
    let mut units: Vec<u64> = Vec::new();
    loop {
        match reader.next() {
            Ok((used, block)) => {
                take_block(&block, &mut units, &mut stamped).with_context(|| path.display().to_string())?;
                reader.consume(used);
            }
            Err(PcapError::Eof) => break,
            Err(PcapError::Incomplete(_)) => {
                if reader.reader_exhausted() {
                    break;
                }
                reader.refill().map_err(|error| anyhow::anyhow!("{}: {error:?}", path.display()))?;
            }
            Err(error) => bail!("{}: {error:?}", path.display()),
        }
    }
    let first = stamped.first().map(|(at, _)| *at).unwrap_or_default();
    Ok(stamped.into_iter().map(|(at, bytes)| TimedFrame { at: at.saturating_sub(first), bytes }).collect())
}

fn take_block(block: &PcapBlockOwned<'_>, units: &mut Vec<u64>, stamped: &mut Vec<(Duration, Vec<u8>)>) -> Result<()> {
    match block {
        PcapBlockOwned::LegacyHeader(header) => {
            check_link(header.network.0)?;
            units.push(if header.is_nanosecond_precision() { 1_000_000_000 } else { 1_000_000 });
        }
        PcapBlockOwned::Legacy(packet) => {
            let unit = units.first().copied().unwrap_or(1_000_000);
            let at = Duration::from_secs(packet.ts_sec.into()) + ticks(packet.ts_usec.into(), unit);
            stamped.push((at, packet.data.to_vec()));
        }
        PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
            check_link(interface.linktype.0)?;
            units.push(interface.ts_resolution().unwrap_or(1_000_000));
        }
        PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
            let unit = units.get(usize::try_from(packet.if_id)?).copied().context("a packet of no interface")?;
            let at = ticks((u64::from(packet.ts_high) << 32) | u64::from(packet.ts_low), unit);
            let length = usize::try_from(packet.caplen)?;
            stamped.push((at, packet.data.get(..length).context("a short packet")?.to_vec()));
        }
        // Statistics, names and comments carry no frames.
        PcapBlockOwned::NG(_) => {}
    }
    Ok(())
}

fn check_link(number: i32) -> Result<()> {
    if number != ETHERNET {
        bail!("link type {number} is not Ethernet");
    }
    Ok(())
}

fn ticks(count: u64, unit: u64) -> Duration {
    let unit = unit.max(1);
    let nanoseconds = u128::from(count % unit) * 1_000_000_000 / u128::from(unit);
    Duration::from_secs(count / unit) + Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::{Plan, write_pcap};

    #[test]
    fn what_is_written_to_a_capture_file_is_read_back() {
        let traffic = Plan::office(5, 3, 2).make().unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        write_pcap(file.as_file(), Duration::from_secs(1_795_000_000), &traffic.frames).unwrap();
        let read = read_capture(file.path()).unwrap();
        assert_eq!(read.len(), traffic.frames.len());
        let first = traffic.frames[0].at.as_micros();
        for (was, is) in traffic.frames.iter().zip(&read) {
            assert_eq!(was.bytes, is.bytes);
            assert!((was.at.as_micros() - first).abs_diff(is.at.as_micros()) <= 1);
        }
    }

    #[test]
    fn a_text_file_is_no_capture() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hello, this is text and long enough for a header").unwrap();
        assert!(read_capture(file.path()).is_err());
    }
}
