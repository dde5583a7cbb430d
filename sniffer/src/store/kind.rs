//! What the store can keep and find: calls, and records of all else, each kind in a database of its own. What is kept
//! and how it is found is the same for all; these traits say what differs.

use std::{borrow::Cow, net::IpAddr};

use sniffer_core::{query::CallFilter, record::RecordKind, time::Timestamp};

use super::{
    entries::Entries,
    index::{self, Probe},
    value::{self, Head, Kept, Key},
};
use crate::limits;

/// What tells the database of one kind from that of another.
#[derive(Debug)]
pub struct Shape {
    /// Its file.
    pub file: &'static str,
    /// Its file while it is being made.
    pub part: &'static str,
    /// What this version writes. Another one is not read.
    pub format: &'static [u8],
    /// Bytes of memory that it may use for pages.
    pub cache: usize,
    /// Things whose index entries are in memory before they become a run.
    pub run: usize,
}

/// Calls.
pub const CALLS: Shape = Shape {
    file: "calls.redb",
    part: "calls.redb.part",
    format: b"callward calls 3",
    cache: limits::STORE_CACHE,
    run: limits::STORE_RUN,
};

const fn of(file: &'static str, part: &'static str, format: &'static [u8]) -> Shape {
    Shape { file, part, format, cache: limits::RECORDS_CACHE, run: limits::RECORDS_RUN }
}

const REGISTRATIONS: Shape = of("registrations.redb", "registrations.redb.part", b"callward registrations 1");
const SUBSCRIPTIONS: Shape = of("subscriptions.redb", "subscriptions.redb.part", b"callward subscriptions 1");
const EXCHANGES: Shape = of("exchanges.redb", "exchanges.redb.part", b"callward exchanges 1");
const STREAMS: Shape = of("streams.redb", "streams.redb.part", b"callward streams 1");

impl Shape {
    /// The shape of the database of a kind.
    #[must_use]
    pub fn of(kind: RecordKind) -> &'static Self {
        match kind {
            RecordKind::Registration => &REGISTRATIONS,
            RecordKind::Subscription => &SUBSCRIPTIONS,
            RecordKind::Exchange => &EXCHANGES,
            RecordKind::Stream => &STREAMS,
        }
    }
}

/// Something that the store keeps.
pub trait Stored {
    /// Its key: the time at which it begins, and what tells it from others.
    fn key(&self) -> Key;

    /// The few octets by which most searches decide.
    fn head(&self) -> Head;

    /// Its value; none when it is longer than any true one.
    fn encode(&self) -> Option<Cow<'_, [u8]>>;

    /// Adds all its entries of the index.
    fn entries(&self, all: &mut Entries);

    /// It is only known as what goes on, until its end comes.
    fn is_in_progress(&self) -> bool;

    /// It is a row that will be written again, although it is kept as what has ended is.
    fn goes_on(&self) -> bool {
        false
    }

    /// The row that ended when this one began.
    fn row_before(&self) -> Option<Key> {
        None
    }

    /// Says whether a value that is replaced was that of a row that was to be written again.
    fn went_on(_before: &[u8]) -> bool {
        false
    }

    /// Says whether a value that is replaced is found by the same entries.
    fn is_found_as(&self, _before: &[u8]) -> bool {
        false
    }
}

impl Stored for Kept {
    #[inline]
    fn key(&self) -> Key {
        self.summary.id.to_bytes()
    }

    #[inline]
    fn head(&self) -> Head {
        Head::of(&self.summary)
    }

    #[inline]
    fn encode(&self) -> Option<Cow<'_, [u8]>> {
        value::encode(self).map(Cow::Owned)
    }

    #[inline]
    fn entries(&self, all: &mut Entries) {
        self.parts().entries(all);
    }

    #[inline]
    fn is_in_progress(&self) -> bool {
        self.parts().is_in_progress()
    }
}

/// A value that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged;

/// What is searched for.
pub trait Wanted {
    /// What is found.
    type Row;

    /// From when on, and until before when.
    fn times(&self) -> (Option<Timestamp>, Option<Timestamp>);

    /// What to ask the index for.
    fn probes(&self) -> Vec<Probe>;

    /// Says whether something with this head may fit.
    fn may_fit(&self, head: Head) -> bool;

    /// An address that only the index knows.
    fn address(&self) -> Option<IpAddr>;

    /// The row of a value; none where it does not fit.
    ///
    /// # Errors
    /// When the value is damaged.
    fn row(&self, key: Key, value: &[u8]) -> Result<Option<Self::Row>, Damaged>;
}

impl Wanted for CallFilter {
    type Row = sniffer_core::query::CallSummary;

    fn times(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        (self.since, self.until)
    }

    fn probes(&self) -> Vec<Probe> {
        index::probes(self)
    }

    fn may_fit(&self, head: Head) -> bool {
        head.may_fit(self)
    }

    fn address(&self) -> Option<IpAddr> {
        self.address
    }

    fn row(&self, _: Key, value: &[u8]) -> Result<Option<Self::Row>, Damaged> {
        let (row, _) = value::row(value).ok_or(Damaged)?;
        Ok(Some(row.summary).filter(|summary| self.fits(summary)))
    }
}
