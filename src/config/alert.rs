//! `[alert.NAME]`: channels.

use std::time::Duration;

use crate::config::plan::{ChannelKind, ChannelPlan, Language, Method, WebhookPlan};
use crate::config::problem::quoted;
use crate::config::table::{Item, Table};
use crate::config::template::unknown_field;
use crate::config::units::nearest;
use crate::config::url;
use crate::event::{Kind, Phase, Severity};
use crate::secret::Secret;

/// Channels in all.
const MAX_CHANNELS: usize = 64;
/// Bytes of a channel's name.
const MAX_NAME: usize = 32;
/// Bytes of `prefix`.
const MAX_PREFIX: usize = 64;
/// Bytes of one glob in `hosts`: a host name has at most 128.
const MAX_GLOB: usize = 128;
/// Entries of `headers`.
const MAX_HEADERS: usize = 32;
/// One attempt's shortest and longest deadline.
const TIMEOUT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(120));
/// One attempt's deadline over HTTP.
const HTTP_TIMEOUT: Duration = Duration::from_secs(15);
/// One attempt's deadline for a command.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
/// Messages a minute that a Feishu bot takes: the service's limit is 100.
const FEISHU_PER_MINUTE: u32 = 90;

/// Names of `language`, in the order of [`LANGUAGES`].
const LANGUAGE_NAMES: [&str; 2] = ["en", "zh"];
const LANGUAGES: [Language; 2] = [Language::En, Language::Zh];
const KIND_NAMES: [&str; 4] = ["feishu", "webhook", "command", "log"];

/// `language`, in the file or in a channel.
pub fn language(table: &mut Table<'_>) -> Option<Language> {
    table.get("language")?.choice(&LANGUAGE_NAMES).map(|index| LANGUAGES[index])
}

/// `[alert]`: its channels in the order of their names, or one `log` channel if there is none.
pub fn channels(root: &mut Table<'_>, spoken: Option<Language>) -> Vec<ChannelPlan> {
    let alert = root.table("alert");
    let mut channels = Vec::new();
    if let Some(alert) = &alert {
        if alert.len() > MAX_CHANNELS {
            alert.item().too_many::<()>(alert.len(), "channels", MAX_CHANNELS);
            return channels;
        }
        for (name, item) in alert.named() {
            channels.extend(channel(name, &item, spoken));
        }
    }
    if alert.is_none_or(|alert| alert.is_empty()) {
        channels.push(ChannelPlan {
            name: "log".to_owned(),
            kind: ChannelKind::Log,
            language: spoken.unwrap_or(Language::En),
            prefix: String::new(),
            min_severity: Severity::Info,
            only: Vec::new(),
            not: Vec::new(),
            hosts: Vec::new(),
            timeout: HTTP_TIMEOUT,
            per_minute: None,
        });
    }
    channels
}

fn channel(name: &str, item: &Item<'_>, spoken: Option<Language>) -> Option<ChannelPlan> {
    if !(1..=MAX_NAME).contains(&name.len())
        || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    {
        return item.bad("a channel's name has 1 to 32 letters, digits, - and _");
    }
    let mut table = item.table()?;
    let kind = match table.get("kind") {
        Some(kind) => KIND_NAMES[kind.choice(&KIND_NAMES)?],
        None => match KIND_NAMES.iter().find(|kind| **kind == name) {
            Some(kind) => kind,
            None => return no_kind(item, name),
        },
    };
    let own_language = language(&mut table);
    let prefix = table.get("prefix").and_then(|prefix| prefix.line(MAX_PREFIX)).unwrap_or_default().to_owned();
    let min_severity = table
        .choice("min_severity", &Severity::ALL.map(Severity::name))
        .map_or(Severity::Info, |index| Severity::ALL[index]);
    let only = kinds(table.get("only"));
    let not = not_kinds(table.get("not"), &only);
    let hosts = hosts(table.get("hosts"));
    let per_minute = table.whole("per_minute", 1, 6000);
    let timeout = match kind {
        "log" => None,
        _ => table.span("timeout", TIMEOUT),
    };
    let (kind, language, timeout_default, rate_default) = match kind {
        "feishu" => (feishu(&mut table), Language::Zh, HTTP_TIMEOUT, Some(FEISHU_PER_MINUTE)),
        "webhook" => (webhook(&mut table), Language::En, HTTP_TIMEOUT, None),
        "command" => (command(&mut table), Language::En, COMMAND_TIMEOUT, None),
        _ => (Some(ChannelKind::Log), Language::En, HTTP_TIMEOUT, None),
    };
    table.finish();
    Some(ChannelPlan {
        name: name.to_owned(),
        kind: kind?,
        language: own_language.or(spoken).unwrap_or(language),
        prefix,
        min_severity,
        only,
        not,
        hosts,
        timeout: timeout.unwrap_or(timeout_default),
        per_minute: per_minute.or(rate_default),
    })
}

fn no_kind(item: &Item<'_>, name: &str) -> Option<ChannelPlan> {
    item.bad(&match nearest(name, &KIND_NAMES) {
        Some(near) => {
            ["is no kind of channel; did you mean [alert.", near, "]? (or add kind = \"", near, "\")"].concat()
        }
        None => ["is no kind of channel; add kind = \"…\": ", &KIND_NAMES.join(", ")].concat(),
    })
}

/// A list of kinds of events.
fn kinds(item: Option<Item<'_>>) -> Vec<Kind> {
    let names: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    let mut kinds = Vec::new();
    for entry in item.and_then(|item| item.list(Kind::ALL.len())).unwrap_or_default() {
        let Some(index) = entry.choice(&names) else { continue };
        let kind = Kind::ALL[index];
        if kind.phase() == Phase::End {
            let why = " has no effect here: who was told of a beginning is told of its end";
            entry.warn(&[&quoted(kind.name()), why].concat());
        }
        kinds.push(kind);
    }
    kinds
}

fn not_kinds(item: Option<Item<'_>>, only: &[Kind]) -> Vec<Kind> {
    let not = kinds(item);
    if let Some(item) = item
        && let Some(both) = not.iter().find(|kind| only.contains(kind))
    {
        item.bad::<()>(&[&quoted(both.name()), " is in \"only\" too"].concat());
    }
    not
}

/// A list of globs for hosts.
pub fn hosts(item: Option<Item<'_>>) -> Vec<String> {
    let entries = item.and_then(|item| item.list(64)).unwrap_or_default();
    let mut globs = Vec::with_capacity(entries.len());
    for entry in entries {
        match entry.line(MAX_GLOB) {
            Some("") => entry.bad("an empty pattern matches nothing").unwrap_or_default(),
            Some(glob) => globs.push(glob.to_owned()),
            None => {}
        }
    }
    globs
}

/// An address to tell something to: checked, and warned of if what is sent there can be read on the way.
pub fn address(item: &Item<'_>, secret: &Secret) -> Option<url::HttpUrl> {
    let url = match url::parse(secret.reveal()) {
        Ok(url) => url,
        Err(why) => return item.bad(why),
    };
    if url.tls && !cfg!(feature = "tls") {
        return item.bad("https needs the feature \"tls\", which this binary was built without");
    }
    if !url.tls && !url.private {
        item.warn("plain http over a public network: everyone on the way can read it; use https");
    }
    Some(url)
}

fn feishu(table: &mut Table<'_>) -> Option<ChannelKind> {
    let item = table.need("webhook", "");
    let secret = table.need("secret", "; write secret = \"\" for a bot without signature");
    let webhook = item.and_then(|item| {
        let url = address(&item, &item.secret()?)?;
        if url.text.contains("/bot/hook/") {
            return item.bad(
                "is a hook of version 1, which takes no such messages; make a new custom bot, its address has /v2/",
            );
        }
        Some(Secret::new(url.text))
    });
    let secret = secret.and_then(|secret| secret.secret());
    Some(ChannelKind::Feishu { webhook: webhook?, secret: secret? })
}

fn webhook(table: &mut Table<'_>) -> Option<ChannelKind> {
    let url = table.need("url", "").and_then(|item| {
        let url = address(&item, &item.secret()?)?;
        // The name is not repeated: it could be a part of a token that happens to have braces.
        if unknown_field(&url.text).is_some() {
            return item.bad("names a field in braces that does not exist");
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
    let (url, headers) = (url?, headers?);
    Some(ChannelKind::Webhook(WebhookPlan {
        url,
        method,
        headers,
        body: body.map_or(Some(None), |body| body.map(Some))?,
    }))
}

fn headers(item: &Item<'_>) -> Option<Vec<(String, Secret)>> {
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
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(token) {
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
        return value.bad("names a field in braces that does not exist");
    }
    Some((name.to_owned(), secret))
}

fn command(table: &mut Table<'_>) -> Option<ChannelKind> {
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
