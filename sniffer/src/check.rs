//! `sniffer check`: says what is wrong with a configuration before the daemon is started with it. It changes nothing.

use std::{io::Write, path::Path, process::ExitCode};

use anyhow::{Context, Result};

use crate::{capture, run::Config};

/// Reads a configuration as the daemon would and says what is wrong: faults first, for which the daemon would not start,
/// then what it would start with and wait for.
///
/// # Errors
/// When the file cannot be read, or the output cannot be written.
pub fn run(path: &Path, mut output: impl Write) -> Result<ExitCode> {
    let text = Config::text(path).with_context(|| format!("cannot read {}; is the path right?", path.display()))?;
    let place = path.display();
    let config = match Config::parse(&text) {
        Ok(config) => config,
        Err(fault) => {
            writeln!(output, "{place}:{}:{}: {}: {}", fault.line, fault.column, fault.field, fault.message)?;
            return Ok(ExitCode::FAILURE);
        }
    };
    for name in &config.ports {
        if capture::link(name) == capture::Link::Missing {
            writeln!(output, "{place}: note: there is no interface {name:?} here; the daemon would wait for it")?;
        }
    }
    for (what, file) in [("socket", Some(&config.socket)), ("store", config.store.as_ref())] {
        if let Some(folder) = file.and_then(|file| file.parent()).filter(|folder| !folder.is_dir()) {
            writeln!(output, "{place}: note: {what}: there is no folder {}", folder.display())?;
        }
    }
    writeln!(output, "{place}: in order, {} ports", config.ports.len())?;
    Ok(ExitCode::SUCCESS)
}
