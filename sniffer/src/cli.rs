//! The command line: what can be said, and who does it. `run` is the daemon, `read` and `live` are tools over the same
//! engine, `check` reads a configuration as the daemon would.

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "sniffer", version, about = "Watches SIP and RTP and turns it into calls with their quality")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Captures from the ports that a configuration names, until SIGTERM
    #[command(after_help = "--help says what a configuration may hold.", after_long_help = crate::run::configuration())]
    Run(crate::run::Options),
    /// Reads capture files (pcap, pcapng) and prints calls, streams and registrations
    #[command(
        after_help = "The files are read in the order given. Exit code 2: a file was empty, cut or damaged; what came \
                      before is counted. Exit code 1: a file cannot be read, or is no capture; nothing was read.\n\n\
                      Examples:\n  sniffer read calls.pcap\n  tcpdump -i eth0 -w - udp | sniffer read -\n  \
                      sniffer read --json *.pcapng | jq -r 'select(.type == \"call\") | [.from, .state, .call_id] | @tsv'\n  \
                      sniffer read --write-call a84b4c76e66710@pc33 one.pcap calls.pcap"
    )]
    Read(crate::read::Options),
    /// Captures from an interface and prints calls until Ctrl-C
    #[command(after_help = "Needs no configuration and keeps nothing. Capturing needs root or the capability \
                      CAP_NET_RAW.\n\nExample:\n  sniffer live enp0s3")]
    Live(crate::live::Options),
    /// Says what is wrong with a configuration, with line and field
    #[command(
        after_help = "Exit code 1: the daemon would not start with it. --help says what it may hold.",
        after_long_help = format!("Exit code 1: the daemon would not start with it.\n\n{}", crate::run::configuration())
    )]
    Check {
        /// The configuration, as JSON
        config: PathBuf,
    },
}

/// The command line as clap knows it: manual pages and completions are made from it.
#[must_use]
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Begins to log to the standard error: the daemon with times and places, a tool for the person before it.
fn start_log(is_daemon: bool) {
    let filter = tracing_subscriber::EnvFilter::builder().with_default_directive(tracing::Level::INFO.into());
    let log = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(filter.from_env_lossy())
        .with_ansi(false);
    if is_daemon { log.init() } else { log.without_time().with_target(false).init() }
}

/// A panic is a defect; it says where it was, and not with what: its text may quote a message, as that of an index into a
/// text does, and with it who called whom. RUST_BACKTRACE=1 shows by which way it came there, as usual.
fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("without a name");
        tracing::error!("A defect of sniffer {}: panic at {place}, thread {thread}", env!("CARGO_PKG_VERSION"));
        let way = std::backtrace::Backtrace::capture();
        if way.status() == std::backtrace::BacktraceStatus::Captured {
            tracing::error!("{way}");
        }
    }));
}

/// Does what the words of a command line say; the first is the program's name.
#[must_use]
pub fn run(words: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
    let command = Arguments::parse_from(words).command;
    start_log(matches!(command, Command::Run(_)));
    quiet_panics();
    let output = std::io::stdout();
    let outcome = match command {
        Command::Run(options) => crate::run::run(&options),
        Command::Read(options) => crate::read::run(&options, output.lock()),
        Command::Live(options) => crate::live::run(&options, output.lock()),
        Command::Check { config } => crate::check::run(&config, output.lock()),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
