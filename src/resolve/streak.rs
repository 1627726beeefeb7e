//! Whether one thing is up, judged by how it went when it was used: pure. A proxy for web servers had this rule first
//! (`max_fails`, `fail_timeout`, `min_rises`); here it has no gaps.
//!
//! *Up*: F failures that end within the window W make it *down* for a pause P. Then it is on *trial*: one caller at a
//! time tries it. A failure makes it down again with P doubled, R successes in a row make it up. What was never heard
//! of is up. Outcomes of attempts that began before the last of these changes say nothing and are ignored.

use std::time::Duration;

use crate::clock::Tick;

/// The numbers of the rule. Every attempt takes less time than `window`.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// W: failures count together if they end within this time.
    pub window: Duration,
    /// F: so many failures make it down; at least 1.
    pub max_fails: usize,
    /// P: the first pause.
    pub pause: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// R: so many successes in a row make it up again; at least 1.
    pub min_rises: u32,
}

/// For what is used anyway: addresses of servers and of channels.
pub const PASSIVE: Rule = Rule {
    window: Duration::from_secs(60),
    max_fails: 3,
    pause: Duration::from_secs(60),
    longest: Duration::from_secs(15 * 60),
    min_rises: 2,
};

/// Where something stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// It may be used.
    Up,
    /// It is left alone until then.
    Down(Tick),
    /// One caller at a time may try it.
    Trial,
}

/// What is known of one thing.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Streak {
    /// When the failures within the window ended; fewer than `max_fails`.
    fails: Vec<Tick>,
    down: Option<Down>,
    /// When it came up or went down last.
    changed: Option<Tick>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Down {
    until: Tick,
    /// How long it is down this time.
    pause: Duration,
    rises: u32,
    /// When the attempt began that is the trial.
    trial: Option<Tick>,
}

impl Streak {
    /// Where it stands.
    pub fn state(&self, now: Tick) -> State {
        match &self.down {
            None => State::Up,
            Some(down) if now < down.until => State::Down(down.until),
            Some(_) => State::Trial,
        }
    }

    /// Whether a caller may use it who has another choice. On trial that caller has the trial from now on; its attempt
    /// begins `now`. A trial whose outcome is never told is over after the window.
    pub fn may_try(&mut self, rule: &Rule, now: Tick) -> bool {
        match &mut self.down {
            None => true,
            Some(down) if now < down.until => false,
            Some(Down { trial: Some(begun), .. }) if now.since(*begun) < rule.window => false,
            Some(down) => {
                down.trial = Some(now);
                true
            }
        }
    }

    /// An attempt that began at `begun` has ended. It may be one that nobody allowed: there was no other choice.
    pub fn outcome(&mut self, rule: &Rule, begun: Tick, ended: Tick, good: bool) {
        let changed = match &self.down {
            Some(down) if ended >= down.until => Some(down.until),
            _ => self.changed,
        };
        if changed.is_some_and(|changed| begun < changed) {
            return;
        }
        match &mut self.down {
            None if good => {}
            None => {
                self.fails.retain(|fail| ended.since(*fail) <= rule.window);
                self.fails.push(ended);
                if self.fails.len() >= rule.max_fails {
                    self.fall(ended, rule.pause);
                }
            }
            Some(down) => {
                if down.trial == Some(begun) {
                    down.trial = None;
                }
                down.rises = if good { down.rises + 1 } else { 0 };
                if down.rises >= rule.min_rises {
                    *self = Streak { changed: Some(ended), ..Streak::default() };
                } else if !good && ended >= down.until {
                    let pause = (down.pause * 2).min(rule.longest);
                    self.fall(ended, pause);
                }
            }
        }
    }

    fn fall(&mut self, now: Tick, pause: Duration) {
        let down = Down { until: now + pause, pause, rises: 0, trial: None };
        *self = Streak { fails: Vec::new(), down: Some(down), changed: Some(now) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Tick {
        Tick(secs * 1000)
    }

    /// Plays outcomes (begun, ended, good) in seconds.
    fn after(rule: &Rule, outcomes: &[(i64, i64, bool)]) -> Streak {
        let mut streak = Streak::default();
        for (begun, ended, good) in outcomes {
            streak.outcome(rule, at(*begun), at(*ended), *good);
        }
        streak
    }

    const DOWN: [(i64, i64, bool); 3] = [(0, 0, false), (1, 1, false), (2, 2, false)];

    /// Every known defect of the rule this one comes from, turned round.
    #[test]
    fn no_gap_is_left() {
        let one = Rule { max_fails: 1, min_rises: 1, ..PASSIVE };
        type Case<'a> = (&'a str, Rule, &'a [(i64, i64, bool)], i64, State);
        let table: &[Case<'_>] = &[
            ("never heard of", PASSIVE, &[], 0, State::Up),
            ("one failure is enough if that is the number", one, &[(0, 5, false)], 5, State::Down(at(65))),
            ("and one success", one, &[(0, 0, false), (60, 60, true)], 60, State::Up),
            ("fewer are not", PASSIVE, &DOWN[..2], 3, State::Up),
            ("slow ones", PASSIVE, &[(0, 15, false), (16, 31, false), (33, 48, false)], 48, State::Down(at(108))),
            ("just within", PASSIVE, &[(0, 0, false), (30, 30, false), (60, 60, false)], 60, State::Down(at(120))),
            ("a real window", PASSIVE, &[(0, 0, false), (59, 59, false), (118, 118, false)], 118, State::Up),
            (
                "successes in between hide nothing",
                PASSIVE,
                &[(0, 0, false), (1, 1, false), (2, 2, true), (3, 3, false)],
                3,
                State::Down(at(63)),
            ),
            ("the pause ends in a trial", PASSIVE, &DOWN, 62, State::Trial),
        ];
        for (what, rule, outcomes, now, state) in table {
            assert_eq!(after(rule, outcomes).state(at(*now)), *state, "{what}");
        }
    }

    #[test]
    fn it_rises_only_after_two_in_a_row_and_falls_at_once() {
        let mut streak = after(&PASSIVE, &DOWN);
        streak.outcome(&PASSIVE, at(62), at(63), true);
        assert_eq!(streak.state(at(63)), State::Trial, "one success is not enough");
        streak.outcome(&PASSIVE, at(64), at(65), false);
        assert_eq!(streak.state(at(65)), State::Down(at(185)), "one failure is, and the pause doubles");
        streak.outcome(&PASSIVE, at(185), at(186), true);
        streak.outcome(&PASSIVE, at(187), at(188), true);
        assert_eq!(streak.state(at(188)), State::Up);
        let again = [(190, 190, false), (191, 191, false)];
        for (begun, ended, good) in again {
            streak.outcome(&PASSIVE, at(begun), at(ended), good);
        }
        assert_eq!(streak.state(at(191)), State::Up, "the old failures are forgotten");
        streak.outcome(&PASSIVE, at(192), at(192), false);
        assert_eq!(streak.state(at(192)), State::Down(at(252)), "and the pause is the first again");
    }

    #[test]
    fn the_pause_has_an_end() {
        let mut streak = after(&PASSIVE, &DOWN);
        for pause in [120, 240, 480, 900, 900] {
            let State::Down(until) = streak.state(at(0)) else { panic!("{streak:?}") };
            streak.outcome(&PASSIVE, until, until, false);
            assert_eq!(streak.state(until), State::Down(until + Duration::from_secs(pause)));
        }
    }

    #[test]
    fn what_began_before_a_change_says_nothing() {
        let mut streak = after(&PASSIVE, &DOWN);
        let before = streak.clone();
        streak.outcome(&PASSIVE, at(1), at(3), true);
        streak.outcome(&PASSIVE, at(1), at(70), false);
        streak.outcome(&PASSIVE, at(50), at(70), false);
        assert_eq!(streak, before);
    }

    #[test]
    fn what_had_to_be_tried_while_it_is_down_counts_but_costs_nothing() {
        let mut streak = after(&PASSIVE, &DOWN);
        streak.outcome(&PASSIVE, at(10), at(11), false);
        assert_eq!(streak.state(at(11)), State::Down(at(62)), "no longer pause for it");
        streak.outcome(&PASSIVE, at(12), at(13), true);
        streak.outcome(&PASSIVE, at(14), at(15), true);
        assert_eq!(streak.state(at(15)), State::Up);
    }

    #[test]
    fn one_caller_has_the_trial() {
        let mut streak = after(&PASSIVE, &DOWN);
        assert!(!streak.may_try(&PASSIVE, at(61)));
        assert!(streak.may_try(&PASSIVE, at(62)) && !streak.may_try(&PASSIVE, at(63)));
        assert!(streak.may_try(&PASSIVE, at(122)), "a trial that nobody ended is over after the window");
        streak.outcome(&PASSIVE, at(122), at(123), true);
        assert!(streak.may_try(&PASSIVE, at(124)) && !streak.may_try(&PASSIVE, at(124)));
    }

    /// Whatever happens: no two trials at once, and asking changes nothing but who has the trial.
    #[test]
    fn trials_never_overlap_and_only_outcomes_count() {
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut below = |n: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % n
        };
        for round in 0..300 {
            let rule = Rule { max_fails: 1 + below(4) as usize, min_rises: 1 + below(3) as u32, ..PASSIVE };
            let (mut streak, mut silent) = (Streak::default(), Streak::default());
            let mut running: Vec<(Tick, bool)> = Vec::new();
            let mut now = Tick(0);
            for _ in 0..400 {
                now = now + Duration::from_millis(1 + below(20_000));
                // Each attempt ends well within the window.
                let late = running.iter().position(|(begun, _)| now.since(*begun) > Duration::from_secs(30));
                if let Some(done) = late.or_else(|| (below(3) == 0 && !running.is_empty()).then_some(0)) {
                    let (begun, _) = running.swap_remove(done);
                    let (good, ended) = (below(2) == 0, now.min(begun + Duration::from_secs(30)));
                    streak.outcome(&rule, begun, ended, good);
                    silent.outcome(&rule, begun, ended, good);
                }
                let state = streak.state(now);
                let may = streak.may_try(&rule, now);
                assert_eq!(may, may && !matches!(state, State::Down(_)), "round {round}");
                let trial = state == State::Trial && may;
                // A trial that is under way although the thing has changed since is none any more.
                let since = streak.changed;
                let other = running
                    .iter()
                    .any(|(begun, trial)| *trial && Some(*begun) >= since && now.since(*begun) < rule.window);
                assert!(!(trial && other), "round {round}: two trials at {now:?}");
                if may {
                    running.push((now, trial));
                }
                let state = |streak: &Streak| (streak.state(now), streak.fails.clone(), streak.changed);
                assert_eq!(state(&streak), state(&silent), "round {round}");
            }
        }
    }
}
