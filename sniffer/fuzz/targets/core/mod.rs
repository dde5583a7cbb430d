//! The targets of `sniffer-core`: pure code, quick to build for the fuzzer.

mod engine;
mod parsers;

use super::Target;

/// All of them by name.
pub const ALL: &[(&str, Target)] = &[
    ("decode", parsers::decode),
    ("sip", parsers::sip),
    ("framing", parsers::framing),
    ("websocket", parsers::websocket),
    ("sdp", parsers::sdp),
    ("rtp", parsers::rtp),
    ("rtcp", parsers::rtcp),
    ("query", parsers::query),
    ("fragments", engine::fragments),
    ("tcp", engine::tcp),
    ("engine", engine::engine),
];

/// Input taken apart into numbers and bytes; at its end there are zeroes.
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    pub fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// At most so many bytes.
    pub fn bytes(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}
