//! The names of SIP headers: full and compact forms, found without a hash by length and first letter.

macro_rules! headers {
    ($($(#[$doc:meta])* $variant:ident $name:literal $compact:literal,)*) => {
        /// A header that the engine knows by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Header {
            $(#[doc = concat!("`", $name, "`")] $(#[$doc])* $variant,)*
            /// Any other header: [`super::Message::named`] finds it.
            Other,
        }

        impl Header {
            /// All headers that are known by name.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];
            /// How many there are, with all others as one.
            pub(super) const COUNT: usize = Self::ALL.len() + 1;

            /// The name in full, as its RFC writes it; empty for [`Header::Other`].
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Other => "",
                }
            }

            /// The compact form, when there is one.
            #[must_use]
            pub fn compact(self) -> Option<u8> {
                let letter = match self {
                    $(Self::$variant => $compact,)*
                    Self::Other => b' ',
                };
                (letter != b' ').then_some(letter)
            }
        }
    };
}

headers! {
    Via "Via" b'v',
    From "From" b'f',
    To "To" b't',
    CallId "Call-ID" b'i',
    CSeq "CSeq" b' ',
    Contact "Contact" b'm',
    MaxForwards "Max-Forwards" b' ',
    ContentType "Content-Type" b'c',
    ContentLength "Content-Length" b'l',
    ContentEncoding "Content-Encoding" b'e',
    ContentDisposition "Content-Disposition" b' ',
    Route "Route" b' ',
    RecordRoute "Record-Route" b' ',
    Path "Path" b' ',
    ServiceRoute "Service-Route" b' ',
    Expires "Expires" b' ',
    MinExpires "Min-Expires" b' ',
    Date "Date" b' ',
    Timestamp "Timestamp" b' ',
    UserAgent "User-Agent" b' ',
    Server "Server" b' ',
    Allow "Allow" b' ',
    Accept "Accept" b' ',
    Supported "Supported" b'k',
    Require "Require" b' ',
    ProxyRequire "Proxy-Require" b' ',
    Unsupported "Unsupported" b' ',
    Authorization "Authorization" b' ',
    ProxyAuthorization "Proxy-Authorization" b' ',
    WwwAuthenticate "WWW-Authenticate" b' ',
    ProxyAuthenticate "Proxy-Authenticate" b' ',
    PAssertedIdentity "P-Asserted-Identity" b' ',
    PPreferredIdentity "P-Preferred-Identity" b' ',
    PCalledPartyId "P-Called-Party-ID" b' ',
    PChargingVector "P-Charging-Vector" b' ',
    PAccessNetworkInfo "P-Access-Network-Info" b' ',
    RemotePartyId "Remote-Party-ID" b' ',
    Identity "Identity" b'y',
    Privacy "Privacy" b' ',
    Diversion "Diversion" b' ',
    HistoryInfo "History-Info" b' ',
    ReferTo "Refer-To" b'r',
    ReferredBy "Referred-By" b'b',
    Replaces "Replaces" b' ',
    Join "Join" b' ',
    TargetDialog "Target-Dialog" b' ',
    Reason "Reason" b' ',
    Warning "Warning" b' ',
    RetryAfter "Retry-After" b' ',
    RSeq "RSeq" b' ',
    RAck "RAck" b' ',
    SessionExpires "Session-Expires" b'x',
    MinSe "Min-SE" b' ',
    Event "Event" b'o',
    AllowEvents "Allow-Events" b'u',
    SubscriptionState "Subscription-State" b' ',
    SipEtag "SIP-ETag" b' ',
    SipIfMatch "SIP-If-Match" b' ',
    Subject "Subject" b's',
    CallInfo "Call-Info" b' ',
    AlertInfo "Alert-Info" b' ',
    SessionId "Session-ID" b' ',
    XCallId "X-Call-ID" b' ',
}

impl Header {
    /// The header of a name in full or compact form, in any case.
    #[must_use]
    pub fn of(name: &[u8]) -> Self {
        let Some(&first) = name.first() else { return Self::Other };
        let candidates: &[Self] = match (name.len(), first | 0x20) {
            (1, letter) => return Self::of_letter(letter),
            (2, b't') => &[Self::To],
            (3, b'v') => &[Self::Via],
            (4, b'f') => &[Self::From],
            (4, b'c') => &[Self::CSeq],
            (4, b'd') => &[Self::Date],
            (4, b'p') => &[Self::Path],
            (4, b'j') => &[Self::Join],
            (4, b'r') => &[Self::RSeq, Self::RAck],
            (5, b'a') => &[Self::Allow],
            (5, b'e') => &[Self::Event],
            (5, b'r') => &[Self::Route],
            (6, b'a') => &[Self::Accept],
            (6, b'm') => &[Self::MinSe],
            (6, b'r') => &[Self::Reason],
            (6, b's') => &[Self::Server],
            (7, b'c') => &[Self::CallId, Self::Contact],
            (7, b'e') => &[Self::Expires],
            (7, b'p') => &[Self::Privacy],
            (7, b'r') => &[Self::Require],
            (7, b's') => &[Self::Subject],
            (7, b'w') => &[Self::Warning],
            (8, b'i') => &[Self::Identity],
            (8, b'r') => &[Self::ReferTo, Self::Replaces],
            (8, b's') => &[Self::SipEtag],
            (9, b'c') => &[Self::CallInfo],
            (9, b'd') => &[Self::Diversion],
            (9, b's') => &[Self::Supported],
            (9, b't') => &[Self::Timestamp],
            (9, b'x') => &[Self::XCallId],
            (10, b'a') => &[Self::AlertInfo],
            (10, b's') => &[Self::SessionId],
            (10, b'u') => &[Self::UserAgent],
            (11, b'm') => &[Self::MinExpires],
            (11, b'r') => &[Self::ReferredBy, Self::RetryAfter],
            (11, b'u') => &[Self::Unsupported],
            (12, b'a') => &[Self::AllowEvents],
            (12, b'c') => &[Self::ContentType],
            (12, b'h') => &[Self::HistoryInfo],
            (12, b'm') => &[Self::MaxForwards],
            (12, b'r') => &[Self::RecordRoute],
            (12, b's') => &[Self::SipIfMatch],
            (13, b'a') => &[Self::Authorization],
            (13, b'p') => &[Self::ProxyRequire],
            (13, b's') => &[Self::ServiceRoute],
            (13, b't') => &[Self::TargetDialog],
            (14, b'c') => &[Self::ContentLength],
            (15, b'r') => &[Self::RemotePartyId],
            (15, b's') => &[Self::SessionExpires],
            (16, b'c') => &[Self::ContentEncoding],
            (16, b'w') => &[Self::WwwAuthenticate],
            (17, b'p') => &[Self::PCalledPartyId, Self::PChargingVector],
            (18, b'p') => &[Self::ProxyAuthenticate],
            (18, b's') => &[Self::SubscriptionState],
            (19, b'p') => &[Self::ProxyAuthorization, Self::PAssertedIdentity],
            (19, b'c') => &[Self::ContentDisposition],
            (20, b'p') => &[Self::PPreferredIdentity],
            (21, b'p') => &[Self::PAccessNetworkInfo],
            _ => return Self::Other,
        };
        // Nearly all write names as the RFCs do, and that is seen at once.
        let as_written = candidates.iter().find(|header| header.name().as_bytes() == name);
        let in_any_case = || candidates.iter().find(|header| header.name().as_bytes().eq_ignore_ascii_case(name));
        as_written.or_else(in_any_case).copied().unwrap_or(Self::Other)
    }

    fn of_letter(lower: u8) -> Self {
        match lower {
            b'v' => Self::Via,
            b'f' => Self::From,
            b't' => Self::To,
            b'i' => Self::CallId,
            b'm' => Self::Contact,
            b'c' => Self::ContentType,
            b'l' => Self::ContentLength,
            b'e' => Self::ContentEncoding,
            b'k' => Self::Supported,
            b'y' => Self::Identity,
            b'r' => Self::ReferTo,
            b'b' => Self::ReferredBy,
            b'x' => Self::SessionExpires,
            b'o' => Self::Event,
            b'u' => Self::AllowEvents,
            b's' => Self::Subject,
            _ => Self::Other,
        }
    }

    /// A number for each header, below [`Header::COUNT`].
    #[expect(clippy::as_conversions, reason = "the number of a variant; there is no other conversion")]
    #[inline]
    pub(super) fn number(self) -> usize {
        usize::from(self as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_header_is_found_by_its_name_in_any_case_and_by_its_compact_form() {
        for &header in Header::ALL {
            let name = header.name();
            assert_eq!(Header::of(name.as_bytes()), header, "{name}");
            assert_eq!(Header::of(name.to_ascii_uppercase().as_bytes()), header, "{name}");
            assert_eq!(Header::of(name.to_ascii_lowercase().as_bytes()), header, "{name}");
            if let Some(letter) = header.compact() {
                assert_eq!(Header::of(&[letter]), header, "{name}");
                assert_eq!(Header::of(&[letter.to_ascii_uppercase()]), header, "{name}");
            }
        }
    }

    #[test]
    fn letters_without_a_compact_form_and_other_names_are_other_headers() {
        let compact: Vec<u8> = Header::ALL.iter().filter_map(|header| header.compact()).collect();
        for byte in 0..=u8::MAX {
            let known = compact.contains(&byte.to_ascii_lowercase());
            assert_eq!(Header::of(&[byte]) != Header::Other, known, "{byte}");
        }
        for name in [&b""[..], b"X-Call-IDs", b"Call_ID", b"Vib", b"P-Asserted-Identitz"] {
            assert_eq!(Header::of(name), Header::Other);
        }
    }

    #[test]
    fn every_header_has_a_number_of_its_own() {
        let all = Header::ALL.iter().chain([&Header::Other]);
        let numbers: Vec<_> = all.map(|header| header.number()).collect();
        assert_eq!(numbers, (0..Header::COUNT).collect::<Vec<_>>());
    }
}
