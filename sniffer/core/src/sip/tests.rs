use super::*;

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
    assert_eq!(message.start, StartLine::Request { method: Method::Invite, uri: b"sip:bob@example.com" });
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
    assert_eq!(message.start, StartLine::Response { status: 180 });
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
    assert_eq!(parse(b"BYE sip:x SIP/2.0\r\nno colon\r\n\r\n").unwrap_err(), Reason::SipHeader);
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
