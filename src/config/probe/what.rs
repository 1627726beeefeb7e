//! What a `[[probe]]` looks at: exactly one of `tcp`, `http`, ….

use crate::config::table::{Item, MAX_TEXT, Table};
use crate::config::url::{is_private, split_port};
use crate::probe::what::What;

/// Reads what is looked at from its key, and from others of the table.
type Read = fn(&Item<'_>, &mut Table<'_>) -> Option<What>;

/// The keys, of which there is exactly one.
const KEYS: [(&str, Read); 1] = [("tcp", tcp)];

/// What the table names; `None` if that was a problem.
pub fn what(table: &mut Table<'_>) -> Option<What> {
    let mut found = None;
    for (key, read) in KEYS {
        let Some(item) = table.get(key) else { continue };
        if found.is_some() {
            return item.bad("is a second thing to look at; each has a [[probe]] of its own");
        }
        found = Some((item, read));
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
