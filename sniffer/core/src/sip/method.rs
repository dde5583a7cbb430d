//! SIP methods.

/// The method of a request. Methods are case-sensitive (RFC 3261, section 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
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

    /// Its place in [`Method::ALL`].
    #[must_use]
    #[expect(clippy::as_conversions, reason = "the number of a variant; there is no other conversion")]
    #[inline]
    pub fn number(self) -> usize {
        usize::from(self as u8)
    }

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

    /// The method that a token names; none when the bytes are no token.
    #[must_use]
    pub fn from_token(token: &[u8]) -> Option<Self> {
        Some(match token {
            b"INVITE" => Self::Invite,
            b"ACK" => Self::Ack,
            b"BYE" => Self::Bye,
            b"CANCEL" => Self::Cancel,
            b"REGISTER" => Self::Register,
            b"OPTIONS" => Self::Options,
            b"PRACK" => Self::Prack,
            b"UPDATE" => Self::Update,
            b"INFO" => Self::Info,
            b"REFER" => Self::Refer,
            b"SUBSCRIBE" => Self::Subscribe,
            b"NOTIFY" => Self::Notify,
            b"MESSAGE" => Self::Message,
            b"PUBLISH" => Self::Publish,
            _ if is_token(token) => Self::Other,
            _ => return None,
        })
    }
}

/// Says whether the bytes are a token (RFC 3261, section 25.1).
#[must_use]
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| is_token_byte(byte))
}

/// A character of a token (RFC 3261, section 25.1).
#[inline]
pub(super) fn is_token_byte(byte: u8) -> bool {
    TOKEN.get(usize::from(byte)).is_some_and(|&is_token| is_token)
}

/// Which bytes are characters of a token: each tag and branch is looked through.
#[expect(clippy::as_conversions, clippy::indexing_slicing, reason = "a table made by the compiler")]
static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut rest: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~";
    while let [byte, tail @ ..] = rest {
        table[*byte as usize] = true;
        rest = tail;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_characters_of_tokens_are_those_of_the_rfc() {
        for byte in 0..=u8::MAX {
            let is_token = byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte);
            assert_eq!(is_token_byte(byte), is_token, "{byte}");
        }
    }

    #[test]
    fn the_number_of_a_method_is_its_place() {
        for (place, method) in Method::ALL.iter().enumerate() {
            assert_eq!(method.number(), place);
        }
    }

    #[test]
    fn every_method_is_read_as_it_is_written_and_only_so() {
        for method in Method::ALL {
            assert_eq!(Method::from_token(method.name().as_bytes()), Some(method));
        }
        assert_eq!(Method::from_token(b"invite"), Some(Method::Other));
        for bytes in [&b""[..], b"IN VITE", b"INVITE\0", b"<INVITE"] {
            assert_eq!(Method::from_token(bytes), None);
        }
    }
}
