//! The kernel's command line and the one boot file (UKI) that carries kernel, command line and release.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::context::{Context, files_with_extension, read, write};
use crate::file_system::{BLOCK, VerifiedRoot};
use crate::fill::{Values, fill};
use crate::kernel::Kernel;
use crate::system::Program;

/// The kernel refuses a longer one (COMMAND_LINE_SIZE on x86).
const LONGEST: usize = 2047;
/// The part of the boot file that the firmware starts; from the package systemd-boot-efi.
const STUB: &str = "/usr/lib/systemd/boot/efi/linuxx64.efi.stub";

/// What the templates of `image/boot` and `image/disk` may name.
///
/// # Errors
/// Fails when the root hash is not one.
pub fn values(context: &Context, root: &VerifiedRoot) -> Result<Values> {
    let (data, tree) = root.partition_ids()?;
    Ok(Values::from([
        ("name", context.release.name.clone()),
        ("version", context.release.version.clone()),
        ("root_partuuid", data),
        ("verity_partuuid", tree),
        ("root_hash", root.root_hash.clone()),
        ("salt", root.salt().to_owned()),
        ("blocks", root.blocks.to_string()),
        ("sectors", (root.blocks * BLOCK / 512).to_string()),
    ]))
}

/// Joins the topics of `image/boot/*.cmdline` to one command line.
///
/// # Errors
/// Fails when a topic names an unknown value or when the line is longer than the kernel takes.
pub fn command_line(context: &Context, values: &Values) -> Result<String> {
    let mut topics = Vec::new();
    for path in files_with_extension(&context.image().join("boot"), "cmdline")? {
        topics.push(read(&path)?);
    }
    let line = fill(&join(&topics), values)?;
    if line.len() > LONGEST {
        bail!("the command line has {} bytes, the kernel takes {LONGEST}", line.len());
    }
    Ok(line)
}

fn join(topics: &[String]) -> String {
    let lines = topics.iter().flat_map(|topic| topic.lines()).map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect::<Vec<_>>().join(" ")
}

/// Makes the boot file in `out`, unsigned.
///
/// # Errors
/// Fails when ukify does.
pub fn boot_file(context: &Context, kernel: &Kernel, line: &str, out: &Path) -> Result<PathBuf> {
    let file = out.join(format!("{}.efi", context.release.name));
    write(&out.join("cmdline"), line)?;
    let os_release = out.join("os-release");
    write(&os_release, context.release.os_release())?;
    let at = |path: &Path| format!("@{}", path.display());
    Program::new("/usr/bin/ukify")
        .arg("build")
        .env("SOURCE_DATE_EPOCH", context.release.epoch.to_string())
        .option("linux", &kernel.image)
        .option("uname", &kernel.release)
        .option("stub", STUB)
        .option("efi-arch", "x64")
        .option("cmdline", at(&out.join("cmdline")))
        .option("os-release", at(&os_release))
        .option("output", &file)
        .run()?;
    std::fs::remove_file(&os_release).context("remove the copy of os-release")?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::join;

    #[test]
    fn topics_become_one_line_without_their_comments() {
        let topics = ["# root\nro\nroot=/dev/dm-0\n".to_owned(), "\n# screen\nconsole=tty0\n".to_owned()];
        assert_eq!(join(&topics), "ro root=/dev/dm-0 console=tty0");
    }
}
