//! The one place of this crate that starts programs. Each program ends with the harness, whatever ends the harness:
//! by a destructor, and by the kernel (`PR_SET_PDEATHSIG`) where no destructor runs. Only programs that were started
//! here are ever ended, each by its process id.

use crate::clock;
use anyhow::{Context, Result, anyhow, bail};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

/// setpriv(1) of util-linux asks the kernel for the signal at the parent's death.
const SETPRIV: &str = "/usr/bin/setpriv";
/// A program that was asked to end gets this long before it is killed.
const END_LIMIT: Duration = Duration::from_secs(10);
/// The user and group `nobody` of Debian, for programs that must get along without privileges.
const NOBODY: u32 = 65534;

type Job = (Command, Sender<std::io::Result<Child>>);

/// What a program may do. Only root has something to give up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Privileges {
    /// Those of the harness.
    #[default]
    Kept,
    /// The harness's user, without any capability.
    NoCapabilities,
    /// The user nobody, without any capability.
    Nobody,
}

/// A program to start: its path, a list of arguments, never a shell.
#[derive(Debug, Clone)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<std::ffi::OsString>,
    privileges: Privileges,
    log: Option<PathBuf>,
    folder: Option<PathBuf>,
    environment: Vec<(String, String)>,
}

impl Program {
    /// A program by its full path.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            arguments: Vec::new(),
            privileges: Privileges::Kept,
            log: None,
            folder: None,
            environment: Vec::new(),
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Sets one variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Runs it with these privileges.
    #[must_use]
    pub fn privileges(mut self, privileges: Privileges) -> Self {
        self.privileges = privileges;
        self
    }

    /// Sends what it prints to a file.
    #[must_use]
    pub fn log_to(mut self, file: impl AsRef<Path>) -> Self {
        self.log = Some(file.as_ref().to_owned());
        self
    }

    /// Starts it in this folder.
    #[must_use]
    pub fn in_folder(mut self, folder: impl AsRef<Path>) -> Self {
        self.folder = Some(folder.as_ref().to_owned());
        self
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }

    #[expect(clippy::disallowed_methods, reason = "this module is the one that starts programs")]
    fn command(&self) -> Command {
        let mut command = Command::new(SETPRIV);
        command.args(["--pdeathsig", "KILL"]);
        let is_root = nix::unistd::geteuid().is_root();
        let (drops_user, drops_capabilities) = match self.privileges {
            Privileges::Kept => (false, false),
            Privileges::NoCapabilities => (false, is_root),
            Privileges::Nobody => (is_root, is_root),
        };
        if drops_user {
            let nobody = NOBODY.to_string();
            command.args(["--reuid", &nobody, "--regid", &nobody, "--clear-groups"]);
        }
        if drops_capabilities {
            command.args(["--no-new-privs", "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all"]);
        }
        command.arg("--").arg(&self.path).args(&self.arguments).stdin(Stdio::null());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
    }

    /// Starts it and returns while it runs.
    ///
    /// # Errors
    /// When it cannot be started, or its log cannot be made.
    pub fn start(&self) -> Result<Running> {
        let mut command = self.command();
        // A group of its own, so that its children end with it.
        command.process_group(0);
        if let Some(path) = &self.log {
            let log = File::create(path).with_context(|| format!("create {}", path.display()))?;
            command.stderr(log.try_clone()?).stdout(log);
        }
        let child = spawn(command).with_context(|| format!("start {}", self.name()))?;
        Ok(Running { name: self.name(), log: self.log.clone(), child })
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// When it cannot be started or does not end with success; the message has what it printed.
    pub fn run(&self) -> Result<Output> {
        let mut command = self.command();
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = spawn(command).with_context(|| format!("start {}", self.name()))?;
        let output = child.wait_with_output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("{} ended with {}: {}", self.name(), output.status, said.trim());
        }
        Ok(output)
    }
}

/// Starts a child from a thread that lives as long as the process: the kernel's signal at the parent's death means
/// the death of the thread that started the child (prctl(2), `PR_SET_PDEATHSIG`).
fn spawn(command: Command) -> std::io::Result<Child> {
    static SPAWNER: OnceLock<Sender<Job>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, jobs) = channel::<Job>();
        thread::spawn(move || {
            for (mut command, answer) in jobs {
                // The asker waits for the answer, so the channel is open.
                answer.send(command.spawn()).unwrap_or_default();
            }
        });
        sender
    });
    let gone = || std::io::Error::other("the thread that starts programs is gone");
    let (answer, result) = channel();
    spawner.send((command, answer)).map_err(|_| gone())?;
    result.recv().map_err(|_| gone())?
}

/// A program that runs, and ends when this value is dropped.
#[derive(Debug)]
pub struct Running {
    name: String,
    log: Option<PathBuf>,
    child: Child,
}

impl Running {
    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether and how it ended.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits for its end by itself.
    ///
    /// # Errors
    /// When it runs on beyond the limit.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        clock::wait_until(limit, || self.ended())?
            .ok_or_else(|| anyhow!("{} has not ended within {} s", self.name, limit.as_secs()))
    }

    /// An error when it has ended, with the end of its log.
    ///
    /// # Errors
    /// When it has ended.
    pub fn check(&mut self) -> Result<()> {
        match self.ended()? {
            None => Ok(()),
            Some(status) => bail!("{} ended with {status}\n{}", self.name, self.log_tail()),
        }
    }

    /// The last lines of its log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let text = self.log.as_ref().and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
        tail(&String::from_utf8_lossy(&text), 40)
    }

    /// Asks it to end, waits, and kills it and its group if it does not.
    pub fn end(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        let Ok(id) = i32::try_from(self.child.id()) else { return };
        // It may end between the question and the signal; what counts is that it is gone at the end.
        kill(Pid::from_raw(id), Signal::SIGTERM).unwrap_or_default();
        if !matches!(clock::wait_until(END_LIMIT, || self.child.try_wait()), Ok(Some(_))) {
            killpg(Pid::from_raw(id), Signal::SIGKILL).unwrap_or_default();
            self.child.wait().map(drop).unwrap_or_default();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// The last `count` lines of a text.
#[must_use]
pub fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(count)..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_ends_with_its_value() {
        let running = Program::new("/usr/bin/sleep").arg("1000").start().unwrap();
        let id = Pid::from_raw(i32::try_from(running.id()).unwrap());
        assert!(kill(id, None).is_ok());
        drop(running);
        assert!(kill(id, None).is_err());
    }

    #[test]
    fn a_failure_says_what_the_program_printed() {
        let error = Program::new("/usr/bin/ls").arg("/nonexistent").run().unwrap_err();
        assert!(error.to_string().contains("/nonexistent"), "{error}");
    }

    #[test]
    fn an_unprivileged_program_is_nobody_without_capabilities() {
        let output =
            Program::new("/usr/bin/cat").arg("/proc/self/status").privileges(Privileges::Nobody).run().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("CapEff:\t0000000000000000"), "{text}");
        assert!(!nix::unistd::geteuid().is_root() || text.contains("Uid:\t65534"), "{text}");
    }
}
