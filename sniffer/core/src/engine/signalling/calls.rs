//! Calls: their messages, their media endpoints and their timers.

use std::{hash::BuildHasher, net::IpAddr};

use super::{Action, Signalling, closed, timers::Timer};
use crate::{
    decode::Endpoint,
    engine::{
        CallSerial, Expect, Side,
        call::{At, Call, seen::Sight},
    },
    limits,
    record::CallState,
    sdp,
    sip::{Message, Method},
    slab::Id,
    time::Timestamp,
};

fn wide(bytes: u32) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Says whether there is a NAT between the place that a message announces and the one where it was seen: one of the two
/// addresses is private (RFC 1918, RFC 6598, RFC 4193) and the other is not. So it is with a phone behind a router, and with
/// a server that announces its public address and is captured at its own.
fn is_translated(announced: IpAddr, seen: IpAddr) -> bool {
    let is_private = |address| match address {
        IpAddr::V4(address) => address.is_private() || (address.to_bits() & 0xffc0_0000) == 0x6440_0000,
        IpAddr::V6(address) => address.is_unique_local(),
    };
    announced.is_ipv4() == seen.is_ipv4() && is_private(announced) != is_private(seen) && !announced.is_unspecified()
}

impl Signalling {
    /// Takes a message of a call; none when it belongs to none.
    pub(super) fn call_message(&mut self, message: &Message<'_>, at: &At) -> Option<CallSerial> {
        let mut id = self.call_of(message.call_id);
        if let Some(old) = id
            && self.calls.get(old).is_some_and(|call| call.is_reused_by(message, at.time, &self.settings.timeouts))
        {
            self.remove_call(old);
            id = None;
        }
        let id = match id {
            Some(id) => id,
            // Only an INVITE or an answer to one begins a call: the rest of a call that began before the capture is
            // counted and nothing else.
            None if message.method() == Method::Invite => self.begin_call(message, at)?,
            None => return None,
        };
        let call = self.calls.get_mut(id)?;
        let noted = call.on(message, at);
        self.call_order.look(id, call);
        let (serial, author) = (call.serial, call.author(message));
        self.counters.methods.count(message, noted);
        // What a refusal describes is what its sender could do (RFC 3261, section 21.4.26): no media goes there.
        let is_refusal = message.status().is_some_and(|status| status >= 300);
        let body = if noted.sight == Sight::Copy || is_refusal { None } else { message.sdp() };
        let mut media = body.map(|body| sdp::describe(body).media).unwrap_or_default();
        if noted.sight == Sight::New {
            call.described(message, &media, author, at.time);
        }
        if media.is_empty() && sdp::is_ice_fragment(message.content_type) {
            media = sdp::describe(message.body).media;
        }
        for one in &mut media {
            one.place(at.source.address);
        }
        self.link(id, message, at, noted.sight);
        self.announce(id, author, sdp::announced(media), at);
        self.schedule_call(id);
        self.charge(id);
        Some(serial)
    }

    /// Counts what a call takes; where all calls take too much, the oldest go.
    fn charge(&mut self, id: Id) {
        let Some(call) = self.calls.get_mut(id) else { return };
        let now = call.heap_bytes();
        let before = std::mem::replace(&mut call.charged, now);
        self.call_bytes = self.call_bytes.saturating_sub(wide(before)).saturating_add(wide(now));
        let most = self.settings.tables.calls.saturating_mul(limits::CALL_HEAP_BYTES);
        while self.call_bytes > most && self.evict_call().is_some() {}
    }

    /// Takes the call out before its time that goes first; none when there is none.
    fn evict_call(&mut self) -> Option<()> {
        let id = self.call_order.next(&mut self.calls)?;
        self.counters.evicted_calls += 1;
        if let Some(call) = self.calls.get_mut(id) {
            call.evict();
        }
        self.remove_call(id);
        Some(())
    }

    fn begin_call(&mut self, message: &Message<'_>, at: &At) -> Option<Id> {
        while self.calls.is_full() {
            self.evict_call()?;
        }
        // The serial holds the place, which is known once the call has one.
        let id = self.calls.insert(Call::new(CallSerial::new(0, 0), message, at))?;
        self.begun += 1;
        if let Some(call) = self.calls.get_mut(id) {
            call.serial = CallSerial::new(self.begun, id.place());
        }
        self.call_ids.insert(self.hasher.hash_one(message.call_id), id.place());
        self.call_order.begin(id, &self.calls, self.settings.tables.calls);
        self.counters.calls += 1;
        Some(id)
    }

    /// The call with a Call-ID.
    pub(super) fn call_of(&self, call_id: &[u8]) -> Option<Id> {
        let is_it = |place| self.calls.peek(place).is_some_and(|call| *call.call_id == *call_id);
        self.calls.at(self.call_ids.find(self.hasher.hash_one(call_id), is_it)?)
    }

    /// Tells media what one side of a call announced.
    fn announce(&mut self, id: Id, side: Side, announced: Vec<sdp::Media>, at: &At) {
        for media in announced {
            let Some(call) = self.calls.get_mut(id) else { return };
            let serial = call.serial;
            if !call.announce(media.rtp, media.codecs.len()) {
                continue;
            }
            let takes = self.take_endpoint(media.rtp, serial);
            let behind = Some(at.source.address).filter(|&seen| takes && is_translated(media.rtp.address, seen));
            self.actions.push_back(Action::Expect(Expect { call: serial, side, media, takes, behind }));
        }
    }

    /// Gives an endpoint to a call unless another that is alive has it: with a back-to-back user agent two calls announce
    /// the same endpoints, and the streams stay together in the first. False when the other keeps it.
    fn take_endpoint(&mut self, endpoint: Endpoint, serial: CallSerial) -> bool {
        let hash = self.hasher.hash_one(endpoint);
        let is_its = |place| self.calls.peek(place).is_some_and(|call| call.owns(&endpoint));
        if let Some(place) = self.endpoints.find(hash, is_its)
            && let Some(owner) = self.calls.peek(place)
        {
            // A call whose media flowed and has ceased is over although its BYE was not seen, when another announces its
            // place. Media of legs that announce the same is on its way, or has not begun.
            let has_talked = owner.state() == CallState::InCall && owner.last_media > Timestamp::default();
            let idle = self.settings.timeouts.endpoint_idle;
            let idle = if has_talked { idle.min(limits::ENDPOINT_CEASED) } else { idle };
            let is_alive = || owner.last_seen().after(idle) > self.now;
            if owner.serial != serial && !owner.has_ended() && is_alive() {
                return false;
            }
            self.endpoints.remove(hash, place);
            if let Some(owner) = self.calls.peek_mut(place) {
                owner.own(&endpoint, false);
            }
        }
        if let Some(call) = self.find_mut(serial) {
            call.own(&endpoint, true);
        }
        self.endpoints.insert(hash, serial.place());
        true
    }

    /// The call with a serial.
    pub(super) fn find(&self, serial: CallSerial) -> Option<&Call> {
        self.calls.get(self.calls.at(serial.place())?).filter(|call| call.serial == serial)
    }

    pub(super) fn find_mut(&mut self, serial: CallSerial) -> Option<&mut Call> {
        self.calls.get_mut(self.calls.at(serial.place())?).filter(|call| call.serial == serial)
    }

    /// Takes note that media of a call flowed in this second.
    pub fn active(&mut self, serial: CallSerial, last: Timestamp) {
        if let Some(call) = self.find_mut(serial) {
            call.last_media = call.last_media.max(last);
        }
    }

    /// Takes note that packets of a call were lost on the way to a sink.
    pub fn lost_of(&mut self, serial: CallSerial, packets: u64) {
        if let Some(call) = self.find_mut(serial) {
            call.refused = call.refused.saturating_add(u32::try_from(packets).unwrap_or(u32::MAX));
        }
    }

    /// Sets the call's timer where it has none, or a later one than it needs. At most one timer of a call counts; one
    /// that was overtaken is passed over when it comes.
    fn schedule_call(&mut self, id: Id) {
        let Some(call) = self.calls.get_mut(id) else { return };
        let deadline = call.deadline(&self.settings.timeouts);
        if call.timer.is_none_or(|timer| deadline < timer) {
            call.timer = Some(deadline);
            self.set_timer(deadline, Timer::Call(id));
        }
    }

    pub(super) fn call_timer(&mut self, id: Id, time: Timestamp) {
        let now = self.now;
        let Some(call) = self.calls.get_mut(id) else { return };
        if call.timer != Some(time) {
            return;
        }
        call.timer = None;
        if call.deadline(&self.settings.timeouts) > now {
            self.schedule_call(id);
            return;
        }
        call.time_out(now, &self.settings.timeouts);
        self.remove_call(id);
    }

    /// Takes a call out of all tables and reports it.
    pub(super) fn remove_call(&mut self, id: Id) {
        let Some(call) = self.calls.remove(id) else { return };
        self.call_bytes = self.call_bytes.saturating_sub(wide(call.charged));
        self.call_ids.remove(self.hasher.hash_one(&*call.call_id), id.place());
        for endpoint in call.owned() {
            self.endpoints.remove(self.hasher.hash_one(endpoint), id.place());
        }
        if let Some((group, _)) = call.group.as_deref() {
            self.correlator.leave(*group, call.serial);
        }
        self.actions.push_back(Action::Ended(Box::new(closed(&call, self.correlator.is_on()))));
    }
}
