//! `ic://user:key@host:port`.

use crate::secret::Secret;

/// The port of the protocol: the number of letters in "interrupt-callback" is where the original took it from.
pub const DEFAULT_PORT: u16 = 9080;

/// A heartbeat server's address with the user and the key to beat with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Uri {
    /// `default` unless the server gave this host a user of its own.
    pub user: String,
    /// The key, percent-decoded.
    pub key: Secret,
    /// The key as it stands in the file, percent-encoded where the original program's URL parser would do so
    /// (protocol 1 sends it like that).
    pub key_as_written: Secret,
    /// Host name or address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}
