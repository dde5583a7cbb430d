//! Messages in a plain stream: Content-Length says where one ends, line breaks between two are keep-alives (RFC 5626),
//! and after a hole the next start line is searched.

use memchr::{memchr, memchr3};

use super::{
    Framer, Step, Verdict, handshake,
    handshake::Upgrade,
    line::{begins_like_message, could_begin, head_end, is_start, resume},
    websocket,
    websocket::Candidate,
};
use crate::{
    limits,
    sip::{
        Header, fields,
        parse::{index_after_start_line, parse},
    },
};

/// Where in the stream the framer is. Offsets count from the first byte that is not done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// The first line of the stream.
    Begin,
    /// Between two messages.
    Boundary,
    /// In the head of a message; so many bytes hold no end of it.
    Head { searched: usize },
    /// In the body: the message has so many bytes, of which `keep` fit.
    Body { length: usize, keep: usize },
    /// In a body without a length: it ends where the next message begins.
    Unbounded { searched: usize },
    /// In the rest of a message that was longer than may be kept.
    Skip { left: usize },
    /// Somewhere after a hole.
    Search { line_begins: bool },
    /// In the head of a handshake.
    Handshake { searched: usize },
    /// In a WebSocket.
    Frames,
    /// In a WebSocket whose message was cut off by a hole and is to be delivered.
    FlushSocket,
}

impl Framer {
    pub(super) fn stream_step(&mut self) -> Step {
        match self.mode {
            Mode::Begin | Mode::Boundary => self.boundary(),
            Mode::Head { searched } => self.head(searched),
            Mode::Body { length, keep } => self.body(length, keep),
            Mode::Unbounded { searched } => self.unbounded(searched),
            Mode::Skip { left } => self.skip_rest(left),
            Mode::Search { line_begins } => self.search(line_begins),
            Mode::Handshake { searched } => self.handshake(searched),
            Mode::Frames | Mode::FlushSocket => Step::Wait,
        }
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// Is done with so many bytes.
    pub(super) fn consume(&mut self, bytes: usize) {
        self.start = self.start.saturating_add(bytes).min(self.buffer.len());
        self.without_end = self.without_end.saturating_sub(bytes);
    }

    fn boundary(&mut self) -> Step {
        let padding = self.rest().iter().take_while(|byte| matches!(byte, b'\r' | b'\n' | 0)).count();
        self.consume(padding);
        let rest = self.rest();
        if rest.is_empty() {
            return Step::Wait;
        }
        let line = memchr(b'\n', rest).and_then(|end| rest.get(..end));
        let possible = could_begin(line.unwrap_or(rest));
        match line {
            None if possible && rest.len() <= limits::SIP_HEADER_BYTES => Step::Wait,
            Some(line) if is_start(line) => {
                self.verdict = Verdict::Sip;
                self.mode = Mode::Head { searched: 0 };
                Step::Again
            }
            Some(line) if possible && self.mode == Mode::Begin && handshake::is_handshake(line) => {
                self.mode = Mode::Handshake { searched: 0 };
                Step::Again
            }
            // The first line tells what the stream is.
            _ if self.mode == Mode::Begin => {
                self.give_up();
                Step::Wait
            }
            _ => {
                self.mode = Mode::Search { line_begins: true };
                Step::Again
            }
        }
    }

    fn head(&mut self, searched: usize) -> Step {
        let rest = self.rest();
        let Some(end) = head_end(rest, searched).filter(|&end| end <= limits::SIP_HEAD_BYTES) else {
            let length = rest.len();
            if length <= limits::SIP_HEAD_BYTES {
                self.mode = Mode::Head { searched: resume(length) };
                return Step::Wait;
            }
            self.pass(1);
            self.mode = Mode::Search { line_begins: false };
            return Step::Again;
        };
        let head = rest.get(..end).unwrap_or_default();
        let headers = index_after_start_line(head).ok();
        let length = headers.as_ref().and_then(|headers| headers.first(Header::ContentLength)).and_then(fields::number);
        let has_body = headers.is_none_or(|headers| headers.has(Header::ContentType));
        match length.filter(|&length| length <= limits::SIP_BODY_BYTES) {
            Some(length) => {
                let length = end.saturating_add(length);
                self.mode = Mode::Body { length, keep: length.min(limits::SIP_STREAM_BYTES) };
            }
            // Content-Length is mandatory here (RFC 3261, section 18.3). Without a type there is no body either.
            None if has_body => self.mode = Mode::Unbounded { searched: end },
            None => self.mode = Mode::Body { length: end, keep: end },
        }
        Step::Again
    }

    fn body(&mut self, length: usize, keep: usize) -> Step {
        if self.rest().len() < keep {
            return Step::Wait;
        }
        let from = self.start;
        self.consume(keep);
        let left = length.saturating_sub(keep);
        self.mode = if left == 0 { Mode::Boundary } else { Mode::Skip { left } };
        Step::Message { from, to: self.start, cut: left > 0 }
    }

    /// Looks at one line of a body without a length.
    fn unbounded(&mut self, searched: usize) -> Step {
        let rest = self.rest();
        let tail = rest.get(searched..).unwrap_or_default();
        let line = memchr(b'\n', tail).and_then(|end| tail.get(..end));
        let is_over = rest.len() > limits::SIP_STREAM_BYTES;
        match line {
            None if !is_over => Step::Wait,
            Some(line) if !is_start(line) && !is_over => {
                self.mode = Mode::Unbounded { searched: searched.saturating_add(line.len()).saturating_add(1) };
                Step::Again
            }
            _ => {
                let from = self.start;
                self.consume(searched);
                self.mode = if is_over { Mode::Search { line_begins: true } } else { Mode::Boundary };
                Step::Message { from, to: self.start, cut: is_over }
            }
        }
    }

    fn skip_rest(&mut self, left: usize) -> Step {
        let bytes = left.min(self.rest().len());
        self.consume(bytes);
        self.skip(bytes);
        if bytes < left {
            self.mode = Mode::Skip { left: left.saturating_sub(bytes) };
            return Step::Wait;
        }
        self.mode = Mode::Boundary;
        Step::Again
    }

    /// Passes over bytes in search of a message.
    fn pass(&mut self, bytes: usize) {
        self.consume(bytes);
        self.skip(bytes);
        self.passed = self.passed.saturating_add(bytes);
    }

    /// Looks at one place: a start line with a whole message's head behind it, or a WebSocket frame with a message in it.
    fn search(&mut self, line_begins: bool) -> Step {
        if self.verdict == Verdict::Open && self.passed > limits::SIP_SEARCH_BYTES {
            self.give_up();
            return Step::Wait;
        }
        let rest = self.rest();
        match rest.first() {
            None => return Step::Wait,
            Some(0x01 | 0x02 | 0x81 | 0x82) => match websocket::candidate(rest) {
                Candidate::Incomplete => return Step::Wait,
                Candidate::Message => {
                    self.mode = Mode::Frames;
                    return Step::Again;
                }
                Candidate::No => {}
            },
            Some(_) if line_begins => {
                let mut without_end = self.without_end;
                let candidate = message_begins(rest, &mut without_end);
                self.without_end = without_end;
                match candidate {
                    Candidate::Incomplete => return Step::Wait,
                    Candidate::Message => {
                        self.mode = Mode::Head { searched: 0 };
                        return Step::Again;
                    }
                    Candidate::No => {}
                }
            }
            Some(_) => {}
        }
        self.pass_line()
    }

    /// Passes on to the next place where a message may begin.
    fn pass_line(&mut self) -> Step {
        let rest = self.rest();
        let is_end = rest.first() == Some(&b'\n');
        let after = rest.get(1..).unwrap_or_default();
        let length = if is_end { 0 } else { memchr3(b'\n', 0x81, 0x82, after).unwrap_or(after.len()) };
        // The first of several frames of a message.
        let before = after.get(..length).unwrap_or_default();
        let length = before.iter().position(|byte| matches!(byte, 0x01 | 0x02)).unwrap_or(length).saturating_add(1);
        self.pass(length);
        self.mode = Mode::Search { line_begins: is_end };
        Step::Again
    }

    fn handshake(&mut self, searched: usize) -> Step {
        let rest = self.rest();
        let Some(end) = head_end(rest, searched) else {
            if rest.len() > limits::SIP_HANDSHAKE_BYTES {
                self.give_up();
            } else {
                self.mode = Mode::Handshake { searched: resume(rest.len()) };
            }
            return Step::Wait;
        };
        match handshake::read(rest.get(..end).unwrap_or_default()) {
            Upgrade::Other => {
                self.give_up();
                Step::Wait
            }
            upgrade @ (Upgrade::Sip | Upgrade::Unnamed) => {
                if upgrade == Upgrade::Sip {
                    self.verdict = Verdict::Sip;
                }
                self.consume(end);
                self.mode = Mode::Frames;
                Step::Again
            }
        }
    }
}

/// Says whether a message of a known method begins here whose head holds what is mandatory. A start line alone does not
/// suffice in the middle of a stream: bodies quote messages (message/sipfrag), and a hole may leave half of a method.
/// `without_end` is how far no empty line was found before: a stream of nothing but start lines is searched once.
fn message_begins(rest: &[u8], without_end: &mut usize) -> Candidate {
    match begins_like_message(rest) {
        Some(true) => {}
        Some(false) => return Candidate::No,
        None => return Candidate::Incomplete,
    }
    let line = memchr(b'\n', rest).and_then(|end| rest.get(..end));
    match line {
        None if rest.len() <= limits::SIP_HEADER_BYTES && could_begin(rest) => Candidate::Incomplete,
        Some(line) if is_start(line) => match head_end(rest, *without_end) {
            Some(end) => {
                *without_end = resume(end);
                let head = rest.get(..end).filter(|head| head.len() <= limits::SIP_HEAD_BYTES);
                if head.is_some_and(|head| parse(head).is_ok()) { Candidate::Message } else { Candidate::No }
            }
            None => {
                *without_end = resume(rest.len());
                if rest.len() <= limits::SIP_HEAD_BYTES { Candidate::Incomplete } else { Candidate::No }
            }
        },
        _ => Candidate::No,
    }
}
