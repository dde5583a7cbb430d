//! What signalling says of media: where to expect it, and what has come already.

use std::net::IpAddr;

use super::{Expect, Expectation, Learnt, Media, Nobody, Output, Owned, Owner, Rank};
use crate::{decode::Endpoint, limits, record::Direction, sdp::Media as Announcement, time::Timestamp};

impl Media {
    /// Takes note of a place from which a side of a call sends. What it announces itself goes before.
    pub fn learn(&mut self, now: Timestamp, learnt: Learnt) {
        self.now = now;
        let Learnt { call, side, endpoint } = learnt;
        if self.expect_also(
            endpoint,
            Expectation { call, side, rank: Rank::Learnt, fax: false },
            limits::LEARNT_PER_CALL,
        ) {
            self.outputs.push_back(Output::Learnt(learnt));
        }
    }

    /// Expects the media that one side of a call announced, and adopts what has come already.
    pub fn expect(&mut self, now: Timestamp, expect: Expect) {
        self.now = now;
        let Expect { call, side, media, takes, behind } = expect;
        let (announced, fax) = (media.rtp, media.is_fax());
        let others = self.other_places(&media, behind);
        self.calls.announce(call, &media);
        if takes {
            let expectation = Expectation { call, side, rank: Rank::Announced, fax };
            self.take_endpoint(announced, expectation);
            self.adopt_pending(announced, expectation);
        }
        for (endpoint, rank) in others {
            self.expect_also(endpoint, Expectation { call, side, rank, fax }, limits::CANDIDATES_PER_CALL);
        }
        let (calls, streams) = (&self.calls, &mut self.streams);
        let Some(known) = calls.get(call) else { return };
        for (id, _) in known.streams() {
            if let Some(tracked) = streams.get_mut(id) {
                let destination = tracked.stream.key().destination;
                tracked.stream.resolve(|payload_type| known.timing(payload_type, destination));
            }
        }
    }

    /// Expects media at a place that nobody has, and that the call did not announce; at most `most` of them. What waits
    /// there is adopted.
    fn expect_also(&mut self, endpoint: Endpoint, expectation: Expectation, most: usize) -> bool {
        let expects = self.calls.expect_also(endpoint, expectation, most);
        if expects && expectation.rank != Rank::Rtcp {
            self.adopt_pending(endpoint, expectation);
        }
        expects
    }

    /// Where the media of an announcement may come or go besides the announced place: by ICE, under the other address of
    /// a host behind a NAT, be it set or seen; and its RTCP, where that is neither with the RTP nor at the next port.
    fn other_places(&self, media: &Announcement, behind: Option<IpAddr>) -> Vec<(Endpoint, Rank)> {
        let aliases = |endpoint: Endpoint| {
            self.settings.nat_aliases.iter().filter_map(move |&(one, other)| match endpoint.address {
                address if address == one => Some(Endpoint { address: other, ..endpoint }),
                address if address == other => Some(Endpoint { address: one, ..endpoint }),
                _ => None,
            })
        };
        let candidates = media.endpoints(1).filter(|&endpoint| endpoint != media.rtp);
        let seen = behind.map(|address| Endpoint { address, ..media.rtp });
        let of_rtp = candidates.chain(media.endpoints(1).flat_map(aliases)).chain(seen);
        let of_rtp = of_rtp.map(|place| (place, Rank::Candidate));
        let next = Endpoint { port: media.rtp.port.saturating_add(1), ..media.rtp };
        let of_rtcp = media.endpoints(2).filter(|&place| place != media.rtp && place != next);
        of_rtp.chain(of_rtcp.map(|place| (place, Rank::Rtcp))).collect()
    }

    /// Gives an endpoint to a call. The same addresses with the same SSRC in the next call are another stream.
    fn take_endpoint(&mut self, endpoint: Endpoint, expectation: Expectation) {
        let Some(old) = self.calls.take_endpoint(endpoint, expectation) else { return };
        if old.rank != Rank::Announced || old.call == expectation.call {
            return;
        }
        // Where it was sent from says no more of the old call either.
        self.calls.forget_learnt(old.call);
        let Some(owner) = self.calls.get(old.call) else { return };
        for (id, _) in owner.streams() {
            if let Some(key) = self.streams.get(id).map(|one| one.stream.key())
                && (key.source == endpoint || key.destination == endpoint)
            {
                self.flows.remove(&key, id.place());
            }
        }
    }

    /// Gives what waits at an endpoint, or was taken for a stream without a call, to a call: what goes there, and, unless
    /// the place is only learnt, what comes from there.
    fn adopt_pending(&mut self, endpoint: Endpoint, expectation: Expectation) {
        let Expectation { call: serial, side, rank, .. } = expectation;
        for id in self.pending.at(endpoint) {
            let Some(call) = self.calls.get_mut(serial).filter(|call| !call.is_full()) else { return };
            let Some(tracked) = self.streams.get_mut(id) else { continue };
            let was_waiting = match tracked.owner {
                Owner::Call(_) => continue,
                Owner::Nobody(Nobody::Yet) => true,
                Owner::Nobody(Nobody::Ever) => false,
            };
            let key = tracked.stream.key();
            if rank == Rank::Learnt && key.destination != endpoint {
                continue;
            }
            let direction: Direction = if key.destination == endpoint { side.receives() } else { side.sends() };
            let last = tracked.stream.last.second();
            tracked.owner = Owner::Call(Owned { call: serial, report_at: last.after(limits::ACTIVE_REPORT) });
            call.add(id, direction);
            if let Some(rtcp) = tracked.stream.take_rtcp() {
                call.rtcp.get_or_insert_default().merge(&rtcp);
            }
            let (stream, packets) = (tracked.serial, tracked.stream.packets());
            self.outputs.push_back(Output::Adopted { stream, call: serial });
            self.outputs.push_back(Output::Active { call: serial, last });
            if was_waiting {
                self.counters.streams += 1;
                self.deliver_waiting(packets);
                self.pending.settle(&key);
            }
            self.pending.unlist(id, &key);
        }
    }
}
