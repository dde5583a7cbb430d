use super::*;
use crate::{drops::Reason, limits};

const INVITE: &[u8] = b"INVITE sip:bob@example.com SIP/2.0\r\n\
Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
From: \"A. <lice>\" <sip:alice@example.com;user=phone>;tag=a1\r\n\
To: <sip:bob@example.com>\r\n\
Call-ID: 1@192.0.2.1\r\n\
CSeq: 7 INVITE\r\n\
Contact: <sip:alice@192.0.2.1>\r\n\
Content-Type: application/sdp\r\n\
Content-Length: 4\r\n\r\nv=0\nrest";

#[test]
fn a_request_is_framed_and_its_body_ends_at_content_length() {
    let message = parse(INVITE).unwrap();
    assert_eq!(
        message.start,
        StartLine::Request { method: Method::Invite, token: b"INVITE", uri: b"sip:bob@example.com" }
    );
    assert_eq!((message.call_id, message.cseq, message.cseq_method), (&b"1@192.0.2.1"[..], 7, Method::Invite));
    assert_eq!(fields::uri(message.from), "sip:alice@example.com;user=phone");
    assert_eq!(fields::tag(message.from), b"a1");
    assert_eq!(fields::tag(message.to), b"");
    assert_eq!(message.body, b"v=0\n");
}

#[test]
fn compact_forms_any_case_and_folded_lines_are_read() {
    let message = parse(
        b"SIP/2.0 180 Ringing\r\nf: sip:a@b;tag=x\r\nT:\r\n <sip:c@d>\r\n\t;TAG = y\r\ni : id\r\ncseq:1\r\n  INVITE\r\nl:0\r\n\r\n",
    )
    .unwrap();
    assert_eq!(message.start, StartLine::Response { status: 180, reason: b"Ringing" });
    assert_eq!((fields::uri(message.from).as_str(), fields::tag(message.from)), ("sip:a@b", &b"x"[..]));
    assert_eq!((fields::uri(message.to).as_str(), fields::tag(message.to)), ("sip:c@d", &b"y"[..]));
    assert_eq!((message.call_id, message.cseq_method), (&b"id"[..], Method::Invite));
}

#[test]
fn line_breaks_before_the_start_line_and_bare_line_feeds_are_accepted() {
    let text = b"\r\n\r\nOPTIONS sip:x SIP/2.0\nCall-ID: 1\nCSeq: 1 OPTIONS\nFrom: <sip:a>\nTo: <sip:b>\n\n";
    assert!(looks_like_sip(text));
    assert_eq!(parse(text).unwrap().cseq_method, Method::Options);
}

#[test]
fn a_content_length_that_cannot_be_read_leaves_the_body_whole() {
    let text = String::from_utf8(INVITE.to_vec()).unwrap().replace("Content-Length: 4", "Content-Length: bad");
    assert_eq!(parse(text.as_bytes()).unwrap().body, b"v=0\nrest");
}

#[test]
fn what_is_not_a_message_is_named() {
    assert_eq!(parse(b"GET / HTTP/1.1\r\n\r\n").unwrap_err(), Reason::SipStartLine);
    assert_eq!(parse(b"SIP/2.0 99 Low\r\n\r\n").unwrap_err(), Reason::SipStartLine);
    assert_eq!(parse(b"SIP/2.0 1000 High\r\n\r\n").unwrap_err(), Reason::SipStartLine);
    assert_eq!(parse(b"BYE sip:x SIP/2.0\r\nCSeq: 1 BYE\r\n\r\n").unwrap_err(), Reason::SipMandatory);
    let many = [b"BYE sip:x SIP/2.0\r\n".to_vec(), b"X: y\r\n".repeat(limits::SIP_HEADERS + 1)].concat();
    assert_eq!(parse(&many).unwrap_err(), Reason::SipTooLarge);
    let long = [b"BYE sip:x SIP/2.0\r\nX: ".to_vec(), b"y".repeat(limits::SIP_HEADER_BYTES)].concat();
    assert_eq!(parse(&long).unwrap_err(), Reason::SipTooLarge);
    assert!(!looks_like_sip(b"\x80\x00SIP/2.0") && !looks_like_sip(b"") && !looks_like_sip(b"\r\n\r\n"));
}

#[test]
fn a_message_cut_off_within_a_header_keeps_what_came_before() {
    let end = INVITE.windows(8).position(|part| part == b"t-Length").unwrap();
    assert_eq!(parse(&INVITE[..end]).unwrap().cseq, 7);
}

#[test]
fn names_in_quotes_do_not_hide_the_uri() {
    assert_eq!(fields::uri(br#""a \" <sip:no@no>" <sip:yes@yes>;tag=1"#), "sip:yes@yes");
    assert_eq!(fields::uri(br#""never closed <sip:yes@yes>;tag=1"#), "sip:yes@yes");
    assert_eq!(fields::contact_parameter(b"<sip:a>;expires=0, <sip:b>;q=1", b"Expires"), Some(&b"0"[..]));
    assert_eq!(fields::contact_parameter(b"<sip:a>, <sip:b>;expires=9", b"expires"), None);
}

#[test]
fn text_from_the_wire_holds_no_line_breaks_or_control_characters() {
    assert_eq!(fields::text(b" a\r\n \tb\x07\xff ", 64), "a b\u{fffd}\u{fffd}");
    assert_eq!(fields::text(&[b'x'; 99], 10).len(), 10);
}

#[test]
fn numbers_beyond_their_range_are_refused() {
    assert_eq!(fields::cseq(b"4294967295 BYE"), Some((u32::MAX, Method::Bye)));
    assert_eq!(fields::cseq(b"4294967296 BYE"), None);
    assert_eq!(fields::cseq(b"1BYE"), None);
    assert_eq!((fields::number(b" 12 "), fields::number(b"1x"), fields::number(b"9999999999")), (Some(12), None, None));
}

/// A message with all kinds of lines.
const MANY: &[u8] = b"INVITE sip:+4930123456@example.com;user=phone SIP/2.0\r\n\
Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK2, SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1\r\n\
v : SIP/2.0/UDP 192.0.2.8\r\n\
f: \"A, \\\"B\\\" <x>\" <sip:%2b49-30-1@example.com:5070;transport=tcp?a=b>;tag=a1;x=\"q;r\"\r\n\
t: tel:+1-201-555-0123;phone-context=example.com\r\n\
i: many@192.0.2.1\r\n\
P-Asserted-Identity: <sip:100@example.com>, <tel:+100>\r\n\
X-Odd-Name: one\r\n\
x-odd-name: two\r\n\
CSeq: 1 INVITE\r\n\r\n";

#[test]
fn any_header_is_found_by_kind_and_by_name_in_any_form() {
    let message = parse(MANY).unwrap();
    assert_eq!(message.all(Header::Via).count(), 2);
    let hops: Vec<&[u8]> = message.all(Header::Via).flat_map(values).collect();
    assert_eq!(hops.len(), 3);
    assert_eq!(hops[2], b"SIP/2.0/UDP 192.0.2.8");
    assert_eq!(message.first(Header::PAssertedIdentity).map(|line| values(line).count()), Some(2));
    assert_eq!(message.named("X-ODD-NAME"), Some(&b"one"[..]));
    assert_eq!(message.named("call-id"), Some(&b"many@192.0.2.1"[..]));
    assert_eq!((message.named("X-None"), message.first(Header::Reason)), (None, None));
    assert_eq!(message.headers.iter().filter(|(_, name, _)| name.eq_ignore_ascii_case(b"x-odd-name")).count(), 2);
    assert!(message.headers.has(Header::Via) && !message.headers.has(Header::Expires));
}

#[test]
fn names_uris_and_numbers_are_taken_apart() {
    let message = parse(MANY).unwrap();
    let from = NameAddr::parse(message.from);
    assert_eq!(from.display_name().as_deref(), Some("A, \"B\" <x>"));
    assert_eq!((from.parameters.get(b"TAG"), from.parameters.get(b"x")), (Some(&b"a1"[..]), Some(&b"\"q;r\""[..])));
    let uri = from.parsed_uri().unwrap();
    assert_eq!((uri.scheme, uri.host, uri.port_number()), (Scheme::Sip, &b"example.com"[..], Some(5070)));
    assert_eq!((uri.parameters.get(b"transport"), uri.headers), (Some(&b"tcp"[..]), Some(&b"a=b"[..])));
    assert_eq!(uri.number().unwrap().as_str(), "+49301");
    assert_eq!(uri.user_text().as_deref(), Some("+49-30-1"));
    let to = NameAddr::parse(message.to);
    assert_eq!((to.uri, to.bracketed), (&b"tel:+1-201-555-0123"[..], false));
    assert_eq!(to.parsed_uri().unwrap().number().unwrap().digits(), "12015550123");
    let StartLine::Request { uri, .. } = message.start else { panic!("a request") };
    assert_eq!(Uri::parse(uri).unwrap().number().unwrap().as_str(), "+4930123456");
}

#[test]
fn uris_of_every_shape_are_read_or_refused() {
    let read = |text: &'static str| Uri::parse(text.as_bytes()).unwrap();
    let uri = read("sips:alice:secret@[2001:db8::10]:5061;lr");
    assert_eq!((uri.scheme, uri.user, uri.password), (Scheme::Sips, Some(&b"alice"[..]), Some(&b"secret"[..])));
    assert_eq!((uri.address(), uri.port_number()), ("2001:db8::10".parse().ok(), Some(5061)));
    assert_eq!(uri.parameters.get(b"lr"), Some(&b""[..]));
    let uri = read("sip:user;par=u%40example.net@example.com;x");
    assert_eq!((uri.user_text().as_deref(), uri.host), (Some("user"), &b"example.com"[..]));
    assert_eq!(read("sip:a@b.example@proxy.example").host, b"proxy.example");
    assert_eq!(read("sip:a@192.0.2.1;from=x@y").host, b"192.0.2.1");
    assert_eq!(read("sip:192.0.2.1").address(), "192.0.2.1".parse().ok());
    assert_eq!(read("sip:a@[2001:db8:::192.0.2.1]").address(), "2001:db8::192.0.2.1".parse().ok());
    assert_eq!(read("SIP:x").scheme, Scheme::Sip);
    assert_eq!((read("urn:service:sos").scheme, read("tel:911").number().unwrap().as_str()), (Scheme::Other, "911"));
    assert_eq!(
        (read("sip:alice@x").number(), read("sip:+@x").number(), read("sip:1+2@x").number()),
        (None, None, None)
    );
    assert_eq!(read("sip:11111111112222222222333333333344@x").number(), None);
    assert_eq!(read("sip:*43#@x").number().unwrap().as_str(), "*43#");
    for bad in ["", "alice", ":x", "1sip:x", "s ip:x", "<sip:x>"] {
        assert_eq!(Uri::parse(bad.as_bytes()), None, "{bad}");
    }
}

#[test]
fn folds_are_taken_out_on_demand_and_nothing_is_copied_without_one() {
    assert!(matches!(fields::unfolded(b"a b"), std::borrow::Cow::Borrowed(b"a b")));
    assert_eq!(&*fields::unfolded(b"a\r\n  b\n\tc"), b"a b c");
}

#[test]
fn header_lines_beyond_the_fixed_index_are_kept_up_to_the_limit() {
    let head = b"BYE sip:x SIP/2.0\r\nCall-ID: 1\r\nCSeq: 1 BYE\r\nFrom: a\r\n".to_vec();
    let fill = |lines: usize| [head.clone(), b"X: y\r\n".repeat(lines), b"To: b\r\n\r\n".to_vec()].concat();
    let bytes = fill(limits::SIP_HEADERS - 4);
    let message = parse(&bytes).unwrap();
    assert_eq!((message.to, message.headers.count()), (&b"b"[..], limits::SIP_HEADERS));
    assert_eq!(parse(&fill(limits::SIP_HEADERS - 3)).unwrap_err(), Reason::SipTooLarge);
}

#[test]
fn some_damaged_lines_are_passed_over_and_counted_many_are_refused() {
    let head = b"BYE sip:x SIP/2.0\r\n continued\r\nCall-ID: 1\r\nCSeq: 1 BYE\r\nFrom: a\r\nTo: b\r\n".to_vec();
    let damage = |lines: usize| [head.clone(), b"no colon\r\n: no name\r\n".repeat(lines), b"\r\n".to_vec()].concat();
    assert_eq!(parse(&damage(3)).unwrap().headers.damaged(), 7);
    assert_eq!(parse(&damage(4)).unwrap_err(), Reason::SipHeader);
}

#[test]
fn missing_and_surplus_bytes_of_a_body_are_told() {
    let message = parse(INVITE).unwrap();
    assert_eq!((message.missing, message.surplus), (0, 4));
    let text = String::from_utf8(INVITE.to_vec()).unwrap().replace("Content-Length: 4", "l: 100");
    let message = parse(text.as_bytes()).unwrap();
    assert_eq!((message.missing, message.surplus, message.body.len()), (92, 0, 8));
}

#[test]
fn a_usual_message_takes_no_heap_memory() {
    let lines = "X: y\r\n".repeat(limits::SIP_HEADERS_INLINE - 5);
    let bytes = String::from_utf8(MANY.to_vec()).unwrap().replace("\r\n\r\n", "\r\n\r\nbody");
    assert_eq!(parse(bytes.as_bytes()).unwrap().headers.spilled(), 0);
    let head = format!("BYE sip:x SIP/2.0\r\ni: 1\r\nCSeq: 1 BYE\r\nf: a\r\nt: b\r\nX: y\r\n{lines}");
    assert_eq!(parse(format!("{head}\r\n").as_bytes()).unwrap().headers.spilled(), 0);
    assert!(parse(format!("{head}X: y\r\n\r\n").as_bytes()).unwrap().headers.spilled() > 0);
}
