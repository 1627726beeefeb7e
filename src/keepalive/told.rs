//! What the roster tells of a host: the events, and those that the host carried in its beats.

use std::time::Duration;

use crate::alert::pending::{After, Pending};
use crate::clock::{Now, Tick};
use crate::event::{Event, Fact, Field, Id, Kind, Moment};
use crate::keepalive::beat::Notice;
use crate::keepalive::flapping::Flapping;
use crate::keepalive::host::{Carried, Cause, Host, Record, Standing};
use crate::keepalive::suspicion::{AfterHold, MANY};

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

/// Why a silence came, for its message.
pub const OVERDUE: &str = "it said goodbye and is overdue";
/// The same, of a host that was never there.
pub const EXPECTED: &str = "it was expected and never heard of";
/// The same, of an announced reclaim.
pub const ANNOUNCED: &str = "its cloud had announced it";
/// Why it is told late.
pub const POSTPONED: &str = "this server could not listen for a while";
/// The server may be to blame.
pub const CHANNELS_FAIL: &str = "this server's own channels fail as well";
/// Many silences at once: what to do first.
pub const OWN_NETWORK: &str = "look at this server's network first";
/// Why a host was silent that is back.
pub const REBOOTED: &str = "it was rebooted";
/// What was postponed for less is not worth a word.
const WORTH_SAYING: u32 = 1000;

/// The silence that was found, as a beginning.
pub fn silent(name: &str, host: &Host, server: &str, now: &Now) -> Event {
    let reclaimed = host.standing == Standing::Reclaimed;
    let kind = if reclaimed { Kind::Reclaimed } else { Kind::Offline };
    let at = Moment::at(host.detected.unwrap_or(now.tick), now);
    let mut event = Event::new(kind, host.incident, name, at);
    let (field, reason) = match host.cause {
        Cause::Expected => (Field::Since, EXPECTED),
        Cause::Overdue => (Field::LastBeat, OVERDUE),
        Cause::Silence if reclaimed => (Field::LastBeat, ANNOUNCED),
        Cause::Silence if host.postponed >= WORTH_SAYING => (Field::LastBeat, POSTPONED),
        Cause::Silence => (Field::LastBeat, ""),
    };
    time(&mut event, field, host.last, host.about, now);
    event.facts.push((Field::Duration, Fact::Span(now.tick.since(host.last))));
    text(&mut event, Field::Reason, reason);
    place(&mut event, host, server);
    if !host.uptime.is_zero() {
        event.facts.push((Field::Uptime, Fact::Span(host.uptime)));
    }
    if let Some(readings) = &host.readings {
        readings.add_to(&mut event);
    }
    event
}

/// Adds to the silence of a host that this server may be to blame: its channels fail, many came together, so many of
/// those came back.
pub fn doubt(event: &mut Event, channels_fail: bool, after: &AfterHold) {
    if channels_fail {
        because(event, CHANNELS_FAIL);
    }
    if after.back > 0 {
        event.facts.push((Field::Count, Fact::Number(after.back.into())));
    }
    if after.silent + after.back >= MANY {
        text(event, Field::Hint, OWN_NETWORK);
    }
}

/// Adds a reason.
#[inline(never)]
pub fn because(event: &mut Event, why: &str) {
    match event.facts.iter_mut().find(|(field, _)| *field == Field::Reason) {
        Some((_, Fact::Text(reason))) => reason.push_str(&["; ", why].concat()),
        _ => text(event, Field::Reason, why),
    }
}

/// The group of the ends of what was told in `group`.
#[inline(never)]
pub fn group_of_ends(group: Id) -> Id {
    Id::of(&[b"back", &group.0.to_be_bytes()])
}

/// The host is back as of now.
pub fn online(name: &str, host: &Host, server: &str, now: &Now) -> Event {
    let mut event = event(Kind::Online, name, host, now);
    event.facts.push((Field::Duration, Fact::Span(now.tick.since(host.since))));
    time(&mut event, Field::Since, host.since, host.about, now);
    place(&mut event, host, server);
    event.group = host.group.map(group_of_ends);
    event
}

/// The host is silent still. Those that were told together and are due at one time (`when`) are told together again.
pub fn reminder(name: &str, host: &Host, when: Tick, server: &str, now: &Now) -> Event {
    let mut event = event(Kind::Reminder, name, host, now);
    time(&mut event, Field::Since, host.since, host.about, now);
    event.facts.push((Field::Duration, Fact::Span(now.tick.since(host.since))));
    text(&mut event, Field::Server, server);
    event.group = host.group.map(|group| Id::of(&[b"remind", &group.0.to_be_bytes(), &when.0.to_be_bytes()]));
    event
}

/// The host was booted, and nobody had said so.
pub fn rebooted(name: &str, host: &Host, server: &str, now: &Now) -> Event {
    let mut event = event(Kind::Rebooted, name, host, now);
    time(&mut event, Field::LastBeat, host.last, host.about, now);
    event.incident = incident(b"rebooted", name, server, now);
    place(&mut event, host, server);
    event
}

/// The host goes and comes. It counts as told from here on.
pub fn flapping(name: &str, host: &Host, flapping: &mut Flapping, server: &str, now: &Now) -> Event {
    let mut event = event(Kind::Flapping, name, host, now);
    event.incident = incident(b"flapping", name, server, now);
    flapping.told = Some((event.incident, now.tick));
    event.facts.push((Field::Count, Fact::Number(flapping.count.into())));
    place(&mut event, host, server);
    event
}

/// The host has kept its state; `None` if nobody was told that it did not. It counts as told from here on.
pub fn steady(name: &str, host: &Host, flapping: &mut Flapping, server: &str, now: &Now) -> Option<Event> {
    let (incident, since) = flapping.told?;
    let mut event = event(Kind::Steady, name, host, now);
    event.incident = incident;
    text(&mut event, Field::State, host.standing.name());
    event.facts.push((Field::Count, Fact::Number(flapping.count.into())));
    event.facts.push((Field::Duration, Fact::Span(now.tick.since(since))));
    text(&mut event, Field::Server, server);
    flapping.steady();
    Some(event)
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
    if let Some((incident, _)) = host.flapping.as_ref().and_then(|flapping| flapping.told) {
        event.incident = incident;
    }
    if host.cause != Cause::Expected {
        time(&mut event, Field::LastBeat, host.last, host.about, now);
    }
    text(&mut event, Field::Reason, why);
    event
}

fn event(kind: Kind, name: &str, host: &Host, now: &Now) -> Event {
    Event::new(kind, host.incident, name, Moment::at(now.tick, now))
}

/// An id that begins now.
pub fn incident(what: &[u8], name: &str, server: &str, now: &Now) -> Id {
    Id::of(&[what, server.as_bytes(), name.as_bytes(), &now.boot.0.to_be_bytes(), &now.tick.0.to_be_bytes()])
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
    let address = host.from.ip().to_canonical();
    // A host that was never heard of has none.
    if !address.is_unspecified() {
        text(event, Field::Address, &address.to_string());
    }
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

/// Has callbacks hear of the carried event that came last: its host tells it.
pub fn overheard(name: &str, host: &Host, server: &str, now: &Now, pending: &mut Pending) {
    if let Some(carried) = host.carried.last() {
        pending.overhear(told_for(name, carried, server, now));
    }
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
