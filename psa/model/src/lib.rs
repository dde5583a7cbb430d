//! Settings, accounts and messages of the Platform Setup Application (PSA) as types.
//!
//! Both sides of the privilege boundary use this crate: the web process to turn forms into settings, the helper to
//! parse them again and to render files from them. It does no I/O, reads no clock and draws no random numbers.
#![forbid(unsafe_code)]

pub mod account;
pub mod change;
pub mod limits;
pub mod network;
pub mod ntp;
pub mod protocol;
pub mod render;
pub mod secret;
pub mod settings;
pub mod setup;
pub mod status;
pub mod text;
