//! `sniffer live`: one interface through the engine to the standard output, until Ctrl-C. It keeps nothing on disk, and
//! gives up its privileges as soon as the interface is open.

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use clap::Args;
use nix::sys::signal::{SigSet, Signal};
use sniffer_core::{
    engine::{Engine, Settings},
    record::Record,
    time::Timestamp,
};

use crate::{
    capture::{CaptureError, Layout, Ring, Upstream, is_unhandled},
    limits,
    read::{Printer, Table, is_broken_pipe},
    run::{caps_drop, now},
};

/// How often a screen is drawn, and the output handed over.
const REFRESH: Duration = Duration::from_secs(1);
/// Calls on a screen: those in progress; more are counted.
const SHOWN: usize = 15;

/// What the command line says.
#[derive(Debug, Args)]
pub struct Options {
    /// The interface to capture from
    interface: String,
    /// Print one JSON object a line as things come to their end
    #[arg(long)]
    json: bool,
    /// Report RTP that no signalling announces as streams of their own
    #[arg(long)]
    rtp_without_sip: bool,
}

/// Captures until SIGINT or SIGTERM, then ends what is in progress and prints the summary.
///
/// # Errors
/// When the interface cannot be captured or the output not be written.
pub fn run(options: &Options, output: impl Write) -> Result<ExitCode> {
    let stop = stop_by_signal()?;
    let layout = Layout { block: limits::RING_BLOCK, blocks: limits::RING_BLOCKS, wait: limits::RING_BLOCK_WAIT };
    let ring = Ring::open(&options.interface, layout, None).map_err(|error| explain(&options.interface, error))?;
    caps_drop();
    let settings =
        Settings { rtp_without_sip: options.rtp_without_sip, hash_seed: crate::seed::random(), ..Settings::default() };
    let is_screen = !options.json && io::stdout().is_terminal();
    let mut live = Live {
        interface: &options.interface,
        ring,
        engine: Engine::new(settings),
        printer: Printer::new(output, options.json),
        is_screen,
        lower: 0,
        frames: 0,
        upstream: Upstream::of(&options.interface),
        unhandled: 0,
        dropped: 0,
        counted: now(),
    };
    match live.capture(&stop) {
        Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        other => other.map(|()| ExitCode::SUCCESS),
    }
}

/// A flag that SIGINT and SIGTERM set. The first one ends the capture; a second one ends the process at once.
fn stop_by_signal() -> Result<Arc<AtomicBool>> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    signals.thread_block().context("block signals")?;
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let wait = move || {
        while signals.wait().is_ok() {
            if flag.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
        }
    };
    thread::Builder::new().name("signals".into()).spawn(wait).context("start the thread that waits for signals")?;
    Ok(stop)
}

fn explain(interface: &str, error: CaptureError) -> anyhow::Error {
    let advice = match &error {
        CaptureError::Missing => "; `ip link` lists the interfaces",
        CaptureError::System { error, .. } if error.kind() == io::ErrorKind::PermissionDenied => {
            "; run this as root, or give it the capability CAP_NET_RAW"
        }
        CaptureError::System { .. } | CaptureError::HardwareType(_) => "",
    };
    anyhow::Error::new(error).context(format!("cannot capture from {interface:?}{advice}"))
}

struct Live<'a, W: Write> {
    interface: &'a str,
    ring: Ring,
    engine: Engine,
    printer: Printer<W>,
    /// A terminal, whose lower part is drawn again and again; else lines go one below the other.
    is_screen: bool,
    /// Lines of the lower part.
    lower: usize,
    frames: u64,
    /// Lost before the ring.
    upstream: Upstream,
    unhandled: u64,
    dropped: u64,
    /// Until when the kernel's drops are counted.
    counted: Timestamp,
}

impl<W: Write> Live<'_, W> {
    fn capture(&mut self, stop: &AtomicBool) -> Result<()> {
        let mut drawn = now();
        let mut is_gone = false;
        self.statistics(drawn)?;
        while !stop.load(Ordering::Relaxed) {
            if !self.burst()? {
                self.ring.wait(limits::POLL_WAIT).context("wait for packets")?;
            }
            let time = now();
            if time.since(drawn) >= REFRESH {
                drawn = time;
                self.engine.advance(time);
                self.statistics(time)?;
                self.draw()?;
                is_gone = !self.ring.is_interface(self.interface);
                if is_gone {
                    break;
                }
            }
        }
        once_round(|| self.burst())?;
        self.statistics(now())?;
        self.clear()?;
        self.engine.finish();
        self.printer.events(&mut self.engine, &mut None)?;
        self.printer.record(Record::Summary(self.engine.summary()))?;
        if self.dropped > 0 {
            tracing::warn!("{} packets were lost by this capture: the machine was too slow", self.dropped);
        }
        self.printer.flush()?;
        anyhow::ensure!(!is_gone, "the interface {:?} is gone; what came before is counted", self.interface);
        Ok(())
    }

    /// One block of the ring to the engine. False when none was ready.
    fn burst(&mut self) -> Result<bool> {
        let link = self.ring.link_type();
        let (engine, frames, unhandled) = (&mut self.engine, &mut self.frames, &mut self.unhandled);
        let ready = self.ring.next_block(|frame| {
            engine.frame(link, frame.meta, frame.bytes);
            *frames = frames.saturating_add(1);
            *unhandled = unhandled.saturating_add(u64::from(is_unhandled(&frame)));
        });
        if ready && !self.is_screen {
            self.printer.events(&mut self.engine, &mut None)?;
        }
        Ok(ready)
    }

    /// Asks for what the ring, the kernel and the card dropped, and tells the engine: calls in progress suffered.
    fn statistics(&mut self, time: Timestamp) -> Result<()> {
        let drops = self.ring.statistics()?.drops;
        if drops > 0 {
            self.engine.lost(self.counted, time, drops);
            self.dropped = self.dropped.saturating_add(drops);
        }
        self.counted = time;
        if let Some(lost) = self.upstream.look(time, self.unhandled) {
            self.engine.lost(lost.from, lost.to, lost.packets);
            self.dropped = self.dropped.saturating_add(lost.packets);
        }
        Ok(())
    }

    /// Ended calls above, then the screen's lower part: counters and calls in progress.
    fn draw(&mut self) -> Result<()> {
        self.clear()?;
        self.printer.events(&mut self.engine, &mut None)?;
        if self.is_screen {
            let calls = self.engine.calls_in_progress();
            let streams = self.engine.streams_active();
            let mut text = Vec::new();
            writeln!(
                text,
                "\n{}: {} packets, {} lost here, {calls} calls in progress, {streams} streams (Ctrl-C ends)",
                self.interface, self.frames, self.dropped
            )?;
            let mut table = Table::of_environment();
            let open = self.engine.states().filter(|(_, state)| !state.is_final()).map(|(call, _)| call);
            for call in open.take(SHOWN).filter_map(|call| self.engine.call(call)) {
                table.print(&mut text, Record::Call(call.record))?;
            }
            self.lower = text.iter().filter(|byte| **byte == b'\n').count();
            self.printer.raw(&text)?;
        }
        self.printer.flush()
    }

    /// Takes the lower part away: up to where it began, and everything from there on.
    fn clear(&mut self) -> Result<()> {
        let lines = std::mem::take(&mut self.lower);
        if lines > 0 { self.printer.raw(format!("\x1b[{lines}A\r\x1b[J").as_bytes()) } else { Ok(()) }
    }
}

/// Reads what came before the end: each block of the ring once at most. On a port that is busier than this is quick there
/// is always one more.
fn once_round(mut burst: impl FnMut() -> Result<bool>) -> Result<()> {
    for _ in 0..limits::RING_BLOCKS {
        if !burst()? {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_always_has_one_more_block_does_not_hold_up_the_end() {
        let mut blocks = 0_u32;
        let mut read = |ready: u32| {
            blocks = 0;
            once_round(|| {
                blocks += 1;
                anyhow::ensure!(blocks < 1_000_000, "for as long as packets come");
                Ok(blocks <= ready)
            })
            .unwrap();
            blocks
        };
        assert_eq!((read(u32::MAX), read(5), read(0)), (limits::RING_BLOCKS, 6, 1));
    }
}
