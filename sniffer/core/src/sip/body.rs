//! Message bodies: the parts of a multipart one (RFC 2046, RFC 5621), and the SDP in any of them. What is encoded is named
//! and not decoded.

use memchr::{memchr, memmem};

use super::{Header, Message, address::Parameters, parse::index};
use crate::{limits, sdp};

/// One part, or a whole body that has no parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// Content-Type, with its parameters.
    pub content_type: Option<&'a [u8]>,
    /// Content-Disposition.
    pub disposition: Option<&'a [u8]>,
    /// The encoding that hides the bytes: Content-Encoding, or a Content-Transfer-Encoding such as base64.
    pub encoding: Option<&'a [u8]>,
    /// The bytes, as encoded.
    pub bytes: &'a [u8],
}

impl Part<'_> {
    /// Says whether the part is SDP that can be read.
    #[must_use]
    pub fn is_sdp(&self) -> bool {
        self.encoding.is_none() && sdp::is_sdp(self.content_type, self.bytes)
    }

    /// The main and sub type, without parameters.
    #[must_use]
    pub fn kind(&self) -> Option<&[u8]> {
        Some(self.content_type?.split(|&byte| byte == b';').next()?.trim_ascii())
    }
}

impl<'a> Message<'a> {
    /// The SDP of the message: its body, or the first part of a multipart body that is SDP.
    #[must_use]
    pub fn sdp(&self) -> Option<&'a [u8]> {
        if self.body.is_empty() {
            return None;
        }
        let mut found = None;
        self.parts(&mut |part| {
            if found.is_none() && part.is_sdp() {
                found = Some(part.bytes);
            }
        });
        found
    }

    /// Gives every part of the body that is not itself made of parts, in order: at most [`limits::SIP_PARTS`], nested at
    /// most [`limits::SIP_PART_DEPTH`] deep.
    pub fn parts(&self, take: &mut impl FnMut(Part<'a>)) {
        if self.body.is_empty() {
            return;
        }
        let whole = Part {
            content_type: self.content_type,
            disposition: self.first(Header::ContentDisposition),
            encoding: self.first(Header::ContentEncoding).filter(|encoding| !is_plain(encoding)),
            bytes: self.body,
        };
        let mut left = limits::SIP_PARTS;
        walk(whole, limits::SIP_PART_DEPTH, &mut left, take);
    }
}

fn walk<'a>(part: Part<'a>, depth: usize, left: &mut usize, take: &mut impl FnMut(Part<'a>)) {
    let is_multipart = part.kind().is_some_and(|kind| {
        kind.get(..10).is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/")) && part.encoding.is_none()
    });
    let boundary = if is_multipart && depth > 0 { boundary(part) } else { None };
    let Some(boundary) = boundary else {
        if let Some(rest) = left.checked_sub(1) {
            *left = rest;
            take(part);
        }
        return;
    };
    let Some(mut rest) = delimiter(part.bytes, &boundary).map(|delimiter| delimiter.after) else { return };
    while *left > 0 {
        // The last delimiter may be missing when the body was cut off.
        let next = delimiter(rest, &boundary);
        let bytes = next.as_ref().map_or(rest, |next| next.before);
        walk(read_part(bytes), depth.saturating_sub(1), left, take);
        match next {
            Some(next) if !next.is_last => rest = next.after,
            _ => return,
        }
    }
}

/// A part: headers, an empty line, bytes.
fn read_part(bytes: &[u8]) -> Part<'_> {
    let plain = Part { content_type: None, disposition: None, encoding: None, bytes };
    let Ok((headers, body)) = index(bytes) else { return plain };
    let transfer = headers.named("Content-Transfer-Encoding").filter(|encoding| !is_plain(encoding));
    Part {
        content_type: headers.first(Header::ContentType),
        disposition: headers.first(Header::ContentDisposition),
        encoding: headers.first(Header::ContentEncoding).filter(|encoding| !is_plain(encoding)).or(transfer),
        bytes: body,
    }
}

/// Encodings that leave the bytes as they are.
fn is_plain(encoding: &[u8]) -> bool {
    [b"identity".as_slice(), b"binary", b"8bit", b"7bit"].iter().any(|plain| encoding.eq_ignore_ascii_case(plain))
}

/// The delimiter of a multipart body: two hyphens and the boundary, in quotes or not; without the parameter, the body's
/// first line.
#[derive(Clone, Copy, Debug)]
struct Boundary {
    bytes: [u8; limits::SIP_BOUNDARY_BYTES],
    length: usize,
}

impl Boundary {
    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn push(&mut self, byte: u8) -> Option<()> {
        *self.bytes.get_mut(self.length)? = byte;
        self.length = self.length.saturating_add(1);
        Some(())
    }
}

fn boundary(part: Part<'_>) -> Option<Boundary> {
    let mut boundary = Boundary { bytes: [0; limits::SIP_BOUNDARY_BYTES], length: 0 };
    let value = part.content_type?;
    let parameters = value.get(memchr(b';', value).unwrap_or(value.len())..).unwrap_or_default();
    let given = Parameters(parameters).get(b"boundary").filter(|given| !given.is_empty());
    let Some(given) = given else {
        let line = part.bytes.trim_ascii_start();
        let line = line.get(..memchr(b'\n', line)?)?.trim_ascii_end();
        line.strip_prefix(b"--").filter(|name| !name.is_empty())?;
        line.iter().try_for_each(|&byte| boundary.push(byte))?;
        return Some(boundary);
    };
    boundary.push(b'-')?;
    boundary.push(b'-')?;
    let (inside, is_quoted) = match given.strip_prefix(b"\"") {
        Some(inside) => (inside.strip_suffix(b"\"").unwrap_or(inside), true),
        None => (given, false),
    };
    let mut escaped = false;
    for &byte in inside {
        if is_quoted && byte == b'\\' && !escaped {
            escaped = true;
            continue;
        }
        escaped = false;
        boundary.push(byte)?;
    }
    Some(boundary)
}

/// A delimiter in a body: what comes before it, without the line break that belongs to it, and what comes after its line.
struct Delimiter<'a> {
    before: &'a [u8],
    after: &'a [u8],
    is_last: bool,
}

fn delimiter<'a>(bytes: &'a [u8], boundary: &Boundary) -> Option<Delimiter<'a>> {
    let boundary = boundary.as_bytes();
    for at in memmem::find_iter(bytes, boundary) {
        let (before, rest) = bytes.split_at_checked(at)?;
        let begins_line = before.last().is_none_or(|&byte| byte == b'\n');
        let rest = rest.get(boundary.len()..).unwrap_or_default();
        let is_last = rest.starts_with(b"--");
        let end = memchr(b'\n', rest).map_or(rest.len(), |end| end.saturating_add(1));
        let (line, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        // Another boundary may begin like this one.
        if begins_line && (is_last || line.trim_ascii().is_empty()) {
            let before = before.strip_suffix(b"\n").unwrap_or(before);
            let before = before.strip_suffix(b"\r").unwrap_or(before);
            return Some(Delimiter { before, after, is_last });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::sip::{Message, parse};

    fn message(headers: &str, body: &str) -> Vec<u8> {
        format!("INVITE sip:x SIP/2.0\r\ni: 1\r\nCSeq: 1 INVITE\r\nf: a\r\nt: b\r\n{headers}\r\n\r\n{body}")
            .into_bytes()
    }

    fn parts(message: &Message<'_>) -> Vec<(String, String, String)> {
        let mut parts = Vec::new();
        let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
        message.parts(&mut |part| parts.push((text(part.kind()), text(part.encoding), text(Some(part.bytes)))));
        parts
    }

    const SDP: &str = "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4 RTP/AVP 0\r\n";

    #[test]
    fn sdp_is_found_in_a_part_however_the_boundary_is_written() {
        for (parameter, mark) in [
            ("boundary=b1", "b1"),
            ("boundary=\"b 1\"; x=y", "b 1"),
            ("BOUNDARY = \"b\\\"1\"", "b\"1"),
            ("charset=utf-8", "whatever"),
        ] {
            let body = format!(
                "preamble\r\n--{mark}\r\nContent-Type: application/pidf+xml\r\n\r\n<x/>\r\n--{mark} \r\nC: application/sdp\r\nContent-Disposition: session\r\n\r\n{SDP}\r\n--{mark}--\r\nepilogue"
            );
            let body = if parameter.starts_with("charset") { body.replace("preamble\r\n", "") } else { body };
            let bytes = message(&format!("Content-Type: multipart/mixed; {parameter}"), &body);
            let message = parse(&bytes).unwrap();
            assert_eq!(message.sdp(), Some(SDP.as_bytes()), "{parameter}");
            assert_eq!(parts(&message)[0], ("application/pidf+xml".into(), String::new(), "<x/>".into()));
            assert_eq!(parts(&message).len(), 2);
        }
    }

    #[test]
    fn parts_are_found_in_parts_up_to_a_depth_and_a_number() {
        let nest = |depth: usize| {
            let mut body = format!("Content-Type: application/sdp\r\n\r\n{SDP}");
            for level in 0..depth {
                body = format!(
                    "Content-Type: multipart/alternative;boundary=n{level}\r\n\r\n--n{level}\r\n{body}\r\n--n{level}--"
                );
            }
            message("Content-Type: multipart/mixed;boundary=n", &format!("--n\r\n{body}\r\n--n--"))
        };
        assert_eq!(parse(&nest(crate::limits::SIP_PART_DEPTH - 1)).unwrap().sdp(), Some(SDP.as_bytes()));
        assert_eq!(parse(&nest(crate::limits::SIP_PART_DEPTH)).unwrap().sdp(), None);
        let many = message("c: multipart/mixed;boundary=n", &"--n\r\n\r\nx\r\n".repeat(1000));
        assert_eq!(parts(&parse(&many).unwrap()).len(), crate::limits::SIP_PARTS);
    }

    #[test]
    fn what_is_encoded_is_named_and_not_taken_for_sdp() {
        let bytes = message("Content-Type: application/sdp\r\nContent-Encoding: gzip", "v=0");
        let message_ = parse(&bytes).unwrap();
        assert_eq!((message_.sdp(), parts(&message_)[0].1.as_str()), (None, "gzip"));
        let body = format!(
            "--n\r\nContent-Type: application/sdp\r\nContent-Transfer-Encoding: base64\r\n\r\ndj0w\r\n--n\r\nContent-Type: application/sdp\r\nContent-Transfer-Encoding: 8BIT\r\n\r\n{SDP}\r\n--n--"
        );
        let bytes = message("Content-Type: multipart/mixed;boundary=n", &body);
        let message = parse(&bytes).unwrap();
        assert_eq!((message.sdp(), parts(&message)[0].1.as_str()), (Some(SDP.as_bytes()), "base64"));
    }

    #[test]
    fn a_part_cut_off_and_a_boundary_that_begins_like_another_are_read() {
        let body = format!(
            "--n\r\nContent-Type: text/plain\r\n\r\nline\r\n--nn\r\nmore\r\n--n\r\nContent-Type: application/sdp\r\n\r\n{SDP}"
        );
        let bytes = message("Content-Type: multipart/mixed;boundary=n", &body);
        let message = parse(&bytes).unwrap();
        assert_eq!(message.sdp(), Some(SDP.as_bytes()));
        assert_eq!(parts(&message)[0].2, "line\r\n--nn\r\nmore");
    }

    #[test]
    fn a_message_without_a_body_or_with_another_has_no_sdp() {
        assert_eq!(parse(&message("Content-Type: application/sdp", "")).unwrap().sdp(), None);
        assert_eq!(parse(&message("Content-Type: text/plain", "v=0")).unwrap().sdp(), None);
        assert_eq!(parse(&message("Content-Type: multipart/mixed;boundary=n", "no delimiter")).unwrap().sdp(), None);
        assert_eq!(parse(&message("X: y", "v=0\r\n")).unwrap().sdp(), Some(&b"v=0\r\n"[..]));
    }
}
