//! Writing pcapng (draft-ietf-opsawg-pcapng): one section, an interface for each link type, times in nanoseconds.

use std::io::{self, Write};

use super::Packet;

/// Writes a pcapng file.
#[derive(Debug)]
pub struct PcapngWriter<W> {
    output: W,
    links: Vec<u16>,
    packets: u64,
}

impl<W: Write> PcapngWriter<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(mut output: W) -> io::Result<Self> {
        // Section header: magic of the byte order, version 1.0, length not known.
        let mut body = 0x1a2b_3c4d_u32.to_le_bytes().to_vec();
        body.extend([1, 0, 0, 0]);
        body.extend([0xff; 8]);
        block(&mut output, 0x0a0d_0d0a, &body)?;
        Ok(Self { output, links: Vec::new(), packets: 0 })
    }

    /// Writes a packet.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn packet(&mut self, packet: &Packet<'_>) -> io::Result<()> {
        let interface = match self.links.iter().position(|link| *link == packet.link) {
            Some(interface) => interface,
            None => {
                // Interface description: no limit to the length of packets; if_tsresol 9: nanoseconds.
                let mut body = packet.link.to_le_bytes().to_vec();
                body.extend([0, 0, 0, 0, 0, 0]);
                body.extend([9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0]);
                block(&mut self.output, 1, &body)?;
                self.links.push(packet.link);
                self.links.len().saturating_sub(1)
            }
        };
        let time = u64::try_from(packet.time.as_nanos()).unwrap_or(0);
        let length = u32::try_from(packet.bytes.len()).map_err(io::Error::other)?;
        let mut body = Vec::with_capacity(packet.bytes.len().saturating_add(24));
        body.extend(u32::try_from(interface).map_err(io::Error::other)?.to_le_bytes());
        body.extend(u32::try_from(time >> 32).unwrap_or(0).to_le_bytes());
        body.extend(u32::try_from(time & 0xffff_ffff).unwrap_or(0).to_le_bytes());
        body.extend(length.to_le_bytes());
        body.extend(packet.original.to_le_bytes());
        body.extend_from_slice(packet.bytes);
        body.resize(body.len().next_multiple_of(4), 0);
        self.packets = self.packets.saturating_add(1);
        block(&mut self.output, 6, &body)
    }

    /// Packets written.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.output.flush()?;
        Ok(self.output)
    }
}

fn block(output: &mut impl Write, kind: u32, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(body.len().saturating_add(12)).map_err(io::Error::other)?.to_le_bytes();
    output.write_all(&kind.to_le_bytes())?;
    output.write_all(&length)?;
    output.write_all(body)?;
    output.write_all(&length)
}
