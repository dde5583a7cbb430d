//! Live capture: a veth pair in a network namespace of its own, traffic sent into one end at rising rates, then
//! halfway between the last without loss and the first with it, and who reads the other end. The namespace ends with this process. Nanoseconds a packet are those of the listener's own
//! threads at the first rate: what the kernel does for it in the sender's context is not in them.

use std::{
    fs,
    io::{IoSlice, Read, Write},
    os::fd::{AsRawFd, OwnedFd},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use nix::{
    sched::{CloneFlags, unshare},
    sys::{
        signal::{Signal, kill},
        socket::{
            AddressFamily, LinkAddr, MsgFlags, MultiHeaders, SockFlag, SockType, SockaddrStorage, bind, sendmmsg,
            socket,
        },
    },
    unistd::Pid,
};
use sniffer::file::CaptureFile;
use sniffer_core::query::{Counters, MAX_ANSWER, MAX_REQUEST, Request, Response, body_length, frame};

use crate::{
    clock::{now, wait_until},
    goals::number,
    measure::{command, find},
};

/// Packets of one system call.
const BATCH: usize = 64;
/// How long each rate is held.
const HELD: Duration = Duration::from_secs(2);
/// The first rate, and by how much each is higher than the one before, until there is loss.
const FIRST: f64 = 100_000.0;
const STEP: f64 = 1.4;
/// How near the highest rate without loss and the lowest with it come to each other.
const CLOSE: f64 = 1.05;
/// The sender must come so near to the rate it is to send at.
const NEAR: f64 = 0.95;
/// How long a program may take to begin or to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// Who listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listener {
    Tcpdump,
    Sniffer { workers: u32 },
}

impl Listener {
    fn name(self) -> String {
        match self {
            Self::Tcpdump => "tcpdump -w /dev/null".into(),
            Self::Sniffer { workers } => format!("sniffer, {workers} workers"),
        }
    }
}

/// What a listener says of what was sent to it.
#[derive(Debug, Clone, Copy)]
struct Heard {
    received: u64,
    dropped: u64,
    cpu: Duration,
}

/// Measures and prints.
///
/// # Errors
/// When the namespace cannot be made (root is needed) or a program fails.
pub fn run(sniffer: &Path, file: &Path, scratch: &Path, mut out: impl Write) -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNET).context("make a network namespace; run this as root")?;
    let ip = find("ip").context("find ip (iproute2)")?;
    for words in [
        &["link", "add", "cw0", "mtu", "9000", "type", "veth", "peer", "name", "cw1", "mtu", "9000"][..],
        &["link", "set", "cw0", "up"],
        &["link", "set", "cw1", "up"],
        &["link", "set", "lo", "up"],
    ] {
        let status = command(&ip).args(words).status().context("start ip")?;
        ensure!(status.success(), "ip {} failed", words.join(" "));
    }
    let frames = frames(file)?;
    let sender = Sender::open("cw0")?;
    let mut who = vec![Listener::Sniffer { workers: 1 }, Listener::Sniffer { workers: 2 }];
    if find("tcpdump").is_some() {
        who.insert(0, Listener::Tcpdump);
    } else {
        writeln!(out, "SKIPPED tcpdump: it is not installed")?;
    }
    let stage = Stage { sniffer, scratch };
    writeln!(
        out,
        "Live over veth, {} different frames\n  {:24} {:>12} {:>12} {:>10} {:>12}",
        frames.len(),
        "",
        "no loss at",
        "loss at",
        "idle CPU",
        "ns a packet"
    )?;
    for listener in who {
        let idle = stage.listen(listener, || {
            thread::sleep(Duration::from_secs(10));
            Ok(0)
        })?;
        let (mut best, mut worst, mut each, mut is_sender) = (0.0_f64, None::<f64>, None, false);
        let mut rate = FIRST;
        while worst.is_none_or(|worst| worst > best.max(1.0) * CLOSE) && rate > 1000.0 {
            let probe = stage.probe(listener, &sender, &frames, rate)?;
            each.get_or_insert(probe.each_ns);
            if probe.is_whole {
                best = best.max(probe.achieved);
            } else {
                worst = Some(probe.achieved);
            }
            if probe.is_whole && probe.achieved < rate * NEAR {
                is_sender = true;
                break;
            }
            rate = worst.map_or(rate * STEP, |worst| f64::midpoint(best, worst));
        }
        writeln!(
            out,
            "  {:24} {best:>12.0} {:>12} {:>8.2} % {:>12.0}",
            listener.name(),
            worst.map_or_else(|| if is_sender { "(sender)".into() } else { "-".into() }, |worst| format!("{worst:.0}")),
            idle.cpu.as_secs_f64() * 10.0,
            each.unwrap_or(0.0)
        )?;
        out.flush()?;
    }
    Ok(())
}

/// All frames of a capture, in memory.
fn frames(file: &Path) -> Result<Vec<Vec<u8>>> {
    let mut capture = CaptureFile::open(file).with_context(|| format!("open {}", file.display()))?;
    let mut frames = Vec::new();
    while let Some(packet) = capture.next_packet()? {
        frames.push(packet.frame.to_vec());
    }
    Ok(frames)
}

/// One end of the cable.
struct Sender(OwnedFd);

impl Sender {
    fn open(name: &str) -> Result<Self> {
        let link = nix::ifaddrs::getifaddrs()?
            .filter(|one| one.interface_name == name)
            .find_map(|one| one.address.as_ref().and_then(SockaddrStorage::as_link_addr).copied());
        let link: LinkAddr = link.with_context(|| format!("find the interface {name}"))?;
        // Protocol 0: this socket receives nothing.
        let socket =
            socket(AddressFamily::Packet, SockType::Raw, SockFlag::empty(), None).context("open a raw socket")?;
        bind(socket.as_raw_fd(), &link).with_context(|| format!("bind to {name}"))?;
        Ok(Self(socket))
    }

    /// Sends at a rate; what is returned is how many packets went out, and how many a second that was.
    fn send(&self, frames: &[Vec<u8>], rate: f64, length: Duration) -> Result<(u64, f64)> {
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, None);
        let none = vec![None; BATCH];
        let (begin, mut sent) = (now(), 0_u64);
        let mut batches = frames.chunks(BATCH).cycle();
        while begin.elapsed() < length {
            let batch = batches.next().context("frames to send")?;
            let slices: Vec<[IoSlice<'_>; 1]> = batch.iter().map(|frame| [IoSlice::new(frame)]).collect();
            let results = sendmmsg(self.0.as_raw_fd(), &mut headers, &slices, &none, [], MsgFlags::empty());
            match results {
                Ok(results) => sent += u64::try_from(results.count())?,
                // The queue of the interface is full: the rate is what shows it.
                Err(nix::errno::Errno::ENOBUFS) => {}
                Err(error) => bail!("send: {error}"),
            }
            wait_until(begin + Duration::from_secs_f64(number(sent) / rate));
        }
        Ok((sent, number(sent) / begin.elapsed().as_secs_f64()))
    }
}

struct Stage<'a> {
    sniffer: &'a Path,
    scratch: &'a Path,
}

/// What came of one rate.
struct Probe {
    achieved: f64,
    is_whole: bool,
    each_ns: f64,
}

impl Stage<'_> {
    /// Sends at a rate. A loss counts when it comes twice: the machine does other things too.
    fn probe(&self, listener: Listener, sender: &Sender, frames: &[Vec<u8>], rate: f64) -> Result<Probe> {
        let mut probe = Probe { achieved: 0.0, is_whole: false, each_ns: 0.0 };
        for _ in 0..2 {
            let mut sent = 0;
            let heard = self.listen(listener, || {
                (sent, probe.achieved) = sender.send(frames, rate, HELD)?;
                Ok(sent)
            })?;
            probe.each_ns = heard.cpu.as_secs_f64() * 1e9 / number(sent.max(1));
            probe.is_whole = heard.dropped == 0 && heard.received >= sent;
            if probe.is_whole {
                break;
            }
        }
        Ok(probe)
    }

    /// Lets somebody listen while something is done, which says how many packets must arrive.
    fn listen(&self, listener: Listener, work: impl FnOnce() -> Result<u64>) -> Result<Heard> {
        match listener {
            Listener::Tcpdump => self.tcpdump(work),
            Listener::Sniffer { workers } => self.daemon(workers, work),
        }
    }

    fn tcpdump(&self, work: impl FnOnce() -> Result<u64>) -> Result<Heard> {
        let path = find("tcpdump").context("find tcpdump")?;
        let log = self.scratch.join("tcpdump.log");
        let mut program = command(&path);
        program.args(["-n", "-i", "cw1", "-w", "/dev/null", "-B", "16384", "-Z", "root"]);
        let mut running = Running(program.stdin(Stdio::null()).stderr(fs::File::create(&log)?).spawn()?);
        let said = || fs::read_to_string(&log).unwrap_or_default();
        patiently("tcpdump listens", || said().contains("listening on").then_some(()))?;
        thread::sleep(Duration::from_millis(200));
        let before = running.cpu()?;
        work()?;
        thread::sleep(Duration::from_millis(1200));
        let cpu = running.cpu()?.saturating_sub(before);
        running.end(Signal::SIGINT)?;
        let said = said();
        let figure = |what: &str| {
            let line = said.lines().find(|line| line.contains(what))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        let received = figure("packets captured").with_context(|| format!("read what tcpdump said: {said}"))?;
        Ok(Heard { received, dropped: figure("dropped by kernel").unwrap_or(0), cpu })
    }

    fn daemon(&self, workers: u32, work: impl FnOnce() -> Result<u64>) -> Result<Heard> {
        let (config, socket) = (self.scratch.join("sniffer.json"), self.scratch.join("query.sock"));
        let mut settings = serde_json::json!({ "ports": ["cw1"], "socket": socket });
        if let Some(settings) = settings.as_object_mut().filter(|_| workers > 1) {
            settings.insert("workers".into(), workers.into());
        }
        fs::write(&config, settings.to_string())?;
        let log = self.scratch.join("sniffer.log");
        let mut program = command(self.sniffer);
        program.args(["run", "--config"]).arg(&config).stdin(Stdio::null()).stderr(fs::File::create(&log)?);
        let mut running = Running(program.spawn()?);
        let is_up =
            |counters: &Counters| counters.ports.iter().all(|port| port.state == sniffer_core::query::PortState::Up);
        patiently("the sniffer captures", || ask(&socket).filter(is_up).map(drop))
            .with_context(|| fs::read_to_string(&log).unwrap_or_default())?;
        let (before, base) = (running.cpu()?, heard(&socket)?);
        let sent = work()?;
        // The ring is read on; a loss is known at the latest with the next statistics.
        let end = now() + Duration::from_secs(5);
        let mut after = heard(&socket)?;
        while after.0 + after.1 < base.0 + base.1 + sent && now() < end {
            thread::sleep(Duration::from_millis(100));
            after = heard(&socket)?;
        }
        thread::sleep(Duration::from_millis(1100));
        after = heard(&socket)?;
        let cpu = running.cpu()?.saturating_sub(before);
        running.end(Signal::SIGTERM)?;
        Ok(Heard { received: after.0.saturating_sub(base.0), dropped: after.1.saturating_sub(base.1), cpu })
    }
}

/// Delivered and dropped.
fn heard(socket: &Path) -> Result<(u64, u64)> {
    let counters = ask(socket).context("ask the sniffer for its counters")?;
    let sum = |figure: fn(&sniffer_core::query::PortCounters) -> u64| counters.ports.iter().map(figure).sum::<u64>();
    Ok((sum(|port| port.delivered), sum(|port| port.kernel_dropped.saturating_add(port.interface_dropped))))
}

fn ask(socket: &Path) -> Option<Counters> {
    let mut stream = UnixStream::connect(socket).ok()?;
    let request = frame(&serde_json::to_vec(&Request::Counters).ok()?, MAX_REQUEST).ok()?;
    stream.write_all(&request).ok()?;
    let mut header = [0; 4];
    stream.read_exact(&mut header).ok()?;
    let mut body = vec![0; body_length(header, MAX_ANSWER).ok()?];
    stream.read_exact(&mut body).ok()?;
    match serde_json::from_slice(&body).ok()? {
        Response::Counters(counters) => Some(*counters),
        Response::Calls { .. }
        | Response::Found { .. }
        | Response::Call(_)
        | Response::Records { .. }
        | Response::Record(_)
        | Response::Capture { .. }
        | Response::Storage(_)
        | Response::Registrations { .. }
        | Response::Error { .. } => None,
    }
}

/// A program that ends with this value.
struct Running(Child);

impl Running {
    /// CPU time of all its threads, by the scheduler's own count in nanoseconds.
    fn cpu(&self) -> Result<Duration> {
        let tasks: PathBuf = ["/proc", &self.0.id().to_string(), "task"].iter().collect();
        let mut total = 0;
        for task in fs::read_dir(tasks)? {
            // A thread may end meanwhile.
            let text = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            total += text.split_whitespace().next().and_then(|nanos| nanos.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(Duration::from_nanos(total))
    }

    fn end(&mut self, signal: Signal) -> Result<()> {
        kill(Pid::from_raw(i32::try_from(self.0.id())?), signal)?;
        let status = self.0.wait()?;
        ensure!(status.success(), "a listener ended with {status}");
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Where an error ended the measurement early.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn patiently<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> Result<T> {
    let end = now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        ensure!(now() < end, "waited too long until {what}");
        thread::sleep(Duration::from_millis(50));
    }
}
