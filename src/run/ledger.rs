//! The answer to `history`.

use std::time::Duration;

use crate::alert::history::Incident;
use crate::alert::message::span;
use crate::clock::{self, Now, millis};
use crate::config::plan::Language;
use crate::config::problem::quoted;
use crate::control::Answer;
use crate::event::{Moment, Phase};
use crate::json::Writer;
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
        let (incidents, now) = (all.of(glob), clock::now());
        let zone = self.reloader.parts().zone.clone();
        let text = match (form, &incidents[..]) {
            ("json", _) => json(&incidents, &zone, &now),
            (_, []) if glob.is_empty() => "no incidents yet\n".to_owned(),
            (_, []) => ["no incidents of ", &quoted(glob), "\n"].concat(),
            _ => table(&incidents, &zone, &now),
        };
        Ok((0, text))
    }
}

fn table(incidents: &[&Incident], zone: &Zone, now: &Now) -> String {
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
fn json(incidents: &[&Incident], zone: &Zone, now: &Now) -> String {
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
