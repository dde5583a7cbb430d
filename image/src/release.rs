//! The release file: the only place for the version and for the time stamped on what is built.

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// What `image/release.toml` says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The identifier in file names, partition labels and os-release.
    pub name: String,
    /// The name for people.
    pub pretty_name: String,
    /// The version, as in `1.4.0`.
    pub version: String,
    /// Seconds since 1970, stamped on every output (SOURCE_DATE_EPOCH).
    pub epoch: u64,
}

impl Release {
    /// Parses the release file.
    ///
    /// # Errors
    /// Fails when a field is missing, unknown or of another type.
    pub fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).context("parse image/release.toml")
    }

    /// Renders os-release(5) for the root and for the boot file.
    pub fn os_release(&self) -> String {
        let Self { name, pretty_name, version, epoch: _ } = self;
        format!(
            "NAME=\"{pretty_name}\"\nID={name}\nID_LIKE=debian\nPRETTY_NAME=\"{pretty_name} {version}\"\n\
             VERSION_ID={version}\nIMAGE_ID={name}\nIMAGE_VERSION={version}\nDEFAULT_HOSTNAME={name}\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Release;

    #[test]
    fn the_os_release_names_image_and_version() {
        let release = Release::parse("name='callward'\npretty_name='Callward'\nversion='1.2.3'\nepoch=5").unwrap();
        let text = release.os_release();
        assert!(text.contains("IMAGE_ID=callward\nIMAGE_VERSION=1.2.3\n"), "{text}");
        assert!(text.contains("PRETTY_NAME=\"Callward 1.2.3\"\n"), "{text}");
    }

    #[test]
    fn an_unknown_field_is_refused() {
        assert!(Release::parse("name='a'\npretty_name='A'\nversion='1'\nepoch=1\nversoin='2'").is_err());
    }
}
