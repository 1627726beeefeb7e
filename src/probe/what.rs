//! What a probe looks at.

/// What is looked at, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// A TCP connection can be made.
    Tcp {
        /// The host: a name or an address without brackets.
        host: String,
        /// The port.
        port: u16,
    },
}

impl What {
    /// Its name in the file: `tcp`, …
    pub fn kind(&self) -> &'static str {
        match self {
            What::Tcp { .. } => "tcp",
        }
    }

    /// Whom it connects to, if it does: host and port.
    pub fn address(&self) -> Option<(&str, u16)> {
        match self {
            What::Tcp { host, port } => Some((host, *port)),
        }
    }

    /// What it looks at, for people: of a URL no more than the host.
    pub fn target(&self) -> String {
        match self {
            What::Tcp { host, port } => place(host, *port),
        }
    }
}

/// `host:port`, in brackets what would read like a part of it.
fn place(host: &str, port: u16) -> String {
    let [open, close] = if host.contains(':') { ["[", "]"] } else { ["", ""] };
    [open, host, close, ":", &port.to_string()].concat()
}
