//! Who calls whom, as headers say it.

use super::{
    side::Side,
    texts::{Field, Texts},
};
use crate::{
    limits,
    record::Party,
    sip::{Header, Message, Method, NameAddr, StartLine, Uri, values},
};

/// Takes what any message says of the side that sent it.
pub(super) fn learn(texts: &mut Texts, message: &Message<'_>, side: Side) {
    // What a proxy answers on the way says nothing of the one who is called.
    let (is_of_party, is_target) = match message.start {
        StartLine::Request { method, .. } => (true, matches!(method, Method::Invite | Method::Update)),
        StartLine::Response { status, .. } => {
            (!matches!(status, 100 | 300..=399 | 401 | 407), message.cseq_method == Method::Invite && status < 300)
        }
    };
    if !is_of_party {
        return;
    }
    let of = |caller: Field, callee: Field| match side {
        Side::Caller => caller,
        Side::Callee => callee,
    };
    let agent = of(Field::CallerAgent, Field::CalleeAgent);
    if !texts.has(agent)
        && let Some(value) = message.first(Header::UserAgent).or_else(|| message.first(Header::Server))
    {
        texts.put(agent, value);
    }
    let contact = of(Field::CallerContact, Field::CalleeContact);
    if is_target
        && !texts.has(contact)
        && let Some(value) = message.contact
    {
        texts.put(contact, NameAddr::parse(value).uri);
    }
    for (header, field) in [
        (Header::PAssertedIdentity, of(Field::CallerAsserted, Field::CalleeAsserted)),
        (Header::RemotePartyId, of(Field::CallerRemoteParty, Field::CalleeRemoteParty)),
    ] {
        if message.headers.has(header)
            && !texts.has(field)
            && let Some(value) = message.first(header)
        {
            texts.put(field, NameAddr::parse(value).uri);
        }
    }
}

/// Takes what an INVITE outside a dialog says of the call.
pub(super) fn learn_invite(texts: &mut Texts, message: &Message<'_>) {
    if texts.has(Field::RequestUri) {
        return;
    }
    if let StartLine::Request { uri, .. } = message.start {
        // Nearly always it is the URI of To: then that stands for it.
        if texts.get(Field::To).is_none_or(|to| to.as_bytes() != uri) {
            texts.put(Field::RequestUri, uri);
        }
    }
    let name = NameAddr::parse(message.from).display;
    let name = name.strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\"")).unwrap_or(name);
    texts.put(Field::FromName, name.get(..limits::DISPLAY_NAME_BYTES).unwrap_or(name));
    if let Some(value) = message.first(Header::PPreferredIdentity) {
        texts.put(Field::Preferred, NameAddr::parse(value).uri);
    }
    for (header, field) in [(Header::Diversion, Field::Diversion), (Header::HistoryInfo, Field::History)] {
        if message.headers.has(header) {
            for value in message.all(header).flat_map(values).take(limits::DIVERSIONS) {
                texts.add(field, NameAddr::parse(value).uri);
            }
        }
    }
    super::invite::learn_links(texts, message);
}

/// One side of the call as a record.
pub(super) fn party(texts: &Texts, side: Side, address: String) -> Party {
    let of = |caller: Field, callee: Field| match side {
        Side::Caller => texts.get(caller),
        Side::Callee => texts.get(callee),
    };
    let uri = of(Field::From, Field::To).unwrap_or_default();
    let asserted = of(Field::CallerAsserted, Field::CalleeAsserted);
    // Whom the network vouches for is found by that number; the callee is found by the number that was dialled.
    let (mut number, mut domain) = number_and_domain(uri);
    if side == Side::Caller
        && is_anonymous(number.as_deref())
        && let Some(known) = asserted.or_else(|| texts.get(Field::CallerRemoteParty))
    {
        (number, domain) = number_and_domain(known);
    }
    if side == Side::Callee
        && number.is_none()
        && let Some(request) = texts.get(Field::RequestUri)
    {
        (number, domain) = number_and_domain(request);
    }
    let preferred = if side == Side::Caller { texts.owned(Field::Preferred) } else { None };
    Party {
        number,
        domain,
        name: if side == Side::Caller { texts.owned(Field::FromName) } else { None },
        asserted: asserted.map(str::to_owned),
        preferred,
        remote_party: of(Field::CallerRemoteParty, Field::CalleeRemoteParty).map(str::to_owned),
        contact: of(Field::CallerContact, Field::CalleeContact).map(str::to_owned),
        user_agent: of(Field::CallerAgent, Field::CalleeAgent).map(str::to_owned),
        address: Some(address),
    }
}

/// The user part without its parameters (a telephone number without separators), and the host in lower case.
pub fn number_and_domain(uri: &str) -> (Option<String>, Option<String>) {
    let Some(uri) = Uri::parse(uri.as_bytes()) else { return (None, None) };
    let number = uri.number().map(|number| number.as_str().to_owned()).or_else(|| uri.user_text());
    let mut domain = String::from_utf8_lossy(uri.host).into_owned();
    domain.make_ascii_lowercase();
    (number.filter(|user| !user.is_empty()), Some(domain).filter(|domain| !domain.is_empty()))
}

/// Says whether a user part names nobody (RFC 3323, section 4.1.1.3, and common practice).
pub fn is_anonymous(user: Option<&str>) -> bool {
    user.is_none_or(|user| {
        ["anonymous", "unknown", "restricted", "unavailable", "private"]
            .iter()
            .any(|name| user.eq_ignore_ascii_case(name))
    })
}
