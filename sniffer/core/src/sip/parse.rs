//! Bytes to messages: one pass that frames the message and indexes its header lines.

use memchr::memchr;

use super::{Header, Headers, Message, Method, StartLine, Tag, fields, method::is_token_byte};
use crate::{drops::Reason, limits};

/// Says whether a datagram begins like a SIP message: its first line starts or ends with the protocol's name.
#[must_use]
pub fn looks_like_sip(datagram: &[u8]) -> bool {
    let datagram = skip_padding(datagram);
    if !datagram.first().is_some_and(|&byte| is_token_byte(byte)) {
        return false;
    }
    let (line, _) = split_line(datagram);
    let line = line.trim_ascii_end();
    strip_version(line).is_some() || request_line(line).is_some()
}

/// Line breaks before the start line are to be ignored (RFC 3261, section 7.5); phones send spaces and zero bytes too.
pub(super) fn skip_padding(mut bytes: &[u8]) -> &[u8] {
    while let [b'\r' | b'\n' | b' ' | b'\t' | 0, rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

/// Parses one message that fills a datagram.
///
/// # Errors
/// Why it is not one.
pub fn parse(datagram: &[u8]) -> Result<Message<'_>, Reason> {
    let datagram = skip_padding(datagram);
    let (line, rest) = split_line(datagram);
    let start = start_line(line).ok_or(Reason::SipStartLine)?;
    let (headers, body) = index(rest)?;
    let first = |header| headers.first(header);
    let (Some(call_id), Some(cseq), Some(from), Some(to)) =
        (first(Header::CallId), first(Header::CSeq), first(Header::From), first(Header::To))
    else {
        return Err(Reason::SipMandatory);
    };
    if call_id.is_empty() || call_id.len() > limits::CALL_ID_BYTES {
        return Err(Reason::SipMandatory);
    }
    let (cseq, cseq_method) = fields::cseq(cseq).ok_or(Reason::SipMandatory)?;
    // RFC 3261, section 18.3: over UDP a body beyond Content-Length is cut off; without the header, or with one that
    // cannot be read, it reaches to the end of the datagram.
    let announced = first(Header::ContentLength).and_then(fields::number).unwrap_or(body.len());
    let present = body.get(..announced).unwrap_or(body);
    Ok(Message {
        start,
        start_line: line,
        call_id,
        cseq,
        cseq_method,
        from,
        to,
        from_tag: Tag::of(from),
        to_tag: Tag::of(to),
        contact: first(Header::Contact),
        expires: first(Header::Expires),
        content_type: first(Header::ContentType),
        body: present,
        missing: announced.saturating_sub(body.len()),
        surplus: body.len().saturating_sub(announced),
        headers,
    })
}

/// Reads a start line, without its line break.
pub(super) fn start_line(line: &[u8]) -> Option<StartLine<'_>> {
    let line = line.trim_ascii_end();
    if let Some(rest) = strip_version(line) {
        let rest = rest.trim_ascii_start();
        let end = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, reason) = rest.split_at_checked(end)?;
        let status = u16::try_from(fields::number(digits)?).ok()?;
        let valid = digits.len() == 3 && (100..700).contains(&status);
        return valid.then_some(StartLine::Response { status, reason: reason.trim_ascii_start() });
    }
    let rest = request_line(line)?;
    let space = rest.iter().position(|&byte| byte == b' ')?;
    let (token, uri) = rest.split_at_checked(space)?;
    let uri = uri.trim_ascii();
    (!uri.is_empty()).then_some(())?;
    Some(StartLine::Request { method: Method::from_token(token)?, token, uri })
}

/// What follows the version and a space. The version is not case-sensitive (RFC 3261, section 7.1).
fn strip_version(line: &[u8]) -> Option<&[u8]> {
    let (version, rest) = line.split_at_checked(8)?;
    version.eq_ignore_ascii_case(b"SIP/2.0 ").then_some(rest)
}

/// What comes before a space and the version.
fn request_line(line: &[u8]) -> Option<&[u8]> {
    let (rest, version) = line.split_at_checked(line.len().checked_sub(8)?)?;
    version.eq_ignore_ascii_case(b" SIP/2.0").then_some(rest)
}

/// The line before the next line feed, without its end, and what follows it.
fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match memchr(b'\n', bytes).and_then(|at| bytes.split_at_checked(at)) {
        Some((line, rest)) => (line.strip_suffix(b"\r").unwrap_or(line), rest.get(1..).unwrap_or_default()),
        None => (bytes, &[]),
    }
}

/// The header lines of a message whose head, up to the empty line, is given with its start line.
pub(super) fn index_after_start_line(head: &[u8]) -> Result<Headers<'_>, Reason> {
    Ok(index(split_line(head).1)?.0)
}

/// Indexes the header lines up to the empty line: the index and the body. The end of the datagram ends them too.
pub(super) fn index(head: &[u8]) -> Result<(Headers<'_>, &[u8]), Reason> {
    let mut headers = Headers::new(head);
    let mut from = 0_usize;
    while from < head.len() {
        if from > limits::SIP_HEAD_BYTES {
            return Err(Reason::SipTooLarge);
        }
        let (end, next) = line_end(head, from);
        let line = head.get(from..end).unwrap_or_default();
        if line.is_empty() {
            return Ok((headers, head.get(next..).unwrap_or_default()));
        }
        let (end, next) = folded_end(head, end, next);
        if end.saturating_sub(from) > limits::SIP_HEADER_BYTES {
            return Err(Reason::SipTooLarge);
        }
        match line.iter().position(|&byte| byte == b':') {
            // The line folds before its colon, or continues the start line.
            _ if matches!(line.first(), Some(b' ' | b'\t')) => headers.damage()?,
            Some(colon) => headers.put(from, from.saturating_add(colon), end)?,
            // The last line of a message that was cut off has lost its end; any other is an error.
            None if next >= head.len() && !head.ends_with(b"\n") => {}
            None => headers.damage()?,
        }
        from = next;
    }
    Ok((headers, &[]))
}

/// The end of the line that begins at `from`, without its line break, and where the next one begins.
fn line_end(head: &[u8], from: usize) -> (usize, usize) {
    let rest = head.get(from..).unwrap_or_default();
    let Some(length) = memchr(b'\n', rest) else { return (head.len(), head.len()) };
    let line = rest.get(..length).unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    (from.saturating_add(line.len()), from.saturating_add(length).saturating_add(1))
}

/// Adds the lines that continue a header: they begin with a space or a tab (RFC 3261, section 7.3.1).
fn folded_end(head: &[u8], mut end: usize, mut next: usize) -> (usize, usize) {
    while matches!(head.get(next), Some(b' ' | b'\t')) {
        (end, next) = line_end(head, next);
    }
    (end, next)
}
