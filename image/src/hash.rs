//! SHA-256 of files and of a step's inputs, in hexadecimal.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

/// The content hash of a step's inputs: equal inputs, equal key.
#[derive(Default)]
pub struct Key(Sha256);

impl Key {
    /// Adds one input under its name. Name and value are length-prefixed, so that no two lists of inputs look alike.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        for part in [name.as_bytes(), value.as_ref()] {
            self.0.update(part.len().to_string());
            self.0.update(":");
            self.0.update(part);
        }
        self
    }

    /// Returns the first 16 hexadecimal digits, enough to name a folder of the cache.
    pub fn finish(self) -> String {
        hexadecimal(&self.0.finalize()).chars().take(16).collect()
    }
}

/// Hashes a file, all 64 hexadecimal digits.
///
/// # Errors
/// Fails when the file cannot be read.
pub fn sha256_file(path: &Path) -> Result<String> {
    let mut reader = BufReader::new(File::open(path).with_context(|| format!("open {}", path.display()))?);
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = reader.read(&mut buffer).with_context(|| format!("read {}", path.display()))?;
        match buffer.get(..count) {
            Some(read) if count > 0 => hasher.update(read),
            _ => return Ok(hexadecimal(&hasher.finalize())),
        }
    }
}

/// Prints bytes as lower-case hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::{Key, sha256_file};

    #[test]
    fn moving_a_letter_from_name_to_value_changes_the_key() {
        assert_ne!(Key::default().with("ab", "c").finish(), Key::default().with("a", "bc").finish());
        assert_eq!(Key::default().with("a", "b").finish(), Key::default().with("a", "b").finish());
    }

    #[test]
    fn a_file_hashes_to_the_known_value() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "abc").unwrap();
        assert_eq!(
            sha256_file(file.path()).unwrap(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" // FIPS 180-2, B.1
        );
    }
}
