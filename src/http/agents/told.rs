//! What is told of agents and their jobs: the event for people, the line for the log.

use crate::alert::clean::clean;
use crate::clock::Now;
use crate::event::{Event, Fact, Field, Kind, Moment};
use crate::http::agents::book::{Agent, Job, News, Standing, State};

/// Bytes of a job in a message and in the log.
const MAX_JOB: usize = 100;

/// The event; `None` if nobody wants to know.
pub fn event(news: &News, now: &Now) -> Option<Event> {
    match news {
        News::Agent(agent) => Some(of_agent(agent, now)),
        News::Job(job, true) => Some(of_job(job, now)),
        News::Job(_, false) => None,
    }
}

fn of_agent(agent: &Agent, now: &Now) -> Event {
    let (incident, silent) = agent.outage;
    if agent.gone {
        return Event::new(Kind::Forgotten, incident, &*agent.name, Moment::at(now.tick, now))
            .with_text(Field::Reason, "it is no longer in the configuration");
    }
    let kind = if agent.standing == Standing::Online { Kind::Online } else { Kind::Offline };
    let event = Event::new(kind, incident, &*agent.name, agent.since);
    match kind {
        Kind::Online => {
            let lasted = lasted(agent.since, silent, now);
            let event = lasted.into_iter().fold(event, |event, lasted| event.with(Field::Duration, lasted));
            event.with(Field::Since, Fact::Time(silent))
        }
        _ => event
            .with(Field::LastBeat, Fact::Time(silent))
            .with_text(Field::Reason, "it has not asked for jobs for 3 minutes"),
    }
}

fn of_job(job: &Job, now: &Now) -> Event {
    let kind = match job.state {
        State::Succeeded => Kind::JobDone,
        State::Failed => Kind::JobFailed,
        // It was handed out: it may have run.
        _ if job.sent.is_some() => Kind::JobLost,
        _ => Kind::JobExpired,
    };
    // The same for a repetition after a restart: it is known and dropped then.
    let mut event = Event::new(kind, job.id, &*job.agent, job.since)
        .with_text(Field::Job, clean(&job.message, MAX_JOB))
        .with_text(Field::Run, job.id.to_string());
    if let Some(lasted) = job.sent.and_then(|sent| lasted(job.since, sent, now)) {
        event = event.with(Field::Duration, lasted);
    }
    event.with_text(Field::Reason, &*job.why).with_text(Field::Output, job.result.trim_end())
}

fn lasted(end: Moment, begin: Moment, now: &Now) -> Option<Fact> {
    Some(Fact::Span(end.tick(now)?.since(begin.tick(now)?)))
}

/// A line for the log.
pub fn said(news: &News) -> String {
    match news {
        News::Agent(agent) => {
            let what = match agent.standing {
                _ if agent.gone => " is no longer in the configuration",
                Standing::Online => " is back",
                _ => " has not asked for jobs for 3 minutes: offline",
            };
            ["web agent ", &agent.name, what].concat()
        }
        News::Job(job, _) => {
            let (gap, message) = (if job.why.is_empty() { "" } else { "; " }, clean(&job.message, MAX_JOB));
            let id = job.id.to_string();
            ["job ", &message, " (", &id, ") on ", &job.agent, ": ", job.state.name(), gap, &job.why].concat()
        }
    }
}
