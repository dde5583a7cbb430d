//! Finds the calls that a message links: see [`super::super::correlation`].

use super::Signalling;
use crate::{
    engine::{
        CallSerial,
        call::{
            At, refer_target, replaced,
            seen::{self, Sight},
        },
        correlation::{Hop, Leg},
    },
    record::Correlated,
    sip::{Header, Message, Method, StartLine, fields},
    slab::Id,
};

impl Signalling {
    /// Takes what a message of a call says about others.
    pub(super) fn link(&mut self, id: Id, message: &Message<'_>, at: &At, sight: Sight) {
        if !self.correlator.is_on() || matches!(sight, Sight::Copy | Sight::Retransmission) {
            return;
        }
        match message.start {
            StartLine::Request { method: Method::Invite, uri, .. } if message.to_tag.is_none() => {
                self.link_invite(id, uri, message, at, sight);
            }
            StartLine::Request { method: Method::Refer, .. } if sight == Sight::New => self.link_refer(id, message, at),
            StartLine::Request { .. } | StartLine::Response { .. } => {}
        }
    }

    fn link_invite(&mut self, id: Id, uri: &[u8], message: &Message<'_>, at: &At, sight: Sight) {
        let Some(leg) = self.leg(id) else { return };
        let hop = Hop { time: at.time, source: at.source, destination: at.destination };
        let replaced = message.first(Header::Replaces).map(|value| fields::unfolded(replaced(value)).into_owned());
        if let Some(other) = replaced.and_then(|call_id| self.leg_of(&call_id)) {
            self.join(leg, other, Correlated::Replaces);
        }
        let values: Vec<_> = self.correlator.header_values(message).collect();
        for value in values {
            let named = self.leg_of(value).filter(|other| other.serial != leg.serial);
            let Self { correlator, calls, .. } = self;
            let is_tracked = |serial: CallSerial| {
                calls.at(serial.place()).and_then(|id| calls.get(id)).is_some_and(|call| call.serial == serial)
            };
            let other = named.or_else(|| correlator.same_value(value, leg, at.time, is_tracked));
            if let Some(other) = other {
                self.join(leg, other, Correlated::Header);
            }
        }
        let referred = self.correlator.referred_to(uri, at.time);
        let referred = referred.or_else(|| self.correlator.referred_to(seen::uri(message.to), at.time));
        if let Some(other) = referred.filter(|other| other.serial != leg.serial) {
            self.join(leg, other, Correlated::Refer);
        }
        let Some(call) = self.calls.get(id) else { return };
        let numbers = self.correlator.numbers(call);
        if sight == Sight::New && call.group.is_none() {
            let before = self.correlator.leg_before(call, numbers, leg, hop, |serial| self.find(serial));
            if let Some(other) = before {
                self.join(leg, other, Correlated::Number);
            }
        }
        self.correlator.remember(numbers, leg, hop);
    }

    fn link_refer(&mut self, id: Id, message: &Message<'_>, at: &At) {
        let (Some(leg), Some(value)) = (self.leg(id), message.first(Header::ReferTo)) else { return };
        let (target, replaces) = refer_target(value);
        self.correlator.refer(target, leg, at.time);
        if let Some(other) = replaces.and_then(|call_id| self.leg_of(&call_id)) {
            self.join(leg, other, Correlated::Replaces);
        }
    }

    fn leg(&self, id: Id) -> Option<Leg> {
        self.calls.get(id).map(|call| Leg { serial: call.serial, key: call.key() })
    }

    fn leg_of(&self, call_id: &[u8]) -> Option<Leg> {
        self.leg(self.call_of(call_id)?)
    }

    fn join(&mut self, one: Leg, other: Leg, how: Correlated) {
        if one.serial == other.serial {
            return;
        }
        let group = |leg: Leg| {
            self.find(leg.serial).and_then(|call| call.group.as_deref()).map_or(leg.key, |(group, _)| *group)
        };
        let (first, second) = ((one, group(one)), (other, group(other)));
        if first.1 == second.1 {
            return;
        }
        let (group, members) = self.correlator.join(first, second);
        for serial in members {
            let is_one = serial == one.serial || serial == other.serial;
            if let Some(call) = self.find_mut(serial) {
                let known = call.group.as_deref().map(|(_, how)| *how);
                call.group = Some(Box::new((group, known.unwrap_or(how))));
            } else if is_one {
                self.correlator.leave(group, serial);
            }
        }
    }
}
