//! What the roster tells of a host: the events, and those that the host carried in its beats.

use std::time::Duration;

use crate::alert::pending::{After, Pending};
use crate::clock::{Now, Tick};
use crate::event::{Event, Fact, Field, Kind, Moment};
use crate::keepalive::beat::Notice;
use crate::keepalive::host::{Carried, Host, Record};

/// A host that tells an event itself must have delivered it by then; else its server tells it.
pub const DELIVERY_TIME: Duration = Duration::from_secs(15);
/// Carried events kept per host, so that none is told twice.
const MAX_CARRIED: usize = 8;
/// A carried event is not forgotten sooner: whoever holds a key can have [`MAX_CARRIED`] events told per hour.
const MIN_KEPT: Duration = Duration::from_secs(3600);
/// Facts kept of a carried event, and bytes of each.
const MAX_FACTS: (usize, usize) = (8, 64);
/// Ages and remaining times beyond 30 days are cut to it, in milliseconds.
const MAX_SPAN: i64 = 30 * 86_400_000;

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
    let mut event = event(kind, name, host, now);
    time(&mut event, Field::LastBeat, host.last, host.about, now);
    event.facts.push((Field::Duration, Fact::Span(now.tick.since(host.last))));
    text(&mut event, Field::Reason, reason);
    place(&mut event, host, server);
    event
}

/// The host is back as of now.
pub fn online(name: &str, host: &Host, server: &str, now: &Now) -> Event {
    let mut event = event(Kind::Online, name, host, now);
    event.facts.push((Field::Duration, Fact::Span(now.tick.since(host.since))));
    time(&mut event, Field::Since, host.since, host.about, now);
    place(&mut event, host, server);
    event
}

/// The host said goodbye.
pub fn stopped(name: &str, host: &Host, back_in: Duration, server: &str, now: &Now) -> Event {
    let mut event = event(Kind::Stopped, name, host, now);
    time(&mut event, Field::BackBy, now.tick + back_in, false, now);
    text(&mut event, Field::Server, server);
    event
}

/// The host is taken off the roster.
pub fn forgotten(name: &str, host: &Host, why: &str, now: &Now) -> Event {
    let mut event = event(Kind::Forgotten, name, host, now);
    time(&mut event, Field::LastBeat, host.last, host.about, now);
    text(&mut event, Field::Reason, why);
    event
}

fn event(kind: Kind, name: &str, host: &Host, now: &Now) -> Event {
    Event::new(kind, host.incident, name, Moment::at(now.tick, now))
}

#[inline(never)]
fn time(event: &mut Event, field: Field, tick: Tick, about: bool, now: &Now) {
    event.facts.push((field, Fact::Time(Moment { about, ..Moment::at(tick, now) })));
}

#[inline(never)]
fn text(event: &mut Event, field: Field, text: &str) {
    if !text.is_empty() {
        event.facts.push((field, Fact::Text(text.to_owned())));
    }
}

#[inline(never)]
fn place(event: &mut Event, host: &Host, server: &str) {
    text(event, Field::Address, &host.from.ip().to_canonical().to_string());
    text(event, Field::Server, server);
}

/// Whether `host` can remember one more of `notices`, at the cost of an old one that is done with.
pub fn makes_room(host: &mut Host, notices: &[Notice], now: &Now) -> bool {
    if notices.iter().all(|notice| host.carried.iter().any(|known| known.id == notice.id)) {
        return false;
    }
    let old = |carried: &Carried| carried.done && now.tick.since(carried.heard) >= MIN_KEPT;
    if host.carried.len() >= MAX_CARRIED
        && let Some(oldest) = host.carried.iter().position(old)
    {
        host.carried.remove(oldest);
    }
    host.carried.len() < MAX_CARRIED
}

/// Takes in a carried event; true if there is something new to save. Only notices of a cloud are carried, and a
/// withdrawal only after what it withdraws: a host cannot end another's incident. `new`: it may be one that was not
/// heard of before.
pub fn take_in(host: &mut Host, notice: &Notice, new: bool, now: &Now) -> bool {
    let ends = match notice.kind {
        Kind::Interrupt => false,
        Kind::InterruptWithdrawn => true,
        _ => return false,
    };
    let deadline = notice.left.map(|left| Tick(now.tick.0 + left.clamp(-MAX_SPAN, MAX_SPAN)));
    let known = host.carried.iter().position(|carried| carried.id == notice.id);
    let begun = host.carried.iter().any(|carried| carried.incident == notice.incident);
    if known.is_none() && (!new || host.carried.len() >= MAX_CARRIED || (ends && !begun)) {
        return false;
    }
    // The last one in a beat is the latest news.
    host.announced = (!ends).then_some(deadline.unwrap_or(now.tick));
    if let Some(known) = known.and_then(|at| host.carried.get_mut(at)) {
        let news = notice.delivered && !known.done;
        known.done |= notice.delivered;
        return news;
    }
    let facts = notice.facts.iter().take(MAX_FACTS.0);
    host.carried.push(Carried {
        id: notice.id,
        incident: notice.incident,
        kind: notice.kind,
        severity: notice.severity,
        at: Tick(now.tick.0 - notice.age.clamp(0, MAX_SPAN)),
        deadline,
        heard: now.tick,
        told: notice.told,
        done: notice.delivered,
        facts: facts.map(|(field, text)| (*field, cut(text, MAX_FACTS.1).to_owned())).collect(),
    });
    true
}

/// When something of the host is due: its silence, its end, or a carried event that this server must tell.
pub fn due_at(host: &Host) -> Tick {
    let carried = host.carried.iter().filter(|carried| !carried.done);
    carried.fold(host.deadline, |due, carried| due.min(carried_due(carried)))
}

/// Puts a change of `host` and its event into the queue, which must have room.
pub fn commit(name: &str, host: &mut Host, event: Event, now: &Now, pending: &mut Pending) {
    host.seq = pending.next_seq();
    let record = Some(Box::new(Record::of(host, now)));
    pending
        .push(Some(event), After::Host { name: name.to_owned(), record })
        .expect("the caller saw that there is room");
}

/// Tells those carried events whose turn it is; true if anything changed.
pub fn tell_carried(name: &str, host: &mut Host, server: &str, now: &Now, pending: &mut Pending) -> bool {
    let mut changed = false;
    while pending.has_room()
        && let Some(event) = due(name, host, server, now)
    {
        commit(name, host, event, now, pending);
        changed = true;
    }
    changed
}

/// The next carried event to tell now, which counts as told from here on. What a host left untold when it fell
/// silent is told before the silence.
pub fn due(name: &str, host: &mut Host, server: &str, now: &Now) -> Option<Event> {
    let silent = host.deadline <= now.tick;
    let carried =
        host.carried.iter_mut().find(|carried| !carried.done && (silent || carried_due(carried) <= now.tick))?;
    carried.done = true;
    Some(told_for(name, carried, server, now))
}

fn carried_due(carried: &Carried) -> Tick {
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
        group: None,
    };
    if let Some(deadline) = carried.deadline {
        time(&mut event, Field::Deadline, deadline, false, now);
    }
    for (field, value) in &carried.facts {
        text(&mut event, *field, value);
    }
    text(&mut event, Field::Server, server);
    event
}

fn cut(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}
