//! Whether a port takes connections.

use std::net::TcpStream;
use std::sync::Arc;

use super::{Seen, bad};
use crate::callback::exec::is_passing;
use crate::clock::{Tick, tick};
use crate::fetch::FetchError;
use crate::resolve::Resolver;

/// Connects to one of the addresses of `host`, and closes the connection.
pub fn look(host: &str, port: u16, resolver: &Arc<Resolver>, end: Tick) -> Seen {
    let Ok(addresses) = resolver.lookup_within(host, port, end.since(tick())) else {
        return bad(FetchError::Resolve.text());
    };
    let mut why = FetchError::Timeout.text().to_owned();
    for (index, address) in addresses.iter().enumerate() {
        let left = end.since(tick());
        if left.is_zero() {
            break;
        }
        // One that takes no connection leaves enough for the rest.
        let share = if index + 1 < addresses.len() { left / 2 } else { left };
        match TcpStream::connect_timeout(address, share) {
            Ok(_) => return (Some(true), String::new()),
            Err(error) if is_passing(&error) => return (None, error.to_string()),
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                why = FetchError::Timeout.text().to_owned();
            }
            Err(error) => why = error.to_string(),
        }
        if addresses.len() > 1 {
            why = [&address.ip().to_string(), ": ", &why].concat();
        }
    }
    bad(why)
}
