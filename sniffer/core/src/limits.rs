//! Every bound of the engine, with its reason. What is refused at a bound is counted, never silent.

use std::time::Duration;

/// Calls tracked at once. 50,000 calls are a 10 Gbit/s link full of G.711; at about 2 KiB each they take 100 MB.
pub const CALLS: usize = 50_000;
/// Registrations tracked at once: the phones of a large site. About 500 bytes each.
pub const REGISTRATIONS: usize = 50_000;
/// RTP streams tracked at once, with and without a call: two for each call, as many again for SSRC changes.
pub const STREAMS: usize = 200_000;
/// RTP streams of one call. Conferences and SSRC changes stay far below it; a flood of random SSRCs to an announced
/// port does not.
pub const STREAMS_PER_CALL: usize = 64;
/// Media endpoints one call may announce: offer and answer, audio and video, several re-INVITEs, several forks.
pub const ENDPOINTS_PER_CALL: usize = 64;
/// Places per call that are learnt from where its media comes: NATs rebind now and then, a flood from random addresses
/// to an announced port teaches nothing beyond this.
pub const LEARNT_PER_CALL: usize = 8;
/// Places per call where ICE or a NAT's other address lets media be expected, and places of its RTCP.
pub const CANDIDATES_PER_CALL: usize = 48;
/// Lists of payload types that calls share: the phones and trunks of a site are of some kinds.
pub const SHARED_CODINGS: usize = 32;
/// SIP messages that wait between a worker and the owner of signalling: a tenth of a second of 40,000 messages a second.
pub const WORKER_MESSAGES: usize = 4096;
/// Bytes of the messages that wait in a worker, or with the owner until all workers' times have come as far.
pub const WORKER_BYTES: usize = 16 << 20;
/// Calls that are made into records at once when everything is ended: all of them would be as much memory again.
pub const FINISH_PIECE: usize = 256;
/// Bytes on the heap that calls may have on average, texts, places and what payload types mean there together: usual ones
/// have 400. Beyond it the oldest go, as from a full table, so that calls with fat messages take no more than others.
pub const CALL_HEAP_BYTES: usize = 2048;
/// Bytes that the payload types which SDP names may take in one call: about 90 of them; browsers name 70 for both sides.
/// A description beyond it changes nothing, and the call is marked.
pub const CALL_CODING_BYTES: usize = 4096;
/// Bytes on the heap that registrations may have on average: usual ones have 350, with one or two contacts.
pub const REGISTRATION_HEAP_BYTES: usize = 1024;
/// Bytes on the heap that subscriptions and exchanges may have on average: usual ones have 250.
pub const OTHER_HEAP_BYTES: usize = 768;
/// What media has to tell and nobody takes: beyond it, it does not say again that streams flow.
pub const OUTPUTS: usize = 100_000;
/// RTCP packets of no call about which workers ask each other at once: a thousand streams without signalling report some
/// hundred times a second, and an answer takes milliseconds.
pub const STRAY_RTCP: usize = 1024;
/// How long a message waits for workers that see no packets before it is handled all the same.
pub const WORKER_WAIT: Duration = Duration::from_millis(500);
/// RTP streams that wait for the SDP which announces them. Oldest out: under a flood of random UDP the table turns over
/// quickly, which shortens the wait and never grows.
pub const PENDING_STREAMS: usize = 8192;
/// Of them, those from one endpoint to another. Conferences send some tens of streams between two endpoints, of which few
/// begin at once; each packet of a tunnel that begins like RTP would be another one.
pub const PENDING_PER_PAIR: usize = 16;
/// Of them, and of the streams without a call that one may still adopt, those from or to one endpoint. A gateway with
/// one port for all its calls begins some hundred in `PENDING_AGE`; a name server is asked from another port each time.
pub const PENDING_PER_ENDPOINT: usize = 1024;
/// How long RTP waits for its SDP. RTP overtakes signalling by milliseconds on the wire and by some seconds when
/// a proxy is slow.
pub const PENDING_AGE: Duration = Duration::from_secs(5);

/// Silence after which the place of a call whose media flowed goes to another that announces it: media is heard of once a
/// second.
pub const ENDPOINT_CEASED: Duration = Duration::from_secs(3);

/// Silence in signalling and media after which a call that was answered is given up. RFC 4028 lets session timers be
/// as short as 90 s; holding without RTP is common for minutes.
pub const CALL_IDLE: Duration = Duration::from_secs(600);
/// Silence in signalling after which an answered call is given up whose media was never seen, or of which none is to be
/// heard (hold): with a mirror port that has the signalling alone, a call says nothing between its answer and its BYE.
/// Talks longer than four hours are rare, and what is forgotten here is lost.
pub const CALL_UNHEARD: Duration = Duration::from_secs(4 * 3600);
/// Silence after which a call that was never answered is given up: timer C of RFC 3261 (more than 3 minutes).
pub const CALL_SETUP_IDLE: Duration = Duration::from_secs(200);
/// How long an ended call waits for retransmissions and trailing media: 64 * T1, RFC 3261 section 17.1.2.2.
pub const CALL_LINGER: Duration = Duration::from_secs(32);
/// Silence after which another call that announces the same media endpoint takes it over although no end was seen.
pub const ENDPOINT_IDLE: Duration = Duration::from_secs(30);
/// Silence after which a registration is given up: the usual hour plus a late refresh.
pub const REGISTRATION_IDLE: Duration = Duration::from_secs(4000);
/// Silence after which a stream without signalling has ended.
pub const STREAM_IDLE: Duration = Duration::from_secs(60);
/// Age at which a call is ended whatever is heard of it: an attacker who keeps one alive does not keep it for ever.
pub const CALL_LONGEST: Duration = Duration::from_secs(24 * 3600);
/// Age at which a stream without signalling is ended: its record appears although a loudspeaker never stops.
pub const STREAM_LONGEST: Duration = Duration::from_secs(24 * 3600);
/// How often media tells signalling that a stream flows. Idle timeouts are minutes: a second is exact enough.
pub const ACTIVE_REPORT: Duration = Duration::from_secs(1);
/// Losses of the capture nearer to each other than this are one interval.
pub const LOSS_INTERVAL: Duration = Duration::from_secs(1);
/// Intervals of loss that are told apart: more than an hour of a port that loses packets every second. Beyond it the
/// oldest are joined.
pub const LOSS_INTERVALS: usize = 4096;

/// VLAN tags in a frame: two are QinQ, more are not seen in practice.
pub const VLAN_TAGS: usize = 4;
/// Link layers and IP packets within one another. A frame in VXLAN in VXLAN in VXLAN has eight; each costs stack.
pub const LAYERS: u8 = 16;
/// Labels of one MPLS stack. Networks with segment routing push up to about ten.
pub const MPLS_LABELS: usize = 16;
/// Extension headers of a GTP-U packet, and source routes of GRE. 5G uses one or two.
pub const GTP_EXTENSIONS: usize = 8;
/// Fields before the frame in TZSP. The protocol knows a dozen.
pub const TZSP_FIELDS: usize = 32;
/// Attributes before the packet in NFLOG. Linux writes about ten.
pub const NFLOG_ATTRIBUTES: usize = 32;
/// Bytes that fragments, TCP segments and SCTP chunks which wait for others may hold together. A fragmented INVITE
/// holds about 3 KB for some milliseconds; a flood of fragments turns the table over instead of growing it.
pub const REASSEMBLY_BYTES: usize = 16 * 1024 * 1024;
/// What a kept fragment, segment or chunk is counted with besides its bytes: the room of its entry.
pub const REASSEMBLY_OVERHEAD: usize = 128;
/// IP packets put together from fragments at once.
pub const FRAGMENTED_PACKETS: usize = 4096;
/// Fragments of one packet: 64 KiB in pieces of the least MTU (576 bytes, RFC 791), with room to spare.
pub const FRAGMENTS_PER_PACKET: usize = 160;
/// How long fragments wait for the rest. They leave their sender together and come within milliseconds. Hosts wait 15 to 60 s
/// (RFC 791, RFC 8200), and between two busy ones that is long enough for IPv4's 16-bit number to come round and for two
/// packets to become one (RFC 4963): at 10,000 packets a second it takes 6.5 s.
pub const FRAGMENT_AGE: Duration = Duration::from_secs(3);
/// How long copies of fragments wait for the rest of their set: sources differ by milliseconds, and the number of an
/// IPv4 packet comes round within seconds.
pub const FRAGMENT_COPY_AGE: Duration = Duration::from_secs(1);
/// Directions of TCP connections that carry SIP. Each phone has two.
pub const TCP_SIP_FLOWS: usize = 65_536;
/// Directions of TCP connections that are known to carry something else, or nothing yet, for each that carries SIP: a
/// table entry each.
pub const TCP_OTHERS_FOR_EACH: usize = 2;
/// Segments that one direction of a TCP connection may hold while an earlier one is missing.
pub const TCP_SEGMENTS: usize = 128;
/// Bytes of them. Windows of SIP connections are 64 KiB or little more; a SIP message is smaller.
pub const TCP_SEGMENT_BYTES: usize = 256 * 1024;
/// Frames that one direction of a TCP connection holds for the message that they carry: the longest that is read in
/// segments of 1,000 bytes.
pub const TCP_HELD_FRAMES: usize = 131;
/// Frames that are held and nobody has taken yet: some tenths of a second of a busy port.
pub const HELD_FRAMES: usize = 4096;
/// Distance in sequence numbers beyond which a segment is not of the same conversation as the one before.
pub const TCP_WINDOW: u32 = 1 << 20;
/// How long a hole in a TCP connection waits to be filled. A retransmission comes within a second (RFC 6298); what the
/// capture itself has missed never comes.
pub const TCP_HOLE_AGE: Duration = Duration::from_secs(3);
/// Silence of a TCP connection after which a segment that does not fit begins it anew.
pub const TCP_SILENCE: Duration = Duration::from_secs(120);
/// SCTP messages put together from chunks at once.
pub const SCTP_MESSAGES: usize = 1024;
/// Chunks of one SCTP message: 64 KiB in pieces of 576 bytes.
pub const SCTP_CHUNKS_PER_MESSAGE: usize = 128;
/// Chunks of one SCTP packet: a jumbo frame full of the shortest.
pub const SCTP_CHUNKS: usize = 512;
/// How long chunks wait for the rest of their message: retransmissions come within seconds (RFC 9260, section 16).
pub const SCTP_AGE: Duration = Duration::from_secs(30);
/// Directions of SCTP associations that carry SIP.
pub const SCTP_FLOWS: usize = 8192;
/// Extension headers of an IPv6 packet. RFC 8504 lets a node drop more than 8 options; chains are shorter.
pub const IPV6_EXTENSIONS: usize = 8;

/// Header lines in a SIP message. RFC 3261 sets no limit; large ones with Via and Record-Route have about 60.
pub const SIP_HEADERS: usize = 256;
/// Header lines of a SIP message that are indexed without heap memory: RFC 4475's longest message has 43.
pub const SIP_HEADERS_INLINE: usize = 48;
/// Bytes of one SIP header line with its folds.
pub const SIP_HEADER_BYTES: usize = 8192;
/// Bytes of all header lines of a SIP message: a UDP datagram's largest size.
pub const SIP_HEAD_BYTES: usize = 65_535;
/// Lines without a colon or a name among the headers of one message. Broken phones send one or two; more is not SIP.
pub const SIP_DAMAGED_LINES: u16 = 8;
/// Parts that are read of a multipart body.
pub const SIP_PARTS: usize = 32;
/// How deep parts are read within parts: S/MIME around an alternative around related parts is three.
pub const SIP_PART_DEPTH: usize = 4;
/// Bytes of the delimiter of a multipart body: RFC 2046 allows 70 and two hyphens.
pub const SIP_BOUNDARY_BYTES: usize = 128;
/// Bytes that are kept of a SIP message in a stream, with its head; of a longer body the rest is passed over. SDP has a few
/// kB, presence documents some ten.
pub const SIP_STREAM_BYTES: usize = 131_072;
/// Content-Length in a stream beyond which it is taken for damage, and the next message is searched.
pub const SIP_BODY_BYTES: usize = 16 << 20;
/// Bytes of memory that an idle stream may keep for the next message.
pub const SIP_STREAM_IDLE_BYTES: usize = 2048;
/// Bytes without a message after which a stream whose beginning was not seen is taken for another protocol. A message
/// whose beginning is missing may come first.
pub const SIP_SEARCH_BYTES: usize = 16_384;
/// Bytes of the HTTP handshake of a WebSocket: cookies and tokens take a few kB.
pub const SIP_HANDSHAKE_BYTES: usize = 16_384;
/// Bytes of a Call-ID: it is the key of the table of calls.
pub const CALL_ID_BYTES: usize = 512;
/// Bytes of a URI that is kept. Longer ones are cut.
pub const URI_BYTES: usize = 512;
/// Bytes of a display name that is kept. Longer ones are cut.
pub const DISPLAY_NAME_BYTES: usize = 256;
/// Bytes of a telephone number: E.164 has 15 digits; carriers' prefixes and routing numbers come on top.
pub const NUMBER_BYTES: usize = 31;
/// Bytes of an IP address as text: the longest IPv6 address with an IPv4 part has 45, and one colon too many is let pass.
pub const ADDRESS_BYTES: usize = 46;
/// Bytes of a tag that is kept. Longer ones are cut: tags only tell two sides apart.
pub const TAG_BYTES: usize = 128;
/// Bytes of all texts of one call but From and To: identities, contacts, programs, diversions. Usual calls have 300.
pub const CALL_TEXT_BYTES: usize = 2048;
/// Diversion or History-Info values kept of one INVITE: a call is forwarded some times, not a hundred times.
pub const DIVERSIONS: usize = 8;
/// Messages of a dialog that are remembered to tell retransmissions and copies apart. A call without surprises has
/// seven; what is sent again is among the last.
pub const SEEN_MESSAGES: usize = 12;
/// Milliseconds within which the same message on the same way is a copy and not a retransmission, where IP does not tell:
/// a fifth of T1 (RFC 3261, section 17.1.1.1).
pub const COPY_MILLIS: u16 = 100;
/// Answerers (To tags) of one INVITE that are told apart.
pub const FORKS: usize = 16;
/// INVITE rounds of one call whose answers are kept: credentials twice, some other addresses.
pub const INVITE_ROUNDS: usize = 16;
/// Times on hold that are kept of one call.
pub const HOLDS: usize = 32;
/// Times in which a side of a call is not to be heard that are kept: each hold makes one or two.
pub const QUIETS: usize = 64;
/// Transfers that are kept of one call.
pub const TRANSFERS: usize = 8;
/// Longest session timer that is believed, in seconds. A longer one would keep a dead call for days.
pub const SESSION_EXPIRES_SECONDS: u32 = 86_400;
/// Contacts that are kept of one registration: phones, a softphone, a browser each with its own.
pub const CONTACTS: usize = 16;
/// Subscriptions tracked at once: presence and message waiting of a large site. About 400 bytes each.
pub const SUBSCRIPTIONS: usize = 50_000;
/// Exchanges (requests outside dialogs, by method and peers) tracked at once. About 500 bytes each.
pub const EXCHANGES: usize = 20_000;
/// Requests of one exchange that wait for their answer. Older ones count as unanswered.
pub const EXCHANGE_REQUESTS: usize = 16;
/// Silence after which an exchange is reported.
pub const EXCHANGE_IDLE: Duration = Duration::from_secs(600);
/// Age at which an exchange is reported and begun anew: a keep-alive never falls silent.
pub const EXCHANGE_LONGEST: Duration = Duration::from_secs(3600);
/// How often a registration or subscription that goes on as it was is told again to who keeps records.
pub const OTHER_TELL: Duration = Duration::from_secs(3600);
/// Different final answers counted in one exchange or for one method.
pub const RESULTS: usize = 32;
/// INVITEs remembered at once to find their next leg. Two entries each.
pub const RECENT_LEGS: usize = 32_768;
/// Different values of correlation headers remembered at once.
pub const CORRELATION_VALUES: usize = 65_536;
/// How long a value of a correlation header links to a call that is gone: a caller is put through to the next leg within
/// some minutes, and a customer's number comes again the next day.
pub const CORRELATION_VALUE_AGE: Duration = Duration::from_secs(300);
/// Legs of one group of calls that are renamed when it joins an older one.
pub const GROUP_LEGS: usize = 64;

/// Media descriptions in an SDP body.
pub const SDP_MEDIA: usize = 16;
/// Lines in an SDP body.
pub const SDP_LINES: usize = 1024;
/// Codecs (rtpmap) kept of one media description.
pub const SDP_CODECS: usize = 64;
/// ICE candidates kept of one media description: browsers offer some ten to twenty.
pub const SDP_CANDIDATES: usize = 32;
/// Parameters read of one fmtp line.
pub const SDP_FORMAT_PARAMETERS: usize = 32;
/// Bytes of a codec's name that are kept.
pub const CODEC_NAME_BYTES: usize = 32;

/// Forward jump in sequence numbers that is taken for loss (RFC 3550, appendix A.1: MAX_DROPOUT).
pub const MAX_DROPOUT: u16 = 3000;
/// Packets behind the highest that are told apart as reordered or duplicate. RFC 3550 has 100 (MAX_MISORDER); seven
/// words of 64 bits and the one being filled cost 64 bytes a damaged stream and hold 9 s of audio, so that late copies
/// are still recognised.
pub const REORDER_WINDOW: u16 = 448;
/// Packets in a row, behind those before them by more than the window but less than `MAX_DROPOUT`, that make a restart.
/// Further away two do (RFC 3550, appendix A.1); so near they may be copies that took a long way.
pub const RESTART_RUN: u16 = 16;
/// Payload types counted apart in one stream: voice, comfort noise, events, a change of codec.
pub const PAYLOAD_TYPES: usize = 4;
/// Packets a stream without signalling needs before it is taken for RTP. Others of its kind are noise.
pub const HEURISTIC_PACKETS: u64 = 5;
/// Different packets below which no MOS is given: one second of audio at 20 ms.
pub const MOS_PACKETS: u64 = 50;
/// Packets received in a row that end a burst of losses: Gmin of RFC 3611, section 4.7.2, which recommends 16.
pub const BURST_GMIN: u16 = 16;
/// Bins of the histogram of loss runs: 1, 2, … 10, and 11 and more.
pub const LOSS_RUN_BINS: usize = 11;
/// Packets of a payload type without a known clock rate that are kept until SDP names it: what comes within
/// `PENDING_AGE` at 20 ms a packet. Each takes 16 bytes.
pub const EARLY_PACKETS: usize = 256;
/// How long they are kept: as long as RTP waits for its SDP, with time for the answer to a late offer.
pub const EARLY_AGE: Duration = Duration::from_secs(10);
/// Length of a slot of a stream's time line.
pub const TIMELINE_SLOT: Duration = Duration::from_secs(10);
/// Slots of a time line: 24 hours, 10 bytes each. What comes later is in the totals only.
pub const TIMELINE_SLOTS: usize = 8640;
/// Late packets in a row after which a jitter buffer moves its playout point: half a second at 20 ms a packet, which is
/// what phones take to follow a change of route.
pub const PLAYOUT_RESYNC: u8 = 25;
/// Silence of a stream, or jump of its timestamps, after which a jitter buffer begins anew: it has long run empty.
pub const PLAYOUT_RESTART: Duration = Duration::from_secs(1);
/// Longest time for which a network holds packets back to deliver them then: beyond it routes and queues have changed, and
/// what comes is a new beginning.
pub const FREEZE: Duration = Duration::from_secs(10);
/// Longest round trip that is believed. Beyond it RTCP's times are broken: rtpengine has the same bound.
pub const ROUND_TRIP: Duration = Duration::from_secs(10);
/// Packets (RTCP) in a compound packet that are walked. RFC 3550 has three or four; a datagram of 1500 bytes with
/// nothing but empty ones has 375.
pub const RTCP_PACKETS: usize = 64;
/// How long a direction that had sound must be without packets, while the other goes on, to be called silent: pauses of
/// speech without comfort noise are shorter, and who hangs up without BYE leaves the other talking for some seconds.
pub const ONE_WAY_LATER: Duration = Duration::from_secs(10);
/// How long after its answer a call is judged for one-way audio: ringing tones and comfort noise come before that.
pub const ONE_WAY_AFTER: Duration = Duration::from_secs(5);
/// Mean distance of packets from which on a direction that has silence descriptors only is a pause: noise that stands for
/// speech comes every 10 to 60 ms, descriptors at most every 160 ms.
pub const PAUSE_PACKETS: Duration = Duration::from_millis(100);
