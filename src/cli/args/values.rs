//! Options with a value, and what they add up to.

use std::ffi::OsString;
use std::time::Duration;

use super::{OPTIONS, UsageError, Words, operand, unknown};
use crate::alert::message::said::headline;
use crate::config::problem::quoted;
use crate::config::units::parse_span;
use crate::event::{Kind, Severity};
use crate::keepalive::silences::Lasts;

/// Shortest and longest `--for`.
const SILENCE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(366 * 86_400));
/// How long `send` waits for the delivery, and the shortest and longest `--wait`.
const SEND: Duration = Duration::from_secs(10);
const SEND_RANGE: (Duration, Duration) = (Duration::ZERO, Duration::from_secs(3600));
/// How often `--watch` looks, and the shortest and longest way from one look to the next.
const WATCH: Duration = Duration::from_secs(2);
const WATCH_RANGE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3600));
/// Channels that a configuration may have.
const MAX_CHANNELS: usize = 64;
/// The sample of `test` that is no kind.
const DIGEST: &str = "digest";
/// Options with a value, what that is, and the command that takes them.
pub(super) const VALUED: [(&str, &str, &str); 9] = [
    ("--for", "a time", "silence"),
    ("--severity", "info, warning or critical", "send"),
    ("--channel", "the name of a channel", "send"),
    ("--wait", "a time", "send"),
    ("--kind", "a kind of alert, or digest", "test"),
    ("--on", "a host, any or all", "job"),
    ("--in", "a time", "job"),
    ("--at", "a date and a time", "job"),
    ("--every", "a cron expression", "job"),
];

/// Whose words `test` sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sample {
    /// Those of an event of this kind.
    Of(Kind),
    /// Those of a digest of all kinds.
    Digest,
}

/// The operands and options of `send`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SendArgs {
    /// TITLE.
    pub title: String,
    /// BODY, which `-` has read from standard input.
    pub body: String,
    /// `--severity`.
    pub severity: Severity,
    /// Every `--channel`.
    pub channels: Vec<String>,
    /// `--wait`: how long the command waits for the delivery.
    pub wait: Duration,
}

/// An option with its value, in the same word after `=` or in the next one.
pub(super) fn valued(
    text: &str,
    args: &mut dyn Iterator<Item = OsString>,
) -> Result<(&'static str, String), UsageError> {
    let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value.to_owned())));
    let Some((option, what, _)) = VALUED.iter().find(|(option, ..)| *option == name) else {
        return Err(unknown("option", text, &OPTIONS));
    };
    match value.or_else(|| args.next()?.into_string().ok()) {
        Some(value) => Ok((option, value)),
        None => Err(UsageError(["option ", option, " needs ", what].concat())),
    }
}

/// What a silence ends with.
pub(super) fn lasts(words: &Words) -> Result<Lasts, UsageError> {
    let Some(text) = words.value("--for") else {
        return Ok(if words.healthy { Lasts::UntilHealthy } else { Lasts::Open });
    };
    if words.healthy {
        return Err(UsageError("--for and --until-healthy do not go together".to_owned()));
    }
    time("--for", text, SILENCE, "1s to 366d").map(Lasts::For)
}

/// `--watch`, whose value may also be the next word, and may be left out.
pub(super) fn watch(operands: &mut Vec<String>, words: &Words) -> Result<Option<Duration>, UsageError> {
    let Some(value) = &words.watch else { return Ok(None) };
    if !cfg!(feature = "probes") {
        return Err(UsageError("--watch needs the feature \"probes\", which this binary was built without".to_owned()));
    }
    if words.json {
        return Err(UsageError("--watch and --json do not go together".to_owned()));
    }
    let value = value.clone().or_else(|| (!operands.is_empty()).then(|| operands.remove(0)));
    value.map_or(Ok(WATCH), |text| time("--watch", &text, WATCH_RANGE, "1s to 1h")).map(Some)
}

/// The value of an option that is a time. Here, as in the configuration, a bare number is seconds.
fn time(option: &str, text: &str, range: (Duration, Duration), shown: &str) -> Result<Duration, UsageError> {
    let bare = text.parse().ok().map(Duration::from_secs);
    match bare.map_or_else(|| parse_span(text), Ok) {
        Ok(time) if (range.0..=range.1).contains(&time) => Ok(time),
        Ok(_) => Err(UsageError([option, " ", &quoted(text), " is out of range; it goes from ", shown].concat())),
        Err(why) => Err(UsageError([option, " ", &quoted(text), " ", why].concat())),
    }
}

pub(super) fn send(operands: &mut Vec<String>, words: &Words) -> Result<SendArgs, UsageError> {
    let title = operand(operands, "a title in quotes")?;
    if headline(&title).is_empty() {
        return Err(UsageError("the title is empty".to_owned()));
    }
    let body = if operands.is_empty() { String::new() } else { operands.remove(0) };
    let severity = match words.value("--severity") {
        None => Kind::Message.severity(),
        Some(name) => {
            let names = Severity::ALL.map(Severity::name);
            Severity::parse(name).ok_or_else(|| unknown("severity", name, &names))?
        }
    };
    let wait = words.value("--wait").map_or(Ok(SEND), |text| time("--wait", text, SEND_RANGE, "0s to 1h"))?;
    let mut channels = Vec::new();
    for (_, name) in words.values.iter().filter(|(option, _)| *option == "--channel") {
        if !channels.contains(name) {
            channels.push(name.clone());
        }
    }
    if channels.len() > MAX_CHANNELS {
        return Err(UsageError("that many channels cannot be".to_owned()));
    }
    Ok(SendArgs { title, body, severity, channels, wait })
}

pub(super) fn sample(words: &Words) -> Result<Sample, UsageError> {
    let Some(name) = words.value("--kind") else { return Ok(Sample::Of(Kind::Test)) };
    if name == DIGEST {
        return Ok(Sample::Digest);
    }
    let mut names: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    names.push(DIGEST);
    Kind::parse(name).map(Sample::Of).ok_or_else(|| unknown("kind", name, &names))
}
