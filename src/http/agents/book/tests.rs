use super::*;
use crate::clock::Boot;
use crate::http::agents::refusal::UNDER_WAY;
use crate::http::agents::told;
use crate::json;
use crate::secret::Secret;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// So many milliseconds after the start.
fn at(ms: i64) -> Now {
    Now { tick: Tick(1_000_000 + ms), wall: Wall(1_800_000_000_000 + ms), boot: Boot(7) }
}

fn plans(names: &[&str]) -> Vec<WebAgent> {
    let plan = |name: &&str| WebAgent {
        name: (*name).to_owned(),
        alias: [name, "-alias"].concat(),
        token: Secret::new(*name),
        notify: Reported::Always,
    };
    names.iter().map(plan).collect()
}

/// A book that is looked at as its thread does, and what it told.
struct World {
    book: Book,
    said: Vec<String>,
    count: u64,
}

impl World {
    fn new(names: &[&str]) -> World {
        let mut book = Book::restore(&json::read(b"{}").unwrap(), &at(0));
        book.define(&plans(names), &at(0));
        World { book, said: Vec::new(), count: 0 }
    }

    fn look(&mut self, now: &Now) {
        assert!(self.book.step(now) > now.tick);
        for news in self.book.news(99) {
            if let Some(event) = told::event(&news, now) {
                let job = event.fact(crate::event::Field::Job).map(|job| format!(" {job:?}")).unwrap_or_default();
                self.said.push(
                    format!("{} {}{job}", event.kind.name(), event.subject).replace("Text(\"", "").replace("\")", ""),
                );
            }
            self.book.told(&news);
        }
    }

    /// Looks every ten seconds, while `busy` agents ask as often.
    fn run(&mut self, from: i64, to: i64, busy: &[&str]) -> Vec<String> {
        for ms in (from..=to).step_by(10_000) {
            for name in busy {
                self.book.hear(name, &at(ms));
            }
            self.look(&at(ms));
        }
        std::mem::take(&mut self.said)
    }

    fn add(&mut self, name: &str, message: &str, ms: i64) -> Result<String, Refusal> {
        self.count += 1;
        self.book.add(name, message, Id(self.count), &at(ms))?;
        Ok(Id(self.count).to_string())
    }

    fn state(&self, id: &str) -> State {
        self.book.jobs.iter().find(|job| job.id.to_string() == id).unwrap().state
    }

    /// As after a restart.
    fn restart(&mut self, names: &[&str], now: &Now) {
        let saved = self.book.write();
        self.book = Book::restore(&json::read(saved.as_bytes()).unwrap(), now);
        self.book.define(&plans(names), now);
    }
}

#[test]
fn jobs_go_to_their_agent_in_order_and_once() {
    let mut world = World::new(&["a", "b"]);
    assert_eq!(world.add("a", "early", 0), Err(OFFLINE), "it never asked");
    assert_eq!(world.add("c", "x", 0), Err(NO_AGENT));
    assert_eq!(world.book.pop("a", &at(0)), None);
    world.book.hear("a", &at(0));
    world.book.hear("b", &at(0));
    let ids: Vec<String> = ["one", "two", "three"].iter().map(|text| world.add("a-alias", text, 1).unwrap()).collect();
    assert_eq!(world.book.pop("b", &at(2)), None, "it belongs to another");
    for (text, id) in ["one", "two"].iter().zip(&ids) {
        let (popped, message) = world.book.pop("a", &at(3)).unwrap();
        assert_eq!((popped.to_string(), &*message), (id.clone(), *text));
    }
    // The answer could not be given: it comes again, in its place.
    world.book.put_back(Id::parse(&ids[1]).unwrap());
    assert_eq!(world.book.pop("a", &at(4)).unwrap().1, "two");
    assert_eq!(world.book.pop("a", &at(4)).unwrap().1, "three");
    assert_eq!(world.book.pop("a", &at(4)), None);
}

#[test]
fn only_its_agent_can_report_a_job_and_only_once() {
    use State::{Failed, Running, Succeeded};
    let mut world = World::new(&["a", "b"]);
    for name in ["a", "b"] {
        world.book.hear(name, &at(0));
    }
    let id = world.add("a", "job", 0).unwrap();
    for (name, id, state, refusal) in [
        ("a", &*id, Running, NOT_RUNNING),
        ("a", &id, Succeeded, NOT_RUNNING),
        ("b", &id, Succeeded, NO_JOB),
        ("b", &id, Running, NO_JOB),
        ("a", "nonsense", Succeeded, NO_JOB),
        ("a", "00000000000000ff", Failed, NO_JOB),
        ("a", "", Failed, NO_JOB),
    ] {
        assert_eq!(world.book.report(name, id, state, "", &at(1)), Err(refusal), "{name} {id} {state:?}");
    }
    world.book.pop("a", &at(1)).unwrap();
    assert_eq!(world.book.report("b", &id, Succeeded, "", &at(2)), Err(NO_JOB));
    assert_eq!(world.book.report("a", &id, Running, "x", &at(2)), Ok(()));
    assert_eq!(world.book.report("a", &id, Succeeded, "done", &at(3)), Ok(()));
    for state in [Succeeded, Failed] {
        assert_eq!(world.book.report("a", &id, state, "", &at(4)), Err(FINISHED));
    }
    assert_eq!(world.book.report("a", &id, Running, "", &at(4)), Err(FINISHED));
    world.look(&at(5));
    assert_eq!(world.said, ["job.done a job"]);
    world.look(&at(6));
    assert_eq!(world.said.len(), 1);
}

#[test]
fn what_was_handed_out_and_never_reported_is_told_as_lost_and_a_late_report_counts() {
    let mut world = World::new(&["a"]);
    world.book.hear("a", &at(0));
    let id = world.add("a", "job", 0).unwrap();
    world.book.pop("a", &at(0)).unwrap();
    assert_eq!(world.run(0, 600 * SECOND - 1, &["a"]), Vec::<String>::new());
    world.book.report("a", &id, State::Running, "", &at(599 * SECOND)).unwrap();
    assert_eq!(world.run(600 * SECOND, 1190 * SECOND, &["a"]), Vec::<String>::new(), "the clock began anew");
    assert_eq!(world.run(1200 * SECOND, 1210 * SECOND, &["a"]), ["job.lost a job"]);
    assert_eq!(world.state(&id), State::Expired);
    assert_eq!(world.book.report("a", &id, State::Running, "", &at(1211 * SECOND)), Err(NOT_RUNNING));
    world.book.report("a", &id, State::Failed, "late", &at(1212 * SECOND)).unwrap();
    assert_eq!(world.run(1220 * SECOND, 1230 * SECOND, &["a"]), ["job.failed a job"]);
}

#[test]
fn a_silent_agent_is_offline_and_its_queue_empty() {
    let mut world = World::new(&["a", "b"]);
    assert_eq!(world.run(0, HOUR, &[]), Vec::<String>::new(), "nobody misses who was never there");
    world.book.hear("a", &at(HOUR));
    let waiting = world.add("a", "x", HOUR).unwrap();
    assert_eq!(world.run(HOUR, HOUR + 170 * SECOND, &[]), Vec::<String>::new());
    assert_eq!(world.run(HOUR + 180 * SECOND, 2 * HOUR, &[]), ["offline a", "job.expired a x"]);
    assert_eq!(world.state(&waiting), State::Expired);
    assert_eq!(
        world.book.report("a", &waiting, State::Succeeded, "", &at(2 * HOUR)),
        Err(NOT_RUNNING),
        "it never had it"
    );
    assert_eq!(world.add("a", "y", 2 * HOUR), Err(OFFLINE));
    world.book.hear("a", &at(2 * HOUR));
    world.look(&at(2 * HOUR));
    assert_eq!(world.said, ["online a"]);
    assert!(world.book.pop("a", &at(2 * HOUR)).is_none(), "what is stale is not run");
}

#[test]
fn one_that_works_need_not_ask() {
    let mut world = World::new(&["a"]);
    world.book.hear("a", &at(0));
    let first = world.add("a", "long", 0).unwrap();
    let second = world.add("a", "next", 0).unwrap();
    world.book.pop("a", &at(0)).unwrap();
    assert_eq!(world.run(0, 9 * MINUTE, &[]), Vec::<String>::new());
    // A report is a sign of life, too.
    world.book.hear("a", &at(9 * MINUTE));
    world.book.report("a", &first, State::Succeeded, "", &at(9 * MINUTE)).unwrap();
    assert_eq!(world.run(9 * MINUTE, 11 * MINUTE, &[]), ["job.done a long"]);
    assert_eq!(world.state(&second), State::Queuing);
    // But one that died with a job is missed once that has expired.
    world.book.hear("a", &at(11 * MINUTE));
    world.book.pop("a", &at(11 * MINUTE)).unwrap();
    assert_eq!(world.run(11 * MINUTE, 30 * MINUTE, &[]), ["offline a", "job.lost a next"]);
}

#[test]
fn delayed_jobs_fire_in_their_order_and_wait_for_their_agent() {
    let mut world = World::new(&["a"]);
    let delay = |world: &mut World, text: &str, ms: i64, now: i64| {
        world.count += 1;
        world.book.delay("a", text, ms, false, Id(world.count), &at(now))
    };
    for (text, ms, result) in [
        ("late", HOUR, Ok(())),
        ("soon", MINUTE, Ok(())),
        ("past", -5, Ok(())),
        (" ", 0, Err(EMPTY)),
        ("never", MAX_DELAY + 1, Err(DURATION)),
    ] {
        assert_eq!(delay(&mut world, text, ms, 0), result, "{text}");
    }
    assert_eq!(world.book.delay("a", "x", 0, false, Id(9), &Now { wall: Wall(5), ..at(0) }), Err(NO_CLOCK));
    world.run(0, 2 * HOUR, &[]);
    // After a restart in another boot, the agent asks: all that is due comes, the earliest first.
    let later = |ms| Now { tick: Tick(ms), boot: Boot(8), ..at(2 * HOUR + ms) };
    world.restart(&["a"], &later(0));
    world.book.hear("a", &later(1));
    let popped: Vec<String> = std::iter::from_fn(|| world.book.pop("a", &later(2))).map(|(_, text)| text).collect();
    assert_eq!(popped, ["past", "soon", "late"]);

    // One whose agent goes between due and asked waits on; thirty days later it is given up.
    let mut world = World::new(&["a"]);
    world.book.hear("a", &at(0));
    delay(&mut world, "x", MINUTE, 0).unwrap();
    assert_eq!(world.run(0, 10 * MINUTE, &[]), ["offline a"]);
    assert_eq!(world.state(&Id(world.count).to_string()), State::Waiting);
    world.look(&at(MINUTE + GIVE_UP - HOUR));
    assert_eq!(world.said, Vec::<String>::new());
    world.look(&at(MINUTE + GIVE_UP + HOUR));
    assert_eq!(world.said, ["job.expired a x"]);
}

#[test]
fn a_restart_loses_nothing_and_gives_everybody_time() {
    let mut world = World::new(&["a", "b", "c"]);
    for name in ["a", "b", "c"] {
        world.book.hear(name, &at(0));
    }
    let (sent, queued) = (world.add("a", "sent \"x\"\n\u{1}失", 0).unwrap(), world.add("b", "queued", 0).unwrap());
    world.book.pop("a", &at(0)).unwrap();
    let key = Id(77);
    assert_eq!(world.book.is_repeated(key, &at(0)), Ok(false));
    world.book.ended(key, true, &at(0));
    world.restart(&["a", "b"], &at(HOUR));
    world.look(&at(HOUR));
    assert_eq!(world.said, Vec::<String>::new());
    assert_eq!(world.book.is_repeated(key, &at(HOUR)), Ok(true));
    assert_eq!(world.book.is_repeated(key, &at(DAY + HOUR)), Ok(false));
    assert_eq!((world.state(&sent), world.state(&queued)), (State::Sent, State::Queuing));
    assert!(world.book.find("c").is_none());
    world.book.report("a", &sent, State::Succeeded, "ok", &at(HOUR + 1)).unwrap();
    assert_eq!(world.run(HOUR, HOUR + 170 * SECOND, &[]), ["job.done a sent \\\"x\\\" \u{FFFD}失"]);
    assert_eq!(
        world.run(HOUR + 180 * SECOND, HOUR + 200 * SECOND, &[]),
        ["offline a", "offline b", "job.expired b queued"]
    );
    // Told once, and its end has the whole duration.
    world.restart(&["a", "b"], &at(2 * HOUR));
    assert_eq!(world.run(2 * HOUR, 3 * HOUR, &[]), Vec::<String>::new());
    world.book.hear("a", &at(3 * HOUR));
    let news = world.book.news(9);
    let event = told::event(&news[0], &at(3 * HOUR)).unwrap();
    let lasted = event.fact(crate::event::Field::Duration).cloned();
    assert_eq!(lasted, Some(crate::event::Fact::Span(Duration::from_millis(3 * HOUR as u64))), "{event:?}");
    // One that leaves the configuration while people wait for it is no longer watched.
    world.book.define(&plans(&["a"]), &at(3 * HOUR));
    world.look(&at(3 * HOUR));
    assert_eq!(world.said, ["online a", "forgotten b"]);
    assert_eq!(world.book.agents().count(), 1);
}

#[test]
fn a_freeze_is_nobodys_silence() {
    let mut world = World::new(&["a"]);
    world.book.hear("a", &at(0));
    world.run(0, MINUTE, &["a"]);
    world.look(&at(HOUR));
    assert_eq!(world.said, Vec::<String>::new());
    assert_eq!(world.run(HOUR, HOUR + 3 * MINUTE, &[]), ["offline a"]);
}

#[test]
fn everything_is_bounded() {
    let names = ["a", "b", "c", "d", "e"];
    let mut world = World::new(&names);
    names.iter().for_each(|name| world.book.hear(name, &at(0)));
    for (text, result) in [(String::new(), Err(EMPTY)), ("失".repeat(255), Ok(())), ("x".repeat(256), Err(TOO_LONG))] {
        assert_eq!(world.add("a", &text, 0).map(drop), result, "{text}");
    }
    for name in &names[..4] {
        while world.add(name, "x", 0).is_ok() {}
        assert_eq!(world.book.count(name, State::Queuing), MAX_OWN, "one does not take what belongs to all");
    }
    assert_eq!(world.book.jobs.len(), MAX_OPEN);
    assert_eq!(world.add("e", "x", 0), Err(FULL));
    for name in names {
        while let Some((id, _)) = world.book.pop(name, &at(1)) {
            world.book.report(name, &id.to_string(), State::Failed, &"\"\u{1}".repeat(1100), &at(1)).unwrap();
        }
    }
    assert_eq!(world.add("a", "x", 1), Err(FULL), "their ends are still to be told");
    let worst = crate::run::load::Small { seq: 0, json: world.book.write() }.to_json();
    println!("{} bytes with all results", worst.len());
    assert!(worst.len() < 8 * 1024 * 1024);
    for _ in 0..99 {
        world.look(&at(2));
    }
    assert_eq!((world.said.len(), world.book.jobs.len()), (MAX_OPEN, MAX_ENDED));
    world.add("a", "x", 3).unwrap();
    for key in 0..1000 {
        world.book.done(Some(Id(key)), &at(key as i64));
    }
    assert_eq!(world.book.seen.len(), MAX_SEEN);
}

#[test]
fn results_are_cut_between_characters() {
    assert_eq!(shorten("a\nb\t\u{1}"), "a\nb\t\u{FFFD}");
    let long = shorten(&["first", &"失".repeat(5000), "last"].concat());
    assert_eq!(long.chars().count(), MAX_RESULT);
    assert!(long.starts_with("first") && long.ends_with("last") && long.contains('…'));
    assert_eq!(shorten(&"x".repeat(MAX_RESULT)).len(), MAX_RESULT);
}

#[test]
fn notify_says_which_ends_are_told() {
    for (notify, quiet, want) in [
        (Reported::Always, false, vec!["job.done a x", "job.failed a x"]),
        (Reported::Failure, false, vec!["job.failed a x"]),
        (Reported::Never, false, vec![]),
        (Reported::Always, true, vec![]),
    ] {
        let mut world = World::new(&["a"]);
        let mut plan = plans(&["a"]);
        plan[0].notify = notify;
        world.book.define(&plan, &at(0));
        world.book.hear("a", &at(0));
        for (n, state) in [State::Succeeded, State::Failed].into_iter().enumerate() {
            world.book.delay("a", "x", 0, quiet, Id(n as u64), &at(0)).unwrap();
            let (id, _) = world.book.pop("a", &at(0)).unwrap();
            world.book.report("a", &id.to_string(), state, "", &at(0)).unwrap();
        }
        world.look(&at(1));
        assert_eq!(world.said, want);
        assert!(world.book.news(9).is_empty());
    }
}

/// Whatever a disk makes of the state, and whatever agents and time do: nothing is told twice, and nothing is stuck.
#[test]
fn damage_and_disorder() {
    let mut world = World::new(&["a", "b"]);
    let mut seed = 7_u64;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let mut ms = 0;
    let mut told: Vec<Id> = Vec::new();
    let mut added = 0;
    for _ in 0..20_000 {
        ms += random(20_000) as i64;
        let (now, name) = (at(ms), ["a", "b"][random(2) as usize]);
        match random(8) {
            0 | 1 => {
                world.book.hear(name, &now);
                world.book.pop(name, &now);
            }
            2 => added += u64::from(world.add(name, "x", ms).is_ok()),
            3 => {
                world.count += 1;
                let (delay, id) = (random(3_600_000) as i64, Id(world.count));
                added += u64::from(world.book.delay(name, "y", delay, false, id, &now).is_ok());
            }
            4 | 5 => {
                let id = Id(random(world.count + 1)).to_string();
                let state = [State::Succeeded, State::Failed, State::Running][random(3) as usize];
                let _ = world.book.report(name, &id, state, "r", &now);
            }
            6 if random(10) == 0 => world.restart(&["a", "b"], &now),
            _ => {
                world.book.step(&now);
                for news in world.book.news(9) {
                    let event = told::event(&news, &now).unwrap();
                    assert!(!told.contains(&event.id), "{event:?}");
                    told.push(event.id);
                    world.book.told(&news);
                }
            }
        }
    }
    // Both fall silent: everything ends.
    world.run(ms, ms + 3 * HOUR, &[]);
    world.run(ms + GIVE_UP + 3 * HOUR, ms + GIVE_UP + 5 * HOUR, &[]);
    assert!(world.book.jobs.iter().all(|job| job.state.is_final() && job.told), "{:?}", world.book.jobs);
    println!("{added} jobs, {} events", told.len());
    assert!(added > 500 && told.len() > 300);

    let saved = world.book.write();
    for _ in 0..2000 {
        let mut bytes = saved.clone().into_bytes();
        for _ in 0..3 {
            let place = random(bytes.len() as u64) as usize;
            bytes[place] = b"0\"[]{},:x"[random(9) as usize];
        }
        if let Some(value) = json::read(&bytes) {
            let mut book = Book::restore(&value, &at(ms));
            book.define(&plans(&["a", "b"]), &at(ms));
            book.step(&at(ms));
            assert!(book.agents.len() <= 4 && book.jobs.len() <= MAX_OPEN + MAX_ENDED);
        }
    }
}

/// What is written while a request is being done does not say that it was: it would not be done again after a crash.
#[test]
fn a_key_counts_once_its_request_is_done() {
    let mut world = World::new(&["a"]);
    let key = Id(77);
    assert_eq!(world.book.is_repeated(key, &at(0)), Ok(false));
    assert_eq!(world.book.is_repeated(key, &at(0)), Err(UNDER_WAY), "twice at once");
    world.restart(&["a"], &at(1));
    assert_eq!(world.book.is_repeated(key, &at(1)), Ok(false), "it was never done");
    world.book.ended(key, false, &at(1));
    assert_eq!(world.book.is_repeated(key, &at(1)), Ok(false), "nor now");
    world.book.done(Some(key), &at(1));
    assert_eq!(world.book.is_repeated(key, &at(1)), Err(UNDER_WAY), "its answer is not known yet");
    world.book.ended(key, true, &at(1));
    world.restart(&["a"], &at(2));
    assert_eq!(world.book.is_repeated(key, &at(2)), Ok(true));
    assert_eq!(world.book.seen.len(), 1);
}
