//! The service manager's notification socket (sd_notify), without its library.
//!
//! One datagram of `KEY=VALUE` lines to the socket that `NOTIFY_SOCKET` names; a leading `@` means the abstract
//! namespace. Source: systemd's sd_notify(3).

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Longest time between two signs of life that makes sense.
const MAX_WATCHDOG: Duration = Duration::from_secs(24 * 3600);

/// How often the service manager wants `WATCHDOG=1`: half of `WATCHDOG_USEC`, if it is meant for this process
/// (sd_watchdog_enabled(3)).
pub fn watchdog_every() -> Option<Duration> {
    let text = |name| std::env::var(name).ok();
    let pid = text("WATCHDOG_PID");
    every(&text("WATCHDOG_USEC")?, pid.as_deref(), std::process::id())
}

fn every(usec: &str, pid: Option<&str>, own: u32) -> Option<Duration> {
    let ours = pid.is_none_or(|pid| pid.parse() == Ok(own));
    let usec = usec.parse().ok().filter(|usec| ours && *usec > 0)?;
    Some((Duration::from_micros(usec) / 2).min(MAX_WATCHDOG))
}

/// Says `state` (`READY=1`, `STOPPING=1`, …) to the service manager, if there is one that listens.
pub fn notify(state: &str) {
    if let Err(error) = send(state) {
        log::warn!("NOTIFY_SOCKET: {error}");
    }
}

fn send(state: &str) -> io::Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_what_the_service_manager_asks_for() {
        let ms = |ms| Some(Duration::from_millis(ms));
        for (usec, pid, want) in [
            ("30000000", None, ms(15_000)),
            ("30000000", Some("42"), ms(15_000)),
            ("30000000", Some("43"), None),
            ("30000000", Some(""), None),
            ("0", None, None),
            ("", None, None),
            ("-1", None, None),
            ("18446744073709551615", None, Some(MAX_WATCHDOG)),
        ] {
            assert_eq!(every(usec, pid, 42), want, "{usec} {pid:?}");
        }
    }
}
