//! What is told of probes.

use super::ping::SAID;
use super::{Item, Source};
use crate::clock::Now;
use crate::event::{Event, Fact, Field, Id, Kind, Moment, Severity};
use crate::probe::State;

/// Added to the reason of one that was never seen to work.
pub const NEVER: &str = "it has not worked since it is watched";

/// A failure that people were told of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Told {
    pub incident: Id,
    /// The time of the event.
    pub at: Moment,
    /// When it began to fail.
    pub since: Moment,
    pub reason: String,
}

/// What is to be told of `item`, and what was told then.
pub(super) fn due(item: &Item, me: &str, now: &Now) -> Option<(Event, Option<Told>)> {
    match (item.watch.state(), &item.told) {
        (State::Down, None) if item.ready => {
            let since = Moment::at(item.watch.since().unwrap_or(now.tick), now);
            let (boot, tick) = (since.boot.0.to_be_bytes(), since.tick.0.to_be_bytes());
            let incident = Id::of(&[b"probe", me.as_bytes(), item.name().as_bytes(), &boot, &tick]);
            let never = !item.watch.worked() && item.plan().is_some();
            let gap = if never && !item.detail.is_empty() { "; " } else { "" };
            // The code is a fact of its own.
            let why = if item.ping.code.is_some() { SAID } else { &item.detail };
            let reason = [if never { NEVER } else { "" }, gap, why].concat();
            let told = Told { incident, at: Moment::at(item.fell, now), since, reason };
            Some((down(item, &told, me), Some(told)))
        }
        (State::Up, Some(told)) => Some((up(item, told, me, now), None)),
        _ => None,
    }
}

/// The beginning. Its id is the same in every run.
pub(super) fn down(item: &Item, told: &Told, me: &str) -> Event {
    let mut event = begin(Kind::ProbeDown, item, told, me, told.at).with_text(Field::Reason, &*told.reason);
    event.severity = item.plan().map_or(Severity::Critical, |plan| plan.severity);
    if let Some(code) = item.ping.code {
        event = event.with(Field::ExitCode, Fact::Number(code.into()));
    }
    event.with_text(Field::Output, &*item.ping.body)
}

fn up(item: &Item, told: &Told, me: &str, now: &Now) -> Event {
    let mut event = begin(Kind::ProbeUp, item, told, me, Moment::at(now.tick, now));
    if let Some(since) = told.since.tick(now) {
        event = event.with(Field::Duration, Fact::Span(now.tick.since(since)));
    }
    event
}

fn begin(kind: Kind, item: &Item, told: &Told, me: &str, at: Moment) -> Event {
    let event = Event::new(kind, told.incident, me, at).with_text(Field::Probe, item.name());
    let event = match &item.source {
        Source::Probe(plan) => event.with_text(Field::Target, plan.what.target()),
        Source::Ping(_) => event,
    };
    event.with(Field::Since, Fact::Time(told.since))
}

/// The end of an incident that nobody is told of.
pub(super) fn dropped(incident: Id, me: &str, now: &Now) -> Event {
    Event::new(Kind::NoticeDropped, incident, me, Moment::at(now.tick, now))
}
