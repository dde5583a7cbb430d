//! Writes a capture file (libpcap's format, version 2.4, microseconds, Ethernet; pcap-savefile(5)).

use super::TimedFrame;
use anyhow::Result;
use std::io::Write;
use std::time::Duration;

/// Writes the frames; the first instant of the recording is `epoch` after 1970.
///
/// # Errors
/// When the output fails, or a time does not fit the format.
pub fn write_pcap(mut out: impl Write, epoch: Duration, frames: &[TimedFrame]) -> Result<()> {
    let mut header = Vec::with_capacity(24);
    header.extend_from_slice(&0xa1b2_c3d4_u32.to_le_bytes());
    header.extend_from_slice(&2_u16.to_le_bytes());
    header.extend_from_slice(&4_u16.to_le_bytes());
    header.extend_from_slice(&[0; 8]);
    header.extend_from_slice(&65_535_u32.to_le_bytes());
    header.extend_from_slice(&1_u32.to_le_bytes());
    out.write_all(&header)?;
    for frame in frames {
        let at = epoch + frame.at;
        let length = u32::try_from(frame.bytes.len())?.to_le_bytes();
        out.write_all(&u32::try_from(at.as_secs())?.to_le_bytes())?;
        out.write_all(&at.subsec_micros().to_le_bytes())?;
        out.write_all(&length)?;
        out.write_all(&length)?;
        out.write_all(&frame.bytes)?;
    }
    out.flush()?;
    Ok(())
}
