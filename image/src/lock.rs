//! The lock file: which packages, in which version, with which bytes, make the image.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context as _, Result, bail};

/// The version and the bytes of one package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned {
    /// Debian's version string.
    pub version: String,
    /// SHA-256 of the `.deb`, in hexadecimal.
    pub sha256: String,
}

/// All packages of the image, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock(pub BTreeMap<String, Pinned>);

/// One difference between the lock file and the mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drift {
    /// The mirror's packages need one more package.
    Added { name: String, version: String },
    /// A locked package is not needed, or not there.
    Removed { name: String, version: String },
    /// Another version.
    Moved { name: String, from: String, to: String },
    /// The same version with other bytes: worth a second look.
    Rebuilt { name: String, version: String },
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added { name, version } => write!(f, "{name}: added, {version}"),
            Self::Removed { name, version } => write!(f, "{name}: gone, was {version}"),
            Self::Moved { name, from, to } => write!(f, "{name}: {from} → {to}"),
            Self::Rebuilt { name, version } => write!(f, "{name}: {version} has other bytes than before"),
        }
    }
}

impl Lock {
    /// Parses lines of name, version and sha256, separated by tabs; `#` starts a comment line.
    ///
    /// # Errors
    /// Fails on a line of another form and on a name that comes twice.
    pub fn parse(text: &str) -> Result<Self> {
        let mut packages = BTreeMap::new();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let mut fields = line.split('\t');
            let (Some(name), Some(version), Some(sha256), None) =
                (fields.next(), fields.next(), fields.next(), fields.next())
            else {
                bail!("a line of the lock file is not name, version and sha256: {line:?}");
            };
            let pinned = Pinned { version: version.to_owned(), sha256: sha256.to_owned() };
            if packages.insert(name.to_owned(), pinned).is_some() {
                bail!("{name:?} is locked twice");
            }
        }
        Ok(Self(packages))
    }

    /// Prints the lock file.
    pub fn print(&self) -> String {
        let mut text = String::from(
            "# The packages of the image: name, version, SHA-256 of the .deb. Written by: callward-image relock\n",
        );
        for (name, Pinned { version, sha256 }) in &self.0 {
            text.push_str(&format!("{name}\t{version}\t{sha256}\n"));
        }
        text
    }

    /// Lists what differs in `found`, by name.
    pub fn drift(&self, found: &Self) -> Vec<Drift> {
        let mut drift = Vec::new();
        for (name, locked) in &self.0 {
            match found.0.get(name) {
                None => drift.push(Drift::Removed { name: name.clone(), version: locked.version.clone() }),
                Some(now) if now.version != locked.version => drift.push(Drift::Moved {
                    name: name.clone(),
                    from: locked.version.clone(),
                    to: now.version.clone(),
                }),
                Some(now) if now.sha256 != locked.sha256 => {
                    drift.push(Drift::Rebuilt { name: name.clone(), version: locked.version.clone() });
                }
                Some(_) => {}
            }
        }
        for (name, now) in found.0.iter().filter(|(name, _)| !self.0.contains_key(*name)) {
            drift.push(Drift::Added { name: name.clone(), version: now.version.clone() });
        }
        drift
    }
}

/// Reads name and version from the file name of a `.deb` in apt's archive folder, where `:` is written `%3a`.
///
/// # Errors
/// Fails on a name of another form.
pub fn package_of(file_name: &str) -> Result<(String, String)> {
    let parts: Vec<&str> = file_name.strip_suffix(".deb").unwrap_or_default().split('_').collect();
    let [name, version, _architecture] = parts.as_slice() else {
        bail!("not the name of a package file: {file_name:?}");
    };
    Ok((decode(name)?, decode(version)?))
}

fn decode(text: &str) -> Result<String> {
    let mut decoded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        let digits = after.get(..2).context("a percent sign without two digits")?;
        let byte = u8::from_str_radix(digits, 16).with_context(|| format!("decode {text:?}"))?;
        decoded.push_str(before);
        decoded.push(char::from(byte));
        rest = after.get(2..).unwrap_or_default();
    }
    decoded.push_str(rest);
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use super::{Drift, Lock, package_of};

    const LOCKED: &str = "# head\nchrony\t4.6\taa\nlibc6\t2.41\tbb\nnftables\t1.1\tcc\n";

    #[test]
    fn a_lock_file_reads_back_as_it_was_printed() {
        let lock = Lock::parse(LOCKED).unwrap();
        assert_eq!(lock.0.len(), 3);
        assert_eq!(Lock::parse(&lock.print()).unwrap(), lock);
    }

    #[test]
    fn nothing_drifted_when_the_mirror_has_the_same_bytes() {
        let lock = Lock::parse(LOCKED).unwrap();
        assert_eq!(lock.drift(&lock.clone()), []);
    }

    #[test]
    fn every_kind_of_drift_is_named() {
        let lock = Lock::parse(LOCKED).unwrap();
        let found = Lock::parse("libc6\t2.42\tdd\nnftables\t1.1\tee\nudev\t257\tff\n").unwrap();
        assert_eq!(
            lock.drift(&found),
            [
                Drift::Removed { name: "chrony".into(), version: "4.6".into() },
                Drift::Moved { name: "libc6".into(), from: "2.41".into(), to: "2.42".into() },
                Drift::Rebuilt { name: "nftables".into(), version: "1.1".into() },
                Drift::Added { name: "udev".into(), version: "257".into() },
            ]
        );
    }

    #[test]
    fn a_broken_lock_line_is_refused() {
        assert!(Lock::parse("chrony 4.6 aa").is_err());
        assert!(Lock::parse("a\t1\tx\na\t1\tx").is_err());
    }

    #[test]
    fn a_package_file_name_gives_name_and_version_with_epoch() {
        assert_eq!(
            package_of("libgmp10_2%3a6.3.0+dfsg-3_amd64.deb").unwrap(),
            ("libgmp10".into(), "2:6.3.0+dfsg-3".into())
        );
        assert!(package_of("lock").is_err());
    }
}
