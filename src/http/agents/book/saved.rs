//! The book as state; see [`crate::json`].

use serde_json::Value;

use super::{Agent, Book, Job, MAX_ENDED, MAX_OPEN, MAX_SEEN, Standing, State};
use crate::clock::{Now, Wall};
use crate::config::plan::Reported;
use crate::event::{Id, Moment};
use crate::json::{self, Writer};

/// Agents that are read; more than there can be.
const MAX_AGENTS: usize = 256;
/// Names of the states, in the order of [`State::ALL`].
const STATE_NAMES: [&str; 7] = ["waiting", "queuing", "sent", "running", "succeeded", "failed", "expired"];
/// Names of the standings, in the order of [`STANDINGS`].
const STANDING_NAMES: [&str; 3] = ["unseen", "online", "offline"];
const STANDINGS: [Standing; 3] = [Standing::Unseen, Standing::Online, Standing::Offline];

impl State {
    /// Its name in files and JSON.
    pub fn name(self) -> &'static str {
        STATE_NAMES[self as usize]
    }
}

impl Standing {
    /// Its name in files and JSON.
    pub fn name(self) -> &'static str {
        STANDING_NAMES[self as usize]
    }
}

impl Book {
    /// Writes it; what changed so far need not be written again.
    pub fn write(&mut self) -> String {
        self.lazy = false;
        let mut out = Writer::default();
        out.open('{').key("agents").open('[');
        for agent in &self.agents {
            out.open('{').key("name").text(&agent.name).key("standing").text(agent.standing.name());
            out.key("told").flag(agent.told).key("outage").text(&agent.outage.0.to_string());
            for (key, moment) in [("since", agent.since), ("heard", agent.heard), ("silent", agent.outage.1)] {
                moment.write(out.key(key));
            }
            out.close('}');
        }
        out.close(']').key("jobs").open('[');
        for job in &self.jobs {
            out.open('{').key("id").text(&job.id.to_string()).key("agent").text(&job.agent);
            out.key("message").text(&job.message).key("state").text(job.state.name()).key("since");
            job.since.write(&mut out);
            if let Some(sent) = job.sent {
                sent.write(out.key("sent"));
            }
            if let Some(due) = job.due {
                out.key("due").int(due.0);
            }
            for (key, text) in [("result", &job.result), ("why", &job.why)] {
                if !text.is_empty() {
                    out.key(key).text(text);
                }
            }
            out.key("quiet").flag(job.quiet).key("told").flag(job.told).close('}');
        }
        out.close(']').key("seen").open('[');
        for (key, at) in &self.seen {
            out.open('[').text(&key.to_string()).int(at.0).close(']');
        }
        out.close(']').close('}');
        out.into_string()
    }

    /// Reads what [`Book::write`] wrote; what makes no sense is left out. Comes before [`Book::define`].
    pub fn restore(value: &Value, now: &Now) -> Book {
        let mut book = Book { started: now.tick, ..Book::default() };
        for value in json::list(value, "agents").iter().take(MAX_AGENTS) {
            if let Some(agent) = agent(value).filter(|agent| book.agents.iter().all(|other| other.name != agent.name)) {
                book.agents.push(Agent { heard: known(agent.heard, now), ..agent });
            }
        }
        for value in json::list(value, "jobs").iter().take(MAX_OPEN + MAX_ENDED) {
            if let Some(job) = job(value).filter(|job| book.jobs.iter().all(|other| other.id != job.id)) {
                book.jobs.push(Job { since: known(job.since, now), ..job });
            }
        }
        for value in json::list(value, "seen").iter().take(MAX_SEEN) {
            let (key, at) = (value.get(0).and_then(Value::as_str), value.get(1).and_then(Value::as_i64));
            if let (Some(key), Some(at)) = (key.and_then(Id::parse), at) {
                book.seen.push((key, Wall(at)));
            }
        }
        book
    }
}

/// A moment from which time is counted: now, if nobody knows how long ago it was.
fn known(moment: Moment, now: &Now) -> Moment {
    if moment.tick(now).is_some_and(|tick| tick <= now.tick) { moment } else { Moment::at(now.tick, now) }
}

fn moment(value: &Value, key: &str) -> Option<Moment> {
    Moment::read(value.get(key)?)
}

fn agent(value: &Value) -> Option<Agent> {
    let standing = STANDING_NAMES.iter().position(|name| Some(*name) == json::text(value, "standing"))?;
    Some(Agent {
        name: json::text(value, "name")?.to_owned(),
        alias: String::new(),
        notify: Reported::Always,
        standing: STANDINGS[standing],
        since: moment(value, "since")?,
        heard: Moment { about: true, ..moment(value, "heard")? },
        outage: (Id::parse(json::text(value, "outage")?)?, moment(value, "silent")?),
        told: json::flag(value, "told"),
        gone: false,
    })
}

fn job(value: &Value) -> Option<Job> {
    let state = STATE_NAMES.iter().position(|name| Some(*name) == json::text(value, "state"))?;
    let text = |key| json::text(value, key).unwrap_or_default().to_owned();
    Some(Job {
        id: Id::parse(json::text(value, "id")?)?,
        agent: json::text(value, "agent")?.to_owned(),
        message: json::text(value, "message")?.to_owned(),
        state: State::ALL[state],
        since: moment(value, "since")?,
        sent: moment(value, "sent"),
        due: json::int(value, "due").map(Wall),
        quiet: json::flag(value, "quiet"),
        result: text("result"),
        why: text("why"),
        told: json::flag(value, "told"),
    })
}
