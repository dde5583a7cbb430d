//! The server with its limits.

use crate::dispatch::configure;
use crate::limits;
use crate::tls;
use crate::visit::App;
use actix_web::dev::Server;
use actix_web::http::KeepAlive;
use actix_web::{App as WebApp, HttpServer};
use anyhow::Context;
use listenfd::ListenFd;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

/// The socket that systemd opened (sd_listen_fds(3)), or one of our own where it did not.
///
/// # Errors
/// When the socket is none, or the address cannot be taken.
pub fn listener(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let given = ListenFd::from_env().take_tcp_listener(0).context("take the socket from systemd")?;
    match given {
        Some(listener) => Ok(listener),
        None => TcpListener::bind(address).with_context(|| format!("listen on {address}")),
    }
}

/// Starts to serve.
///
/// # Errors
/// When TLS or the socket cannot be set up.
pub fn start(app: &Arc<App>, identity: Arc<tls::Identity>, listener: TcpListener) -> anyhow::Result<Server> {
    let app = Arc::clone(app);
    let server = HttpServer::new(move || WebApp::new().configure(configure(Arc::clone(&app))))
        .workers(limits::WORKERS)
        .worker_max_blocking_threads(limits::WORKERS)
        .backlog(limits::BACKLOG)
        .max_connections(limits::MAX_CONNECTIONS)
        .max_connection_rate(limits::MAX_HANDSHAKES)
        .keep_alive(KeepAlive::Timeout(limits::KEEP_ALIVE))
        .client_request_timeout(limits::HEADER_TIME)
        .client_disconnect_timeout(limits::DISCONNECT_TIME)
        .tls_handshake_timeout(limits::HANDSHAKE_TIME)
        .shutdown_timeout(limits::SHUTDOWN_SECONDS)
        .listen_rustls_0_23(listener, tls::config(identity)?)
        .context("listen with TLS")?
        .run();
    Ok(server)
}
