//! RTCP of calls and of streams without one, and how media is encrypted.

use super::{Media, Owned, Owner, PacketUse};
use crate::{
    decode::{Datagram, Endpoint},
    drops::{Reason, Taken},
    record::Encryption,
    rtcp::{self, Item, xr},
    rtp::stream::StreamKey,
    sdp::Security,
    time::Timestamp,
};

impl Media {
    /// Takes an RTCP datagram: it belongs to the call of the stream that it is about, and to those that expect media at
    /// one of its endpoints, or at the port below (RFC 3550, section 11): between two legs of a relay that are two, each of
    /// which knows its own streams; else to the streams without a call between them.
    ///
    /// # Errors
    /// Why it goes no further: nobody knows of what it speaks.
    pub fn rtcp(&mut self, now: Timestamp, datagram: &Datagram<'_>) -> Result<PacketUse, Reason> {
        self.now = now;
        let (to, from) = (datagram.destination, datagram.source);
        let way = (from.address, to.address);
        let mut stream = None;
        rtcp::walk(datagram.payload, |item| stream = stream.or_else(|| self.stream_of((from, to), item)))?;
        let owner = stream.and_then(|place| self.streams.peek(place)).map(|tracked| tracked.owner);
        let of_stream = match owner {
            Some(Owner::Call(Owned { call, .. })) => Some(call),
            Some(Owner::Nobody(_)) | None => None,
        };
        let [a, b, c, d] = [to, from, below(to), below(from)]
            .map(|place| self.calls.expectation(&place).map(|expectation| expectation.call));
        let mut calls = [of_stream, a, b, c, d];
        for at in 1..calls.len() {
            let (before, rest) = calls.split_at_mut(at);
            if let Some(one) = rest.first_mut().filter(|one| before.contains(one)) {
                *one = None;
            }
        }
        for call in calls.into_iter().flatten() {
            if let Some(media) = self.calls.get_mut(call) {
                let session = &mut media.rtcp;
                rtcp::walk(datagram.payload, |item| session.get_or_insert_default().on(now, way, item))?;
            }
            self.is_alive(call);
        }
        let call = calls.into_iter().flatten().next();
        if call.is_none() {
            owner.ok_or(Reason::NoSignalling)?;
            rtcp::walk(datagram.payload, |item| self.rtcp_of_stream(now, (from, to), item))?;
        }
        self.counters.rtcp_packets += 1;
        Ok(PacketUse { taken: Taken::Delivered, call, stream: None })
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

    /// Gives what RTCP says to the stream that it is about, where that has no call.
    fn rtcp_of_stream(&mut self, now: Timestamp, (from, to): (Endpoint, Endpoint), item: Item) {
        let Some(place) = self.stream_of((from, to), item) else { return };
        if let Some(tracked) = self.streams.peek_mut(place) {
            tracked.stream.rtcp_mut().on(now, (from.address, to.address), item);
        }
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
