//! QEMU's arguments, and the folder of one run: its sockets, its copy of the firmware's variables, its log.

use super::boot::Boot;
use super::{MANAGEMENT_MAC, MONITORING_MAC};
use crate::clock;
use crate::process::{Program, Running};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::time::Duration;

const QEMU: &str = "/usr/bin/qemu-system-x86_64";
const FIRMWARE: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";
const FIRMWARE_VARIABLES: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";
/// QEMU makes its sockets before anything else; on a loaded machine that takes a moment.
const SOCKET_LIMIT: Duration = Duration::from_secs(60);

/// The folder of one run; it goes with the value.
#[derive(Debug)]
pub(super) struct RunFolder {
    folder: tempfile::TempDir,
}

impl RunFolder {
    pub(super) fn make(inside: Option<&Path>) -> Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("callward-machine-");
        let folder = inside.map_or_else(|| builder.tempdir(), |inside| builder.tempdir_in(inside));
        Ok(Self { folder: folder.context("make the machine's run folder")? })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// What QEMU is started with.
pub(super) struct Plan<'a> {
    pub boot: &'a Boot,
    pub disk: &'a Path,
    pub memory_mib: u32,
    pub port: u16,
    pub folder: &'a Path,
}

fn mac(bytes: [u8; 6]) -> String {
    bytes.map(|byte| format!("{byte:02x}")).join(":")
}

/// A random identity, as real firmware has one (RFC 9562, version 4).
fn uuid() -> Result<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/uuid").context("read a random UUID")?;
    Ok(text.trim().to_owned())
}

impl Plan<'_> {
    pub(super) fn program(&self) -> Result<Program> {
        let socket = |name: &str| self.folder.join(name).display().to_string();
        let mut program = Program::new(QEMU)
            .log_to(self.folder.join("qemu.log"))
            .args(["-nodefaults", "-no-user-config", "-display", "none", "-vga", "std", "-S"])
            // One processor: with two, the emulator now and then runs a kernel's breakpoint that another processor has
            // just patched away (static keys), and the guest dies of "Oops: int3" in its first seconds.
            .args(["-machine", "q35", "-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max", "-smp", "1"])
            .args(["-m", &self.memory_mib.to_string(), "-uuid", &uuid()?])
            .args(["-qmp", &format!("unix:{},server=on,wait=off", socket("qmp"))])
            .args(["-chardev", &format!("socket,id=serial,path={},server=on,wait=off", socket("serial"))])
            .args(["-serial", "chardev:serial", "-device", "virtio-rng-pci"])
            // Nothing else writes to the overlay, and a power cut here is QEMU's end, not this computer's.
            .args([
                "-drive",
                &format!("file={},format=qcow2,if=none,id=disk,cache=unsafe,discard=unmap", self.disk.display()),
            ])
            .args(["-device", "virtio-blk-pci,drive=disk,bootindex=1"])
            // The management network is a hub with three stations: QEMU's router, the appliance, and the harness.
            .args(["-netdev", &format!("user,id=router,restrict=on,hostfwd=tcp:127.0.0.1:{}-:443", self.port)])
            .args([
                "-netdev",
                &format!("stream,id=watcher,server=on,addr.type=unix,addr.path={}", socket("management")),
            ])
            .args(["-netdev", "hubport,id=hub-router,hubid=1,netdev=router"])
            .args(["-netdev", "hubport,id=hub-watcher,hubid=1,netdev=watcher"])
            .args(["-netdev", "hubport,id=management,hubid=1"])
            .args(["-device", &format!("virtio-net-pci,netdev=management,mac={},romfile=", mac(MANAGEMENT_MAC))])
            .args([
                "-netdev",
                &format!("stream,id=monitoring,server=on,addr.type=unix,addr.path={}", socket("monitoring")),
            ])
            .args(["-device", &format!("virtio-net-pci,netdev=monitoring,mac={},romfile=", mac(MONITORING_MAC))]);
        match self.boot {
            Boot::Kernel(image) => {
                program = program.arg("-kernel").arg(image.kernel()).args(["-append", &image.command_line()?]);
            }
            Boot::Foreign(system) => {
                program = program.arg("-kernel").arg(&system.kernel).args(["-append", &system.command_line]);
                program = program.arg("-initrd").arg(&system.initrd);
            }
            Boot::Firmware(_) => {
                let variables = self.folder.join("variables.fd");
                std::fs::copy(FIRMWARE_VARIABLES, &variables).context("copy the firmware's variables")?;
                program = program
                    .args(["-drive", &format!("if=pflash,format=raw,unit=0,readonly=on,file={FIRMWARE}")])
                    .args(["-drive", &format!("if=pflash,format=raw,unit=1,file={}", variables.display())]);
            }
        }
        Ok(program)
    }
}

/// Waits until QEMU has made a socket.
pub(super) fn wait_for_socket(qemu: &mut Running, socket: &Path) -> Result<PathBuf> {
    let found = clock::wait_until(SOCKET_LIMIT, || {
        qemu.check()?;
        // A path that exists may not be listened on yet.
        Ok::<_, anyhow::Error>(std::os::unix::net::UnixStream::connect(socket).is_ok().then(|| socket.to_owned()))
    })?;
    match found {
        Some(path) => Ok(path),
        None => bail!("QEMU made no socket {}", socket.display()),
    }
}
