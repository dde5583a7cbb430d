//! Every bound of the sniffer's shell, with its reason. The engine's own are in `sniffer_core::limits`.

use std::time::Duration;

/// Longest frame in a capture file. The format's own limit is 256 KiB (MAXIMUM_SNAPLEN of libpcap); longer is damage.
pub const FILE_FRAME: usize = 256 * 1024;
/// Longest block of a pcapng file: a frame with its options, or a section's comments.
pub const FILE_BLOCK: usize = 1024 * 1024;
/// Interfaces in one section of a pcapng file.
pub const FILE_INTERFACES: usize = 4096;

/// Capture ports.
pub const PORTS: usize = 64;
/// Bytes of one block of a port's ring: room for about 1,000 G.711 packets of one millisecond at full gigabit.
pub const RING_BLOCK: u32 = 1 << 18;
/// Blocks in a port's ring: 16 MiB together, 130 ms of a full gigabit while the reader is held up.
pub const RING_BLOCKS: u32 = 64;
/// How long the kernel holds a block that is not full: the delay of a packet on a quiet port.
pub const RING_BLOCK_WAIT: Duration = Duration::from_millis(20);
/// How long a reader waits for packets before it looks whether it is to stop.
pub const POLL_WAIT: Duration = Duration::from_millis(250);
/// Pause before a port that could not be opened is tried again.
pub const PORT_RETRY: Duration = Duration::from_secs(3);
/// Workers: more than a machine has receive queues for are of no use, and each holds a ring for each port.
pub const WORKERS: u8 = 16;
/// Entries that a table may be set to: ten million calls at 2 KiB are more than a machine has.
pub const TABLE: usize = 10_000_000;
/// What waits for the owner of signalling, beside what each worker holds itself.
pub const OWNER_INBOX: usize = 65_536;
/// What waits for a worker: announcements of media, which come as seldom as SIP.
pub const WORKER_MAIL: usize = 65_536;
/// How long the owner of signalling waits for something to do before it looks at the time.
pub const OWNER_WAIT: Duration = Duration::from_millis(20);
/// How far ahead the time is set when everything between threads is to be carried to its place.
pub const DRAIN_WAIT: Duration = Duration::from_secs(1);
/// Calls that are looked at before a worker goes on with its ring.
pub const LOOK_PIECE: usize = 256;

/// Records that wait for the store. At 1,000 calls a second it bridges ten seconds of a slow disk.
pub const SINK_QUEUE: usize = 10_000;
/// How often the store is made durable: what a power cut may cost.
pub const STORE_FLUSH: Duration = Duration::from_secs(1);
/// How often calls in progress are written to the store.
pub const STORE_SNAPSHOT: Duration = Duration::from_secs(5);
/// Calls kept in the store, about 600 bytes each; the oldest go first.
pub const STORE_CALLS: u64 = 500_000;
/// Bytes of one stored value. A summary is bounded by its texts and far smaller; more is damage.
pub const STORE_VALUE: usize = 64 * 1024;
/// Bytes of memory that sled may use for pages.
pub const STORE_CACHE: u64 = 32 * 1024 * 1024;
/// Ended calls kept in memory beside the store: shown when there is no store.
pub const RECENT_CALLS: usize = 1000;

/// Clients of the query socket at once: the web process, a console, a person with a tool.
pub const QUERY_CLIENTS: usize = 16;
/// How long a client of the query socket may be silent or slow.
pub const QUERY_WAIT: Duration = Duration::from_secs(30);
