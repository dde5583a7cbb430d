//! Lines of a stream: which may begin a message, and where its head ends.

use memchr::memchr;

use crate::sip::{Method, method::is_token_byte, parse::start_line};

/// Says whether bytes may be the beginning of a start line of SIP or of an HTTP handshake, as far as they go. Once it says
/// no, no further bytes of the line change that.
pub(super) fn could_begin(bytes: &[u8]) -> bool {
    if bytes.iter().any(|&byte| byte == 0x7f || (byte < b' ' && byte != b'\t' && byte != b'\r')) {
        return false;
    }
    let of_version = |version: &[u8]| {
        let length = version.len().min(bytes.len());
        bytes.get(..length).unwrap_or_default().eq_ignore_ascii_case(version.get(..length).unwrap_or_default())
    };
    if of_version(b"SIP/2.0 ") || of_version(b"HTTP/1.") {
        return true;
    }
    match bytes.iter().position(|&byte| !is_token_byte(byte)) {
        Some(end) => (1..=LONGEST_METHOD).contains(&end) && bytes.get(end) == Some(&b' '),
        None => bytes.len() <= LONGEST_METHOD,
    }
}

/// Bytes of a method. The longest registered one has nine; RFC 4475's has 43.
const LONGEST_METHOD: usize = 64;

/// Says whether a whole line is a start line of SIP.
pub(super) fn is_start(line: &[u8]) -> bool {
    could_begin(line) && start_line(line).is_some()
}

/// Says whether bytes begin with a known method or a status line: enough to tell SIP within a WebSocket from chance.
/// None when there are too few.
pub(super) fn begins_like_message(bytes: &[u8]) -> Option<bool> {
    let starts = Method::ALL.iter().filter(|&&method| method != Method::Other).map(|method| method.name().as_bytes());
    let mut undecided = false;
    for start in starts.chain([b"SIP/2.0".as_slice()]) {
        let length = start.len().min(bytes.len());
        if bytes.get(..length) == start.get(..length) {
            match bytes.get(length) {
                Some(b' ') => return Some(true),
                Some(_) => {}
                None => undecided = true,
            }
        }
    }
    if undecided { None } else { Some(false) }
}

/// The end of a message's head, that is the place where its body begins: after the first empty line. The search begins at
/// `from`.
pub(super) fn head_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let rest = bytes.get(at..)?;
        let line = memchr(b'\n', rest);
        #[cfg(test)]
        SEARCHED.with(|searched| searched.set(searched.get() + line.unwrap_or(rest.len())));
        at = at.saturating_add(line?).saturating_add(1);
        match bytes.get(at..)? {
            [b'\n', ..] => return Some(at.saturating_add(1)),
            [b'\r', b'\n', ..] => return Some(at.saturating_add(2)),
            _ => {}
        }
    }
}

/// The place from which a search for the end of a head goes on when it found none in so many bytes.
pub(super) fn resume(length: usize) -> usize {
    // The last three bytes may be the first of "\n\r\n".
    length.saturating_sub(3)
}

#[cfg(test)]
thread_local! {
    /// Octets in which this thread has searched for a head's end: what takes too long is counted, not timed.
    pub(super) static SEARCHED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}
