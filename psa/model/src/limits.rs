//! Every limit of the settings and of the messages between web process and helper, with its reason.

use core::time::Duration;

/// Longest request from the web process to the helper, in bytes. A whole form of the largest page is under 20 KiB;
/// certificates with their chains (later pages) stay under this.
pub const MAX_REQUEST: u32 = 256 * 1024;

/// Longest answer of the helper, in bytes. The history of generations is cut into pages that fit.
pub const MAX_RESPONSE: u32 = 1024 * 1024;

/// Most time servers. chrony needs four to outvote one that lies; twice that serves two sites.
pub const MAX_TIME_SERVERS: usize = 8;

/// Longest host name in octets (RFC 1035 section 2.3.4, without the root's dot).
pub const MAX_HOST_NAME: usize = 253;

/// Longest label of a host name in octets (RFC 1035 section 2.3.4).
pub const MAX_HOST_LABEL: usize = 63;

/// Longest user name. Longer ones break tables and serve nobody.
pub const MAX_USER_NAME: usize = 32;

/// Shortest password (R147).
pub const MIN_PASSWORD: usize = 8;

/// Longest password in bytes. Long enough for any passphrase, short enough that hashing is not a way to load the box.
pub const MAX_PASSWORD: usize = 256;

/// Longest line of text that may reach a file, a log or a page.
pub const MAX_LINE: usize = 200;

/// A session that nobody uses ends after this time (R19).
pub const SESSION_IDLE: Duration = Duration::from_secs(15 * 60);

/// A session ends after this time whatever happens (R19): a working day.
pub const SESSION_ABSOLUTE: Duration = Duration::from_secs(8 * 3600);

/// Most sessions at once. An administrator needs a few; a flood must not fill the disk. The oldest ends first.
pub const MAX_SESSIONS: usize = 64;

/// Most generations kept. One a day for a year; the oldest that is not in use goes first.
pub const MAX_GENERATIONS: usize = 400;

/// Most monitoring ports. More than any server has slots for.
pub const MAX_PORTS: usize = 64;
