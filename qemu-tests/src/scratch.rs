//! PSA, helper and sniffer on this computer: a scratch root folder, no privileges, a capture file in place of a port.
//! What the browser tests and scripts/dev use.

use crate::console::Welcome;
use crate::https::{self, Answer};
use crate::machine::free_port;
use crate::process::{Privileges, Program, Running};
use crate::traffic::{Plan, write_pcap};
use crate::{clock, console};
use anyhow::{Context, Result, bail};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Programs of the development profile, on a loaded computer.
const START_LIMIT: Duration = Duration::from_secs(120);
/// The programs, as cargo builds them.
const PROGRAMS: [&str; 3] = ["psa", "psa-helper", "sniffer"];

/// The three programs, running.
#[derive(Debug)]
pub struct Scratch {
    // Dropped in this order: the programs, then their folder.
    psa: Running,
    sniffer: Running,
    helper: Running,
    /// Where the PSA listens.
    pub server: SocketAddr,
    /// What the console would show.
    pub welcome: Welcome,
    /// The scratch root folder.
    pub root: PathBuf,
    _folder: Option<tempfile::TempDir>,
}

/// How to start them.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Keeps everything in this folder; otherwise it goes at the end.
    pub folder: Option<PathBuf>,
    /// Plays this capture in a loop; otherwise an office's traffic is made.
    pub capture: Option<PathBuf>,
    /// Listens on this port; otherwise on a free one.
    pub port: Option<u16>,
}

/// Where the programs are: `CALLWARD_BIN_DIR`, or beside the running program.
///
/// # Errors
/// When one of them is missing.
pub fn programs() -> Result<PathBuf> {
    let folder = match std::env::var_os("CALLWARD_BIN_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => {
            let this = std::env::current_exe()?;
            let folder = this.parent().context("the program's folder")?;
            // Test programs lie one folder deeper.
            if folder.ends_with("deps") { folder.parent().unwrap_or(folder).to_owned() } else { folder.to_owned() }
        }
    };
    for program in PROGRAMS {
        if !folder.join(program).is_file() {
            bail!(
                "no {program} in {}: cargo build -p psa -p psa-helper -p sniffer, or set CALLWARD_BIN_DIR",
                folder.display()
            );
        }
    }
    Ok(folder)
}

impl Scratch {
    /// Starts the three programs and waits until the PSA answers.
    ///
    /// # Errors
    /// When a program is missing or ends; the message has its log.
    pub fn start(settings: &Settings) -> Result<Self> {
        let temporary = match &settings.folder {
            Some(_) => None,
            None => Some(tempfile::Builder::new().prefix("callward-scratch-").tempdir()?),
        };
        let folder =
            settings.folder.as_deref().or(temporary.as_ref().map(tempfile::TempDir::path)).context("a folder")?;
        fs::create_dir_all(folder)?;
        let root = folder.join("root");
        // A folder that is kept may lie where only its owner reaches it.
        let privileges = if temporary.is_some() { Privileges::Nobody } else { Privileges::NoCapabilities };
        let place = Place { folder, root: &root, bin: &folder.join("bin"), privileges };
        place.prepare(settings)?;
        place.program("psa-helper").args(["--root"]).arg(&root).arg("prepare").run()?;
        let socket = root.join("run/psa-helper/helper.sock");
        let query = root.join("run/sniffer/query.sock");
        let serve = place.program("psa-helper").arg("--root").arg(&root).args(["serve", "--socket"]).arg(&socket);
        let mut helper = serve.log_to(folder.join("psa-helper.log")).start()?;
        let run = place.program("sniffer").args(["run", "--config"]).arg(folder.join("sniffer.json"));
        let run = run.arg("--replay").arg(folder.join("traffic.pcap")).arg("--loop");
        let mut sniffer = run.log_to(folder.join("sniffer.log")).start()?;
        wait_for_socket(&socket, &mut helper)?;
        wait_for_socket(&query, &mut sniffer)?;
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, settings.port.map_or_else(free_port, Ok)?));
        let serve = place.program("psa").args(["serve", "--listen", &server.to_string(), "--helper"]).arg(&socket);
        let mut psa = serve.arg("--sniffer").arg(&query).log_to(folder.join("psa.log")).start()?;
        let answer: Result<Answer> = https::wait_until_answers(server, START_LIMIT, || {
            helper.check()?;
            sniffer.check()?;
            psa.check()
        });
        answer.with_context(|| format!("the PSA's log:\n{}", psa.log_tail()))?;
        let welcome = read_console(&place, &socket)?;
        Ok(Self { psa, sniffer, helper, server, welcome, root, _folder: temporary })
    }

    /// An error when one of the programs has ended.
    ///
    /// # Errors
    /// With the end of its log.
    pub fn check(&mut self) -> Result<()> {
        self.helper.check()?;
        self.sniffer.check()?;
        self.psa.check()
    }

    /// The page's address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}/", self.server)
    }
}

struct Place<'a> {
    folder: &'a Path,
    root: &'a Path,
    bin: &'a Path,
    privileges: Privileges,
}

impl Place<'_> {
    fn program(&self, name: &str) -> Program {
        Program::new(self.bin.join(name)).env("RUST_LOG", "info").privileges(self.privileges)
    }

    /// Lays out the folder so that nobody can use it: a copy of the programs, since the build's folder may be closed to
    /// others, the sniffer's settings, the traffic.
    fn prepare(&self, settings: &Settings) -> Result<()> {
        let from = programs()?;
        fs::create_dir_all(self.bin)?;
        for program in PROGRAMS {
            let (source, copy) = (from.join(program), self.bin.join(program));
            // A link costs no room; across file systems it takes a copy.
            if copy.exists() {
                fs::remove_file(&copy)?;
            }
            fs::hard_link(&source, &copy)
                .or_else(|_| fs::copy(&source, &copy).map(drop))
                .context("copy the programs")?;
        }
        for folder in ["run/psa-helper", "run/sniffer", "capture/sniffer", "state", "etc"] {
            fs::create_dir_all(self.root.join(folder))?;
        }
        let traffic = self.folder.join("traffic.pcap");
        match &settings.capture {
            Some(capture) => fs::copy(capture, &traffic).map(drop).with_context(|| capture.display().to_string())?,
            None => {
                let made = Plan::office(1, 12, 20).make()?;
                write_pcap(fs::File::create(&traffic)?, clock::since_epoch(), &made.frames)?;
            }
        }
        let config = serde_json::json!({
            "ports": [],
            "store": self.root.join("capture/sniffer"),
            "socket": self.root.join("run/sniffer/query.sock"),
        });
        fs::write(self.folder.join("sniffer.json"), config.to_string())?;
        match self.privileges {
            Privileges::Nobody => give_to_nobody(self.folder),
            Privileges::Kept | Privileges::NoCapabilities => Ok(()),
        }
    }
}

/// Gives a folder and all in it to the user who runs the programs, where this is root.
fn give_to_nobody(folder: &Path) -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    let mut waiting = vec![folder.to_owned()];
    while let Some(path) = waiting.pop() {
        let kind = fs::symlink_metadata(&path)?;
        // Linked programs are shared with the build's folder: they keep their owner.
        if kind.is_file() && path.parent().is_some_and(|parent| parent.ends_with("bin")) {
            continue;
        }
        std::os::unix::fs::lchown(&path, Some(65534), Some(65534))?;
        if kind.is_dir() {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
            for entry in fs::read_dir(&path)? {
                waiting.push(entry?.path());
            }
        }
    }
    Ok(())
}

fn wait_for_socket(socket: &Path, program: &mut Running) -> Result<()> {
    let found = clock::wait_until(START_LIMIT, || {
        program.check()?;
        Ok::<_, anyhow::Error>(socket.exists().then_some(()))
    })?;
    found.with_context(|| format!("no socket {}\n{}", socket.display(), program.log_tail()))
}

/// Runs the appliance's console once and reads what it shows.
fn read_console(place: &Place<'_>, socket: &Path) -> Result<Welcome> {
    let shown = place.program("psa-helper").arg("--root").arg(place.root);
    let output = shown.args(["console", "--once", "--socket"]).arg(socket).run()?;
    let text = String::from_utf8_lossy(&output.stdout);
    console::parse(&text).with_context(|| format!("the console shows no fingerprint:\n{text}"))
}

impl Scratch {
    /// The audit's lines, oldest first. On the appliance nobody but the helper reads them.
    ///
    /// # Errors
    /// When there is no audit, or a line of it is no JSON.
    pub fn audit(&self) -> Result<Vec<serde_json::Value>> {
        let text = fs::read_to_string(self.root.join("state/psa-helper/audit.log")).context("read the audit")?;
        text.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
    }

    /// Whether a file that the helper rendered below its `run` folder has this text.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn rendered(&self, text: &str) -> Result<bool> {
        let mut waiting = vec![self.root.join("run")];
        while let Some(folder) = waiting.pop() {
            for entry in fs::read_dir(&folder)? {
                let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
                if kind.is_dir() {
                    waiting.push(path);
                } else if kind.is_file() && fs::read_to_string(&path).is_ok_and(|content| content.contains(text)) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}
