//! When a silence that was found is told: at once, with others, or after the server has doubted itself.

use std::time::Duration;

use crate::clock::Tick;
use crate::event::Id;
use crate::keepalive::host::Host;

/// How long a silence waits for others that are about to be found.
pub const GATHER: Duration = Duration::from_secs(5);
/// So many hosts must be late for the server to suspect itself.
pub const MANY: u32 = 3;

/// What is to be done with the silences that were found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// They are told now.
    Tell,
    /// Others are late: wait for them, at the latest until then.
    Wait(Tick),
    /// Too many at once: wait until then, this server may be the one that hears nothing.
    Hold(Tick),
}

/// The hosts as a scan finds them. Whoever is silenced, flaps, or goes as announced is in none of these.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Census {
    /// Those that were up: all that beat, and those whose silence was found and is not told.
    pub up: u32,
    /// Late ones whose silence is not found yet.
    pub awaited: u32,
    /// Those whose silence was found and is not told.
    pub silent: u32,
    /// Somebody who said goodbye is overdue within [`GATHER`].
    pub overdue_soon: bool,
    /// The first silence that was found and is not told, for whatever cause: when, and the patience for that host.
    pub first: Option<(Tick, Duration)>,
}

impl Census {
    /// Takes a silence into the count that was found and is not told. `was_up`: the host was up before.
    pub fn found(&mut self, at: Tick, patience: Duration, was_up: bool) {
        self.up += u32::from(was_up);
        self.silent += u32::from(was_up);
        if self.first.is_none_or(|(first, _)| at < first) {
            self.first = Some((at, patience));
        }
    }
}

/// The server's doubt of itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Suspicion {
    /// All of its own channels but `log` fail.
    pub channels_fail: bool,
    /// Until when silences are held back.
    hold: Option<Tick>,
    /// They were held back, and somebody is late ever since: there is no second hold.
    spent: bool,
    /// Hosts that were held back and came back.
    pub back: u32,
    /// What is being told after a hold; set until all of it is told.
    pub after_hold: Option<AfterHold>,
}

/// What is said of silences that were held back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AfterHold {
    /// Of all of them.
    pub group: Id,
    /// Silent at its end.
    pub silent: u32,
    /// Came back before it.
    pub back: u32,
}

impl Suspicion {
    /// Whether silences are held back now.
    pub fn holds(&self) -> bool {
        self.hold.is_some()
    }

    /// Until when silences are held back.
    pub fn until(&self) -> Option<Tick> {
        self.hold
    }

    /// Until when a hold goes on that is not over yet: nobody needs to count until then.
    pub fn held(&self, now: Tick) -> Option<Tick> {
        self.hold.filter(|until| now < *until)
    }

    /// Whether the next scan must count, even if nothing is due.
    pub fn is_alert(&self) -> bool {
        self.spent || self.hold.is_some()
    }

    /// Judges what was found. A hold takes at most `hold`, and no longer than the first host's own patience; `group`
    /// is for what is told at its end.
    pub fn judge(&mut self, census: &Census, hold: Duration, group: Id, now: Tick) -> Verdict {
        let late = census.awaited + census.silent;
        let Some((first, patience)) = census.first else {
            let spent = self.spent && late > 0;
            *self = Suspicion { channels_fail: self.channels_fail, spent, ..Suspicion::default() };
            return Verdict::Tell;
        };
        if self.hold.is_some_and(|until| now >= until) {
            self.hold = None;
            self.after_hold = Some(AfterHold { group, silent: census.silent, back: self.back });
        }
        if let Some(until) = self.hold {
            return Verdict::Hold(until);
        }
        if self.after_hold.is_some() {
            return Verdict::Tell;
        }
        let enough = if self.channels_fail { 1 } else { MANY };
        let until = first + hold.min(patience);
        if late >= enough && late > census.up / 2 && !self.spent && now < until {
            self.spent = true;
            self.hold = Some(until);
            return Verdict::Hold(until);
        }
        let gathered = first + GATHER;
        if (census.awaited > 0 || census.overdue_soon) && now < gathered {
            Verdict::Wait(gathered)
        } else {
            Verdict::Tell
        }
    }
}

/// From when on a host is late that has not beaten for 1.2 periods and half of the grace, or for half of the grace less
/// than its patience if that is sooner: measured back from its deadline, so that what moved the one has moved the other.
pub fn late_at(host: &Host, patience: Duration, grace: Duration) -> Tick {
    let late = (host.period().saturating_mul(6) / 5 + grace / 2).min(patience.saturating_sub(grace / 2));
    host.deadline - patience.saturating_sub(late)
}

#[cfg(test)]
mod tests {
    use super::*;

    const D: Duration = Duration::from_secs(125);
    const HELD: Verdict = Verdict::Hold(Tick(120_000));
    const HOLD: Duration = Duration::from_secs(120);

    fn census(up: u32, awaited: u32, silent: u32, first: i64) -> Census {
        Census { up, awaited, silent, overdue_soon: false, first: (silent > 0).then_some((Tick(first), D)) }
    }

    fn judge(suspicion: &mut Suspicion, census: Census, now: i64) -> Verdict {
        suspicion.judge(&census, HOLD, Id(1), Tick(now))
    }

    #[test]
    fn one_at_once_some_after_five_seconds_many_after_a_hold() {
        use Verdict::Tell;
        let (wait, hold) = (Verdict::Wait(Tick(5000)), Verdict::Hold(Tick(120_000)));
        for (fail, up, awaited, silent, now, verdict) in [
            (false, 10, 0, 1, 0, Tell),
            (false, 10, 1, 1, 4999, wait),
            (false, 10, 1, 1, 5000, Tell),
            (false, 10, 0, 2, 100, Tell),
            (false, 2, 0, 2, 0, Tell),
            (false, 3, 2, 1, 0, hold),
            (false, 4, 1, 2, 0, hold),
            (false, 6, 2, 1, 0, wait),
            (false, 7, 3, 1, 0, hold),
            (false, 8, 3, 1, 0, wait),
            (true, 1, 0, 1, 0, hold),
            (true, 2, 0, 1, 0, Tell),
            (true, 3, 1, 1, 0, hold),
            (false, 9, 8, 1, 120_000, Tell),
        ] {
            let mut suspicion = Suspicion { channels_fail: fail, ..Suspicion::default() };
            assert_eq!(judge(&mut suspicion, census(up, awaited, silent, 0), now), verdict, "{up} {awaited} {silent}");
        }
    }

    #[test]
    fn a_hold_is_not_extended_and_comes_once_until_nobody_is_late() {
        let mut suspicion = Suspicion::default();
        assert_eq!(judge(&mut suspicion, census(4, 3, 1, 0), 0), HELD);
        suspicion.back = 1;
        assert_eq!(judge(&mut suspicion, census(4, 0, 3, 0), 119_999), HELD);
        assert_eq!(judge(&mut suspicion, census(4, 0, 3, 0), 120_000), Verdict::Tell);
        assert_eq!(suspicion.after_hold, Some(AfterHold { group: Id(1), silent: 3, back: 1 }));
        assert_eq!(judge(&mut suspicion, census(4, 1, 0, 0), 120_050), Verdict::Tell);
        assert!(suspicion.is_alert() && suspicion.after_hold.is_none());
        assert_eq!(
            judge(&mut suspicion, census(4, 2, 1, 121_000), 121_000),
            Verdict::Wait(Tick(126_000)),
            "no second hold"
        );
        assert_eq!(judge(&mut suspicion, census(4, 2, 1, 121_000), 126_000), Verdict::Tell);
        judge(&mut suspicion, census(4, 0, 0, 0), 127_000);
        assert!(!suspicion.is_alert());
        assert_eq!(judge(&mut suspicion, census(4, 3, 1, 128_000), 128_000), Verdict::Hold(Tick(248_000)));
    }

    #[test]
    fn everybody_back_ends_a_hold_without_a_word() {
        let mut suspicion = Suspicion::default();
        assert_eq!(judge(&mut suspicion, census(4, 3, 1, 0), 0), HELD);
        judge(&mut suspicion, census(4, 0, 0, 0), 1000);
        assert_eq!(suspicion, Suspicion::default());
    }

    #[test]
    fn a_hold_of_zero_is_none() {
        let mut suspicion = Suspicion::default();
        let verdict = suspicion.judge(&census(4, 3, 1, 0), Duration::ZERO, Id(1), Tick(0));
        assert_eq!(verdict, Verdict::Wait(Tick(5000)));
    }
}
