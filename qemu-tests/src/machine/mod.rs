//! One appliance under QEMU: its disk, its two cables, its console and its power button. QEMU ends, and its folder
//! goes, when the value is dropped. Emulation only (TCG): KVM opens on some machines and then hangs.

mod boot;
mod disk;
mod launch;

pub use boot::{Boot, Foreign, Image};
pub use disk::{Overlay, Partition, partitions};

use crate::clock;
use crate::console::{self, Welcome};
use crate::https::{self, Certificate};
use crate::process::Running;
use crate::qmp::{Command, Qmp};
use crate::serial::Serial;
use crate::wire::Wire;
use anyhow::{Context, Result};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// A boot under emulation on a loaded computer; ten times what an idle one needs.
pub const BOOT_LIMIT: Duration = Duration::from_secs(600);
/// How long the emulator is watched after its start. Once in some hundred starts it dies of its own fault (QEMU 10.0,
/// SIGSEGV, before the machine has run an instruction); firmware or kernel speak sooner than this.
const START_WATCH: Duration = Duration::from_secs(3);
/// How often the emulator is started before its death is an error.
const STARTS: u32 = 3;
/// The appliance's Ethernet addresses: management first, as its first port.
pub const MANAGEMENT_MAC: [u8; 6] = [0x52, 0x54, 0x00, 0xca, 0x11, 0x01];
/// The monitoring port's.
pub const MONITORING_MAC: [u8; 6] = [0x52, 0x54, 0x00, 0xca, 0x11, 0x02];

/// How to make a machine.
#[derive(Debug, Clone)]
pub struct Builder {
    boot: Boot,
    overlay: Option<PathBuf>,
    memory_mib: u32,
    run_folder: Option<PathBuf>,
    port: Option<u16>,
}

/// A machine that runs.
#[derive(Debug)]
pub struct Machine {
    // Dropped in this order: QEMU first, then its folder.
    qemu: Running,
    qmp: Qmp,
    /// Its serial console.
    pub serial: Serial,
    /// The cable into its monitoring port.
    pub monitoring: Wire,
    /// A second station on the management port's network, beside the one that gives it its address.
    pub management: Wire,
    /// Where the PSA is reached from this computer.
    pub psa: SocketAddr,
    /// When its processors started.
    pub powered_on: Instant,
    /// Its disk, which outlives the machine where the builder named it.
    pub disk: PathBuf,
    _folder: launch::RunFolder,
}

impl Machine {
    /// How to make a machine that boots in this way.
    #[must_use]
    pub fn builder(boot: Boot) -> Builder {
        Builder { boot, overlay: None, memory_mib: 1536, run_folder: None, port: None }
    }

    /// Waits for the console's welcome with a setup code.
    ///
    /// # Errors
    /// When the boot fails or takes too long.
    pub fn wait_for_setup(&self) -> Result<Welcome> {
        console::wait_for_setup(&self.serial, 0, BOOT_LIMIT)
    }

    /// Waits until the PSA answers, and says how long after power-on that was.
    ///
    /// # Errors
    /// When the boot fails or takes too long; the message has the console's end.
    pub fn wait_for_psa(&mut self) -> Result<Duration> {
        self.wait_for_psa_after(0)
    }

    /// As [`Machine::wait_for_psa`], for a boot whose console begins at `mark`.
    ///
    /// # Errors
    /// As [`Machine::wait_for_psa`].
    pub fn wait_for_psa_after(&mut self, mark: usize) -> Result<Duration> {
        let Self { qemu, serial, psa, powered_on, .. } = self;
        https::wait_until_answers(*psa, BOOT_LIMIT, || {
            qemu.check()?;
            // Nothing to wait for on the console: only a line of failure ends this.
            match serial.failure_after(mark) {
                Some(line) => Err(anyhow::anyhow!("the boot failed: {line:?}")),
                None => Ok(()),
            }
        })
        .with_context(|| format!("the console's end:\n{}", crate::process::tail(&serial.text(), 60)))?;
        Ok(crate::clock::now().duration_since(*powered_on))
    }

    /// The PSA's certificate, where it is the one that the console names.
    ///
    /// # Errors
    /// When no TLS server answers, or it shows another certificate.
    pub fn certificate(&self, welcome: &Welcome) -> Result<Certificate> {
        https::expect_certificate(self.psa, &welcome.fingerprint)
    }

    /// Presses a button.
    ///
    /// # Errors
    /// When QEMU refuses or is gone.
    pub fn press(&mut self, command: Command<'_>) -> Result<()> {
        if matches!(command, Command::Reset | Command::Continue) {
            self.powered_on = crate::clock::now();
        }
        self.qmp.tell(command)
    }

    /// The machine's state as QEMU names it.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn status(&mut self) -> Result<String> {
        self.qmp.status()
    }

    /// Cuts the power.
    ///
    /// # Errors
    /// When QEMU does not end.
    pub fn cut_power(mut self) -> Result<()> {
        self.qmp.tell(Command::Quit)?;
        self.qemu.wait(Duration::from_secs(60)).map(drop)
    }

    /// Waits for the machine's first words, for a moment. Says how QEMU ended where a signal ended it instead.
    fn first_words(&mut self) -> Result<Option<ExitStatus>> {
        let Self { qemu, serial, .. } = self;
        let outcome = clock::wait_until(START_WATCH, || match qemu.ended()? {
            Some(status) if status.signal().is_some() => Ok::<_, anyhow::Error>(Some(Some(status))),
            Some(_) => Ok(Some(None)),
            None => Ok((serial.mark() > 0).then_some(None)),
        })?;
        Ok(outcome.flatten())
    }

    /// QEMU's process id.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.qemu.id()
    }

    /// An error when QEMU has ended.
    ///
    /// # Errors
    /// When QEMU has ended.
    pub fn check(&mut self) -> Result<()> {
        self.qemu.check()
    }
}

impl Builder {
    /// Uses and keeps this disk overlay; it is made where it is missing. Without, the machine gets one that goes with it.
    #[must_use]
    pub fn disk(mut self, overlay: impl AsRef<Path>) -> Self {
        self.overlay = Some(overlay.as_ref().to_owned());
        self
    }

    /// Gives it so much memory, in MiB.
    #[must_use]
    pub fn memory_mib(mut self, memory: u32) -> Self {
        self.memory_mib = memory;
        self
    }

    /// Serves the PSA on this port of this computer, instead of on a free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Starts it, once more where the emulator itself dies at its start: that says nothing of the appliance.
    ///
    /// # Errors
    /// When a file of the image is missing, or QEMU does not start.
    pub fn start(self) -> Result<Machine> {
        for start in 1..STARTS {
            let mut machine = self.start_once()?;
            match machine.first_words()? {
                None => return Ok(machine),
                Some(status) => {
                    eprintln!("EMULATOR ended with {status} at start {start} of {STARTS}: starting it again")
                }
            }
        }
        self.start_once()
    }

    fn start_once(&self) -> Result<Machine> {
        let folder = launch::RunFolder::make(self.run_folder.as_deref())?;
        let disk = match &self.overlay {
            Some(path) if path.exists() => path.clone(),
            Some(path) => Overlay::make(&self.boot.disk(), path)?.path,
            None => Overlay::make(&self.boot.disk(), &folder.path().join("disk.qcow2"))?.path,
        };
        let port = self.port.map_or_else(free_port, Ok)?;
        let plan =
            launch::Plan { boot: &self.boot, disk: &disk, memory_mib: self.memory_mib, port, folder: folder.path() };
        let mut qemu = plan.program()?.start()?;
        let started = (|| {
            let mut qmp = Qmp::connect(&launch::wait_for_socket(&mut qemu, &folder.path().join("qmp"))?)?;
            let serial = Serial::connect(&folder.path().join("serial"))?;
            let monitoring = Wire::connect(&folder.path().join("monitoring"))?;
            let management = Wire::connect(&folder.path().join("management"))?;
            let powered_on = crate::clock::now();
            qmp.tell(Command::Continue)?;
            Ok::<_, anyhow::Error>((qmp, serial, monitoring, management, powered_on))
        })();
        let (qmp, serial, monitoring, management, powered_on) = started.with_context(|| qemu.log_tail())?;
        let psa = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Ok(Machine { qemu, qmp, serial, monitoring, management, psa, powered_on, disk, _folder: folder })
    }
}

/// A TCP port of the loopback address that nobody listens on.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Result<u16> {
    // The kernel does not give the same port again at once, so that it is still free a moment later.
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}
