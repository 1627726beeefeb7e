//! Who has shown a secret lately, and who only guesses. Pure.

use std::time::Duration;

use crate::clock::Tick;
use crate::http::door::KNOWN_FOR;
use crate::keepalive::admission::Source;

/// Wrong secrets that a source may show …
pub const MAX_WRONG: u32 = 10;
/// … within this time; and no more than [`MAX_WRONG_ALL`] come from all that are not known together.
pub const WINDOW: Duration = Duration::from_secs(60);
/// See [`WINDOW`].
pub const MAX_WRONG_ALL: u32 = 300;
/// Sources that are remembered.
const MAX_SOURCES: usize = 1024;

/// How many in which minute.
#[derive(Clone, Copy, Default)]
struct Count {
    begun: Tick,
    wrong: u32,
}

impl Count {
    fn of(self, now: Tick) -> u32 {
        if now.since(self.begun) < WINDOW { self.wrong } else { 0 }
    }

    fn add(&mut self, now: Tick) {
        if self.of(now) == 0 {
            *self = Count { begun: now, wrong: 0 };
        }
        self.wrong = self.wrong.saturating_add(1);
    }
}

struct Seen {
    source: Source,
    proved: Option<Tick>,
    count: Count,
    last: Tick,
}

/// All sources of interest.
#[derive(Default)]
pub struct Guard {
    /// At most [`MAX_SOURCES`].
    sources: Vec<Seen>,
    all: Count,
    /// When the last line was logged, and how many more were wrong since.
    line: Option<Tick>,
    more: u32,
}

impl Guard {
    /// Whether `source` has shown a right secret within a day.
    pub fn is_known(&self, source: Source, now: Tick) -> bool {
        let seen = self.sources.iter().find(|seen| seen.source == source);
        seen.and_then(|seen| seen.proved).is_some_and(|at| now.since(at) < KNOWN_FOR)
    }

    /// How long `source` may show no further secret, right or wrong; `None` if it may. `machine`: where programs show theirs,
    /// only the guesses of `source` itself count. Their secrets cannot be guessed, and a few strangers with many addresses
    /// must not keep their heartbeats out.
    pub fn blocked(&self, source: Source, machine: bool, now: Tick) -> Option<Duration> {
        let seen = self.sources.iter().find(|seen| seen.source == source);
        let own = seen.map(|seen| seen.count).filter(|count| count.of(now) >= MAX_WRONG);
        let all = !machine && self.all.of(now) >= MAX_WRONG_ALL && !self.is_known(source, now);
        let all = all.then_some(self.all);
        own.or(all).map(|count| (count.begun + WINDOW).since(now))
    }

    /// A right secret came from there.
    pub fn proved(&mut self, source: Source, now: Tick) {
        self.seen(source, now).proved = Some(now);
    }

    /// A wrong secret came from there. Gives a line for the log, at most one in [`WINDOW`].
    pub fn wrong(&mut self, source: Source, now: Tick) -> Option<String> {
        self.seen(source, now).count.add(now);
        if !self.is_known(source, now) {
            self.all.add(now);
        }
        if self.line.is_some_and(|at| now.since(at) < WINDOW) {
            self.more = self.more.saturating_add(1);
            return None;
        }
        self.line = Some(now);
        let more = std::mem::take(&mut self.more);
        let before = if more == 0 { String::new() } else { [", after ", &more.to_string(), " more"].concat() };
        Some(["HTTP: a wrong token or password from ", &source.to_string(), &before].concat())
    }

    fn seen(&mut self, source: Source, now: Tick) -> &mut Seen {
        let at = match self.sources.iter().position(|seen| seen.source == source) {
            Some(at) => at,
            None => {
                if self.sources.len() >= MAX_SOURCES
                    && let Some((oldest, _)) =
                        self.sources.iter().enumerate().min_by_key(|(_, seen)| (seen.proved, seen.last))
                {
                    self.sources.swap_remove(oldest);
                }
                self.sources.push(Seen { source, proved: None, count: Count::default(), last: now });
                self.sources.len() - 1
            }
        };
        let seen = &mut self.sources[at];
        seen.last = now;
        seen
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn v4(n: u32) -> Source {
        Source::of(IpAddr::from(n.to_be_bytes()))
    }

    #[test]
    fn a_source_has_its_number_of_guesses_a_minute() {
        let mut guard = Guard::default();
        for n in 0..MAX_WRONG {
            assert_eq!(guard.blocked(v4(1), false, Tick(i64::from(n))), None);
            guard.wrong(v4(1), Tick(i64::from(n)));
        }
        for machine in [false, true] {
            assert_eq!(guard.blocked(v4(1), machine, Tick(1000)), Some(Duration::from_secs(59)));
        }
        assert_eq!(guard.blocked(v4(2), false, Tick(1000)), None);
        assert_eq!(guard.blocked(v4(1), false, Tick(59_999)), Some(Duration::from_millis(1)));
        assert_eq!(guard.blocked(v4(1), false, Tick(60_000)), None);
        guard.wrong(v4(1), Tick(60_000));
        assert_eq!(guard.blocked(v4(1), false, Tick(60_001)), None, "a new minute");
        // A right secret ends no block, or one that is known would give guesses away.
        for _ in 0..MAX_WRONG {
            guard.wrong(v4(1), Tick(60_001));
        }
        guard.proved(v4(1), Tick(60_002));
        assert!(guard.blocked(v4(1), false, Tick(60_003)).is_some());
    }

    #[test]
    fn all_strangers_together_have_theirs_and_the_known_are_no_strangers() {
        let mut guard = Guard::default();
        guard.proved(v4(7), Tick(0));
        for n in 0..MAX_WRONG_ALL {
            assert_eq!(guard.blocked(v4(9), false, Tick(0)), None);
            guard.wrong(v4(100 + n / 5), Tick(0));
        }
        assert!(guard.blocked(v4(9), false, Tick(0)).is_some());
        assert_eq!(guard.blocked(v4(9), true, Tick(0)), None);
        assert_eq!(guard.blocked(v4(7), false, Tick(0)), None);
        assert!(guard.is_known(v4(7), Tick(0) + KNOWN_FOR - Duration::from_secs(1)));
        assert!(!guard.is_known(v4(7), Tick(0) + KNOWN_FOR));
        assert_eq!(guard.blocked(v4(9), false, Tick(60_000)), None);
    }

    #[test]
    fn one_line_a_minute_and_a_bounded_table() {
        let mut guard = Guard::default();
        guard.proved(v4(1), Tick(0));
        let lines = (0..5000).filter_map(|n| guard.wrong(v4(10 + n), Tick(n.into()))).collect::<Vec<_>>();
        assert_eq!(lines, ["HTTP: a wrong token or password from 0.0.0.10"]);
        assert_eq!(guard.sources.len(), MAX_SOURCES);
        assert!(guard.is_known(v4(1), Tick(5000)), "those who guess push out no other");
        let next = guard.wrong(v4(5), Tick(60_000)).unwrap();
        assert_eq!(next, "HTTP: a wrong token or password from 0.0.0.5, after 4999 more");
    }
}
