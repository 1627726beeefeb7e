//! When a silence is not told: silences by command, and the windows of the configuration.

use std::time::Duration;

use serde_json::Value;

use crate::alert::route::glob_matches;
use crate::clock::{Now, Tick};
use crate::config::plan::Window;
use crate::json::{self, Writer};
use crate::keepalive::host::Frame;
use crate::zone::Zone;

/// Name of the small state that holds the silences.
pub const STATE_NAME: &str = "silences";
/// Silences that can stand at a time.
const MAX_SILENCES: usize = 1000;
/// How many of them may be globs: each is held against each of ten thousand hosts while the roster is locked.
const MAX_GLOBS: usize = 100;

/// How long a silence lasts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lasts {
    /// Until it is taken back.
    Open,
    /// For so long.
    For(Duration),
    /// Until the host is heard again after it was not. Only for a name, not for a glob.
    UntilHealthy,
}

/// When a silence ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ends {
    /// When it is taken back.
    Never,
    /// At this time of the present boot.
    At(Tick),
    /// When the host is heard again after it was not.
    Healthy,
}

/// One silence by command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Silence {
    /// Whom it covers; a plain name if it ends with the host's health.
    pub glob: Box<str>,
    /// Its end.
    pub ends: Ends,
    /// It names more than one host.
    is_glob: bool,
}

impl Silence {
    /// Whether it covers `name` now.
    pub fn covers(&self, name: &str, now: &Now) -> bool {
        match self.ends {
            Ends::Never | Ends::At(_) if self.is_glob => !self.is_over(now) && glob_matches(&self.glob, name),
            // A plain name: there may be a thousand, and many hosts may be due at once.
            _ => *self.glob == *name && !self.is_over(now),
        }
    }

    fn is_over(&self, now: &Now) -> bool {
        matches!(self.ends, Ends::At(until) if until <= now.tick)
    }
}

/// The silences by command.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Silences {
    list: Vec<Silence>,
    /// The clocks when an end was last worked out: what is needed to read the ends in another boot.
    frame: Option<Frame>,
}

impl Silences {
    /// Adds a silence, or replaces the one of that glob; `false` if there are too many.
    pub fn add(&mut self, glob: &str, lasts: Lasts, now: &Now) -> bool {
        self.list.retain(|silence| !silence.is_over(now));
        let ends = match lasts {
            Lasts::Open => Ends::Never,
            Lasts::For(time) => Ends::At(now.tick + time),
            Lasts::UntilHealthy => Ends::Healthy,
        };
        let mut globs = 0;
        self.list.iter().for_each(|silence| globs += usize::from(silence.is_glob));
        let full = self.list.len() >= MAX_SILENCES || (is_glob(glob) && globs >= MAX_GLOBS);
        match self.list.iter_mut().find(|silence| *silence.glob == *glob) {
            Some(silence) => silence.ends = ends,
            None if full => return false,
            None => self.list.push(Silence { glob: glob.into(), ends, is_glob: is_glob(glob) }),
        }
        self.frame = Some(Frame::of(now));
        true
    }

    /// Takes back the silences of that glob, and those for names that it matches; `false` if there is none.
    pub fn remove(&mut self, glob: &str) -> bool {
        let before = self.list.len();
        self.list.retain(|silence| *silence.glob != *glob && !glob_matches(glob, &silence.glob));
        self.list.len() < before
    }

    /// Whether one covers `name` now.
    pub fn covers(&self, name: &str, now: &Now) -> bool {
        self.list.iter().any(|silence| silence.covers(name, now))
    }

    /// The host `name` is heard again after it was not: true if that ended a silence.
    pub fn healthy(&mut self, name: &str) -> bool {
        let before = self.list.len();
        self.list.retain(|silence| silence.ends != Ends::Healthy || *silence.glob != *name);
        self.list.len() < before
    }

    /// Those that stand now, the oldest first.
    pub fn standing(&self, now: &Now) -> Vec<Silence> {
        let mut standing = self.list.clone();
        standing.retain(|silence| !silence.is_over(now));
        standing
    }

    /// As state.
    pub fn write(&self, out: &mut Writer) {
        out.open('{');
        if let Some(frame) = self.frame {
            frame.write(out.key("clocks"));
        }
        out.key("silences").open('[');
        for silence in &self.list {
            out.open('{').key("glob").text(&silence.glob);
            match silence.ends {
                Ends::Never => {}
                Ends::At(until) => {
                    out.key("until").int(until.0);
                }
                Ends::Healthy => {
                    out.key("healthy").flag(true);
                }
            }
            out.close('}');
        }
        out.close(']').close('}');
    }

    /// Reads what [`Silences::write`] wrote.
    pub fn read(value: &Value, now: &Now) -> Option<Silences> {
        let mut silences = Silences { list: Vec::new(), frame: Some(Frame::of(now)) };
        let shift = match value.get("clocks") {
            Some(clocks) => Frame::read(clocks)?.shift(now).0,
            None => 0,
        };
        for silence in value.get("silences")?.as_array()?.iter().take(MAX_SILENCES) {
            let ends = match json::int(silence, "until") {
                Some(until) => Ends::At(Tick(until.saturating_add(shift))),
                None if json::flag(silence, "healthy") => Ends::Healthy,
                None => Ends::Never,
            };
            let glob = json::text(silence, "glob")?;
            silences.list.push(Silence { glob: glob.into(), ends, is_glob: is_glob(glob) });
        }
        silences.list.retain(|silence| !silence.is_over(now));
        Some(silences)
    }
}

fn is_glob(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Whether a span of the day, in minutes, that begins on `days` covers the local day and minute.
pub fn is_open((from, to): (u16, u16), days: u8, (day, minute): (i64, u16)) -> bool {
    // 1970-01-01 was a Thursday; bit 0 is Monday.
    let on = |day: i64| days >> (day + 3).rem_euclid(7) & 1 == 1;
    if from < to {
        (from..to).contains(&minute) && on(day)
    } else {
        // What began yesterday lasts until `to` today.
        minute >= from && on(day) || minute < to && on(day - 1)
    }
}

/// Whether one of `windows` covers `name` now. None does while the clock was never set.
pub fn in_window(windows: &[Window], name: &str, zone: &Zone, now: &Now) -> bool {
    if windows.is_empty() || !now.wall.is_set() {
        return false;
    }
    let local = zone.local(now.wall);
    windows.iter().any(|window| {
        is_open((window.from, window.to), window.days, local)
            && (window.hosts.is_empty() || window.hosts.iter().any(|glob| glob_matches(glob, name)))
    })
}

#[cfg(test)]
mod tests;
