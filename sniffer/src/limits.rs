//! Every bound of the sniffer's shell, with its reason. The engine's own are in `sniffer_core::limits`.

use std::time::Duration;

/// Longest frame in a capture file. The format's own limit is 256 KiB (MAXIMUM_SNAPLEN of libpcap); longer is damage.
pub const FILE_FRAME: usize = 256 * 1024;
/// Bytes read from a file at once: a read of the kernel's then costs nothing beside the copy.
pub const FILE_BUFFER: usize = 1024 * 1024;
/// Longest block of a pcapng file: a frame with its options, or a section's comments.
pub const FILE_BLOCK: usize = 1024 * 1024;
/// How far ahead of the packet before a time in a file may be without being doubted. Calls are given up after ten minutes of
/// silence and more, registrations after an hour; and a day's quiet hours cost the copy of one packet each.
pub const TIME_LEAP: Duration = Duration::from_secs(3600);
/// Interfaces in one section of a pcapng file.
pub const FILE_INTERFACES: usize = 4096;

/// Bytes of a configuration: hundreds of times one with all settings. A capture that was named by mistake is longer.
pub const CONFIG: usize = 1024 * 1024;
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
/// Bytes of messages in it: messages that TCP carried may have 100 KB each.
pub const OWNER_INBOX_BYTES: usize = 32 << 20;
/// What waits for a worker: announcements of media, which come as seldom as SIP.
pub const WORKER_MAIL: usize = 65_536;
/// Readers, ports × workers: each is a thread with a ring of 16 MiB of the kernel's memory, so a gigabyte at most. The unit
/// allows threads for all of them.
pub const READERS: usize = 64;
/// How often it is said again that a port loses packets.
pub const LOSING_AGAIN: Duration = Duration::from_secs(60);
/// How long a port has lost nothing when it is said to have stopped.
pub const LOSING_OVER: Duration = Duration::from_secs(10);
/// How long the owner of signalling waits for something to do before it looks at the time.
pub const OWNER_WAIT: Duration = Duration::from_millis(20);
/// The same where no message waits for others that may be older: who has something for it wakes it, and timers are of
/// seconds.
pub const OWNER_IDLE: Duration = Duration::from_millis(250);
/// How far ahead the time is set when everything between threads is to be carried to its place.
pub const DRAIN_WAIT: Duration = Duration::from_secs(1);
/// Calls that are looked at before a worker goes on with its ring.
pub const LOOK_PIECE: usize = 256;

/// Records that wait for the store. At 1,000 calls a second it bridges ten seconds of a slow disk.
pub const SINK_QUEUE: usize = 10_000;
/// Records of each other kind that wait for the store: those of half a second, at 8,000 a second.
pub const RECORD_QUEUE: usize = 4000;
/// About how many bytes of memory they may take: the time lines of long streams are large.
pub const RECORD_QUEUE_BYTES: usize = 8 << 20;
/// How often registrations and subscriptions that have come to another state are written to the store.
pub const RECORD_SNAPSHOT: Duration = Duration::from_secs(10);
/// How often streams without a call that go on are written to the store, with their quality so far.
pub const STREAM_SNAPSHOT: Duration = Duration::from_secs(600);
/// How long the store's thread waits for calls before it looks whether it is to stop.
pub const STORE_FLUSH: Duration = Duration::from_secs(1);
/// How long calls are gathered before they are committed: with the commit itself less than a second.
pub const STORE_GROUP: Duration = Duration::from_millis(500);
/// How often calls in progress that have come to another state are written to the store.
pub const STORE_SNAPSHOT: Duration = Duration::from_secs(5);
/// Calls kept in the store, 1 to 3 kB each on the disk; the oldest go first.
pub const STORE_CALLS: u64 = 20_000_000;
/// Pause before a store that failed is opened again.
pub const STORE_RETRY: Duration = Duration::from_secs(30);
/// How often a call that stays in its state is written again, with its quality so far.
pub const STORE_REFRESH: Duration = Duration::from_secs(60);
/// Calls of which is remembered in what state the store knows them: more than an engine tracks.
pub const KNOWN_CALLS: usize = 200_000;
/// Calls of one write to the store, and of one step of deleting: a commit stays short.
pub const STORE_BATCH: usize = 2000;
/// Bytes of one stored value. A call's details are bounded by its streams and their time lines; more is damage.
pub const STORE_VALUE: usize = 1024 * 1024;
/// Tenths of the values' octets that the database's file takes of the disk at most, with the index: tests hold it to that.
/// Calls take 22, with media or without; those whose numbers are as long as the index takes 31.
pub const STORE_FILE_TENTHS: u64 = 35;
/// Bytes of the database's file from which on it is made smaller at the start when half of it is empty.
pub const STORE_COMPACT: u64 = if cfg!(test) { 1 << 20 } else { 1 << 28 };
/// Bytes of memory that the database may use for pages.
pub const STORE_CACHE: usize = 32 * 1024 * 1024;
/// Bytes after which a page of the index is full: it and its key fit into a page of the database.
pub const STORE_PAGE: usize = 3700;
/// Ended calls whose index entries are in memory, about 700 bytes each, before they become a run; fewer in tests, which
/// make several runs.
pub const STORE_RUN: usize = if cfg!(test) { 2000 } else { 20_000 };
/// Bytes of memory that the database of each other kind may use for pages.
pub const RECORDS_CACHE: usize = 4 * 1024 * 1024;
/// The same as [`STORE_RUN`] for each other kind, of which there are fewer: 3 MB of entries.
pub const RECORDS_RUN: usize = if cfg!(test) { 500 } else { 5000 };
/// For how long a record has one row. After it another one begins, so that what is old can be deleted.
pub const RECORD_ROW: Duration = Duration::from_secs(86_400);
/// One call of so many, those that began first, goes into a run of its own: most calls are short, and a search looks at
/// all runs that reach over its time.
pub const STORE_RUN_OLD: usize = 50;
/// Addresses by which one call is found.
pub const STORE_ADDRESSES: usize = 16;
/// Work that one search may do; more goes on with the next request. About 50 ms; less in tests, which make less.
pub const SEARCH_WORK: usize = if cfg!(test) { 8000 } else { 400_000 };
/// What reading a page of the index counts as, and looking at a call.
pub const SEARCH_PAGE_WORK: usize = 100;
/// What reading a call counts as.
pub const SEARCH_CALL_WORK: usize = 40;
/// Free bytes above the floor down to which the oldest is deleted: more than is written until the next look, at 100 MB/s.
pub const FLOOR_ROOM: u64 = 1 << 30;
/// How often age, size and free space are looked at.
pub const RETENTION: Duration = Duration::from_secs(5);
/// A rate of growth is measured in steps of this, over this time, and said after this one.
pub const GROWTH_STEP: Duration = Duration::from_secs(60);
/// See [`GROWTH_STEP`].
pub const GROWTH_TIME: Duration = Duration::from_secs(3600);
/// See [`GROWTH_STEP`].
pub const GROWTH_LEAST: Duration = Duration::from_secs(300);
/// How long after its end an hour is archived: more than the engine watches a call that has ended.
pub const ARCHIVE_WAIT: Duration = Duration::from_secs(120);
/// Free bytes that the archive asks for, for each call that it is to write.
pub const ARCHIVE_CALL: u64 = 2048;
/// Rows that the archive holds in memory, some 50 MB with all their streams: one row group of a file.
pub const ARCHIVE_ROWS: usize = 10_000;
/// Bytes that a worker's packets of one kind take before it hands them over, as what is packed and what finds it again:
/// 1,000 calls with the headers of their media take 1.5 MB in half a second.
pub const PACKET_BLOCK: usize = 4 * 1024 * 1024;
/// How long packets wait in a block that does not fill.
pub const PACKET_WAIT: Duration = Duration::from_millis(500);
/// Blocks that wait for the disk, each as it is written and so no larger than what was gathered: 64 MiB at most, eight
/// seconds of a slow disk. Besides, each reader gathers two kinds.
pub const PACKET_QUEUE: usize = 16;
/// The same where whoever reads waits for the disk: one is written while the next one fills.
pub const PACKET_QUEUE_WAITING: usize = 1;
/// How long what was written may be not durable while nothing more comes.
pub const PACKET_SYNC: Duration = Duration::from_millis(400);
/// Bytes after which a segment is full: the unit of deleting.
pub const PACKET_SEGMENT: u64 = 128 * 1024 * 1024;
/// How much later than its place in the store says a packet may be: blocks of several workers, and RTP that overtook
/// its signalling.
pub const PACKET_DISORDER: Duration = Duration::from_secs(15);
/// How long after its end a call has packets: it is watched for 32 s, and blocks come a little later than their packets.
pub const PACKET_TRAIL: Duration = Duration::from_secs(50);
/// How long a segment is written to: packets are deleted by the segment, so they live as much longer than is set.
pub const PACKET_SEGMENT_AGE: Duration = Duration::from_secs(3600);
/// Calls that are marked because packets of theirs were dropped.
pub const PACKET_MARKS: usize = 200_000;
/// Ended calls kept in memory beside the store: shown when there is no store.
pub const RECENT_CALLS: usize = 1000;

/// Clients of the query socket at once: the web process, a console, a person with a tool.
pub const QUERY_CLIENTS: usize = 16;
/// How long a client of the query socket may be silent or slow.
pub const QUERY_WAIT: Duration = Duration::from_secs(30);
/// Bytes of a capture file that the query socket sends in one message.
pub const QUERY_CHUNK: usize = 256 * 1024;
