//! The only root process of the appliance: keeps settings, accounts, sessions and the audit, and makes settings real.
//!
//! It knows no features (those return data, see `psa-model`) and no network: its one input is a Unix socket.
#![forbid(unsafe_code)]

pub mod accounts;
pub mod audit;
pub mod client;
pub mod console;
pub mod disk;
pub mod effects;
pub mod facts;
pub mod frame;
pub mod generations;
pub mod helper;
pub mod limits;
pub mod log;
pub mod machine;
pub mod notify;
pub mod password;
pub mod peers;
pub mod serve;
pub mod sessions;
pub mod store;
pub mod system;
pub mod throttle;
pub mod tls;
pub mod trial;
pub mod world;
