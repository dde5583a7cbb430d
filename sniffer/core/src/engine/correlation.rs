//! Which calls belong together: the legs on both sides of a back-to-back user agent, a call and its transfer. By a header
//! that both carry, by Replaces, by REFER, or by caller, callee and time through the same host. All legs of a group carry
//! the key of its first call.

mod lately;
mod matching;

use std::{collections::HashMap, hash::BuildHasher, net::IpAddr, time::Duration};

use foldhash::quality::FixedState;

use self::{
    lately::Lately,
    matching::{callees, callers, correlating_value, end_of, same_any, target_parts},
};
use super::{
    CallSerial,
    call::{Call, is_anonymous, seen::fingerprint},
};
use crate::{
    limits,
    query::CallKey,
    sip::{Header, Message},
    time::Timestamp,
};

/// How calls are found to belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correlation {
    /// Whether they are at all.
    pub is_on: bool,
    /// Headers that both legs carry, or that hold the other leg's Call-ID.
    pub headers: Vec<String>,
    /// Whether caller and callee, through the same host, are enough.
    pub by_number: bool,
    /// How long the next leg may take, by number.
    pub window: Duration,
    /// How long it may take when only the caller or only the callee is the same: a switch that rings another number.
    pub narrow_window: Duration,
    /// How long the call that a REFER asked for may take.
    pub refer_window: Duration,
}

impl Default for Correlation {
    fn default() -> Self {
        Self {
            is_on: true,
            headers: ["X-Call-ID", "X-CID", "P-Charging-Vector", "Session-ID"].map(str::to_owned).to_vec(),
            by_number: true,
            window: Duration::from_millis(3000),
            narrow_window: Duration::from_millis(500),
            refer_window: Duration::from_secs(32),
        }
    }
}

/// A call that others may belong to: its serial while it is tracked, and the key it has for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Its serial.
    pub serial: CallSerial,
    /// Its key.
    pub key: CallKey,
}

/// An INVITE on one hop.
#[derive(Clone, Copy, Debug)]
pub struct Hop {
    /// When.
    pub time: Timestamp,
    /// From where.
    pub source: crate::decode::Endpoint,
    /// To where.
    pub destination: crate::decode::Endpoint,
}

/// An INVITE that was seen, in few bytes: the host it went to is in the key it is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Recent {
    serial: CallSerial,
    /// Where it came from and went to.
    way: u32,
    port: u16,
    is_one_machine: bool,
}

impl Recent {
    fn new(serial: CallSerial, hop: &Hop) -> Self {
        Self {
            serial,
            way: fingerprint((hop.source, hop.destination)),
            port: hop.destination.port,
            is_one_machine: hop.source.address == hop.destination.address,
        }
    }

    /// Says whether the second INVITE leaves the host that this one went to, and is not just another call between the
    /// same two. On one machine only the ports tell hosts apart.
    fn is_passed_on(&self, time: Timestamp, second: &Hop) -> bool {
        self.way != fingerprint((second.source, second.destination))
            && second.time >= time
            && (!self.is_one_machine || self.port == second.source.port)
    }
}

/// Who calls whom, as hashes of what numbers that are the same have in common.
#[derive(Clone, Copy, Debug, Default)]
pub struct Numbers {
    caller: Option<u64>,
    callee: Option<u64>,
}

/// See the module's text.
#[derive(Debug)]
pub struct Correlator {
    settings: Correlation,
    /// The headers of the settings; those that have no number of their own are looked for by name.
    headers: Vec<(Header, String)>,
    hasher: FixedState,
    values: Lately<Leg>,
    /// INVITEs by the host they went to and the end of a number.
    hops: Lately<Recent>,
    referred: Lately<Leg>,
    groups: HashMap<CallKey, Vec<CallSerial>, FixedState>,
}

impl Correlator {
    /// Makes one that has seen nothing.
    pub fn new(settings: &Correlation, hash_seed: u64) -> Self {
        Self {
            settings: settings.clone(),
            headers: settings.headers.iter().map(|name| (Header::of(name.as_bytes()), name.clone())).collect(),
            hasher: FixedState::with_seed(hash_seed),
            values: Lately::new(limits::CORRELATION_VALUES),
            hops: Lately::new(limits::RECENT_LEGS),
            referred: Lately::new(limits::CORRELATION_VALUES),
            groups: HashMap::with_hasher(FixedState::with_seed(hash_seed)),
        }
    }

    /// Says whether calls are correlated.
    pub fn is_on(&self) -> bool {
        self.settings.is_on
    }

    /// The values of the configured headers that may name another leg.
    pub fn header_values<'a>(&self, message: &Message<'a>) -> impl Iterator<Item = &'a [u8]> {
        self.headers.iter().filter_map(|(header, name)| {
            let value = if *header == Header::Other { message.named(name)? } else { message.first(*header)? };
            correlating_value(name, value)
        })
    }

    /// A leg that carries this value of a header, and is tracked or was seen a moment ago; from here on this one carries it
    /// too. A number that comes again hours later is another call's.
    pub fn same_value(
        &mut self,
        value: &[u8],
        leg: Leg,
        time: Timestamp,
        is_tracked: impl Fn(CallSerial) -> bool,
    ) -> Option<Leg> {
        let hash = self.hasher.hash_one(value);
        let recent = back(time, limits::CORRELATION_VALUE_AGE);
        let others = || self.values.get(hash).filter(|(_, known)| known.serial != leg.serial);
        let there = others().find(|(_, known)| is_tracked(known.serial));
        let other = there.or_else(|| others().filter(|&(seen, _)| seen >= recent).last()).map(|(_, known)| *known);
        self.values.put(time, hash, leg, |known| known.serial == leg.serial);
        other
    }

    /// Takes note that a call was asked to be transferred to a target.
    pub fn refer(&mut self, target: &[u8], leg: Leg, time: Timestamp) {
        let hash = self.hasher.hash_one(target_parts(target));
        self.referred.put(time, hash, leg, |known| *known == leg);
    }

    /// The call that asked for a call to this target, the last one.
    pub fn referred_to(&mut self, target: &[u8], time: Timestamp) -> Option<Leg> {
        self.referred.forget_before(back(time, self.settings.refer_window));
        if self.referred.is_empty() {
            return None;
        }
        self.referred.get(self.hasher.hash_one(target_parts(target))).next().map(|(_, leg)| *leg)
    }

    /// Remembers an INVITE, so that the next leg finds it.
    pub fn remember(&mut self, numbers: Numbers, leg: Leg, hop: Hop) {
        if !self.settings.by_number {
            return;
        }
        self.hops.forget_before(back(hop.time, self.settings.window));
        for hash in self.number_keys(numbers, hop.destination.address) {
            let recent = Recent::new(leg.serial, &hop);
            self.hops.put(hop.time, hash, recent, |known| *known == recent);
        }
    }

    /// The leg before this one, by number and time. `find` gives the calls that are tracked.
    pub fn leg_before<'a>(
        &self,
        call: &Call,
        numbers: Numbers,
        leg: Leg,
        hop: Hop,
        find: impl Fn(CallSerial) -> Option<&'a Call>,
    ) -> Option<Leg> {
        if !self.settings.by_number {
            return None;
        }
        let mut best: Option<(Rank, Leg)> = None;
        for hash in self.number_keys(numbers, hop.source.address) {
            for (time, &known) in self.hops.get(hash) {
                if known.serial == leg.serial || !known.is_passed_on(time, &hop) {
                    continue;
                }
                let Some(before) = find(known.serial).filter(|before| !before.has_ended()) else { continue };
                let waited = hop.time.since(before.last_invite().max(time));
                let Some(rank) = self.rank(before, call, waited, time) else { continue };
                if best.is_none_or(|(other, _)| rank < other) {
                    best = Some((rank, Leg { serial: known.serial, key: before.key() }));
                }
            }
        }
        best.map(|(_, leg)| leg)
    }

    fn rank(&self, before: &Call, call: &Call, waited: Duration, time: Timestamp) -> Option<Rank> {
        let same_caller = same_any(callers(before), callers(call));
        let same_callee = same_any(callees(before), callees(call));
        let is_paired = before.group.is_some();
        let is_next = match (same_caller, same_callee) {
            (true, true) => waited <= self.settings.window,
            (true, false) | (false, true) => {
                waited <= self.settings.narrow_window && !is_paired && before.is_setting_up()
            }
            (false, false) => false,
        };
        is_next.then_some(Rank { is_half: !(same_caller && same_callee), is_paired, time, serial: before.serial })
    }

    /// Who calls whom, to be found by.
    pub fn numbers(&self, call: &Call) -> Numbers {
        if !self.settings.by_number {
            return Numbers::default();
        }
        let hash = |user: &[u8]| self.hasher.hash_one(&*end_of(user));
        let caller = callers(call).find(|user| !is_anonymous(std::str::from_utf8(user).ok()));
        Numbers { caller: caller.map(hash), callee: callees(call).next().map(hash) }
    }

    fn number_keys(&self, numbers: Numbers, host: IpAddr) -> impl Iterator<Item = u64> + use<> {
        let hash = |kind: u8, number: Option<u64>| Some(self.hasher.hash_one((kind, host, number?)));
        [hash(1, numbers.caller), hash(2, numbers.callee)].into_iter().flatten()
    }

    /// Puts two calls into one group. Gives the key of the group and its members that have to be told.
    pub fn join(&mut self, first: (Leg, CallKey), second: (Leg, CallKey)) -> (CallKey, Vec<CallSerial>) {
        let group = first.1.min(second.1);
        let mut members = Vec::new();
        for (leg, key) in [first, second] {
            let old = self.groups.remove(&key).unwrap_or_default();
            for serial in old.into_iter().chain([leg.serial]) {
                if !members.contains(&serial) && members.len() < limits::GROUP_LEGS {
                    members.push(serial);
                }
            }
        }
        self.groups.insert(group, members.clone());
        (group, members)
    }

    /// Forgets a member of a group.
    pub fn leave(&mut self, group: CallKey, serial: CallSerial) {
        if let Some(members) = self.groups.get_mut(&group) {
            members.retain(|member| *member != serial);
            if members.is_empty() {
                self.groups.remove(&group);
            }
        }
    }
}

/// Better is less: both numbers the same, not followed by another leg yet, and the one that waits longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    is_half: bool,
    is_paired: bool,
    time: Timestamp,
    serial: CallSerial,
}

fn back(time: Timestamp, duration: Duration) -> Timestamp {
    Timestamp::from_nanos(time.as_nanos().saturating_sub(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
}
