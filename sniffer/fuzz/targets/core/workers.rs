//! Several workers and one owner of signalling say what one engine says of the same frames, however the frames are dealt
//! out by their flows.

use sniffer_core::{
    decode::LinkType,
    engine::{Engine, EngineCounters, Event, FrameMeta, Owner, Settings, Worker},
    time::Timestamp,
};

use super::{
    dialogs::{Timed, script},
    input::Input,
};

/// The first byte says how many workers there are. Signalling goes over UDP: a message that time alone completes, as where a
/// hole in a TCP connection is given up, comes in the same moment as what time alone ends, and nothing says which is first.
pub fn workers(data: &[u8]) {
    let mut input = Input::new(data);
    let how = input.byte();
    let mut frames = script(&mut input, false);
    // A port's frames come in the order of their times, and two workers see no two in the same nanosecond.
    frames.sort_by_key(|frame| frame.at);
    let mut last = i64::MIN;
    for frame in &mut frames {
        frame.at = frame.at.max(last.saturating_add(1));
        last = frame.at;
    }
    let Some(last) = frames.last().map(|frame| Timestamp::from_nanos(frame.at)) else { return };
    let settings = Settings { rtp_without_sip: how & 4 == 0, ..Settings::default() };
    let alone = alone(&frames, settings.clone());
    let shared = shared(&frames, &settings, how % 3 + 1, last);
    for (one, other) in alone.iter().zip(&shared) {
        assert_eq!(one, other, "{} workers say something else", how % 3 + 1);
    }
    assert_eq!(alone.len(), shared.len(), "{} workers say more or less", how % 3 + 1);
}

fn meta(frame: &Timed) -> FrameMeta {
    FrameMeta { time: Timestamp::from_nanos(frame.at), vlan: None }
}

fn alone(frames: &[Timed], settings: Settings) -> Vec<String> {
    let mut engine = Engine::new(settings);
    let mut texts = Vec::new();
    for frame in frames {
        engine.frame(LinkType::RawIp, meta(frame), &frame.bytes);
    }
    engine.finish();
    while let Some(event) = engine.next_event() {
        texts.extend(text(&event));
    }
    texts.push(json(&engine.summary()));
    texts.sort();
    texts
}

fn shared(frames: &[Timed], settings: &Settings, count: u8, last: Timestamp) -> Vec<String> {
    let mut many = Many {
        workers: (0..count).map(|number| Worker::new(settings, number)).collect(),
        owner: Owner::new(settings, count),
        texts: Vec::new(),
    };
    for frame in frames {
        // What time ends comes before the frame: for an engine too, time passes first.
        many.exchange(Timestamp::from_nanos(frame.at));
        let place = flow(&frame.bytes) % usize::from(count);
        if let Some(worker) = many.workers.get_mut(place) {
            worker.frame_of_many(LinkType::RawIp, meta(frame), &frame.bytes);
        }
        many.exchange(Timestamp::from_nanos(frame.at));
    }
    many.workers.iter_mut().for_each(Worker::finish_ingress_of_many);
    many.exchange(last);
    many.workers.iter_mut().for_each(Worker::finish_pending);
    many.exchange(last);
    many.owner.finish_calls();
    many.exchange(last);
    many.workers.iter_mut().for_each(Worker::finish_streams);
    many.exchange(last);
    many.owner.finish_registrations();
    many.exchange(last);
    let mut counters = EngineCounters::default();
    many.workers.iter().for_each(|worker| worker.count(&mut counters));
    many.owner.count(&mut counters);
    many.texts.push(json(&counters.summary()));
    many.texts.sort();
    many.texts
}

struct Many {
    workers: Vec<Worker>,
    owner: Owner,
    texts: Vec<String>,
}

impl Many {
    /// Carries what they say to each other until nobody has anything to say.
    fn exchange(&mut self, now: Timestamp) {
        loop {
            let mut is_quiet = true;
            for (worker, number) in self.workers.iter_mut().zip(0..) {
                worker.advance_of_many(now);
                while let Some(output) = worker.next_output() {
                    self.owner.take(output);
                    is_quiet = false;
                }
                self.owner.clock(number, now);
            }
            self.owner.release(now, &mut |_, _| {});
            self.owner.advance(now);
            while let Some(command) = self.owner.next_command() {
                is_quiet = false;
                self.workers.iter_mut().for_each(|worker| worker.tell(now, command.clone()));
            }
            while let Some(event) = self.owner.next_event() {
                self.texts.extend(text(&event));
            }
            if is_quiet && !self.owner.has_command() {
                return;
            }
        }
    }
}

/// A number that is the same for both directions of a flow, as the kernel's is: addresses and ports. The next ports, which
/// RTCP has, have another.
fn flow(packet: &[u8]) -> usize {
    let word = |place: usize| {
        packet.get(place..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from(u32::from_be_bytes(*bytes)))
    };
    let ports = word(20);
    let ends = [word(12) << 16 | ports >> 16, word(16) << 16 | ports & 0xffff];
    let [one, other] = ends.map(|end| end.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40);
    usize::try_from(one + other).unwrap_or(0)
}

fn json(record: &impl serde::Serialize) -> String {
    serde_json::to_string(record).expect("a record is JSON")
}

/// An event without the serials, which differ between runs with other workers.
fn text(event: &Event) -> Option<String> {
    match event {
        Event::Call(call) => Some(json(&(&call.record, &call.streams))),
        Event::Stream { record, .. } => Some(json(record)),
        Event::Registration { record, .. } => Some(json(record)),
        Event::Subscription { record, .. } => Some(json(record)),
        Event::Exchange { record, .. } => Some(json(record)),
        Event::Adopted { .. } => None,
    }
}
