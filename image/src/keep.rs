//! The allow-list: which files of Debian's packages survive into the root. Nothing else does.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use anyhow::{Result, bail};

use crate::context::{Context, files_with_extension, read};

/// One line of an allow-list. Paths are absolute, as on the target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// This file; where it is a link to a file, that file too.
    File(PathBuf),
    /// This folder with everything below it (`/usr/share/zoneinfo/**`).
    Below(PathBuf),
    /// An empty folder, to mount something on (`/proc/`).
    Folder(PathBuf),
}

impl Rule {
    /// Parses one line.
    ///
    /// # Errors
    /// Fails when the path is not absolute and plain.
    pub fn parse(line: &str) -> Result<Self> {
        let (path, rule): (&str, fn(PathBuf) -> Self) = match (line.strip_suffix("/**"), line.strip_suffix('/')) {
            (Some(path), _) => (path, Self::Below),
            (None, Some(path)) => (path, Self::Folder),
            (None, None) => (line, Self::File),
        };
        let plain = Path::new(path).components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
        if !path.starts_with('/') || !plain || path.contains(['*', '?', '[']) || path == "/" {
            bail!("not a line for an allow-list: {line:?}");
        }
        Ok(rule(PathBuf::from(path)))
    }

    /// The path the rule is about.
    pub fn path(&self) -> &Path {
        match self {
            Self::File(path) | Self::Below(path) | Self::Folder(path) => path,
        }
    }
}

/// What may be in the root.
#[derive(Debug, Default)]
pub struct AllowList {
    /// Files and folders of Debian's packages, and folders to mount on.
    pub rules: BTreeSet<Rule>,
    /// Sonames of the shared libraries that programs may pull in.
    pub libraries: BTreeSet<String>,
}

impl AllowList {
    /// Reads `image/keep/*.keep` and `image/keep/libraries.txt`.
    ///
    /// # Errors
    /// Fails when a list cannot be read or holds a line of another form.
    pub fn read(context: &Context) -> Result<Self> {
        let folder = context.image().join("keep");
        let mut list = Self::default();
        for path in files_with_extension(&folder, "keep")? {
            for line in lines(&read(&path)?) {
                list.rules.insert(Rule::parse(line)?);
            }
        }
        list.libraries = lines(&read(&folder.join("libraries.txt"))?).map(str::to_owned).collect();
        Ok(list)
    }

    /// Says whether a path is allowed by itself or as a folder on the way to something allowed.
    pub fn allows(&self, path: &Path) -> bool {
        self.rules.iter().any(|rule| match rule {
            Rule::Below(below) => path.starts_with(below) || below.starts_with(path),
            Rule::File(allowed) | Rule::Folder(allowed) => allowed.starts_with(path),
        })
    }

    /// Adds one file.
    pub fn add(&mut self, path: PathBuf) {
        self.rules.insert(Rule::File(path));
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.split('#').next()).map(str::trim).filter(|line| !line.is_empty())
}

/// Resolves a link's target against the link's own folder, without touching the disk.
pub fn link_target(link: &Path, target: &Path) -> PathBuf {
    let mut resolved = PathBuf::from("/");
    let start = link.parent().unwrap_or(Path::new("/"));
    for part in start.join(target).components() {
        match part {
            Component::Normal(name) => resolved.push(name),
            Component::ParentDir => {
                resolved.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    resolved
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{AllowList, Rule, link_target};

    #[test]
    fn the_three_forms_of_a_line() {
        assert_eq!(Rule::parse("/usr/sbin/nft").unwrap(), Rule::File("/usr/sbin/nft".into()));
        assert_eq!(Rule::parse("/usr/share/zoneinfo/**").unwrap(), Rule::Below("/usr/share/zoneinfo".into()));
        assert_eq!(Rule::parse("/proc/").unwrap(), Rule::Folder("/proc".into()));
        for wrong in ["usr/bin", "/usr/../etc", "/usr/*", "/", "/**", "/a/*/b"] {
            assert!(Rule::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_listed_is_not_allowed() {
        let rules = ["/usr/sbin/nft", "/usr/share/zoneinfo/**"].map(|line| Rule::parse(line).unwrap());
        let list = AllowList { rules: rules.into(), ..AllowList::default() };
        for allowed in ["/usr", "/usr/sbin", "/usr/sbin/nft", "/usr/share/zoneinfo/Europe/Berlin"] {
            assert!(list.allows(Path::new(allowed)), "{allowed}");
        }
        for refused in ["/usr/sbin/nft2", "/usr/sbin/nft/x", "/usr/bin", "/usr/share/zoneinfo2"] {
            assert!(!list.allows(Path::new(refused)), "{refused}");
        }
    }

    #[test]
    fn a_links_target_is_found_from_its_own_folder() {
        let target = |link, target| link_target(Path::new(link), Path::new(target));
        assert_eq!(target("/usr/lib/libz.so.1", "libz.so.1.3"), PathBuf::from("/usr/lib/libz.so.1.3"));
        assert_eq!(target("/etc/os-release", "../usr/lib/os-release"), PathBuf::from("/usr/lib/os-release"));
        assert_eq!(target("/etc/localtime", "/run/callward/localtime"), PathBuf::from("/run/callward/localtime"));
    }
}
