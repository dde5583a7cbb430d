//! Debian's packages: which ones, extracted by mmdebstrap from the tools tree's own mirror, compared with the lock.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::context::{Context, files_with_extension, read, write};
use crate::hash::{Key, sha256_file};
use crate::lock::{Lock, Pinned, package_of};
use crate::system::Program;

/// The list that makes the tools tree: nothing of it reaches the image.
const TOOLS_LIST: &str = "tools.list";

/// An extracted tree of packages and what it was made of.
pub struct Tree {
    /// The folder with the extracted files.
    pub folder: PathBuf,
    /// What was extracted.
    pub packages: Lock,
}

/// Reads a list of packages: one name a line, `#` starts a comment.
pub fn parse_list(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter_map(|line| line.split('#').next())
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Returns the extracted tree, from the cache where it is there, after comparing it with the lock file.
///
/// # Errors
/// Fails when mmdebstrap does, and on drift unless `allow_drift`; the error lists what moved and how to relock.
pub fn tree(context: &Context, allow_drift: bool) -> Result<Tree> {
    let lock_path = context.image().join("packages/lock.tsv");
    let lock_text = if lock_path.exists() { read(&lock_path)? } else { String::new() };
    let wanted = wanted(context)?;
    let folder = cached(context, &wanted, &lock_text);
    if !folder.join("found.tsv").exists() {
        extract(&wanted, &folder)?;
    }
    let packages = Lock::parse(&read(&folder.join("found.tsv"))?)?;
    let drift = Lock::parse(&lock_text)?.drift(&packages);
    if !drift.is_empty() {
        let list = drift.iter().map(|drift| format!("  {drift}\n")).collect::<String>();
        if !allow_drift {
            bail!(
                "the mirror's packages are not those of image/packages/lock.tsv:\n{list}To take the newer ones, run \
                 'callward-image relock' and commit the lock file; to go on once without, give --allow-drift."
            );
        }
        eprintln!("   building with packages that are not those of the lock file:\n{list}");
    }
    Ok(Tree { folder: folder.join("tree"), packages })
}

/// Extracts afresh and writes the lock file from what the mirror has.
///
/// # Errors
/// Fails when mmdebstrap does or the lock file cannot be written.
pub fn relock(context: &Context) -> Result<()> {
    let folder = context.cache.join("packages-relock");
    let wanted = wanted(context)?;
    extract(&wanted, &folder)?;
    let found = Lock::parse(&read(&folder.join("found.tsv"))?)?;
    let path = context.image().join("packages/lock.tsv");
    let before = if path.exists() { Lock::parse(&read(&path)?)? } else { Lock::default() };
    for drift in before.drift(&found) {
        eprintln!("   {drift}");
    }
    write(&path, found.print())?;
    eprintln!("   locked {} packages", found.0.len());
    // The next build finds the tree where it looks for it.
    let cached = cached(context, &wanted, &found.print());
    if cached.exists() {
        fs::remove_dir_all(&cached).with_context(|| format!("remove {}", cached.display()))?;
    }
    fs::rename(&folder, &cached).with_context(|| format!("name {}", cached.display()))
}

/// Where the tree of these packages under this lock file is kept.
fn cached(context: &Context, wanted: &BTreeSet<String>, lock: &str) -> PathBuf {
    let key = Key::default().with("packages", join(wanted)).with("lock", lock).finish();
    context.cache.join(format!("packages-{key}"))
}

fn wanted(context: &Context) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for path in files_with_extension(&context.image().join("packages"), "list")? {
        if path.file_name().is_none_or(|name| name != TOOLS_LIST) {
            names.append(&mut parse_list(&read(&path)?));
        }
    }
    Ok(names)
}

fn join(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(",")
}

/// Extracts packages and their dependencies, runs none of their scripts, and notes the bytes of each package.
fn extract(wanted: &BTreeSet<String>, folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    let tree = folder.join("tree");
    debian(&tree, "extract", &join(wanted), &["cleanup/apt"])?;
    let archives = tree.join("var/cache/apt/archives");
    let mut found = Lock::default();
    for deb in files_with_extension(&archives, "deb")? {
        let file_name = deb.file_name().unwrap_or_default().to_string_lossy();
        let (name, version) = package_of(&file_name)?;
        found.0.insert(name, Pinned { version, sha256: sha256_file(&deb)? });
        fs::remove_file(&deb).with_context(|| format!("remove {}", deb.display()))?;
    }
    if found.0.is_empty() {
        bail!("mmdebstrap left no packages in {}", archives.display());
    }
    write(&folder.join("found.tsv"), found.print())
}

/// Runs mmdebstrap for Debian 13 with the tools tree's own sources.
///
/// # Errors
/// Fails when the tools tree names no sources, or mmdebstrap fails.
pub fn debian(target: &Path, variant: &str, include: &str, skip: &[&str]) -> Result<()> {
    let mut sources = files_with_extension(Path::new("/etc/apt/sources.list.d"), "list")?;
    let single = PathBuf::from("/etc/apt/sources.list");
    if single.exists() {
        sources.push(single);
    }
    if sources.is_empty() {
        bail!("this tree's apt names no mirror; run this through scripts/tools");
    }
    let skip = skip.iter().fold(String::from("check/empty"), |list, step| format!("{list},{step}"));
    Program::new("/usr/bin/mmdebstrap")
        .option("variant", variant)
        .option("aptopt", "APT::Install-Recommends \"false\"")
        .option("skip", skip)
        .option("include", include)
        .arg("trixie")
        .arg(target)
        .args(sources)
        .run()
}

#[cfg(test)]
mod tests {
    use super::parse_list;

    #[test]
    fn a_list_may_carry_comments_and_empty_lines() {
        let names = parse_list("# time\nchrony # with NTS\n\n  nftables\n");
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["chrony", "nftables"]);
    }
}
