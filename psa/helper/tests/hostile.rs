//! Bytes that no honest process sends: never a panic, never an effect, and others are served on.

use crate::bench::{Bench, Running, from, secret};
use psa_model::protocol::{Action, Request, Response, SessionToken};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

/// Sends raw bytes and returns the answer, if one came before the end.
fn send(running: &Running, bytes: &[u8]) -> Option<Response> {
    let mut stream = UnixStream::connect(&running.socket).unwrap();
    // The helper may have ended the connection already.
    if stream.write_all(bytes).is_err() || stream.shutdown(std::net::Shutdown::Write).is_err() {
        return None;
    }
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    serde_json::from_slice(answer.get(4..)?).ok()
}

fn framed(body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len()).unwrap().to_be_bytes(), body].concat()
}

/// A small generator of numbers (xorshift), so that a failure can be repeated.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
    }
}

#[test]
fn a_length_beyond_the_limit_ends_the_connection_unread() {
    let bench = Bench::new();
    let running = bench.start();
    for length in [256 * 1024 + 1, u32::MAX] {
        assert!(send(&running, &[&length.to_be_bytes()[..], b"{}"].concat()).is_none());
    }
    assert!(matches!(running.ask(&Request::Machine), Response::Machine(_)));
}

#[test]
fn what_is_no_request_is_answered_with_a_failure_and_the_connection_ends() {
    let bench = Bench::new();
    let running = bench.start();
    let deep = ["[".repeat(100_000), "{\"a\":".repeat(50_000)].map(String::into_bytes);
    let others = [&b""[..], b"{}", b"null", b"{\"ask\":\"format_disk\"}", b"{\"ask\":\"machine\"", b"\xff\xfe", b"\0"];
    for body in others.iter().copied().chain(deep.iter().map(Vec::as_slice)) {
        let mut stream = UnixStream::connect(&running.socket).unwrap();
        stream.write_all(&framed(body)).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer: Response = serde_json::from_slice(&answer[4..]).unwrap();
        assert!(matches!(answer, Response::Failed { .. }), "{:?}", &body[..body.len().min(20)]);
    }
    assert!(matches!(running.ask(&Request::Machine), Response::Machine(_)));
}

#[test]
fn mutated_requests_do_no_harm() {
    let bench = Bench::new();
    let running = bench.start();
    let session = running.anna();
    let (password, from) = (secret("wrong"), from(200));
    let change = Box::new(crate::bench::ntp("ntp1.example.net"));
    let apply = Action::Apply { base: psa_model::settings::Generation(77), change };
    let samples = [
        Request::Machine,
        Request::LogIn { name: "anna".into(), password, from, previous: Some(SessionToken(secret("x"))) },
        Request::As { session: SessionToken(secret("x")), from, is_background: false, action: apply },
    ]
    .map(|request| serde_json::to_vec(&request).unwrap());
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    let mut answered = 0;
    for round in 0..1500 {
        let mut frame = framed(&samples[round % samples.len()]);
        for _ in 0..=numbers.below(4) {
            let at = numbers.below(frame.len());
            match numbers.below(4) {
                0 => frame[at] = u8::try_from(numbers.below(256)).unwrap(),
                1 => frame.truncate(at.max(1)),
                2 => frame.insert(at, b"\"{}[]:,\0\xff\\0"[numbers.below(11)]),
                _ => frame[at] ^= 1 << numbers.below(8),
            }
        }
        answered += usize::from(send(&running, &frame).is_some());
    }
    assert!(answered > 100, "{answered}: most mutations must get past the length");
    assert!(running.is_alive(&session), "others are served on");
    let Response::Current { generation, .. } = running.act(&session, Action::Settings) else { panic!("none") };
    assert_eq!(generation.0, 1);
    assert!(bench.system.told().is_empty());
}

#[test]
fn two_connections_are_served_at_once() {
    let bench = Bench::new();
    let running = bench.start();
    // One that has begun a request and says no more must not hold up the other.
    let mut slow = UnixStream::connect(&running.socket).unwrap();
    slow.write_all(&[0, 0, 0, 17, b'{']).unwrap();
    assert!(matches!(running.ask(&Request::Machine), Response::Machine(_)));
    slow.write_all(br#""ask":"machine"}"#).unwrap();
    let mut length = [0; 4];
    slow.read_exact(&mut length).unwrap();
    assert!(u32::from_be_bytes(length) > 20);
}

#[test]
fn one_user_cannot_take_every_place_on_the_socket() {
    let bench = Bench::new();
    let running = bench.start();
    let limit = psa_helper::limits::MAX_CONNECTIONS_PER_USER;
    let mut held: Vec<UnixStream> = (0..limit).map(|_| UnixStream::connect(&running.socket).unwrap()).collect();
    let mut one_more = UnixStream::connect(&running.socket).unwrap();
    assert_eq!(one_more.read(&mut [0]).unwrap(), 0, "it is closed at once");
    held.clear();
    let is_served = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        psa_helper::client::ask(&running.socket, &Request::Machine).is_ok()
    });
    assert!(is_served);
}
