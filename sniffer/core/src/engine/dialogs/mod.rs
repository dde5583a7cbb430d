//! Tests of signalling as a whole: scenes of messages through the engine, and what is recorded of them.

mod calls;
mod links;
mod media;
mod places;
mod properties;
mod registrations;
mod sessions;

use super::*;
use crate::record::{CallRecord, ExchangeRecord, RegistrationRecord, StreamRecord, SubscriptionRecord};

/// Messages between hosts of 192.0.2.0/24, one every 10 ms.
struct Scene {
    engine: Engine,
    now_ms: i64,
    call_id: &'static str,
    /// Last byte of the address and port of both ends.
    ends: [(u8, u16); 2],
    from: &'static str,
    to: &'static str,
}

/// What came out.
#[derive(Default)]
struct Outcome {
    calls: Vec<CallRecord>,
    registrations: Vec<RegistrationRecord>,
    subscriptions: Vec<SubscriptionRecord>,
    exchanges: Vec<ExchangeRecord>,
}

impl Scene {
    fn new() -> Self {
        Self::with(Settings::default())
    }

    fn with(settings: Settings) -> Self {
        let ends = [(1, 5060), (2, 5060)];
        Self {
            engine: Engine::new(settings),
            now_ms: 1_000_000,
            call_id: "c1",
            ends,
            from: "sip:100@a.example",
            to: "sip:200@b.example",
        }
    }

    /// A leg of another dialog.
    fn leg(&mut self, call_id: &'static str, ends: [(u8, u16); 2], from: &'static str, to: &'static str) {
        (self.call_id, self.ends, self.from, self.to) = (call_id, ends, from, to);
    }

    fn wait(&mut self, seconds: i64) {
        self.now_ms += seconds * 1000;
        self.engine.advance(self.now());
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.now_ms * 1_000_000)
    }

    /// `> INVITE 1 a -`: direction, method, CSeq, tag of From, tag of To (`-`: none). `< 200 1 INVITE a b`: an answer.
    fn say(&mut self, line: &str) {
        self.tell(line, "", "");
    }

    fn all(&mut self, lines: &[&str]) {
        for line in lines {
            self.say(line);
        }
    }

    /// With further header lines, each with its line break, and a body.
    fn tell(&mut self, line: &str, headers: &str, body: &str) {
        self.now_ms += 10;
        let text = self.text(line, headers, body);
        let forth = line.starts_with('>');
        self.frame(if forth { self.ends } else { [self.ends[1], self.ends[0]] }, text.as_bytes());
    }

    fn text(&self, line: &str, headers: &str, body: &str) -> String {
        let words: Vec<_> = line.split(' ').collect();
        // Who is From is who asks.
        let asks = if words[1].parse::<u16>().is_ok() { line.starts_with('<') } else { line.starts_with('>') };
        let (from, to) = if asks { (self.from, self.to) } else { (self.to, self.from) };
        let (start, cseq, method, tags) = match words[1].parse::<u16>() {
            Ok(status) => (format!("SIP/2.0 {status} x"), words[2], words[3], &words[4..]),
            Err(_) => (format!("{} {to} SIP/2.0", words[1]), words[2], words[1], &words[3..]),
        };
        let tag = |tag: &str| if tag == "-" { String::new() } else { format!(";tag={tag}") };
        let kind = if body.starts_with("v=0") { "Content-Type: application/sdp\r\n" } else { "" };
        format!(
            "{start}\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK{method}{cseq}{}\r\nCall-ID: {}\r\nFrom: <{from}>{}\r\nTo: <{to}>{}\r\nCSeq: {cseq} {method}\r\n{headers}{kind}\r\n{body}",
            tags[0],
            self.call_id,
            tag(tags[0]),
            tag(tags[1]),
        )
    }

    fn frame(&mut self, ends: [(u8, u16); 2], payload: &[u8]) {
        let mut packet = vec![0x45, 0];
        packet.extend(u16::try_from(payload.len() + 28).unwrap().to_be_bytes());
        packet.extend([0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, ends[0].0, 192, 0, 2, ends[1].0]);
        packet.extend(ends[0].1.to_be_bytes());
        packet.extend(ends[1].1.to_be_bytes());
        packet.extend(u16::try_from(payload.len() + 8).unwrap().to_be_bytes());
        packet.extend([0, 0]);
        packet.extend(payload);
        let meta = FrameMeta { time: self.now(), ..FrameMeta::default() };
        self.engine.frame(LinkType::RawIp, meta, &packet);
    }

    /// Ends everything, and gives all calls, and all streams with and without one.
    fn end_with_streams(&mut self) -> (Vec<CallRecord>, Vec<StreamRecord>) {
        self.engine.finish();
        let (mut calls, mut streams) = (Vec::new(), Vec::new());
        while let Some(event) = self.engine.next_event() {
            match event {
                Event::Call(call) => {
                    calls.push(call.record);
                    streams.extend(call.streams);
                }
                Event::Stream { record, .. } => streams.push(*record),
                Event::Registration { .. }
                | Event::Subscription { .. }
                | Event::Exchange { .. }
                | Event::Adopted { .. } => {}
            }
        }
        (calls, streams)
    }

    fn end(&mut self) -> Outcome {
        self.engine.finish();
        let mut outcome = Outcome::default();
        while let Some(event) = self.engine.next_event() {
            match event {
                Event::Call(call) => outcome.calls.push(call.record),
                Event::Registration { record, .. } => outcome.registrations.push(*record),
                Event::Subscription { record, .. } => outcome.subscriptions.push(*record),
                Event::Exchange { record, .. } => outcome.exchanges.push(*record),
                Event::Stream { .. } | Event::Adopted { .. } => {}
            }
        }
        let counters = self.engine.counters();
        assert_eq!(counters.received, counters.delivered + counters.waiting + counters.dropped.total());
        let counted: u64 = counters.methods.records().values().map(messages).sum();
        assert_eq!(counted, counters.sip_messages, "each message is counted once");
        assert_eq!(counters.calls, count(&outcome.calls));
        assert_eq!(counters.registrations, count(&outcome.registrations));
        assert_eq!(counters.subscriptions, count(&outcome.subscriptions));
        assert_eq!(counters.exchanges, count(&outcome.exchanges));
        outcome
    }

    fn only_call(&mut self) -> CallRecord {
        let mut calls = self.end().calls;
        assert_eq!(calls.len(), 1);
        calls.remove(0)
    }
}

fn count<T>(records: &[T]) -> u64 {
    u64::try_from(records.len()).unwrap()
}

fn messages(one: &crate::record::MethodRecord) -> u64 {
    one.requests + one.provisional + one.hops + one.retransmissions + one.copies + one.results.values().sum::<u64>()
}

fn sdp(direction: &str) -> String {
    format!("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\na={direction}\r\n")
}
