//! The targets of `sniffer-core`: pure code, quick to build for the fuzzer.

mod dialogs;
mod engine;
mod ingress;
mod input;
mod media;
mod messages;
mod packets;
mod parsers;
mod records;
mod run;
mod workers;

pub use self::{
    dialogs::script,
    input::Input,
    run::{BEGIN, small},
};
use super::{Material, Target, seeds};

/// All of them.
pub const ALL: &[Target] = &[
    Target { name: "decode", run: parsers::decode, seeds: |material| seeds::prefixed(&[1], material.frames.clone()) },
    Target { name: "sip", run: parsers::sip, seeds: Material::sip },
    Target { name: "sdp", run: parsers::sdp, seeds: Material::sdp },
    Target { name: "framing", run: parsers::framing, seeds: Material::framing },
    Target { name: "media", run: media::media, seeds: Material::media },
    Target { name: "ingress", run: ingress::ingress, seeds: Material::ingress },
    Target { name: "engine", run: engine::engine, seeds: Material::engine },
    Target { name: "dialogs", run: dialogs::dialogs, seeds: |_| seeds::scripts() },
    Target { name: "workers", run: workers::workers, seeds: |_| seeds::scripts() },
    Target { name: "query", run: parsers::query, seeds: |_| seeds::queries() },
];
