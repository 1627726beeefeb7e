//! Microsoft Azure: Scheduled Events. A spot machine is told at least 30 seconds before it is evicted.
//!
//! Sources: Azure's pages "Scheduled Events for Linux VMs" and "Instance Metadata Service". The first call switches
//! the feature on and may take two minutes. Every machine of a scale set or availability set sees all events, so only
//! those count that name this one. There is no state for "cancelled" or "done": such events vanish.

use std::time::Duration;

use crate::alert::channel::http;
use crate::config::plan::Cloud;
use crate::event::{Kind, Severity};
use crate::fetch::Answer;
use crate::json::Writer;
use crate::spot::list::{self, Shape};
use crate::spot::service::{Document, Notice, Reading, Service, Topic, Why};

/// The document of events, for reading and for acknowledging.
pub const EVENTS: &str = "/metadata/scheduledevents?api-version=2020-07-01";

/// The metadata service.
pub const SERVICE: Service = Service {
    cloud: Cloud::Azure,
    base: "http://169.254.169.254",
    interval: Duration::from_secs(1),
    header: Some(("Metadata", "true")),
    proof: None,
    topics: &[Topic { kind: Kind::Interrupt, path: EVENTS, waits: false, classify }],
    token: None,
    document: Some(Document {
        path: "/metadata/instance?api-version=2021-02-01",
        keys: [
            "compute/vmId",
            "compute/location",
            "compute/zone",
            "compute/vmSize",
            "network/interface/*/ipv4/ipAddress/*/privateIpAddress",
            "network/interface/*/ipv4/ipAddress/*/publicIpAddress",
            "compute/name",
        ],
    }),
    items: [
        "/metadata/instance/compute/vmId?api-version=2021-02-01&format=text",
        "",
        "",
        "",
        "",
        "",
        "/metadata/instance/compute/name?api-version=2021-02-01&format=text",
    ],
    first: Some(Duration::from_secs(130)),
    silence: "is this host at Azure, and may it reach 169.254.169.254 from its primary interface? \
              the first answer may take 2 minutes",
};

/// Kinds of events: kind, action, severity.
const TYPES: [(&str, Kind, &str, Severity); 5] = [
    ("Preempt", Kind::Interrupt, "evict", Severity::Critical),
    ("Terminate", Kind::Interrupt, "terminate", Severity::Critical),
    ("Reboot", Kind::Maintenance, "reboot", Severity::Warning),
    ("Redeploy", Kind::Maintenance, "redeploy", Severity::Warning),
    // A pause of seconds; memory and disks survive.
    ("Freeze", Kind::Maintenance, "freeze", Severity::Info),
];

/// The events that name the machine `me`. A body without bytes is given where there are none, too.
pub fn classify(answer: &Answer, me: &str) -> Reading {
    const SHAPE: Shape = Shape {
        list: "Events",
        keys: ["EventId", "EventType", "EventStatus", "NotBefore", "Description"],
        machines: "Resources",
    };
    if me.is_empty() {
        let text = "the name of this machine could not be read yet".to_owned();
        return Reading::Unknown(Why { text, hint: "" });
    }
    if answer.status != 200 {
        return Reading::odd("scheduledevents", answer);
    }
    if answer.body.is_empty() {
        return Reading::QUIET;
    }
    let Some(entries) = list::read(&answer.body, &SHAPE, me) else { return Reading::odd("scheduledevents", answer) };
    let mut notices = Vec::new();
    for entry in entries.into_iter().filter(|entry| entry.is_mine) {
        let [id, name, status, time, about] = entry.texts;
        if id.is_empty() || name.is_empty() {
            continue;
        }
        let known = TYPES.iter().find(|(known, ..)| *known == name);
        let (_, kind, action, severity) =
            known.copied().unwrap_or(("", Kind::Maintenance, "maintenance", Severity::Warning));
        // An acknowledgement speaks for all machines that an event names.
        let may_agree = entry.machines == 1 && status == "Scheduled";
        let notice = Notice::new(kind, action, &name);
        notices.push(Notice { severity, key: id, deadline: http::date(&time), about, may_agree, ..notice });
    }
    Reading::Notices(notices)
}

/// The body that lets the event `id` begin at once.
pub fn acknowledgement(id: &str) -> String {
    let mut out = Writer::default();
    out.open('{').key("StartRequests").open('[').open('{').key("EventId").text(id).close('}').close(']').close('}');
    out.into_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Wall;

    const ME: &str = "myvmss_3";

    fn at(status: u16, body: &str) -> Reading {
        classify(&Answer { status, headers: Vec::new(), body: body.into() }, ME)
    }

    fn event(id: &str, kind: &str, status: &str, machines: &str, time: &str) -> String {
        format!(
            r#"{{"EventId":"{id}","EventStatus":"{status}","EventType":"{kind}","ResourceType":"VirtualMachine",
            "Resources":[{machines}],"NotBefore":"{time}","Description":"d","EventSource":"Platform","DurationInSeconds":-1}}"#
        )
    }

    fn document(events: &[String]) -> String {
        format!(r#"{{"DocumentIncarnation":7,"Events":[{}]}}"#, events.join(","))
    }

    #[test]
    fn quiet_and_odd() {
        for body in [r#"{"DocumentIncarnation":1,"Events":[]}"#, ""] {
            assert_eq!(at(200, body), Reading::QUIET);
        }
        for (status, body) in [
            (200, "{}"),
            (200, "[]"),
            (200, "null"),
            (200, r#"{"Events":{"a":1"#),
            (200, "<html>Preempt</html>"),
            (200, "Preempt"),
            (400, r#"{"error":"Bad request"}"#),
            (404, ""),
            (410, ""),
            (429, ""),
            (500, r#"{"DocumentIncarnation":1,"Events":[]}"#),
        ] {
            assert!(matches!(at(status, body), Reading::Unknown(_)), "{status} {body}");
        }
        let nameless = Answer { status: 200, headers: Vec::new(), body: b"".to_vec() };
        assert!(matches!(classify(&nameless, ""), Reading::Unknown(_)), "whose events are they?");
    }

    #[test]
    fn events_of_this_machine_have_their_own_weight() {
        let time = "Fri, 01 May 2026 18:02:00 GMT";
        let rows = [
            ("Preempt", Kind::Interrupt, "evict", Severity::Critical),
            ("Terminate", Kind::Interrupt, "terminate", Severity::Critical),
            ("Reboot", Kind::Maintenance, "reboot", Severity::Warning),
            ("Redeploy", Kind::Maintenance, "redeploy", Severity::Warning),
            ("Freeze", Kind::Maintenance, "freeze", Severity::Info),
            ("Defrost", Kind::Maintenance, "maintenance", Severity::Warning),
        ];
        for (name, kind, action, severity) in rows {
            let body = document(&[event("5f0c", name, "Scheduled", r#""myvmss_3""#, time)]);
            let want = Notice {
                severity,
                key: "5f0c".to_owned(),
                deadline: Some(Wall(1_777_658_520_000)),
                about: "d".to_owned(),
                may_agree: true,
                ..Notice::new(kind, action, name)
            };
            assert_eq!(at(200, &body), Reading::one(want), "{name}");
            for end in 1..body.len() {
                assert!(matches!(at(200, &body[..end]), Reading::Unknown(_)), "cut at {end}");
            }
        }
    }

    #[test]
    fn events_of_other_machines_are_none() {
        let body = document(&[
            event("a", "Preempt", "Scheduled", r#""myvmss_33""#, ""),
            event("b", "Preempt", "Scheduled", "", ""),
            event("c", "Freeze", "Started", r#""myvmss_1","MYVMSS_3""#, ""),
            event("d", "Reboot", "Scheduled", r#""myvmss_1","xmyvmss_3""#, ""),
        ]);
        let Reading::Notices(notices) = at(200, &body) else { unreachable!() };
        let [only] = notices.try_into().unwrap();
        assert_eq!((&*only.key, only.deadline, only.may_agree), ("c", None, false));
    }

    #[test]
    fn an_acknowledgement_names_the_event() {
        assert_eq!(acknowledgement("5f0c"), r#"{"StartRequests":[{"EventId":"5f0c"}]}"#);
    }
}
