//! `sniffer read --write-call`: the packets of one call, registration, subscription or exchange, out of all files, into a
//! capture of its own. The files are read
//! twice: first to learn what belongs to the call, since RTP may come before the SDP that announces it, and the frames of
//! a message that comes in several before anybody knows whose they are.

mod capture;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use sniffer_core::{
    engine::{CallSerial, Engine, Event, FrameMeta, FrameUse, Settings, StreamSerial, Whose},
    time::Timestamp,
};

use self::capture::Capture;
use super::times::Times;
use crate::file::{FileError, Packet};

/// Writes the packets of all that has this Call-ID and says how many they are. A file that is cut or damaged counts up
/// to the damage, and the exit code says so.
///
/// # Errors
/// When a file cannot be read or written, or nothing has this Call-ID.
pub fn write(call_id: &str, target: &Path, files: &[PathBuf], mut output: impl Write) -> Result<ExitCode> {
    if files.iter().any(|file| same_file(file, target)) {
        bail!("{} is one of the files to read; name another one to write", target.display());
    }
    if let Some(odd) = files.iter().find(|file| file.metadata().is_ok_and(|metadata| !metadata.is_file())) {
        bail!("{} is no file: the packets of one call need a second look; write it into a file first", odd.display());
    }
    if files.iter().any(|file| file == Path::new("-")) {
        bail!("the packets of one call need a second look, which the standard input does not give; name a file");
    }
    super::check_files(files)?;
    let mut typed = String::new();
    if call_id == "-" {
        io::stdin().read_line(&mut typed).context("read the Call-ID from the standard input")?;
    }
    let call_id = if call_id == "-" { typed.trim_end_matches(['\r', '\n']) } else { call_id };
    let mut wanted = Wanted::default();
    let code = each_frame(files, true, |engine, _, _, _| {
        wanted.learn(engine, call_id);
        Ok(())
    })?;
    if wanted.wanted.is_empty() {
        // The Call-IDs themselves are not named here: what goes to the standard error may end in a log.
        bail!(
            "none of the {} calls, registrations and exchanges has this Call-ID; `sniffer read --json` shows each one's call_id",
            wanted.others
        );
    }
    let mut capture = Capture::create(target)?;
    let written = each_frame(files, false, |engine, number, packet, used| {
        while engine.next_event().is_some() {}
        engine.take_held();
        match packet {
            Some(packet) if wanted.holds(number, used) => capture.packet(packet),
            Some(_) | None => Ok(()),
        }
    });
    if written.is_err() && target.metadata().is_ok_and(|metadata| metadata.is_file()) {
        // Half of a call would be taken for a whole one.
        drop(std::fs::remove_file(target));
    }
    written?;
    let packets = capture.finish()?;
    writeln!(output, "{}: {packets} packets", target.display())?;
    Ok(code)
}

fn same_file(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// Gives all frames to an engine and to `take` with their numbers, and at the end no frame. Damage ends a file early, as
/// in reading.
fn each_frame(
    files: &[PathBuf],
    says_damage: bool,
    mut take: impl FnMut(&mut Engine, u64, Option<&Packet<'_>>, FrameUse) -> Result<()>,
) -> Result<ExitCode> {
    // Serials depend on the traffic alone: the second engine gives the same ones.
    let mut engine = Engine::new(Settings {
        rtp_without_sip: true,
        holds_frames: true,
        hash_seed: crate::seed::random(),
        ..Settings::default()
    });
    let (mut number, mut code) = (0_u64, ExitCode::SUCCESS);
    let mut times = Times::default();
    let mut each = |engine: &mut Engine, packet: Packet<'_>, time: Timestamp| {
        let used = engine.frame(packet.link, FrameMeta { time, vlan: None }, packet.frame);
        number = number.saturating_add(1);
        take(engine, number, Some(&packet), used)
    };
    for path in files {
        let damage = match super::open(path)? {
            Ok(mut file) => loop {
                match file.next_packet() {
                    Ok(Some(packet)) => {
                        times.packet(packet, &mut |packet, time| each(&mut engine, packet, time))?;
                    }
                    Ok(None) => break None,
                    Err(FileError::Io(error)) => return Err(error).with_context(|| format!("read {}", path.display())),
                    Err(damage) => break Some(damage),
                }
            },
            Err(damage) => Some(damage),
        };
        if let Some(damage) = damage {
            if says_damage {
                tracing::warn!("{}: {damage}; what came before is counted", path.display());
            }
            code = ExitCode::from(2);
        }
    }
    times.finish(&mut |packet, time| each(&mut engine, packet, time))?;
    engine.finish();
    take(&mut engine, 0, None, FrameUse::default())?;
    Ok(code)
}

/// What belongs to what has the Call-ID.
#[derive(Default)]
struct Wanted {
    wanted: HashSet<Whose>,
    adopted: HashMap<CallSerial, Vec<StreamSerial>>,
    streams: HashSet<StreamSerial>,
    /// Frames that came with others, by their number: of what has not ended, of a stream, and of those wanted.
    of_whose: HashMap<Whose, Vec<u64>>,
    of_streams: HashMap<StreamSerial, Vec<u64>>,
    frames: BTreeSet<u64>,
    /// How many calls, registrations, subscriptions and exchanges are not wanted.
    others: u64,
}

impl Wanted {
    fn learn(&mut self, engine: &mut Engine, call_id: &str) {
        for together in engine.take_held() {
            let numbers = together.frames.iter().map(|frame| frame.number);
            match (together.used.whose(), together.used.stream) {
                (Some(whose), _) if self.wanted.contains(&whose) => self.frames.extend(numbers),
                (Some(whose), _) => self.of_whose.entry(whose).or_default().extend(numbers),
                (None, Some(stream)) => self.of_streams.entry(stream).or_default().extend(numbers),
                (None, None) => {}
            }
        }
        while let Some(event) = engine.next_event() {
            match event {
                Event::Call(call) => {
                    let streams = self.adopted.remove(&call.serial).unwrap_or_default();
                    let of_streams = streams.iter().filter_map(|stream| self.of_streams.remove(stream)).flatten();
                    if call.record.call_id == call_id {
                        self.frames.extend(of_streams);
                        self.streams.extend(streams);
                    } else {
                        of_streams.for_each(drop);
                    }
                    self.ended(Whose::Call(call.serial), call.record.call_id == call_id);
                }
                Event::Adopted { stream, call } => self.adopted.entry(call).or_default().push(stream),
                Event::Stream { serial, .. } => _ = self.of_streams.remove(&serial),
                Event::Registration { serial, record } => self.ended(Whose::Other(serial), record.call_id == call_id),
                Event::Subscription { serial, record } => self.ended(Whose::Other(serial), record.call_id == call_id),
                Event::Exchange { serial, record } => self.ended(Whose::Other(serial), record.call_id == call_id),
            }
        }
    }

    fn ended(&mut self, whose: Whose, is_wanted: bool) {
        let frames = self.of_whose.remove(&whose).unwrap_or_default();
        if is_wanted {
            self.frames.extend(frames);
            self.wanted.insert(whose);
        } else {
            self.others = self.others.saturating_add(1);
        }
    }

    fn holds(&self, number: u64, used: FrameUse) -> bool {
        self.frames.contains(&number)
            || !used.is_held
                && (used.whose().is_some_and(|whose| self.wanted.contains(&whose))
                    || used.stream.is_some_and(|stream| self.streams.contains(&stream)))
    }
}
