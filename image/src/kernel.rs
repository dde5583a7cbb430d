//! Builds the kernel from Debian's source and the fragments of `image/kernel`. The result is kept in the cache under the
//! hash of everything that goes into it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::context::{Context, files_with_extension, read, write};
use crate::hash::Key;
use crate::kernel_config::KernelConfig;
use crate::system::Program;

/// Debian's package with the source, and the archive it holds.
const SOURCE_PACKAGE: &str = "linux-source-6.12";
const SOURCE_ARCHIVE: &str = "/usr/src/linux-source-6.12.tar.xz";
/// The kernel's own starting point; the fragments are laid over it.
const BASE: &str = "x86_64_defconfig";

/// A built kernel.
pub struct Kernel {
    /// The bzImage.
    pub image: PathBuf,
    /// Its release, as `uname -r` prints it.
    pub release: String,
}

/// Returns the kernel, from the cache where it is there.
///
/// # Errors
/// Fails when the build does, or when a symbol does not have the value that the fragments ask for.
pub fn kernel(context: &Context) -> Result<Kernel> {
    let fragments = fragments(&context.image().join("kernel"))?;
    let source = Program::new("/usr/bin/dpkg-query").args(["-W", "-f=${Version}", SOURCE_PACKAGE]).output()?;
    let compiler = Program::new("/usr/bin/gcc").arg("--version").output()?;
    let key = Key::default()
        .with("source", &source)
        .with("base", BASE)
        .with("fragments", fragments.print())
        .with("compiler", compiler.lines().next().unwrap_or_default())
        .with("name", &context.release.name)
        .with("epoch", context.release.epoch.to_string())
        .finish();
    let folder = context.cache.join(format!("kernel-{key}"));
    if !folder.join("bzImage").exists() {
        let work = context.cache.join(format!("kernel-build-{key}"));
        compile(context, &fragments, &work)?;
        keep(&work, &folder)?;
        fs::remove_dir_all(&work).with_context(|| format!("remove {}", work.display()))?;
    }
    let release = read(&folder.join("release"))?.trim().to_owned();
    Ok(Kernel { image: folder.join("bzImage"), release })
}

fn fragments(folder: &Path) -> Result<KernelConfig> {
    let mut all = KernelConfig::default();
    for path in files_with_extension(folder, "config")? {
        let fragment = KernelConfig::parse(&read(&path)?).with_context(|| format!("parse {}", path.display()))?;
        all.merge(fragment).with_context(|| format!("add {}", path.display()))?;
    }
    Ok(all)
}

fn compile(context: &Context, asked: &KernelConfig, work: &Path) -> Result<()> {
    if work.exists() {
        fs::remove_dir_all(work).with_context(|| format!("remove {}", work.display()))?;
    }
    fs::create_dir_all(work).with_context(|| format!("make {}", work.display()))?;
    Program::new("/usr/bin/tar")
        .args(["--extract", "--strip-components=1", "--file", SOURCE_ARCHIVE])
        .folder(work)
        .run()?;
    // As date prints it, because the kernel shows this text in its version.
    let epoch = format!("@{}", context.release.epoch);
    let built = Program::new("/usr/bin/date").env("LC_ALL", "C").args(["--utc", "--date", &epoch]).output()?;
    let make = |target: &str| {
        let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let name = &context.release.name;
        Program::new("/usr/bin/nice")
            .args(["-n", "10", "/usr/bin/make", &format!("-j{jobs}"), target])
            .folder(work)
            .env("LC_ALL", "C")
            .env("KBUILD_BUILD_TIMESTAMP", built.trim())
            .env("KBUILD_BUILD_USER", name)
            .env("KBUILD_BUILD_HOST", name)
            .env("KBUILD_BUILD_VERSION", "1")
            .run()
    };
    make(BASE)?;
    let config = work.join(".config");
    write(&config, format!("{}\n{}", read(&config)?, asked.print()))?;
    make("olddefconfig")?;
    let unmet = asked.unmet(&KernelConfig::parse(&read(&config)?)?);
    if !unmet.is_empty() {
        let list = unmet.iter().map(|unmet| format!("\n  {unmet}")).collect::<String>();
        bail!("the kernel's configuration is not what image/kernel asks for:{list}");
    }
    make("bzImage")
}

/// Moves the results into the cache; the image comes last, because its presence says that all is there.
fn keep(work: &Path, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    for (from, to) in
        [(".config", "config"), ("include/config/kernel.release", "release"), ("arch/x86/boot/bzImage", "bzImage")]
    {
        let target = folder.join(to);
        fs::copy(work.join(from), &target).with_context(|| format!("write {}", target.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::fragments;

    #[test]
    fn the_fragments_parse_and_no_symbol_is_in_two_of_them() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernel");
        let text = fragments(&folder).unwrap().print();
        assert!(text.contains("# CONFIG_MODULES is not set\n"), "{text}");
        assert!(text.contains("CONFIG_NETFILTER_EGRESS=y\n"), "{text}");
    }
}
