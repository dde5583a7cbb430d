//! `sniffer read --write-call`: the packets of one call, out of all files, into a capture of its own. The files are read
//! twice: first to learn what belongs to the call, since RTP may come before the SDP that announces it.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use sniffer_core::{
    decode::LinkType,
    engine::{CallSerial, Engine, Event, FrameMeta, FrameUse, Settings, StreamSerial},
    time::Timestamp,
};

use crate::file::{FileError, Packet};

/// Writes the packets of the call with this Call-ID and says how many they are.
///
/// # Errors
/// When a file cannot be read or written, or no call has this Call-ID.
pub fn write(call_id: &str, target: &Path, files: &[PathBuf], mut output: impl Write) -> Result<ExitCode> {
    if files.iter().any(|file| same_file(file, target)) {
        bail!("{} is one of the files to read; name another one to write", target.display());
    }
    let mut wanted = Wanted::default();
    each_frame(files, |engine, _, _| {
        wanted.learn(engine, call_id);
        Ok(())
    })?;
    if wanted.calls.is_empty() {
        // The Call-IDs themselves are not named here: what goes to the standard error may end in a log.
        bail!("none of the {} calls has this Call-ID; `sniffer read --json` shows each call's call_id", wanted.others);
    }
    let create = || format!("cannot write {}", target.display());
    let file = BufWriter::new(File::create(target).with_context(create)?);
    let mut capture = Capture { output: file, link: None, packets: 0 };
    each_frame(files, |engine, packet, used| {
        while engine.next_event().is_some() {}
        match packet {
            Some(packet) if wanted.holds(used) => capture.packet(packet),
            Some(_) | None => Ok(()),
        }
    })?;
    capture.output.flush().with_context(create)?;
    writeln!(output, "{}: {} packets", target.display(), capture.packets)?;
    Ok(ExitCode::SUCCESS)
}

fn same_file(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// Gives all frames to an engine and to `take`, and at the end no frame. Damage ends a file early, as in reading.
fn each_frame(
    files: &[PathBuf],
    mut take: impl FnMut(&mut Engine, Option<&Packet<'_>>, FrameUse) -> Result<()>,
) -> Result<()> {
    // Serials depend on the traffic alone: the second engine gives the same ones.
    let mut engine = Engine::new(Settings { rtp_without_sip: true, ..Settings::default() });
    for path in files {
        let mut file = super::open(path)?;
        loop {
            match file.next_packet() {
                Ok(Some(packet)) => {
                    let used = engine.frame(packet.link, FrameMeta { time: packet.time, vlan: None }, packet.frame);
                    take(&mut engine, Some(&packet), used)?;
                }
                Err(FileError::Io(error)) => return Err(error).with_context(|| format!("read {}", path.display())),
                Ok(None) | Err(_) => break,
            }
        }
    }
    engine.finish();
    take(&mut engine, None, FrameUse::default())
}

/// What belongs to the call.
#[derive(Default)]
struct Wanted {
    calls: HashSet<CallSerial>,
    adopted: Vec<(StreamSerial, CallSerial)>,
    streams: HashSet<StreamSerial>,
    /// How many calls are not wanted.
    others: u64,
}

impl Wanted {
    fn learn(&mut self, engine: &mut Engine, call_id: &str) {
        while let Some(event) = engine.next_event() {
            match event {
                Event::Call(call) if call.record.call_id == call_id => {
                    self.calls.insert(call.serial);
                    let of_it = self.adopted.iter().filter(|(_, owner)| *owner == call.serial);
                    self.streams.extend(of_it.map(|(stream, _)| *stream));
                }
                Event::Call(call) => {
                    self.others = self.others.saturating_add(1);
                    self.adopted.retain(|(_, owner)| *owner != call.serial);
                }
                Event::Adopted { stream, call } => self.adopted.push((stream, call)),
                Event::Stream { .. } | Event::Registration(_) | Event::Subscription(_) | Event::Exchange(_) => {}
            }
        }
    }

    fn holds(&self, used: FrameUse) -> bool {
        used.owner.is_some_and(|owner| self.calls.contains(&owner))
            || used.stream.is_some_and(|stream| self.streams.contains(&stream))
    }
}

/// A pcap file (version 2.4, nanoseconds), which every tool reads; its first packet says its link type.
struct Capture<W> {
    output: W,
    link: Option<LinkType>,
    packets: u64,
}

impl<W: Write> Capture<W> {
    fn packet(&mut self, packet: &Packet<'_>) -> Result<()> {
        match self.link {
            None => {
                self.link = Some(packet.link);
                self.header(packet.link)?;
            }
            Some(link) if link == packet.link => {}
            Some(_) => bail!("the call's packets come from links of different kinds, which one pcap file cannot hold"),
        }
        let (seconds, nanos) = parts(packet.time)?;
        let length = u32::try_from(packet.frame.len())?;
        for number in [seconds, nanos, length, length] {
            self.output.write_all(&number.to_le_bytes())?;
        }
        self.output.write_all(packet.frame)?;
        self.packets = self.packets.saturating_add(1);
        Ok(())
    }

    fn header(&mut self, link: LinkType) -> io::Result<()> {
        // Magic of nanoseconds, version 2.4, time zone, accuracy, longest packet, link type.
        for number in [0xa1b2_3c4d, 0x0004_0002, 0, 0, 0x0004_0000, link.number()] {
            self.output.write_all(&u32::to_le_bytes(number))?;
        }
        Ok(())
    }
}

fn parts(time: Timestamp) -> Result<(u32, u32)> {
    let nanos = time.as_nanos();
    Ok((u32::try_from(nanos.div_euclid(1_000_000_000))?, u32::try_from(nanos.rem_euclid(1_000_000_000))?))
}
