//! `sniffer read`: capture files through the engine to the standard output. The same files give the same bytes.

mod table;

use std::{
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result};
use sniffer_core::{
    engine::{Engine, Event, FrameMeta, Settings},
    record::Record,
};

use crate::file::{CaptureFile, FileError};

/// Reads files in their order and prints what they hold. A file that is cut or damaged counts up to the damage, and
/// the exit code says so.
///
/// # Errors
/// When a file cannot be read at all, or the output cannot be written.
pub fn read(files: &[PathBuf], json: bool, rtp_without_sip: bool, output: impl Write) -> Result<ExitCode> {
    let mut engine = Engine::new(Settings { rtp_without_sip, ..Settings::default() });
    let mut printer =
        Printer { output: BufWriter::with_capacity(1 << 16, output), table: (!json).then(table::Table::default) };
    match read_files(files, &mut engine, &mut printer) {
        // The reader of our output went away, as `head` does: nothing is wrong.
        Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        other => other,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn read_files(files: &[PathBuf], engine: &mut Engine, printer: &mut Printer<impl Write>) -> Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for path in files {
        if let Some(damage) = read_file(path, engine, printer)? {
            tracing::warn!("{}: {damage}; what came before is counted", path.display());
            code = ExitCode::from(2);
        }
    }
    engine.finish();
    printer.events(engine)?;
    printer.record(Record::Summary(engine.summary()))?;
    printer.finish()?;
    Ok(code)
}

/// Gives a file to the engine. What is returned is the damage that ended it early.
fn read_file(path: &Path, engine: &mut Engine, printer: &mut Printer<impl Write>) -> Result<Option<FileError>> {
    let mut file = CaptureFile::open(path).with_context(|| format!("open {}", path.display()))?;
    loop {
        match file.next_packet() {
            Ok(Some(packet)) => {
                engine.frame(packet.link, FrameMeta { time: packet.time, vlan: None }, packet.frame);
                printer.events(engine)?;
            }
            Ok(None) => return Ok(None),
            Err(FileError::Io(error)) => return Err(error).with_context(|| format!("read {}", path.display())),
            Err(damage) => return Ok(Some(damage)),
        }
    }
}

struct Printer<W: Write> {
    output: BufWriter<W>,
    /// Gathers the rows of the table; none for JSON, which is printed as it comes.
    table: Option<table::Table>,
}

impl<W: Write> Printer<W> {
    fn events(&mut self, engine: &mut Engine) -> Result<()> {
        while let Some(event) = engine.next_event() {
            match event {
                Event::Call(call) => {
                    self.record(Record::Call(call.record))?;
                    for stream in call.streams {
                        self.record(Record::Stream(stream))?;
                    }
                }
                Event::Stream { record, .. } => self.record(Record::Stream(*record))?,
                Event::Adopted { .. } => {}
                Event::Registration(registration) => self.record(Record::Registration(*registration))?,
            }
        }
        Ok(())
    }

    fn record(&mut self, record: Record) -> Result<()> {
        match &mut self.table {
            Some(table) => table.print(&mut self.output, record)?,
            None => {
                serde_json::to_writer(&mut self.output, &record).map_err(io::Error::from)?;
                self.output.write_all(b"\n")?;
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.output.flush()?;
        Ok(())
    }
}
