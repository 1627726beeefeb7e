//! What requests are answered from.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use crate::alert::Parcel;
use crate::alert::inquiry::Inquiry;
use crate::clock::{self, Tick};
use crate::event::Id;
use crate::http::agents::desk::Desk;
use crate::http::days::Days;
use crate::http::{HttpPlan, Response};
use crate::run::answers::Answers;
use crate::run::threads::lock;

/// How long an answer that costs much is given again.
pub const FRESH: Duration = Duration::from_secs(1);

/// Shared by all connections. It is there before the daemon is: until then nothing is answered but that.
#[derive(Default)]
pub struct Site {
    answers: OnceLock<Answers>,
    plan: Mutex<Option<Arc<HttpPlan>>>,
    /// Who was down when.
    pub days: Arc<Mutex<Days>>,
    /// Answers that cost much, by the numbers of their routes.
    cache: Mutex<Vec<(usize, Tick, Arc<Response>)>>,
    /// Counts the turns of the watchdog.
    turns: OnceLock<Arc<AtomicU32>>,
    /// The last number that was seen there, and since when it is that.
    pulse: Mutex<Option<(u32, Tick)>>,
    agents: OnceLock<Arc<Desk>>,
    question: Mutex<Option<Question>>,
}

/// What the alert desk was asked to see whether it works.
struct Question {
    inquiry: Inquiry,
    /// Its queue took it.
    sent: bool,
    since: Tick,
}

impl Site {
    /// The daemon is up: from here on its state can be asked for.
    pub fn open(&self, answers: Answers) {
        // Called once.
        let _ = self.answers.set(answers);
    }

    /// What can be asked for; `None` while the daemon starts.
    pub fn answers(&self) -> Option<&Answers> {
        self.answers.get()
    }

    /// The configuration in force; `None` if there is no listener.
    pub fn plan(&self) -> Option<Arc<HttpPlan>> {
        lock(&self.plan).clone()
    }

    /// The book of agents; `None` if there never were any.
    pub fn agents(&self) -> Option<&Desk> {
        self.agents.get().map(|desk| &**desk)
    }

    /// There are agents.
    pub fn employ(&self, desk: Arc<Desk>) {
        // Called once.
        let _ = self.agents.set(desk);
    }

    /// Goes on with another configuration.
    pub fn follow(&self, plan: Option<Arc<HttpPlan>>) {
        *lock(&self.plan) = plan;
    }

    /// Has it looked whether the watchdog turns.
    pub fn watch(&self, turns: &Arc<AtomicU32>) {
        // Always the same one.
        let _ = self.turns.set(turns.clone());
    }

    /// How long the watchdog has not turned, as far as those know who asked for this before.
    pub fn stuck(&self, now: Tick) -> Duration {
        let Some(turns) = self.turns.get() else { return Duration::ZERO };
        let turns = turns.load(Ordering::Relaxed);
        let mut pulse = lock(&self.pulse);
        match *pulse {
            Some((seen, since)) if seen == turns => now.since(since),
            _ => {
                *pulse = Some((turns, now));
                Duration::ZERO
            }
        }
    }

    /// How long the alert desk has owed an answer, as far as those know who asked for this before. Waits for nothing.
    pub fn owed(&self, desk: &SyncSender<Parcel>, now: Tick) -> Duration {
        let mut question = lock(&self.question);
        let answered = question.as_ref().is_none_or(|old| old.inquiry.wait(Duration::ZERO).is_some());
        if answered {
            *question = Some(Question { inquiry: Inquiry::new(Id(0)), sent: false, since: now });
        }
        let Some(asked) = question.as_mut() else { return Duration::ZERO };
        asked.sent = asked.sent || desk.try_send(Parcel::Asked(asked.inquiry.clone())).is_ok();
        now.since(asked.since)
    }

    /// The answer of route number `route`, made anew if the last one is older than [`FRESH`]. Who asks meanwhile waits
    /// for the one that is being made. Nothing that an answer is made from may wait for this.
    pub fn cached(&self, route: usize, make: &mut dyn FnMut() -> Response) -> Arc<Response> {
        self.cached_at(route, clock::tick(), make)
    }

    fn cached_at(&self, route: usize, now: Tick, make: &mut dyn FnMut() -> Response) -> Arc<Response> {
        let mut cache = lock(&self.cache);
        if let Some((_, _, answer)) = cache.iter().find(|(of, at, _)| *of == route && now.since(*at) < FRESH) {
            return answer.clone();
        }
        cache.retain(|(of, at, _)| *of != route && now.since(*at) < FRESH);
        let answer = Arc::new(make());
        cache.push((route, now, answer.clone()));
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;
    use crate::alert::inquiry::Account;

    #[test]
    fn a_watchdog_that_does_not_turn_is_seen_by_who_asks_twice() {
        let site = Site::default();
        assert_eq!(site.stuck(Tick(5)), Duration::ZERO, "nobody turns yet");
        let turns = Arc::new(AtomicU32::new(7));
        site.watch(&turns);
        assert_eq!(site.stuck(Tick(1000)), Duration::ZERO);
        assert_eq!(site.stuck(Tick(4000)), Duration::from_secs(3));
        assert_eq!(site.stuck(Tick(16_000)), Duration::from_secs(15), "since it was first seen");
        turns.fetch_add(1, Ordering::Relaxed);
        assert_eq!(site.stuck(Tick(60_000)), Duration::ZERO);
    }

    #[test]
    fn a_desk_that_does_not_answer_is_seen_by_who_asks_twice() {
        let (to_desk, desk) = sync_channel(1);
        let site = Site::default();
        let answer = || match desk.try_recv() {
            Ok(Parcel::Asked(inquiry)) => inquiry.answer(Account::default()),
            _ => panic!("nothing was asked"),
        };
        assert_eq!(site.owed(&to_desk, Tick(1000)), Duration::ZERO);
        assert_eq!(site.owed(&to_desk, Tick(4000)), Duration::from_secs(3));
        answer();
        assert!(desk.try_recv().is_err(), "it is asked once");
        assert_eq!(site.owed(&to_desk, Tick(60_000)), Duration::ZERO);
        answer();
        // Its queue is full, then not.
        to_desk.try_send(Parcel::Asked(Inquiry::new(Id(1)))).unwrap();
        assert_eq!(site.owed(&to_desk, Tick(70_000)), Duration::ZERO);
        assert_eq!(site.owed(&to_desk, Tick(71_000)), Duration::from_secs(1));
        answer();
        assert_eq!(site.owed(&to_desk, Tick(72_000)), Duration::from_secs(2));
        answer();
        assert_eq!(site.owed(&to_desk, Tick(73_000)), Duration::ZERO);
    }

    #[test]
    fn an_answer_is_made_once_for_all_who_ask_at_once() {
        let site = Site::default();
        let mut made = 0;
        let mut ask = |route, now| {
            site.cached_at(route, Tick(now), &mut || {
                made += 1;
                Response::text(200, &made.to_string())
            })
        };
        let (a, b, c, d) = (ask(3, 5), ask(3, 1004), ask(4, 1004), ask(3, 1005));
        assert!(Arc::ptr_eq(&a, &b) && Arc::ptr_eq(&d, &ask(3, 1)), "who waited takes what was made meanwhile");
        assert_eq!([&*a.body, &c.body, &d.body], [b"1", b"2", b"3"]);
        assert_eq!(site.cache.lock().unwrap().len(), 2);
    }
}
