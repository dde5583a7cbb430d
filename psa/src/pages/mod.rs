//! The pages, one folder each: a handler and its template side by side.

pub mod assets;
pub mod calls;
pub mod login;
pub mod ntp;
pub mod setup;
pub mod start;
pub mod status;
