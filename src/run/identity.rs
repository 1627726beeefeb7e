//! How this host is called.

/// `{name}@{hostname}`, or the host name alone if `name` is empty.
pub fn identity(name: &str) -> String {
    let uname = rustix::system::uname();
    let host = uname.nodename().to_string_lossy();
    match (name.is_empty(), host.is_empty()) {
        (true, true) => "unnamed".to_owned(),
        (true, false) => host.into_owned(),
        (false, true) => name.to_owned(),
        (false, false) => format!("{name}@{host}"),
    }
}
