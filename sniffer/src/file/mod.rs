//! Capture files: pcap and pcapng in all byte orders and time resolutions, told apart by their first bytes. Files are
//! foreign input: every length is checked before it is believed, and what was read before damage is kept.

mod pcap;
mod pcapng;
#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

use sniffer_core::{decode::LinkType, time::Timestamp};
use thiserror::Error;

use crate::limits;

/// Why a capture file could not be read, or not to its end.
#[derive(Debug, Error)]
pub enum FileError {
    /// Reading failed.
    #[error("reading failed")]
    Io(#[from] io::Error),
    /// Neither pcap nor pcapng.
    #[error("this is not a capture file: it begins like neither pcap nor pcapng")]
    UnknownFormat,
    /// The file ends within a packet.
    #[error("the file ends within a packet: it was cut")]
    Cut,
    /// A length or a field contradicts the format.
    #[error("the file is damaged: {0}")]
    Damaged(&'static str),
}

/// A packet of a capture file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// How the frame begins.
    pub link: LinkType,
    /// When it was captured.
    pub time: Timestamp,
    /// Its bytes, as many as were captured.
    pub frame: &'a [u8],
}

/// A capture file being read.
#[derive(Debug)]
pub struct CaptureFile<R> {
    source: Source<R>,
    format: Format,
}

#[derive(Debug)]
enum Format {
    Pcap(pcap::Pcap),
    PcapNg(pcapng::PcapNg),
}

impl CaptureFile<BufReader<File>> {
    /// Opens a file.
    ///
    /// # Errors
    /// When it cannot be read or is not a capture file.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        Self::new(BufReader::with_capacity(1 << 20, File::open(path)?))
    }
}

impl<R: Read> CaptureFile<R> {
    /// Begins to read a capture.
    ///
    /// # Errors
    /// When it cannot be read or is not a capture file.
    pub fn new(reader: R) -> Result<Self, FileError> {
        let mut source = Source { reader, buffer: Vec::new() };
        let magic = match source.take(4) {
            Ok(bytes) => bytes.first_chunk::<4>().copied().ok_or(FileError::UnknownFormat)?,
            Err(FileError::Cut) => return Err(FileError::UnknownFormat),
            Err(error) => return Err(error),
        };
        let format = if magic == pcapng::SECTION_HEADER {
            Format::PcapNg(pcapng::PcapNg::open(&mut source)?)
        } else {
            Format::Pcap(pcap::Pcap::open(magic, &mut source)?)
        };
        Ok(Self { source, format })
    }

    /// The next packet; none at the end of the file.
    ///
    /// # Errors
    /// When the file is damaged or cut; what came before is good.
    pub fn next_packet(&mut self) -> Result<Option<Packet<'_>>, FileError> {
        match &mut self.format {
            Format::Pcap(pcap) => pcap.next_packet(&mut self.source),
            Format::PcapNg(pcapng) => pcapng.next_packet(&mut self.source),
        }
    }
}

/// Bytes of the file in the order in which they come, held in one buffer that is used again and again.
#[derive(Debug)]
struct Source<R> {
    reader: R,
    buffer: Vec<u8>,
}

impl<R: Read> Source<R> {
    /// The next `length` bytes.
    fn take(&mut self, length: usize) -> Result<&[u8], FileError> {
        match self.take_or_end(length)? {
            Some(bytes) => Ok(bytes),
            None => Err(FileError::Cut),
        }
    }

    /// The next `length` bytes; none when the file ends before the first of them.
    fn take_or_end(&mut self, length: usize) -> Result<Option<&[u8]>, FileError> {
        if length > limits::FILE_BLOCK {
            return Err(FileError::Damaged("a length is larger than any packet"));
        }
        if self.buffer.len() < length {
            self.buffer.resize(length, 0);
        }
        let place = self.buffer.get_mut(..length).unwrap_or_default();
        let mut filled = 0;
        while filled < length {
            match self.reader.read(place.get_mut(filled..).unwrap_or_default()) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(FileError::Cut),
                Ok(count) => filled = filled.saturating_add(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(self.buffer.get(..length))
    }
}

/// Byte order of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Big,
    Little,
}

impl Order {
    fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(match self {
            Self::Big => u16::from_be_bytes(bytes),
            Self::Little => u16::from_le_bytes(bytes),
        })
    }

    fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(match self {
            Self::Big => u32::from_be_bytes(bytes),
            Self::Little => u32::from_le_bytes(bytes),
        })
    }

    fn u64(self, bytes: &[u8], at: usize) -> Option<u64> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(match self {
            Self::Big => u64::from_be_bytes(bytes),
            Self::Little => u64::from_le_bytes(bytes),
        })
    }
}

/// A 32-bit length as a size.
fn size(length: u32) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}
