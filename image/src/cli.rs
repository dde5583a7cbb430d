//! The command line: what may be asked of the builder. Holds no logic of its own.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::{build, check, context::Context, kernel, packages, reproducible, stock};

/// Builds the Callward appliance image.
#[derive(Parser)]
#[command(name = "callward-image")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds the image and everything it consists of into a folder.
    Build {
        /// The folder to write to.
        #[arg(long)]
        out: PathBuf,
        /// Takes psa, psa-helper and sniffer from this folder in place of building them.
        #[arg(long)]
        binaries: Option<PathBuf>,
        /// Goes on when the mirror's packages differ from the lock file, and says so.
        #[arg(long)]
        allow_drift: bool,
    },
    /// Writes the lock file anew from what the mirror has.
    Relock,
    /// Builds the kernel, or finds it in the cache, and prints its path.
    Kernel,
    /// Compares the root file system in a build's folder with the allow-list.
    Check {
        /// The folder of an earlier build.
        #[arg(long)]
        out: PathBuf,
    },
    /// Builds root, hash tree and boot file twice and compares the bytes.
    VerifyReproducible {
        /// Takes psa, psa-helper and sniffer from this folder in place of building them.
        #[arg(long)]
        binaries: Option<PathBuf>,
        /// Goes on when the mirror's packages differ from the lock file, and says so.
        #[arg(long)]
        allow_drift: bool,
    },
    /// Builds a stock Debian 13 disk, with Debian's kernel and initramfs, to compare boot times with.
    Stock {
        /// The folder to write to.
        #[arg(long)]
        out: PathBuf,
    },
}

/// Parses the command line and does what it asks.
///
/// # Errors
/// Returns the first error of the step that failed.
pub fn run() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let context = Context::from_environment()?;
    match cli.command {
        Command::Build { out, binaries, allow_drift } => {
            build::build(&context, &build::Wish { out, binaries, allow_drift })
        }
        Command::Relock => packages::relock(&context),
        Command::Kernel => {
            let kernel = kernel::kernel(&context)?;
            eprintln!("{}", kernel.image.display());
            Ok(())
        }
        Command::Check { out } => check::check_build(&context, &out),
        Command::VerifyReproducible { binaries, allow_drift } => {
            reproducible::verify(&context, binaries.as_deref(), allow_drift)
        }
        Command::Stock { out } => stock::build(&context, &out),
    }
}
