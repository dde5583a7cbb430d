//! `sniffer read`: capture files through the engine to the standard output. The same files give the same bytes.

mod keep;
mod progress;
mod table;
mod times;
mod write_call;

use std::{
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use sniffer_core::{
    engine::{EndedCall, Engine, Event, FrameMeta, Settings},
    record::{CallRecord, OtherRecord, Record, StreamRecord, SummaryRecord},
    time::Timestamp,
};

pub(crate) use self::table::Table;
use self::{
    keep::{Keeping, Media},
    progress::Progress,
    times::Times,
};
use crate::{
    file::{CaptureFile, FileError, Packet},
    store::Encoded,
};

/// What the command line says.
#[derive(Debug, Default, Args)]
pub struct Options {
    /// Print one JSON object a line instead of a table
    #[arg(long)]
    pub json: bool,
    /// Report RTP that no signalling announces as streams of their own
    #[arg(long)]
    pub rtp_without_sip: bool,
    /// Keep all that is found, its packets and the archive in this folder, as the daemon does
    #[arg(long, value_name = "FOLDER")]
    pub store: Option<PathBuf>,
    /// How much of each media packet --store keeps
    #[arg(long, value_name = "HOW", default_value = "headers", requires = "store")]
    pub media: Media,
    /// Write the packets of the call, registration or exchange with this Call-ID (- reads it from the standard input) into a capture file that only
    /// you can read, and print nothing else: pcapng where its name ends in .pcapng, else pcap
    #[arg(long, num_args = 2, value_names = ["CALL-ID", "OUT"], conflicts_with_all = ["json", "rtp_without_sip", "store"])]
    pub write_call: Option<Vec<String>>,
    /// The capture files, in the order of time; - is the standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// Reads files in their order and prints what they hold. A file that is cut or damaged counts up to the damage, and
/// the exit code says so.
///
/// # Errors
/// When a file cannot be read at all, or the output cannot be written.
pub fn run(options: &Options, output: impl Write) -> Result<ExitCode> {
    if let Some([call_id, target]) = options.write_call.as_deref() {
        return write_call::write(call_id, Path::new(target), &options.files, output);
    }
    check_files(&options.files)?;
    let mut engine = Engine::new(Settings {
        rtp_without_sip: options.rtp_without_sip,
        holds_frames: options.store.is_some(),
        hash_seed: crate::seed::random(),
        ..Settings::default()
    });
    let mut printer = Printer::new(output, options.json);
    let total = options.files.iter().filter_map(|path| path.metadata().ok()).map(|metadata| metadata.len()).sum();
    let mut progress = Progress::on_terminal(total);
    let mut keeping = match &options.store {
        Some(folder) => Some(Keeping::open(folder, options.media)?),
        None => None,
    };
    let read = read_files(&options.files, &mut engine, &mut printer, &mut progress, &mut keeping);
    // What an engine of many calls held is not held beside what the archive needs.
    drop(engine);
    // What was read is kept, whether somebody went on reading our output or not.
    let kept = keeping.map_or(Ok(()), Keeping::finish);
    match read.and_then(|code| kept.map(|()| code)) {
        // The reader of our output went away, as `head` does: nothing is wrong.
        Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        other => other,
    }
}

/// Says whether the reader of our output went away.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn read_files<E: Write>(
    files: &[PathBuf],
    engine: &mut Engine,
    printer: &mut Printer<impl Write>,
    progress: &mut Progress<E>,
    keeping: &mut Option<Keeping>,
) -> Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    let mut times = Times::default();
    for path in files {
        let mut target = Target { engine, printer, progress, keeping };
        if let Some(damage) = read_file(path, &mut times, &mut target)? {
            progress.clear();
            tracing::warn!("{}: {damage}; what came before is counted", path.display());
            code = ExitCode::from(2);
        }
    }
    let mut target = Target { engine, printer, progress, keeping };
    times.finish(&mut |packet, time| target.take(packet, time))?;
    progress.clear();
    engine.finish();
    if let Some(keeping) = keeping {
        keeping.held(&engine.take_held());
    }
    printer.events(engine, keeping)?;
    let summary = SummaryRecord { times_contradicted: times.contradicted(), ..engine.summary() };
    printer.record(Record::Summary(summary))?;
    printer.flush()?;
    Ok(code)
}

/// Where packets of files go.
struct Target<'a, W: Write, E: Write> {
    engine: &'a mut Engine,
    printer: &'a mut Printer<W>,
    progress: &'a mut Progress<E>,
    keeping: &'a mut Option<Keeping>,
}

impl<W: Write, E: Write> Target<'_, W, E> {
    #[inline]
    fn take(&mut self, packet: Packet<'_>, time: Timestamp) -> Result<()> {
        let meta = FrameMeta { time, vlan: None };
        let used = self.engine.frame(packet.link, meta, packet.frame);
        if let Some(keeping) = self.keeping {
            keeping.frame(packet.link, meta, packet.frame, used);
            if self.engine.has_held() {
                keeping.held(&self.engine.take_held());
            }
        }
        self.progress.packet(packet.frame.len());
        self.printer.events(self.engine, self.keeping)?;
        Ok(())
    }
}

/// Gives a file to the engine. What is returned is the damage that ended it early.
fn read_file<W: Write, E: Write>(
    path: &Path,
    times: &mut Times,
    target: &mut Target<'_, W, E>,
) -> Result<Option<FileError>> {
    let mut file = match open(path)? {
        Ok(file) => file,
        Err(damage) => return Ok(Some(damage)),
    };
    loop {
        match file.next_packet() {
            Ok(Some(packet)) => times.packet(packet, &mut |packet, time| target.take(packet, time))?,
            Ok(None) => return Ok(None),
            Err(FileError::Io(error)) => return Err(error).with_context(|| format!("read {}", path.display())),
            Err(damage) => return Ok(Some(damage)),
        }
    }
}

/// Says which of the files cannot be read before the first of them is: nobody is to wait for an hour for that.
fn check_files(files: &[PathBuf]) -> Result<()> {
    // What is no file, as a pipe, can be opened once.
    for path in files.iter().filter(|path| path.metadata().is_ok_and(|metadata| metadata.is_file())) {
        drop(open(path)?);
    }
    Ok(())
}

/// Opens a capture file, whose beginning may be damaged already; the error says what to do where that is known.
fn open(path: &Path) -> Result<Result<CaptureFile, FileError>> {
    let is_input = path == Path::new("-");
    let opened = CaptureFile::open(if is_input { Path::new("/dev/stdin") } else { path });
    let advice = match &opened {
        Ok(_) => return Ok(opened),
        Err(FileError::Cut | FileError::Empty | FileError::Damaged(_)) => return Ok(opened),
        Err(FileError::UnknownFormat) => "; save the capture as pcap or pcapng (tcpdump -w, Wireshark's \"Save as\")",
        Err(FileError::Io(error)) => what_to_do(error),
    };
    opened.map(Ok).with_context(|| format!("cannot read {}{advice}", path.display()))
}

fn what_to_do(error: &io::Error) -> &'static str {
    let advice = [
        (io::ErrorKind::NotFound, "; is the path right?"),
        (io::ErrorKind::PermissionDenied, "; may you read it?"),
        (io::ErrorKind::IsADirectory, "; name the files in it"),
    ];
    advice.iter().find(|(kind, _)| *kind == error.kind()).map_or("", |(_, advice)| advice)
}

/// A [`Record`] that somebody else has.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Lent<'a> {
    Call(&'a CallRecord),
    Stream(&'a StreamRecord),
}

/// Prints what the engine gives away, as JSON lines or as a table.
pub(crate) struct Printer<W: Write> {
    output: BufWriter<W>,
    /// Lays out the rows for people; none for JSON.
    table: Option<Table>,
    /// The line that is being made.
    text: Vec<u8>,
}

/// What the line of a call begins with.
const CALL: &[u8] = b"{\"type\":\"call\"";

impl<W: Write> Printer<W> {
    /// A printer of JSON or of the table.
    pub(crate) fn new(output: W, json: bool) -> Self {
        let table = (!json).then(Table::of_environment);
        Self { output: BufWriter::with_capacity(1 << 16, output), table, text: Vec::new() }
    }

    /// Prints all events that wait, and keeps them where they are to be kept; says whether there were any.
    #[inline]
    pub(crate) fn events(&mut self, engine: &mut Engine, keeping: &mut Option<Keeping>) -> Result<bool> {
        if engine.has_events() { self.all_events(engine, keeping) } else { Ok(false) }
    }

    #[inline(never)]
    fn all_events(&mut self, engine: &mut Engine, keeping: &mut Option<Keeping>) -> Result<bool> {
        let mut any = false;
        while let Some(event) = engine.next_event() {
            any = true;
            match event {
                Event::Call(call) => {
                    let encoded = match keeping {
                        Some(keeping) => keeping.ended(&call)?,
                        None => None,
                    };
                    self.call(&call, encoded)?;
                }
                Event::Stream { serial, record } => self.other(OtherRecord::Stream(record), serial.get(), keeping)?,
                Event::Adopted { stream, call } => {
                    if let Some(keeping) = keeping {
                        keeping.adopted(stream, call);
                    }
                }
                Event::Registration { serial, record } => {
                    self.other(OtherRecord::Registration(record), serial.get(), keeping)?;
                }
                Event::Subscription { serial, record } => {
                    self.other(OtherRecord::Subscription(record), serial.get(), keeping)?;
                }
                Event::Exchange { serial, record } => {
                    self.other(OtherRecord::Exchange(record), serial.get(), keeping)?
                }
            }
        }
        Ok(any)
    }

    /// Prints what is neither a call nor of one, and keeps it where it is to be kept.
    fn other(&mut self, record: OtherRecord, serial: u64, keeping: &mut Option<Keeping>) -> Result<()> {
        if let Some(keeping) = keeping {
            keeping.record(record.clone(), serial)?;
        }
        self.record(match record {
            OtherRecord::Registration(one) => Record::Registration(*one),
            OtherRecord::Subscription(one) => Record::Subscription(*one),
            OtherRecord::Exchange(one) => Record::Exchange(*one),
            OtherRecord::Stream(one) => Record::Stream(*one),
        })
    }

    /// Prints a call and its streams. Where they are octets already, the text comes of those.
    fn call(&mut self, call: &EndedCall, encoded: Option<&Encoded>) -> Result<()> {
        match &mut self.table {
            Some(table) => {
                table.call(&mut self.output, &call.record)?;
                for stream in &call.streams {
                    table.stream(&mut self.output, stream)?;
                }
            }
            None => {
                self.text.clear();
                self.text.extend_from_slice(CALL);
                let begin = self.text.len();
                if encoded.is_some_and(|encoded| encoded.add_json(&mut self.text)) {
                    // The object's brace stands before the type.
                    if let Some(brace) = self.text.get_mut(begin) {
                        *brace = b',';
                    }
                    self.text.push(b'\n');
                    self.output.write_all(&self.text)?;
                } else {
                    self.line(&Lent::Call(&call.record))?;
                }
                for stream in &call.streams {
                    self.line(&Lent::Stream(stream))?;
                }
            }
        }
        Ok(())
    }

    fn line(&mut self, record: &impl Serialize) -> Result<()> {
        serde_json::to_writer(&mut self.output, record).map_err(io::Error::from)?;
        self.output.write_all(b"\n")?;
        Ok(())
    }

    /// Prints one record.
    pub(crate) fn record(&mut self, record: Record) -> Result<()> {
        match &mut self.table {
            Some(table) => table.print(&mut self.output, record)?,
            None => self.line(&record)?,
        }
        Ok(())
    }

    /// Prints text as it is.
    pub(crate) fn raw(&mut self, text: &[u8]) -> Result<()> {
        self.output.write_all(text)?;
        Ok(())
    }

    /// Hands over what is printed.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.output.flush()?;
        Ok(())
    }
}
