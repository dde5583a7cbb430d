//! What media knows of a call: the places where its media is expected, what payload types mean there, and its streams.

mod coding;

use std::net::{IpAddr, Ipv4Addr};

use foldhash::quality::FixedState;

use self::coding::{Codings, Lately, added, heap_bytes};
use crate::{
    codec,
    decode::Endpoint,
    engine::{CallSerial, Side},
    few::Few,
    index::Index,
    limits,
    record::{Direction, Encryption},
    rtcp::session::Session,
    rtp::stream::Timing,
    sdp::{Kind, Media as Announcement},
    slab::{Id, Places},
    time::Timestamp,
};

/// How sure it is that media at an endpoint belongs to a call. Whoever announces an endpoint takes it from who did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    /// Where SDP says that media goes.
    Announced,
    /// Where SDP says that it may go (ICE), or the other address of the same host (NAT).
    Candidate,
    /// Where somebody sends from. It says nothing of where else that port sends: one port of a test machine may talk to
    /// many calls.
    Learnt,
    /// RTCP alone.
    Rtcp,
}

/// Whom media to or from an endpoint belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expectation {
    pub(super) call: CallSerial,
    pub(super) side: Side,
    pub(super) rank: Rank,
    /// It is announced for fax.
    pub(super) fax: bool,
}

/// Why media at a place is expected for a call, as long as it is.
#[derive(Clone, Copy, Debug)]
struct Claim {
    side: Side,
    rank: Rank,
    fax: bool,
}

/// A place where one side of a call said it wants media.
#[derive(Debug)]
struct Announced {
    rtp: Endpoint,
    /// What it is for; none where media of several kinds share it.
    kind: Option<Kind>,
    encryption: Option<Encryption>,
    /// None when another call has the place.
    claim: Option<Claim>,
    codings: Option<Codings>,
}

/// A place that is expected for a call without being announced.
#[derive(Debug)]
struct Other {
    endpoint: Endpoint,
    claim: Option<Claim>,
}

/// What media knows of a call.
#[derive(Debug)]
pub(super) struct CallMedia {
    serial: CallSerial,
    announced: Box<[Announced]>,
    #[expect(clippy::box_collection, reason = "most calls have none, and a pointer is a third of a Vec")]
    others: Option<Box<Vec<Other>>>,
    /// One each way, seldom more.
    streams: Few<(Id, Direction), 2>,
    pub(super) refused: u32,
    /// When signalling last heard that it lives without RTP.
    pub(super) alive: Timestamp,
    pub(super) rtcp: Option<Box<Session>>,
}

/// The calls, and which of them has which endpoint.
#[derive(Debug)]
pub(super) struct Calls {
    calls: Places<CallMedia>,
    /// The place of the call that has an endpoint.
    expected: Index,
    hasher: FixedState,
    lately: Lately,
}

impl Calls {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            calls: Places::default(),
            expected: Index::default(),
            hasher: FixedState::with_seed(seed),
            lately: Lately::default(),
        }
    }

    pub(super) fn get(&self, call: CallSerial) -> Option<&CallMedia> {
        self.calls.get(call.place()).filter(|known| known.serial == call)
    }

    pub(super) fn get_mut(&mut self, call: CallSerial) -> Option<&mut CallMedia> {
        self.calls.get_mut(call.place()).filter(|known| known.serial == call)
    }

    /// How many calls there are, and how many endpoints they have.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.calls.len(), self.expected.len())
    }

    /// Whom media at an endpoint belongs to. What a NAT64 with the well-known prefix (RFC 6052, section 2.1) shows to its
    /// IPv6 side was announced as IPv4.
    pub(super) fn expectation(&self, endpoint: &Endpoint) -> Option<Expectation> {
        self.exact_expectation(endpoint).or_else(|| match endpoint.address {
            IpAddr::V6(address) if address.segments().starts_with(&[0x64, 0xff9b, 0, 0, 0, 0]) => {
                let [.., high, low] = address.segments();
                let embedded = Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low));
                self.exact_expectation(&Endpoint { address: embedded.into(), ..*endpoint })
            }
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        })
    }

    fn exact_expectation(&self, endpoint: &Endpoint) -> Option<Expectation> {
        let claim =
            |place| self.calls.get(place).and_then(|call| call.claim(endpoint).map(|claim| (call.serial, claim)));
        let place = self.expected.find(self.hash(endpoint), |place| claim(place).is_some())?;
        claim(place).map(|(call, Claim { side, rank, fax })| Expectation { call, side, rank, fax })
    }

    fn hash(&self, endpoint: &Endpoint) -> u64 {
        std::hash::BuildHasher::hash_one(&self.hasher, endpoint)
    }

    /// Keeps a place announced for media; signalling bounds how many there are.
    pub(super) fn announce(&mut self, call: CallSerial, media: &Announcement) {
        if self.get(call).is_none() {
            self.calls.put(call.place(), CallMedia::new(call));
        }
        let encryption = super::rtcp::encryption(media.security);
        let Some(known) = self.calls.get_mut(call.place()) else { return };
        let others = known.announced.iter().filter(|one| one.rtp != media.rtp).filter_map(|one| one.codings.as_deref());
        let others = others.map(heap_bytes).fold(0, usize::saturating_add);
        let before = known.announced.iter_mut().find(|one| one.rtp == media.rtp);
        let mut codings = before.as_ref().and_then(|one| one.codings.clone());
        let wanted = added(codings.as_deref().unwrap_or_default(), &media.codecs, media.kind);
        if heap_bytes(&wanted).saturating_add(others) <= limits::CALL_CODING_BYTES {
            codings = self.lately.share(wanted);
        } else {
            known.refused = known.refused.saturating_add(1);
        }
        if let Some(before) = before {
            before.codings = codings;
            before.encryption = encryption.or(before.encryption);
            // A fax begins as a voice call: what a place is for later does not change what its streams were.
            before.kind = before.kind.filter(|&kind| kind == media.kind || media.is_fax());
            return;
        }
        // Two sides, seldom more: room for exactly what is there.
        let mut all = std::mem::take(&mut known.announced).into_vec();
        all.reserve_exact(1);
        all.push(Announced { rtp: media.rtp, kind: Some(media.kind), encryption, claim: None, codings });
        known.announced = all.into_boxed_slice();
    }

    /// Gives an announced endpoint to a call; who had it before is given back.
    pub(super) fn take_endpoint(&mut self, endpoint: Endpoint, wanted: Expectation) -> Option<Expectation> {
        let old = self.give_up(&endpoint);
        if let Some(place) = self.get_mut(wanted.call).and_then(|call| call.announced_mut(&endpoint)) {
            place.claim = Some(wanted.claim());
            self.expected.insert(self.hash(&endpoint), wanted.call.place());
        }
        old
    }

    /// Expects media of a call at a place that nobody has, and that the call did not announce; at most `most` of them.
    pub(super) fn expect_also(&mut self, endpoint: Endpoint, wanted: Expectation, most: usize) -> bool {
        if self.exact_expectation(&endpoint).is_some() {
            return false;
        }
        let Some(call) = self.get_mut(wanted.call) else { return false };
        if call.others.as_ref().map_or(0, |others| others.len()) >= most {
            return false;
        }
        let others = call.others.get_or_insert_default();
        others.reserve_exact(1);
        others.push(Other { endpoint, claim: Some(wanted.claim()) });
        self.expected.insert(self.hash(&endpoint), wanted.call.place());
        true
    }

    /// Lets nobody have an endpoint; who had it is given back.
    fn give_up(&mut self, endpoint: &Endpoint) -> Option<Expectation> {
        let old = self.exact_expectation(endpoint)?;
        if let Some(claim) = self.get_mut(old.call).and_then(|call| call.claim_mut(endpoint)) {
            *claim = None;
        }
        self.expected.remove(self.hash(endpoint), old.call.place());
        Some(old)
    }

    /// Expects nothing of a call any more at places that it only was seen to send from.
    pub(super) fn forget_learnt(&mut self, call: CallSerial) {
        let Some(known) = self.get_mut(call) else { return };
        let mut learnt = Vec::new();
        for other in known.others.iter_mut().flat_map(|others| others.iter_mut()) {
            if other.claim.take_if(|claim| claim.rank == Rank::Learnt).is_some() {
                learnt.push(other.endpoint);
            }
        }
        for endpoint in learnt {
            self.expected.remove(self.hash(&endpoint), call.place());
        }
    }

    /// Takes a call out, and says which streams it had.
    pub(super) fn remove(&mut self, call: CallSerial) -> Option<CallMedia> {
        self.get(call)?;
        let known = self.calls.take(call.place())?;
        for (endpoint, _) in known.claims() {
            self.expected.remove(self.hash(endpoint), call.place());
        }
        Some(known)
    }
}

impl Expectation {
    fn claim(self) -> Claim {
        let Self { side, rank, fax, .. } = self;
        Claim { side, rank, fax }
    }
}

impl CallMedia {
    fn new(serial: CallSerial) -> Self {
        Self {
            serial,
            announced: Box::default(),
            others: None,
            streams: Few::default(),
            refused: 0,
            alive: Timestamp::default(),
            rtcp: None,
        }
    }

    /// The endpoints that are expected for this call.
    fn claims(&self) -> impl Iterator<Item = (&Endpoint, &Claim)> {
        let announced = self.announced.iter().filter_map(|one| Some((&one.rtp, one.claim.as_ref()?)));
        let others = self.others.iter().flat_map(|others| others.iter());
        announced.chain(others.filter_map(|one| Some((&one.endpoint, one.claim.as_ref()?))))
    }

    fn claim(&self, endpoint: &Endpoint) -> Option<Claim> {
        self.claims().find(|(place, _)| *place == endpoint).map(|(_, claim)| *claim)
    }

    fn claim_mut(&mut self, endpoint: &Endpoint) -> Option<&mut Option<Claim>> {
        let announced = self.announced.iter_mut().map(|one| (one.rtp, &mut one.claim));
        let others = self.others.iter_mut().flat_map(|others| others.iter_mut());
        let mut all = announced.chain(others.map(|one| (one.endpoint, &mut one.claim)));
        all.find(|(place, claim)| place == endpoint && claim.is_some()).map(|(_, claim)| claim)
    }

    fn announced_mut(&mut self, endpoint: &Endpoint) -> Option<&mut Announced> {
        self.announced.iter_mut().find(|one| one.rtp == *endpoint)
    }

    /// Says whether a side of it announced an endpoint, whoever has it.
    pub(super) fn announces(&self, endpoint: &Endpoint) -> bool {
        self.announced.iter().any(|one| one.rtp == *endpoint)
    }

    /// Its streams in the order in which they came.
    pub(super) fn streams(&self) -> impl Iterator<Item = (Id, Direction)> {
        self.streams.iter().copied()
    }

    /// Adds a stream; false when it has too many.
    pub(super) fn add(&mut self, stream: Id, direction: Direction) -> bool {
        if self.is_full() {
            return false;
        }
        self.streams.push((stream, direction));
        true
    }

    /// Says whether no stream has room.
    pub(super) fn is_full(&self) -> bool {
        self.streams.len() >= limits::STREAMS_PER_CALL
    }

    /// Takes note that media at a place is encrypted.
    pub(super) fn encrypt(&mut self, endpoint: &Endpoint, encryption: Encryption) {
        if let Some(place) = self.announced_mut(endpoint) {
            place.encryption = Some(encryption);
        }
    }

    /// How a stream is encrypted: as its receiver wants it, else as its sender does.
    pub(super) fn encryption(&self, source: Endpoint, destination: Endpoint) -> Option<Encryption> {
        let at = |endpoint| self.announced.iter().find(|one| one.rtp == endpoint).and_then(|one| one.encryption);
        at(destination).or_else(|| at(source))
    }

    /// What a payload type means in a stream: by the SDP of the side that receives it, else of either side, else by
    /// RFC 3551.
    pub(super) fn codec(&self, payload_type: u8, destination: Endpoint) -> Option<(&str, u32)> {
        let receiver = self.announced.iter().filter(|announced| announced.rtp == destination);
        let mut codings = receiver.chain(&self.announced).filter_map(|one| one.codings.as_deref()).flatten();
        codings
            .find(|coding| coding.payload_type == payload_type)
            .map(|coding| (coding.name.as_str(), coding.clock_rate))
            .or_else(|| codec::static_type(payload_type))
    }

    /// How a payload type is timed in a stream. What is no sound has no jitter buffer, whatever its name.
    pub(super) fn timing(&self, payload_type: u8, destination: Endpoint) -> Option<Timing> {
        let timing = Timing::of(self.codec(payload_type, destination)?);
        let is_sound = self.coded_kind(payload_type, destination).is_none_or(|kind| kind == Kind::Audio);
        Some(if is_sound { timing } else { Timing { media: codec::Media::Video, silence_octets: 0, ..timing } })
    }

    /// What a stream is for, by the m= line that names its payload type, else by that of the place where it goes or from
    /// where it comes.
    pub(super) fn kind(&self, payload_type: Option<u8>, source: Endpoint, destination: Endpoint) -> Option<Kind> {
        let coded = payload_type.and_then(|payload_type| self.coded_kind(payload_type, destination));
        let at = |endpoint| self.announced.iter().find(|one| one.rtp == endpoint).and_then(|one| one.kind);
        coded.or_else(|| at(destination)).or_else(|| at(source))
    }

    fn coded_kind(&self, payload_type: u8, destination: Endpoint) -> Option<Kind> {
        let receiver = self.announced.iter().filter(|announced| announced.rtp == destination);
        let mut codings = receiver.chain(&self.announced).filter_map(|one| one.codings.as_deref()).flatten();
        codings.find(|coding| coding.payload_type == payload_type).map(|coding| coding.kind)
    }
}

#[cfg(test)]
mod tests;
