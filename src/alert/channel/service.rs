//! Channels that are data: the request of a row, and what its answer means.

use super::compose::{Markup, Room, Style, Unit, compose};
use super::http::{self, Ready, longest_first, secrets_of};
use super::presets::{Body, What};
use super::rule::{Rule, not_the_service};
use super::template::{Fields, expand, expand_json, fields, header_safe, is_whole, percent_encoded, plain};
use crate::alert::{Message, Verdict};
use crate::clock::{Now, Wall};
use crate::config::plan::{ChannelPlan, ServicePlan};
use crate::event::{Phase, Severity};
use crate::fetch::Answer;
use crate::json::{self, Writer};
use crate::zone::Zone;

/// Who is meant if a message is about several.
const SOURCE: &str = "interrupt-callback";

/// The request that tells `message`.
pub(super) fn prepare(plan: &ChannelPlan, service: &ServicePlan, message: &Message, now: &Now, zone: &Zone) -> Ready {
    let row = service.preset;
    let fields = row_fields(plan, service, message, now, zone);
    let (kind, body) = match row.body {
        Body::Json(template) => {
            let mut out = Writer::default();
            if let Some(tree) = json::read(template.as_bytes()) {
                expand_json(&tree, &fields, true, &mut out);
            }
            ("application/json; charset=utf-8", out.into_string())
        }
        Body::Form(template) => {
            let mut pairs = String::new();
            for pair in template.split('&').filter(|pair| is_whole(pair, &fields)) {
                pairs.push_str(if pairs.is_empty() { "" } else { "&" });
                pairs.push_str(&expand(pair, &fields, percent_encoded));
            }
            ("application/x-www-form-urlencoded", pairs)
        }
        Body::Text(template) => ("text/plain; charset=utf-8", expand(template, &fields, plain)),
    };
    let header = header_safe(&expand(row.header, &fields, plain));
    let own = header.split_once(": ").filter(|_| is_whole(row.header, &fields));
    let mut headers = Vec::with_capacity(3);
    for (name, value) in [("Content-Type", kind), ("User-Agent", http::USER_AGENT)].into_iter().chain(own) {
        headers.push((name.to_owned(), value.to_owned()));
    }
    let address = service.values.first().and_then(Option::as_ref).map_or("", |address| address.reveal());
    let url = below(address, &expand(row.path, &fields, path_encoded));
    Ready { method: row.method, url, headers, body: Some(body.into_bytes()), signed: None, secrets: secrets(service) }
}

/// Whether `message` must be taken apart for `service`: it keeps each incident by itself.
pub(super) fn is_apart(service: &ServicePlan, message: &Message) -> bool {
    service.preset.apart && message.members.len() > 1
}

/// What the templates of the row can hold: its keys, its levels, and what every message has, in this order.
fn row_fields(plan: &ChannelPlan, service: &ServicePlan, message: &Message, now: &Now, zone: &Zone) -> Fields {
    let row = service.preset;
    let mut all: Fields = Vec::new();
    for (key, value) in row.keys.iter().zip(&service.values) {
        if let Some(value) = value {
            all.push((key.name, value.reveal().to_owned()));
        }
    }
    let severity = message.members.iter().map(|event| event.severity).max().unwrap_or(Severity::Info);
    let phase = phase(message);
    for line in row.levels.lines() {
        let words: Vec<&'static str> = line.split(' ').collect();
        let at = match words.len() {
            4 => phase as usize,
            _ if phase == Phase::End => 3,
            _ => severity as usize,
        };
        let word = words[1 + at];
        all.push((words[0], if word == "-" { String::new() } else { word.to_owned() }));
    }
    all.extend(row.keys.iter().map(|key| (key.name, String::new())));
    let mut composed = compose(plan, &row.style, message, now, zone);
    if row.plain_title > 0 {
        let title = Room { unit: Unit::Chars, max: row.plain_title };
        let style = Style { markup: Markup::Plain, title, joined: false, ..row.style };
        composed.title = compose(plan, &style, message, now, zone).title;
    }
    // Most services refuse an empty text.
    let text = if composed.body.is_empty() { composed.title.clone() } else { composed.body };
    all.push(("title", composed.title));
    all.push(("text", text));
    let usual = fields(message, &composed.text, plan.language, now, zone);
    let subject = usual.iter().find(|(name, value)| *name == "subject" && !value.is_empty());
    all.push(("source", subject.map_or(SOURCE, |(_, subject)| subject).to_owned()));
    // What is left of a digest belongs to its own incident.
    if let [event] = &message.members[..] {
        all.push(("incident", event.incident.to_string()));
    }
    all.extend(usual);
    all
}

/// Whether `message` begins something that it does not end as well.
fn phase(message: &Message) -> Phase {
    let members = &message.members;
    let mut phase = Phase::Single;
    for (place, event) in members.iter().enumerate() {
        let ended =
            members[place..].iter().any(|later| later.kind.phase() == Phase::End && later.incident == event.incident);
        match event.kind.phase() {
            Phase::Begin if !ended => return Phase::Begin,
            Phase::Begin | Phase::End => phase = Phase::End,
            Phase::Single => {}
        }
    }
    phase
}

/// As it stands in an address, where slashes are the row's own: no value has any.
fn path_encoded(out: &mut String, value: &str) {
    for (place, part) in value.split('/').enumerate() {
        out.push_str(if place > 0 { "/" } else { "" });
        percent_encoded(out, part);
    }
}

/// `address` with `path` below it, before its query; a query joins that which it has.
fn below(address: &str, path: &str) -> String {
    match (path.strip_prefix('?'), address.split_once('?')) {
        (_, None) if path.starts_with('/') => [address.trim_end_matches('/'), path].concat(),
        (_, None) => [address, path].concat(),
        (Some(pair), Some(_)) => [address, "&", pair].concat(),
        (None, Some((before, query))) => [&below(before, path), "?", query].concat(),
    }
}

/// What must not be quoted.
fn secrets(service: &ServicePlan) -> Vec<String> {
    let mut secrets = Vec::new();
    for (key, value) in service.preset.keys.iter().zip(&service.values) {
        let Some(value) = value.as_ref().map(|value| value.reveal()) else { continue };
        match key.what {
            What::Address | What::Server(_) => secrets.extend(secrets_of(value)),
            What::Secret | What::Optional | What::Telling(_) => {
                let mut out = String::new();
                percent_encoded(&mut out, value);
                secrets.push(out);
                secrets.push(value.to_owned());
                // Such as "Basic dXNlcjpwYXNz".
                secrets.extend(value.split(' ').filter(|word| word.len() >= http::MIN_TOKEN).map(str::to_owned));
            }
            What::Choice(_) => {}
        }
    }
    longest_first(secrets)
}

/// What `answer` means.
pub(super) fn verdict(service: &ServicePlan, answer: &Answer, now: Wall, ready: &Ready) -> Verdict {
    // No service promises a page: the network's login would do so.
    if (200..300).contains(&answer.status) && answer.body.trim_ascii_start().first() == Some(&b'<') {
        return not_the_service(http::host_of(&ready.url));
    }
    Rule { cases: service.preset.cases, wait: service.preset.wait }.judge(answer, now, ready)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_queries_join() {
        for (address, path, url) in [
            ("https://h", "/x", "https://h/x"),
            ("https://h/a/", "/x", "https://h/a/x"),
            ("https://h/a/", "", "https://h/a/"),
            ("https://h/a/?b=c", "/x", "https://h/a/x?b=c"),
            ("https://h/a", "?wait=true", "https://h/a?wait=true"),
            ("https://h/a?thread_id=1", "?wait=true", "https://h/a?thread_id=1&wait=true"),
            ("https://h/k/slug?create=1", "/fail", "https://h/k/slug/fail?create=1"),
            ("https://h/k/slug?create=1", "", "https://h/k/slug?create=1"),
        ] {
            assert_eq!(below(address, path), url);
        }
    }
}
