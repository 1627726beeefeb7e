//! What a `[[probe]]` looks at: exactly one of `tcp`, `http`, ….

mod http;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeValue;

use crate::config::callback::{argv, line, program};
use crate::config::table::{Item, MAX_TEXT, Table, integer};
use crate::config::url::{is_private, split_port};
use crate::probe::look::file::FileRules;
use crate::probe::look::process::Which;
use crate::probe::what::{DnsLook, Record, What};

/// Bytes of a name in DNS (RFC 1035, 2.3.4).
const MAX_NAME: usize = 253;
/// Entries of `expect`.
const MAX_EXPECTED: usize = 32;
/// Bytes of the name of a process.
const MAX_PROCESS: usize = 255;
/// Least and most of `max_age`.
const AGE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3650 * 86_400));
/// Where name servers listen.
const DNS_PORT: u16 = 53;

/// Reads what is looked at from its key, and from others of the table.
type Read = fn(&Item<'_>, &mut Table<'_>) -> Option<What>;

/// The keys, of which there is exactly one.
const KEYS: [(&str, Read); 9] = [
    ("tcp", tcp),
    ("http", http::http),
    ("dns", dns),
    ("icmp", icmp),
    ("process", process),
    ("pid_file", pid_file),
    ("file", file),
    ("run", run),
    ("shell", shell),
];

/// Keys that go with some of them only.
const OTHERS: &[(&[&str], &[&str], &str)] = &[
    (http::KEYS, &["http"], "goes with http"),
    (&["server", "record", "expect"], &["dns"], "goes with dns"),
    (&["absent", "max_age", "min_size", "max_size"], &["file"], "goes with file"),
    (&["dir", "user", "env", "pass"], &["run", "shell"], "goes with run or shell"),
];

/// What the table names; `None` if that was a problem.
pub fn what(table: &mut Table<'_>) -> Option<What> {
    let mut found: Option<(Item<'_>, Read)> = None;
    let mut named = "";
    for (key, read) in KEYS {
        let Some(item) = table.get(key) else { continue };
        if found.is_some() {
            return item.bad("is a second thing to look at; each has a [[probe]] of its own");
        }
        (found, named) = (Some((item, read)), key);
    }
    // All are asked for, so that a key in the wrong place is no unknown one.
    for (keys, owners, goes_with) in OTHERS {
        for key in *keys {
            if let Some(item) = table.get(key).filter(|_| found.is_some() && !owners.contains(&named)) {
                item.bad::<()>(goes_with);
            }
        }
    }
    match found {
        Some((item, read)) => read(&item, table),
        None => {
            table.missing("tcp", "; write tcp = \"host:port\" or another thing to look at");
            None
        }
    }
}

fn tcp(item: &Item<'_>, _: &mut Table<'_>) -> Option<What> {
    let (host, port) = match split_port(item.line(MAX_TEXT)?) {
        Ok(place) => place,
        Err(why) => return item.bad(why),
    };
    match (is_private(host), port) {
        (Err(why), _) => item.bad(why),
        (_, None) => item.bad("has no port; write host:port"),
        (_, Some(0)) => item.bad("port 0 cannot be reached"),
        (_, Some(port)) => Some(What::Tcp { host: host.to_owned(), port }),
    }
}

fn dns(item: &Item<'_>, table: &mut Table<'_>) -> Option<What> {
    let name = name(item);
    let server = table.get("server").map_or(Some(None), |item| server(&item).map(Some));
    let record = table.choice("record", &["A", "AAAA"]).map(|index| [Record::A, Record::Aaaa][index]);
    let mut expect = Vec::new();
    for entry in table.get("expect").and_then(|item| item.list(MAX_EXPECTED)).unwrap_or_default() {
        match entry.text()?.parse::<IpAddr>() {
            Ok(address) => expect.push(address),
            Err(_) => return entry.bad("is no address"),
        }
    }
    Some(What::Dns(DnsLook { name: name?, server: server?, record, expect }))
}

fn name(item: &Item<'_>) -> Option<String> {
    let name = item.line(MAX_NAME)?;
    if name.parse::<IpAddr>().is_ok() {
        return item.bad("is an address; there is nothing to look up");
    }
    let whole = name.strip_suffix('.').unwrap_or(name);
    if whole.split('.').any(|label| !(1..=63).contains(&label.len())) {
        return item.bad("is no name: each part between the dots has 1 to 63 characters");
    }
    match is_private(name) {
        Ok(_) => Some(name.to_owned()),
        Err(why) => item.bad(why),
    }
}

/// An address, with or without a port.
fn server(item: &Item<'_>) -> Option<SocketAddr> {
    let text = item.text()?;
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    match (text.parse::<SocketAddr>(), bare.parse::<IpAddr>()) {
        (Ok(server), _) if server.port() != 0 => Some(server),
        (_, Ok(address)) => Some(SocketAddr::new(address, DNS_PORT)),
        _ => item.bad("must be the address of a name server, with or without a port"),
    }
}

fn icmp(item: &Item<'_>, _: &mut Table<'_>) -> Option<What> {
    let host = item.line(MAX_NAME)?;
    if let Err(why) = is_private(host) {
        return item.bad(why);
    }
    if host.is_empty() {
        return item.bad("has no host");
    }
    Some(What::Icmp { host: host.to_owned() })
}

fn process(item: &Item<'_>, _: &mut Table<'_>) -> Option<What> {
    match item.line(MAX_PROCESS)? {
        "" => item.bad("is empty"),
        name if name.contains('/') => item.bad("is the name of a program, without its folder"),
        name => Some(What::Process(Which::Name(name.to_owned()))),
    }
}

fn pid_file(item: &Item<'_>, _: &mut Table<'_>) -> Option<What> {
    Some(What::Process(Which::PidFile(path(item)?)))
}

fn file(item: &Item<'_>, table: &mut Table<'_>) -> Option<What> {
    let path = path(item);
    let absent = table.get("absent").and_then(|item| item.flag()).unwrap_or_default();
    let max_age = table.span("max_age", AGE);
    let (least, most) = (table.get("min_size"), table.get("max_size"));
    let min_size = least.and_then(|item| size(&item));
    let max_size = most.and_then(|item| size(&item));
    if absent && (max_age.is_some() || least.is_some() || most.is_some()) {
        return item.bad("what must be absent has neither age nor size");
    }
    if let (Some(min), Some(max), Some(item)) = (min_size, max_size, most)
        && min > max
    {
        return item.bad("is less than min_size");
    }
    Some(What::File { path: path?, rules: FileRules { absent, max_age, min_size, max_size } })
}

fn path(item: &Item<'_>) -> Option<PathBuf> {
    let text = item.line(MAX_TEXT)?;
    if Path::new(text).is_absolute() { Some(text.into()) } else { item.bad("must be an absolute path") }
}

/// A number of bytes, or text with a unit of 1024, such as `"10M"`.
fn size(item: &Item<'_>) -> Option<u64> {
    const SHAPE: &str = "must be a number of bytes, or text such as \"500k\", \"10M\", \"2G\"";
    let found = match item.value {
        DeValue::Integer(number) => integer(number).and_then(|number| u64::try_from(number).ok()),
        DeValue::String(text) => {
            let units = [("k", 10), ("M", 20), ("G", 30)];
            let unit = units.into_iter().find(|(unit, _)| text.ends_with(unit));
            let (unit, shift) = unit.unwrap_or(("", 0));
            let number = text.strip_suffix(unit).unwrap_or(text).trim_end();
            number.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift))
        }
        _ => None,
    };
    if found.is_none() { item.bad(SHAPE) } else { found }
}

fn run(item: &Item<'_>, table: &mut Table<'_>) -> Option<What> {
    let argv = argv(item);
    program(table, argv).map(What::Run)
}

fn shell(item: &Item<'_>, table: &mut Table<'_>) -> Option<What> {
    let argv = line(item);
    program(table, argv).map(What::Run)
}
