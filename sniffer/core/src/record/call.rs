//! What a call's record holds besides its state.

use serde::{Deserialize, Serialize};

use crate::{query::CallKey, time::Timestamp};

/// Who of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// Who sent the first INVITE.
    Caller,
    /// Who was called.
    Callee,
}

/// Whose messages were seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SidesSeen {
    /// Both sides'.
    #[default]
    Both,
    /// The caller's only.
    Caller,
    /// The callee's only.
    Callee,
}

/// What carries the signalling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SipTransport {
    /// UDP.
    #[default]
    Udp,
    /// TCP.
    Tcp,
    /// SCTP.
    Sctp,
    /// WebSocket (RFC 7118).
    WebSocket,
}

/// Why a call was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timeout {
    /// An answered call fell silent in signalling and media.
    Idle,
    /// A call that nobody answered fell silent.
    Setup,
    /// Nobody refreshed the session in time (RFC 4028), and no media flowed.
    SessionTimer,
    /// The call reached the greatest age that is followed.
    Longest,
    /// There was no room for it any more: the table of calls was full.
    Evicted,
}

/// By what a call was found to belong together with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Correlated {
    /// A header that both legs carry, or that holds the other's Call-ID.
    Header,
    /// Replaces (RFC 3891).
    Replaces,
    /// The call that a REFER asked for.
    Refer,
    /// Caller, callee and time, through the same host.
    Number,
}

/// One side of a call, as signalling names it. What is not known is null.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Party {
    /// User part of the URI, telephone numbers without separators. Of an anonymous caller: that of P-Asserted-Identity or
    /// Remote-Party-ID.
    pub number: Option<String>,
    /// Host of the same URI, in lower case.
    pub domain: Option<String>,
    /// Display name.
    pub name: Option<String>,
    /// URI of P-Asserted-Identity (RFC 3325).
    pub asserted: Option<String>,
    /// URI of P-Preferred-Identity (RFC 3325).
    pub preferred: Option<String>,
    /// URI of Remote-Party-ID.
    pub remote_party: Option<String>,
    /// URI of Contact.
    pub contact: Option<String>,
    /// User-Agent or Server.
    pub user_agent: Option<String>,
    /// Where its signalling comes from and goes to, on the first hop that was seen.
    pub address: Option<String>,
}

/// Why a call ended, by the Reason header (RFC 3326).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReasonRecord {
    /// Cause by ITU-T Q.850.
    pub q850: Option<u16>,
    /// Cause as a SIP status.
    pub sip: Option<u16>,
    /// Its text.
    pub text: Option<String>,
}

/// One time on hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HoldRecord {
    /// Who held the other.
    pub by: Who,
    /// When the offer came.
    pub start: Timestamp,
    /// When it was taken back; the end of the call where it was not. Null while it lasts.
    pub end: Option<Timestamp>,
}

/// One transfer that was asked for with REFER (RFC 3515) within the call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransferRecord {
    /// When.
    pub time: Timestamp,
    /// Who asked.
    pub by: Who,
    /// It replaces a call that is there already.
    pub attended: bool,
    /// URI of Refer-To.
    pub target: String,
    /// URI of Referred-By.
    pub referred_by: Option<String>,
    /// Final answer to the REFER.
    pub status: Option<u16>,
    /// What NOTIFY says that the transferred side got.
    pub outcome: Option<u16>,
}

/// What is known of a call besides its state. Times in milliseconds are null where one of their ends was not seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CallDetails {
    /// Who calls.
    pub caller: Party,
    /// Who is called.
    pub callee: Party,
    /// The request URI of the first INVITE.
    pub request_uri: Option<String>,
    /// URIs of Diversion (RFC 5806).
    pub diversion: Vec<String>,
    /// URIs of History-Info (RFC 7044).
    pub history: Vec<String>,
    /// Contacts of 3xx answers.
    pub redirects: Vec<String>,
    /// What carries the signalling.
    pub transport: SipTransport,
    /// From the start to the first 180 to 189.
    pub post_dial_delay_ms: Option<f64>,
    /// From there to the answer or the end.
    pub ring_ms: Option<f64>,
    /// From the start to the answer.
    pub setup_ms: Option<f64>,
    /// From the answer to the end.
    pub duration_ms: Option<f64>,
    /// Who hung up, gave up or refused. Null when nobody did, and while the call lasts.
    pub ended_by: Option<Who>,
    /// Why the call was given up; null unless its state is `timed_out`.
    pub timeout: Option<Timeout>,
    /// The Reason header of the message that ended the call.
    pub reason: Option<ReasonRecord>,
    /// The final answer of each INVITE outside the dialog: credentials, other addresses, the answer.
    pub rounds: Vec<u16>,
    /// 401 and 407 answers to an INVITE.
    pub challenges: u32,
    /// Of them, those that say that the nonce was stale.
    pub stale: u32,
    /// Different answerers (To tags) that rang or answered.
    pub forks: u32,
    /// Of them, those that answered.
    pub answers: u32,
    /// Of them, those that were not hung up.
    pub answers_open: u32,
    /// A provisional answer had a body: media before the answer.
    pub early_media: bool,
    /// Reliable provisional answers (RFC 3262).
    pub reliable: u32,
    /// PRACK requests.
    pub pracks: u32,
    /// The last reliable provisional answer was not acknowledged.
    pub prack_missing: bool,
    /// INVITE requests within the dialog.
    pub reinvites: u32,
    /// UPDATE requests.
    pub updates: u32,
    /// INFO requests.
    pub infos: u32,
    /// Of them, those that carry a key press. Which key is not kept.
    pub dtmf_infos: u32,
    /// Seconds that the session lives without a refresh (RFC 4028).
    pub session_expires_s: Option<u32>,
    /// Who is to refresh it.
    pub session_refresher: Option<Who>,
    /// Refreshes: 2xx answers to re-INVITE and UPDATE that carry a session timer.
    pub refreshes: u32,
    /// Times on hold.
    pub holds: Vec<HoldRecord>,
    /// How long at least one side was held.
    pub held_ms: f64,
    /// Transfers asked for within the call.
    pub transfers: Vec<TransferRecord>,
    /// The Call-ID that the INVITE replaces (RFC 3891).
    pub replaces: Option<String>,
    /// URI of Referred-By (RFC 3892) in the INVITE.
    pub referred_by: Option<String>,
    /// SIP messages of the call with retransmissions, without copies.
    pub messages: u32,
    /// Of them, those that the same place sent again.
    pub retransmissions: u32,
    /// Packets seen twice, as with two monitoring ports.
    pub copies: u32,
    /// An INVITE outside a dialog was seen: the record knows the call from its beginning.
    pub invite_seen: bool,
    /// Whose messages were seen.
    pub sides_seen: SidesSeen,
    /// The same for all calls that belong together: the `id` of the first of them. Null when correlation is off.
    pub correlation: Option<CallKey>,
    /// By what the call was found to belong to others; null when it is alone.
    pub correlated_by: Option<Correlated>,
}
