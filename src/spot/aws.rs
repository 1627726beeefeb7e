//! Amazon EC2. A spot instance is told two minutes before it is stopped or terminated; hibernation begins at once.
//!
//! Sources: the EC2 user guide, "Spot Instance interruption notices", "EC2 instance rebalance recommendations",
//! "Scheduled events for your instances", "Use IMDSv2", "Instance metadata categories". Answers are `text/plain` also
//! where they are JSON. The answer to a request for a token travels one hop: from a bridged container it is lost.

use std::time::Duration;

use crate::alert::channel::http;
use crate::clock::Wall;
use crate::config::plan::Cloud;
use crate::event::{Kind, Severity};
use crate::fetch::Answer;
use crate::json::{Scalar, pick};
use crate::spot::list::{self, Shape};
use crate::spot::service::{Document, NOWHERE, Notice, Reading, Service, TokenRules, Topic, text_of};
use crate::spot::timestamp;

/// The service's IPv6 address, where that is switched on.
pub const IPV6: &str = "http://[fd00:ec2::254]";

/// Who decided it, where it is not the spot market.
pub const GROUP: &str = "decided by its Auto Scaling group";

/// The metadata service.
pub const SERVICE: Service = Service {
    cloud: Cloud::Aws,
    base: "http://169.254.169.254",
    interval: Duration::from_secs(5),
    header: None,
    proof: None,
    topics: &[
        Topic {
            kind: Kind::Interrupt,
            path: "/latest/meta-data/spot/instance-action",
            waits: false,
            classify: instance_action,
        },
        Topic {
            kind: Kind::Rebalance,
            path: "/latest/meta-data/events/recommendations/rebalance",
            waits: false,
            classify: rebalance,
        },
        Topic {
            kind: Kind::Interrupt,
            path: "/latest/meta-data/autoscaling/target-lifecycle-state",
            waits: false,
            classify: lifecycle,
        },
        Topic {
            kind: Kind::Maintenance,
            path: "/latest/meta-data/events/maintenance/scheduled",
            waits: false,
            classify: scheduled,
        },
    ],
    token: Some(TokenRules {
        path: "/latest/api/token",
        ttl_header: "X-aws-ec2-metadata-token-ttl-seconds",
        header: "X-aws-ec2-metadata-token",
    }),
    document: Some(Document {
        path: "/latest/dynamic/instance-identity/document",
        keys: ["instanceId", "region", "availabilityZone", "instanceType", "privateIp", NOWHERE, NOWHERE],
    }),
    items: [
        "/latest/meta-data/instance-id",
        "/latest/meta-data/placement/region",
        "/latest/meta-data/placement/availability-zone",
        "/latest/meta-data/instance-type",
        "/latest/meta-data/local-ipv4",
        "/latest/meta-data/public-ipv4",
        "",
    ],
    first: None,
    silence: "is this host at AWS? in a container set HttpPutResponseHopLimit to 2 or use the host's network; \
              firewalls must let 169.254.169.254 pass",
};

/// `{"action":"terminate","time":"2017-09-18T08:22:00Z"}`, or 404. A known action without a readable time is a notice
/// all the same.
fn instance_action(answer: &Answer, _: &str) -> Reading {
    const ACTIONS: [&str; 3] = ["terminate", "stop", "hibernate"];
    if answer.status == 404 {
        return Reading::QUIET;
    }
    let found = if answer.status == 200 { action_and_time(&answer.body, "time") } else { None };
    let Some((action, time)) = found else { return Reading::odd("instance-action", answer) };
    let deadline = timestamp::utc(&time);
    let action = ACTIONS.into_iter().find(|known| *known == action);
    if action.is_none() && deadline.is_none() {
        return Reading::odd("instance-action", answer);
    }
    Reading::one(Notice { deadline, ..Notice::new(Kind::Interrupt, action.unwrap_or(""), text_of(&answer.body)) })
}

/// The texts under `action` and `time` of an object that has both.
pub fn action_and_time(body: &[u8], time: &str) -> Option<(String, String)> {
    let mut picked = pick(body, &["action", time])?.into_iter();
    match (picked.next()?, picked.next()?) {
        (Some(Scalar::Text(action)), Some(Scalar::Text(time))) => Some((action, time)),
        _ => None,
    }
}

/// `{"noticeTime":"2026-05-01T17:55:00Z"}`, which is when it was said, or 404.
fn rebalance(answer: &Answer, _: &str) -> Reading {
    if answer.status == 404 {
        return Reading::QUIET;
    }
    let picked = if answer.status == 200 { pick(&answer.body, &["noticeTime"]) } else { None };
    match picked.as_deref() {
        Some([Some(Scalar::Text(time))]) if timestamp::utc(time).is_some() => {
            Reading::one(Notice::new(Kind::Rebalance, "", time))
        }
        _ => Reading::odd("rebalance", answer),
    }
}

/// One word. `Terminated` is what an Auto Scaling group is about to do; how long that takes is set in its hooks.
fn lifecycle(answer: &Answer, _: &str) -> Reading {
    const STATES: [&str; 7] = [
        "InService",
        "Detached",
        "Standby",
        "Warmed:Hibernated",
        "Warmed:Running",
        "Warmed:Stopped",
        "Warmed:Terminated",
    ];
    match (answer.status, text_of(&answer.body)) {
        (404, _) => Reading::QUIET,
        (200, word @ "Terminated") => {
            let notice = Notice::new(Kind::Interrupt, "terminate", word);
            Reading::one(Notice { about: GROUP.to_owned(), ..notice })
        }
        (200, word) if STATES.contains(&word) => Reading::QUIET,
        _ => Reading::odd("target-lifecycle-state", answer),
    }
}

/// A list of events, or 404. Those that are `completed` or `canceled` are none.
fn scheduled(answer: &Answer, _: &str) -> Reading {
    const SHAPE: Shape =
        Shape { list: "", keys: ["EventId", "Code", "State", "NotBefore", "Description"], machines: "" };
    const CODES: [(&str, &str); 5] = [
        ("instance-stop", "stop"),
        ("instance-retirement", "retire"),
        ("instance-reboot", "reboot"),
        ("system-reboot", "host reboot"),
        ("system-maintenance", "maintenance"),
    ];
    if answer.status == 404 {
        return Reading::QUIET;
    }
    let entries = if answer.status == 200 { list::read(&answer.body, &SHAPE, "") } else { None };
    let Some(entries) = entries else { return Reading::odd("scheduled", answer) };
    let mut notices = Vec::new();
    for entry in entries {
        let [id, code, state, time, about] = entry.texts;
        if code.is_empty() || state != "active" {
            continue;
        }
        let action = CODES.iter().find(|(known, _)| *known == code).map_or("maintenance", |(_, action)| action);
        let ends = matches!(action, "stop" | "retire");
        notices.push(Notice {
            severity: if ends { Severity::Critical } else { Severity::Warning },
            key: id,
            deadline: day_first(&time),
            about,
            ..Notice::new(Kind::Maintenance, action, &code)
        });
    }
    Reading::Notices(notices)
}

/// Reads `21 Jan 2019 09:00:43 GMT`, also with one digit for the day.
fn day_first(text: &str) -> Option<Wall> {
    let pad = if text.as_bytes().get(1) == Some(&b' ') { "0" } else { "" };
    http::date(&["Mon, ", pad, text].concat())
}

#[cfg(test)]
mod tests;
