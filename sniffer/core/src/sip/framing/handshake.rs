//! The HTTP handshake that turns a stream into a WebSocket (RFC 6455, section 4; RFC 7118, section 4).

use crate::sip::values;

/// What a handshake makes of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Upgrade {
    /// A WebSocket whose subprotocol is SIP.
    Sip,
    /// A WebSocket without a subprotocol: its first message tells.
    Unnamed,
    /// Something else.
    Other,
}

/// Says whether a line begins a handshake: a GET request, or an answer that switches protocols.
pub(super) fn is_handshake(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    (line.starts_with(b"GET ") && (line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0")))
        || line.starts_with(b"HTTP/1.1 101")
}

/// Reads a whole handshake, up to and with its empty line.
pub(super) fn read(head: &[u8]) -> Upgrade {
    let mut is_websocket = false;
    let mut protocol = None;
    for line in head.split(|&byte| byte == b'\n').skip(1) {
        let Some((name, value)) =
            line.iter().position(|&byte| byte == b':').and_then(|colon| line.split_at_checked(colon))
        else {
            continue;
        };
        let value = value.get(1..).unwrap_or_default();
        let has = |wanted: &[u8]| values(value).any(|token| token.eq_ignore_ascii_case(wanted));
        if name.trim_ascii().eq_ignore_ascii_case(b"Upgrade") {
            is_websocket = has(b"websocket");
        } else if name.trim_ascii().eq_ignore_ascii_case(b"Sec-WebSocket-Protocol") {
            protocol = Some(protocol == Some(true) || has(b"sip"));
        }
    }
    match (is_websocket, protocol) {
        (false, _) | (true, Some(false)) => Upgrade::Other,
        (true, Some(true)) => Upgrade::Sip,
        (true, None) => Upgrade::Unnamed,
    }
}
