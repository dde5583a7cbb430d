//! The configuration: a JSON file that the helper renders.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    net::IpAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::{Deserialize, Deserializer, de};
use sniffer_core::record::RecordKind;
use thiserror::Error;

use super::engine_config::{Correlation, Tables, Timeouts, Workers};
use crate::{limits, packets::MediaKept, retention::Bound};

/// What is set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Names of the capture ports; may be empty.
    #[serde(deserialize_with = "ports")]
    pub ports: Vec<String>,
    /// Folder of the store of calls; without it calls are in memory only.
    #[serde(default)]
    pub store: Option<PathBuf>,
    /// Path of the query socket.
    pub socket: PathBuf,
    /// Calls kept in the store.
    #[serde(default = "default_keep", deserialize_with = "some_calls")]
    pub keep_calls: u64,
    /// What is kept beside, and for how long.
    #[serde(default)]
    pub keep: Keep,
    /// Count RTP that no signalling announces as streams.
    #[serde(default)]
    pub rtp_without_sip: bool,
    /// Readers of each port. With more than one the kernel deals the flows of a port out among them.
    #[serde(default)]
    pub workers: Workers,
    /// After how many seconds of silence things are given up.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// How large the tables may grow.
    #[serde(default)]
    pub tables: Tables,
    /// Pairs of addresses that are the same host: media announced at one is expected at the other too.
    #[serde(default)]
    pub nat_aliases: Vec<(IpAddr, IpAddr)>,
    /// Which calls belong together.
    #[serde(default)]
    pub correlation: Correlation,
}

fn default_keep() -> u64 {
    limits::STORE_CALLS
}

fn some_calls<'de, D: Deserializer<'de>>(input: D) -> Result<u64, D::Error> {
    match u64::deserialize(input)? {
        0 => Err(de::Error::custom("0 calls are none: leave \"store\" out to keep none")),
        calls => Ok(calls),
    }
}

/// What is kept, and for how long. The defaults suit a disk of one terabyte; on a smaller one the floor of free space
/// decides. A kind with no gigabytes is not kept at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keep {
    /// Calls and streams in the store.
    #[serde(deserialize_with = "some_room")]
    pub calls: Bound,
    /// Registrations.
    pub registrations: Bound,
    /// Subscriptions.
    pub subscriptions: Bound,
    /// Exchanges.
    pub exchanges: Bound,
    /// Streams without a call.
    pub streams: Bound,
    /// The hourly Parquet files of calls.
    pub archive: Bound,
    /// The hourly Parquet files of all else.
    pub archive_others: Bound,
    /// Packets of the signalling of calls.
    pub signalling: Bound,
    /// Packets of all other signalling.
    pub signalling_others: Bound,
    /// Packets of media.
    pub media: Bound,
    /// How much of each media packet.
    pub media_packets: MediaKept,
    /// Gigabytes that stay free on the disk. Without it a twentieth of the disk, at most 20.
    pub free_gigabytes: Option<u64>,
}

fn some_room<'de, D: Deserializer<'de>>(input: D) -> Result<Bound, D::Error> {
    match Bound::deserialize(input)? {
        Bound { gigabytes: 0, .. } => {
            Err(de::Error::custom("calls need at least 1 gigabyte: leave \"store\" out to keep none"))
        }
        bound => Ok(bound),
    }
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            calls: Bound { days: 90, gigabytes: 50 },
            registrations: Bound { days: 90, gigabytes: 10 },
            subscriptions: Bound { days: 30, gigabytes: 5 },
            exchanges: Bound { days: 30, gigabytes: 5 },
            streams: Bound { days: 90, gigabytes: 10 },
            archive: Bound { days: 730, gigabytes: 100 },
            archive_others: Bound { days: 365, gigabytes: 20 },
            signalling: Bound { days: 30, gigabytes: 300 },
            signalling_others: Bound { days: 7, gigabytes: 50 },
            media: Bound { days: 7, gigabytes: 400 },
            media_packets: MediaKept::Headers,
            free_gigabytes: None,
        }
    }
}

impl Keep {
    /// Free bytes that stay free on a disk of this size.
    #[must_use]
    pub fn floor(&self, total: u64) -> u64 {
        match self.free_gigabytes {
            Some(gigabytes) => gigabytes.saturating_mul(1_000_000_000),
            None => (total / 20).min(20_000_000_000),
        }
    }

    /// How much is kept of a kind of records.
    #[must_use]
    pub fn records(&self, kind: RecordKind) -> Bound {
        match kind {
            RecordKind::Registration => self.registrations,
            RecordKind::Subscription => self.subscriptions,
            RecordKind::Exchange => self.exchanges,
            RecordKind::Stream => self.streams,
        }
    }

    /// Media as it is kept: none where it has no room.
    #[must_use]
    pub fn media_kept(&self) -> MediaKept {
        if self.media.gigabytes == 0 { MediaKept::None } else { self.media_packets }
    }
}

impl Config {
    /// Readers: one for each port and worker.
    #[must_use]
    pub fn readers(&self) -> usize {
        self.ports.len().saturating_mul(usize::from(self.workers.get()))
    }

    fn check_readers(&self, text: &[u8]) -> Result<(), ConfigError> {
        let (ports, workers, readers) = (self.ports.len(), self.workers.get(), self.readers());
        if readers <= limits::READERS {
            return Ok(());
        }
        let most = limits::READERS.checked_div(ports).unwrap_or(limits::READERS);
        let message = format!(
            "{ports} ports with {workers} workers each are {readers} readers, more than the {} allowed: set at most {most}",
            limits::READERS
        );
        Err(ConfigError::of_setting("workers", message, text))
    }

    /// Reads a configuration for the daemon.
    ///
    /// # Errors
    /// When the file cannot be read or does not mean anything. The error may be logged: it quotes nothing of the file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = Self::text(path).with_context(|| format!("read {}", path.display()))?;
        Self::parse(&text).map_err(|error| error.place()).with_context(|| format!("read {}", path.display()))
    }

    /// The text of a configuration.
    ///
    /// # Errors
    /// When the file cannot be read, or is longer than any configuration.
    pub fn text(path: &Path) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        let longest = u64::try_from(limits::CONFIG).unwrap_or(u64::MAX);
        File::open(path)?.take(longest.saturating_add(1)).read_to_end(&mut text)?;
        if text.len() > limits::CONFIG {
            return Err(io::Error::other("this is longer than any configuration"));
        }
        Ok(text)
    }

    /// Understands the text of a configuration. Every rule is part of reading, so that each fault has its place.
    ///
    /// # Errors
    /// Where the text is wrong first.
    pub fn parse(text: &[u8]) -> Result<Self, ConfigError> {
        let mut json = serde_json::Deserializer::from_slice(text);
        let config: Self = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let field = Some(error.path().to_string()).filter(|path| !path.is_empty()).unwrap_or_else(|| ".".into());
            ConfigError::new(field, error.inner())
        })?;
        json.end().map_err(|error| ConfigError::new(".".into(), &error))?;
        config.check_readers(text)?;
        Ok(config)
    }
}

/// What is wrong with a configuration, and where. It quotes the configuration: for the person who wrote it, not for a log.
#[derive(Debug, Error)]
pub struct ConfigError {
    /// The line, from 1; 0 when the place is not known.
    pub line: usize,
    /// The column, from 1: where reading stopped, which is behind the fault.
    pub column: usize,
    /// The field, as `ports[1]`; `.` is the whole.
    pub field: String,
    /// What is wrong.
    pub message: String,
}

impl ConfigError {
    /// A fault of settings that do not fit together, at the first place where one of them stands.
    fn of_setting(name: &str, message: String, text: &[u8]) -> Self {
        let quoted = format!("{name:?}");
        let before = text.windows(quoted.len()).position(|part| part == quoted.as_bytes());
        let before = before.and_then(|end| text.get(..end)).unwrap_or_default();
        let line = before.split(|byte| *byte == b'\n').count();
        let column = before.rsplit(|byte| *byte == b'\n').next().map_or(1, |last| last.len().saturating_add(1));
        Self { line, column, field: name.to_owned(), message }
    }

    fn new(field: String, error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let text = error.to_string();
        let message = text.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&text);
        Self { line, column, field: visible(&field), message: visible(message) }
    }

    /// Where it is wrong, for a log. Names of fields and values, both of which may be a number or a password at a wrong
    /// place, are not in it.
    fn place(&self) -> ConfigPlace {
        ConfigPlace { line: self.line, column: self.column }
    }
}

/// Where a configuration is wrong.
#[derive(Clone, Copy, Debug, Error)]
#[error("line {line}, column {column} is wrong; \"sniffer check\" with this file says what")]
struct ConfigPlace {
    line: usize,
    column: usize,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}, field {}: {}", self.line, self.column, self.field, self.message)
    }
}

/// Text of the configuration as one line that a terminal may show.
fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
}

/// The name of an interface. IFNAMSIZ is 16 with the zero at the end; the kernel refuses slashes and white space too.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Interface(String);

impl TryFrom<String> for Interface {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let fits = !name.is_empty() && name.len() < 16;
        if fits && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/') {
            Ok(Self(name))
        } else {
            Err(format!("{name:?} is not the name of an interface"))
        }
    }
}

fn ports<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<String>, D::Error> {
    let names: Vec<Interface> = Vec::deserialize(input)?;
    if names.len() > limits::PORTS {
        return Err(de::Error::custom(format!("{} ports are more than the {} allowed", names.len(), limits::PORTS)));
    }
    Ok(names.into_iter().map(|name| name.0).collect())
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
            r#"{"ports":[],"socket":"/s","keep_calls":0}"#,
            r#"{"ports":[],"socket":"/s","keep":{"calls":{"days":5,"gigabytes":0}}}"#,
            r#"{"ports":[],"socket":"/s","keep":{"media":{"days":5}}}"#,
            r#"{"ports":[],"socket":"/s","keep":{"media_packets":"some"}}"#,
        ] {
            assert!(Config::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Config::parse(br#"{"ports":[],"socket":"/s"}"#).is_ok());
    }

    /// The unit gives so many threads: what `check` accepts can be started.
    #[test]
    fn more_readers_than_the_unit_has_threads_for_are_refused_with_their_place() {
        let unit = include_str!("../../../rootfs-overlay/usr/lib/systemd/system/sniffer.service");
        let tasks: usize = unit.lines().find_map(|line| line.strip_prefix("TasksMax=")).unwrap().parse().unwrap();
        // Beside readers and clients: the program itself, opener, clock, signalling, the stores, their keeper, query, replay.
        assert!(tasks >= limits::READERS + limits::QUERY_CLIENTS + 16, "{tasks}");
        let config = |ports: usize, workers: u8| {
            let ports: Vec<_> = (0..ports).map(|n| format!("p{n}")).collect();
            Config::parse(format!("{{\n\"ports\":{ports:?},\"socket\":\"/s\",\n \"workers\":{workers}}}").as_bytes())
        };
        assert_eq!(config(4, 16).unwrap().readers(), limits::READERS);
        assert!(config(limits::PORTS, 1).is_ok());
        let error = config(5, 16).unwrap_err();
        assert_eq!((error.line, error.column, error.field.as_str()), (3, 2, "workers"), "{error}");
        assert!(error.message.contains("80 readers") && error.message.ends_with("set at most 12"), "{error}");
    }

    #[test]
    fn what_is_kept_can_be_set_in_part_and_an_error_names_the_setting() {
        let text = br#"{"ports":[],"socket":"/s","keep":{"media":{"days":2,"gigabytes":0},"media_packets":"full","free_gigabytes":5}}"#;
        let keep = Config::parse(text).unwrap().keep;
        assert_eq!(
            (keep.media_kept(), keep.floor(1 << 40), keep.calls),
            (MediaKept::None, 5_000_000_000, Keep::default().calls)
        );
        assert_eq!(Keep::default().floor(100_000_000_000), 5_000_000_000);
        let error =
            Config::parse(br#"{"ports":[],"socket":"/s","keep":{"archive":{"days":0,"gigabytes":5}}}"#).unwrap_err();
        assert_eq!(error.field, "keep.archive", "{error}");
        assert!(error.message.contains("1 to 36500"), "{error}");
    }

    #[test]
    fn a_fault_is_named_with_its_line_and_field() {
        let text = "{\n  \"ports\": [\"enp0s3\",\n    \"../x\"],\n  \"socket\": \"/s\"\n}";
        let error = Config::parse(text.as_bytes()).unwrap_err();
        assert_eq!((error.line, error.field.as_str()), (3, "ports[1]"), "{error}");
        assert_eq!(error.message, "\"../x\" is not the name of an interface");
        let error = Config::parse(b"{\n\"ports\":[],\n\"socket\":\"/s\",\n\"keep_calls\":\"many\"}").unwrap_err();
        assert_eq!((error.line, error.field.as_str()), (4, "keep_calls"), "{error}");
        let error = Config::parse(b"{\"ports\":[],\"socket\":\"/s\"} {}").unwrap_err();
        assert_eq!((error.line, error.message.as_str()), (1, "trailing characters"), "{error}");
        let error = Config::parse(b"{\"ports\":[],\"socket\":\"/s\",\"\\u001b[2J\\n\":1}").unwrap_err();
        assert!(error.message.contains("unknown field `\\u{1b}[2J\\n`"), "a terminal may show it: {error}");
        let many = vec!["a"; limits::PORTS + 1];
        let text = serde_json::json!({ "ports": many, "socket": "/s" }).to_string();
        assert!(Config::parse(text.as_bytes()).unwrap_err().message.contains("more than"));
    }
}
