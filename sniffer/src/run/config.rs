//! The configuration: a JSON file that the helper renders.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::limits;

/// What is set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Names of the capture ports; may be empty.
    pub ports: Vec<String>,
    /// Folder of the store of calls; without it calls are in memory only.
    #[serde(default)]
    pub store: Option<PathBuf>,
    /// Path of the query socket.
    pub socket: PathBuf,
    /// Calls kept in the store.
    #[serde(default = "default_keep")]
    pub keep_calls: u64,
    /// Count RTP that no signalling announces as streams.
    #[serde(default)]
    pub rtp_without_sip: bool,
}

fn default_keep() -> u64 {
    limits::STORE_CALLS
}

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// When the file cannot be read or does not mean anything.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("read {}", path.display()))
    }

    fn parse(text: &[u8]) -> Result<Self> {
        let config: Self = serde_json::from_slice(text)?;
        if config.ports.len() > limits::PORTS {
            bail!("{} ports are more than the {} allowed", config.ports.len(), limits::PORTS);
        }
        // IFNAMSIZ is 16 with the zero at the end; the kernel refuses slashes and white space too.
        let valid = |name: &String| {
            !name.is_empty() && name.len() < 16 && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/')
        };
        if let Some(name) = config.ports.iter().find(|name| !valid(name)) {
            bail!("{name:?} is not the name of an interface");
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_readme_is_a_configuration() {
        let readme = include_str!("../../README.md");
        let example = readme.split("```json config\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let config = Config::parse(example.as_bytes()).unwrap();
        assert_eq!((config.ports.len(), config.keep_calls), (1, limits::STORE_CALLS));
    }

    #[test]
    fn names_that_are_no_interfaces_and_unknown_settings_are_refused() {
        for text in [
            r#"{"ports":["../x"],"socket":"/s"}"#,
            r#"{"ports":["a name"],"socket":"/s"}"#,
            r#"{"ports":["sixteen-letters-x"],"socket":"/s"}"#,
            r#"{"ports":[],"socket":"/s","prots":[]}"#,
        ] {
            assert!(Config::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Config::parse(br#"{"ports":[],"socket":"/s"}"#).is_ok());
    }
}
