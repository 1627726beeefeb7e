//! What the roster tells of a host: the events, and those that the host carried in its beats.

use std::time::Duration;

use crate::clock::{Now, Tick};
use crate::event::{Event, Fact, Field, Kind, Moment};
use crate::keepalive::beat::Notice;
use crate::keepalive::host::{Carried, Host};

/// A host that tells an event itself must have delivered it by then; else its server tells it.
pub const DELIVERY_TIME: Duration = Duration::from_secs(15);
/// Carried events kept per host, so that none is told twice.
const MAX_CARRIED: usize = 8;
/// A carried event is not forgotten sooner: whoever holds a key can have [`MAX_CARRIED`] events told per hour.
const MIN_KEPT: Duration = Duration::from_secs(3600);
/// Facts kept of a carried event, and bytes of each.
const MAX_FACTS: (usize, usize) = (8, 64);
/// Ages and remaining times beyond 30 days are cut to it, in seconds.
const MAX_SPAN: f64 = 30.0 * 86_400.0;

/// How a silence is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    /// As an outage; `overdue` after a goodbye.
    Offline {
        /// The host had said when it would be back.
        overdue: bool,
    },
    /// As what its cloud had announced.
    Reclaimed,
}

/// The host is silent as of now.
pub fn silent(name: &str, host: &Host, told: Told, server: &str, now: &Now) -> Event {
    let (kind, reason) = match told {
        Told::Offline { overdue: false } => (Kind::Offline, ""),
        Told::Offline { overdue: true } => (Kind::Offline, "it said goodbye and is overdue"),
        Told::Reclaimed => (Kind::Reclaimed, "its cloud had announced it"),
    };
    event(kind, name, host, now)
        .with(Field::LastBeat, Fact::Time(last_beat(host, now)))
        .with(Field::Duration, Fact::Span(now.tick.since(host.last)))
        .with_text(Field::Reason, reason)
        .with_text(Field::Address, host.from.ip().to_canonical().to_string())
        .with_text(Field::Server, server)
}

/// The host is back as of now.
pub fn online(name: &str, host: &Host, server: &str, now: &Now) -> Event {
    let since = Moment { about: host.about, ..Moment::at(host.since, now) };
    event(Kind::Online, name, host, now)
        .with(Field::Duration, Fact::Span(now.tick.since(host.since)))
        .with(Field::Since, Fact::Time(since))
        .with_text(Field::Address, host.from.ip().to_canonical().to_string())
        .with_text(Field::Server, server)
}

/// The host said goodbye.
pub fn stopped(name: &str, host: &Host, back_in: Duration, server: &str, now: &Now) -> Event {
    event(Kind::Stopped, name, host, now)
        .with(Field::BackBy, Fact::Time(Moment::at(now.tick + back_in, now)))
        .with_text(Field::Server, server)
}

/// The host is taken off the roster.
pub fn forgotten(name: &str, host: &Host, why: &str, now: &Now) -> Event {
    event(Kind::Forgotten, name, host, now)
        .with(Field::LastBeat, Fact::Time(last_beat(host, now)))
        .with_text(Field::Reason, why)
}

fn event(kind: Kind, name: &str, host: &Host, now: &Now) -> Event {
    Event::new(kind, host.incident, name, Moment::at(now.tick, now))
}

fn last_beat(host: &Host, now: &Now) -> Moment {
    Moment { about: host.about, ..Moment::at(host.last, now) }
}

/// Remembers a carried event; true if that changed anything. Only notices of a cloud are carried, and a withdrawal
/// only after what it withdraws: a host cannot end another's incident.
pub fn take_in(host: &mut Host, notice: &Notice, now: &Now) -> bool {
    let left = notice.left.map(|secs| secs.clamp(-MAX_SPAN, MAX_SPAN));
    let deadline = left.map(|secs| Tick(now.tick.0 + seconds(secs)));
    match notice.kind {
        Kind::Interrupt => host.announced = Some(deadline.unwrap_or(now.tick)),
        Kind::InterruptWithdrawn => host.announced = None,
        _ => return false,
    }
    if let Some(known) = host.carried.iter_mut().find(|carried| carried.id == notice.id) {
        let news = notice.delivered && !known.done;
        known.done |= notice.delivered;
        return news;
    }
    let begun = host.carried.iter().any(|carried| carried.incident == notice.incident);
    if notice.kind == Kind::InterruptWithdrawn && !begun {
        return false;
    }
    if host.carried.len() >= MAX_CARRIED {
        let old = |carried: &Carried| carried.done && now.tick.since(carried.heard) >= MIN_KEPT;
        let Some(oldest) = host.carried.iter().position(old) else { return false };
        host.carried.remove(oldest);
    }
    let facts = notice.facts.iter().take(MAX_FACTS.0);
    host.carried.push(Carried {
        id: notice.id,
        incident: notice.incident,
        kind: notice.kind,
        severity: notice.severity,
        at: Tick(now.tick.0 - seconds(notice.age.clamp(0.0, MAX_SPAN))),
        deadline,
        heard: now.tick,
        told: notice.told,
        done: notice.delivered,
        facts: facts.map(|(field, text)| (*field, cut(text, MAX_FACTS.1).to_owned())).collect(),
    });
    true
}

/// When a carried event is due to be told by this server, if any is.
pub fn next_due(host: &Host) -> Option<Tick> {
    host.carried.iter().filter(|carried| !carried.done).map(due_at).min()
}

/// The next carried event to tell now, which counts as told from here on. What a host left untold when it fell
/// silent is told before the silence.
pub fn due(name: &str, host: &mut Host, server: &str, now: &Now) -> Option<Event> {
    let silent = host.deadline <= now.tick;
    let carried = host.carried.iter_mut().find(|carried| !carried.done && (silent || due_at(carried) <= now.tick))?;
    carried.done = true;
    Some(told_for(name, carried, server, now))
}

fn due_at(carried: &Carried) -> Tick {
    if carried.told { carried.heard + DELIVERY_TIME } else { carried.heard }
}

fn told_for(name: &str, carried: &Carried, server: &str, now: &Now) -> Event {
    let mut event = Event {
        id: carried.id,
        incident: carried.incident,
        kind: carried.kind,
        severity: carried.severity,
        subject: name.to_owned(),
        at: Moment::at(carried.at, now),
        facts: Vec::with_capacity(carried.facts.len() + 2),
        test: false,
    };
    if let Some(deadline) = carried.deadline {
        event.facts.push((Field::Deadline, Fact::Time(Moment::at(deadline, now))));
    }
    event.facts.extend(carried.facts.iter().map(|(field, text)| (*field, Fact::Text(text.clone()))));
    event.with_text(Field::Server, server)
}

#[expect(clippy::cast_possible_truncation, reason = "clamped to 30 days")]
fn seconds(secs: f64) -> i64 {
    (secs * 1000.0) as i64
}

fn cut(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}
