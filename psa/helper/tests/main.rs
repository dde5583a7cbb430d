//! The helper as a whole: a scratch root, a real socket, a clock that stands still until a test moves it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test that cannot go on fails"
)]

mod bench;
mod crash;
mod hostile;
mod people;
mod settings;
