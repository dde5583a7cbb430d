//! The records the sniffer gives away, one JSON object each: the contract of `sniffer/README.md` and
//! `sniffer/record.schema.json`. Fields may be added; the meaning of one that is there stays.

mod call;
mod other;
mod stream;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::{
    call::{
        CallDetails, Correlated, HoldRecord, Party, ReasonRecord, SidesSeen, SipTransport, Timeout, TransferRecord, Who,
    },
    other::{
        ContactRecord, ExchangeRecord, MethodRecord, OtherRecord, RecordKind, RegistrationDetails, SubscriptionRecord,
        SubscriptionState,
    },
    stream::{Encryption, MediaKind, RtcpRecord, SlotRecord, StreamRecord, VoipRecord},
};
use crate::time::Timestamp;

/// Counts of packets that went no further, by stage and then by reason.
pub type DroppedByStage = BTreeMap<String, BTreeMap<String, u64>>;

/// One line of `sniffer read --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "made to be written at once; nobody keeps many")]
pub enum Record {
    /// A call: one INVITE dialog with all its authentication rounds, re-INVITEs and retransmissions.
    Call(CallRecord),
    /// An RTP stream: one SSRC from one address and port to another.
    Stream(StreamRecord),
    /// A registration: all REGISTER requests with one Call-ID and address of record.
    Registration(RegistrationRecord),
    /// A subscription: all SUBSCRIBE and NOTIFY requests with one Call-ID.
    Subscription(SubscriptionRecord),
    /// Requests outside all of these, by method and peers.
    Exchange(ExchangeRecord),
    /// The last line: what was read and where each packet went.
    Summary(SummaryRecord),
}

/// Where a call stands. The first three are in progress, the others are final.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    /// INVITE seen; at most a 100 came back.
    #[default]
    Trying,
    /// A provisional answer from 101 to 199 was seen.
    Ringing,
    /// A 2xx answer to the INVITE was seen, and no BYE.
    InCall,
    /// Ended by BYE. `answered` is null where the answer itself was not captured.
    Completed,
    /// Given up by the caller: CANCEL was seen, or 487 is the final answer.
    Cancelled,
    /// 486 or 600.
    Busy,
    /// 408 or 480: nobody took the call.
    NoAnswer,
    /// 603: the callee refused.
    Declined,
    /// 3xx: told to try another address.
    Redirected,
    /// Any other final answer of 400 and above, also a 401 or 407 that no further INVITE followed.
    Failed,
    /// No end was seen: signalling and media fell silent for the idle timeout.
    TimedOut,
    /// The sniffer was stopped while the call was in progress, or had no room for it any more.
    Interrupted,
}

impl CallState {
    /// Says whether the call is over in this state.
    #[must_use]
    pub fn is_final(self) -> bool {
        match self {
            Self::Trying | Self::Ringing | Self::InCall => false,
            Self::Completed
            | Self::Cancelled
            | Self::Busy
            | Self::NoAnswer
            | Self::Declined
            | Self::Redirected
            | Self::Failed
            | Self::TimedOut
            | Self::Interrupted => true,
        }
    }
}

/// A call, as its signalling tells it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    /// The Call-ID header.
    pub call_id: String,
    /// The URI of the From header of the first INVITE.
    pub from: String,
    /// The URI of the To header of the first INVITE.
    pub to: String,
    /// When the first INVITE (or, where it was not captured, the first message of the call) was seen.
    pub start: Timestamp,
    /// When the first 2xx answer to an INVITE was seen.
    pub answered: Option<Timestamp>,
    /// When the call ended: BYE, final answer, CANCEL, or the last packet of a call that timed out.
    pub end: Option<Timestamp>,
    /// Where the call stands.
    pub state: CallState,
    /// The final answer to the INVITE that counts: the 2xx once answered, else the last one seen.
    pub final_status: Option<u16>,
    /// How many RTP streams belong to the call; each is a record of its own with this `call_id`.
    pub streams: u32,
    /// Packets were lost by the capture itself while the call was in progress, so its loss figures and MOS are not to
    /// be trusted.
    pub lost_here: bool,
    /// How many packets the capture itself lost while the call was in progress, whosever they were.
    #[serde(default)]
    pub lost_here_packets: u64,
    /// What else is known.
    #[serde(flatten)]
    pub details: Box<CallDetails>,
    /// The direction that carried no sound although the other did: no packets, or only comfort noise and silence
    /// descriptors, from the answer on, or no packets any more for the last ten seconds or longer. Null when both did, when
    /// SDP wanted none (hold, recvonly, fax), and for calls that were not answered or lasted less than 5 seconds.
    #[serde(default)]
    pub one_way_audio: Option<Direction>,
    /// For how many milliseconds, those left out in which SDP wanted no sound of that direction. Null where both had sound.
    #[serde(default)]
    pub one_way_audio_ms: Option<f64>,
    /// From the answer to the first RTP packet of the direction that came last; zero for early media. Null while one
    /// direction has no packets.
    #[serde(default)]
    pub silence_at_start_ms: Option<f64>,
}

/// Which way a stream flows within its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the caller to the callee.
    CallerToCallee,
    /// From the callee to the caller.
    CalleeToCaller,
}

/// Where a registration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegistrationState {
    /// REGISTER seen, no final answer.
    Trying,
    /// The last answer asked for credentials (401, 407) and none that worked followed.
    Challenged,
    /// Accepted with 2xx.
    Registered,
    /// A removal (expires 0) was accepted with 2xx.
    Unregistered,
    /// Refused by any other final answer.
    Failed,
}

/// A registration of an address of record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegistrationRecord {
    /// The Call-ID header.
    pub call_id: String,
    /// Address of record: the URI of the To header.
    pub aor: String,
    /// The URI of the first Contact of the last REGISTER that had one.
    pub contact: Option<String>,
    /// Where the registration stands.
    pub state: RegistrationState,
    /// The last final answer.
    pub final_status: Option<u16>,
    /// When the first REGISTER was seen.
    pub start: Timestamp,
    /// When the last message was seen.
    pub last: Timestamp,
    /// REGISTER requests seen, without retransmissions.
    pub requests: u32,
    /// What else is known.
    #[serde(flatten)]
    pub details: Box<RegistrationDetails>,
}

/// What was read, and where each packet went: `packets` = `delivered` + the sum of all of `dropped`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SummaryRecord {
    /// Packets read.
    pub packets: u64,
    /// Packets that reached a call, a registration, a stream or a counter of SIP messages.
    pub delivered: u64,
    /// SIP messages parsed.
    pub sip_messages: u64,
    /// Datagrams that looked like SIP and could not be parsed; each is in `dropped` too.
    pub sip_errors: u64,
    /// RTP packets counted into a stream.
    pub rtp_packets: u64,
    /// RTCP packets (datagrams) parsed.
    pub rtcp_packets: u64,
    /// Packets of fax (T.38) to or from a place that an SDP announced for it.
    pub fax_packets: u64,
    /// Calls.
    pub calls: u64,
    /// RTP streams.
    pub streams: u64,
    /// Registrations.
    pub registrations: u64,
    /// SIP requests by method, retransmissions included.
    pub sip_requests: BTreeMap<String, u64>,
    /// What is counted of each SIP method.
    #[serde(default)]
    pub methods: BTreeMap<String, MethodRecord>,
    /// Subscriptions.
    #[serde(default)]
    pub subscriptions: u64,
    /// Exchanges.
    #[serde(default)]
    pub exchanges: u64,
    /// Packets that went no further, by stage and reason.
    pub dropped: DroppedByStage,
    /// Entries that were given up early because their table was full, by table.
    #[serde(default)]
    pub evicted: BTreeMap<String, u64>,
    /// What was put together, by kind: IP packets from fragments, SIP messages from TCP and SCTP, holes given up in TCP.
    #[serde(default)]
    pub joined: BTreeMap<String, u64>,
    /// Packets of a file whose time was far ahead of those before and behind them, and was not believed.
    #[serde(default)]
    pub times_contradicted: u64,
}
