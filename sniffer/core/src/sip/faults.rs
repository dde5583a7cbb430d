//! What is wrong with a message that can be read all the same. An endpoint answers such a message with 400 (RFC 4475); we
//! only watch, and endpoints differ in what they accept: the call is tracked, and the fault is told.

use super::{Header, Message, NameAddr, Scheme, StartLine, Uri, Via, fields, is_token, uri::address, values};

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// White space in the start line beyond the two single spaces.
    StartLine,
    /// The request URI holds brackets, white space or headers, or its host or port cannot be read.
    RequestUri,
    /// CSeq names another method than the start line.
    MethodMismatch,
    /// CSeq's number is not below 2^31.
    CseqRange,
    /// Content-Length cannot be read, comes twice with different values, or is longer than the body.
    ContentLength,
    /// Max-Forwards is not a number up to 255.
    MaxForwards,
    /// Expires is not a number below 2^32.
    Expires,
    /// A header of which there may be one comes twice.
    Repeated,
    /// Via is missing or cannot be read.
    Via,
    /// The topmost Via's branch is empty behind its magic cookie.
    Branch,
    /// From, To or Contact: a quote that is not closed, a name that needs quotes, white space within the brackets, or a URI
    /// that needs brackets.
    Address,
    /// Date is not in GMT.
    Date,
    /// A line is no header.
    HeaderLine,
}

impl Fault {
    /// All faults.
    pub const ALL: [Self; 13] = [
        Self::StartLine,
        Self::RequestUri,
        Self::MethodMismatch,
        Self::CseqRange,
        Self::ContentLength,
        Self::MaxForwards,
        Self::Expires,
        Self::Repeated,
        Self::Via,
        Self::Branch,
        Self::Address,
        Self::Date,
        Self::HeaderLine,
    ];

    /// The name in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::StartLine => "start_line",
            Self::RequestUri => "request_uri",
            Self::MethodMismatch => "method_mismatch",
            Self::CseqRange => "cseq_range",
            Self::ContentLength => "content_length",
            Self::MaxForwards => "max_forwards",
            Self::Expires => "expires",
            Self::Repeated => "repeated",
            Self::Via => "via",
            Self::Branch => "branch",
            Self::Address => "address",
            Self::Date => "date",
            Self::HeaderLine => "header_line",
        }
    }
}

impl Message<'_> {
    /// Says whether a message has a fault.
    #[must_use]
    pub fn has_fault(&self, fault: Fault) -> bool {
        match fault {
            Fault::StartLine => !self.is_start_line_tight(),
            Fault::RequestUri => match self.start {
                StartLine::Request { uri, .. } => !is_request_uri(uri),
                StartLine::Response { .. } => false,
            },
            Fault::MethodMismatch => match self.start {
                StartLine::Request { token, .. } => self.cseq_token() != token,
                StartLine::Response { .. } => false,
            },
            Fault::CseqRange => self.cseq >= 1 << 31,
            Fault::ContentLength => {
                let mut lengths = self.all(Header::ContentLength).map(fields::number);
                match lengths.next() {
                    None => false,
                    Some(first) => first.is_none() || self.missing > 0 || lengths.any(|other| other != first),
                }
            }
            Fault::MaxForwards => {
                self.first(Header::MaxForwards).is_some_and(|value| fields::number(value).is_none_or(|hops| hops > 255))
            }
            Fault::Expires => self.expires.is_some_and(|value| !is_delta(value)),
            Fault::Repeated => {
                const SINGLE: [Header; 6] =
                    [Header::CallId, Header::CSeq, Header::From, Header::To, Header::MaxForwards, Header::ContentType];
                SINGLE.iter().any(|&header| self.all(header).nth(1).is_some())
            }
            Fault::Via => {
                let mut hops = self.all(Header::Via).flat_map(super::address::split_values).peekable();
                hops.peek().is_none() || hops.any(|hop| !is_via(hop))
            }
            Fault::Branch => {
                let top = self.first(Header::Via).and_then(|line| values(line).next()).and_then(Via::parse);
                top.and_then(|via| via.branch()).is_some_and(|branch| branch.eq_ignore_ascii_case(b"z9hG4bK"))
            }
            Fault::Address => {
                let contacts = self.all(Header::Contact).flat_map(values).filter(|value| *value != b"*");
                !is_address(self.from) || !is_address(self.to) || contacts.into_iter().any(|value| !is_address(value))
            }
            Fault::Date => self.first(Header::Date).is_some_and(|value| !value.ends_with(b" GMT")),
            Fault::HeaderLine => self.headers.damaged() > 0,
        }
    }

    /// The faults of a message.
    pub fn faults(&self) -> impl Iterator<Item = Fault> {
        Fault::ALL.into_iter().filter(|&fault| self.has_fault(fault))
    }

    /// One space between the parts of the start line, none at its ends.
    fn is_start_line_tight(&self) -> bool {
        match self.start {
            StartLine::Request { token, uri, .. } => {
                const VERSION: usize = b" SIP/2.0".len();
                token.len().saturating_add(1).saturating_add(uri.len()).saturating_add(VERSION) == self.start_line.len()
            }
            StartLine::Response { .. } => {
                self.start_line.get(8).is_some_and(u8::is_ascii_digit)
                    && self.start_line.get(11).is_none_or(|&byte| byte == b' ')
            }
        }
    }

    /// The method in CSeq as written.
    fn cseq_token(&self) -> &[u8] {
        let value = self.first(Header::CSeq).unwrap_or_default();
        let end = value.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(value.len());
        value.get(end..).unwrap_or_default().trim_ascii()
    }
}

/// Says whether the value is a number of seconds below 2^32.
fn is_delta(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_ok_and(|text| text.trim().parse::<u32>().is_ok())
}

/// Says whether bytes are a URI as a start line may hold it.
fn is_request_uri(uri: &[u8]) -> bool {
    if uri.iter().any(|&byte| byte <= b' ' || byte == 0x7f || matches!(byte, b'<' | b'>' | b'"')) {
        return false;
    }
    Uri::parse(uri).is_some_and(|uri| is_host(&uri) && uri.headers.is_none())
}

/// Says whether a sip URI has a host and a port that can be read.
fn is_host(uri: &Uri<'_>) -> bool {
    match uri.scheme {
        Scheme::Tel | Scheme::Other => true,
        Scheme::Sip | Scheme::Sips => {
            let named = uri.host.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
            !uri.host.is_empty()
                && (named || address(uri.host).is_some())
                && (uri.port.is_none() || uri.port_number().is_some())
        }
    }
}

/// Says whether a hop can be read, with parameters that have names.
fn is_via(hop: &[u8]) -> bool {
    Via::parse(hop).is_some_and(|via| {
        let mut parameters = via.parameters.0.split(|&byte| byte == b';').skip(1);
        parameters.all(|parameter| !parameter.trim_ascii().is_empty())
    })
}

/// Says whether the value of From, To or Contact is written as the RFC wants it.
fn is_address(value: &[u8]) -> bool {
    let address = NameAddr::parse(value);
    if !address.bracketed {
        // Without brackets a URI may hold neither headers nor commas (RFC 3261, section 20).
        return !address.uri.is_empty() && !address.uri.contains(&b'?') && !address.uri.contains(&b'"');
    }
    let is_name = match address.display.strip_prefix(b"\"") {
        Some(_) => super::scan::is_quoted_string(address.display),
        None => address.display.split(u8::is_ascii_whitespace).all(|word| word.is_empty() || is_token(word)),
    };
    let parameters = address.parameters.0.split(|&byte| byte == b';').skip(1);
    is_name && !address.spaced && parameters.map(<[u8]>::trim_ascii).all(|one| !one.is_empty())
}
