//! The passive sniffer's engine without any I/O: frames go in with their time, records come out. It reads no clock,
//! opens nothing, starts nothing; what a packet may do to it is bounded in [`limits`].
#![forbid(unsafe_code)]

mod bytes;
pub mod classify;
pub mod codec;
pub mod decode;
pub mod drops;
mod ends;
pub mod engine;
mod few;
mod index;
pub mod ingress;
pub mod limits;
pub mod quality;
pub mod query;
mod reassembly;
pub mod record;
pub mod rtcp;
pub mod rtp;
mod sctp;
pub mod sdp;
pub mod search;
pub mod sip;
mod slab;
mod tcp;
pub mod time;
pub mod turn;
pub mod udptl;
