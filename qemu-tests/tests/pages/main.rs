//! The pages in a browser, on this computer: PSA, helper and sniffer with a scratch root folder and no privileges.
//! Pictures of every page go to `CALLWARD_PICTURES`, or below the build's folder.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

mod hostile;
mod keyboard;
mod look;
mod settings;
mod setup;
mod stage;
