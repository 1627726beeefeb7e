//! Huawei Cloud ECS. A spot instance is told of its end about five minutes before.
//!
//! Sources: Huawei Cloud's pages "Obtaining metadata" and "Spot instances", and its Go SDK for tokens. The zone of
//! `timestamp` is not documented: of UTC and China's time, that one is taken which lies near the answer's own date.
//! The answer where nothing is announced is not documented either; 404 is taken for it.

use std::time::Duration;

use crate::clock::Wall;
use crate::config::plan::Cloud;
use crate::event::Kind;
use crate::fetch::Answer;
use crate::spot::aws::action_and_time;
use crate::spot::service::{Document, NOWHERE, Notice, Reading, Service, TokenRules, Topic, date_of, text_of};
use crate::spot::timestamp;

/// What is usually left when it is announced.
const LEAD: Duration = Duration::from_secs(5 * 60);
/// A time so far from now was read in the wrong zone.
const NEAR: i64 = 2 * 3600 * 1000;
/// Seconds by which China's time is ahead of UTC.
const EAST: i64 = 8 * 3600;

/// The metadata service.
pub const SERVICE: Service = Service {
    cloud: Cloud::HuaweiCloud,
    base: "http://169.254.169.254",
    interval: Duration::from_secs(10),
    header: None,
    proof: None,
    topics: &[Topic { kind: Kind::Interrupt, path: "/openstack/latest/spot/instance-action", waits: false, classify }],
    token: Some(TokenRules {
        path: "/meta-data/latest/api/token",
        ttl_header: "X-Metadata-Token-Ttl-Seconds",
        header: "X-Metadata-Token",
    }),
    // What stands under instance-id has no meaning there.
    document: Some(Document {
        path: "/openstack/latest/meta_data.json",
        keys: ["uuid", "region_id", "availability_zone", "instance_type", NOWHERE, NOWHERE, NOWHERE],
    }),
    items: [
        "",
        "",
        "",
        "/latest/meta-data/instance-type",
        "/latest/meta-data/local-ipv4",
        "/latest/meta-data/public-ipv4",
        "",
    ],
    first: None,
    silence: "is this host at Huawei Cloud? its security group must allow TCP 80 out to 169.254.0.0/16",
};

/// `{"action":"terminate","timestamp":"2023-06-01 09:15:00"}`, or 404.
pub fn classify(answer: &Answer, _: &str) -> Reading {
    if answer.status == 404 {
        return Reading::QUIET;
    }
    let found = if answer.status == 200 { action_and_time(&answer.body, "timestamp") } else { None };
    let time = |text: &str, east: i64| timestamp::naive(text, east);
    match found {
        Some((action, text)) if action == "terminate" || time(&text, 0).is_some() => {
            let now = date_of(answer);
            let near = |wall: &Wall| now.is_some_and(|now| wall.0.abs_diff(now.0) <= NEAR.unsigned_abs());
            let deadline = [0, EAST].into_iter().find_map(|east| time(&text, east).filter(near));
            let about = if deadline.is_none() {
                ["the cloud says ", &text, ", in a zone it does not name"].concat()
            } else {
                String::new()
            };
            let action = if action == "terminate" { "terminate" } else { "" };
            let notice = Notice::new(Kind::Interrupt, action, text_of(&answer.body));
            Reading::one(Notice { deadline, lead: Some(LEAD), about, ..notice })
        }
        _ => Reading::odd("instance-action", answer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"action":"terminate","timestamp":"2023-06-01 09:15:00"}"#;

    fn at(status: u16, body: &str, date: &str) -> Reading {
        let headers = vec![("date".to_owned(), date.to_owned())];
        classify(&Answer { status, headers, body: body.into() }, "")
    }

    #[test]
    fn the_zone_follows_from_the_date_of_the_answer() {
        for (date, secs) in [
            ("Thu, 01 Jun 2023 09:10:00 GMT", Some(1_685_610_900)),
            ("Thu, 01 Jun 2023 01:10:00 GMT", Some(1_685_610_900 - 8 * 3600)),
            ("Thu, 01 Jun 2023 05:00:00 GMT", None),
            ("", None),
        ] {
            let Reading::Notices(notices) = at(200, BODY, date) else { unreachable!() };
            assert_eq!(notices[0].deadline.map(Wall::secs), secs, "{date}");
            assert_eq!(notices[0].about.contains("2023-06-01 09:15:00"), secs.is_none());
            assert_eq!((notices[0].action, notices[0].lead), ("terminate", Some(LEAD)));
        }
    }

    #[test]
    fn answers() {
        assert_eq!(at(404, "<html>", ""), Reading::QUIET);
        assert_eq!(at(401, "", ""), Reading::NeedToken);
        for (status, body) in [
            (200, ""),
            (200, "{}"),
            (200, "<html>terminate</html>"),
            (200, &BODY[..BODY.len() - 1]),
            (200, r#"{"action":"x","timestamp":"x"}"#),
            (200, r#"{"action":"terminate"}"#),
            (200, r#"{"action":"terminate","time":"2023-06-01T09:15:00Z"}"#),
            (405, BODY),
            (500, BODY),
            (503, ""),
        ] {
            assert!(matches!(at(status, body, ""), Reading::Unknown(_)), "{status} {body}");
        }
    }
}
