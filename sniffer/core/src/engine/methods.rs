//! What is counted of each SIP method: requests, answers by status, retransmissions, copies, response time.

use std::{collections::BTreeMap, time::Duration};

use super::call::seen::Sight;
use crate::{
    bytes::float,
    limits,
    record::MethodRecord,
    sip::{Message, Method},
};

/// What became of a message in its dialog.
#[derive(Clone, Copy, Debug)]
pub struct Noted {
    /// What it was.
    pub sight: Sight,
    /// How long its request waited for it.
    pub response: Option<Duration>,
}

/// Response times taken together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResponseTime {
    count: u64,
    total_micros: u64,
    max_micros: u64,
}

impl ResponseTime {
    /// Counts one.
    pub fn add(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.count = self.count.saturating_add(1);
        self.total_micros = self.total_micros.saturating_add(micros);
        self.max_micros = self.max_micros.max(micros);
    }

    /// Their mean in milliseconds, to the microsecond.
    pub fn mean_ms(&self) -> Option<f64> {
        (self.count > 0).then(|| (float(self.total_micros) / float(self.count)).round() / 1000.0)
    }

    /// The longest in milliseconds.
    pub fn max_ms(&self) -> Option<f64> {
        (self.count > 0).then(|| float(self.max_micros) / 1000.0)
    }
}

/// Final answers by status, in the order of the status. At most [`limits::RESULTS`] different ones; the rest is counted
/// under 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Results(Vec<(u16, u32)>);

impl Results {
    /// Counts one.
    pub fn add(&mut self, status: u16) {
        let has_room = self.0.len() < limits::RESULTS;
        match self.0.binary_search_by_key(&status, |(status, _)| *status) {
            Ok(at) => {
                if let Some((_, count)) = self.0.get_mut(at) {
                    *count = count.saturating_add(1);
                }
            }
            Err(at) if has_room || status == 0 => {
                self.0.reserve_exact(1);
                self.0.insert(at, (status, 1));
            }
            Err(_) => self.add(0),
        }
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.0.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    /// As a record.
    pub fn record(&self) -> BTreeMap<String, u64> {
        let name = |status: u16| if status == 0 { "other".to_owned() } else { status.to_string() };
        self.0.iter().map(|(status, count)| (name(*status), u64::from(*count))).collect()
    }
}

/// What is counted of one method. The sum of `requests`, `provisional`, the results, `hops`, `retransmissions` and
/// `copies` is the number of its messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MethodCounters {
    requests: u64,
    provisional: u64,
    results: Results,
    hops: u64,
    retransmissions: u64,
    copies: u64,
    response: ResponseTime,
}

/// The counters of all methods, in the order of [`Method::ALL`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Methods([MethodCounters; Method::ALL.len()]);

impl Methods {
    /// Counts a message.
    pub fn count(&mut self, message: &Message<'_>, noted: Noted) {
        let Some(counters) = self.0.get_mut(message.method().number()) else { return };
        match (noted.sight, message.status()) {
            (Sight::Copy, _) => counters.copies += 1,
            (Sight::Retransmission, _) => counters.retransmissions += 1,
            (Sight::OtherHop, _) => counters.hops += 1,
            (Sight::New, None) => counters.requests += 1,
            (Sight::New, Some(100..=199)) => counters.provisional += 1,
            (Sight::New, Some(status)) => counters.results.add(status),
        }
        if let Some(response) = noted.response {
            counters.response.add(response);
        }
    }

    /// Those of methods that came, as records by name.
    pub fn records(&self) -> BTreeMap<String, MethodRecord> {
        let came = |one: &MethodCounters| *one != MethodCounters::default();
        let record = |one: &MethodCounters| MethodRecord {
            requests: one.requests,
            provisional: one.provisional,
            results: one.results.record(),
            hops: one.hops,
            retransmissions: one.retransmissions,
            copies: one.copies,
            response_ms_mean: one.response.mean_ms(),
            response_ms_max: one.response.max_ms(),
        };
        let named = Method::ALL.iter().zip(&self.0).filter(|(_, one)| came(one));
        named.map(|(method, one)| (method.name().to_owned(), record(one))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_bounded_and_none_is_lost() {
        let mut results = Results::default();
        for status in 200..300 {
            results.add(status);
            results.add(200);
        }
        assert_eq!(results.total(), 200);
        let record = results.record();
        assert_eq!(record["200"], 101);
        assert!(record.len() <= limits::RESULTS + 1 && record["other"] > 0);
    }

    #[test]
    fn response_times_have_a_mean_and_a_maximum() {
        let mut times = ResponseTime::default();
        assert_eq!((times.mean_ms(), times.max_ms()), (None, None));
        times.add(Duration::from_micros(1000));
        times.add(Duration::from_micros(4000));
        assert_eq!((times.mean_ms(), times.max_ms()), (Some(2.5), Some(4.0)));
    }
}
