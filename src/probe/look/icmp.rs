//! Whether a host answers to pings. By the sockets that the kernel has for it (icmp(7), "ping sockets"), which need no
//! privilege where `net.ipv4.ping_group_range` holds the daemon's group.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, socket_with};

use super::{Seen, bad};
use crate::callback::exec::is_passing;
use crate::clock::{Tick, tick};
use crate::fetch::FetchError;
use crate::resolve::Resolver;

/// Bytes of an echo: type, code, checksum and number, which are the kernel's, sequence, and what comes back.
const LEN: usize = 16;
/// Packets that are no answer.
const MAX_STRAY: usize = 100;
/// Why there is none.
pub const NOT_ALLOWED: &str =
    "this host lets nobody ping: sysctl net.ipv4.ping_group_range=\"0 2147483647\" changes that";

/// Who may ping: the first and the last group; the first is greater where nobody may.
const GROUPS: &str = "/proc/sys/net/ipv4/ping_group_range";

/// Whether the kernel lets no group ping.
pub fn nobody_may() -> bool {
    let range = fs::read_to_string(GROUPS).unwrap_or_default();
    let mut groups = range.split_whitespace().map(str::parse::<u32>);
    matches!((groups.next(), groups.next()), (Some(Ok(from)), Some(Ok(to))) if from > to)
}

/// Sends an echo to each of its addresses in turn until one answers; another one after half of the time.
pub fn look(host: &str, resolver: &Arc<Resolver>, end: Tick) -> Seen {
    let Ok(addresses) = resolver.lookup_within(host, 0, end.since(tick())) else {
        return bad(FetchError::Resolve.text());
    };
    let mut why = FetchError::Timeout.text().to_owned();
    for (index, address) in addresses.iter().enumerate() {
        let left = end.since(tick());
        if left.is_zero() {
            break;
        }
        let share = if index + 1 < addresses.len() { left / 2 } else { left };
        match ping(*address, tick() + share) {
            Ok(()) => return (Some(true), String::new()),
            Err(error) if is_passing(&error) => return (None, error.to_string()),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return (None, NOT_ALLOWED.to_owned()),
            Err(error) if late(&error) => why = FetchError::Timeout.text().to_owned(),
            Err(error) => why = error.to_string(),
        }
        if addresses.len() > 1 {
            why = [&address.ip().to_string(), ": ", &why].concat();
        }
    }
    bad(why)
}

fn ping(address: SocketAddr, end: Tick) -> io::Result<()> {
    let v6 = address.is_ipv6();
    let (family, protocol) =
        if v6 { (AddressFamily::INET6, ipproto::ICMPV6) } else { (AddressFamily::INET, ipproto::ICMP) };
    let socket = socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, Some(protocol)).map_err(|errno| {
        // Some kernels say that there is nothing of the kind.
        if errno == Errno::PERM { Errno::ACCESS.into() } else { io::Error::from(errno) }
    })?;
    let socket = UdpSocket::from(socket);
    // Nobody else is heard, and that there is no way there is an error.
    socket.connect(address)?;
    let mut token = [0; 8];
    getrandom::fill(&mut token).map_err(io::Error::other)?;
    let half = tick() + end.since(tick()) / 2;
    for (sequence, until) in [(1, half), (2, end)] {
        socket.send(&echo(v6, sequence, token))?;
        let mut packet = [0; 64];
        for _ in 0..MAX_STRAY {
            let left = until.since(tick());
            if left.is_zero() {
                break;
            }
            socket.set_read_timeout(Some(left))?;
            match socket.recv(&mut packet) {
                Ok(len) if answers(v6, sequence, token, &packet[..len]) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted || late(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Err(ErrorKind::TimedOut.into())
}

fn late(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock)
}

/// An echo request (RFC 792, RFC 4443 4.1).
fn echo(v6: bool, sequence: u8, token: [u8; 8]) -> [u8; LEN] {
    let mut packet = [0; LEN];
    packet[0] = if v6 { 128 } else { 8 };
    packet[7] = sequence;
    packet[8..].copy_from_slice(&token);
    packet
}

/// Whether `packet` is the reply to one of the echoes up to `last`. That its number is that of the socket the kernel has
/// seen to.
fn answers(v6: bool, last: u8, token: [u8; 8], packet: &[u8]) -> bool {
    let kind = if v6 { 129 } else { 0 };
    match packet {
        [first, 0, _, _, _, _, 0, sequence, data @ ..] => {
            *first == kind && (1..=last).contains(sequence) && data == token
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_replies_to_own_echoes_count() {
        let token = *b"8 bytes.";
        for v6 in [false, true] {
            let mut reply = echo(v6, 1, token);
            assert!(!answers(v6, 2, token, &reply), "the echo itself");
            reply[0] = if v6 { 129 } else { 0 };
            reply[2..6].copy_from_slice(&[1, 2, 3, 4]);
            assert!(answers(v6, 1, token, &reply) && answers(v6, 2, token, &reply));
            assert!(!answers(!v6, 2, token, &reply));
            for at in [0, 1, 6, 7, 8, 15] {
                let mut other = reply;
                other[at] ^= 0x40;
                assert!(!answers(v6, 2, token, &other), "{at}");
            }
            for len in 0..LEN {
                assert!(!answers(v6, 2, token, &reply[..len]));
            }
            assert!(!answers(v6, 2, token, &[&reply[..], &[0]].concat()));
            reply[7] = 2;
            assert!(!answers(v6, 1, token, &reply), "one that was not sent yet");
        }
    }
}
