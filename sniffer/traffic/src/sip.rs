//! The signalling of calls and registrations (RFC 3261) with their session descriptions (RFC 4566, RFC 3264).

use super::carriage::{Message, Path};
use super::frame::{Station, udp_frame};
use super::random::Random;
use super::rtp::{self, Direction};
use super::truth::{CallTruth, Outcome};
use super::tunnel::Tunnel;
use super::{CallPlan, TimedFrame, Traffic};
use anyhow::Result;
use std::time::Duration;

const SIP: u16 = 5060;
/// From one message to the answer.
const STEP: Duration = Duration::from_millis(12);
/// It rings this long.
const RINGING: Duration = Duration::from_millis(400);

/// One dialog as both ends see it.
struct Dialog<'a> {
    plan: &'a CallPlan,
    caller: Station,
    callee: Station,
    call_id: String,
    branch: u64,
    from_tag: u32,
    to_tag: u32,
    caller_media: u16,
    callee_media: u16,
}

fn host(station: &Station) -> String {
    match station.ip {
        std::net::IpAddr::V4(ip) => ip.to_string(),
        std::net::IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

fn description(station: &Station, port: u16, plan: &CallPlan) -> String {
    let version = if station.ip.is_ipv6() { 6 } else { 4 };
    let (ip, codec) = (station.ip, plan.codec);
    let (number, name) = (codec.payload_type(), codec.name());
    format!(
        "v=0\r\no=- 1 1 IN IP{version} {ip}\r\ns=-\r\nc=IN IP{version} {ip}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP {number}\r\na=rtpmap:{number} {name}/8000\r\na=ptime:20\r\na=sendrecv\r\n"
    )
}

impl Dialog<'_> {
    fn from(&self) -> String {
        format!("sip:{}@{}", self.plan.caller, host(&self.caller))
    }

    fn to(&self) -> String {
        format!("sip:{}@{}", self.plan.callee, host(&self.callee))
    }

    fn headers(&self, method: &str, sequence: u32, branch: u64, is_tagged: bool) -> String {
        let tag = if is_tagged { format!(";tag={:08x}", self.to_tag) } else { String::new() };
        format!(
            "Via: SIP/2.0/UDP {}:{SIP};branch=z9hG4bK{branch:016x};rport\r\nFrom: <{}>;tag={:08x}\r\nTo: <{}>{tag}\r\n\
             Call-ID: {}\r\nCSeq: {sequence} {method}\r\n",
            host(&self.caller),
            self.from(),
            self.from_tag,
            self.to(),
            self.call_id
        )
    }

    fn contact(&self, user: &str, station: &Station) -> String {
        format!("Contact: <sip:{user}@{}:{SIP}>\r\n", host(station))
    }

    fn with_body(headers: &str, body: &str) -> String {
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        format!("{headers}{kind}Content-Length: {}\r\n\r\n{body}", body.len())
    }

    fn request(&self, method: &str, sequence: u32, is_tagged: bool, body: &str) -> String {
        // ACK to a refusal and CANCEL carry the branch of the INVITE (RFC 3261, sections 9.1 and 17.1.1.3).
        let is_own = method == "BYE" || (method == "ACK" && self.plan.outcome == Outcome::Completed);
        let branch = if is_own { self.branch.wrapping_add(u64::from(sequence) << 32 | 1) } else { self.branch };
        let headers = self.headers(method, sequence, branch, is_tagged);
        let contact = self.contact(&self.plan.caller, &self.caller);
        let line = format!("{method} {} SIP/2.0\r\n{headers}Max-Forwards: 70\r\n{contact}", self.to());
        Self::with_body(&line, body)
    }

    fn answer(&self, status: &str, method: &str, sequence: u32, body: &str) -> String {
        let branch =
            if method == "BYE" { self.branch.wrapping_add(u64::from(sequence) << 32 | 1) } else { self.branch };
        let headers = self.headers(method, sequence, branch, !status.starts_with("100"));
        let contact = self.contact(&self.plan.callee, &self.callee);
        Self::with_body(&format!("SIP/2.0 {status}\r\n{headers}{contact}Server: callward-traffic\r\n"), body)
    }
}

/// Makes one call: its signalling, its media, its truth.
pub fn call(plan: &CallPlan, index: u32, random: &mut Random, traffic: &mut Traffic) -> Result<()> {
    let port = |base: u16| base + u16::try_from(index % 2000).unwrap_or(0) * 2;
    let dialog = Dialog {
        plan,
        caller: Station::numbered(1, index + 10, plan.link.is_v6),
        callee: Station::numbered(2, index + 10, plan.link.is_v6),
        call_id: format!("{:016x}-{index}@callward.example", random.next()),
        branch: random.next(),
        from_tag: random.word(),
        to_tag: random.word(),
        caller_media: port(10_000),
        callee_media: port(20_000),
    };
    let already = traffic.frames.len();
    let mut messages = Vec::new();
    let mut send = |at, is_forth, text| messages.push(Message { at, is_forth, text });
    let offer = description(&dialog.caller, dialog.caller_media, plan);
    let start = plan.start;
    send(start, true, dialog.request("INVITE", 1, false, &offer));
    send(start + STEP, false, dialog.answer("100 Trying", "INVITE", 1, ""));
    send(start + STEP * 2, false, dialog.answer("180 Ringing", "INVITE", 1, ""));
    let rung = start + RINGING;
    let mut streams = Vec::new();
    let final_status = match plan.outcome {
        Outcome::Busy | Outcome::Declined => {
            let (code, status) =
                if plan.outcome == Outcome::Busy { (486, "486 Busy Here") } else { (603, "603 Decline") };
            send(rung, false, dialog.answer(status, "INVITE", 1, ""));
            send(rung + STEP, true, dialog.request("ACK", 1, true, ""));
            code
        }
        Outcome::Cancelled => {
            send(rung, true, dialog.request("CANCEL", 1, false, ""));
            send(rung + STEP, false, dialog.answer("200 OK", "CANCEL", 1, ""));
            send(rung + STEP * 2, false, dialog.answer("487 Request Terminated", "INVITE", 1, ""));
            send(rung + STEP * 3, true, dialog.request("ACK", 1, true, ""));
            487
        }
        Outcome::Completed | Outcome::InCall => {
            let answer = description(&dialog.callee, dialog.callee_media, plan);
            send(rung, false, dialog.answer("200 OK", "INVITE", 1, &answer));
            send(rung + STEP, true, dialog.request("ACK", 1, true, ""));
            let talk = rung + STEP * 2;
            let (here, there) = ((&dialog.caller, dialog.caller_media), (&dialog.callee, dialog.callee_media));
            for (from, to, faults) in [(here, there, plan.caller_faults), (there, here, plan.callee_faults)]
                .into_iter()
                .filter(|_| plan.has_media)
            {
                let direction = Direction {
                    codec: plan.codec,
                    vlan: plan.link.vlan,
                    from,
                    to,
                    start: talk,
                    talk: plan.talk,
                    faults,
                };
                streams.push(rtp::stream(&direction, random, &mut traffic.frames)?);
            }
            if plan.outcome == Outcome::Completed {
                let end = talk + plan.talk + STEP;
                send(end, true, dialog.request("BYE", 2, true, ""));
                send(end + STEP, false, dialog.answer("200 OK", "BYE", 2, ""));
            }
            200
        }
    };
    let path = Path {
        vlan: plan.link.vlan,
        caller: &dialog.caller,
        callee: &dialog.callee,
        port: SIP,
        caller_port: port(40_000),
    };
    plan.carriage.carry(&path, &messages, dialog.branch, &mut traffic.frames)?;
    if plan.tunnel != Tunnel::None {
        for frame in traffic.frames.iter_mut().skip(already) {
            frame.bytes = plan.tunnel.wrap(&frame.bytes)?;
        }
    }
    traffic.truth.messages += u64::try_from(messages.len())?;
    traffic.truth.calls.push(CallTruth {
        call_id: dialog.call_id.clone(),
        from: dialog.from(),
        to: dialog.to(),
        state: plan.outcome,
        final_status,
        streams,
    });
    Ok(())
}

/// Makes one registration: refused without credentials, then accepted.
pub fn registration(index: u32, random: &mut Random, traffic: &mut Traffic) -> Result<()> {
    let (phone, server) = (Station::numbered(1, index + 10, false), Station::numbered(3, 1, false));
    let user = format!("phone{index}");
    let (call_id, tag) = (format!("{:016x}@{}", random.next(), host(&phone)), random.word());
    let at = Duration::from_millis(random.below(1000));
    let mut message = |step: u32, is_answer: bool, first_line: &str, sequence: u32, extra: &str| -> Result<()> {
        let text = format!(
            "{first_line}\r\nVia: SIP/2.0/UDP {host}:{SIP};branch=z9hG4bK{tag:08x}{sequence}\r\n\
             From: <sip:{user}@registrar.example>;tag={tag:08x}\r\nTo: <sip:{user}@registrar.example>{to_tag}\r\n\
             Call-ID: {call_id}\r\nCSeq: {sequence} REGISTER\r\nContact: <sip:{user}@{host}:{SIP}>\r\n{extra}\
             Content-Length: 0\r\n\r\n",
            host = host(&phone),
            to_tag = if is_answer { ";tag=5e12e12" } else { "" },
        );
        let (from, to) = if is_answer { (&server, &phone) } else { (&phone, &server) };
        let bytes = udp_frame(None, (from, SIP), (to, SIP), text.as_bytes())?;
        traffic.frames.push(TimedFrame { at: at + STEP * step, bytes });
        Ok(())
    };
    let line = "REGISTER sip:registrar.example SIP/2.0";
    let challenge = "WWW-Authenticate: Digest realm=\"registrar.example\", nonce=\"1f3a\", algorithm=MD5\r\n";
    let response = format!(
        "Authorization: Digest username=\"{user}\", realm=\"registrar.example\", nonce=\"1f3a\", \
         uri=\"sip:registrar.example\", response=\"{:016x}{:016x}\", algorithm=MD5\r\nMax-Forwards: 70\r\nExpires: 600\r\n",
        random.next(),
        random.next()
    );
    message(0, false, line, 1, "Max-Forwards: 70\r\nExpires: 600\r\n")?;
    message(1, true, "SIP/2.0 401 Unauthorized", 1, challenge)?;
    message(2, false, line, 2, &response)?;
    message(3, true, "SIP/2.0 200 OK", 2, "Expires: 600\r\n")?;
    traffic.truth.registrations += 1;
    traffic.truth.messages += 4;
    Ok(())
}
