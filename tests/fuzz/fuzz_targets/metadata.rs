//! Answers of metadata services: classified, and followed over several polls.

#![no_main]

#[path = "../../classify/oracle.rs"]
mod oracle;

use std::time::Duration;

use interrupt_callback::alert::channel::http;
use interrupt_callback::clock::{Boot, Now, Tick, Wall};
use interrupt_callback::config::plan::Cloud;
use interrupt_callback::fetch::Answer;
use interrupt_callback::spot::identity::Learner;
use interrupt_callback::spot::pause::Pause;
use interrupt_callback::spot::service::{Service, answers, excerpt, text_of};
use interrupt_callback::spot::timestamp;
use interrupt_callback::spot::token::Token;
use interrupt_callback::spot::tracker::Tracker;
use libfuzzer_sys::fuzz_target;

const STATUSES: [u16; 8] = [200, 200, 200, 404, 403, 503, 301, 0];
/// Frames of real answers, filled in with the input.
const FRAMES: [(&str, &str); 8] = [
    ("", ""),
    ("2026-11-21T", "Z"),
    ("{\"instance-id\":\"", "\"}"),
    ("2026-11-", " 10:00:00"),
    ("{\"action\":\"terminate\",\"time\":\"", "\"}"),
    ("[{\"State\":\"active\",\"EventId\":\"", "\"}]"),
    ("{\"Events\":[{\"Resources\":[\"myvmss_3\"],\"EventId\":\"a\",\"EventType\":\"", "\"}]}"),
    ("{\"action\":\"terminate\",\"timestamp\":\"", "\"}"),
];

fuzz_target!(|bytes: &[u8]| {
    let [which, rest @ ..] = bytes else { return };
    let cloud = Cloud::ALL[usize::from(*which) % Cloud::ALL.len()];
    let service = Service::of(cloud);
    let mut now = Now { tick: Tick(1_000_000), wall: Wall(1_800_000_000_000), boot: Boot(7) };
    let mut tracker = Tracker::restore(cloud, "nas", None, &now);
    let mut learner = Learner::new(service);
    let (mut token, mut pause) = (Token::default(), Pause::default());
    for (turn, part) in rest.split(|byte| *byte == 0xff).enumerate() {
        let Some((head, body)) = part.split_first() else { continue };
        let (before, after) = FRAMES[usize::from(head >> 3) % FRAMES.len()];
        let date = ("date".to_owned(), "Sat, 21 Nov 2026 10:00:00 GMT".to_owned());
        let flavor = ("metadata-flavor".to_owned(), "Google".to_owned());
        let wish = ("retry-after".to_owned(), String::from_utf8_lossy(body).into_owned());
        let answer = Answer {
            status: STATUSES[usize::from(head & 7)],
            headers: vec![date, flavor, wish],
            body: [before.as_bytes(), body, after.as_bytes()].concat(),
        };
        let at = turn % service.topics.len();
        let reading = oracle::classified(cloud, &service.topics[at], &answer);
        now.tick = Tick(now.tick.0 + i64::from(*head) * 500);
        now.wall = Wall(now.wall.0 + i64::from(*head) * 500);
        tracker.observe(at, &reading, &now);
        if learner.next().is_some() {
            learner.hear(&answer);
        }
        while let Some(due) = tracker.due(learner.identity(), &now) {
            let saved = due.json();
            tracker.commit(due);
            let again = Tracker::restore(cloud, "nas", Some(&saved), &now);
            assert!(again.standing().eq(tracker.standing()), "{saved}");
        }
        excerpt(&answer.body);
        answers("item", answer.status);
        pause.heard(answer.status, http::retry_after(&answer, now.wall));
        assert!(pause.after(service.interval) <= Duration::from_secs(30));
        token.refused(now.tick);
        token.answered(Some((answer.status, text_of(&answer.body))), now.tick);
        if let Ok(text) = std::str::from_utf8(&answer.body) {
            timestamp::utc(text);
            timestamp::any(text);
            timestamp::naive(text, 28_800);
        }
    }
});
