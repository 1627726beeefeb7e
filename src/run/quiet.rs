//! The answers to `silence` and `unsilence`.

use std::time::Duration;

use crate::alert::route::glob_matches;
use crate::clock;
use crate::config::problem::quoted;
use crate::control::Answer;
use crate::keepalive::heard::name_is_valid;
use crate::keepalive::silences::{Ends, Lasts};
use crate::order::order;
use crate::run::answers::Answers;
use crate::run::status::until;

/// Hosts that are silenced until they are healthy at a time: each is a change of its own, which waits to be saved.
const MAX_NAMES: usize = 256;

impl Answers {
    /// `SECONDS|open|healthy GLOB`.
    pub fn silence(&mut self, argument: &str) -> Answer {
        let (word, glob) = argument.split_once(' ').unwrap_or((argument, ""));
        let lasts = match (word, word.parse()) {
            (_, Ok(secs)) => Lasts::For(Duration::from_secs(secs)),
            ("open", _) => Lasts::Open,
            ("healthy", _) => Lasts::UntilHealthy,
            _ => return Err([&quoted(word), " is no end of a silence"].concat()),
        };
        if !name_is_valid(glob) {
            return Err([&quoted(glob), " is no name of a host"].concat());
        }
        let (server, mut probes): (bool, Vec<String>) = {
            let parts = self.reloader.parts();
            #[cfg(feature = "probes")]
            let probes = parts.probes().into_iter().map(|probe| probe.name).collect();
            #[cfg(not(feature = "probes"))]
            let probes = Vec::new();
            (parts.server().is_some(), probes)
        };
        if !server && probes.is_empty() {
            return Err("this daemon watches nobody: there is no [keepalive.server]".to_owned());
        }
        let mut known = self.hosts();
        known.retain(|(name, _)| glob_matches(glob, name));
        probes.retain(|name| glob_matches(glob, name));
        let pattern = glob.contains(['*', '?']);
        if lasts != Lasts::UntilHealthy || !pattern {
            let note = match known.len() + probes.len() {
                0 if pattern => "; no host matches now".to_owned(),
                0 => "; it is not on the roster".to_owned(),
                1 if !pattern => String::new(),
                n => ["; matches ", &n.to_string(), " now"].concat(),
            };
            return self.silence_each(&[glob], lasts, &note);
        }
        if known.is_empty() {
            return Err(["no host matches ", &quoted(glob)].concat());
        }
        if known.len() > MAX_NAMES {
            let (count, most) = (known.len().to_string(), MAX_NAMES.to_string());
            let parts = [&quoted(glob), " matches ", &count, " hosts, at most ", &most, " are silenced like this"];
            return Err(parts.concat());
        }
        let mut names: Vec<&str> = Vec::with_capacity(known.len());
        for index in order(known.len(), &|a, b| known[a].0 < known[b].0) {
            names.push(&known[index].0);
        }
        self.silence_each(&names, lasts, "")
    }

    fn silence_each(&self, globs: &[&str], lasts: Lasts, note: &str) -> Answer {
        let now = clock::now();
        let zone = self.reloader.parts().zone.clone();
        let ends = match lasts {
            Lasts::Open => Ends::Never,
            Lasts::For(time) => Ends::At(now.tick + time),
            Lasts::UntilHealthy => Ends::Healthy,
        };
        let (mut text, mut all) = (String::new(), true);
        for glob in globs {
            let silenced = {
                let state = &mut *self.board.lock();
                state.roster.silence(glob, lasts, &now, &mut state.pending)
            };
            let end = if silenced { until(ends, &zone, &now) } else { String::new() };
            let said = if silenced {
                ": silenced "
            } else {
                ": not silenced: too many silences stand, or too many changes wait"
            };
            text.push_str(&[*glob, said, &end, if silenced { note } else { "" }, "\n"].concat());
            all &= silenced;
        }
        self.board.wake();
        Ok((u8::from(!all), text))
    }

    /// `GLOB`.
    pub fn unsilence(&mut self, glob: &str) -> Answer {
        let taken = {
            let state = &mut *self.board.lock();
            state.roster.unsilence(glob, &mut state.pending)
        };
        if !taken {
            return Err(["no silence is called ", &quoted(glob), ", and none is for a host that it matches"].concat());
        }
        self.board.wake();
        Ok((0, [glob, ": no longer silenced\n"].concat()))
    }
}
