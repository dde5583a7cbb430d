//! Assembles the root's files in a folder: what the allow-list keeps of Debian's packages, the libraries these need, our
//! binaries, the overlay. Modes come from one rule: folders 0755, programs 0755, other files 0644, nothing set-id.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::binaries::{BINARIES, target_path};
use crate::context::{Context, write};
use crate::keep::{AllowList, Rule, link_target};
use crate::libraries::{Library, read_in, resolve};

/// The file of the overlay folder that is for the reader, not for the target.
pub const OVERLAY_README: &str = "README.md";
/// The one file that the builder writes itself.
pub const OS_RELEASE: &str = "/usr/lib/os-release";

/// Puts an absolute target path below a folder of this machine.
pub fn below(tree: &Path, path: &Path) -> PathBuf {
    tree.join(path.strip_prefix("/").unwrap_or(path))
}

/// Assembles the root in `staging` and returns the libraries it pulled in.
///
/// # Errors
/// Fails when a kept file is missing in the packages, when a library is needed but not in the allow-list, or on I/O.
pub fn assemble(context: &Context, tree: &Path, binaries: &Path, staging: &Path) -> Result<BTreeMap<String, Library>> {
    let list = AllowList::read(context)?;
    make_folder(staging)?;
    for rule in &list.rules {
        match rule {
            Rule::Folder(path) => make_folder(&below(staging, path))?,
            Rule::File(path) => copy_kept(tree, staging, path)?,
            Rule::Below(path) => {
                for found in walk(&below(tree, path))? {
                    let on_target = Path::new("/").join(found.strip_prefix(tree).context("walk left the tree")?);
                    copy_kept(tree, staging, &on_target)?;
                }
            }
        }
    }
    for binary in BINARIES {
        copy(&binaries.join(binary), &below(staging, &target_path(binary)))?;
    }
    let overlay = context.overlay();
    for found in walk(&overlay)?.into_iter().filter(|path| *path != overlay.join(OVERLAY_README)) {
        copy(&found, &staging.join(found.strip_prefix(&overlay).context("walk left the overlay")?))?;
    }
    write(&below(staging, Path::new(OS_RELEASE)), context.release.os_release())?;

    let libraries = resolve(elf_files(staging)?, |path| match read_in(staging, path)? {
        Some(bytes) => Ok(Some(bytes)),
        None => read_in(tree, path),
    })?;
    for (soname, library) in &libraries {
        if !list.libraries.contains(soname) {
            let users = library.needed_by.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            bail!("{soname} is needed by {users} but not in image/keep/libraries.txt: add it there, or do without");
        }
        copy_kept(tree, staging, &library.path)?;
    }
    Ok(libraries)
}

/// Lists every file and link below a folder, sorted; folders themselves only where they are empty.
///
/// # Errors
/// Fails when a folder cannot be read.
pub fn walk(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let entry = entry.with_context(|| format!("list {}", folder.display()))?;
        if entry.file_type().with_context(|| format!("look at {}", entry.path().display()))?.is_dir() {
            found.append(&mut walk(&entry.path())?);
        } else {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// The paths on the target of everything in a tree that starts like an ELF file.
fn elf_files(tree: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in walk(tree)? {
        let metadata = fs::symlink_metadata(&path).with_context(|| format!("look at {}", path.display()))?;
        if metadata.is_file()
            && fs::read(&path).with_context(|| format!("read {}", path.display()))?.starts_with(b"\x7fELF")
        {
            found.push(Path::new("/").join(path.strip_prefix(tree).context("walk left the tree")?));
        }
    }
    Ok(found)
}

/// Copies a kept path; where it is a link to a file of the tree, that file too.
fn copy_kept(tree: &Path, staging: &Path, path: &Path) -> Result<()> {
    let source = below(tree, path);
    let Ok(metadata) = fs::symlink_metadata(&source) else {
        bail!("the allow-list keeps {}, which no package has", path.display());
    };
    copy(&source, &below(staging, path))?;
    if metadata.is_symlink() {
        let target = link_target(path, &fs::read_link(&source).with_context(|| format!("read {}", source.display()))?);
        if fs::symlink_metadata(below(tree, &target)).is_ok_and(|metadata| !metadata.is_dir()) {
            copy_kept(tree, staging, &target)?;
        }
    }
    Ok(())
}

fn copy(source: &Path, target: &Path) -> Result<()> {
    let metadata = fs::symlink_metadata(source).with_context(|| format!("look at {}", source.display()))?;
    if let Some(parent) = target.parent() {
        make_folder(parent)?;
    }
    if fs::symlink_metadata(target).is_ok_and(|metadata| !metadata.is_dir()) {
        fs::remove_file(target).with_context(|| format!("replace {}", target.display()))?;
    }
    if metadata.is_symlink() {
        let to = fs::read_link(source).with_context(|| format!("read {}", source.display()))?;
        return symlink(to, target).with_context(|| format!("link {}", target.display()));
    }
    if !metadata.is_file() {
        bail!("{} is neither file nor link: list what is in it", source.display());
    }
    fs::copy(source, target).with_context(|| format!("copy {} to {}", source.display(), target.display()))?;
    let mode = if metadata.permissions().mode() & 0o111 == 0 { 0o644 } else { 0o755 };
    fs::set_permissions(target, fs::Permissions::from_mode(mode)).with_context(|| format!("chmod {}", target.display()))
}

fn make_folder(folder: &Path) -> Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        make_folder(parent)?;
    }
    fs::create_dir(folder).with_context(|| format!("make {}", folder.display()))?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("chmod {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::Path;

    use super::{copy_kept, walk};

    #[test]
    fn a_kept_link_keeps_its_file_and_drops_the_setuid_bit() {
        let tree = tempfile::tempdir().unwrap();
        let staging = tempfile::tempdir().unwrap();
        fs::create_dir_all(tree.path().join("usr/bin")).unwrap();
        fs::write(tree.path().join("usr/bin/mount"), "x").unwrap();
        fs::set_permissions(tree.path().join("usr/bin/mount"), fs::Permissions::from_mode(0o4755)).unwrap();
        symlink("mount", tree.path().join("usr/bin/m")).unwrap();

        copy_kept(tree.path(), staging.path(), Path::new("/usr/bin/m")).unwrap();

        let mode = fs::metadata(staging.path().join("usr/bin/mount")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o755);
        assert_eq!(walk(staging.path()).unwrap().len(), 2);
    }

    #[test]
    fn a_kept_file_that_no_package_has_is_an_error() {
        let tree = tempfile::tempdir().unwrap();
        let staging = tempfile::tempdir().unwrap();
        let error = copy_kept(tree.path(), staging.path(), Path::new("/usr/bin/gone")).unwrap_err();
        assert_eq!(error.to_string(), "the allow-list keeps /usr/bin/gone, which no package has");
    }
}
