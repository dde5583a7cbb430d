//! What registrations, subscriptions, exchanges and streams without a call are searched by. No I/O.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::{NumberFilter, loss};
use crate::{
    record::{OtherRecord, RecordKind, RegistrationState, SubscriptionState},
    time::Timestamp,
};

/// Which records are wanted: those of a kind that fit everything that is set. What a kind does not have fits nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordFilter {
    /// Of this kind.
    pub kind: RecordKind,
    /// Their row begins at or after this time. A record that goes on for more than a day has a row for each day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Their row begins before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The number or user on either side: `caller` is From, or the address of record; `callee` is To, or the contact of a
    /// registration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<NumberFilter>,
    /// An address that it came from or went to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The whole Call-ID; of an exchange that of its first message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// Registrations in one of these states; none named means any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub registration_states: Vec<RegistrationState>,
    /// Subscriptions in one of these states; none named means any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subscription_states: Vec<SubscriptionState>,
    /// With this method, as `OPTIONS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The last final answer, of an exchange any final answer, lies between these, both included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codes: Option<(u16, u16)>,
    /// Exchanges with requests that nobody answered.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unanswered: bool,
    /// The stream's SSRC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssrc: Option<u32>,
    /// The stream's mean opinion score is below this. One without does not fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mos_below: Option<f64>,
    /// The stream lost more than this many per cent of its packets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_above: Option<f64>,
}

impl RecordFilter {
    /// Wants all of a kind.
    #[must_use]
    pub fn of(kind: RecordKind) -> Self {
        Self {
            kind,
            since: None,
            until: None,
            number: None,
            address: None,
            call_id: None,
            registration_states: Vec::new(),
            subscription_states: Vec::new(),
            method: None,
            codes: None,
            unanswered: false,
            ssrc: None,
            mos_below: None,
            loss_above: None,
        }
    }

    /// Says whether a record fits, but for the times, which are those of its row.
    #[must_use]
    pub fn fits(&self, record: &OtherRecord) -> bool {
        self.kind == record.kind()
            && self.call_id.as_deref().is_none_or(|id| record.call_id() == Some(id))
            && self.number.as_ref().is_none_or(|wanted| {
                let (from, to) = sides(record);
                wanted.fits_sides(from, to)
            })
            && self.address.is_none_or(|wanted| {
                let wanted = wanted.to_canonical();
                addresses(record).into_iter().any(|address| address.to_canonical() == wanted)
            })
            && self.fits_state(record)
            && self.method.as_deref().is_none_or(|wanted| method(record).is_some_and(|method| method == wanted))
            && self.codes.is_none_or(|(from, to)| codes(record).iter().any(|code| (from..=to).contains(code)))
            && (!self.unanswered || matches!(record, OtherRecord::Exchange(one) if one.unanswered > 0))
            && self.fits_stream(record)
    }

    fn fits_state(&self, record: &OtherRecord) -> bool {
        let (registrations, subscriptions) = (&self.registration_states, &self.subscription_states);
        match record {
            OtherRecord::Registration(one) => {
                subscriptions.is_empty() && (registrations.is_empty() || registrations.contains(&one.state))
            }
            OtherRecord::Subscription(one) => {
                registrations.is_empty() && (subscriptions.is_empty() || subscriptions.contains(&one.state))
            }
            OtherRecord::Exchange(_) | OtherRecord::Stream(_) => registrations.is_empty() && subscriptions.is_empty(),
        }
    }

    fn fits_stream(&self, record: &OtherRecord) -> bool {
        let stream = match record {
            OtherRecord::Stream(stream) => Some(stream),
            OtherRecord::Registration(_) | OtherRecord::Subscription(_) | OtherRecord::Exchange(_) => None,
        };
        let lost = |above: f64| {
            let share = stream.and_then(|stream| loss(stream.lost, stream.expected));
            share.is_some_and(|share| f64::from(share) / 100.0 > above)
        };
        self.ssrc.is_none_or(|ssrc| stream.is_some_and(|stream| stream.ssrc == ssrc))
            && self.mos_below.is_none_or(|below| {
                stream.and_then(|stream| stream.mos).is_some_and(|mos| mos.is_finite() && mos < below)
            })
            && self.loss_above.is_none_or(lost)
    }
}

/// The URIs of both sides: From and To; the address of record and the contact.
#[must_use]
pub fn sides(record: &OtherRecord) -> (Option<&str>, Option<&str>) {
    match record {
        OtherRecord::Registration(one) => (Some(&one.aor), one.contact.as_deref()),
        OtherRecord::Subscription(one) => (Some(&one.from), Some(&one.to)),
        OtherRecord::Exchange(one) => (Some(&one.from), Some(&one.to)),
        OtherRecord::Stream(_) => (None, None),
    }
}

/// The addresses that it came from and went to; of a registration also those of its contacts.
#[must_use]
pub fn addresses(record: &OtherRecord) -> Vec<IpAddr> {
    let texts: Vec<&str> = match record {
        OtherRecord::Registration(one) => {
            let details = &one.details;
            let contacts = details.contacts.iter().filter_map(|contact| contact.address.as_deref());
            details.src.as_deref().into_iter().chain(details.dst.as_deref()).chain(contacts).collect()
        }
        OtherRecord::Subscription(one) => vec![&one.src, &one.dst],
        OtherRecord::Exchange(one) => vec![&one.src, &one.dst],
        OtherRecord::Stream(one) => vec![&one.src, &one.dst],
    };
    let parsed = |text: &str| text.parse::<SocketAddr>().map(|socket| socket.ip()).or_else(|_| text.parse::<IpAddr>());
    texts.into_iter().filter_map(|text| parsed(text).ok()).collect()
}

/// The final answers that it is found by.
#[must_use]
pub fn codes(record: &OtherRecord) -> Vec<u16> {
    match record {
        OtherRecord::Registration(one) => one.final_status.into_iter().collect(),
        OtherRecord::Subscription(one) => one.final_status.into_iter().collect(),
        OtherRecord::Exchange(one) => one.results.keys().filter_map(|status| status.parse().ok()).collect(),
        OtherRecord::Stream(_) => Vec::new(),
    }
}

/// The method; none of a stream.
#[must_use]
pub fn method(record: &OtherRecord) -> Option<&str> {
    match record {
        OtherRecord::Registration(_) => Some("REGISTER"),
        OtherRecord::Subscription(one) => Some(&one.method),
        OtherRecord::Exchange(one) => Some(&one.method),
        OtherRecord::Stream(_) => None,
    }
}

/// The score and the loss in hundredths of a per cent, of a stream.
#[must_use]
pub fn quality(record: &OtherRecord) -> (Option<f64>, Option<u16>) {
    match record {
        OtherRecord::Stream(one) => (one.mos.filter(|mos| mos.is_finite()), loss(one.lost, one.expected)),
        OtherRecord::Registration(_) | OtherRecord::Subscription(_) | OtherRecord::Exchange(_) => (None, None),
    }
}
