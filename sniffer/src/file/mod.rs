//! Capture files: pcap and pcapng in all byte orders and time resolutions, also compressed with gzip, told apart by
//! their first bytes. Files are foreign input: every length is checked before it is believed, and what was read before
//! damage is kept. A packet is not copied: it lies in the block that was read.

mod pcap;
mod pcapng;
#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io::{self, Chain, Cursor, Read},
    path::Path,
};

use flate2::read::MultiGzDecoder;
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
    /// There is nothing in it.
    #[error("the file is empty")]
    Empty,
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
pub struct CaptureFile<R = Input> {
    source: Source<R>,
    format: Format,
}

/// A file, with the bytes that were read to see what it is.
type Whole = Chain<Cursor<Vec<u8>>, File>;

/// A file as it is, or what it holds compressed.
#[derive(Debug)]
pub enum Input {
    /// As it is.
    Plain(Whole),
    /// Compressed with gzip (RFC 1952), perhaps in several parts.
    Gzip(Box<MultiGzDecoder<Whole>>),
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(buffer),
            Self::Gzip(file) => file.read(buffer),
        }
    }
}

#[derive(Debug)]
enum Format {
    Pcap(pcap::Pcap),
    PcapNg(pcapng::PcapNg),
}

impl CaptureFile {
    /// Opens a file.
    ///
    /// # Errors
    /// When it cannot be read or is not a capture file.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let mut file = File::open(path)?;
        let mut begin = Vec::new();
        Read::by_ref(&mut file).take(2).read_to_end(&mut begin)?;
        let is_gzip = begin == [0x1f, 0x8b];
        let whole = Cursor::new(begin).chain(file);
        Self::new(if is_gzip { Input::Gzip(Box::new(MultiGzDecoder::new(whole))) } else { Input::Plain(whole) })
    }
}

impl<R: Read> CaptureFile<R> {
    /// Begins to read a capture.
    ///
    /// # Errors
    /// When it cannot be read or is not a capture file.
    pub fn new(reader: R) -> Result<Self, FileError> {
        let mut source = Source::new(reader);
        let magic = match source.take_or_end(4) {
            Ok(Some(bytes)) => bytes.first_chunk::<4>().copied().ok_or(FileError::UnknownFormat)?,
            Ok(None) => return Err(FileError::Empty),
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
    #[inline]
    pub fn next_packet(&mut self) -> Result<Option<Packet<'_>>, FileError> {
        match &mut self.format {
            Format::Pcap(pcap) => pcap.next_packet(&mut self.source),
            Format::PcapNg(pcapng) => pcapng.next_packet(&mut self.source),
        }
    }
}

/// Bytes of the file in the order in which they come: one buffer, filled in large blocks, out of which packets are lent.
#[derive(Debug)]
struct Source<R> {
    reader: R,
    buffer: Vec<u8>,
    /// What of the buffer was read from the file and not taken yet.
    from: usize,
    to: usize,
}

impl<R: Read> Source<R> {
    fn new(reader: R) -> Self {
        Self { reader, buffer: vec![0; limits::FILE_BUFFER], from: 0, to: 0 }
    }

    /// What of the buffer was not taken yet.
    #[inline]
    fn left(&self) -> &[u8] {
        self.buffer.get(self.from..self.to).unwrap_or_default()
    }

    /// So many bytes behind others that are passed over, of what is left.
    #[inline]
    fn lend(&mut self, pass: usize, length: usize) -> &[u8] {
        let from = self.from.saturating_add(pass);
        self.from = from.saturating_add(length).min(self.to);
        self.buffer.get(from..self.from).unwrap_or_default()
    }

    /// The next `length` bytes.
    fn take(&mut self, length: usize) -> Result<&[u8], FileError> {
        match self.take_or_end(length)? {
            Some(bytes) => Ok(bytes),
            None => Err(FileError::Cut),
        }
    }

    /// The next `length` bytes; none when the file ends before the first of them.
    fn take_or_end(&mut self, length: usize) -> Result<Option<&[u8]>, FileError> {
        if self.to.saturating_sub(self.from) < length && !self.fill(length)? {
            return Ok(None);
        }
        let from = self.from;
        self.from = from.saturating_add(length);
        Ok(self.buffer.get(from..self.from))
    }

    /// Passes over bytes, however many they are.
    fn pass(&mut self, mut length: usize) -> Result<(), FileError> {
        while length > 0 {
            let piece = length.min(limits::FILE_BUFFER);
            self.take(piece)?;
            length = length.saturating_sub(piece);
        }
        Ok(())
    }

    /// Reads on until the buffer holds the next `length` bytes. False when the file ends before the first of them.
    #[cold]
    fn fill(&mut self, length: usize) -> Result<bool, FileError> {
        if length > limits::FILE_BLOCK {
            return Err(FileError::Damaged("a length is larger than any packet"));
        }
        self.buffer.copy_within(self.from..self.to, 0);
        self.to = self.to.saturating_sub(self.from);
        self.from = 0;
        if self.buffer.len() < length {
            self.buffer.resize(length, 0);
        }
        while self.to < length {
            match self.reader.read(self.buffer.get_mut(self.to..).unwrap_or_default()) {
                Ok(0) if self.to == 0 => return Ok(false),
                Ok(0) => return Err(FileError::Cut),
                Ok(count) => self.to = self.to.saturating_add(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A compressed file ends like this where it was cut.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(FileError::Cut),
                Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => {
                    return Err(FileError::Damaged("the compressed data are damaged"));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
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
