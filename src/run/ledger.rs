//! The answer to `history`.

use std::time::Duration;

use crate::alert::history::Incident;
use crate::alert::message::span;
#[cfg(feature = "jobs")]
use crate::alert::route::glob_matches;
use crate::clock::{self, Now, millis};
use crate::config::plan::Language;
use crate::config::problem::quoted;
use crate::control::Answer;
use crate::event::{Moment, Phase};
#[cfg(feature = "jobs")]
use crate::jobs::desk::{kind, name_of, short, subject};
use crate::json::Writer;
#[cfg(feature = "jobs")]
use crate::order::order;
use crate::run::answers::Answers;
use crate::run::status::seconds;
use crate::run::table::Rows;
use crate::run::threads::lock;
use crate::zone::Zone;

impl Answers {
    /// `table|json [GLOB]`.
    pub fn history(&mut self, argument: &str) -> Answer {
        let (form, glob) = argument.split_once(' ').unwrap_or((argument, ""));
        // Copied, so that the desk never waits for the wording.
        let all = lock(&self.history).clone();
        let (mut incidents, now) = (Vec::new(), clock::now());
        for incident in all.of(glob) {
            incidents.push(incident.clone());
        }
        #[cfg(feature = "jobs")]
        self.add_runs(glob, &mut incidents, &now);
        let zone = self.reloader.parts().zone.clone();
        let text = match (form, &incidents[..]) {
            ("json", _) => json(&incidents, &zone, &now),
            (_, []) if glob.is_empty() => "no incidents yet\n".to_owned(),
            (_, []) => ["no incidents of ", &quoted(glob), "\n"].concat(),
            _ => table(&incidents, &zone, &now),
        };
        Ok((0, text))
    }

    /// Adds the runs that have ended and of which nobody was told, where they belong by their time.
    #[cfg(feature = "jobs")]
    fn add_runs(&self, glob: &str, incidents: &mut Vec<Incident>, now: &Now) {
        let (desk, me) = {
            let parts = self.reloader.parts();
            (parts.jobs(), parts.me.clone())
        };
        let Some(desk) = desk else { return };
        let told = incidents.len();
        for run in desk.copies(&|run| glob.is_empty() || glob_matches(glob, subject(run, &me))) {
            let Some(kind) = kind(run.state) else { continue };
            let id = run.key.id;
            if incidents.len() < told + MAX_RUNS && incidents.iter().all(|known| known.id != id) {
                let (subject, part) = (subject(&run, &me).to_owned(), short(name_of(&run)));
                incidents.push(Incident { id, kind, subject, part, began: run.since, ended: None });
            }
        }
        let began = |at: usize| incidents[at].began.wall(now);
        let order = order(incidents.len(), &|a, b| began(a) < began(b));
        *incidents = order.into_iter().map(|at| incidents[at].clone()).collect();
    }
}

/// Runs that are added: as many as the book keeps.
#[cfg(feature = "jobs")]
const MAX_RUNS: usize = 1000;

fn table(incidents: &[Incident], zone: &Zone, now: &Now) -> String {
    let time = |moment: &Moment| {
        let about = if moment.about { "about " } else { "" };
        moment.wall(now).map_or_else(|| "unknown time".to_owned(), |wall| [about, &zone.human(wall)].concat())
    };
    let mut rows = Rows::new(&["KIND", "SUBJECT", "BEGAN", "ENDED", "LASTED", "INCIDENT"]);
    for incident in incidents {
        let ended = match &incident.ended {
            Some(ended) => time(ended),
            None if incident.kind.phase() == Phase::Begin => "lasts".to_owned(),
            None => "-".to_owned(),
        };
        let so_far = || Some(millis(now.tick.since(incident.began.tick(now).filter(|_| incident.lasts())?)));
        let lasted = match incident.duration(now).or_else(so_far) {
            None => "-".to_owned(),
            Some(ms) if ms < 1000 => "under 1 s".to_owned(),
            Some(ms) => span(Language::En, Duration::from_millis(ms.unsigned_abs())),
        };
        let id = incident.id.to_string();
        let colon = if incident.part.is_empty() { "" } else { ": " };
        let who = [&*incident.subject, colon, &incident.part].concat();
        rows.row(&[incident.kind.name(), &who, &time(&incident.began), &ended, &lasted, &id]);
    }
    let mut text = String::new();
    rows.columns(&mut text);
    text
}

/// One array in one line. Times are RFC 3339, durations are seconds; what is not known is left out.
fn json(incidents: &[Incident], zone: &Zone, now: &Now) -> String {
    let mut out = Writer::default();
    out.open('[');
    for incident in incidents {
        out.open('{').key("incident").text(&incident.id.to_string()).key("kind").text(incident.kind.name());
        out.key("subject").text(&incident.subject);
        if !incident.part.is_empty() {
            out.key("part").text(&incident.part);
        }
        for (key, moment) in [("began", Some(incident.began)), ("ended", incident.ended)] {
            if let Some(wall) = moment.and_then(|moment| moment.wall(now)) {
                out.key(key).text(&zone.rfc3339(wall));
            }
        }
        if let Some(ms) = incident.duration(now) {
            seconds(&mut out, "duration", ms);
        }
        out.key("lasts").flag(incident.lasts()).close('}');
    }
    out.close(']');
    let mut text = out.into_string();
    text.push('\n');
    text
}
