//! The daemon and the tool in one program: see `sniffer::cli`.

fn main() -> std::process::ExitCode {
    sniffer::cli::run(std::env::args_os())
}
