//! The web process as a browser meets it: real routes and templates, a fake helper and a fake sniffer on Unix sockets.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "what stands behind the site is test code too: a surprise there must end the test"
)]

mod doors;
mod golden;
mod hostile;
mod logs;
mod support;
mod time;
mod tls;
mod way_in;
