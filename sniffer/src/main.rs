//! The command line: `sniffer run` captures from ports, `sniffer read` reads capture files. Both use the same engine.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "sniffer", version, about = "Watches SIP and RTP and turns it into calls with their quality")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Captures from the ports that a configuration names, until SIGTERM.
    Run(sniffer::run::Options),
    /// Reads capture files (pcap, pcapng) and prints calls, streams and registrations.
    Read {
        /// Print one JSON object a line instead of a table.
        #[arg(long)]
        json: bool,
        /// Report RTP that no signalling announces as streams of their own.
        #[arg(long)]
        rtp_without_sip: bool,
        /// The capture files, in the order of time.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::builder()
                .with_default_directive(tracing::Level::INFO.into())
                .from_env_lossy(),
        )
        .with_ansi(false)
        .init();
    let outcome = match Arguments::parse().command {
        Command::Run(options) => sniffer::run::run(&options),
        Command::Read { json, rtp_without_sip, files } => {
            sniffer::read::read(&files, json, rtp_without_sip, std::io::stdout().lock())
        }
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
