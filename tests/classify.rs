//! Answers of metadata services, real ones and thousands of damaged ones: none is a notice that holds none.

mod oracle;

use interrupt_callback::event::Kind;
use interrupt_callback::fetch::Answer;
use interrupt_callback::run::threads::{HTTP_STACK, spawn};
use interrupt_callback::spot::service::Reading;
use oracle::{SAMPLES, classified, topics};

fn answer(status: u16, body: &[u8]) -> Answer {
    let date = ("date".to_owned(), "Fri, 01 May 2026 17:58:00 GMT".to_owned());
    let flavor = ("metadata-flavor".to_owned(), "Google".to_owned());
    Answer { status, headers: vec![date, flavor], body: body.to_vec() }
}

/// Which sample is a notice for which topic: every other pair is none.
#[test]
fn each_sample_means_something_to_its_own_topic_only() {
    let mut found = Vec::new();
    for (cloud, topic) in topics() {
        for (n, sample) in SAMPLES.iter().enumerate() {
            if let Reading::Notices(notices) = classified(cloud, topic, &answer(200, sample.as_bytes()))
                && let Some(notice) = notices.first()
            {
                found.push((cloud.name(), topic.name(), n, notice.kind, notice.action));
            }
        }
    }
    let want = [
        ("AliCloud", "termination-time", 0, Kind::Interrupt, "release"),
        ("TencentCloud", "termination-time", 1, Kind::Interrupt, "release"),
        ("AWS", "instance-action", 2, Kind::Interrupt, "terminate"),
        ("AWS", "instance-action", 3, Kind::Interrupt, "stop"),
        ("AWS", "rebalance", 4, Kind::Rebalance, ""),
        ("AWS", "target-lifecycle-state", 9, Kind::Interrupt, "terminate"),
        ("AWS", "scheduled", 6, Kind::Maintenance, "host reboot"),
        ("GoogleCloud", "preempted", 11, Kind::Interrupt, "terminate"),
        ("GoogleCloud", "maintenance-event", 13, Kind::Maintenance, "live migration"),
        ("GoogleCloud", "maintenance-event", 14, Kind::Maintenance, "stop"),
        ("Azure", "scheduledevents", 16, Kind::Interrupt, "evict"),
        ("Azure", "scheduledevents", 17, Kind::Maintenance, "freeze"),
        ("HuaweiCloud", "instance-action", 18, Kind::Interrupt, "terminate"),
        ("Volcengine", "spot_instance_termination_time", 0, Kind::Interrupt, "release"),
        ("Volcengine", "spot_instance_termination_time", 1, Kind::Interrupt, "release"),
    ];
    assert_eq!(found, want);
}

/// Services send `text/plain` for JSON, and portals send what they like: the body alone decides.
#[test]
fn the_type_of_the_content_changes_nothing() {
    for (cloud, topic) in topics() {
        for sample in SAMPLES.iter().chain(&["<html><body>2026-05-01T18:02:00Z TRUE</body></html>"]) {
            for status in [200, 404, 500] {
                let plain = answer(status, sample.as_bytes());
                let reading = classified(cloud, topic, &plain);
                for kind in ["text/html; charset=utf-8", "application/json", "image/png", ""] {
                    let mut other = plain.clone();
                    other.headers.push(("content-type".to_owned(), kind.to_owned()));
                    assert_eq!(classified(cloud, topic, &other), reading, "{} {sample} {kind}", topic.path);
                }
            }
        }
    }
}

#[test]
fn damaged_answers_are_no_notices() {
    let mut dice = 0x9E37_79B9_7F4A_7C15_u64;
    let mut roll = |sides: usize| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        (dice % sides as u64) as usize
    };
    let mut notices = 0;
    for _ in 0..40_000 {
        let mut body = SAMPLES[roll(SAMPLES.len())].as_bytes().to_vec();
        for _ in 0..roll(4) {
            let at = roll(body.len().max(1)).min(body.len());
            match roll(5) {
                0 => body.truncate(at),
                1 => body.insert(at, roll(256) as u8),
                2 if at < body.len() => body[at] ^= 1 << roll(8),
                3 => {
                    let other = SAMPLES[roll(SAMPLES.len())].as_bytes();
                    body.extend_from_slice(&other[roll(other.len())..]);
                }
                _ => drop(body.drain(at..(at + roll(9)).min(body.len()))),
            }
        }
        let status = [200, 200, 200, 404, 403, 401, 500, 302, 429, 503][roll(10)];
        for (cloud, topic) in topics() {
            let reading = classified(cloud, topic, &answer(status, &body));
            notices += usize::from(matches!(reading, Reading::Notices(list) if !list.is_empty()));
        }
    }
    println!("{notices} notices");
    assert!(notices > 1000, "the samples themselves are among them");
}

#[test]
fn the_deepest_answers_fit_the_stack() {
    let thread = spawn("deep", HTTP_STACK, || {
        for open in ["[", "{\"a\":", "[{\"a\":", "{\"Events\":[", "{\"Events\":[{\"Resources\":[["] {
            let body = open.repeat(60_000 / open.len());
            for (cloud, topic) in topics() {
                let reading = classified(cloud, topic, &answer(200, body.as_bytes()));
                assert!(matches!(reading, Reading::Unknown(_)), "{} {open}", topic.path);
            }
        }
    });
    thread.unwrap().join().unwrap();
}
