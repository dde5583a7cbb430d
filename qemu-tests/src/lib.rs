//! Boots the appliance and uses it as an administrator, a network and an attacker would. Everything is typed; nothing
//! goes through a shell; every program that is started ends with the harness.
#![forbid(unsafe_code)]

pub mod admin;
pub mod browser;
pub mod clock;
pub mod console;
pub mod headless;
pub mod https;
pub mod machine;
pub mod probe;
pub mod process;
pub mod qmp;
pub mod replay;
pub mod scratch;
pub mod serial;
pub mod stop;
pub mod wire;

pub use traffic;
