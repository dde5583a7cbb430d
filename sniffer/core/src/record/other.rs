//! What is recorded of SIP besides calls: registrations' details, subscriptions, other requests, counts by method.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{RegistrationRecord, StreamRecord};
use crate::time::Timestamp;

/// A record of what is neither a call nor of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum OtherRecord {
    /// A registration.
    Registration(Box<RegistrationRecord>),
    /// A subscription.
    Subscription(Box<SubscriptionRecord>),
    /// Requests outside calls, registrations and subscriptions.
    Exchange(Box<ExchangeRecord>),
    /// A stream without a call.
    Stream(Box<StreamRecord>),
}

/// The kinds of [`OtherRecord`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordKind {
    /// Registrations.
    Registration,
    /// Subscriptions.
    Subscription,
    /// Exchanges.
    Exchange,
    /// Streams without a call.
    Stream,
}

impl RecordKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Registration, Self::Subscription, Self::Exchange, Self::Stream];

    /// Several of it, in a word: `registrations`.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Registration => "registrations",
            Self::Subscription => "subscriptions",
            Self::Exchange => "exchanges",
            Self::Stream => "streams",
        }
    }
}

impl OtherRecord {
    /// Which kind it is.
    #[must_use]
    pub fn kind(&self) -> RecordKind {
        match self {
            Self::Registration(_) => RecordKind::Registration,
            Self::Subscription(_) => RecordKind::Subscription,
            Self::Exchange(_) => RecordKind::Exchange,
            Self::Stream(_) => RecordKind::Stream,
        }
    }

    /// When it began, and when it was seen last.
    #[must_use]
    pub fn times(&self) -> (Timestamp, Timestamp) {
        match self {
            Self::Registration(one) => (one.start, one.last),
            Self::Subscription(one) => (one.start, one.last),
            Self::Exchange(one) => (one.start, one.last),
            Self::Stream(one) => (one.start, one.end),
        }
    }

    /// Its Call-ID.
    #[must_use]
    pub fn call_id(&self) -> Option<&str> {
        match self {
            Self::Registration(one) => Some(&one.call_id),
            Self::Subscription(one) => Some(&one.call_id),
            Self::Exchange(one) => Some(&one.call_id),
            Self::Stream(one) => one.call_id.as_deref(),
        }
    }
}

/// One contact that is bound to an address of record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContactRecord {
    /// Its URI.
    pub uri: String,
    /// From where it was registered; null when another registration did.
    pub address: Option<String>,
    /// When the binding ends.
    pub expires_at: Timestamp,
    /// It has ended.
    pub expired: bool,
}

/// What is known of a registration besides its state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RegistrationDetails {
    /// User part of the address of record.
    pub number: Option<String>,
    /// Its host, in lower case.
    pub domain: Option<String>,
    /// User-Agent.
    pub user_agent: Option<String>,
    /// From where the last REGISTER came.
    pub src: Option<String>,
    /// Where it went.
    pub dst: Option<String>,
    /// What the registrar said is bound, at most 16.
    pub contacts: Vec<ContactRecord>,
    /// When the last of them ends. Null unless registered.
    pub expires_at: Option<Timestamp>,
    /// That time has passed: the phone is not reachable any more.
    pub expired: bool,
    /// 401 and 407 answers.
    pub challenges: u32,
    /// Other refusals.
    pub failures: u32,
    /// 2xx answers to a REGISTER of one who was registered.
    pub refreshes: u32,
    /// Times a contact was replaced by one elsewhere.
    pub moved: u32,
    /// Messages that the same place sent again.
    pub retransmissions: u32,
    /// Packets seen twice, as with two monitoring ports.
    pub copies: u32,
    /// Longest time from a REGISTER to its final answer.
    pub response_ms_max: Option<f64>,
}

/// Where a subscription stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionState {
    /// SUBSCRIBE or REFER seen, no final answer.
    Trying,
    /// The last answer asked for credentials (401, 407).
    Challenged,
    /// NOTIFY said pending: somebody has yet to agree.
    Pending,
    /// Accepted.
    Active,
    /// Ended: by NOTIFY, or by SUBSCRIBE with expires 0.
    Terminated,
    /// Refused.
    Failed,
}

/// A subscription (RFC 6665), or a REFER outside a call (RFC 3515).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubscriptionRecord {
    /// The Call-ID header.
    pub call_id: String,
    /// The method that began it.
    pub method: String,
    /// URI of From.
    pub from: String,
    /// URI of To.
    pub to: String,
    /// The Event header.
    pub event: Option<String>,
    /// URI of Refer-To.
    pub refer_to: Option<String>,
    /// User-Agent of the subscriber.
    pub user_agent: Option<String>,
    /// From where it came.
    pub src: String,
    /// Where it went.
    pub dst: String,
    /// Where it stands.
    pub state: SubscriptionState,
    /// The last final answer.
    pub final_status: Option<u16>,
    /// Of a REFER: what NOTIFY says that the one who was referred got.
    pub outcome: Option<u16>,
    /// Why it ended, by NOTIFY.
    pub reason: Option<String>,
    /// First message.
    pub start: Timestamp,
    /// Last message.
    pub last: Timestamp,
    /// When it ends unless it is refreshed.
    pub expires_at: Option<Timestamp>,
    /// That time has passed.
    pub expired: bool,
    /// SUBSCRIBE or REFER requests, without retransmissions.
    pub requests: u32,
    /// NOTIFY requests, without retransmissions.
    pub notifies: u32,
    /// Messages that the same place sent again.
    pub retransmissions: u32,
    /// Packets seen twice, as with two monitoring ports.
    pub copies: u32,
}

/// Requests of one method outside calls, registrations and subscriptions, between two hosts with the same From and To.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExchangeRecord {
    /// The method; `other` for one that is not known by name.
    pub method: String,
    /// URI of From.
    pub from: String,
    /// URI of To.
    pub to: String,
    /// From where the first request came.
    pub src: String,
    /// Where it went.
    pub dst: String,
    /// Call-ID of the first message.
    pub call_id: String,
    /// The Event header of the first request that had one.
    pub event: Option<String>,
    /// User-Agent of who asks.
    pub user_agent: Option<String>,
    /// First message.
    pub start: Timestamp,
    /// Last message.
    pub last: Timestamp,
    /// Requests, without retransmissions.
    pub requests: u32,
    /// Of them, those whose final answer was not seen.
    pub unanswered: u32,
    /// Messages that the same place sent again.
    pub retransmissions: u32,
    /// Packets seen twice, as with two monitoring ports.
    pub copies: u32,
    /// Final answers by status.
    pub results: BTreeMap<String, u64>,
    /// Mean time from a request to its final answer.
    pub response_ms_mean: Option<f64>,
    /// The longest.
    pub response_ms_max: Option<f64>,
}

/// What is counted of one method. The sum of all but the times is the number of its messages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MethodRecord {
    /// Requests seen for the first time.
    pub requests: u64,
    /// Provisional answers seen for the first time.
    pub provisional: u64,
    /// Final answers seen for the first time, by status.
    pub results: BTreeMap<String, u64>,
    /// The same messages on another hop, as behind a proxy.
    pub hops: u64,
    /// Messages that the same place sent again.
    pub retransmissions: u64,
    /// Packets seen twice, as with two monitoring ports.
    pub copies: u64,
    /// Mean time from a request to its final answer; of INVITE, to the first answer of any kind.
    pub response_ms_mean: Option<f64>,
    /// The longest.
    pub response_ms_max: Option<f64>,
}
