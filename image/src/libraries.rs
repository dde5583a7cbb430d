//! Finds the shared libraries that programs pull in, the way the loader does without its cache.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::elf;

/// Where Debian's loader looks by itself.
const DEFAULT_FOLDERS: [&str; 2] = ["/usr/lib/x86_64-linux-gnu", "/usr/lib"];

/// A shared library that something in the root needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// Its path on the target, the one that carries the soname.
    pub path: PathBuf,
    /// The programs and libraries that are linked with it.
    pub needed_by: BTreeSet<String>,
}

/// Finds every library that the objects need, directly or through others, by soname.
///
/// `read` gives the bytes of a path on the target, or nothing where there is none.
///
/// # Errors
/// Fails when a library is nowhere, when a library lacks a symbol version that is asked of it, or on a damaged file.
pub fn resolve(
    objects: impl IntoIterator<Item = PathBuf>,
    read: impl Fn(&Path) -> Result<Option<Vec<u8>>>,
) -> Result<BTreeMap<String, Library>> {
    let mut libraries: BTreeMap<String, Library> = BTreeMap::new();
    let mut offered: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut wanted: BTreeSet<(String, String, String)> = BTreeSet::new();
    let mut open: Vec<PathBuf> = objects.into_iter().collect();
    let mut postponed: Vec<(String, String)> = Vec::new();
    while let Some(path) = open.pop() {
        let bytes = read(&path)?.with_context(|| format!("{} is not there", path.display()))?;
        let Some(object) = elf::parse(&bytes).with_context(|| format!("read {}", path.display()))? else { continue };
        let user = path.display().to_string();
        let own_name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        offered.insert(own_name, object.offered_versions);
        wanted.extend(object.wanted_versions.into_iter().map(|(library, version)| (library, version, user.clone())));
        let loader = object.interpreter.as_deref().and_then(|path| path.rsplit('/').next()).map(str::to_owned);
        for soname in object.needed.into_iter().chain(loader) {
            if let Some(library) = libraries.get_mut(&soname) {
                library.needed_by.insert(user.clone());
                continue;
            }
            let folders = object.search.iter().map(String::as_str).chain(DEFAULT_FOLDERS);
            let Some(found) = find(&soname, folders, &read)? else {
                postponed.push((user.clone(), soname));
                continue;
            };
            open.push(found.clone());
            libraries.insert(soname, Library { path: found, needed_by: BTreeSet::from([user.clone()]) });
        }
    }
    // The loader takes a library that the program has already loaded, wherever that one was found.
    for (user, soname) in postponed {
        let Some(library) = libraries.get_mut(&soname) else { bail!("{user} needs {soname}, which is nowhere") };
        library.needed_by.insert(user);
    }
    for (library, version, user) in wanted {
        // The private versions of a library are looked up among the files that carry its soname.
        if !offered.get(&library).is_some_and(|versions| versions.contains(&version)) {
            bail!("{user} wants {version} of {library}, which the root's {library} does not have");
        }
    }
    Ok(libraries)
}

fn find<'a>(
    soname: &str,
    folders: impl Iterator<Item = &'a str>,
    read: impl Fn(&Path) -> Result<Option<Vec<u8>>>,
) -> Result<Option<PathBuf>> {
    for folder in folders {
        let path = Path::new(folder).join(soname);
        if read(&path)?.is_some() {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Reads a path on the target from the folder that holds the target's tree, following links inside that tree.
///
/// # Errors
/// Fails when the file is there but cannot be read, or on a chain of more than 16 links.
pub fn read_in(tree: &Path, path: &Path) -> Result<Option<Vec<u8>>> {
    let mut path = path.to_owned();
    for _ in 0..16 {
        let on_disk = crate::root::below(tree, &path);
        match std::fs::symlink_metadata(&on_disk) {
            Ok(metadata) if metadata.is_symlink() => {
                let target = std::fs::read_link(&on_disk).with_context(|| format!("read {}", on_disk.display()))?;
                path = crate::keep::link_target(&path, &target);
            }
            Ok(metadata) if metadata.is_file() => {
                return std::fs::read(&on_disk).map(Some).with_context(|| format!("read {}", on_disk.display()));
            }
            Ok(_) | Err(_) => return Ok(None),
        }
    }
    bail!("too many links at {}", path.display())
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{read_in, resolve};

    fn of_this_machine(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
        read_in(Path::new("/"), path)
    }

    #[test]
    fn the_libraries_of_a_program_are_found_with_its_loader() {
        let libraries = resolve([PathBuf::from("/usr/sbin/nft")], of_this_machine).unwrap();
        assert!(libraries.contains_key("ld-linux-x86-64.so.2"), "{libraries:?}");
        assert!(libraries["libnftnl.so.11"].needed_by.iter().any(|user| user.contains("libnftables")), "{libraries:?}");
    }

    #[test]
    fn a_library_that_is_nowhere_is_named_with_its_user() {
        let without = |path: &Path| if path.ends_with("libnftnl.so.11") { Ok(None) } else { of_this_machine(path) };
        let error = resolve([PathBuf::from("/usr/sbin/nft")], without).unwrap_err().to_string();
        assert!(error.contains("needs libnftnl.so.11, which is nowhere"), "{error}");
    }

    #[test]
    fn a_missing_symbol_version_is_named_with_its_user() {
        // libm offers GLIBC_2.2.5 but not what programs want of libc.
        let swapped = |path: &Path| {
            let libm = Path::new("/usr/lib/x86_64-linux-gnu/libm.so.6");
            of_this_machine(if path.ends_with("libc.so.6") { libm } else { path })
        };
        let error = resolve([PathBuf::from("/usr/sbin/nft")], swapped).unwrap_err().to_string();
        assert!(error.contains("of libc.so.6, which the root's libc.so.6 does not have"), "{error}");
    }
}
