//! One parser at a time.

use std::hint::black_box;

use sniffer_core::{
    classify::{self, Class},
    decode::{self, Found, LinkType},
    limits,
    query::{self, Request, Response},
    sdp,
    sip::{self, Header, NameAddr, framing::Framer},
};

use super::input::Input;

/// The link types that are decoded.
pub fn link_type(number: u8) -> LinkType {
    match number % 16 {
        0 => LinkType::Null,
        1 | 2 => LinkType::Ethernet,
        3 => LinkType::RawIp,
        4 => LinkType::LinuxCooked,
        5 => LinkType::LinuxCooked2,
        6 => LinkType::Ppp,
        7 => LinkType::PppWithDirection,
        8 => LinkType::PppEther,
        9 => LinkType::Llc,
        10 => LinkType::NetfilterLog,
        11 => LinkType::PacketFilterLog,
        12 => LinkType::Enc,
        13 => LinkType::Mpls,
        other => LinkType::Other(u32::from(other)),
    }
}

/// Frames of all link types to what they carry. The payload is within the frame, and the fast path agrees.
pub fn decode(data: &[u8]) {
    let mut input = Input::new(data);
    let link = link_type(input.byte());
    let frame = input.rest();
    let found = decode::decode(link, None, frame);
    if link == LinkType::Ethernet
        && let Some(datagram) = decode::plain_udp(None, frame)
    {
        assert_eq!(found, Ok(Found::Datagram(datagram)), "the fast path says something else");
        if decode::Plain::of(None, frame).is_some_and(|plain| classify::is_surely_rtp(&plain)) {
            assert_eq!(classify::classify(&datagram), Ok(Class::Rtp), "the short way takes it for RTP");
        }
    }
    let payload = match found {
        Ok(Found::Datagram(datagram)) => datagram.payload,
        Ok(Found::Tcp(segment)) => segment.payload,
        Ok(Found::Sctp(packet)) => packet.chunks,
        Ok(Found::Fragment(fragment)) => fragment.payload,
        Err(_) => return,
    };
    let (bounds, payload) = (frame.as_ptr_range(), payload.as_ptr_range());
    assert!(bounds.start <= payload.start && payload.end <= bounds.end, "the payload lies outside the frame");
}

/// A SIP message with everything that is asked of its headers.
pub fn sip(data: &[u8]) {
    black_box(sip::looks_like_sip(data));
    let Ok(message) = sip::parse(data) else { return };
    assert!(message.headers.count() <= limits::SIP_HEADERS);
    black_box((message.method(), message.status()));
    for (header, name, value) in message.headers.iter() {
        black_box((header.name(), sip::fields::unfolded(value), sip::fields::number(value)));
        black_box((sip::fields::cseq(value), sip::fields::tag(value), sip::fields::uri(value)));
        assert!(sip::fields::text(value, 100).len() <= 300);
        if let Ok(name) = std::str::from_utf8(name) {
            assert!(message.named(name).is_some(), "a header that is there is found by its name");
        }
        for part in sip::values(value) {
            address(part);
        }
    }
    assert!(message.faults().all(|fault| message.has_fault(fault) && !fault.name().is_empty()));
    let mut octets = 0;
    message.parts(&mut |part| {
        octets += part.bytes.len();
        black_box(part.kind());
        if part.is_sdp() {
            sdp(part.bytes);
        }
    });
    assert!(octets <= message.body.len(), "{octets} octets of parts in {}", message.body.len());
    black_box(message.sdp());
    for header in [Header::Via, Header::Contact, Header::PAssertedIdentity, Header::Diversion] {
        assert_eq!(message.first(header).is_some(), message.headers.has(header));
        assert_eq!(message.all(header).next(), message.first(header));
    }
}

fn address(value: &[u8]) {
    if let Some(via) = sip::Via::parse(value) {
        black_box(via.branch());
    }
    let address = NameAddr::parse(value);
    black_box(address.display_name());
    assert!(address.parameters.iter().count() <= value.len());
    black_box(address.parameters.get(b"tag"));
    if let Some(uri) = address.parsed_uri() {
        black_box((uri.port_number(), uri.address(), uri.user_text()));
        if let Some(number) = uri.number() {
            assert!(number.as_str().len() >= number.digits().len());
        }
    }
}

/// A stream of SIP in pieces of any size. Without holes, the pieces do not matter. The first byte says whether it begins
/// with the upgrade to a WebSocket, of one side or the other.
pub fn framing(data: &[u8]) {
    let mut input = Input::new(data);
    let shape = input.byte();
    let sizes: Vec<usize> = (0..4).map(|_| usize::from(input.byte()) + 1).collect();
    let upgrade: &[u8] = match shape >> 1 & 3 {
        2 => {
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZQ==\r\n\
              Sec-WebSocket-Protocol: sip\r\nSec-WebSocket-Version: 13\r\n\r\n"
        }
        3 => {
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Protocol: sip\r\nSec-WebSocket-Accept: x\r\n\r\n"
        }
        _ => b"",
    };
    pieces(&sizes, shape, &[upgrade, input.rest()].concat());
}

fn pieces(sizes: &[usize], shape: u8, stream: &[u8]) {
    let (mut framer, mut messages, mut at) = (Framer::new(), Vec::new(), 0);
    let has_holes = shape & 1 == 1;
    for (index, size) in sizes.iter().cycle().enumerate() {
        let Some(piece) = stream.get(at..(at + size).min(stream.len())).filter(|piece| !piece.is_empty()) else {
            break;
        };
        at += piece.len();
        framer.push(piece);
        take(&mut framer, &mut messages);
        if has_holes && index % 5 == 4 {
            framer.hole();
            take(&mut framer, &mut messages);
        }
    }
    framer.hole();
    take(&mut framer, &mut messages);
    if !has_holes {
        let (mut whole, mut same) = (Framer::new(), Vec::new());
        whole.push(stream);
        take(&mut whole, &mut same);
        whole.hole();
        take(&mut whole, &mut same);
        assert_eq!(messages, same, "pieces of {sizes:?} give other messages than the whole");
    }
}

fn take(framer: &mut Framer, messages: &mut Vec<(Vec<u8>, bool)>) {
    while let Some(frame) = framer.next() {
        assert!(!frame.bytes.is_empty(), "an empty message");
        messages.push((frame.bytes.to_vec(), frame.cut));
    }
    assert!(framer.buffered() <= 4 * limits::SIP_STREAM_BYTES, "{} bytes are kept", framer.buffered());
}

/// A session description.
pub fn sdp(data: &[u8]) {
    let usable = sdp::parse(data);
    assert!(usable.len() <= limits::SDP_MEDIA);
    let description = sdp::describe(data);
    assert!(usable.len() <= description.media.len(), "more is usable than described");
    for media in &description.media {
        black_box((media.is_refused(), media.is_usable(), media.is_fax()));
        for component in [1, 2] {
            assert!(media.endpoints(component).count() <= limits::SDP_LINES, "endpoints");
        }
    }
}

/// The query protocol: what is understood means the same when it is written and read again.
pub fn query(data: &[u8]) {
    if let Some((head, body)) = data.split_first_chunk::<4>() {
        black_box((query::body_length(*head, query::MAX_REQUEST).is_ok(), body));
    }
    if let Ok(request) = serde_json::from_slice::<Request>(data) {
        let again = serde_json::to_vec(&request).map(|text| serde_json::from_slice::<Request>(&text));
        assert!(matches!(again, Ok(Ok(again)) if again == request), "{request:?}");
    }
    if let Ok(response) = serde_json::from_slice::<Response>(data) {
        assert!(serde_json::to_vec(&response).is_ok(), "{response:?}");
    }
}
