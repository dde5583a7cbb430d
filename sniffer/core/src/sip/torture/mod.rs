//! Every message of RFC 4475 and RFC 5118: what the RFC expects of an element that gets it, and what we make of it. We
//! only watch: where the RFC lets an element refuse what can be read, the call is tracked and the fault is named.

use super::*;
use crate::{drops::Reason, sdp};

/// What we make of a message.
#[derive(Debug)]
enum Outcome {
    /// Read without a fault.
    Read,
    /// Read, with exactly these faults.
    Faulty(&'static [Fault]),
    /// Refused.
    Refused(Reason),
}
use Outcome::{Faulty, Read, Refused};

/// Name, section, outcome, and what the RFC expects with the reason where we differ.
type Row = (&'static str, &'static str, Outcome, &'static str);

const RFC_4475: &[Row] = &[
    ("wsinv", "3.1.1.1", Read, "well formed"),
    ("intmeth", "3.1.1.2", Read, "well formed"),
    ("esc01", "3.1.1.3", Read, "well formed"),
    ("escnull", "3.1.1.4", Read, "well formed"),
    ("esc02", "3.1.1.5", Read, "well formed: an unknown method, and two contacts"),
    ("lwsdisp", "3.1.1.6", Read, "well formed"),
    ("longreq", "3.1.1.7", Read, "well formed"),
    ("dblreq", "3.1.1.8", Read, "the REGISTER over UDP, what follows ignored; over TCP two messages"),
    ("semiuri", "3.1.1.9", Read, "well formed"),
    ("transports", "3.1.1.10", Read, "well formed"),
    ("mpart01", "3.1.1.11", Read, "well formed"),
    ("unreason", "3.1.1.12", Read, "well formed"),
    ("noreason", "3.1.1.13", Read, "well formed"),
    (
        "badinv01",
        "3.1.2.1",
        Faulty(&[Fault::Via, Fault::Address]),
        "400; who is called is plain, so the call is tracked",
    ),
    (
        "clerr",
        "3.1.2.2",
        Faulty(&[Fault::ContentLength]),
        "400 over UDP; the capture may have cut it, so what is there is read",
    ),
    ("ncl", "3.1.2.3", Faulty(&[Fault::ContentLength]), "400; the body reaches to the end of the datagram"),
    ("scalar02", "3.1.2.4", Refused(Reason::SipMandatory), "400"),
    ("scalarlg", "3.1.2.5", Refused(Reason::SipMandatory), "discarded"),
    ("quotbal", "3.1.2.6", Faulty(&[Fault::Address]), "400, or be lenient: the URI is plain"),
    ("ltgtruri", "3.1.2.7", Faulty(&[Fault::RequestUri]), "400, or be lenient"),
    ("lwsruri", "3.1.2.8", Faulty(&[Fault::RequestUri]), "400, or be lenient"),
    ("lwsstart", "3.1.2.9", Faulty(&[Fault::StartLine]), "400, or be lenient"),
    ("trws", "3.1.2.10", Faulty(&[Fault::StartLine]), "400, or be lenient"),
    ("escruri", "3.1.2.11", Faulty(&[Fault::RequestUri]), "400, or ignore the headers of the URI"),
    ("baddate", "3.1.2.12", Faulty(&[Fault::Date]), "400, or ignore Date"),
    ("regbadct", "3.1.2.13", Faulty(&[Fault::Address]), "400; the registration is tracked"),
    ("badaspec", "3.1.2.14", Faulty(&[Fault::Address]), "400, or be lenient"),
    ("baddn", "3.1.2.15", Faulty(&[Fault::Address]), "400, or be lenient"),
    ("badvers", "3.1.2.16", Refused(Reason::SipStartLine), "505"),
    ("mismatch01", "3.1.2.17", Faulty(&[Fault::MethodMismatch]), "400; the start line tells the method"),
    ("mismatch02", "3.1.2.18", Faulty(&[Fault::MethodMismatch]), "501 or 400; the start line tells the method"),
    ("bigcode", "3.1.2.19", Refused(Reason::SipStartLine), "discarded"),
    ("badbranch", "3.2.1", Faulty(&[Fault::Branch]), "taken for a branch of RFC 2543"),
    ("insuf", "3.3.1", Refused(Reason::SipMandatory), "400: without Call-ID, From and To it belongs to nothing"),
    ("unkscm", "3.3.2", Read, "416 by the called element; well formed"),
    ("novelsc", "3.3.3", Read, "416 by the called element; well formed"),
    ("unksm2", "3.3.4", Read, "400 or 404 by the registrar; well formed"),
    ("bext01", "3.3.5", Read, "420 by the called element; well formed"),
    ("invut", "3.3.6", Read, "415 by the called element; well formed"),
    ("regaut01", "3.3.7", Read, "401 or ignore the unknown scheme; well formed"),
    ("multi01", "3.3.8", Faulty(&[Fault::Repeated]), "400; the first value of each counts"),
    ("mcl01", "3.3.9", Faulty(&[Fault::ContentLength]), "400; the first value counts"),
    ("bcast", "3.3.10", Read, "discarded by the element, which did not send it; on the wire it is a 200"),
    ("zeromf", "3.3.11", Read, "483 by a proxy; well formed"),
    ("cparam01", "3.3.12", Read, "well formed: the parameter is the Contact's"),
    ("cparam02", "3.3.13", Read, "well formed: the parameter is the URI's"),
    ("regescrt", "3.3.14", Read, "well formed"),
    ("sdp01", "3.3.15", Read, "406 by the called element; well formed"),
    ("inv2543", "3.4.1", Read, "well formed in RFC 2543: no branch, no tag, no Max-Forwards, no Content-Length"),
];

const RFC_5118: &[Row] = &[
    ("ipv6-good", "4.1", Read, "well formed"),
    ("ipv6-bad", "4.2", Faulty(&[Fault::RequestUri]), "400; the registration is tracked"),
    ("port-ambiguous", "4.3", Read, "well formed: 5070 is part of the address"),
    ("port-unambiguous", "4.4", Read, "well formed"),
    ("via-received-param-with-delim", "4.5", Read, "be lenient"),
    ("via-received-param-no-delim", "4.5", Read, "well formed"),
    ("ipv6-in-sdp", "4.6", Faulty(&[Fault::ContentLength]), "well formed, but the RFC counted 17 bytes too many"),
    ("mult-ip-in-header", "4.7", Read, "well formed"),
    ("mult-ip-in-sdp", "4.8", Read, "well formed"),
    ("ipv4-mapped-ipv6", "4.9", Read, "well formed"),
    ("ipv6-bug-abnf-3-colons", "4.10", Read, "be lenient: the third colon is ignored"),
    ("ipv6-correct-abnf-2-colons", "4.10", Read, "well formed"),
];

/// The bytes of a message from one of the two texts, with the RFC's notation resolved.
fn message(text: &str, name: &str) -> Vec<u8> {
    let head = format!("==== {name}\n");
    let from = text.find(&head).unwrap_or_else(|| panic!("{name} is there")) + head.len();
    let rest = &text[from..];
    let mut rest = &rest[..rest.find("==== ").unwrap_or(rest.len())];
    let mut bytes = Vec::new();
    while let Some(first) = rest.chars().next() {
        if let Some((hex, after)) = rest.strip_prefix("<hex>").and_then(|rest| rest.split_once("</hex>")) {
            bytes.extend((0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()));
            rest = after;
        } else if let Some(inside) = rest.strip_prefix("<repeat count=") {
            let (count, inside) = inside.split_once('>').unwrap();
            let (part, after) = inside.split_once("</repeat>").unwrap();
            bytes.extend(part.repeat(count.parse().unwrap()).bytes());
            rest = after;
        } else {
            match first {
                '\n' => bytes.extend(b"\r\n"),
                other => bytes.extend(other.to_string().bytes()),
            }
            rest = &rest[first.len_utf8()..];
        }
    }
    bytes
}

fn rfc4475(name: &str) -> Vec<u8> {
    message(include_str!("rfc4475.txt"), name)
}

fn rfc5118(name: &str) -> Vec<u8> {
    message(include_str!("rfc5118.txt"), name)
}

fn check(rows: &[Row], text: &str) {
    assert_eq!(rows.len(), text.matches("==== ").count(), "every message of the text has a row");
    for (name, section, outcome, rfc) in rows {
        let bytes = message(text, name);
        let context = format!("{name} ({section}; {rfc})");
        match (parse(&bytes), outcome) {
            (Ok(message), Read) => assert_eq!(message.faults().collect::<Vec<_>>(), [], "{context}"),
            (Ok(message), Faulty(faults)) => assert_eq!(message.faults().collect::<Vec<_>>(), *faults, "{context}"),
            (Err(reason), Refused(expected)) => assert_eq!(reason, *expected, "{context}"),
            (found, _) => panic!("{context}: {:?} and not {outcome:?}", found.map(|message| message.start)),
        }
    }
}

#[test]
fn every_message_of_rfc_4475_is_read_or_refused_as_the_rfc_says() {
    assert_eq!(RFC_4475.len(), 49);
    check(RFC_4475, include_str!("rfc4475.txt"));
}

#[test]
fn every_message_of_rfc_5118_is_read_or_refused_as_the_rfc_says() {
    check(RFC_5118, include_str!("rfc5118.txt"));
}

#[test]
fn the_short_tortuous_invite_is_read_in_full() {
    let bytes = rfc4475("wsinv");
    let message = parse(&bytes).unwrap();
    assert_eq!(
        (message.call_id, message.cseq, message.cseq_method),
        (&b"wsinv.ndaksdj@192.0.2.1"[..], 9, Method::Invite)
    );
    assert_eq!(
        (fields::uri(message.to).as_str(), fields::tag(message.to)),
        ("sip:vivekg@chair-dnrc.example.com", &b"1918181833n"[..])
    );
    let from = NameAddr::parse(message.from);
    assert_eq!(
        (from.display_name().as_deref(), fields::tag(message.from)),
        (Some("J Rosenberg \\\""), &b"98asjd8"[..])
    );
    let hops: Vec<Via<'_>> = message.all(Header::Via).flat_map(values).map(|hop| Via::parse(hop).unwrap()).collect();
    let hops: Vec<_> = hops.iter().map(|via| (via.transport, via.host, via.branch().unwrap())).collect();
    assert_eq!(
        hops,
        [
            (&b"UDP"[..], &b"192.0.2.2"[..], &b"390skdjuw"[..]),
            (b"TCP", b"spindle.example.com", b"z9hG4bK9ikj8"),
            (b"UDP", b"192.168.255.111", b"z9hG4bK30239"),
        ]
    );
    assert_eq!(
        &*fields::unfolded(message.named("newfangledheader").unwrap()),
        b"newfangled value continued newfangled value"
    );
    let contact = NameAddr::parse(message.contact.unwrap());
    assert_eq!(contact.display_name().as_deref(), Some("Quoted string \"\""));
    assert_eq!(
        (contact.parameters.get(b"newparam"), contact.parameters.get(b"q")),
        (Some(&b"newvalue"[..]), Some(&b"0.33"[..]))
    );
    assert_eq!(contact.parameters.get(b"secondparam"), Some(&b""[..]));
    assert_eq!(sdp::parse(message.sdp().unwrap()).len(), 2);
}

#[test]
fn odd_names_escapes_and_characters_are_read_as_they_mean() {
    let bytes = rfc4475("intmeth");
    let message = parse(&bytes).unwrap();
    let StartLine::Request { method: Method::Other, token, uri } = message.start else { panic!("a request") };
    assert_eq!(token, b"!interesting-Method0123456789_*+`.%indeed'~");
    let uri = Uri::parse(uri).unwrap();
    assert_eq!(uri.user, Some(&b"1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"[..]));
    assert_eq!(
        (uri.password, uri.host),
        (Some(&b"&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"[..]), &b"example.com"[..])
    );
    assert_eq!(fields::tag(message.from), b"_token~1'+`*%!-.");
    assert_eq!(NameAddr::parse(message.to).display_name().unwrap(), "BEL:\u{fffd} NUL:\u{fffd} DEL:\u{fffd}");

    let bytes = rfc4475("esc01");
    let message = parse(&bytes).unwrap();
    let StartLine::Request { uri, .. } = message.start else { panic!("a request") };
    assert_eq!(Uri::parse(uri).unwrap().user_text().as_deref(), Some("sips:user@example.com"));
    let contact = NameAddr::parse(message.contact.unwrap()).parsed_uri().unwrap();
    assert_eq!(contact.user_text().as_deref(), Some("caller"));

    let bytes = rfc4475("escnull");
    assert_eq!(parse(&bytes).unwrap().all(Header::Contact).count(), 2);
    let bytes = rfc4475("esc02");
    let message = parse(&bytes).unwrap();
    assert_eq!((message.cseq_method, message.all(Header::Contact).count()), (Method::Other, 2));
    assert!(message.named("C%6Fntact").is_some());
    assert_eq!(NameAddr::parse(message.to).display_name().as_deref(), Some("%Z%45"));
    let bytes = rfc4475("lwsdisp");
    assert_eq!(NameAddr::parse(parse(&bytes).unwrap().from).display_name().as_deref(), Some("caller"));
    let bytes = rfc4475("semiuri");
    let StartLine::Request { uri, .. } = parse(&bytes).unwrap().start else { panic!("a request") };
    assert_eq!(Uri::parse(uri).unwrap().user, Some(&b"user;par=u%40example.net"[..]));
    let bytes = rfc4475("unreason");
    let StartLine::Response { status: 200, reason } = parse(&bytes).unwrap().start else { panic!("a response") };
    assert!(std::str::from_utf8(reason).unwrap().starts_with("= 2**3 * 5**2 \u{43d}\u{43e}"));
    let bytes = rfc4475("longreq");
    let message = parse(&bytes).unwrap();
    assert_eq!((message.all(Header::Via).count(), message.first(Header::ContentLength)), (34, Some(&b"150"[..])));
}

#[test]
fn a_parameter_belongs_to_the_contact_or_to_the_uri_by_the_brackets() {
    let bytes = rfc4475("cparam01");
    let contact = NameAddr::parse(parse(&bytes).unwrap().contact.unwrap());
    assert!(contact.parameters.get(b"unknownparam").is_some());
    assert_eq!(contact.parsed_uri().unwrap().number().unwrap().as_str(), "+19725552222");
    let bytes = rfc4475("cparam02");
    let contact = NameAddr::parse(parse(&bytes).unwrap().contact.unwrap());
    assert!(contact.parameters.get(b"unknownparam").is_none());
    assert!(contact.parsed_uri().unwrap().parameters.get(b"unknownparam").is_some());
    let bytes = rfc4475("regescrt");
    let contact = NameAddr::parse(parse(&bytes).unwrap().contact.unwrap());
    assert_eq!(contact.parsed_uri().unwrap().headers, Some(&b"Route=%3Csip:sip.example.com%3E"[..]));
}

#[test]
fn the_multipart_message_has_two_parts_with_all_bytes_of_the_second() {
    let bytes = rfc4475("mpart01");
    let message = parse(&bytes).unwrap();
    assert_eq!((message.body.len(), message.missing, message.surplus), (553, 0, 0));
    let mut parts = Vec::new();
    message.parts(&mut |part| parts.push(part));
    assert_eq!((parts.len(), parts[0].bytes), (2, &b"Hello"[..]));
    assert_eq!((parts[1].kind(), parts[1].bytes.len()), (Some(&b"application/octet-stream"[..]), 342));
}

#[test]
fn two_messages_in_one_datagram_are_one_over_udp_and_two_over_tcp() {
    let bytes = rfc4475("dblreq");
    let message = parse(&bytes).unwrap();
    assert!(message.method() == Method::Register && message.surplus > 0);
    let mut framer = framing::Framer::new();
    framer.push(&bytes);
    assert_eq!(parse(framer.next().unwrap().bytes).unwrap().method(), Method::Register);
    let invite = parse(framer.next().unwrap().bytes).unwrap();
    assert_eq!((invite.method(), invite.missing), (Method::Invite, 0));
    assert!(framer.next().is_none());
}

#[test]
fn addresses_of_both_families_are_read_wherever_they_stand() {
    let uri_of = |name: &str| {
        let bytes = rfc5118(name);
        let StartLine::Request { uri, .. } = parse(&bytes).unwrap().start else { panic!("a request") };
        let uri = Uri::parse(uri).unwrap();
        (uri.address().map(|address| address.to_string()), uri.port_number())
    };
    assert_eq!(uri_of("ipv6-good"), (Some("2001:db8::10".into()), None));
    assert_eq!(uri_of("ipv6-bad").0, None);
    assert_eq!(uri_of("port-ambiguous"), (Some("2001:db8::10:5070".into()), None));
    assert_eq!(uri_of("port-unambiguous"), (Some("2001:db8::10".into()), Some(5070)));
    assert_eq!(uri_of("ipv6-bug-abnf-3-colons"), uri_of("ipv6-correct-abnf-2-colons"));
    for name in ["via-received-param-with-delim", "via-received-param-no-delim"] {
        let bytes = rfc5118(name);
        let via = Via::parse(parse(&bytes).unwrap().first(Header::Via).unwrap()).unwrap();
        let received = uri::address(via.parameters.get(b"received").unwrap());
        assert_eq!(received, "2001:db8::9:255".parse().ok(), "{name}");
        assert_eq!(uri::address(via.host), "2001:db8::9:1".parse().ok());
    }
    let media = |name: &str| {
        let bytes = rfc5118(name);
        let media = sdp::parse(parse(&bytes).unwrap().sdp().unwrap());
        media.iter().map(|one| one.rtp.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(media("ipv6-in-sdp"), ["[2001:db8::20]:6000", "[2001:db8::20]:6024"]);
    assert_eq!(media("mult-ip-in-sdp"), ["192.0.2.1:22334", "[2001:db8::1]:6024"]);
    assert_eq!(media("ipv4-mapped-ipv6"), ["192.0.2.2:6000", "192.0.2.2:6024"]);
}
