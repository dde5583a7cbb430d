//! Messages on the stream: a length, and that many bytes.

use thiserror::Error;

/// A message that does not fit the framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The message is longer than allowed.
    #[error("a message of {length} bytes is longer than the {limit} allowed")]
    TooLong {
        /// Its length in bytes.
        length: u64,
        /// The limit in bytes.
        limit: u32,
    },
}

/// Puts the length before a body. `limit` is [`MAX_REQUEST`](super::MAX_REQUEST) or [`MAX_ANSWER`](super::MAX_ANSWER).
///
/// # Errors
/// When the body is longer than `limit`.
pub fn frame(body: &[u8], limit: u32) -> Result<Vec<u8>, FrameError> {
    let too_long = FrameError::TooLong { length: u64::try_from(body.len()).unwrap_or(u64::MAX), limit };
    let length = u32::try_from(body.len()).map_err(|_| too_long)?;
    if length > limit {
        return Err(too_long);
    }
    let mut message = Vec::with_capacity(body.len().saturating_add(4));
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(body);
    Ok(message)
}

/// Reads the length of the body from the four bytes before it, to be checked before anything is allocated.
///
/// # Errors
/// When the body would be longer than `limit`.
pub fn body_length(header: [u8; 4], limit: u32) -> Result<usize, FrameError> {
    let length = u32::from_be_bytes(header);
    let too_long = FrameError::TooLong { length: u64::from(length), limit };
    if length > limit {
        return Err(too_long);
    }
    usize::try_from(length).map_err(|_| too_long)
}

#[cfg(test)]
mod tests {
    use super::{super::MAX_REQUEST, *};

    #[test]
    fn a_length_above_the_limit_is_refused_before_anything_is_read() {
        assert_eq!(body_length([0, 4, 0, 0], MAX_REQUEST), Ok(256 * 1024));
        assert!(body_length([0, 4, 0, 1], MAX_REQUEST).is_err());
        assert!(frame(&[0; 11], 10).is_err());
    }
}
