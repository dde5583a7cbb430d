//! The passive sniffer's engine without any I/O: frames go in with their time, records come out. It reads no clock,
//! opens nothing, starts nothing; what a packet may do to it is bounded.
#![forbid(unsafe_code)]

pub mod query;
pub mod record;
pub mod time;
