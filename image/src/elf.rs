//! What an ELF file asks of the root: its loader, its libraries and the symbol versions it wants of them.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use goblin::elf;

/// The needs and offers of one program or library.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object {
    /// The loader that the kernel starts for it (`/lib64/ld-linux-x86-64.so.2`).
    pub interpreter: Option<String>,
    /// Sonames of the libraries it is linked with (DT_NEEDED).
    pub needed: Vec<String>,
    /// Folders it looks in before the default ones (DT_RUNPATH, DT_RPATH).
    pub search: Vec<String>,
    /// Symbol versions it wants, with the library that must have each (`libc.so.6`, `GLIBC_2.34`).
    pub wanted_versions: BTreeSet<(String, String)>,
    /// Symbol versions it has for others.
    pub offered_versions: BTreeSet<String>,
}

/// Reads an ELF file; `None` when the bytes are not ELF.
///
/// # Errors
/// Fails on a damaged ELF file.
pub fn parse(bytes: &[u8]) -> Result<Option<Object>> {
    if !bytes.starts_with(elf::header::ELFMAG) {
        return Ok(None);
    }
    let elf = elf::Elf::parse(bytes).context("parse an ELF file")?;
    let name = |offset| elf.dynstrtab.get_at(offset).map(str::to_owned).context("a name outside the string table");
    let mut object = Object {
        interpreter: elf.interpreter.map(str::to_owned),
        needed: elf.libraries.iter().map(|&library| library.to_owned()).collect(),
        search: elf.runpaths.iter().chain(&elf.rpaths).flat_map(|path| path.split(':')).map(str::to_owned).collect(),
        ..Object::default()
    };
    for need in elf.verneed.iter().flatten() {
        let library = name(need.vn_file)?;
        for version in need.iter() {
            // A weak need (VER_FLG_WEAK, 2) does not stop the loader.
            if version.vna_flags & 2 == 0 {
                object.wanted_versions.insert((library.clone(), name(version.vna_name)?));
            }
        }
    }
    for definition in elf.verdef.iter().flatten() {
        for version in definition.iter() {
            object.offered_versions.insert(name(version.vda_name)?);
        }
    }
    Ok(Some(object))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn this_test_program_needs_libc_and_a_loader() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let object = parse(&bytes).unwrap().unwrap();
        assert!(object.needed.contains(&"libc.so.6".to_owned()), "{object:?}");
        assert_eq!(object.interpreter.as_deref(), Some("/lib64/ld-linux-x86-64.so.2"));
        assert!(
            object.wanted_versions.iter().any(|(library, version)| library == "libc.so.6" && version == "GLIBC_2.2.5")
        );
    }

    #[test]
    fn the_c_library_offers_its_versions() {
        let bytes = std::fs::read("/lib/x86_64-linux-gnu/libc.so.6").unwrap();
        let object = parse(&bytes).unwrap().unwrap();
        assert!(object.offered_versions.contains("GLIBC_2.34"), "{:?}", object.offered_versions);
    }

    #[test]
    fn a_text_is_not_elf_and_a_damaged_file_is_an_error() {
        assert_eq!(parse(b"#!/bin/sh\n").unwrap(), None);
        assert!(parse(b"\x7fELF\x02\x01\x01").is_err());
    }
}
