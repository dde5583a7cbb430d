//! Writes a capture file with telephone traffic made on the spot, and prints the truth about it as JSON.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "the truth is this program's output")]

use anyhow::{Context, Result};
use clap::Parser;
use qemu_tests::clock;
use qemu_tests::traffic::{Plan, write_pcap};
use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;

/// Writes a capture file with telephone traffic, and prints the truth about it as JSON.
#[derive(Parser)]
struct Arguments {
    /// How many calls
    #[arg(long, default_value_t = 20)]
    calls: u32,
    /// How long the recording is, in seconds, about
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// The same seed gives the same frames
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The file to write
    #[arg(long)]
    out: PathBuf,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let traffic = Plan::office(arguments.seed, arguments.calls, arguments.seconds).make()?;
    let file = File::create(&arguments.out).with_context(|| format!("create {}", arguments.out.display()))?;
    write_pcap(BufWriter::new(file), clock::since_epoch(), &traffic.frames)?;
    println!("{}", serde_json::to_string_pretty(&traffic.truth)?);
    Ok(())
}
