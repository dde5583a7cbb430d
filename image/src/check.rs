//! Looks at a finished root file system, not at what the builder meant to put there: is it the allow-list, no more and
//! no less, and does everything in it find what it needs?

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::binaries::{BINARIES, target_path};
use crate::context::Context;
use crate::keep::{AllowList, Rule, link_target};
use crate::libraries::{read_in, resolve};
use crate::root::{OS_RELEASE, OVERLAY_README, walk};
use crate::system::Program;

/// Where links may point although nothing is there before the system runs.
const MADE_AT_RUN_TIME: [&str; 5] = ["/dev", "/proc", "/run", "/state", "/capture"];

/// One entry of the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A folder with its mode and whether root owns it.
    Folder { mode: u32, of_root: bool },
    /// A file; `head` is how its content starts.
    File { mode: u32, of_root: bool, head: Vec<u8> },
    /// A link with its target as written.
    Link(PathBuf),
    /// A device, pipe or socket.
    Other,
}

/// One thing wrong with a root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// In the root, but in no list.
    Unexpected(PathBuf),
    /// In a list, but not in the root.
    Missing(PathBuf),
    /// Not owned by root, or a mode with set-id, sticky or foreign write bits.
    Permissions(PathBuf, u32),
    /// Wants an interpreter; the root has none.
    Script(PathBuf),
    /// Points to nothing.
    Dangling(PathBuf, PathBuf),
    /// A library or a symbol version is not there.
    Library(String),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected(path) => write!(f, "{}: in the root but in no list", path.display()),
            Self::Missing(path) => write!(f, "{}: in a list but not in the root", path.display()),
            Self::Permissions(path, mode) => write!(f, "{}: mode {mode:04o}, or not of root", path.display()),
            Self::Script(path) => write!(f, "{}: wants an interpreter", path.display()),
            Self::Dangling(path, target) => {
                write!(f, "{}: points to {}, nothing there", path.display(), target.display())
            }
            Self::Library(text) => f.write_str(text),
        }
    }
}

/// Checks the root of an earlier build.
///
/// # Errors
/// Fails with every finding, or when the image cannot be unpacked.
pub fn check_build(context: &Context, out: &Path) -> Result<()> {
    let unpacked = tempfile::tempdir_in(&context.cache).context("make a folder to unpack in")?;
    let tree = unpacked.path().join("root");
    Program::new("/usr/bin/fsck.erofs").option("extract", &tree).arg(out.join("root.erofs")).run()?;
    let (list, own) = allowed(context)?;
    let entries = entries(&tree)?;
    let mut findings = compare(&entries, &list, &own);
    let objects = entries.iter().filter_map(|(path, entry)| match entry {
        Entry::File { head, .. } if head.starts_with(b"\x7fELF") => Some(path.clone()),
        Entry::File { .. } | Entry::Folder { .. } | Entry::Link(_) | Entry::Other => None,
    });
    if let Err(error) = resolve(objects, |path| read_in(&tree, path)) {
        findings.insert(Finding::Library(format!("{error:#}")));
    }
    if findings.is_empty() {
        eprintln!("   {} files and folders, each one allowed", entries.len());
        return Ok(());
    }
    let text = findings.iter().map(|finding| format!("\n  {finding}")).collect::<String>();
    bail!("the root is not what image/keep and rootfs-overlay say:{text}")
}

/// The lists for Debian's files, and the paths of our own.
fn allowed(context: &Context) -> Result<(AllowList, BTreeSet<PathBuf>)> {
    let mut own = BTreeSet::from([PathBuf::from(OS_RELEASE)]);
    own.extend(BINARIES.iter().map(|binary| target_path(binary)));
    let overlay = context.overlay();
    for path in walk(&overlay)? {
        let on_target = path.strip_prefix(&overlay).context("walk left the overlay")?;
        if on_target != Path::new(OVERLAY_README) {
            own.insert(Path::new("/").join(on_target));
        }
    }
    Ok((AllowList::read(context)?, own))
}

/// Compares a root with its lists. `own` is what must be there besides Debian's files.
pub fn compare(entries: &BTreeMap<PathBuf, Entry>, list: &AllowList, own: &BTreeSet<PathBuf>) -> BTreeSet<Finding> {
    let allowed = everything_allowed(entries, list, own);
    let mut findings = BTreeSet::new();
    for (path, entry) in entries {
        if !allowed.allows(path) {
            findings.insert(Finding::Unexpected(path.clone()));
        }
        match entry {
            Entry::Folder { mode, of_root } if *mode != 0o755 || !of_root => {
                findings.insert(Finding::Permissions(path.clone(), *mode));
            }
            Entry::File { mode, of_root, head } => {
                if !matches!(*mode, 0o644 | 0o755) || !of_root {
                    findings.insert(Finding::Permissions(path.clone(), *mode));
                }
                if head.starts_with(b"#!") && *mode == 0o755 {
                    findings.insert(Finding::Script(path.clone()));
                }
            }
            Entry::Link(target) => {
                let target = link_target(path, target);
                if !exists(entries, &target) {
                    findings.insert(Finding::Dangling(path.clone(), target));
                }
            }
            Entry::Folder { .. } => {}
            Entry::Other => {
                findings.insert(Finding::Unexpected(path.clone()));
            }
        }
    }
    let wanted = list.rules.iter().map(Rule::path).chain(own.iter().map(PathBuf::as_path));
    findings.extend(wanted.filter(|path| !entries.contains_key(*path)).map(|path| Finding::Missing(path.to_owned())));
    findings
}

/// The lists, with what allowed links point to and the files that carry an allowed library's name.
fn everything_allowed(entries: &BTreeMap<PathBuf, Entry>, list: &AllowList, own: &BTreeSet<PathBuf>) -> AllowList {
    let mut allowed = AllowList { rules: list.rules.clone(), libraries: BTreeSet::new() };
    own.iter().for_each(|path| allowed.add(path.clone()));
    for path in entries.keys() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.starts_with("/usr/lib") && list.libraries.contains(name.as_ref()) {
            allowed.add(path.clone());
        }
    }
    // A link may point to a link: as many rounds as chains are long.
    loop {
        let before = allowed.rules.len();
        for (path, entry) in entries {
            if let Entry::Link(target) = entry
                && allowed.allows(path)
            {
                allowed.add(link_target(path, target));
            }
        }
        if allowed.rules.len() == before {
            return allowed;
        }
    }
}

/// Says whether a path is there or will be, when parts of it may be links.
fn exists(entries: &BTreeMap<PathBuf, Entry>, path: &Path) -> bool {
    let mut real = PathBuf::from("/");
    for part in path.iter().skip(1) {
        real.push(part);
        for _ in 0..16 {
            let Some(Entry::Link(target)) = entries.get(&real) else { break };
            real = link_target(&real, target);
        }
    }
    entries.contains_key(&real) || MADE_AT_RUN_TIME.iter().any(|folder| real.starts_with(folder))
}

/// Reads every entry of an unpacked root.
fn entries(tree: &Path) -> Result<BTreeMap<PathBuf, Entry>> {
    let mut entries = BTreeMap::new();
    let mut open = vec![tree.to_owned()];
    while let Some(folder) = open.pop() {
        for found in fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))? {
            let path = found.with_context(|| format!("list {}", folder.display()))?.path();
            let metadata = fs::symlink_metadata(&path).with_context(|| format!("look at {}", path.display()))?;
            let (mode, of_root) = (metadata.permissions().mode() & 0o7777, metadata.uid() == 0 && metadata.gid() == 0);
            let entry = if metadata.is_dir() {
                open.push(path.clone());
                Entry::Folder { mode, of_root }
            } else if metadata.is_symlink() {
                Entry::Link(fs::read_link(&path).with_context(|| format!("read {}", path.display()))?)
            } else if metadata.is_file() {
                let mut head = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
                head.truncate(4);
                Entry::File { mode, of_root, head }
            } else {
                Entry::Other
            };
            entries.insert(Path::new("/").join(path.strip_prefix(tree).context("walk left the tree")?), entry);
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::PathBuf;

    use super::{Entry, Finding, compare};
    use crate::keep::{AllowList, Rule};

    fn folder() -> Entry {
        Entry::Folder { mode: 0o755, of_root: true }
    }

    fn file(mode: u32, head: &[u8]) -> Entry {
        Entry::File { mode, of_root: true, head: head.to_vec() }
    }

    fn good_root() -> (BTreeMap<PathBuf, Entry>, AllowList, BTreeSet<PathBuf>) {
        let entries = [
            ("/usr", folder()),
            ("/usr/bin", folder()),
            ("/usr/bin/psa", file(0o755, b"\x7fELF")),
            ("/usr/lib", folder()),
            ("/usr/lib/libz.so.1", Entry::Link("libz.so.1.3".into())),
            ("/usr/lib/libz.so.1.3", file(0o644, b"\x7fELF")),
            ("/bin", Entry::Link("usr/bin".into())),
            ("/etc", folder()),
            ("/etc/localtime", Entry::Link("/run/callward/localtime".into())),
            ("/proc", folder()),
        ];
        let rules = ["/bin", "/proc/"].map(|line| Rule::parse(line).unwrap());
        (
            entries.map(|(path, entry)| (path.into(), entry)).into(),
            AllowList { rules: rules.into(), libraries: BTreeSet::from(["libz.so.1".to_owned()]) },
            BTreeSet::from(["/usr/bin/psa".into(), "/etc/localtime".into()]),
        )
    }

    fn findings_after(change: impl FnOnce(&mut BTreeMap<PathBuf, Entry>)) -> Vec<Finding> {
        let (mut entries, list, own) = good_root();
        change(&mut entries);
        compare(&entries, &list, &own).into_iter().collect()
    }

    #[test]
    fn a_root_that_is_its_lists_has_no_findings() {
        assert_eq!(findings_after(|_| {}), []);
    }

    #[test]
    fn a_file_in_no_list_is_found() {
        let found = findings_after(|root| drop(root.insert("/usr/bin/sh".into(), file(0o755, b"\x7fELF"))));
        assert_eq!(found, [Finding::Unexpected("/usr/bin/sh".into())]);
    }

    #[test]
    fn a_listed_file_that_is_not_there_is_found() {
        let found = findings_after(|root| drop(root.remove(&PathBuf::from("/usr/bin/psa"))));
        assert_eq!(found, [Finding::Missing("/usr/bin/psa".into())]);
    }

    #[test]
    fn a_setuid_file_and_a_foreign_owner_are_found() {
        let found = findings_after(|root| drop(root.insert("/usr/bin/psa".into(), file(0o4755, b"\x7fELF"))));
        assert_eq!(found, [Finding::Permissions("/usr/bin/psa".into(), 0o4755)]);
        let foreign = Entry::Folder { mode: 0o755, of_root: false };
        let found = findings_after(|root| drop(root.insert("/proc".into(), foreign)));
        assert_eq!(found, [Finding::Permissions("/proc".into(), 0o755)]);
    }

    #[test]
    fn a_script_is_found() {
        let found = findings_after(|root| drop(root.insert("/usr/bin/psa".into(), file(0o755, b"#!/b"))));
        assert_eq!(found, [Finding::Script("/usr/bin/psa".into())]);
    }

    #[test]
    fn a_link_to_nothing_is_found() {
        let found = findings_after(|root| drop(root.remove(&PathBuf::from("/usr/lib/libz.so.1.3"))));
        assert_eq!(found, [Finding::Dangling("/usr/lib/libz.so.1".into(), "/usr/lib/libz.so.1.3".into())]);
    }
}
