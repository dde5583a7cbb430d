//! Boots the appliance and uses it as an administrator, a network and an attacker would. Everything is typed; nothing
//! goes through a shell; every program that is started ends with the harness.
#![forbid(unsafe_code)]

pub mod clock;
pub mod console;
pub mod https;
pub mod machine;
pub mod process;
pub mod qmp;
pub mod replay;
pub mod serial;
pub mod traffic;
pub mod wire;
