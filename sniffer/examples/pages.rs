//! Writes the manual pages and the shell completions of `sniffer` into a folder; packages and people use it, the image
//! does not hold it. `cargo run -p sniffer --example pages -- FOLDER`

use std::{fs, io, path::Path};

/// Writes `sniffer.1`, a page for each command, and completions for bash, zsh and fish.
///
/// # Errors
/// When the folder cannot be written.
pub fn write(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let command = sniffer::cli::command();
    clap_mangen::generate_to(command.clone(), folder)?;
    for shell in [clap_complete::Shell::Bash, clap_complete::Shell::Zsh, clap_complete::Shell::Fish] {
        clap_complete::generate_to(shell, &mut command.clone(), "sniffer", folder)?;
    }
    Ok(())
}

#[cfg_attr(test, expect(dead_code, reason = "the tests use the other function alone"))]
fn main() -> io::Result<()> {
    let folder = std::env::args_os().nth(1).ok_or_else(|| io::Error::other("usage: pages FOLDER"))?;
    write(Path::new(&folder))
}
