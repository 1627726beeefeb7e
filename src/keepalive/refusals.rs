//! Beats that do not count although their key is right: what people are told of them, once.

use std::net::SocketAddr;
use std::time::Duration;

use crate::alert::pending::{After, Pending};
use crate::clock::{Now, Tick};
use crate::event::{Event, Fact, Field, Id, Kind, Moment};
use crate::keepalive::heard::{Heard, name_is_valid};
use crate::keepalive::host::Host;
use crate::keepalive::roster::MAX_HOSTS;

/// Refusals that are told as they come, …
const AT_ONCE: usize = 64;
/// … and from one to the next after that: whoever holds a key may use up the first ones.
const AGAIN: Duration = Duration::from_secs(600);
/// Refusals that are remembered, so that each is told once.
const MAX_TOLD: usize = 1024;
/// From one alert about a full roster to the next.
const FULL_AGAIN: Duration = Duration::from_secs(24 * 3600);
const OLD_PROTOCOL: &str = "it speaks protocol 1, which shows the key on the wire";
const OWN_NAME: &str = "give every host a name of its own, or forget the old one";

const OWN_USER: &str = "give this host another user, or change host in [keepalive.server.users]";

/// What was told in this run.
#[derive(Default)]
pub struct Refusals {
    /// When it was last told that the roster is full.
    full: Option<Tick>,
    /// Incidents of the others, the oldest first; at most [`MAX_TOLD`].
    told: Vec<Id>,
    /// When the last of them was told.
    last: Tick,
}

impl Refusals {
    /// Refused whatever is known of the host: over protocol 1, or by a user that speaks for `bound` alone.
    pub fn out_of_hand(
        &mut self,
        (name, user, from): (&str, &str, SocketAddr),
        bound: Option<&str>,
        now: &Now,
        pending: &mut Pending,
    ) {
        let why = match bound {
            None => [
                OLD_PROTOCOL.to_owned(),
                "update it, or allow it with auth = \"permissive\" in [keepalive.server]".to_owned(),
            ],
            Some(host) => [format!("the user {user} may only beat for {host}"), OWN_USER.to_owned()],
        };
        if name_is_valid(name) {
            self.tell(name, user, from, why, now, pending);
        }
    }

    /// Refused because the name is that of `host`.
    pub fn taken(&mut self, host: &Host, heard: &Heard<'_>, now: &Now, pending: &mut Pending) {
        self.tell(heard.name, heard.user, heard.from, taken(host, heard), now, pending);
    }

    /// Refused because another host beats under the name of `host`, which is alive. Told once per pair of addresses.
    pub fn duplicate(&mut self, host: &Host, heard: &Heard<'_>, now: &Now, pending: &mut Pending) {
        let (one, other) = (host.from.ip().to_string(), heard.from.ip().to_string());
        let (less, more) = if one < other { (&one, &other) } else { (&other, &one) };
        let incident = Id::of(&[b"duplicate", heard.name.as_bytes(), less.as_bytes(), more.as_bytes()]);
        if self.is_over(incident, now) {
            return;
        }
        let event = Event::new(Kind::Duplicate, incident, heard.name, Moment::at(now.tick, now))
            .with_text(Field::Address, one)
            .with_text(Field::OtherAddress, other)
            .with_text(Field::Hint, "give every host a name of its own");
        self.push(event, now, pending);
    }

    /// Told already, or one too many for now.
    fn is_over(&self, incident: Id, now: &Now) -> bool {
        self.told.contains(&incident) || (self.told.len() >= AT_ONCE && now.tick.since(self.last) < AGAIN)
    }

    fn push(&mut self, event: Event, now: &Now, pending: &mut Pending) {
        let incident = event.incident;
        if pending.push(Some(event), After::Nothing).is_some() {
            if self.told.len() >= MAX_TOLD {
                self.told.remove(0);
            }
            self.told.push(incident);
            self.last = now.tick;
        }
    }

    /// Tells a refusal once: reason and hint.
    fn tell(
        &mut self,
        name: &str,
        user: &str,
        from: SocketAddr,
        [reason, hint]: [String; 2],
        now: &Now,
        pending: &mut Pending,
    ) {
        let incident = Id::of(&[b"refused", name.as_bytes(), user.as_bytes(), hint.as_bytes()]);
        if self.is_over(incident, now) {
            return;
        }
        let event = Event::new(Kind::Refused, incident, name, Moment::at(now.tick, now))
            .with_text(Field::Reason, reason)
            .with_text(Field::Address, from.ip().to_string())
            .with_text(Field::Hint, hint);
        self.push(event, now, pending);
    }

    /// The roster of `server` is full: tells it once a day.
    pub fn full(&mut self, server: &str, now: &Now, pending: &mut Pending) {
        if self.full.is_some_and(|told| now.tick.since(told) < FULL_AGAIN) {
            return;
        }
        let at = Moment::at(now.tick, now);
        let event = Event::new(Kind::Refused, Id::of(&[b"full"]), server, at)
            .with_text(Field::Reason, "the roster is full")
            .with(Field::Count, Fact::Number(i64::try_from(MAX_HOSTS).unwrap_or(i64::MAX)))
            .with_text(Field::Hint, "take hosts off with the command forget");
        if pending.push(Some(event), After::Nothing).is_some() {
            self.full = Some(now.tick);
        }
    }
}

/// Reason and hint of a refusal of `heard`, because the name is that of `host`.
fn taken(host: &Host, heard: &Heard<'_>) -> [String; 2] {
    if heard.protocol < host.protocol {
        return [OLD_PROTOCOL.to_owned(), "it was seen with protocol 2 already: update it, or forget it".to_owned()];
    }
    let owner = host.user.as_deref().unwrap_or("default");
    let reason = format!("it came as user {}, but its name belongs to user {owner} at {}", heard.user, host.from.ip());
    [reason, OWN_NAME.to_owned()]
}
