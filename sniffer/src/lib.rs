//! The capture daemon: the shell of effects around `sniffer_core`. It reads ports and files, keeps calls, and answers
//! queries; what a packet means is decided in the core alone.

pub mod archive;
pub mod capture;
pub mod check;
pub mod cli;
pub mod disk;
pub mod file;
pub mod limits;
pub mod live;
mod lock;
pub mod packets;
pub mod read;
pub mod retention;
pub mod run;
mod seed;
pub mod store;
