//! What an engine says at the end of things.

use super::{CallSerial, OtherSerial, StreamSerial};
use crate::{
    query::CallSummary,
    record::{CallRecord, ExchangeRecord, RegistrationRecord, StreamRecord, SubscriptionRecord},
};

/// Something happened that will not change any more.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A call has ended.
    Call(Box<EndedCall>),
    /// A stream that waited for its SDP belongs to a call.
    Adopted {
        /// The stream.
        stream: StreamSerial,
        /// Its call.
        call: CallSerial,
    },
    /// A stream without a call has ended.
    Stream {
        /// Its serial.
        serial: StreamSerial,
        /// The stream.
        record: Box<StreamRecord>,
    },
    /// A registration has ended.
    Registration {
        /// Its serial.
        serial: OtherSerial,
        /// The registration.
        record: Box<RegistrationRecord>,
    },
    /// A subscription has ended.
    Subscription {
        /// Its serial.
        serial: OtherSerial,
        /// The subscription.
        record: Box<SubscriptionRecord>,
    },
    /// Requests outside of all these, when they fell silent or once an hour.
    Exchange {
        /// Its serial.
        serial: OtherSerial,
        /// The exchange.
        record: Box<ExchangeRecord>,
    },
}

/// A call with its streams.
#[derive(Clone, Debug, PartialEq)]
pub struct EndedCall {
    /// Its name in this process.
    pub serial: CallSerial,
    /// The call.
    pub record: CallRecord,
    /// Its streams in the order in which they came.
    pub streams: Vec<StreamRecord>,
    /// The call as a row of the list.
    pub summary: CallSummary,
}
