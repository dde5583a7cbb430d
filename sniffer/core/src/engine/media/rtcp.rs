//! RTCP of calls and of streams without one, and how media is encrypted.

use super::{Media, PacketUse};
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
    /// Takes an RTCP datagram: it belongs to the call that expects media at one of its endpoints, or at the port below
    /// (RFC 3550, section 11), else to the streams without a call between them.
    ///
    /// # Errors
    /// Why it goes no further.
    pub fn rtcp(&mut self, now: Timestamp, datagram: &Datagram<'_>) -> Result<PacketUse, Reason> {
        self.now = now;
        let (to, from) = (datagram.destination, datagram.source);
        let way = (from.address, to.address);
        let places = [to, from, below(to), below(from)];
        let call = places.iter().find_map(|place| self.calls.expectation(place)).map(|one| one.call);
        if let Some(media) = call.and_then(|call| self.calls.get_mut(call)) {
            let session = &mut media.rtcp;
            rtcp::walk(datagram.payload, |item| session.get_or_insert_default().on(now, way, item))?;
        } else {
            rtcp::walk(datagram.payload, |item| self.rtcp_of_stream(now, (from, to), item))?;
        }
        self.counters.rtcp_packets += 1;
        Ok(PacketUse { taken: Taken::Delivered, call, stream: None })
    }

    /// Gives what RTCP says to the stream that it is about, where that has no call: it flows the way of a sender's own
    /// words, and against that of a receiver's.
    fn rtcp_of_stream(&mut self, now: Timestamp, (from, to): (Endpoint, Endpoint), item: Item) {
        let (ssrc, with_the_packet) = match item {
            Item::Sender(report) => (report.ssrc, true),
            Item::Bye { ssrc } | Item::Encrypted { ssrc } => (ssrc, true),
            Item::Report(block) => (block.ssrc, false),
            Item::Extended(xr::Block::Voip { ssrc, .. }) => (ssrc, false),
            Item::Extended(_) | Item::Description { .. } => return,
        };
        let (source, destination) = if with_the_packet { (from, to) } else { (to, from) };
        let keys = [(source, destination), (below(source), below(destination))]
            .map(|(source, destination)| StreamKey { source, destination, ssrc });
        let Some(place) = keys.iter().find_map(|key| self.place(key)) else { return };
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
