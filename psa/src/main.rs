//! The program `psa`: the web process of the Platform Setup Application.
#![forbid(unsafe_code)]

use anyhow::Context;
use clap::{Parser, Subcommand};
use psa::helper::Helper;
use psa::pages::status::probe::Probe;
use psa::sniffer::Sniffer;
use psa::visit::App;
use psa::{limits, notify, server, tls};
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tracing_subscriber::EnvFilter;

/// The web process of the Platform Setup Application.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the pages over HTTPS.
    Serve {
        /// Where to listen when systemd gives no socket.
        #[arg(long, default_value = "127.0.0.1:8443")]
        listen: SocketAddr,
        /// The helper's socket.
        #[arg(long, default_value = "/run/psa-helper/helper.sock")]
        helper: PathBuf,
        /// The sniffer's query socket.
        #[arg(long, default_value = "/run/sniffer/query.sock")]
        sniffer: PathBuf,
    },
}

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    let Command::Serve { listen, helper, sniffer } = Arguments::parse().command;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // The journal has its own times.
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .without_time()
        .init();
    serve(listen, helper, sniffer).await
}

async fn serve(listen: SocketAddr, helper: PathBuf, sniffer: PathBuf) -> anyhow::Result<()> {
    let listener = server::listener(listen)?;
    let address = listener.local_addr().context("read the address of the socket")?;
    let app = Arc::new(App::new(Helper::new(helper), Sniffer::new(sniffer), Probe::live(), jiff::Timestamp::now));
    let identity = Arc::new(tls::Identity::default());
    identity.wait(&app.helper).await?;
    let server = server::start(&app, Arc::clone(&identity), listener)?;
    tracing::info!(%address, "Serving on {address}");
    if let Some(socket) = std::env::var_os("NOTIFY_SOCKET") {
        notify::ready(Path::new(&socket)).context("tell systemd that the process is ready")?;
    }
    tokio::select! {
        ended = server => ended.context("serve"),
        () = identity.keep_fresh(&app.helper, limits::IDENTITY_PERIOD) => Ok(()),
    }
}
