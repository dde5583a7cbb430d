//! Builds the appliance's disk image from Debian packages, an own kernel and this repository's binaries. Runs as root
//! in the tools tree (`scripts/tools`); it writes below its output folder and the cache, nowhere else.

mod binaries;
mod boot;
mod build;
mod check;
mod cli;
mod context;
mod disk;
mod elf;
mod file_system;
mod fill;
mod hash;
mod keep;
mod kernel;
mod kernel_config;
mod libraries;
mod lock;
mod manifest;
mod packages;
mod release;
mod reproducible;
mod root;
mod steps;
mod stock;
mod system;

fn main() -> anyhow::Result<()> {
    cli::run()
}
