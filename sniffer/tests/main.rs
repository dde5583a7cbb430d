//! The sniffer from the outside: captures against their oracles, the schema, hostile input, and the running daemon.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests fail by panicking, like the tests"
)]

mod absurd;
mod captures;
mod command_line;
mod daemon;
mod dialogs;
mod files;
mod floods;
mod fuzz;
mod held;
mod hostile;
mod keep;
mod kinds;
mod live;
mod losses;
mod oracle;
mod oracle_quality;
mod privacy;
mod robust;
mod schema;
mod tunnels;
mod upstream;
mod wire;
