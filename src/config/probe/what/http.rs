//! `http` of a `[[probe]]`.

use std::time::Duration;

use toml::de::DeValue;

use crate::config::alert::way;
use crate::config::alert::webhook::{headers, is_header};
use crate::config::table::{Item, MAX_TEXT, Table};
use crate::config::url;
use crate::probe::what::{HttpLook, What};
use crate::secret::Secret;

/// What is good unless told otherwise.
const USUAL_STATUS: (u16, u16) = (200, 399);
/// Ranges in `status`.
const MAX_RANGES: usize = 16;
/// Bytes of `contains` and of `header`.
const MAX_WORDS: usize = 256;
/// Least and most of `max_latency`.
const LATENCY: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(120));
/// Most of `cert_days`.
const MAX_DAYS: u32 = 3650;
/// What goes with it.
pub const KEYS: &[&str] =
    &["status", "contains", "header", "method", "headers", "max_latency", "cert_days", "proxy", "ca_file", "insecure"];
const METHODS: [&str; 5] = ["GET", "HEAD", "POST", "PUT", "OPTIONS"];
const NO_STATUS: &str = "is no status; write 200, \"200-299, 404\" or a list of such";

/// Reads the URL and all that goes with it.
pub fn http(item: &Item<'_>, table: &mut Table<'_>) -> Option<What> {
    let url = address(item);
    let status = table.get("status").map_or_else(|| Some(vec![USUAL_STATUS]), |item| status(&item));
    let contains = table.get("contains").and_then(|item| words(&item)).unwrap_or_default();
    let header = table.get("header").and_then(|item| header(&item));
    let method = table.choice("method", &METHODS).unwrap_or_default();
    let headers = table.get("headers").map_or(Some(Vec::new()), |item| headers(&item));
    let max_latency = table.span("max_latency", LATENCY);
    let proxy = way::proxy(table);
    let ca_file = way::ca_file(table);
    let tls = url.as_ref().is_none_or(|(tls, _)| *tls);
    let cert_days = table.get("cert_days").filter(|item| needs_tls(item, tls)).and_then(|item| item.whole(1, MAX_DAYS));
    let insecure = table.get("insecure").filter(|item| needs_tls(item, tls)).is_some_and(|item| {
        let insecure = item.flag().unwrap_or_default();
        if insecure && ca_file.is_some() {
            item.bad::<()>("does not go with ca_file");
        } else if insecure {
            item.warn("the certificate is not verified: whoever is on the way can answer in its place");
        }
        insecure
    });
    if METHODS[method] == "HEAD" && !contains.is_empty() {
        return item.bad("a HEAD request brings no text that contains could be found in");
    }
    let (_, url) = url?;
    Some(What::Http(Box::new(HttpLook {
        url,
        method: METHODS[method],
        headers: headers?,
        status: status?,
        contains,
        header,
        max_latency,
        proxy,
        ca_file,
        insecure,
        cert_days,
    })))
}

/// Whether it is `https`, and the address.
fn address(item: &Item<'_>) -> Option<(bool, Secret)> {
    // As a rule it is no secret: then it may stand in a file that everybody can read.
    let secret = match item.value {
        DeValue::String(_) => Secret::new(item.text()?),
        _ => item.secret()?,
    };
    match url::parse(secret.reveal()) {
        Ok(url) if url.tls && !cfg!(feature = "tls") => {
            item.bad("https needs the feature \"tls\", which this binary was built without")
        }
        Ok(url) => Some((url.tls, Secret::new(url.text))),
        Err(why) => item.bad(why),
    }
}

fn needs_tls(item: &Item<'_>, tls: bool) -> bool {
    if !tls {
        item.bad::<()>("goes with https");
    }
    tls
}

fn words(item: &Item<'_>) -> Option<String> {
    let text = item.text()?;
    match text.len() {
        0 => item.bad("is empty"),
        1..=MAX_WORDS => Some(text.to_owned()),
        _ => item.too_long(MAX_WORDS).map(str::to_owned),
    }
}

/// `"Name: a part of its value"`; without a colon any value will do.
fn header(item: &Item<'_>) -> Option<(String, String)> {
    let line = item.line(MAX_WORDS)?;
    let (name, value) = line.split_once(':').unwrap_or((line, ""));
    if is_header(name) { Some((name.to_owned(), value.trim().to_owned())) } else { item.bad("is no name of a header") }
}

fn status(item: &Item<'_>) -> Option<Vec<(u16, u16)>> {
    let entries = match item.value {
        DeValue::Array(_) => item.list(MAX_RANGES)?,
        _ => vec![*item],
    };
    let mut all = Vec::new();
    for entry in entries {
        match entry.value {
            DeValue::Integer(_) => {
                let one = u16::try_from(entry.whole(100, 599)?).ok()?;
                all.push((one, one));
            }
            _ => {
                for part in entry.line(MAX_TEXT)?.split(',') {
                    match range(part) {
                        Some(range) if all.len() < MAX_RANGES => all.push(range),
                        _ => return entry.bad(NO_STATUS),
                    }
                }
            }
        }
    }
    if all.is_empty() { item.bad(NO_STATUS) } else { Some(all) }
}

fn range(text: &str) -> Option<(u16, u16)> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let (from, to) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
    (100 <= from && from <= to && to <= 599).then_some((from, to))
}
