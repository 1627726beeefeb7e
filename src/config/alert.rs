//! `[alert.NAME]`: channels.

mod bots;
mod email;
mod service;
pub mod way;
pub mod webhook;

use std::time::Duration;

use crate::alert::channel::presets::PRESETS;
use crate::config::plan::{ChannelKind, ChannelPlan, Language, Quiet};
use crate::config::problem::quoted;
use crate::config::table::{Item, Table};
use crate::config::units::nearest;
use crate::config::{url, window};
use crate::event::{Kind, Phase, Severity};
use crate::secret::Secret;

/// Channels in all.
const MAX_CHANNELS: usize = 64;
/// Bytes of a channel's name.
const MAX_NAME: usize = 32;
/// Bytes of `prefix`.
const MAX_PREFIX: usize = 64;
/// Bytes of `title` and `body`; the services with the least room take 1,024 characters.
const MAX_TITLE: usize = 256;
const MAX_BODY: usize = 4096;
/// Bytes of one glob in `hosts`: a host name has at most 128.
const MAX_GLOB: usize = 128;
/// One attempt's shortest and longest deadline.
const TIMEOUT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(120));
/// One attempt's deadline over HTTP.
const HTTP_TIMEOUT: Duration = Duration::from_secs(15);
/// One attempt's deadline for a command.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
/// One attempt's deadline over SMTP, which takes many exchanges; some servers make strangers wait.
const MAIL_TIMEOUT: Duration = Duration::from_secs(60);
/// Messages a minute that a Feishu bot takes: the service's limit is 100.
const FEISHU_PER_MINUTE: u32 = 90;
/// Messages a minute that a robot of DingTalk and WeCom and a group of Telegram take.
const BOT_PER_MINUTE: u32 = 20;

/// Names of `language`, in the order of [`LANGUAGES`].
const LANGUAGE_NAMES: [&str; 2] = ["en", "zh"];
const LANGUAGES: [Language; 2] = [Language::En, Language::Zh];

/// A kind of channel that needs code.
struct Row {
    name: &'static str,
    /// What it speaks, how long an attempt may take, and messages a minute, unless told otherwise.
    usual: (Language, Duration, Option<u32>),
    /// Reads the keys that only this kind has.
    read: fn(&mut Table<'_>) -> Option<ChannelKind>,
}

const ROWS: [Row; 9] = [
    Row { name: "feishu", usual: (Language::Zh, HTTP_TIMEOUT, Some(FEISHU_PER_MINUTE)), read: bots::feishu },
    Row { name: "lark", usual: (Language::En, HTTP_TIMEOUT, Some(FEISHU_PER_MINUTE)), read: bots::lark },
    Row { name: "dingtalk", usual: (Language::Zh, HTTP_TIMEOUT, Some(BOT_PER_MINUTE)), read: bots::dingtalk },
    Row { name: "wecom", usual: (Language::Zh, HTTP_TIMEOUT, Some(BOT_PER_MINUTE)), read: bots::wecom },
    Row { name: "telegram", usual: (Language::En, HTTP_TIMEOUT, Some(BOT_PER_MINUTE)), read: bots::telegram },
    Row { name: "email", usual: (Language::En, MAIL_TIMEOUT, None), read: email::email },
    Row { name: "webhook", usual: (Language::En, HTTP_TIMEOUT, None), read: webhook::webhook },
    Row { name: "command", usual: (Language::En, COMMAND_TIMEOUT, None), read: webhook::command },
    Row { name: LOG, usual: (Language::En, HTTP_TIMEOUT, None), read: |_| Some(ChannelKind::Log) },
];
const LOG: &str = "log";

/// The names of all kinds: first those of [`ROWS`], then those of [`PRESETS`].
fn kind_names() -> Vec<&'static str> {
    ROWS.iter().map(|row| row.name).chain(PRESETS.iter().map(|preset| preset.name)).collect()
}

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
        channels.push(ChannelPlan::new(LOG, ChannelKind::Log, spoken.unwrap_or(Language::En), HTTP_TIMEOUT));
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
    let names = kind_names();
    let kind = match table.get("kind") {
        Some(kind) => kind.choice(&names)?,
        None => match names.iter().position(|kind| *kind == name) {
            Some(kind) => kind,
            None => return no_kind(item, name, &names),
        },
    };
    let own_language = language(&mut table);
    let prefix = table.get("prefix").and_then(|prefix| prefix.line(MAX_PREFIX)).unwrap_or_default().to_owned();
    let title = table.get("title").and_then(|title| title.words(MAX_TITLE, &[]));
    // A webhook's own is the whole request.
    let body = if names[kind] == "webhook" { None } else { table.get("body") };
    let body = body.and_then(|body| body.words(MAX_BODY, &['\n', '\t']));
    let min_severity = table
        .choice("min_severity", &Severity::ALL.map(Severity::name))
        .map_or(Severity::Info, |index| Severity::ALL[index]);
    let only = kinds(table.get("only"));
    let not = not_kinds(table.get("not"), &only);
    let hosts = hosts(table.get("hosts"));
    let per_minute = table.whole("per_minute", 1, 6000);
    let quiet = table.get("quiet").and_then(|item| quiet(&item));
    let timeout = if names[kind] == LOG { None } else { table.span("timeout", TIMEOUT) };
    let (proxy, ca_file) = match names[kind] {
        LOG | "command" => (None, None),
        name => (if name == "email" { None } else { way::proxy(&mut table) }, way::ca_file(&mut table)),
    };
    let (read, (usual_language, usual_timeout, usual_rate)) = match ROWS.get(kind) {
        Some(row) => ((row.read)(&mut table), row.usual),
        None => {
            let preset = &PRESETS[kind - ROWS.len()];
            (service::service(&mut table, preset), (preset.language, HTTP_TIMEOUT, preset.per_minute))
        }
    };
    table.finish();
    let language = own_language.or(spoken).unwrap_or(usual_language);
    Some(ChannelPlan {
        prefix,
        title,
        body,
        min_severity,
        only,
        not,
        hosts,
        per_minute: per_minute.or(usual_rate),
        proxy,
        ca_file,
        quiet,
        ..ChannelPlan::new(name, read?, language, timeout.unwrap_or(usual_timeout))
    })
}

/// `quiet`: a span of the day.
fn quiet(item: &Item<'_>) -> Option<Quiet> {
    let (from, to) = window::time(item)?;
    if from == to {
        return item.bad("never ends: nothing but what is critical would ever be told; use min_severity for that");
    }
    Some(Quiet { from, to })
}

fn no_kind(item: &Item<'_>, name: &str, names: &[&str]) -> Option<ChannelPlan> {
    item.bad(&match nearest(name, names) {
        Some(near) => {
            ["is no kind of channel; did you mean [alert.", near, "]? (or add kind = \"", near, "\")"].concat()
        }
        None => ["is no kind of channel; add kind = \"…\": ", &names.join(", ")].concat(),
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
