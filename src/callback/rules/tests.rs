use super::*;
use crate::alert::testing::{at, event};
use crate::callback::result::Ending;
use crate::config::plan::{Act, Language, Method, Reported, WebhookPlan};
use crate::event::{Fact, Field, Moment, Severity};
use crate::secret::Secret;

/// A callback on interrupts, silences and their ends.
fn plan(name: &str, change: impl FnOnce(&mut CallbackPlan)) -> Arc<CallbackPlan> {
    let hook = WebhookPlan {
        url: Secret::new("http://h"),
        method: Method::Post,
        headers: Vec::new(),
        body: None,
        answers: String::new(),
        wait: String::new(),
    };
    let mut plan = CallbackPlan {
        name: name.to_owned(),
        on: vec![Kind::Interrupt, Kind::Offline, Kind::Online],
        hosts: Vec::new(),
        min_severity: Severity::Info,
        act: Act::Call { hook, retries: None },
        language: Language::En,
        timeout: None,
        report: Reported::Always,
        cooldown: Duration::ZERO,
        after: None,
        simulate: false,
    };
    change(&mut plan);
    Arc::new(plan)
}

fn rules(plans: &[Arc<CallbackPlan>]) -> Rules {
    let mut rules = Rules::new(Vec::new());
    assert!(rules.apply(plans).is_empty());
    rules
}

fn offline(incident: u64) -> Arc<Event> {
    Arc::new(event(Kind::Offline, incident, "nas"))
}

/// A notice that comes at `ms` with so many seconds left.
fn interrupt(incident: u64, ms: i64, left: i64) -> Arc<Event> {
    let deadline = Moment::at(Tick(ms + left * 1000), &at(ms));
    Arc::new(event(Kind::Interrupt, incident, "spot").with(Field::Deadline, Fact::Time(deadline)))
}

/// Hears and steps; what it says in words, without what is dropped silently.
fn told(rules: &mut Rules, events: &[Arc<Event>], ms: i64) -> Vec<String> {
    let mut said = Vec::new();
    for event in events {
        said.extend(rules.hear(event, &at(ms)).iter().map(words));
    }
    said.extend(rules.step(&at(ms)).iter().map(words));
    said
}

fn words(action: &Action) -> String {
    match action {
        Action::Start(start) => format!("{} {} {:?}", start.plan.name, start.event.incident.0, start.limit),
        Action::Shorten(number, until) => format!("shorten {number} to {}", until.0),
        Action::Refused(job, why) => format!("refused {} {}: {why}", job.callback, job.event.incident.0),
        Action::Dropped(job, why) => format!("dropped {} {}: {why}", job.callback, job.event.incident.0),
    }
}

/// Ends what runs of a callback.
fn end(rules: &mut Rules, callback: &str, ms: i64) {
    let number = rules.jobs().iter().find(|job| job.callback == callback && job.began.is_some()).unwrap().number;
    rules.ended(number, Outcome::of(Ending::Exit(0), None), &at(ms));
}

#[test]
fn an_event_starts_those_whom_it_concerns_once() {
    let mut rules = rules(&[
        plan("a", |_| {}),
        plan("b", |plan| plan.hosts = vec!["web*".into()]),
        plan("c", |plan| plan.on = vec![Kind::Online]),
        plan("d", |plan| plan.min_severity = Severity::Critical),
    ]);
    assert_eq!(told(&mut rules, &[offline(1)], 0), ["a 1 60s", "d 1 60s"]);
    end(&mut rules, "a", 10);
    assert_eq!(told(&mut rules, &[offline(1)], 20), [""; 0], "heard already");
    let known = Rules::new(rules.heard().to_vec());
    let mut next = known;
    next.apply(&[plan("a", |_| {})]);
    assert_eq!(told(&mut next, &[offline(1), offline(2)], 0), ["a 2 60s"], "also by another run of the daemon");
    // A notice whose time changed, or of which people are reminded, is the same one.
    end(&mut next, "a", 10);
    assert_eq!(told(&mut next, &[interrupt(5, 10, 300)], 10), ["a 5 290s"]);
    end(&mut next, "a", 20);
    assert_eq!(told(&mut next, &[interrupt(5, 30, 100)], 30), [""; 0]);
}

#[test]
fn one_at_a_time_and_in_order() {
    let mut rules = rules(&[plan("a", |_| {})]);
    assert_eq!(told(&mut rules, &[offline(1), offline(2), offline(3)], 0), ["a 1 60s"]);
    assert_eq!(rules.standings()[0].waiting, 2);
    assert_eq!(told(&mut rules, &[], 5), [""; 0]);
    end(&mut rules, "a", 10);
    assert_eq!(told(&mut rules, &[], 10), ["a 2 60s"]);
    // The third is back before its turn.
    let back = Arc::new(event(Kind::Online, 3, "nas"));
    assert_eq!(told(&mut rules, &[back], 20), ["dropped a 3: its cause is over"]);
    end(&mut rules, "a", 30);
    assert_eq!(told(&mut rules, &[], 30), ["a 3 60s"], "its end is an event of its own");
}

#[test]
fn a_rest_is_kept_by_all_but_interrupts() {
    let mut rules = rules(&[plan("a", |plan| plan.cooldown = Duration::from_secs(60))]);
    assert_eq!(told(&mut rules, &[offline(1)], 0), ["a 1 60s"]);
    end(&mut rules, "a", 1000);
    assert_eq!(told(&mut rules, &[offline(2)], 2000), [""; 0]);
    assert_eq!(rules.next(&at(2000)), Some(Tick(61_000)));
    assert_eq!(told(&mut rules, &[], 60_999), [""; 0]);
    assert_eq!(told(&mut rules, &[interrupt(7, 60_999, 300)], 60_999), ["a 7 290s"]);
    end(&mut rules, "a", 61_500);
    assert_eq!(told(&mut rules, &[], 61_500), [""; 0], "the rest begins anew");
    assert_eq!(told(&mut rules, &[], 121_500), ["a 2 60s"]);
}

#[test]
fn side_by_side_or_one_after_the_other() {
    let after = |name: &str| {
        let name = name.to_owned();
        move |plan: &mut CallbackPlan| plan.after = Some(name)
    };
    let mut rules = rules(&[plan("c", after("b")), plan("b", after("a")), plan("a", |_| {}), plan("d", |_| {})]);
    assert_eq!(told(&mut rules, &[interrupt(1, 0, 120)], 0), ["a 1 36.666666666s", "d 1 110s"], "three share the time");
    end(&mut rules, "d", 5);
    assert_eq!(told(&mut rules, &[], 5), [""; 0]);
    end(&mut rules, "a", 20_000);
    assert_eq!(told(&mut rules, &[], 20_000), ["b 1 45s"]);
    end(&mut rules, "b", 30_000);
    assert_eq!(told(&mut rules, &[], 30_000), ["c 1 81s"]);
    // Whom it does not concern is not waited for.
    let mut rules = self::rules(&[plan("b", after("a")), plan("a", |plan| plan.on = vec![Kind::Online])]);
    assert_eq!(told(&mut rules, &[offline(1)], 0), ["b 1 60s"]);
}

#[test]
fn an_interrupt_does_not_wait_for_ever() {
    let mut rules = rules(&[plan("a", |plan| plan.timeout = Some(Duration::from_secs(7200)))]);
    assert_eq!(told(&mut rules, &[offline(1), offline(2)], 0), ["a 1 7200s"]);
    assert_eq!(told(&mut rules, &[interrupt(3, 1000, 90)], 1000), ["shorten 1 to 31000"]);
    assert_eq!(told(&mut rules, &[], 2000), [""; 0], "once");
    end(&mut rules, "a", 33_000);
    assert_eq!(told(&mut rules, &[interrupt(4, 33_000, 20)], 33_000), ["a 3 52.2s"], "before those that came first");
    assert_eq!(told(&mut rules, &[], 52_999), [""; 0], "one interrupt is not ended for another");
    assert_eq!(rules.next(&at(52_999)), Some(Tick(53_000)));
    assert_eq!(told(&mut rules, &[], 53_000), [format!("refused a 4: {EXPIRED}")]);
    end(&mut rules, "a", 54_000);
    // One that was late when it came is worth a try.
    assert_eq!(told(&mut rules, &[interrupt(5, 54_000, -10)], 54_000), ["a 5 30s"]);
}

#[test]
fn a_notice_that_comes_nearer_shortens_what_runs_for_it() {
    let mut rules = rules(&[plan("a", |_| {}), plan("b", |plan| plan.after = Some("a".to_owned()))]);
    assert_eq!(told(&mut rules, &[interrupt(1, 0, 300)], 0), ["a 1 145s"]);
    // Another event of the same incident.
    let again = |ms, left| {
        let event = interrupt(1, ms, left);
        Arc::new(Event { id: Id(ms as u64), ..Event::clone(&event) })
    };
    assert_eq!(told(&mut rules, &[again(10_000, 290)], 10_000), [""; 0], "as it was");
    assert_eq!(told(&mut rules, &[again(20_000, 100)], 20_000), ["shorten 1 to 110000"]);
    end(&mut rules, "a", 30_000);
    assert_eq!(told(&mut rules, &[], 30_000), ["b 1 81s"], "and what waits knows of it");
}

#[test]
fn what_waits_is_bounded_and_what_is_refused_is_told_once() {
    let mut rules = rules(&[plan("a", |_| {})]);
    let many: Vec<_> = (1..=30).map(offline).collect();
    let said = told(&mut rules, &many, 0);
    assert_eq!(said.iter().filter(|line| line.starts_with("refused")).count(), 1, "{said:?}");
    assert_eq!(said.iter().filter(|line| line.starts_with("dropped")).count(), 30 - MAX_WAITING[1] - 1);
    assert_eq!(rules.jobs().len(), MAX_WAITING[1]);
    // There is room for an interrupt all the same.
    assert_eq!(told(&mut rules, &[interrupt(99, 0, 100)], 0).len(), 1);
    assert_eq!(rules.jobs().len(), MAX_WAITING[1] + 1);
}

#[test]
fn no_more_than_so_many_at_once_but_for_interrupts() {
    let plans: Vec<_> = (0..20).map(|n| plan(&format!("c{n}"), |_| {})).collect();
    let mut rules = rules(&plans);
    assert_eq!(told(&mut rules, &[offline(1)], 0).len(), MAX_RUNNING[1]);
    let said = told(&mut rules, &[interrupt(2, 0, 300)], 0);
    let starts = said.iter().filter(|line| !line.starts_with("shorten")).count();
    assert_eq!(starts, MAX_RUNNING[0] - MAX_RUNNING[1], "{said:?}");
}

#[test]
fn exercises_and_echoes_start_nobody() {
    let mut rules =
        rules(&[plan("a", |plan| plan.on.push(Kind::CallbackFailed)), plan("b", |plan| plan.simulate = true)]);
    let exercise = Arc::new(Event { test: true, ..event(Kind::Offline, 1, "x") });
    assert_eq!(told(&mut rules, &[exercise], 0), ["dropped a 1: an exercise", "b 1 60s"]);
    let failed = |cause: &str| {
        let mut failed = event(Kind::CallbackFailed, 1, "x").with_text(Field::Cause, cause);
        failed.id = Id::of(&[cause.as_bytes()]);
        Arc::new(failed)
    };
    assert_eq!(told(&mut rules, &[failed("callback.failed x"), failed("offline x")], 0), ["a 1 60s"]);
    assert_eq!(rules.jobs().len(), 2, "of a chain no more than its first link");
}

#[test]
fn a_changed_configuration_keeps_runs_and_rests() {
    let mut rules = rules(&[plan("a", |_| {}), plan("b", |plan| plan.cooldown = Duration::from_secs(9))]);
    assert_eq!(told(&mut rules, &[offline(1), offline(2)], 0).len(), 2);
    end(&mut rules, "b", 0);
    let said: Vec<String> = rules.apply(&[plan("b", |_| {})]).iter().map(words).collect();
    assert_eq!(said, ["dropped a 2: the callback is gone"]);
    assert_eq!(told(&mut rules, &[], 8999), [""; 0]);
    assert_eq!(told(&mut rules, &[], 9000), ["b 2 60s"]);
    end(&mut rules, "a", 9000);
    assert_eq!(rules.jobs().len(), 1);
}

fn running(rules: &Rules) -> Vec<u32> {
    rules.jobs().iter().filter(|job| job.began.is_some()).map(|job| job.number).collect()
}

#[test]
fn a_run_that_does_not_end_is_given_up() {
    let mut rules = rules(&[plan("a", |_| {})]);
    assert_eq!(told(&mut rules, &[offline(1), offline(2)], 0), ["a 1 60s"]);
    assert_eq!(rules.next(&at(0)), Some(Tick(90_000)));
    assert_eq!(told(&mut rules, &[], 89_999), [""; 0]);
    assert_eq!(told(&mut rules, &[], 90_000), [&*format!("refused a 1: {HANGS}"), "a 2 60s"]);
    // Without a thread it waits again, but not for ever.
    let number = rules.jobs()[0].number;
    let mut tries = 1;
    while rules.postpone(number).1 {
        assert_eq!(told(&mut rules, &[], 90_000 + tries * 1000), ["a 2 60s"]);
        tries += 1;
    }
    assert_eq!(tries, 30);
}

/// Lets everything have its turn; how many had it.
fn settle(rules: &mut Rules, ms: &mut i64) -> i64 {
    let mut settled = 0;
    for _ in 0..400 {
        *ms += 100_000;
        let over = |action: &&Action| matches!(action, Action::Refused(..) | Action::Dropped(..));
        settled += rules.step(&at(*ms)).iter().filter(over).count() as i64;
        for number in running(rules) {
            rules.ended(number, Outcome::of(Ending::Exit(0), None), &at(*ms));
            settled += 1;
        }
    }
    settled
}

/// Whatever comes in whatever order: one run at a time, every wish ends in exactly one way, interrupts keep no rest.
#[test]
fn nothing_is_lost_and_nothing_runs_twice() {
    let mut seed = 0x1C_u64;
    let mut below = |n: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % n
    };
    for _ in 0..200 {
        let names = ["a", "b", "c"];
        let mut plans = Vec::new();
        for (n, name) in names.iter().enumerate() {
            plans.push(plan(name, |plan| {
                plan.cooldown = Duration::from_secs(below(3) * 20);
                plan.after = (n > 0 && below(2) == 0).then(|| names[n - 1].to_owned());
            }));
        }
        let mut rules = rules(&plans);
        let (mut ms, mut wished, mut settled) = (0, 0, 0);
        for _ in 0..300 {
            ms += below(9000) as i64;
            let incident = below(40);
            let news = match below(6) {
                0 => interrupt(1000 + incident, ms, below(120) as i64),
                1 | 2 => offline(incident),
                3 => Arc::new(event(Kind::Online, incident, "nas")),
                _ => {
                    let running = running(&rules);
                    if let Some(number) = running.get(below(4) as usize) {
                        rules.ended(*number, Outcome::of(Ending::Exit(0), None), &at(ms));
                        settled += 1;
                    }
                    continue;
                }
            };
            let before = rules.jobs().len() as i64;
            let gone = rules.hear(&news, &at(ms)).len() as i64;
            wished += rules.jobs().len() as i64 - before + gone;
            settled += gone;
            for action in rules.step(&at(ms)) {
                match action {
                    Action::Start(start) => {
                        assert!(start.limit >= Duration::from_secs(1), "{start:?}");
                        let after = start.plan.after.as_ref();
                        let first = rules
                            .jobs()
                            .iter()
                            .find(|job| Some(&job.callback) == after && job.event.id == start.event.id);
                        assert!(first.is_none(), "{start:?} before {first:?}");
                    }
                    Action::Refused(..) | Action::Dropped(..) => settled += 1,
                    Action::Shorten(..) => {}
                }
            }
            for name in names {
                let of = |job: &&Job| job.callback == name;
                assert!(rules.jobs().iter().filter(of).filter(|job| job.began.is_some()).count() <= 1);
                let rests = rules.standings().into_iter().find(|standing| standing.name == name).unwrap();
                let ready = |job: &&Job| job.began.is_none() && job.event.kind == Kind::Interrupt;
                if rests.running.is_none() && plans.iter().any(|plan| plan.name == name && plan.after.is_none()) {
                    assert_eq!(
                        rules.jobs().iter().filter(of).filter(ready).count(),
                        0,
                        "an interrupt waits for a rest"
                    );
                }
            }
        }
        assert_eq!(wished, settled + rules.jobs().len() as i64);
        settled += settle(&mut rules, &mut ms);
        assert_eq!((rules.jobs().len(), wished), (0, settled));
        assert_eq!(rules.next(&at(ms)), None);
    }
}
