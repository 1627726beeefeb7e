//! From what the last run left on disk to the state of this one.

use std::fs::File;
use std::io::Read;
use std::path::Path;
#[cfg(feature = "status")]
use std::sync::Arc;
use std::time::Duration;

use crate::alert::history::{self, History};
use crate::alert::pending::After;
use crate::alert::record::Saved;
use crate::callback::limit::deadline;
use crate::clock::Now;
use crate::config::Plan;
use crate::event::{Event, Field, Id, Kind, Moment};
#[cfg(feature = "status")]
use crate::http::{Site, days::Days};
use crate::json;
use crate::keepalive::host::Shard;
use crate::keepalive::pushed::{self, Pushed};
use crate::keepalive::roster::Roster;
use crate::keepalive::rules::Rules;
use crate::keepalive::silences::{self, Silences};
use crate::keepalive::watchdog::{BEATS_FILE, restore_beats};
use crate::run::board::Board;
use crate::run::load::Loaded;
#[cfg(feature = "status")]
use crate::run::parts::DAYS_STATE;
#[cfg(feature = "probes")]
use crate::run::parts::{PROBES_STATE, RESOURCES_STATE};
#[cfg(feature = "status")]
use crate::run::threads::lock;
use crate::spot;
#[cfg(feature = "status")]
use crate::zone::Zone;

/// How long after an event the start of its callbacks is made up for, if the daemon ended in between.
const FRESH: Duration = Duration::from_secs(300);
/// Bytes of the file of last-beat times: 10,000 lines of some 35.
const MAX_BEATS: u64 = 1024 * 1024;

/// Whether a file is a part of the roster.
pub fn is_shard(bytes: &[u8]) -> bool {
    Shard::parse(bytes).is_ok()
}

/// The roster as it was, and the number of the last change that it knows of.
pub fn roster(loaded: &Loaded, rules: Rules, state: &Path, runtime: &Path, now: &Now) -> (Roster, u64) {
    let mut roster = Roster::new(rules);
    let mut last = loaded.last_seq;
    for (_, bytes) in &loaded.hosts {
        let Ok(shard) = Shard::parse(bytes) else { continue };
        for (name, host) in shard.restore(now) {
            last = last.max(host.seq);
            roster.restore(name, host, now);
        }
    }
    // What was told before the roster was saved, in the order in which it happened.
    for record in &loaded.outbox.records {
        match &record.after {
            After::Host { name, record: Some(saved) } => {
                roster.restore(name.as_str().into(), (**saved).clone().restore(now), now);
            }
            After::Host { name, record: None } => roster.restore_left(name, record.seq),
            After::Nothing | After::Small { .. } => {}
        }
    }
    for (folder, coarse) in [(state, true), (runtime, false)] {
        if let Some(bytes) = read(&folder.join(BEATS_FILE))
            && !restore_beats(&mut roster, &bytes, coarse, now)
        {
            log::warn!("{}: damaged, last beats may be off", folder.join(BEATS_FILE).display());
        }
    }
    roster.started(now);
    if let Some(silences) = loaded.small(silences::STATE_NAME) {
        match json::read(silences.json.as_bytes()).and_then(|value| Silences::read(&value, now)) {
            Some(silences) => roster.restore_silences(silences),
            None => log::warn!("silences.json: damaged, nobody is silenced"),
        }
    }
    if let Some(pushed) = loaded.small(pushed::STATE_NAME) {
        match Pushed::read(&pushed.json) {
            Some(pushed) => roster.restore_pushed(pushed),
            None => log::warn!("pushed.json: damaged, a reclaim may be told twice"),
        }
    }
    (roster, last)
}

/// What was told at most so long ago, or whose deadline is still to come, and may have been written before a callback
/// could start: callbacks know what they have heard.
pub fn fresh(loaded: &Loaded, now: &Now) -> Vec<(u64, Event)> {
    let mut fresh = Vec::new();
    for Saved { seq, event, .. } in &loaded.outbox.records {
        let lately = event.at.tick(now).is_some_and(|at| now.tick.since(at) < FRESH);
        if lately || deadline(event, now).is_some_and(|deadline| deadline > now.tick) {
            fresh.push((*seq, event.clone()));
        }
    }
    fresh
}

/// The state of the notices; and which of those that stand, of the probes that are down and of this machine's resources
/// that are high were taken by a channel.
pub fn spot(loaded: &Loaded, now: &Now) -> (Option<String>, Vec<Id>) {
    let saved = |name| loaded.small(name).map(|small| small.json.clone());
    let notices = saved(spot::STATE_NAME);
    let mut delivered = notices.as_deref().map(spot::tracker::standing).unwrap_or_default();
    #[cfg(not(feature = "probes"))]
    let _ = now;
    #[cfg(feature = "probes")]
    {
        delivered.extend(loaded.json(PROBES_STATE).iter().flat_map(crate::probe::book::ids));
        let resources = saved(RESOURCES_STATE);
        delivered.extend(resources.iter().flat_map(|saved| crate::resource::book::begun(saved, now)));
    }
    delivered.retain(|id| {
        let waits = loaded.outbox.records.iter().any(|record| record.event.id == *id);
        !waits && loaded.outbox.finished.contains(*id)
    });
    (notices, delivered)
}

/// The last incidents.
pub fn history(loaded: &Loaded) -> History {
    let Some(small) = loaded.small(history::STATE_NAME) else { return History::default() };
    History::read(small).unwrap_or_else(|| {
        log::warn!("history.json: damaged, the history begins anew");
        History::default()
    })
}

/// What HTTP requests are answered from, with who was down when.
#[cfg(feature = "status")]
pub fn site(loaded: &Loaded, zone: &Zone) -> Arc<Site> {
    let site = Site::default();
    let days = loaded.small(DAYS_STATE).map(|small| Days::read(small, zone));
    if let Some(None) = days {
        log::warn!("days.json: damaged, the days begin anew");
    }
    *lock(&site.days) = days.flatten().unwrap_or_else(|| Days::new(zone));
    Arc::new(site)
}

/// Tells which files were damaged, if any were.
pub fn tell_damage(board: &Board, loaded: &Loaded, plan: &Plan, me: &str, now: &Now) {
    if loaded.damaged.is_empty() {
        return;
    }
    let files = loaded.damaged.join(", ");
    log::warn!("{}: damaged and set aside: {files}", plan.state_dir.display());
    let incident = Id::of(&[b"damaged", me.as_bytes(), &now.boot.0.to_be_bytes(), &now.tick.0.to_be_bytes()]);
    let event = Event::new(Kind::StateDamaged, incident, me, Moment::at(now.tick, now))
        .with_text(Field::Path, format!("{}: {files}", plan.state_dir.display()));
    if !board.post(Some(event), After::Nothing) {
        log::error!("no room to tell of damaged files");
    }
}

fn read(path: &Path) -> Option<Vec<u8>> {
    // Looked at before it is opened: opening a pipe would wait for its other end.
    std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MAX_BEATS).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
