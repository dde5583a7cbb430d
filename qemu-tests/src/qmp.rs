//! QEMU's machine protocol (QMP), as few typed commands: the harness's power button and screen.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// QEMU answers at once, unless it hangs.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// What the machine can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command<'a> {
    /// Starts the processors of a machine that was made stopped.
    Continue,
    /// Presses the reset button.
    Reset,
    /// Presses the power button: the operating system shuts down.
    PowerDown,
    /// Pulls the plug: QEMU ends, the operating system learns nothing.
    Quit,
    /// Writes what the screen shows to a file, as PNG.
    ScreenDump(&'a Path),
    /// Asks whether the machine runs.
    Status,
}

impl Command<'_> {
    fn to_json(self) -> Value {
        match self {
            Self::Continue => json!({"execute": "cont"}),
            Self::Reset => json!({"execute": "system_reset"}),
            Self::PowerDown => json!({"execute": "system_powerdown"}),
            Self::Quit => json!({"execute": "quit"}),
            Self::ScreenDump(file) => {
                json!({"execute": "screendump", "arguments": {"filename": file, "format": "png"}})
            }
            Self::Status => json!({"execute": "query-status"}),
        }
    }
}

/// A connection to one QEMU.
#[derive(Debug)]
pub struct Qmp {
    lines: BufReader<UnixStream>,
    out: UnixStream,
}

impl Qmp {
    /// Connects and agrees on the protocol.
    ///
    /// # Errors
    /// When nothing listens there, or what answers is no QEMU.
    pub fn connect(socket: &Path) -> Result<Self> {
        let out = UnixStream::connect(socket).with_context(|| format!("connect to {}", socket.display()))?;
        out.set_read_timeout(Some(ANSWER_LIMIT))?;
        let mut qmp = Self { lines: BufReader::new(out.try_clone()?), out };
        let greeting = qmp.line()?;
        if greeting.get("QMP").is_none() {
            bail!("no QMP greeting: {greeting}");
        }
        qmp.ask(&json!({"execute": "qmp_capabilities"}))?;
        Ok(qmp)
    }

    /// Gives a command and waits for its answer.
    ///
    /// # Errors
    /// When QEMU refuses it or does not answer.
    pub fn tell(&mut self, command: Command<'_>) -> Result<()> {
        self.ask(&command.to_json()).map(drop).with_context(|| format!("QMP {command:?}"))
    }

    /// The machine's state, such as `running`, `paused` or `guest-panicked`.
    ///
    /// # Errors
    /// When QEMU does not answer.
    pub fn status(&mut self) -> Result<String> {
        let answer = self.ask(&Command::Status.to_json())?;
        Ok(answer.get("status").and_then(Value::as_str).unwrap_or_default().to_owned())
    }

    fn line(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.lines.read_line(&mut line)? == 0 {
            bail!("QEMU closed its QMP socket");
        }
        Ok(serde_json::from_str(&line)?)
    }

    fn ask(&mut self, command: &Value) -> Result<Value> {
        let mut text = serde_json::to_vec(command)?;
        text.push(b'\n');
        self.out.write_all(&text)?;
        loop {
            let mut answer = self.line()?;
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
            if let Some(error) = answer.get("error") {
                bail!("QEMU refused: {error}");
            }
            // Anything else is an event; the harness learns of states by asking.
        }
    }
}
