//! RTCP of calls and of streams without one, and how media is encrypted.

use super::{Media, Output, Owned, Owner, PacketUse};
use crate::{
    decode::{Datagram, Endpoint},
    drops::{Reason, Taken},
    engine::{CallSerial, StrayRtcp},
    limits,
    record::Encryption,
    rtcp::{self, Item, xr},
    rtp::stream::StreamKey,
    sdp::Security,
    time::Timestamp,
};

impl Media {
    /// Takes an RTCP datagram: it belongs to those calls that expect media at one of its endpoints, or at the port below
    /// (RFC 3550, section 11): between two legs of a relay that are two, each of which knows its own streams. Where nobody
    /// does, it belongs to the stream that it is about, which another worker may have. So whose it is does not depend on
    /// how flows are dealt out: what calls expect all workers know.
    ///
    /// # Errors
    /// Why it goes no further: nobody knows of what it speaks.
    pub fn rtcp(&mut self, now: Timestamp, datagram: &Datagram<'_>) -> Result<PacketUse, Reason> {
        self.now = now;
        let (to, from) = (datagram.destination, datagram.source);
        let mut calls = [to, from, below(to), below(from)]
            .map(|place| self.calls.expectation(&place).map(|expectation| expectation.call));
        for at in 1..calls.len() {
            let (before, rest) = calls.split_at_mut(at);
            if let Some(one) = rest.first_mut().filter(|one| before.contains(one)) {
                *one = None;
            }
        }
        let mut call = calls.into_iter().flatten().next();
        if call.is_some() {
            for call in calls.into_iter().flatten() {
                self.rtcp_of_call(now, call, (from, to), datagram.payload)?;
            }
        } else {
            let Some(owner) = self.rtcp_of_stream(now, (from, to), datagram.payload)? else {
                return self.stray(now, datagram);
            };
            call = match owner {
                Owner::Call(Owned { call, .. }) => Some(call),
                Owner::Nobody(_) => None,
            };
        }
        self.counters.rtcp_packets += 1;
        Ok(PacketUse { taken: Taken::Delivered, call, stream: None, place: 0 })
    }

    fn rtcp_of_call(
        &mut self,
        now: Timestamp,
        call: CallSerial,
        (from, to): (Endpoint, Endpoint),
        bytes: &[u8],
    ) -> Result<(), Reason> {
        if let Some(media) = self.calls.get_mut(call) {
            let session = &mut media.rtcp;
            let way = (from.address, to.address);
            rtcp::walk(bytes, |item| session.get_or_insert_default().on(now, way, item))?;
        }
        self.is_alive(call);
        Ok(())
    }

    /// Gives RTCP to the stream that it is about, or to its call, and says who has that; none when there is no such stream.
    fn rtcp_of_stream(
        &mut self,
        now: Timestamp,
        (from, to): (Endpoint, Endpoint),
        bytes: &[u8],
    ) -> Result<Option<Owner>, Reason> {
        let mut stream = None;
        rtcp::walk(bytes, |item| stream = stream.or_else(|| self.stream_of((from, to), item)))?;
        let known = stream.and_then(|place| self.streams.peek(place)).filter(|known| known.stream.first <= now);
        let Some(owner) = known.map(|known| known.owner) else { return Ok(None) };
        match owner {
            Owner::Call(Owned { call, .. }) => self.rtcp_of_call(now, call, (from, to), bytes)?,
            Owner::Nobody(_) => {
                rtcp::walk(bytes, |item| {
                    if let Some(tracked) = self.stream_of((from, to), item).and_then(|at| self.streams.peek_mut(at)) {
                        tracked.stream.rtcp_mut().on(now, (from.address, to.address), item);
                    }
                })?;
            }
        }
        Ok(Some(owner))
    }

    /// Lets the others be asked about RTCP that nobody knows here.
    fn stray(&mut self, now: Timestamp, datagram: &Datagram<'_>) -> Result<PacketUse, Reason> {
        if !self.has_others {
            return Err(Reason::NoSignalling);
        }
        if self.strays >= limits::STRAY_RTCP {
            return Err(Reason::PendingFull);
        }
        let Datagram { source, destination, payload, .. } = *datagram;
        self.strays += 1;
        self.outputs.push_back(Output::Rtcp(Box::new(StrayRtcp {
            time: now,
            source,
            destination,
            bytes: payload.into(),
        })));
        Ok(PacketUse { taken: Taken::Waiting, call: None, stream: None, place: 0 })
    }

    /// Takes RTCP that another worker knew nothing of; false when this one does not either.
    pub fn take_stray(&mut self, rtcp: &StrayRtcp) -> bool {
        let ends = (rtcp.source, rtcp.destination);
        let is_known = matches!(self.rtcp_of_stream(rtcp.time, ends, &rtcp.bytes), Ok(Some(_)));
        if is_known {
            self.counters.rtcp_packets += 1;
            self.tally.delivered += 1;
        }
        is_known
    }

    /// The stream that RTCP speaks of: it flows the way of a sender's own words, and against that of a receiver's.
    fn stream_of(&self, (from, to): (Endpoint, Endpoint), item: Item) -> Option<u32> {
        let (ssrc, with_the_packet) = match item {
            Item::Sender(report) => (report.ssrc, true),
            Item::Bye { ssrc } | Item::Encrypted { ssrc } => (ssrc, true),
            Item::Report(block) => (block.ssrc, false),
            Item::Extended(xr::Block::Voip { ssrc, .. }) => (ssrc, false),
            Item::Extended(_) | Item::Description { .. } => return None,
        };
        let (source, destination) = if with_the_packet { (from, to) } else { (to, from) };
        let keys = [(source, destination), (below(source), below(destination))]
            .map(|(source, destination)| StreamKey { source, destination, ssrc });
        keys.iter().find_map(|key| self.place(key))
    }

    /// Takes note of a key exchange between two endpoints: media there is encrypted from then on.
    pub fn keys(&mut self, datagram: &Datagram<'_>, encryption: Encryption) {
        for endpoint in [datagram.destination, datagram.source] {
            let call = self.calls.expectation(&endpoint).map(|one| one.call);
            if let Some(media) = call.and_then(|call| self.calls.get_mut(call)) {
                media.encrypt(&endpoint, encryption);
            }
        }
    }
}

/// What SDP says of encryption.
pub(super) fn encryption(security: Security) -> Option<Encryption> {
    match security {
        Security::None => None,
        Security::Sdes => Some(Encryption::Sdes),
        Security::Dtls => Some(Encryption::Dtls),
        Security::Zrtp => Some(Encryption::Zrtp),
        Security::Other => Some(Encryption::Srtp),
    }
}

fn below(endpoint: Endpoint) -> Endpoint {
    Endpoint { port: endpoint.port.saturating_sub(1), ..endpoint }
}
