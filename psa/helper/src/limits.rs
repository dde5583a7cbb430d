//! Every limit of the helper, with its reason. Those of settings and messages are in [`psa_model::limits`].

use core::time::Duration;

/// Most connections at once of one user. The web process keeps a few; one that runs wild must not starve the console.
pub const MAX_CONNECTIONS_PER_USER: usize = 24;

/// Most connections at once of all users.
pub const MAX_CONNECTIONS: usize = 64;

/// Longest silence between two requests of a connection. Its thread is given back after that.
pub const CONNECTION_IDLE: Duration = Duration::from_secs(120);

/// Longest pause inside a request or an answer. Both ends are on the same machine.
pub const FRAME_PAUSE: Duration = Duration::from_secs(10);

/// Most passwords hashed at once: each takes 64 MiB and a processor for a fifth of a second.
pub const MAX_HASHING: usize = 2;

/// Memory of Argon2id in KiB, as the first recommendation of RFC 9106 section 4 for constrained memory.
pub const HASH_MEMORY_KIB: u32 = 64 * 1024;

/// Passes of Argon2id (RFC 9106 section 4).
pub const HASH_PASSES: u32 = 3;

/// Failures of one source before it must wait: a person mistypes a few times.
pub const FREE_FAILURES: u32 = 4;

/// Longest wait of a source. Bounded, so that nobody is locked out.
pub const MAX_SOURCE_DELAY: Duration = Duration::from_secs(60);

/// Failures on one account, from anywhere, before unknown sources must wait for it.
pub const FREE_ACCOUNT_FAILURES: u32 = 10;

/// Longest wait of an account. Short, because its owner waits as well: it slows guessing to 17 000 a day.
pub const MAX_ACCOUNT_DELAY: Duration = Duration::from_secs(5);

/// Failures are forgotten after so long without another.
pub const FAILURES_FORGOTTEN: Duration = Duration::from_secs(15 * 60);

/// Most sources and most names whose failures are remembered. The one unused for longest goes first.
pub const MAX_THROTTLED: usize = 1024;

/// A session's last use is written to disk at most so often: a click must not cost a disk's flush.
pub const SESSION_WRITTEN_EVERY: Duration = Duration::from_secs(60);

/// Longest run of a program that only reads a state.
pub const QUERY_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest run of a program that reloads a unit: systemd's own limit for a start is 90 s.
pub const RELOAD_TIMEOUT: Duration = Duration::from_secs(100);

/// Most output read of a program, in bytes. Eight services or eight time servers are under 4 KiB.
pub const MAX_OUTPUT: u64 = 64 * 1024;

/// Clock and services are asked at most so often, however many pages want them.
pub const STATUS_AGE: Duration = Duration::from_secs(1);

/// How often the addresses of the management port are looked at.
pub const ADDRESSES_EVERY: Duration = Duration::from_secs(3);

/// Addresses count when none has come or gone for so long: DHCP and IPv6 autoconfiguration are two seconds apart.
pub const ADDRESSES_SETTLE: Duration = Duration::from_secs(5);

/// The same while the port has only IPv4 or only IPv6: the other may be slow, and the certificate should name both.
pub const ADDRESSES_SETTLE_ONE_KIND: Duration = Duration::from_secs(10);

/// Most addresses of the management port that are shown and certified.
pub const MAX_ADDRESSES: usize = 16;

/// Life of a self-signed certificate: 397 days, the longest that browsers accept (CA/Browser Forum BR 6.3.2).
pub const CERTIFICATE_DAYS: u32 = 397;

/// A self-signed certificate is made again so many days before its end.
pub const CERTIFICATE_RENEWED_DAYS: u32 = 30;

/// Largest part of an answer that the history may fill, in bytes of JSON; the rest of it is the frame's envelope.
pub const MAX_HISTORY: usize = 900 * 1024;

/// Attempts to open the store that may end in a crash before it is set aside as broken. A power cut while it opens is
/// no reason to give it up; a second one is no accident.
pub const MAX_OPENING_ATTEMPTS: u64 = 2;

/// Memory that the store may use as a cache, in bytes. All of it is under a few MiB.
pub const STORE_CACHE: u64 = 4 * 1024 * 1024;

/// How often a lock is looked at that sled has not yet let go of: with the pause, 5 s in all.
pub const STORE_LOCK_LOOKS: u32 = 500;

/// Pause between two looks at sled's lock.
pub const STORE_LOCK_PAUSE: Duration = Duration::from_millis(10);
