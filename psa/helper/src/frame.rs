//! Messages on a stream: a 32-bit big-endian length, then that many bytes of JSON.

use std::io::{self, Read, Write};
use thiserror::Error;
use zeroize::Zeroizing;

/// Memory taken for a message before its bytes are there: a length alone must not cost 256 KiB.
const FIRST_ROOM: usize = 4096;

/// Why a message could not be read or written.
#[derive(Debug, Error)]
pub enum FrameError {
    /// The stream failed, ended inside a message, or was silent for too long.
    #[error("the connection failed")]
    Io(#[from] io::Error),
    /// The length is beyond the limit. Nothing of the message was read or written.
    #[error("a message of {length} bytes is beyond the limit of {limit}")]
    TooLong {
        /// The length.
        length: u64,
        /// The limit.
        limit: u32,
    },
}

/// Reads the length of the next message; `None` when the stream ends before it.
///
/// # Errors
/// When the stream fails or ends inside the length, or the length is beyond `limit`.
pub fn read_length(stream: &mut impl Read, limit: u32) -> Result<Option<u32>, FrameError> {
    let mut bytes = [0; 4];
    let mut filled = 0_usize;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match stream.read(rest) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(count) => filled = filled.saturating_add(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    let length = u32::from_be_bytes(bytes);
    if length > limit { Err(FrameError::TooLong { length: length.into(), limit }) } else { Ok(Some(length)) }
}

/// Reads the body of a message. Its memory is wiped when it is dropped: it may hold a password.
///
/// # Errors
/// When the stream fails or ends inside the message.
pub fn read_body(stream: &mut impl Read, length: u32) -> Result<Zeroizing<Vec<u8>>, FrameError> {
    let wanted = usize::try_from(length).unwrap_or(usize::MAX);
    let mut body = Zeroizing::new(Vec::with_capacity(wanted.min(FIRST_ROOM)));
    stream.take(length.into()).read_to_end(&mut body)?;
    if body.len() == wanted { Ok(body) } else { Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()) }
}

/// Writes a message.
///
/// # Errors
/// When it is longer than `limit`, or the stream fails.
pub fn write(stream: &mut impl Write, body: &[u8], limit: u32) -> Result<(), FrameError> {
    let too_long = || FrameError::TooLong { length: u64::try_from(body.len()).unwrap_or(u64::MAX), limit };
    let length = u32::try_from(body.len()).ok().filter(|length| *length <= limit).ok_or_else(too_long)?;
    let mut message = Zeroizing::new(Vec::with_capacity(body.len().saturating_add(4)));
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(body);
    Ok(stream.write_all(&message)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut wire = Vec::new();
        write(&mut wire, b"one", 10).unwrap();
        write(&mut wire, b"", 10).unwrap();
        let mut stream = wire.as_slice();
        for expected in [b"one".as_slice(), b""] {
            let length = read_length(&mut stream, 10).unwrap().unwrap();
            assert_eq!(read_body(&mut stream, length).unwrap().as_slice(), expected);
        }
        assert!(read_length(&mut stream, 10).unwrap().is_none());
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_anything_is_read() {
        let mut stream: &[u8] = &[0, 0, 0, 11, 1, 2, 3];
        assert!(matches!(read_length(&mut stream, 10), Err(FrameError::TooLong { length: 11, limit: 10 })));
        assert_eq!(stream, [1, 2, 3]);
        assert!(matches!(write(&mut Vec::new(), &[0; 11], 10), Err(FrameError::TooLong { .. })));
    }

    #[test]
    fn a_stream_that_ends_inside_is_an_error() {
        assert!(read_length(&mut [0, 0].as_slice(), 10).is_err());
        assert!(read_body(&mut [1, 2].as_slice(), 3).is_err());
    }
}
