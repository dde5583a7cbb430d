use super::*;

fn rtp(media: &[Media]) -> Vec<String> {
    media.iter().map(|media| media.rtp.to_string()).collect()
}

fn endpoint(text: &str) -> Endpoint {
    let socket: std::net::SocketAddr = text.parse().unwrap();
    Endpoint { address: socket.ip(), port: socket.port() }
}

#[test]
fn an_address_of_the_media_wins_over_the_session_s() {
    let body = b"v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\nm=video 5000/2 RTP/SAVPF 96\r\nc=IN IP6 2001:db8::5\r\n";
    assert_eq!(rtp(&parse(body)), ["192.0.2.1:4000", "[2001:db8::5]:5000"]);
}

#[test]
fn rtcp_goes_to_the_next_port_the_named_one_or_the_same() {
    let body = b"c=IN IP4 192.0.2.1\nm=audio 1 RTP/AVP 0\nm=audio 2 RTP/AVP 0\na=rtcp:9\nm=audio 3 RTP/AVP 0\na=rtcp-mux\nm=audio 4 RTP/AVP 0\na=rtcp:53020 IN IP6 2001:db8::9\n";
    let ports: Vec<String> = parse(body).iter().map(|media| media.rtcp.to_string()).collect();
    assert_eq!(ports, ["192.0.2.1:2", "192.0.2.1:9", "192.0.2.1:3", "[2001:db8::9]:53020"]);
    assert_eq!(parse(body).iter().map(|media| media.rtcp_mux).collect::<Vec<_>>(), [false, false, true, false]);
}

#[test]
fn codecs_are_kept_with_their_clock_rate_and_broken_lines_are_passed_over_and_counted() {
    let body = b"c=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 99 101\na=rtpmap:99 opus/48000/2\na=rtpmap:101 telephone-event/8000\na=rtpmap:200 bad/8000\na=rtpmap:97 bad/0\na=rtpmap:\nrubbish\nX=1\n";
    let description = describe(body);
    let codecs = &description.media[0].codecs;
    let names: Vec<_> = codecs.iter().map(|c| (c.payload_type, c.name.as_str(), c.clock_rate, c.channels)).collect();
    assert_eq!(names, [(99, "opus", 48000, 2), (101, "telephone-event", 8000, 1)]);
    assert_eq!((description.damaged, description.cut), (5, false));
    assert_eq!((description.media[0].payload_types, description.media[0].preferred), (1 << 99 | 1 << 101, Some(99)));
}

#[test]
fn format_parameters_that_matter_are_read_in_any_order_of_the_lines() {
    let body = b"c=IN IP4 192.0.2.1\nm=audio 4 RTP/AVP 96 97 98 18 102 103\na=fmtp:96 minptime=10; useinbandfec=1;usedtx=1;stereo=1; maxaveragebitrate=64000\n\
a=rtpmap:96 OPUS/48000/2\na=rtpmap:97 amr/8000\na=fmtp:97 mode-set=0,2; octet-align=1\na=rtpmap:98 iLBC/8000\na=fmtp:98 mode=20\na=fmtp:18 annexb=no\n\
a=rtpmap:102 G729/8000\na=rtpmap:103 telephone-event/8000\na=fmtp:103 0-16\n";
    let description = describe(body);
    assert_eq!(description.damaged, 0);
    let codec = |number: u8| description.media[0].codecs.iter().find(|codec| codec.payload_type == number).unwrap();
    let opus = codec(96).format;
    assert!(opus.in_band_fec && opus.silence_suppressed && opus.stereo && opus.bit_rate == Some(64_000));
    assert!(codec(97).format.octet_aligned && codec(97).name.as_str() == "AMR");
    assert_eq!(codec(98).format.frame_ms, Some(20));
    // A static type has no rtpmap; without annexb=no, G.729 may be silent (RFC 4856, section 2.1.9).
    assert_eq!((codec(18).name.as_str(), codec(18).format.silence_suppressed), ("G729", false));
    assert!(codec(102).format.silence_suppressed && !codec(103).format.silence_suppressed);
}

#[test]
fn refused_media_hold_by_address_and_host_names_announce_nothing() {
    for lines in [
        "c=IN IP4 192.0.2.1\nm=audio 0 RTP/AVP 0",
        "c=IN IP4 0.0.0.0\nm=audio 4 RTP/AVP 0",
        "c=IN IP4 host.example\nm=audio 4 RTP/AVP 0",
        "c=IN IP4 239.1.2.3/127\nm=audio 4 RTP/AVP 0",
        "m=audio 4 RTP/AVP 0",
        "c=IN IP4 192.0.2.1\nm=audio 4 TCP/RTP/AVP 0",
    ] {
        assert_eq!(parse(lines.as_bytes()), [], "{lines}");
        let description = describe(lines.as_bytes());
        assert_eq!((description.media.len(), description.damaged), (1, 0), "{lines}");
    }
}

#[test]
fn hold_is_told_by_direction_or_address_and_not_by_a_late_address_of_ice() {
    let hold = |lines: &str| {
        let description = describe(format!("v=0\n{lines}").as_bytes());
        let media = &description.media[0];
        (media.hold, media.direction)
    };
    let line = "c=IN IP4 192.0.2.1\nm=audio 4 RTP/AVP 0\n";
    assert_eq!(hold(line), (false, MediaDirection::SendReceive));
    assert_eq!(hold(&format!("{line}a=sendonly")), (true, MediaDirection::SendOnly));
    assert_eq!(hold(&format!("{line}a=inactive")), (true, MediaDirection::Inactive));
    assert_eq!(hold(&format!("{line}a=recvonly")), (false, MediaDirection::ReceiveOnly));
    assert_eq!(hold(&format!("a=sendonly\n{line}")), (true, MediaDirection::SendOnly));
    assert_eq!(hold(&format!("a=sendonly\n{line}a=sendrecv")), (false, MediaDirection::SendReceive));
    assert!(hold("c=IN IP4 0.0.0.0\nm=audio 4 RTP/AVP 0").0);
    assert!(!hold("c=IN IP4 0.0.0.0\nm=audio 9 UDP/TLS/RTP/SAVPF 0\na=ice-ufrag:x").0);
    assert!(!hold("c=IN IP4 0.0.0.0\nm=audio 0 RTP/AVP 0").0, "refused is not held");
}

#[test]
fn several_lines_keep_their_numbers_and_an_answer_may_have_fewer() {
    let offer = describe(b"c=IN IP4 192.0.2.1\nm=audio 4 RTP/AVP 0\nm=video 0 RTP/AVP 31\nm=image 6 udptl t38\na=T38FaxVersion:0\nm=image 7 TCP t38\nm=message 8 TCP/MSRP *\nm=text 10 RTP/AVP 98\n");
    let kinds: Vec<_> = offer.media.iter().map(|one| (one.line, one.kind, one.protocol, one.is_refused())).collect();
    assert_eq!(
        kinds,
        [
            (0, Kind::Audio, Protocol::Rtp, false),
            (1, Kind::Video, Protocol::Rtp, true),
            (2, Kind::Image, Protocol::Udptl, false),
            (3, Kind::Image, Protocol::T38OverTcp, false),
            (4, Kind::Other, Protocol::Other, false),
            (5, Kind::Text, Protocol::Rtp, false),
        ]
    );
    let announced = parse(b"c=IN IP4 192.0.2.1\nm=image 6 udptl t38\nm=image 7 TCP t38\n");
    assert_eq!((announced.len(), announced[0].is_fax()), (1, true), "fax over UDP is announced too");
    assert!(offer.media[2].is_fax() && offer.media[3].is_fax() && !offer.media[0].is_fax());
    let answer = describe(b"c=IN IP4 192.0.2.2\nm=audio 14 RTP/AVP 0\n");
    assert_eq!((answer.media.len(), answer.media[0].line), (1, 0));
}

#[test]
fn an_m_line_that_cannot_be_read_keeps_its_place_and_its_attributes() {
    let description = describe(
        b"c=IN IP4 192.0.2.1\nm=audio 4 RTP/AVP 0\nm=video x RTP/AVP 31\na=rtpmap:31 LPC/8000\nm =audio 6 RTP/AVP 8\n",
    );
    assert_eq!((description.media.len(), description.damaged), (3, 1));
    assert_eq!((description.media[0].codecs.len(), description.media[1].is_refused()), (0, true));
    assert_eq!((description.media[2].line, description.media[2].rtp.port), (2, 6));
}

#[test]
fn ice_gives_other_addresses_and_names_give_none() {
    let body = b"c=IN IP4 203.0.113.1\nm=audio 54609 UDP/TLS/RTP/SAVPF 111\n\
a=candidate:1 1 UDP 2130706431 192.168.1.5 54609 typ host generation 0\n\
a=candidate:2 1 udp 1694498815 203.0.113.1 54609 typ srflx raddr 192.168.1.5 rport 54609\n\
a=candidate:3 1 udp 41885439 198.51.100.9 50000 typ relay raddr 203.0.113.1 rport 54609\n\
a=candidate:4 2 udp 41885438 198.51.100.9 50001 typ relay raddr 203.0.113.1 rport 54610\n\
a=candidate:5 1 tcp 1518280447 192.168.1.5 9 typ host tcptype active\n\
a=candidate:6 1 udp 1 0c1f.local 5 typ host\n\
a=candidate:7 1 udp 1 2001:db8::7 7 typ prflx\n\
a=candidate:8 1 udp 4294967296 192.0.2.8 7 typ host\n\
a=candidate:9 1 udp\n";
    let description = describe(body);
    assert_eq!(description.damaged, 2);
    let media = &description.media[0];
    assert_eq!(media.candidates.len(), 6);
    assert_eq!(media.candidates[1].related, Some(endpoint("192.168.1.5:54609")));
    assert_eq!((media.candidates[2].kind, media.candidates[2].priority), (CandidateKind::Relayed, 41_885_439));
    let places: Vec<String> = media.endpoints(1).map(|one| one.to_string()).collect();
    assert_eq!(places, ["203.0.113.1:54609", "192.168.1.5:54609", "198.51.100.9:50000", "[2001:db8::7]:7"]);
    let places: Vec<String> = media.endpoints(2).map(|one| one.to_string()).collect();
    assert_eq!(places, ["203.0.113.1:54610", "198.51.100.9:50001"]);
}

#[test]
fn media_whose_only_address_is_a_candidate_is_announced() {
    let body = b"v=0\nm=audio 9 UDP/TLS/RTP/SAVPF 111\nc=IN IP4 0.0.0.0\na=rtcp-mux\na=candidate:1 1 UDP 1 192.0.2.5 5000 typ host\n";
    let media = parse(body);
    assert_eq!(media.len(), 1);
    assert!(!media[0].is_usable() && !media[0].hold);
    assert_eq!(media[0].endpoints(1).collect::<Vec<_>>(), [endpoint("192.0.2.5:5000")]);
    assert_eq!(media[0].endpoints(2).collect::<Vec<_>>(), [endpoint("192.0.2.5:5000")], "RTCP shares the port");
}

#[test]
fn how_rtp_is_protected_is_told() {
    let security = |lines: &str| describe(format!("c=IN IP4 192.0.2.1\n{lines}\n").as_bytes()).media[0].security;
    assert_eq!(security("m=audio 4 RTP/AVP 0"), Security::None);
    let crypto = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4";
    assert_eq!(security(&format!("m=audio 4 RTP/SAVP 0\n{crypto}")), Security::Sdes);
    assert_eq!(security(&format!("m=audio 4 RTP/AVP 0\n{crypto}")), Security::Sdes);
    assert_eq!(security("m=audio 4 UDP/TLS/RTP/SAVPF 0\na=fingerprint:sha-256 AA:BB\na=setup:actpass"), Security::Dtls);
    assert_eq!(security("a=fingerprint:sha-256 AA:BB\nm=audio 4 RTP/SAVPF 0"), Security::Dtls);
    assert_eq!(security(&format!("m=audio 4 RTP/SAVP 0\na=fingerprint:sha-1 AA\n{crypto}")), Security::Sdes);
    assert_eq!(security("m=audio 4 RTP/AVP 0\na=zrtp-hash:1.10 fe30efd0"), Security::Zrtp);
    assert_eq!(security("m=audio 4 RTP/SAVP 0\na=key-mgmt:mikey AQ"), Security::Other);
}

#[test]
fn bundled_media_share_a_transport_and_are_not_refused_by_port_zero() {
    let body = b"v=0\na=group:BUNDLE a v\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\na=mid:a\na=rtcp-mux\nm=video 0 RTP/AVP 31\na=mid:v\na=bundle-only\na=rtcp-mux\nm=video 0 RTP/AVP 31\na=mid:x\n";
    let description = describe(body);
    assert_eq!(rtp(&description.media), ["192.0.2.1:4000", "192.0.2.1:4000", "192.0.2.1:0"]);
    assert_eq!(description.media.iter().map(|one| one.bundled).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(description.media[1].rtcp, endpoint("192.0.2.1:4000"));
}

#[test]
fn packet_times_are_read_as_wished() {
    let media = describe(b"a=ptime:30\nc=IN IP4 192.0.2.1\nm=audio 4 RTP/AVP 0\na=ptime:20.0\na=maxptime:150\nm=audio 6 RTP/AVP 0\na=ptime:0\n").media;
    assert_eq!((media[0].ptime, media[0].maxptime, media[1].ptime), (Some(20), Some(150), Some(30)));
}

#[test]
fn a_body_without_content_type_is_sdp_when_it_begins_like_it() {
    assert!(is_sdp(Some(b"application/SDP; charset=x"), b"") && is_sdp(None, b"v=0\r\n"));
    assert!(!is_sdp(Some(b"text/plain"), b"v=0") && !is_sdp(None, b"hello"));
}

#[test]
fn floods_are_cut() {
    let media = [b"c=IN IP4 192.0.2.1\n".to_vec(), b"m=audio 4 RTP/AVP 0\n".repeat(500)].concat();
    let description = describe(&media);
    assert_eq!((description.media.len(), description.cut), (limits::SDP_MEDIA, true));
    assert!(describe(&b"a=x\n".repeat(limits::SDP_LINES + 1)).cut);
    let one = |line: &str| [b"m=audio 4 RTP/AVP 0\n".to_vec(), line.as_bytes().repeat(900)].concat();
    assert_eq!(
        describe(&one("a=candidate:1 1 UDP 1 192.0.2.5 5000 typ host\n")).media[0].candidates.len(),
        limits::SDP_CANDIDATES
    );
    assert_eq!(describe(&one("a=rtpmap:99 x/8000\n")).media[0].codecs.len(), limits::SDP_CODECS);
    assert!(describe(&one("a=fmtp:18 annexb=no\n")).media[0].codecs.len() <= 1);
}

#[test]
fn any_bytes_give_a_description_within_its_bounds() {
    let seed = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.1\r\na=group:BUNDLE 0\r\nm=audio 4000 RTP/SAVP 0 99\r\na=mid:0\r\na=rtpmap:99 opus/48000/2\r\na=fmtp:99 usedtx=1\r\na=rtcp:1 IN IP4 192.0.2.2\r\na=candidate:1 1 UDP 1 192.0.2.5 5000 typ host raddr 1.1.1.1 rport 1\r\na=crypto:1 x y\r\n";
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(limit.max(1)).unwrap()).unwrap()
    };
    let mut damaged = 0;
    for _ in 0..20_000 {
        let mut body = seed.to_vec();
        for _ in 0..=random(5) {
            let at = random(body.len());
            match random(4) {
                0 => body[at] = u8::try_from(random(256)).unwrap(),
                1 => body.truncate(at.max(1)),
                2 => body.insert(at, [b'\n', b'=', b' ', b':', 0xff, b'/'][random(6)]),
                _ => {
                    let part = body[at..(at + random(60)).min(body.len())].to_vec();
                    body.extend(part);
                }
            }
        }
        let description = describe(&body);
        assert!(description.media.len() <= limits::SDP_MEDIA);
        damaged += description.damaged;
    }
    assert!(damaged > 1000);
}

#[test]
fn an_ipv4_address_in_the_form_of_ipv6_is_announced_as_packets_have_it() {
    let body = b"v=0\r\nc=IN IP6 ::ffff:192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\na=candidate:1 1 UDP 9 ::ffff:192.0.2.7 4002 typ host\r\n";
    let places: Vec<String> = parse(body)[0].endpoints(1).map(|endpoint| endpoint.to_string()).collect();
    assert_eq!(places, ["192.0.2.1:4000", "192.0.2.7:4002"]);
}
