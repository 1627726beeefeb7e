//! Channels.

use std::time::Duration;

use super::BotPlan;
use crate::alert::channel::presets::Preset;
use crate::event::{Kind, Severity};
use crate::fetch::roots::CaFile;
use crate::secret::Secret;

/// The language of messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Language {
    /// English.
    En,
    /// Chinese.
    Zh,
}

/// One `[alert.NAME]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChannelPlan {
    /// NAME.
    pub name: String,
    /// What it is, with what only that kind has.
    pub kind: ChannelKind,
    /// The language it speaks.
    pub language: Language,
    /// First words of every message, alarm and recovery alike: keyword bots look for them.
    pub prefix: String,
    /// The least severity it takes.
    pub min_severity: Severity,
    /// If not empty, the only kinds it takes.
    pub only: Vec<Kind>,
    /// Kinds it does not take.
    pub not: Vec<Kind>,
    /// If not empty, globs (`*`, `?`) one of which the subject must match.
    pub hosts: Vec<String>,
    /// One attempt's deadline.
    pub timeout: Duration,
    /// Messages a minute; `None` without limit.
    pub per_minute: Option<u32>,
    /// Template of the title, in place of the usual one.
    pub title: Option<String>,
    /// Template of the body, in place of the usual one.
    pub body: Option<String>,
    /// When it holds back what is not critical.
    pub quiet: Option<Quiet>,
    /// The proxy it goes through, in place of the environment's, `""` for none; it may hold a password.
    pub proxy: Option<Secret>,
    /// The authorities it trusts, in place of the usual ones.
    pub ca_file: Option<CaFile>,
}

impl ChannelPlan {
    /// A channel with every default.
    pub fn new(name: &str, kind: ChannelKind, language: Language, timeout: Duration) -> ChannelPlan {
        ChannelPlan {
            name: name.to_owned(),
            kind,
            language,
            prefix: String::new(),
            min_severity: Severity::Info,
            only: Vec::new(),
            not: Vec::new(),
            hosts: Vec::new(),
            timeout,
            per_minute: None,
            title: None,
            body: None,
            quiet: None,
            proxy: None,
            ca_file: None,
        }
    }
}

/// Quiet hours of a channel: what is not critical waits for their end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quiet {
    /// Minutes from midnight, local time, to their beginning …
    pub from: u16,
    /// … and to their end, on the next day if that is not later.
    pub to: u16,
}

/// What a channel is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ChannelKind {
    /// A bot of a chat service.
    Bot(BotPlan),
    /// One of [`crate::alert::channel::presets`].
    Service(ServicePlan),
    /// E-mail.
    Email(EmailPlan),
    /// Any HTTP endpoint.
    Webhook(WebhookPlan),
    /// A program that gets the event as JSON on its standard input.
    Command {
        /// Program and arguments.
        argv: Vec<String>,
    },
    /// The log.
    Log,
}

impl ChannelKind {
    /// Its name in `kind = "…"`.
    pub fn name(&self) -> &'static str {
        match self {
            ChannelKind::Bot(bot) => bot.name,
            ChannelKind::Service(service) => service.preset.name,
            ChannelKind::Email(_) => "email",
            ChannelKind::Webhook(_) => "webhook",
            ChannelKind::Command { .. } => "command",
            ChannelKind::Log => "log",
        }
    }
}

/// A channel that is data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServicePlan {
    /// Its row.
    pub preset: &'static Preset,
    /// Values of the row's own keys, in their order.
    pub values: Vec<Option<Secret>>,
}

/// `kind = "email"`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EmailPlan {
    /// Name or address of the SMTP server, without brackets.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub security: Security,
    /// User and password.
    pub login: Option<(String, Secret)>,
    /// The sender's name; may be empty.
    pub from_name: String,
    /// The sender's address. Addresses are ASCII and hold nothing that means something to SMTP or in a header.
    pub from: String,
    /// Addresses it goes to; at least one.
    pub to: Vec<String>,
    /// What this machine calls itself to the server; `None` for its host name, if that has a domain.
    pub hello: Option<String>,
}

/// How an SMTP connection is encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Security {
    /// From the first byte.
    Tls,
    /// After `STARTTLS`, which the server must offer.
    StartTls,
    /// Not at all.
    None,
}

/// `kind = "webhook"`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WebhookPlan {
    /// Where to; fields in braces are percent-encoded into it.
    pub url: Secret,
    /// `POST`, `PUT` or `GET`.
    pub method: Method,
    /// Header names and values; values may hold fields in braces.
    pub headers: Vec<(String, Secret)>,
    /// What to send; `None` for the event as JSON.
    pub body: Option<Template>,
    /// What its answers mean, besides what their status says: cases of a [`crate::alert::channel::rule::Rule`].
    pub answers: String,
    /// Where an answer says for how long it wants to be left alone; may be empty.
    pub wait: String,
}

/// An HTTP method that a webhook may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// `GET`, without a body.
    Get,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
}

/// A body with fields in braces.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Template {
    /// Fields are replaced inside the string leaves, so that nothing needs escaping.
    Json(serde_json::Value),
    /// Fields are replaced in plain text.
    Text(String),
}
