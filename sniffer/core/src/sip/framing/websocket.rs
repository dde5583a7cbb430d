//! WebSocket frames (RFC 6455, section 5): masked or not, fragmented, control frames in between. One message of the
//! WebSocket is one message of SIP (RFC 7118, section 5).

use super::{
    Framer, Step, Verdict,
    line::{begins_like_message, head_end},
    stream::Mode,
};
use crate::{limits, sip::looks_like_sip};

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FrameHeader {
    is_last: bool,
    is_compressed: bool,
    opcode: u8,
    key: Option<[u8; 4]>,
    length: u64,
    /// Bytes of the header itself.
    size: usize,
}

/// What a place in a stream may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Candidate {
    Message,
    Incomplete,
    No,
}

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;

/// Reads a frame's header: none when it is not complete.
fn frame_header(bytes: &[u8]) -> Result<Option<FrameHeader>, ()> {
    let [first, second, ..] = *bytes else { return Ok(None) };
    let opcode = first & 0x0f;
    let is_last = first & 0x80 != 0;
    let short = u64::from(second & 0x7f);
    let is_control = opcode & 0x08 != 0;
    let is_known = matches!(opcode, CONTINUATION | TEXT | BINARY | 8..=10);
    // Reserved bits 2 and 3 have no meaning; bit 1 is compression (RFC 7692), of messages only.
    if first & 0x30 != 0 || !is_known || (is_control && (!is_last || short > 125 || first & 0x40 != 0)) {
        return Err(());
    }
    let (length, mut size) = match short {
        126 => match bytes.get(2..).and_then(<[u8]>::first_chunk) {
            Some(&length) => (u64::from(u16::from_be_bytes(length)), 4),
            None => return Ok(None),
        },
        127 => match bytes.get(2..).and_then(<[u8]>::first_chunk) {
            Some(&length) => (u64::from_be_bytes(length), 10),
            None => return Ok(None),
        },
        short => (short, 2),
    };
    if length >> 63 != 0 {
        return Err(());
    }
    let mut key = None;
    if second & 0x80 != 0 {
        let Some(&bytes) = bytes.get(size..).and_then(<[u8]>::first_chunk) else { return Ok(None) };
        key = Some(bytes);
        size = size.saturating_add(4);
    }
    Ok(Some(FrameHeader { is_last, is_compressed: first & 0x40 != 0, opcode, key, length, size }))
}

/// Bytes of a payload with their mask taken off; `phase` is the place of the first one in the payload.
fn unmasked(bytes: &[u8], key: Option<[u8; 4]>, phase: u64) -> impl Iterator<Item = u8> + '_ {
    let key = key.unwrap_or_default();
    let phase = usize::try_from(phase % 4).unwrap_or_default();
    bytes.iter().zip(key.into_iter().cycle().skip(phase)).map(|(byte, key)| byte ^ key)
}

/// Says whether a frame begins here that holds the beginning of a SIP message.
pub(super) fn candidate(bytes: &[u8]) -> Candidate {
    let Ok(header) = frame_header(bytes) else { return Candidate::No };
    let Some(header) = header else { return Candidate::Incomplete };
    if !matches!(header.opcode, TEXT | BINARY) || header.is_compressed || header.length < 16 {
        return Candidate::No;
    }
    let payload = bytes.get(header.size..).unwrap_or_default();
    let mut start = [0_u8; 12];
    let mut length = 0_usize;
    for (place, byte) in start.iter_mut().zip(unmasked(payload, header.key, 0)) {
        *place = byte;
        length = length.saturating_add(1);
    }
    match begins_like_message(start.get(..length).unwrap_or_default()) {
        Some(true) => Candidate::Message,
        Some(false) => Candidate::No,
        None => Candidate::Incomplete,
    }
}

/// What is done with the payload of the frames that make up one message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Collecting {
    /// Between two messages.
    #[default]
    Nothing,
    Message,
    /// A message that cannot be read: compressed, or its beginning is missing.
    Refused,
}

/// One frame of which bytes are to come.
#[derive(Clone, Copy, Debug)]
struct Payload {
    header: FrameHeader,
    done: u64,
}

/// The state of a WebSocket.
#[derive(Debug, Default)]
pub(super) struct Socket {
    frame: Option<Payload>,
    collecting: Collecting,
    message: Vec<u8>,
    cut: bool,
    delivered: bool,
}

impl Socket {
    pub(super) fn message(&self) -> &[u8] {
        &self.message
    }

    pub(super) fn buffered(&self) -> usize {
        self.message.capacity()
    }

    /// Says whether no frame and no message is begun.
    pub(super) fn is_between_messages(&self) -> bool {
        self.frame.is_none() && self.collecting == Collecting::Nothing
    }

    /// Takes note that the message is handed out: the next call forgets it.
    pub(super) fn deliver(&mut self) {
        self.delivered = true;
    }

    /// Forgets a message that was handed out.
    pub(super) fn forget_delivered(&mut self) {
        if std::mem::take(&mut self.delivered) {
            self.message.clear();
            if self.message.capacity() > limits::SIP_STREAM_IDLE_BYTES {
                self.message = Vec::new();
            }
        }
    }

    /// Bytes are missing: says whether a message is left whose head is complete.
    pub(super) fn interrupt(&mut self) -> bool {
        let is_whole = self.collecting == Collecting::Message && head_end(&self.message, 0).is_some();
        self.frame = None;
        self.collecting = Collecting::Nothing;
        self.cut = false;
        if !is_whole {
            self.message.clear();
        }
        is_whole
    }

    /// Begins a frame. False when it cannot follow what came before.
    fn begin(&mut self, header: FrameHeader) -> bool {
        let is_message = matches!(header.opcode, TEXT | BINARY);
        if is_message {
            if self.collecting != Collecting::Nothing {
                return false;
            }
            self.message.clear();
            self.cut = false;
            self.collecting = if header.is_compressed { Collecting::Refused } else { Collecting::Message };
        } else if header.opcode == CONTINUATION && self.collecting == Collecting::Nothing {
            // The beginning is missing.
            self.collecting = Collecting::Refused;
        }
        self.frame = Some(Payload { header, done: 0 });
        true
    }

    /// Takes bytes of the frame's payload; gives the number of those that are not kept.
    fn take(&mut self, bytes: &[u8], payload: Payload) -> usize {
        if payload.header.opcode & 0x08 != 0 {
            return 0;
        }
        if self.collecting != Collecting::Message {
            return bytes.len();
        }
        let room = limits::SIP_STREAM_BYTES.saturating_sub(self.message.len());
        let kept = bytes.get(..room).unwrap_or(bytes);
        self.cut |= kept.len() < bytes.len();
        self.message.extend(unmasked(kept, payload.header.key, payload.done));
        bytes.len().saturating_sub(kept.len())
    }
}

impl Framer {
    /// Reads the next part of a WebSocket.
    pub(super) fn socket_step(&mut self) -> Step {
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        let Some(mut payload) = self.socket.frame else {
            return match frame_header(rest) {
                Ok(None) => Step::Wait,
                Ok(Some(header)) if self.socket.begin(header) => {
                    self.consume(header.size);
                    Step::Again
                }
                // Not a frame: the framer has lost its place, or this never was a WebSocket.
                Ok(Some(_)) | Err(()) => self.lose_place(),
            };
        };
        let left = payload.header.length.saturating_sub(payload.done);
        let bytes = rest.get(..usize::try_from(left).unwrap_or(usize::MAX)).unwrap_or(rest);
        let taken = bytes.len();
        let skipped = self.socket.take(bytes, payload);
        self.consume(taken);
        self.skip(skipped);
        payload.done = payload.done.saturating_add(u64::try_from(taken).unwrap_or(u64::MAX));
        if payload.done < payload.header.length {
            self.socket.frame = Some(payload);
            return Step::Wait;
        }
        self.socket.frame = None;
        if payload.header.opcode & 0x08 != 0 || !payload.header.is_last {
            return Step::Again;
        }
        self.message_ends()
    }

    fn message_ends(&mut self) -> Step {
        let is_whole = std::mem::take(&mut self.socket.collecting) == Collecting::Message;
        self.socket.deliver();
        let is_sip = is_whole && looks_like_sip(&self.socket.message);
        if is_sip {
            return Step::SocketMessage { cut: self.socket.cut };
        }
        // Line breaks hold the connection open (RFC 7118, section 6).
        let is_keep_alive = self.socket.message.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0 | b' '));
        if is_whole && !is_keep_alive {
            self.skip(self.socket.message.len());
            if self.verdict == Verdict::Open {
                self.give_up();
                return Step::Wait;
            }
        }
        self.socket.forget_delivered();
        Step::Again
    }

    fn lose_place(&mut self) -> Step {
        self.mode = if self.socket.interrupt() { Mode::FlushSocket } else { Mode::Search { line_begins: true } };
        Step::Again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_every_length_are_read_and_impossible_ones_refused() {
        let header = |bytes: &[u8]| frame_header(bytes).map(|header| header.map(|one| (one.length, one.size)));
        assert_eq!(header(&[0x81, 5]), Ok(Some((5, 2))));
        assert_eq!(header(&[0x81, 126, 1, 0]), Ok(Some((256, 4))));
        assert_eq!(header(&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]), Ok(Some((65_536, 10))));
        assert_eq!(header(&[0x01, 0x80 | 5, 1, 2, 3, 4]), Ok(Some((5, 6))));
        for cut in [&[][..], &[0x81], &[0x81, 126, 1], &[0x81, 127, 0, 0, 0, 0, 0, 1, 0], &[0x81, 0x85, 1, 2, 3]] {
            assert_eq!(header(cut), Ok(None));
        }
        // A control frame in fragments, a long one, a reserved opcode, a reserved bit, a length beyond 2^63.
        for bad in [&[0x09, 0][..], &[0x89, 126, 0, 0], &[0x83, 0], &[0xa1, 0], &[0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 0]]
        {
            assert_eq!(header(bad), Err(()));
        }
    }
}
