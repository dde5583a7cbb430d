//! Where packets end that go no further: each reason belongs to one stage, and each packet is counted once.

use crate::record::DroppedByStage;

/// A stage of the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Frame to datagram.
    Decode,
    /// Datagram to protocol.
    Classify,
    /// Bytes to message.
    Parse,
    /// From a worker to the owner of signalling.
    Worker,
    /// Message to dialog or stream.
    Track,
}

impl Stage {
    /// The name in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Classify => "classify",
            Self::Parse => "parse",
            Self::Worker => "worker",
            Self::Track => "track",
        }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident $field:ident $stage:ident),* $(,)?) => {
        /// Why a packet went no further.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Reason { $($(#[$doc])* $variant),* }

        impl Reason {
            /// All reasons, in the order of the stages.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stage at which it happens.
            #[must_use]
            pub fn stage(self) -> Stage {
                match self { $(Self::$variant => Stage::$stage),* }
            }

            /// The name in records.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => stringify!($field)),* }
            }
        }

        /// Counts by reason. Adding is a jump and an increment: on a port with mostly other traffic it is the hot path.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Dropped { $($field: u64),* }

        impl Dropped {
            /// Counts `packets` more for a reason.
            pub fn add(&mut self, reason: Reason, packets: u64) {
                match reason { $(Reason::$variant => self.$field += packets),* }
            }

            /// Adds the counts of another part of the engine.
            pub fn merge(&mut self, other: &Self) {
                $(self.$field += other.$field;)*
            }

            /// The count of one reason.
            #[must_use]
            pub fn get(&self, reason: Reason) -> u64 {
                match reason { $(Reason::$variant => self.$field),* }
            }
        }
    };
}

reasons! {
    /// The link type of the capture is not one that is decoded.
    LinkType link_type Decode,
    /// The frame ends within a header.
    Truncated truncated Decode,
    /// Neither IPv4 nor IPv6: ARP, spanning tree, PPP's own protocols, …
    NotIp not_ip Decode,
    /// More VLAN tags than allowed.
    VlanDepth vlan_depth Decode,
    /// More MPLS labels than allowed.
    LabelDepth label_depth Decode,
    /// More tunnels within one another than allowed.
    TunnelDepth tunnel_depth Decode,
    /// The header of a tunnel contradicts itself or has a version that is not known.
    TunnelHeader tunnel_header Decode,
    /// Header length, version or total length of IP contradict each other.
    IpHeader ip_header Decode,
    /// Longer chain of IPv6 extension headers than allowed.
    Ipv6Extensions ipv6_extensions Decode,
    /// A fragment without content, beyond the longest packet, or of a length that none but the last may have.
    FragmentSize fragment_size Decode,
    /// A fragment whose packet stayed incomplete.
    FragmentExpired fragment_expired Decode,
    /// A fragment that says otherwise than another of the same packet (RFC 5722), or one of a packet so spoilt.
    FragmentOverlap fragment_overlap Decode,
    /// A copy of a fragment whose packet was put together without it.
    FragmentCopy fragment_copy Decode,
    /// A fragment given up early: too many pieces, packets or bytes waited.
    FragmentLimit fragment_limit Decode,
    /// TCP that does not carry SIP.
    Tcp tcp Decode,
    /// RTP over TCP (RFC 4571): it is told apart and not measured, as TCP hides what the network does to it.
    RtpOverTcp rtp_over_tcp Decode,
    /// The header of a TCP segment contradicts itself.
    TcpHeader tcp_header Decode,
    /// A TCP segment without data: handshake, acknowledgement, end.
    TcpEmpty tcp_empty Decode,
    /// A TCP segment with nothing that was not seen before: retransmitted, a keep-alive, or a copy.
    TcpRepeated tcp_repeated Decode,
    /// A TCP segment given up early: too much waited, or the connection was reset before it could be read.
    TcpLimit tcp_limit Decode,
    /// SCTP that does not carry SIP.
    Sctp sctp Decode,
    /// An SCTP packet without data: handshake, acknowledgement, heartbeat.
    SctpEmpty sctp_empty Decode,
    /// The chunks of an SCTP packet contradict their lengths.
    SctpHeader sctp_header Decode,
    /// SCTP chunks that were seen before.
    SctpRepeated sctp_repeated Decode,
    /// SCTP chunks of a message that stayed incomplete.
    SctpExpired sctp_expired Decode,
    /// SCTP chunks given up early: too many pieces, messages or bytes waited.
    SctpLimit sctp_limit Decode,
    /// Another transport protocol: ICMP, ESP, OSPF, …
    Transport transport Decode,
    /// The length in the UDP header is below its own size.
    UdpLength udp_length Decode,
    /// No payload.
    Empty empty Classify,
    /// Keep-alive on a SIP port: line breaks, zero bytes (RFC 5626 and common practice).
    KeepAlive keep_alive Classify,
    /// STUN or TURN (RFC 8489).
    Stun stun Classify,
    /// DTLS (RFC 6347), as before SRTP.
    Dtls dtls Classify,
    /// Keys for SRTP by ZRTP (RFC 6189).
    Zrtp zrtp Classify,
    /// Data in a TURN channel (RFC 8656) that are no media.
    TurnChannel turn_channel Classify,
    /// Another protocol of telephony: IAX2, MGCP, Megaco, H.225 RAS.
    OtherVoip other_voip Classify,
    /// Another protocol.
    NotVoip not_voip Classify,
    /// SIP that is compressed (SigComp, RFC 3320): it cannot be read.
    SigComp sig_comp Classify,
    /// On a SIP port, and not a SIP start line.
    SipStartLine sip_start_line Parse,
    /// More header lines than allowed, or a longer one.
    SipTooLarge sip_too_large Parse,
    /// A header line without a colon or with an empty name.
    SipHeader sip_header Parse,
    /// Call-ID, CSeq, From or To is missing or cannot be read.
    SipMandatory sip_mandatory Parse,
    /// The RTP header contradicts the packet's length.
    RtpHeader rtp_header Parse,
    /// The RTCP header contradicts the packet's length.
    RtcpHeader rtcp_header Parse,
    /// A SIP message found the queue to the owner of signalling full.
    SignallingFull signalling_full Worker,
    /// Looks like RTP, and no signalling announced it.
    NoSignalling no_signalling Track,
    /// The table of RTP that waits for its signalling was full.
    PendingFull pending_full Track,
    /// The call has as many streams as it may, or the table of streams is full.
    TooManyStreams too_many_streams Track,
}

/// What became of a packet that was not dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It reached a call, a registration, a stream or a counter of SIP messages.
    Delivered,
    /// It is kept, and will be delivered or dropped later: who keeps it counts it in its own [`Tally`].
    Waiting,
}

/// What one part of the engine counts of packets that it kept for a while.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Packets that wait.
    pub waiting: u64,
    /// Packets that waited and were delivered.
    pub delivered: u64,
    /// Packets that waited and went no further.
    pub dropped: Dropped,
}

impl Tally {
    /// A packet is kept.
    pub fn wait(&mut self) {
        self.waiting += 1;
    }

    /// Packets that waited have an outcome.
    pub fn settle(&mut self, outcome: Result<Taken, Reason>, packets: u64) {
        match outcome {
            // Where the last packet of several waits on, the others have done their part.
            Ok(Taken::Delivered | Taken::Waiting) => self.deliver(packets),
            Err(reason) => self.drop(reason, packets),
        }
    }

    /// Packets that waited are delivered.
    pub fn deliver(&mut self, packets: u64) {
        self.waiting = self.waiting.saturating_sub(packets);
        self.delivered += packets;
    }

    /// Packets that waited go no further.
    pub fn drop(&mut self, reason: Reason, packets: u64) {
        self.waiting = self.waiting.saturating_sub(packets);
        self.dropped.add(reason, packets);
    }

    /// Adds the counts of another part.
    pub fn merge(&mut self, other: &Self) {
        self.waiting += other.waiting;
        self.delivered += other.delivered;
        self.dropped.merge(&other.dropped);
    }
}

impl Dropped {
    /// The sum over all reasons.
    #[must_use]
    pub fn total(&self) -> u64 {
        Reason::ALL.iter().map(|&reason| self.get(reason)).sum()
    }

    /// The counts that are not zero, by stage and reason.
    #[must_use]
    pub fn by_stage(&self) -> DroppedByStage {
        let mut stages = DroppedByStage::new();
        for &reason in Reason::ALL {
            let packets = self.get(reason);
            if packets > 0 {
                stages.entry(reason.stage().name().to_owned()).or_default().insert(reason.name().to_owned(), packets);
            }
        }
        stages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_the_sum_of_what_is_shown() {
        let mut dropped = Dropped::default();
        for (&reason, packets) in Reason::ALL.iter().zip(1..) {
            dropped.add(reason, packets);
            assert_eq!(dropped.get(reason), packets);
        }
        let shown: u64 = dropped.by_stage().values().flat_map(|reasons| reasons.values()).sum();
        assert_eq!(shown, dropped.total());
        assert_eq!(dropped.by_stage()["decode"]["tcp"], dropped.get(Reason::Tcp));
    }
}
