//! The web process as a browser meets it: real routes and templates, a fake helper and a fake sniffer on Unix sockets.

mod doors;
mod golden;
mod hostile;
mod logs;
mod support;
mod time;
mod tls;
mod way_in;
