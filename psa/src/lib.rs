//! The unprivileged web process of the Platform Setup Application (PSA): it shows the machine's state, turns forms into
//! typed settings, and asks the helper to apply them. It reads no configuration file, starts no program and keeps no
//! account: whatever reaches it from the network can do no more than a person with a browser could.
#![forbid(unsafe_code)]

pub mod app;
pub mod assets;
pub mod dispatch;
pub mod fields;
pub mod frame;
pub mod headers;
pub mod helper;
pub mod limits;
pub mod notify;
pub mod origin;
pub mod pages;
pub mod problem;
pub mod route;
pub mod server;
pub mod settings;
pub mod sniffer;
pub mod tls;
pub mod view;
pub mod visit;
pub mod wire;
