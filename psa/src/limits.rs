//! Every limit of the web process, with its reason.

use std::time::Duration;

/// Longest body of a form, in bytes: nine times the largest page's, and far under what the helper takes.
pub const MAX_BODY: usize = 64 * 1024;

/// Most fields in a form. The largest page has under fifty; a body of separators alone must not make a long list.
pub const MAX_FIELDS: usize = 256;

/// Time for a body to arrive once its headers are read: a form is small, so this is a very slow line.
pub const BODY_TIME: Duration = Duration::from_secs(15);

/// Time for a request's headers to arrive: a peer that sends a byte a second holds a connection for this long.
pub const HEADER_TIME: Duration = Duration::from_secs(10);

/// Time for a TLS handshake.
pub const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// An idle connection is closed after this time; a page that refreshes every 5 s keeps one.
pub const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Time for a peer to close a connection properly.
pub const DISCONNECT_TIME: Duration = Duration::from_secs(5);

/// Threads that serve. Administrators are few; two keep one slow handler from stopping everyone.
pub const WORKERS: usize = 2;

/// Most connections of one thread. A browser opens six; a hundred administrators fit.
pub const MAX_CONNECTIONS: usize = 512;

/// Most TLS handshakes at once in one thread: they are the dearest thing a stranger can ask for.
pub const MAX_HANDSHAKES: usize = 64;

/// Connections that wait to be taken.
pub const BACKLOG: u32 = 256;

/// Time for requests in progress to end when the process is told to stop.
pub const SHUTDOWN_SECONDS: u64 = 5;

/// Most questions to the helper at once; more wait. Each holds a connection of the helper's.
pub const MAX_HELPER_QUESTIONS: usize = 16;

/// Most questions to the sniffer at once.
pub const MAX_SNIFFER_QUESTIONS: usize = 8;

/// Time for an answer of the helper or the sniffer, waiting for a turn included.
pub const ANSWER_TIME: Duration = Duration::from_secs(10);

/// Time for an answer that hashes a password or applies settings: several may queue behind 64 MiB of Argon2id each,
/// and a reload of a service may take its time.
pub const SLOW_ANSWER_TIME: Duration = Duration::from_secs(45);

/// How often the certificate is asked for again. The console shows the fingerprint at once, so a browser must see the
/// certificate soon after.
pub const IDENTITY_PERIOD: Duration = Duration::from_secs(2);

/// How long to wait for the first certificate before giving up: the helper makes a key at the first start.
pub const IDENTITY_PATIENCE: Duration = Duration::from_secs(90);

/// Longest foreign text on a page, in characters: a URI in a SIP message may have kilobytes.
pub const MAX_FOREIGN_TEXT: usize = 120;

/// Calls on one page.
pub const CALLS_A_PAGE: u16 = 50;

/// Generations that a conflict page looks back on to say who changed what.
pub const CONFLICT_HISTORY: u16 = 20;
