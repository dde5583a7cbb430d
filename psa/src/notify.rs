//! Tells systemd that the process is ready (sd_notify(3)).

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;

/// Says "ready" to the socket that `NOTIFY_SOCKET` names.
///
/// # Errors
/// When the socket does not take it.
pub fn ready(socket: &Path) -> io::Result<()> {
    let name = socket.as_os_str().as_bytes();
    let address = match name.split_first() {
        Some((b'@', rest)) => SocketAddr::from_abstract_name(rest)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(b"READY=1", &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_hears_that_the_process_is_ready() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        ready(&path).unwrap();
        let mut text = [0; 16];
        let length = socket.recv(&mut text).unwrap();
        assert_eq!(&text[..length], b"READY=1");
    }

    #[test]
    fn an_abstract_socket_is_heard_too() {
        let name = format!("psa-test-{}", std::process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        ready(Path::new(&format!("@{name}"))).unwrap();
        let mut text = [0; 16];
        assert_eq!(socket.recv(&mut text).unwrap(), 7);
    }
}
