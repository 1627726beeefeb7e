//! Volcengine ECS, and BytePlus, which is the same. A spot instance is told of its end five minutes before.
//!
//! Sources: Volcengine's pages "View spot instance interruption events" and "Instance metadata": a time in UTC. Its
//! form is not documented, nor is the answer where nothing is announced: every common form is read, and 404, nothing
//! and a word without a digit are taken for quiet.

use std::time::Duration;

use crate::config::plan::Cloud;
use crate::event::Kind;
use crate::fetch::Answer;
use crate::spot::service::{Notice, Reading, Service, Topic, text_of};
use crate::spot::timestamp;

/// Bytes of a word that may mean "nothing".
const MAX_WORD: usize = 32;

/// The metadata service.
pub const SERVICE: Service = Service {
    cloud: Cloud::Volcengine,
    base: "http://100.96.0.96",
    interval: Duration::from_secs(10),
    header: None,
    proof: None,
    topics: &[Topic { kind: Kind::Interrupt, path: "/latest/spot_instance_termination_time", waits: false, classify }],
    token: None,
    document: None,
    items: ["/latest/instance_id", "/latest/region", "/latest/zone", "", "/latest/private_ipv4", "", ""],
    first: None,
    silence: "is this host at Volcengine, and may it reach 100.96.0.96 (container, firewall, VPN)?",
};

/// A time, or something else.
pub fn classify(answer: &Answer, _: &str) -> Reading {
    let text = text_of(&answer.body);
    let is_word = |text: &str| {
        text.len() <= MAX_WORD && text.bytes().all(|b| b.is_ascii_alphabetic() || matches!(b, b' ' | b'_' | b'-'))
    };
    match (answer.status, timestamp::any(text)) {
        (404, _) => Reading::QUIET,
        (200, Some(deadline)) => {
            Reading::one(Notice { deadline: Some(deadline), ..Notice::new(Kind::Interrupt, "release", text) })
        }
        // Bytes that are no text are no word.
        (200, None)
            if is_word(text) && (answer.body.len() <= MAX_WORD || !text.is_empty()) && answer.body.is_ascii() =>
        {
            Reading::QUIET
        }
        _ => Reading::odd("spot_instance_termination_time", answer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Wall;

    fn at(status: u16, body: &str) -> Reading {
        classify(&Answer { status, headers: Vec::new(), body: body.into() }, "")
    }

    #[test]
    fn answers() {
        for text in [
            "2026-05-01T18:02:00Z",
            "2026-05-01T18:02:00Z\n",
            "2026-05-01 18:02:00",
            "2026-05-01T18:02:00",
            "2026-05-02T02:02:00+08:00",
            "2026-05-01T18:02:00+00:00",
        ] {
            let want = Notice {
                deadline: Some(Wall(1_777_658_520_000)),
                ..Notice::new(Kind::Interrupt, "release", text.trim())
            };
            assert_eq!(at(200, text), Reading::one(want), "{text}");
        }
        for (status, body) in
            [(404, ""), (404, "2026-05-01T18:02:00Z"), (200, ""), (200, "\n"), (200, "null"), (200, "not found")]
        {
            assert_eq!(at(status, body), Reading::QUIET, "{status} {body}");
        }
        for (status, body) in [
            (200, "1777658520"),
            (200, "2026/05/01 18:02:00"),
            (200, "2026-05-01T18:02:00+25:00"),
            (200, "<html>2026-05-01T18:02:00Z</html>"),
            (200, "<html></html>"),
            (200, "please log in to the network of this hotel first"),
            (500, "2026-05-01T18:02:00Z"),
            (503, ""),
        ] {
            assert!(matches!(at(status, body), Reading::Unknown(_)), "{status} {body}");
        }
        assert!(matches!(
            classify(&Answer { status: 200, headers: Vec::new(), body: vec![0xff] }, ""),
            Reading::Unknown(_)
        ));
        assert_eq!(at(403, ""), Reading::NeedToken);
    }
}
