//! The service manager's notification socket (sd_notify), without its library.
//!
//! One datagram of `KEY=VALUE` lines to the socket that `NOTIFY_SOCKET` names; a leading `@` means the abstract
//! namespace. Source: systemd's sd_notify(3).

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Says `state` (`READY=1`, `STOPPING=1`, …) to the service manager, if there is one that listens.
///
/// # Errors
/// When the socket is named and cannot be written.
pub fn notify(state: &str) -> io::Result<()> {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty()) else { return Ok(()) };
    let path = path.into_encoded_bytes();
    let address = match path.split_first() {
        Some((b'@', name)) => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(std::path::Path::new(std::str::from_utf8(&path).map_err(io::Error::other)?))?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.send_to_addr(state.as_bytes(), &address).map(|_| ())
}
