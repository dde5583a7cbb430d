//! The programs on this computer: the pages in a browser, with PSA, helper and sniffer on a scratch root folder and
//! without privileges, and the sniffer with a capture file.
//! Pictures of every page go to `CALLWARD_PICTURES`, or below the build's folder.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

mod audit;
mod hostile;
mod keyboard;
mod look;
mod settings;
mod setup;
mod stage;
mod truth;
