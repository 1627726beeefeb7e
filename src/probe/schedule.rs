//! Which probe is looked at when: pure.
//!
//! At most [`MAX_RUNNING`] looks at a time, and never two at one thing. A look that does not end in its time is *stuck*:
//! it gives up its place to others, though its thread is still there, and its probe waits for it. What is overdue is
//! looked at once, however long it was overdue.

use std::time::Duration;

use crate::clock::Tick;

/// Looks at a time.
pub const MAX_RUNNING: usize = 4;
/// Looks that are stuck beside them, on file systems that do not answer: as many as there are probes. What is more, after
/// reloads, takes the place of others.
pub const MAX_STUCK: usize = 64;
/// From the first look of one to that of the next after the start.
const SPREAD: Duration = Duration::from_millis(250);

/// All probes that are looked at.
#[derive(Default, Debug)]
pub struct Schedule {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    id: u32,
    due: Tick,
    run: Option<Run>,
    /// Nobody wants to know any more, but its thread is still there.
    gone: bool,
}

#[derive(Debug)]
struct Run {
    until: Tick,
    stuck: bool,
}

impl Schedule {
    /// Adds one, which is due soon: the `place`th of those that come together.
    pub fn add(&mut self, id: u32, place: u32, interval: Duration, now: Tick) {
        // No later than its interval, whatever its place.
        let late = (SPREAD * place).as_millis() % interval.as_millis().max(1);
        let due = now + Duration::from_millis(u64::try_from(late).unwrap_or_default());
        self.entries.push(Entry { id, due, run: None, gone: false });
    }

    /// Takes one off.
    pub fn remove(&mut self, id: u32) {
        self.entries.retain_mut(|entry| {
            entry.gone |= entry.id == id;
            !entry.gone || entry.run.is_some()
        });
    }

    /// It is due now, unless it is being looked at.
    pub fn hurry(&mut self, id: u32, now: Tick) {
        if let Some(entry) = self.entry(id) {
            entry.due = entry.due.min(now);
        }
    }

    /// Its next look is due at `due`, unless it is being looked at.
    pub fn put_off(&mut self, id: u32, due: Tick) {
        if let Some(entry) = self.entry(id) {
            entry.due = due;
        }
    }

    /// Whose turn it is, if there is room for one more: the one that is overdue most.
    pub fn next(&self, now: Tick) -> Option<u32> {
        let due = |entry: &&Entry| entry.run.is_none() && entry.due <= now;
        let next = self.entries.iter().filter(due).min_by_key(|entry| entry.due);
        next.filter(|_| self.has_room()).map(|entry| entry.id)
    }

    /// How long it is overdue.
    pub fn late(&self, id: u32, now: Tick) -> Duration {
        self.entries.iter().find(|entry| entry.id == id).map_or(Duration::ZERO, |entry| now.since(entry.due))
    }

    /// A look begins, which should end by `until`.
    pub fn began(&mut self, id: u32, until: Tick) {
        if let Some(entry) = self.entry(id) {
            entry.run = Some(Run { until, stuck: false });
        }
    }

    /// A look that did not end by its time, or one that is stuck still when its next one would be due at `gap` from the
    /// last time that this was said.
    pub fn overdue(&mut self, now: Tick, gap: &dyn Fn(u32) -> Duration) -> Option<u32> {
        for entry in self.entries.iter_mut().filter(|entry| !entry.gone) {
            if let Some(run) = &mut entry.run
                && run.until <= now
            {
                run.stuck = true;
                run.until = now + gap(entry.id);
                return Some(entry.id);
            }
        }
        None
    }

    /// The look has ended, and the next one is due at `due`. `None` if nobody wants to know, else whether it was in time.
    pub fn ended(&mut self, id: u32, due: Tick) -> Option<bool> {
        let at = self.entries.iter().position(|entry| entry.id == id)?;
        let entry = self.entries.get_mut(at)?;
        let run = entry.run.take();
        entry.due = due;
        if entry.gone {
            self.entries.remove(at);
            return None;
        }
        run.map(|run| !run.stuck)
    }

    /// The machine stood still for so long: looks that were under way have more time.
    pub fn postpone(&mut self, by: Duration) {
        for entry in &mut self.entries {
            if let Some(run) = &mut entry.run {
                run.until = run.until + by;
            }
        }
    }

    /// When something is due next.
    pub fn wake(&self) -> Option<Tick> {
        let room = self.has_room();
        let due = |entry: &Entry| match &entry.run {
            Some(run) if !entry.gone => Some(run.until),
            None if room => Some(entry.due),
            _ => None,
        };
        self.entries.iter().filter_map(due).min()
    }

    fn has_room(&self) -> bool {
        let (mut running, mut stuck) = (0, 0_usize);
        for run in self.entries.iter().filter_map(|entry| entry.run.as_ref()) {
            if run.stuck {
                stuck += 1;
            } else {
                running += 1;
            }
        }
        running + stuck.saturating_sub(MAX_STUCK) < MAX_RUNNING
    }

    fn entry(&mut self, id: u32) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(secs: i64) -> Tick {
        Tick(secs * 1000)
    }

    fn started(schedule: &mut Schedule, now: Tick) -> Vec<u32> {
        let mut started = Vec::new();
        while let Some(id) = schedule.next(now) {
            schedule.began(id, now + Duration::from_secs(10));
            started.push(id);
        }
        started
    }

    #[test]
    fn the_start_is_spread() {
        let mut schedule = Schedule::default();
        for id in 0..64 {
            schedule.add(id, id, if id == 9 { Duration::from_secs(1) } else { MINUTE }, at(0));
        }
        let dues: Vec<i64> = schedule.entries.iter().map(|entry| entry.due.0).collect();
        assert_eq!((dues[0], dues[1], dues[63]), (0, 250, 63 * 250));
        assert_eq!(dues[9], 250, "no later than its interval");
        assert_eq!(started(&mut schedule, at(0)), [0]);
    }

    #[test]
    fn four_at_a_time_the_most_overdue_first_and_each_once() {
        let mut schedule = Schedule::default();
        for id in 0..10 {
            schedule.add(id, id, MINUTE, at(0));
        }
        // After an hour of sleep each is due once.
        assert_eq!(started(&mut schedule, at(3600)), [0, 1, 2, 3]);
        assert!(schedule.wake().is_some_and(|wake| wake == at(3610)), "no turning while there is no room");
        assert_eq!(schedule.ended(2, at(3660)), Some(true));
        assert_eq!(started(&mut schedule, at(3600)), [4]);
        for id in [0, 1, 3, 4] {
            assert_eq!(schedule.ended(id, at(3660)), Some(true));
        }
        assert_eq!(started(&mut schedule, at(3601)), [5, 6, 7, 8]);
        schedule.ended(5, at(3661));
        assert_eq!(started(&mut schedule, at(3602)), [9]);
        for id in 6..10 {
            schedule.ended(id, at(3661));
        }
        assert_eq!(started(&mut schedule, at(3659)), [0; 0]);
        assert_eq!(schedule.wake(), Some(at(3660)));
        schedule.hurry(8, at(3659));
        assert_eq!(started(&mut schedule, at(3659)), [8]);
    }

    #[test]
    fn one_that_hangs_delays_only_itself() {
        let mut schedule = Schedule::default();
        for id in 0..100 {
            schedule.add(id, 0, MINUTE, at(0));
        }
        let gap: &dyn Fn(u32) -> Duration = &|_| MINUTE;
        assert_eq!(started(&mut schedule, at(0)), [0, 1, 2, 3]);
        assert_eq!(schedule.overdue(at(9), gap), None);
        for id in 0..4 {
            assert_eq!(schedule.overdue(at(10), gap), Some(id));
        }
        assert_eq!(schedule.overdue(at(10), gap), None, "said once in its interval");
        assert_eq!(started(&mut schedule, at(10)), [4, 5, 6, 7]);
        assert_eq!(schedule.overdue(at(70), gap), Some(0), "still");
        // Those that are stuck beyond the limit take places.
        let (mut secs, mut count) = (70, 8);
        loop {
            while schedule.overdue(at(secs), gap).is_some() {}
            match started(&mut schedule, at(secs)).len() {
                0 => break,
                more => count += more,
            }
            secs += 10;
        }
        assert_eq!(count, MAX_STUCK + MAX_RUNNING, "so many threads hang");
        assert_eq!(schedule.ended(3, at(secs + 1)), Some(false), "too late to count");
        assert_eq!(started(&mut schedule, at(secs)), [68]);
        // What is gone keeps its place until its thread ends.
        schedule.remove(68);
        assert_eq!(started(&mut schedule, at(secs)), [0; 0]);
        assert_eq!(schedule.ended(68, at(secs)), None);
        assert_eq!((schedule.late(69, at(secs)), started(&mut schedule, at(secs))), (at(secs).since(at(0)), vec![69]));
        schedule.remove(99);
        assert_eq!(schedule.entries.iter().filter(|entry| entry.id == 99).count(), 0);
    }

    #[test]
    fn time_that_stood_still_is_no_time() {
        let mut schedule = Schedule::default();
        schedule.add(1, 0, MINUTE, at(0));
        started(&mut schedule, at(0));
        schedule.postpone(Duration::from_secs(3600));
        assert_eq!(schedule.overdue(at(3609), &|_| MINUTE), None);
        assert_eq!(schedule.overdue(at(3610), &|_| MINUTE), Some(1));
    }
}
