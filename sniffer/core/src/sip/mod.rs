//! SIP messages (RFC 3261) in two tiers: the parser frames a message and indexes its header lines, borrowing from the
//! datagram; `fields`, `address` and `uri` read single headers on demand. It is tolerant where phones are, and total:
//! every input gives a message or a reason.

mod address;
mod body;
mod faults;
pub mod fields;
pub mod framing;
mod header;
mod message;
mod method;
mod parse;
mod scan;
mod tag;
pub mod uri;
mod via;

pub use self::{
    address::{NameAddr, Parameters, unquoted, values},
    body::Part,
    faults::Fault,
    header::Header,
    message::{Headers, Message, StartLine},
    method::{Method, is_token},
    parse::{looks_like_sip, parse},
    tag::Tag,
    uri::{Number, Scheme, Uri},
    via::Via,
};

#[cfg(test)]
mod tests;
#[cfg(test)]
mod torture;
