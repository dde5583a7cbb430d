//! SIP messages out of a byte stream: one direction of a TCP connection (RFC 3261, section 18.3), perhaps a WebSocket
//! (RFC 7118). The framer is pure: reassembly feeds it, and says where bytes are missing.

mod handshake;
mod line;
mod stream;
mod websocket;

use self::{stream::Mode, websocket::Socket};
use crate::limits;

/// What a stream is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not enough has been seen.
    Open,
    /// SIP, plain or over WebSocket.
    Sip,
    /// Another protocol: the framer keeps nothing of what comes.
    Other,
}

/// What carries a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// The stream itself.
    Tcp,
    /// A WebSocket in the stream.
    WebSocket,
}

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The message from its start line to the end of its body.
    pub bytes: &'a [u8],
    /// What carries it.
    pub carrier: Carrier,
    /// The end of its body is missing: bytes were lost, or it is longer than [`limits::SIP_STREAM_BYTES`].
    pub cut: bool,
}

/// The framer of one direction of a connection.
///
/// After each `push` and each `hole`, call `next` until it gives nothing: what is kept then is at most one message.
#[derive(Debug)]
pub struct Framer {
    buffer: Vec<u8>,
    /// Bytes of the buffer that are done with.
    start: usize,
    mode: Mode,
    verdict: Verdict,
    socket: Socket,
    /// The end of a message that a hole cut off.
    flush: Option<usize>,
    /// Bytes passed over in search of a message since the last one.
    passed: usize,
    skipped: u64,
    /// So many bytes from `start` on hold no empty line, as far as a search knows.
    without_end: usize,
}

/// What one step of the framer found.
enum Step {
    /// Another step may find more.
    Again,
    /// Nothing more without more bytes.
    Wait,
    /// A message in the buffer.
    Message { from: usize, to: usize, cut: bool },
    /// A message that the WebSocket has put together.
    SocketMessage { cut: bool },
}

impl Default for Framer {
    fn default() -> Self {
        Self::new()
    }
}

impl Framer {
    /// A framer at the beginning of a stream. Call [`Framer::hole`] at once when the beginning was not seen.
    #[must_use]
    pub fn new() -> Self {
        Self {
            buffer: Vec::new(),
            start: 0,
            mode: Mode::Begin,
            verdict: Verdict::Open,
            socket: Socket::default(),
            flush: None,
            passed: 0,
            skipped: 0,
            without_end: 0,
        }
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.verdict == Verdict::Other {
            self.skip(bytes.len());
            return;
        }
        self.compact();
        self.buffer.extend_from_slice(bytes);
    }

    /// Takes note that bytes are missing here, or that the stream has ended: a message whose headers are complete comes
    /// out as it is, and the next one is searched.
    pub fn hole(&mut self) {
        if self.verdict == Verdict::Other {
            return;
        }
        if let Some(flush) = self.flush {
            // The caller did not ask in between: what came after the first hole is lost.
            let after = self.buffer.len().saturating_sub(flush);
            self.skip(after);
            self.buffer.truncate(flush);
            return;
        }
        if self.mode == Mode::FlushSocket {
            return;
        }
        self.without_end = 0;
        let waits = matches!(self.mode, Mode::Body { .. } | Mode::Unbounded { .. });
        if waits {
            self.flush = Some(self.buffer.len());
        } else {
            let left = self.buffer.len().saturating_sub(self.start);
            self.skip(left);
            self.start = self.buffer.len();
        }
        let is_socket = self.mode == Mode::Frames;
        self.mode = Mode::Search { line_begins: true };
        if is_socket && self.socket.interrupt() {
            self.mode = Mode::FlushSocket;
        }
    }

    /// The next message.
    #[expect(clippy::should_implement_trait, reason = "the message borrows from the framer")]
    pub fn next(&mut self) -> Option<Frame<'_>> {
        self.socket.forget_delivered();
        loop {
            match self.step() {
                Step::Again => {}
                Step::Wait => {
                    self.give_back();
                    return None;
                }
                Step::Message { from, to, cut } => {
                    self.found();
                    let bytes = self.buffer.get(from..to).unwrap_or_default();
                    return Some(Frame { bytes, carrier: Carrier::Tcp, cut });
                }
                Step::SocketMessage { cut } => {
                    self.found();
                    return Some(Frame { bytes: self.socket.message(), carrier: Carrier::WebSocket, cut });
                }
            }
        }
    }

    /// What the stream is taken for.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Bytes of heap memory that are held.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buffer.capacity().saturating_add(self.socket.buffered())
    }

    /// Says whether it has no byte of a message that is still to come.
    #[must_use]
    pub fn is_between_messages(&self) -> bool {
        self.start >= self.buffer.len() && self.flush.is_none() && self.socket.is_between_messages()
    }

    /// Bytes of the stream that were neither part of a message nor a keep-alive: what came before the first start line
    /// after a hole, compressed or oversized parts, another protocol.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    fn step(&mut self) -> Step {
        if let Some(to) = self.flush.take() {
            let from = self.start;
            self.start = to;
            return Step::Message { from, to, cut: true };
        }
        match self.mode {
            Mode::Frames => self.socket_step(),
            Mode::FlushSocket => {
                self.mode = Mode::Search { line_begins: true };
                self.socket.deliver();
                Step::SocketMessage { cut: true }
            }
            Mode::Begin
            | Mode::Boundary
            | Mode::Head { .. }
            | Mode::Body { .. }
            | Mode::Unbounded { .. }
            | Mode::Skip { .. }
            | Mode::Search { .. }
            | Mode::Handshake { .. } => self.stream_step(),
        }
    }

    fn found(&mut self) {
        self.verdict = Verdict::Sip;
        self.passed = 0;
    }

    fn skip(&mut self, bytes: usize) {
        self.skipped = self.skipped.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    fn give_up(&mut self) {
        self.verdict = Verdict::Other;
        let left = self.buffer.len().saturating_sub(self.start);
        self.skip(left);
        self.buffer = Vec::new();
        (self.start, self.without_end) = (0, 0);
        self.socket = Socket::default();
    }

    /// Forgets the bytes that are done with.
    fn compact(&mut self) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.flush = self.flush.map(|flush| flush.saturating_sub(self.start));
            self.start = 0;
        }
    }

    /// An idle connection keeps no memory worth mentioning.
    fn give_back(&mut self) {
        if self.start >= self.buffer.len() {
            self.start = 0;
            self.buffer.clear();
            if self.buffer.capacity() > limits::SIP_STREAM_IDLE_BYTES {
                self.buffer = Vec::new();
            }
        }
    }
}

#[cfg(test)]
mod tests;
