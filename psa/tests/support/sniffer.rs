//! A sniffer that knows a few calls.

use sniffer_core::query::{
    CallKey, CallSummary, Counters, DirectionQuality, PortCounters, PortState, Request, Response, StoreState, frame,
};
use sniffer_core::record::CallState;
use sniffer_core::time::Timestamp;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// The sniffer.
pub struct FakeSniffer {
    pub calls: RefCell<Vec<CallSummary>>,
    pub is_down: Cell<bool>,
}

/// A call that began so many seconds after 14:00:00 UTC.
pub fn call(seconds: u64, from: &str, to: &str, state: CallState) -> CallSummary {
    let start = Timestamp::from_parts(1_795_528_800 + seconds, 250_000_000);
    let call_id = format!("{seconds}@192.0.2.20");
    CallSummary {
        id: CallKey::new(start, &call_id),
        call_id,
        from: from.into(),
        to: to.into(),
        start,
        answered: None,
        end: None,
        state,
        final_status: None,
        lost_here: false,
        caller_to_callee: None,
        callee_to_caller: None,
    }
}

/// Quality of one way.
pub fn way(codec: Option<&str>, lost: u64, mos: Option<f32>) -> DirectionQuality {
    DirectionQuality {
        codec: codec.map(str::to_owned),
        packets: 1000,
        lost,
        expected: 1000 + lost,
        jitter_ms_mean: Some(2.25),
        jitter_ms_max: Some(18.0),
        mos,
    }
}

fn calls() -> Vec<CallSummary> {
    let at = |seconds: u64| Some(Timestamp::from_parts(1_795_528_800 + seconds, 0));
    vec![
        CallSummary {
            answered: at(171),
            caller_to_callee: Some(way(Some("PCMA"), 32, Some(3.42))),
            callee_to_caller: Some(way(Some("PCMA"), 0, Some(4.41))),
            ..call(167, "sip:+351215550134@192.0.2.20", "sip:+442079460018@198.51.100.7;user=phone", CallState::InCall)
        },
        CallSummary {
            answered: at(150),
            end: at(181),
            final_status: Some(200),
            lost_here: true,
            caller_to_callee: Some(way(Some("opus"), 0, None)),
            ..call(146, "sip:anna@example.net", "sip:8001@example.net", CallState::Completed)
        },
        CallSummary {
            answered: at(95),
            final_status: Some(200),
            lost_here: true,
            caller_to_callee: Some(way(Some("PCMU"), 0, Some(4.4))),
            callee_to_caller: Some(way(Some("PCMU"), 0, Some(4.4))),
            ..call(90, "sip:+351215550135@192.0.2.20", "sip:+442079460019@192.0.2.20", CallState::Interrupted)
        },
        CallSummary {
            end: at(73),
            final_status: Some(486),
            ..call(72, "sip:+351215550177@192.0.2.20", "sip:+4930901820@192.0.2.20", CallState::Busy)
        },
        CallSummary {
            end: at(3),
            final_status: Some(503),
            ..call(2, "sip:trunk-7@192.0.2.20", "sip:+351215550190@192.0.2.20", CallState::Failed)
        },
    ]
}

impl FakeSniffer {
    /// Listens at `socket`, on the thread of the test.
    pub fn listen(socket: &Path) -> Rc<Self> {
        let sniffer = Rc::new(Self { calls: RefCell::new(calls()), is_down: Cell::new(false) });
        let listener = UnixListener::bind(socket).unwrap();
        let listening = Rc::clone(&sniffer);
        actix_web::rt::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if !listening.is_down.get() {
                    let sniffer = Rc::clone(&listening);
                    actix_web::rt::spawn(async move { sniffer.serve(stream).await });
                }
            }
        });
        sniffer
    }

    async fn serve(&self, mut stream: UnixStream) {
        let mut header = [0; 4];
        while stream.read_exact(&mut header).await.is_ok() {
            let mut body = vec![0; usize::try_from(u32::from_be_bytes(header)).unwrap()];
            stream.read_exact(&mut body).await.unwrap();
            let answer = match serde_json::from_slice(&body).unwrap() {
                Request::Calls { limit, before } => self.page(limit, before),
                Request::Search { .. }
                | Request::Call { .. }
                | Request::Records { .. }
                | Request::Record { .. }
                | Request::Capture { .. }
                | Request::Storage => Response::Error { message: "the pages do not ask for this".into() },
                Request::Counters => Response::Counters(Box::new(counters())),
                Request::Registrations { .. } => Response::Error { message: "not here".into() },
            };
            let answer = frame(&serde_json::to_vec(&answer).unwrap(), u32::MAX).unwrap();
            stream.write_all(&answer).await.unwrap();
        }
    }

    fn page(&self, limit: u16, before: Option<CallKey>) -> Response {
        let calls = self.calls.borrow();
        let mut rest = calls.iter().filter(|call| before.is_none_or(|key| call.id < key)).cloned();
        let page: Vec<_> = rest.by_ref().take(usize::from(limit)).collect();
        Response::Calls { calls: page, more: rest.next().is_some() }
    }
}

fn counters() -> Counters {
    let reasons = |pairs: &[(&str, u64)]| pairs.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
    Counters {
        since: Timestamp::from_parts(1_795_520_000, 0),
        now: Timestamp::from_parts(1_795_528_990, 0),
        ports: vec![PortCounters {
            name: "enp2s0".into(),
            state: PortState::Up,
            received: 128_398,
            delivered: 128_391,
            kernel_dropped: 7,
            interface_dropped: 5,
        }],
        received: 128_391,
        delivered: 120_000,
        waiting: 12,
        dropped: BTreeMap::from([
            ("decode".to_owned(), reasons(&[("not_ip", 8000), ("bad_checksum", 0)])),
            ("classify".to_owned(), reasons(&[("no_session", 379)])),
        ]),
        evicted: BTreeMap::from([("calls".to_owned(), 0), ("pending_streams".to_owned(), 1204)]),
        lost_here: 12,
        softnet_dropped: 5,
        records_dropped: 0,
        sip_messages: 5000,
        sip_errors: 3,
        rtp_packets: 115_000,
        rtcp_packets: 12,
        calls: 402,
        calls_in_progress: 1,
        streams_active: 2,
        registrations: 4,
        store: StoreState::Ok { calls: 18_402 },
    }
}
