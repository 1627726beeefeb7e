//! `kind = "webhook"` and `kind = "command"`.

use crate::alert::channel::rule;
use crate::config::alert::address;
use crate::config::plan::{ChannelKind, Method, WebhookPlan};
use crate::config::table::{Item, Table};
use crate::config::template::{NO_FIELD, unknown_field};
use crate::secret::Secret;
use toml::de::DeValue;

/// Entries of `headers`.
const MAX_HEADERS: usize = 32;
/// Conditions in `ok`, `retry` and `give_up` each.
const MAX_CONDITIONS: usize = 16;
/// Bytes of a condition.
const MAX_CONDITION: usize = 256;

/// `kind = "webhook"`.
pub fn webhook(table: &mut Table<'_>) -> Option<ChannelKind> {
    let url = table.need("url", "").and_then(|item| {
        let url = address(&item, &item.secret()?)?;
        // The name is not repeated: it could be a part of a token that happens to have braces.
        if unknown_field(&url.text).is_some() {
            return item.bad(NO_FIELD);
        }
        Some(Secret::new(url.text))
    });
    let method = match table.choice("method", &["POST", "PUT", "GET"]) {
        None | Some(0) => Method::Post,
        Some(1) => Method::Put,
        Some(_) => Method::Get,
    };
    let headers = table.get("headers").map_or(Some(Vec::new()), |item| headers(&item));
    let body = table.get("body");
    if let (Some(body), Method::Get) = (&body, method) {
        body.bad::<()>("does not go with method = \"GET\"");
    }
    let body = body.map(|body| body.template());
    // The first that holds decides: what is wished besides comes before what every success has.
    let mut answers = String::new();
    for class in ["retry", "give_up", "ok"] {
        conditions(table.get(class), class, &mut answers);
    }
    let wait = table.get("wait").and_then(|item| good(&item, rule::check_path)).unwrap_or_default().to_owned();
    let (url, headers) = (url?, headers?);
    Some(ChannelKind::Webhook(WebhookPlan {
        url,
        method,
        headers,
        body: body.map_or(Some(None), |body| body.map(Some))?,
        answers,
        wait,
    }))
}

/// A condition, or a list of them, as cases.
fn conditions(item: Option<Item<'_>>, class: &str, answers: &mut String) {
    let Some(item) = item else { return };
    let entries = match item.value {
        DeValue::Array(_) => item.list(MAX_CONDITIONS).unwrap_or_default(),
        _ => vec![item],
    };
    for entry in entries {
        for part in [class, " ", good(&entry, rule::check).unwrap_or_default(), "\n"] {
            answers.push_str(part);
        }
    }
}

/// A line that `check` finds nothing wrong with.
fn good<'a>(item: &Item<'a>, check: fn(&str) -> Result<(), &'static str>) -> Option<&'a str> {
    let line = item.line(MAX_CONDITION)?;
    match check(line) {
        Ok(()) => Some(line),
        Err(why) => item.bad(why),
    }
}

/// Names and values that are sent.
pub fn headers(item: &Item<'_>) -> Option<Vec<(String, Secret)>> {
    let table = item.table()?;
    if table.len() > MAX_HEADERS {
        return item.too_many(table.len(), "entries", MAX_HEADERS);
    }
    let mut headers = Vec::with_capacity(table.len());
    for (name, value) in table.named() {
        headers.extend(header(name, &value));
    }
    // All of them are looked at before the first bad one counts.
    (headers.len() == table.len()).then_some(headers)
}

fn header(name: &str, value: &Item<'_>) -> Option<(String, Secret)> {
    const OWN: [&str; 4] = ["content-length", "transfer-encoding", "connection", "host"];
    if !is_header(name) {
        return value.bad("is no name of a header");
    }
    if OWN.iter().any(|own| own.eq_ignore_ascii_case(name)) {
        return value.bad("is set by the program itself");
    }
    let secret = value.secret()?;
    if !secret.reveal().bytes().all(|b| (b' '..=b'~').contains(&b)) {
        return value.bad("must be one line of ASCII");
    }
    if unknown_field(secret.reveal()).is_some() {
        return value.bad(NO_FIELD);
    }
    Some((name.to_owned(), secret))
}

/// Whether a header can have that name.
pub fn is_header(name: &str) -> bool {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    (1..=64).contains(&name.len()) && name.bytes().all(token)
}

/// `kind = "command"`.
pub fn command(table: &mut Table<'_>) -> Option<ChannelKind> {
    let item = table.need("argv", "; write argv = [\"/path/to/program\", …]")?;
    let entries = item.list(64)?;
    let mut argv = Vec::with_capacity(entries.len());
    for entry in &entries {
        let text = entry.text()?;
        if text.contains('\0') {
            return entry.bad("holds a zero byte");
        }
        argv.push(text.to_owned());
    }
    match argv.first() {
        Some(program) if !program.is_empty() => Some(ChannelKind::Command { argv }),
        _ => item.bad("names no program"),
    }
}
