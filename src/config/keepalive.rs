//! `[keepalive]`: heartbeat server and client.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::config::alert::address;
use crate::config::plan::{Auth, ClientPlan, ServerPlan, UpstreamPlan, UserPlan};
use crate::config::problem::quoted;
use crate::config::table::{Item, Table};
use crate::keepalive::heard::name_is_valid;
use crate::keepalive::uri::{DEFAULT_PORT, Uri, user_is_valid};
use crate::secret::Secret;

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

const DAY: Duration = secs(86_400);
/// Shortest and longest `period`.
const PERIOD: (Duration, Duration) = (Duration::from_millis(100), DAY);
/// Longest `grace`.
const MAX_GRACE: Duration = secs(3600);
/// Longest `hold`.
const MAX_HOLD: Duration = secs(3600);
/// Shortest and longest `remind`.
const REMIND: (Duration, Duration) = (secs(60), secs(30 * 86_400));
/// Shortest and longest `upstream.period`.
const UPSTREAM: (Duration, Duration) = (secs(1), DAY);
/// Shortest and longest `forget`.
const FORGET: (Duration, Duration) = (secs(10), secs(3650 * 86_400));
/// Shortest and longest `back_in`.
const BACK_IN: (Duration, Duration) = (secs(1), secs(30 * 86_400));
/// Addresses to listen on.
const MAX_LISTEN: usize = 16;
/// Servers to beat to.
const MAX_URIS: usize = 16;
/// Users with keys of their own.
const MAX_USERS: usize = 256;
/// Hosts that must be heard of.
const MAX_EXPECT: usize = 1000;
/// Bytes under which a key earns a warning: 128 bits.
const SHORT_KEY: usize = 16;

/// What `[keepalive]` says.
#[derive(Default)]
pub struct Keepalive {
    /// `[keepalive.server]`.
    pub server: Option<ServerPlan>,
    /// `[keepalive.client]`.
    pub clients: Vec<ClientPlan>,
    /// `[keepalive.upstream]`.
    pub upstream: Option<UpstreamPlan>,
}

/// What stands in `[keepalive]` itself.
struct Times {
    period: Duration,
    grace: Duration,
    hold: Duration,
    remind: Option<Duration>,
}

/// Reads `[keepalive]`; `port` is that of the environment.
pub fn keepalive(root: &mut Table<'_>, port: Option<u16>) -> Keepalive {
    let Some(mut table) = root.table("keepalive") else { return Keepalive::default() };
    let (hold, remind) = (table.get("hold"), table.get("remind"));
    let times = Times {
        period: table.span("period", PERIOD).unwrap_or(secs(30)),
        grace: table.span("grace", (Duration::ZERO, MAX_GRACE)).unwrap_or(secs(5)),
        hold: hold.and_then(|item| item.span((Duration::ZERO, MAX_HOLD))).unwrap_or(secs(120)),
        remind: remind.and_then(|item| item.span(REMIND)),
    };
    let server = table.table("server").map(|table| server(table, &times, port));
    let clients = table.table("client").map(|table| clients(table, times.period)).unwrap_or_default();
    let upstream = table.table("upstream").and_then(|table| upstream(table, times.period, server.is_some()));
    if server.is_none() {
        hold.iter().chain(&remind).for_each(|item| item.warn(NO_SERVER));
    }
    table.finish();
    Keepalive { server, clients, upstream }
}

/// What is said of a key that only a server heeds.
pub const NO_SERVER: &str = "has no effect without [keepalive.server]";

/// Without a server there is no watchdog whose turning could be told.
fn upstream(mut table: Table<'_>, period: Duration, watches: bool) -> Option<UpstreamPlan> {
    let url = table.need("url", "").and_then(|item| address(&item, &item.secret()?));
    let period = table.span("period", UPSTREAM).unwrap_or(period.max(UPSTREAM.0));
    if !watches {
        let why = "needs [keepalive.server]: it tells that the watchdog turns, and there is none";
        table.item().bad::<()>(why);
    }
    table.finish();
    Some(UpstreamPlan { url: Secret::new(url?.text), period })
}

fn server(mut table: Table<'_>, times: &Times, port: Option<u16>) -> ServerPlan {
    let listen = listen(table.get("listen"), port);
    let local = listen.iter().all(|address| address.ip().to_canonical().is_loopback());
    let key = table.get("key");
    let key_at = key.as_ref().map_or(table.at, |key| key.at);
    let key = match key {
        Some(key) => key.secret(),
        None => Some(Secret::default()),
    };
    let unwise = match &key {
        Some(key) if key.is_empty() && local => Some("is empty: every local user may beat"),
        Some(key) if key.is_empty() => Some(
            "IS EMPTY: everyone who reaches the port can speak for any host and hide that it is gone; \
             set a key that `interrupt-callback keygen` printed",
        ),
        Some(key) => short(key),
        None => None,
    };
    if let Some(text) = unwise {
        table.report.warn(key_at, &table.child("key"), text);
    }
    let key = key.unwrap_or_default();
    let old_key = table.get("old_key").and_then(|item| old_key(&item, &key));
    let num = table.get("num");
    let count = num.as_ref().and_then(|item| item.whole(1, 100)).unwrap_or(4);
    if let (Some(num), 1) = (&num, count) {
        num.warn("one lost packet is an alarm; 2 or more tell a silence from a hiccup");
    }
    let plan = ServerPlan {
        listen,
        key,
        old_key,
        num: count,
        grace: times.grace,
        period: times.period,
        auth: match table.choice("auth", &["enforce", "permissive"]) {
            Some(1) => Auth::Permissive,
            _ => Auth::Enforce,
        },
        tell_stopped: table.get("tell_stopped").and_then(|item| item.flag()).unwrap_or(false),
        forget: table.span("forget", FORGET).unwrap_or(30 * DAY),
        users: table.table("users").map(|users| self::users(&users)).unwrap_or_default(),
        hold: times.hold,
        remind: times.remind,
        expect: table.get("expect").map(|item| expected(&item)).unwrap_or_default(),
        windows: Vec::new(),
    };
    table.finish();
    plan
}

/// Hosts that are told if they are never heard of.
fn expected(item: &Item<'_>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for entry in item.list(MAX_EXPECT).unwrap_or_default() {
        let Some(name) = host_name(&entry, "a host's name") else { continue };
        if name.contains(['*', '?']) {
            entry.warn("is taken as it stands: names that are expected cannot be patterns");
        }
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// A key that is still taken beside `key`.
fn old_key(item: &Item<'_>, key: &Secret) -> Option<Secret> {
    let old = user_key(item)?;
    if key.is_empty() {
        return item.bad("does not go with an empty key, which is open to all");
    }
    if old.reveal() == key.reveal() {
        item.warn("is the same as key");
    }
    Some(old)
}

/// A warning for a key that can be guessed.
fn short(key: &Secret) -> Option<&'static str> {
    (key.reveal().len() < SHORT_KEY).then_some("is shorter than 16 bytes and can be guessed")
}

fn users(table: &Table<'_>) -> Vec<UserPlan> {
    if table.len() > MAX_USERS {
        table.item().too_many::<()>(table.len(), "users", MAX_USERS);
        return Vec::new();
    }
    let mut users = Vec::with_capacity(table.len());
    for (name, item) in table.named() {
        users.extend(user(name, item));
    }
    users
}

fn user(name: &str, item: Item<'_>) -> Option<UserPlan> {
    if name == "default" {
        return item.bad("this user's key is keepalive.server.key");
    }
    if !user_is_valid(name) {
        return item.bad("a user's name has 1 to 64 bytes and no control characters");
    }
    let mut table = item.table()?;
    let key = table.need("key", "").and_then(|item| user_key(&item));
    let old_key = key.as_ref().zip(table.get("old_key")).map(|(key, item)| old_key(&item, key));
    let host = table.get("host").and_then(|item| host_name(&item, "a host's name"));
    table.finish();
    Some(UserPlan { name: name.to_owned(), key: key?, old_key: old_key.flatten(), host })
}

/// The name of a host, as it may stand on the wire.
fn host_name(item: &Item<'_>, what: &str) -> Option<String> {
    match item.text()? {
        name if name_is_valid(name) => Some(name.to_owned()),
        _ => item.bad(&[what, " has 1 to 128 bytes and no control characters"].concat()),
    }
}

fn user_key(item: &Item<'_>) -> Option<Secret> {
    let key = item.secret()?;
    if key.is_empty() {
        return item.bad("is empty");
    }
    if let Some(text) = short(&key) {
        item.warn(text);
    }
    Some(key)
}

fn clients(mut table: Table<'_>, period: Duration) -> Vec<ClientPlan> {
    let mut uris: Vec<Uri> = Vec::new();
    let one = table.get("uri");
    let several = table.get("uris");
    if one.is_none() && several.is_none() {
        table.missing("uri", "; write uri = \"ic://default:KEY@HOST:9080\"");
    }
    let several = several.and_then(|item| {
        let entries = item.list(MAX_URIS)?;
        if entries.is_empty() { item.bad("is empty") } else { Some(entries) }
    });
    for item in one.into_iter().chain(several.unwrap_or_default()) {
        let Some(uri) = uri(&item) else { continue };
        if uris.iter().any(|known| (&known.host, known.port) == (&uri.host, uri.port)) {
            item.bad::<()>(&[&uri.label(), " is named twice"].concat());
        } else if uris.len() == MAX_URIS {
            item.bad::<()>("at most 16 servers are allowed");
        } else {
            uris.push(uri);
        }
    }
    let protocol = table.get("protocol");
    let old = protocol.as_ref().and_then(|item| item.whole(1, 2)) == Some(1);
    let pinned = table.get("server_name");
    if let (true, Some(pinned)) = (old, &pinned) {
        pinned.bad::<()>("needs protocol = 2: protocol 1 does not prove who answers");
    }
    if let (true, Some(protocol)) = (old, &protocol)
        && uris.iter().any(|uri| uri.user != "default")
    {
        protocol.bad::<()>("protocol 1 knows no user but \"default\"");
    }
    let server_name = pinned.and_then(|item| host_name(&item, "a server's name"));
    let back_in = table.span("back_in", BACK_IN).unwrap_or(secs(600));
    table.finish();
    let plan =
        |uri| ClientPlan { uri, period, protocol: if old { 1 } else { 2 }, server_name: server_name.clone(), back_in };
    uris.into_iter().map(plan).collect()
}

fn uri(item: &Item<'_>) -> Option<Uri> {
    match Uri::parse(item.secret()?.reveal()) {
        Ok(uri) => Some(uri),
        Err(error) => item.bad(error.text()),
    }
}

/// `listen` with the port of the environment in place of its own.
fn listen(item: Option<Item<'_>>, port: Option<u16>) -> Vec<SocketAddr> {
    let all = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), DEFAULT_PORT);
    let mut addresses = match item {
        None => vec![all],
        Some(item) => listed(&item, DEFAULT_PORT),
    };
    if let Some(port) = port {
        addresses.iter_mut().for_each(|address| address.set_port(port));
    }
    unique(addresses)
}

/// Each once.
pub fn unique(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let mut unique: Vec<SocketAddr> = Vec::with_capacity(addresses.len());
    for address in addresses {
        if !unique.contains(&address) {
            unique.push(address);
        }
    }
    unique
}

/// One address to listen on, or a list of them.
pub fn listed(item: &Item<'_>, port: u16) -> Vec<SocketAddr> {
    let entries = match item.value {
        toml::de::DeValue::Array(list) if list.is_empty() => item.bad("is empty"),
        toml::de::DeValue::Array(_) => item.list(MAX_LISTEN),
        _ => Some(vec![*item]),
    };
    let mut addresses = Vec::new();
    for entry in entries.unwrap_or_default() {
        let Some(text) = entry.text() else { continue };
        match parse_listen(text, port) {
            Some(address) => addresses.push(address),
            None => {
                let port = port.to_string();
                let [a, b, c] = [" is no address to listen on; write \"", "\", \"127.0.0.1:", "\" or \"[::]:"];
                entry.bad::<()>(&[&quoted(text), a, &port, b, &port, c, &port, "\""].concat());
            }
        }
    }
    addresses
}

/// `"9080"`, `":9080"`, `"0.0.0.0:9080"`, `"[::]:9080"`, `"127.0.0.1"`, `"::1"`, `"[::1]"`.
fn parse_listen(text: &str, port: u16) -> Option<SocketAddr> {
    let number = text.strip_prefix(':').unwrap_or(text);
    if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) {
        return number.parse().ok().map(|port| SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port));
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    text.parse().ok().or_else(|| bare.parse().ok().map(|ip| SocketAddr::new(ip, port)))
}

/// `SERVER_PORT`.
pub fn env_port(root: &Table<'_>) -> Option<u16> {
    let value = root.report.env.get("SERVER_PORT")?;
    let text = value.to_string_lossy();
    let port = text.parse().ok();
    if port.is_none() {
        root.report.env_problem("SERVER_PORT", [&quoted(&text), " is no port number from 0 to 65535"].concat());
    }
    port
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_to_listen_on() {
        for (text, want) in [
            ("9080", Some("[::]:9080")),
            (":7000", Some("[::]:7000")),
            ("0", Some("[::]:0")),
            ("0.0.0.0:9080", Some("0.0.0.0:9080")),
            ("[::]:9080", Some("[::]:9080")),
            ("127.0.0.1", Some("127.0.0.1:9080")),
            ("::1", Some("[::1]:9080")),
            ("[::1]", Some("[::1]:9080")),
            ("", None),
            (":", None),
            ("65536", None),
            ("+1", None),
            ("localhost:9080", None),
            ("[127.0.0.1", None),
            ("1.2.3.4:x", None),
        ] {
            assert_eq!(parse_listen(text, 9080).map(|a| a.to_string()).as_deref(), want, "{text}");
        }
    }
}
