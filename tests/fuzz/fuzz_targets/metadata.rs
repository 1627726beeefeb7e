//! Answers of metadata services, and of channels: classified, and followed over several polls.

#![no_main]

use interrupt_callback::clock::{Boot, Now, Tick, Wall};
use interrupt_callback::config::plan::Cloud;
use interrupt_callback::fetch::Answer;
use interrupt_callback::spot::identity::Learner;
use interrupt_callback::spot::service::{Reading, Service, answers, excerpt, text_of};
use interrupt_callback::spot::timestamp;
use interrupt_callback::spot::token::Token;
use interrupt_callback::spot::tracker::Tracker;
use libfuzzer_sys::fuzz_target;

const STATUSES: [u16; 8] = [200, 200, 200, 404, 403, 500, 301, 0];
/// Frames of real answers, filled in with the input.
const FRAMES: [(&str, &str); 4] =
    [("", ""), ("2026-11-21T", "Z"), ("{\"instance-id\":\"", "\"}"), ("2026-11-", " 10:00:00")];

fuzz_target!(|bytes: &[u8]| {
    let [which, rest @ ..] = bytes else { return };
    let cloud = if which & 1 == 0 { Cloud::AliCloud } else { Cloud::TencentCloud };
    let service = Service::of(cloud);
    let mut now = Now { tick: Tick(1_000_000), wall: Wall(1_800_000_000_000), boot: Boot(7) };
    let (mut tracker, _) = Tracker::restore(cloud, "nas", None, &now);
    let mut learner = Learner::new(service);
    let mut token = Token::default();
    for part in rest.split(|byte| *byte == 0xff) {
        let Some((head, body)) = part.split_first() else { continue };
        let (before, after) = FRAMES[usize::from(head >> 3) % FRAMES.len()];
        let answer = Answer {
            status: STATUSES[usize::from(head & 7)],
            headers: Vec::new(),
            body: [before.as_bytes(), body, after.as_bytes()].concat(),
        };
        let reading = (service.classify)(&answer);
        if let Reading::Unknown(why) = &reading {
            assert!(!why.text.contains('\n') && why.text.len() < 1000, "{why:?}");
        }
        now.tick = Tick(now.tick.0 + i64::from(*head) * 500);
        now.wall = Wall(now.wall.0 + i64::from(*head) * 500);
        tracker.observe(&reading, &now);
        if learner.next().is_some() {
            learner.hear(&answer);
        }
        while let Some(due) = tracker.due(learner.identity(), &now) {
            let saved = due.json();
            tracker.commit(due);
            let (again, _) = Tracker::restore(cloud, "nas", Some(&saved), &now);
            assert_eq!(again.standing(), tracker.standing(), "{saved}");
        }
        excerpt(&answer.body);
        answers("item", answer.status);
        token.answered(Some((answer.status, text_of(&answer.body))), now.tick);
        if let Ok(text) = std::str::from_utf8(&answer.body) {
            timestamp::utc(text);
            timestamp::naive(text, 28_800);
        }
    }
});
