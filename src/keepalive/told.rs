//! What the roster tells of a host: the events, and those that the host carried in its beats.

use std::time::Duration;

use crate::alert::pending::{After, Pending};
use crate::clock::{Now, Tick};
use crate::event::{Event, Fact, Field, Id, Kind, Moment, Phase};
use crate::keepalive::beat::Notice;
use crate::keepalive::carry::shortened;
use crate::keepalive::flapping::Flapping;
use crate::keepalive::host::{Carried, Cause, Host, Record, Standing};
use crate::keepalive::suspicion::{AfterHold, MANY};

/// A host that tells an event itself must have delivered it by then; else its server tells it.
pub const DELIVERY_TIME: Duration = Duration::from_secs(15);
/// Carried beginnings kept per host, so that none is told twice. Each may have one end.
const MAX_CARRIED: usize = 8;
/// So many of them may be something else than reclaims, for which there is always room.
const MAX_LESSER: usize = 6;
/// A carried event is not forgotten sooner: whoever holds a key can have [`MAX_CARRIED`] beginnings and as many ends told
/// per hour.
const MIN_KEPT: Duration = Duration::from_secs(3600);
/// Facts kept of a carried event, and bytes of all of them.
const MAX_FACTS: (usize, usize) = (10, 512);
/// In milliseconds: an age beyond 90 days is cut to it, a time left beyond it is none.
const MAX_SPAN: i64 = 90 * 86_400_000;

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

/// Whether `host` can remember one more of `notices`. As long as one does not fit, what is old, done with and not carried
/// any more makes room: rather what is over, since the end of what was forgotten would be foreign.
pub fn makes_room(host: &mut Host, notices: &[Notice], now: &Now) -> bool {
    let known = |host: &Host, notice: &Notice| host.carried.iter().any(|carried| carried.id == notice.id);
    let crowded =
        |host: &Host| notices.iter().any(|n| !known(host, n) && limit(n.kind).is_some_and(|most| begun(host) >= most));
    let old = |carried: &&Carried| {
        let kept = now.tick.since(carried.heard) < MIN_KEPT || notices.iter().any(|n| n.id == carried.id);
        carried.done && !kept
    };
    while crowded(host) {
        let all = &host.carried;
        let over = all.iter().filter(old).find(|carried| carried.kind.phase() == Phase::End);
        let Some(incident) = over.or_else(|| all.iter().find(old)).map(|carried| carried.incident) else { break };
        host.carried.retain(|carried| carried.incident != incident || !old(&carried));
    }
    notices.iter().any(|notice| !known(host, notice) && fits(host, notice))
}

/// Whether `host` can carry `notice` besides what it carries: a beginning in moderation, and one end of what has begun.
fn fits(host: &Host, notice: &Notice) -> bool {
    if let Some(most) = limit(notice.kind) {
        return begun(host) < most;
    }
    let ends = matches!(
        notice.kind,
        Kind::InterruptWithdrawn
            | Kind::RebalanceOver
            | Kind::MaintenanceOver
            | Kind::Seeing
            | Kind::NoticeDropped
            | Kind::ProbeUp
            | Kind::ResourceNormal
    );
    let mut own = host.carried.iter().filter(|carried| carried.incident == notice.incident).peekable();
    ends && own.peek().is_some() && own.all(|carried| carried.kind.phase() != Phase::End)
}

/// How many beginnings there may be with one of `kind`, if that is the beginning of something that hosts carry.
fn limit(kind: Kind) -> Option<usize> {
    match kind {
        Kind::Interrupt => Some(MAX_CARRIED),
        Kind::Rebalance | Kind::Maintenance | Kind::Blind | Kind::ProbeDown | Kind::ResourceHigh => Some(MAX_LESSER),
        _ => None,
    }
}

fn begun(host: &Host) -> usize {
    host.carried.iter().filter(|carried| carried.kind.phase() != Phase::End).count()
}

/// Takes in a carried event; true if there is something new to save. Only what a cloud, probes and readings say is
/// carried, and an end only after what it ends: a host cannot end another's incident. `new`: it may be one that was not
/// heard of before.
pub fn take_in(host: &mut Host, notice: &Notice, new: bool, now: &Now) -> bool {
    let left = notice.left.filter(|left| left.unsigned_abs() <= MAX_SPAN.unsigned_abs());
    let deadline = left.map(|left| Tick(now.tick.0 + left));
    let known = host.carried.iter().position(|carried| carried.id == notice.id);
    if known.is_none() && !(new && fits(host, notice)) {
        return false;
    }
    let reclaim = |carried: &Carried| carried.kind == Kind::Interrupt && carried.incident == notice.incident;
    if notice.kind == Kind::Interrupt {
        // The last one in a beat is the latest news.
        host.announced = Some(deadline.unwrap_or(now.tick));
    } else if notice.kind.phase() == Phase::End && host.carried.iter().any(reclaim) {
        host.announced = None;
    }
    if notice.kind == Kind::NoticeDropped {
        // What was not told so far need not be told any more.
        host.carried.iter_mut().filter(|c| c.incident == notice.incident).for_each(|c| c.done = true);
    }
    if let Some(known) = known.and_then(|at| host.carried.get_mut(at)) {
        let news = notice.delivered && !known.done;
        known.done |= notice.delivered;
        return news;
    }
    let (mut facts, mut left) = (Vec::new(), MAX_FACTS.1);
    for (field, text) in notice.facts.iter().take(MAX_FACTS.0) {
        let text = shortened(text, left);
        left -= text.len();
        facts.push((*field, text));
    }
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
        facts,
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
        match field {
            Field::Lead | Field::Duration => {
                if let Ok(seconds) = value.parse::<u32>() {
                    event.facts.push((*field, Fact::Span(Duration::from_secs(seconds.into()))));
                }
            }
            _ => text(&mut event, *field, value),
        }
    }
    text(&mut event, Field::Server, server);
    event
}
