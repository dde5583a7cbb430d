//! The capture file that is written: pcapng, or the classic pcap that every tool reads. Only its owner may read it: it
//! holds somebody's numbers and voice.

use std::{
    fs::{File, OpenOptions, Permissions},
    io::{self, BufWriter, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use sniffer_core::{decode::LinkType, time::Timestamp};

use crate::{
    file::Packet,
    packets::{self, PcapngWriter},
};

/// A capture file being written.
pub struct Capture {
    target: PathBuf,
    kind: Kind,
    packets: u64,
}

enum Kind {
    Pcapng(PcapngWriter<BufWriter<File>>),
    /// Its first packet says its link type.
    Pcap(BufWriter<File>, Option<LinkType>),
}

impl Capture {
    /// Makes the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(target: &Path) -> Result<Self> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(target);
        let file = file.with_context(|| failed(target))?;
        let metadata = file.metadata().with_context(|| failed(target))?;
        // One that was there has the mode that it had; a device or a pipe keeps it.
        if metadata.is_file() && metadata.permissions().mode() & 0o777 != 0o600 {
            file.set_permissions(Permissions::from_mode(0o600)).with_context(|| failed(target))?;
        }
        let file = BufWriter::new(file);
        let is_pcapng = target.extension().is_some_and(|end| end.eq_ignore_ascii_case("pcapng"));
        let kind = if is_pcapng {
            Kind::Pcapng(PcapngWriter::new(file).with_context(|| failed(target))?)
        } else {
            Kind::Pcap(file, None)
        };
        Ok(Self { target: target.to_owned(), kind, packets: 0 })
    }

    /// Writes a packet.
    ///
    /// # Errors
    /// When the file cannot be written, or cannot hold packets of this link beside those it has.
    pub fn packet(&mut self, packet: &Packet<'_>) -> Result<()> {
        let written = match &mut self.kind {
            Kind::Pcapng(writer) => {
                let link = u16::try_from(packet.link.number())?;
                let original = u32::try_from(packet.frame.len())?;
                writer.packet(&packets::Packet { time: packet.time, link, original, bytes: packet.frame })
            }
            Kind::Pcap(output, first) => {
                let is_first = first.is_none();
                if *first.get_or_insert(packet.link) != packet.link {
                    bail!(
                        "the call's packets come from links of different kinds, which a pcap file cannot hold; let the name \
                         of the file to write end in .pcapng"
                    );
                }
                if is_first { header(output, packet.link) } else { Ok(()) }.and_then(|()| record(output, packet))
            }
        };
        self.packets = self.packets.saturating_add(1);
        written.with_context(|| failed(&self.target))
    }

    /// Ends the file, and says how many packets it has.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self) -> Result<u64> {
        match self.kind {
            Kind::Pcapng(writer) => writer.finish().map(|_| ()),
            Kind::Pcap(mut output, _) => output.flush(),
        }
        .with_context(|| failed(&self.target))?;
        Ok(self.packets)
    }
}

fn failed(target: &Path) -> String {
    format!("cannot write {}", target.display())
}

/// The header of a pcap file: magic of nanoseconds, version 2.4, time zone, accuracy, longest packet, link type.
fn header(output: &mut impl Write, link: LinkType) -> io::Result<()> {
    numbers(output, &[0xa1b2_3c4d, 0x0004_0002, 0, 0, 0x0004_0000, link.number()])
}

fn record(output: &mut impl Write, packet: &Packet<'_>) -> io::Result<()> {
    let (seconds, nanos) = parts(packet.time)?;
    let length = u32::try_from(packet.frame.len()).map_err(io::Error::other)?;
    numbers(output, &[seconds, nanos, length, length])?;
    output.write_all(packet.frame)
}

fn numbers(output: &mut impl Write, numbers: &[u32]) -> io::Result<()> {
    numbers.iter().try_for_each(|number| output.write_all(&number.to_le_bytes()))
}

fn parts(time: Timestamp) -> io::Result<(u32, u32)> {
    let nanos = time.as_nanos();
    let part = |number: i64| u32::try_from(number).map_err(io::Error::other);
    Ok((part(nanos.div_euclid(1_000_000_000))?, part(nanos.rem_euclid(1_000_000_000))?))
}
