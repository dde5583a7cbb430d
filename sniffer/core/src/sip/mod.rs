//! SIP messages (RFC 3261) in two tiers: this parser frames a message and indexes the headers that matter, borrowing
//! from the datagram; `fields` reads single headers on demand. It is tolerant where phones are, and total: every input
//! gives a message or a reason.

pub mod fields;

use crate::{drops::Reason, limits};

/// The method of a request. Methods are case-sensitive (RFC 3261, section 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the methods")]
pub enum Method {
    Invite,
    Ack,
    Bye,
    Cancel,
    Register,
    Options,
    Prack,
    Update,
    Info,
    Refer,
    Subscribe,
    Notify,
    Message,
    Publish,
    /// Any other token.
    Other,
}

impl Method {
    /// All methods, in the order of the counters.
    pub const ALL: [Self; 15] = [
        Self::Invite,
        Self::Ack,
        Self::Bye,
        Self::Cancel,
        Self::Register,
        Self::Options,
        Self::Prack,
        Self::Update,
        Self::Info,
        Self::Refer,
        Self::Subscribe,
        Self::Notify,
        Self::Message,
        Self::Publish,
        Self::Other,
    ];

    /// The method as it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Invite => "INVITE",
            Self::Ack => "ACK",
            Self::Bye => "BYE",
            Self::Cancel => "CANCEL",
            Self::Register => "REGISTER",
            Self::Options => "OPTIONS",
            Self::Prack => "PRACK",
            Self::Update => "UPDATE",
            Self::Info => "INFO",
            Self::Refer => "REFER",
            Self::Subscribe => "SUBSCRIBE",
            Self::Notify => "NOTIFY",
            Self::Message => "MESSAGE",
            Self::Publish => "PUBLISH",
            Self::Other => "other",
        }
    }

    fn from_token(token: &[u8]) -> Option<Self> {
        if token.is_empty() || !token.iter().all(|&byte| is_token(byte)) {
            return None;
        }
        let known = Self::ALL.iter().find(|method| method.name().as_bytes() == token);
        Some(known.copied().unwrap_or(Self::Other))
    }
}

/// A character of a token (RFC 3261, section 25.1).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte)
}

/// The first line of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartLine<'a> {
    /// A request.
    Request {
        /// What is asked.
        method: Method,
        /// The request URI.
        uri: &'a [u8],
    },
    /// A response.
    Response {
        /// 100 to 699.
        status: u16,
    },
}

/// A framed message. Header values are as on the wire: a folded one holds its line breaks.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// The first line.
    pub start: StartLine<'a>,
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
    /// The first Contact.
    pub contact: Option<&'a [u8]>,
    /// Expires.
    pub expires: Option<&'a [u8]>,
    /// Content-Type.
    pub content_type: Option<&'a [u8]>,
    /// What follows the headers, at most Content-Length bytes.
    pub body: &'a [u8],
}

#[derive(Default)]
struct Index<'a> {
    call_id: Option<&'a [u8]>,
    cseq: Option<&'a [u8]>,
    from: Option<&'a [u8]>,
    to: Option<&'a [u8]>,
    contact: Option<&'a [u8]>,
    expires: Option<&'a [u8]>,
    content_type: Option<&'a [u8]>,
    content_length: Option<&'a [u8]>,
}

/// Says whether a datagram begins like a SIP message: its first line starts or ends with the protocol's name.
#[must_use]
pub fn looks_like_sip(datagram: &[u8]) -> bool {
    let datagram = skip_line_breaks(datagram);
    if !datagram.first().is_some_and(|&byte| is_token(byte)) {
        return false;
    }
    let (line, _) = split_line(datagram);
    line.starts_with(b"SIP/2.0 ") || line.trim_ascii_end().ends_with(b" SIP/2.0")
}

/// Line breaks before the start line are to be ignored (RFC 3261, section 7.5).
fn skip_line_breaks(mut bytes: &[u8]) -> &[u8] {
    while let [b'\r' | b'\n', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

/// Parses one message that fills a datagram.
///
/// # Errors
/// Why it is not one.
pub fn parse(datagram: &[u8]) -> Result<Message<'_>, Reason> {
    let datagram = skip_line_breaks(datagram);
    let (line, rest) = split_line(datagram);
    let start = start_line(line).ok_or(Reason::SipStartLine)?;
    let (index, body) = headers(rest)?;
    let (Some(call_id), Some(cseq), Some(from), Some(to)) = (index.call_id, index.cseq, index.from, index.to) else {
        return Err(Reason::SipMandatory);
    };
    if call_id.is_empty() || call_id.len() > limits::CALL_ID_BYTES {
        return Err(Reason::SipMandatory);
    }
    let (cseq, cseq_method) = fields::cseq(cseq).ok_or(Reason::SipMandatory)?;
    // RFC 3261, section 18.3: over UDP a body beyond Content-Length is cut off; without the header, or with one that
    // cannot be read, it reaches to the end of the datagram.
    let body = index.content_length.and_then(fields::number).and_then(|length| body.get(..length)).unwrap_or(body);
    Ok(Message {
        start,
        call_id,
        cseq,
        cseq_method,
        from,
        to,
        contact: index.contact,
        expires: index.expires,
        content_type: index.content_type,
        body,
    })
}

fn start_line(line: &[u8]) -> Option<StartLine<'_>> {
    let line = line.trim_ascii_end();
    if let Some(rest) = line.strip_prefix(b"SIP/2.0 ") {
        let rest = rest.trim_ascii_start();
        let digits = rest.split(|byte| !byte.is_ascii_digit()).next()?;
        let status = u16::try_from(fields::number(digits)?).ok()?;
        let valid = digits.len() == 3 && (100..700).contains(&status);
        return valid.then_some(StartLine::Response { status });
    }
    let rest = line.strip_suffix(b" SIP/2.0")?;
    let space = rest.iter().position(|&byte| byte == b' ')?;
    let (method, uri) = rest.split_at_checked(space)?;
    let uri = uri.trim_ascii();
    (!uri.is_empty()).then_some(())?;
    Some(StartLine::Request { method: Method::from_token(method)?, uri })
}

/// The line before the next line feed, without its end, and what follows it.
fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|&byte| byte == b'\n').and_then(|at| bytes.split_at_checked(at)) {
        Some((line, rest)) => (line.strip_suffix(b"\r").unwrap_or(line), rest.get(1..).unwrap_or_default()),
        None => (bytes, &[]),
    }
}

/// Indexes the header lines up to the empty line: the index and the body. The end of the datagram ends them too.
fn headers(mut rest: &[u8]) -> Result<(Index<'_>, &[u8]), Reason> {
    let mut index = Index::default();
    for _ in 0..=limits::SIP_HEADERS {
        if rest.is_empty() {
            return Ok((index, rest));
        }
        let (line, after) = header_line(rest);
        rest = after;
        if line.is_empty() {
            return Ok((index, rest));
        }
        if line.len() > limits::SIP_HEADER_BYTES {
            return Err(Reason::SipTooLarge);
        }
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            // The last line of a message that was cut off has lost its end; any other is an error.
            return if rest.is_empty() { Ok((index, rest)) } else { Err(Reason::SipHeader) };
        };
        let (name, value) = line.split_at_checked(colon).ok_or(Reason::SipHeader)?;
        let name = name.trim_ascii_end();
        if name.is_empty() {
            return Err(Reason::SipHeader);
        }
        index.put(name, value.get(1..).unwrap_or_default().trim_ascii());
    }
    Err(Reason::SipTooLarge)
}

/// One header line with the lines that continue it: they begin with a space or a tab (RFC 3261, section 7.3.1).
fn header_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (first, mut rest) = split_line(bytes);
    if first.is_empty() || !matches!(rest.first(), Some(b' ' | b'\t')) {
        return (first, rest);
    }
    while matches!(rest.first(), Some(b' ' | b'\t')) {
        rest = split_line(rest).1;
    }
    let whole = bytes.get(..bytes.len().saturating_sub(rest.len())).unwrap_or(bytes);
    (whole.trim_ascii_end(), rest)
}

impl<'a> Index<'a> {
    /// Keeps the first line of each header that matters; names in full or compact form, in any case.
    fn put(&mut self, name: &[u8], value: &'a [u8]) {
        let place = match name {
            [letter] => match letter.to_ascii_lowercase() {
                b'i' => &mut self.call_id,
                b'f' => &mut self.from,
                b't' => &mut self.to,
                b'm' => &mut self.contact,
                b'c' => &mut self.content_type,
                b'l' => &mut self.content_length,
                _ => return,
            },
            _ if name.eq_ignore_ascii_case(b"Call-ID") => &mut self.call_id,
            _ if name.eq_ignore_ascii_case(b"CSeq") => &mut self.cseq,
            _ if name.eq_ignore_ascii_case(b"From") => &mut self.from,
            _ if name.eq_ignore_ascii_case(b"To") => &mut self.to,
            _ if name.eq_ignore_ascii_case(b"Contact") => &mut self.contact,
            _ if name.eq_ignore_ascii_case(b"Expires") => &mut self.expires,
            _ if name.eq_ignore_ascii_case(b"Content-Type") => &mut self.content_type,
            _ if name.eq_ignore_ascii_case(b"Content-Length") => &mut self.content_length,
            _ => return,
        };
        place.get_or_insert(value);
    }
}

#[cfg(test)]
mod tests;
