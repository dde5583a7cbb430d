//! A framed message and its headers. The index holds places, not values: 8 bytes a line, in a fixed array for any usual
//! message.

use super::{Header, Method, Tag};
use crate::{drops::Reason, limits};

/// The first line of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartLine<'a> {
    /// A request.
    Request {
        /// What is asked.
        method: Method,
        /// The method as written.
        token: &'a [u8],
        /// The request URI.
        uri: &'a [u8],
    },
    /// A response.
    Response {
        /// 100 to 699.
        status: u16,
        /// The reason phrase, perhaps empty.
        reason: &'a [u8],
    },
}

/// A framed message. Header values are as on the wire, trimmed: a folded one holds its line breaks
/// ([`super::fields::unfolded`] takes them out).
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// The first line.
    pub start: StartLine<'a>,
    /// The first line as written, without its line break.
    pub start_line: &'a [u8],
    /// Call-ID.
    pub call_id: &'a [u8],
    /// CSeq's number.
    pub cseq: u32,
    /// CSeq's method.
    pub cseq_method: Method,
    /// From, whole.
    pub from: &'a [u8],
    /// To, whole.
    pub to: &'a [u8],
    /// The tag of From.
    pub from_tag: Tag<'a>,
    /// The tag of To.
    pub to_tag: Tag<'a>,
    /// The first line of Contact.
    pub contact: Option<&'a [u8]>,
    /// Expires.
    pub expires: Option<&'a [u8]>,
    /// Content-Type.
    pub content_type: Option<&'a [u8]>,
    /// What follows the headers, at most Content-Length bytes.
    pub body: &'a [u8],
    /// Bytes that Content-Length names and the datagram does not hold: the sender counted wrongly, or the capture cut it.
    pub missing: usize,
    /// Bytes after the end of the body (RFC 3261, section 18.3: to be ignored).
    pub surplus: usize,
    /// The header lines.
    pub headers: Headers<'a>,
}

impl<'a> Message<'a> {
    /// The first line of a header.
    #[must_use]
    pub fn first(&self, header: Header) -> Option<&'a [u8]> {
        self.headers.first(header)
    }

    /// All lines of a header, in order. A line may hold several values: see [`super::values`].
    pub fn all(&self, header: Header) -> impl Iterator<Item = &'a [u8]> {
        self.headers.all(header)
    }

    /// The first line of a header by its name in full or compact form, in any case: also of one that is not in
    /// [`Header`].
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&'a [u8]> {
        self.headers.named(name)
    }

    /// The method of a request, or of the request that a response answers.
    #[must_use]
    pub fn method(&self) -> Method {
        match self.start {
            StartLine::Request { method, .. } => method,
            StartLine::Response { .. } => self.cseq_method,
        }
    }

    /// The status of a response.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self.start {
            StartLine::Request { .. } => None,
            StartLine::Response { status, .. } => Some(status),
        }
    }
}

/// Where a header line is: offsets into the bytes of the head.
#[derive(Clone, Copy, Debug)]
struct Line {
    header: Header,
    name_length: u8,
    name: u16,
    value: u16,
    value_length: u16,
}

/// The header lines of a message.
#[derive(Clone, Debug)]
pub struct Headers<'a> {
    head: &'a [u8],
    /// Which line is the first of each header, counted from one; zero where there is none. The last number also stands
    /// for all behind it.
    firsts: [u8; Header::COUNT],
    count: usize,
    damaged: u16,
    lines: [Line; limits::SIP_HEADERS_INLINE],
    spilled: Vec<Line>,
}

impl<'a> Headers<'a> {
    /// An index without lines. `head` is what follows the start line.
    pub(super) fn new(head: &'a [u8]) -> Self {
        let empty = Line { header: Header::Other, name_length: 0, name: 0, value: 0, value_length: 0 };
        Self {
            head,
            firsts: [0; Header::COUNT],
            count: 0,
            damaged: 0,
            lines: [empty; limits::SIP_HEADERS_INLINE],
            spilled: Vec::new(),
        }
    }

    /// Takes the line from `from` to `to`, with its folds, whose colon is at `colon`.
    pub(super) fn put(&mut self, from: usize, colon: usize, to: usize) -> Result<(), Reason> {
        let name = self.head.get(from..colon).unwrap_or_default().trim_ascii_end();
        let value = self.head.get(colon.saturating_add(1)..to).unwrap_or_default().trim_ascii_start();
        let value_at = to.saturating_sub(value.len());
        let value = value.trim_ascii_end();
        if name.is_empty() || name.len() > usize::from(u8::MAX) {
            return self.damage();
        }
        let (Ok(name_length), Ok(name_at), Ok(value_at), Ok(value_length)) =
            (u8::try_from(name.len()), u16::try_from(from), u16::try_from(value_at), u16::try_from(value.len()))
        else {
            return Err(Reason::SipTooLarge);
        };
        let header = Header::of(name);
        let line = Line { header, name_length, name: name_at, value: value_at, value_length };
        match self.lines.get_mut(self.count) {
            Some(free) => *free = line,
            None if self.count < limits::SIP_HEADERS => self.spilled.push(line),
            None => return Err(Reason::SipTooLarge),
        }
        self.count = self.count.saturating_add(1);
        if let Some(first) = self.firsts.get_mut(header.number())
            && *first == 0
        {
            *first = u8::try_from(self.count).unwrap_or(u8::MAX);
        }
        Ok(())
    }

    /// Counts a line that is no header. Phones send such; many of them are another protocol.
    pub(super) fn damage(&mut self) -> Result<(), Reason> {
        self.damaged = self.damaged.saturating_add(1);
        if self.damaged > limits::SIP_DAMAGED_LINES { Err(Reason::SipHeader) } else { Ok(()) }
    }

    /// Lines that are no header: without a colon or a name.
    #[must_use]
    pub fn damaged(&self) -> u16 {
        self.damaged
    }

    /// How many lines there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Says whether there is a line of a header, without a search.
    #[must_use]
    #[inline]
    pub fn has(&self, header: Header) -> bool {
        self.place(header) != 0
    }

    #[inline]
    fn place(&self, header: Header) -> usize {
        self.firsts.get(header.number()).map_or(0, |&first| usize::from(first))
    }

    /// The first line of a header.
    #[must_use]
    #[inline]
    pub fn first(&self, header: Header) -> Option<&'a [u8]> {
        let place = self.place(header).checked_sub(1)?;
        match self.lines.get(place) {
            Some(line) => Some(self.value(line)),
            None => self.all(header).next(),
        }
    }

    /// All lines of a header, in order.
    pub fn all(&self, header: Header) -> impl Iterator<Item = &'a [u8]> {
        let before = self.place(header).checked_sub(1).unwrap_or(self.count);
        self.index().skip(before).filter(move |line| line.header == header).map(|line| self.value(line))
    }

    /// The first line of a header by its name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&'a [u8]> {
        let header = Header::of(name.as_bytes());
        if header != Header::Other {
            return self.first(header);
        }
        let mut lines = self.index().filter(|line| line.header == Header::Other);
        let line = lines.find(|line| self.name(line).eq_ignore_ascii_case(name.as_bytes()))?;
        Some(self.value(line))
    }

    /// All lines with their names as written, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Header, &'a [u8], &'a [u8])> {
        self.index().map(|line| (line.header, self.name(line), self.value(line)))
    }

    /// Bytes of heap memory that the index takes beyond its fixed array.
    #[must_use]
    pub fn spilled(&self) -> usize {
        self.spilled.capacity().saturating_mul(size_of::<Line>())
    }

    fn index(&self) -> impl Iterator<Item = &Line> {
        let inline = self.lines.get(..self.count).unwrap_or(&self.lines);
        inline.iter().chain(&self.spilled)
    }

    fn name(&self, line: &Line) -> &'a [u8] {
        slice(self.head, line.name, u16::from(line.name_length))
    }

    fn value(&self, line: &Line) -> &'a [u8] {
        slice(self.head, line.value, line.value_length)
    }
}

fn slice(bytes: &[u8], at: u16, length: u16) -> &[u8] {
    let at = usize::from(at);
    bytes.get(at..at.saturating_add(usize::from(length))).unwrap_or_default()
}
