//! The sniffer from the outside: captures against their oracles, the schema, hostile input, and the running daemon.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests fail by panicking, like the tests"
)]

mod captures;
mod command_line;
mod daemon;
mod dialogs;
mod fuzz;
mod held;
mod hostile;
mod keep;
mod oracle;
mod oracle_quality;
mod privacy;
mod robust;
mod schema;
mod tunnels;
mod upstream;
