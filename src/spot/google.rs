//! Google Compute Engine. It says that an instance is preempted, and never when: usually 30 seconds are left, two
//! minutes where the instance was made with a longer notice. The request is held until the value changes.
//!
//! Sources: Google's pages "Spot VMs", "Getting live migration notices", its Go client and guest agent: every request
//! carries `Metadata-Flavor: Google` and so does every answer; a request is held with `wait_for_change`, and only with
//! the `last_etag` of the value seen last does it miss no change.

use std::time::Duration;

use crate::config::plan::Cloud;
use crate::event::{Kind, Severity};
use crate::fetch::Answer;
use crate::spot::service::{Notice, Reading, Service, Topic, text_of};

/// Between the preemption and its end, unless the instance was made with a longer notice.
const LEAD: Duration = Duration::from_secs(30);
/// Between the announcement of maintenance and its beginning; an hour for machines with GPUs.
const MAINTENANCE_LEAD: Duration = Duration::from_secs(60);

/// The metadata service.
pub const SERVICE: Service = Service {
    cloud: Cloud::GoogleCloud,
    base: "http://169.254.169.254",
    // Between two requests, the first of which is held for longer.
    interval: Duration::from_secs(2),
    header: Some(("Metadata-Flavor", "Google")),
    proof: Some(("metadata-flavor", "Google")),
    topics: &[
        Topic {
            kind: Kind::Interrupt,
            path: "/computeMetadata/v1/instance/preempted",
            waits: true,
            classify: preempted,
        },
        Topic {
            kind: Kind::Maintenance,
            path: "/computeMetadata/v1/instance/maintenance-event",
            waits: false,
            classify: maintenance,
        },
    ],
    token: None,
    document: None,
    items: [
        "/computeMetadata/v1/instance/id",
        "",
        "/computeMetadata/v1/instance/zone",
        "/computeMetadata/v1/instance/machine-type",
        "/computeMetadata/v1/instance/network-interfaces/0/ip",
        "/computeMetadata/v1/instance/network-interfaces/0/access-configs/0/external-ip",
        "",
    ],
    first: None,
    silence: "is this host at Google Cloud, and may it reach 169.254.169.254 (container, firewall)?",
};

/// `TRUE` or `FALSE`.
fn preempted(answer: &Answer, _: &str) -> Reading {
    match (answer.status, text_of(&answer.body)) {
        (200, "FALSE") => Reading::QUIET,
        (200, word @ "TRUE") => {
            Reading::one(Notice { lead: Some(LEAD), ..Notice::new(Kind::Interrupt, "terminate", word) })
        }
        _ => Reading::odd("preempted", answer),
    }
}

/// `NONE`, or what will be done. Older samples say `SHUTDOWN` for `TERMINATE`.
fn maintenance(answer: &Answer, _: &str) -> Reading {
    let (word, action, severity) = match (answer.status, text_of(&answer.body)) {
        // Not every machine has the item.
        (404, _) | (200, "NONE") => return Reading::QUIET,
        (200, word @ "MIGRATE_ON_HOST_MAINTENANCE") => (word, "live migration", Severity::Info),
        (200, word @ ("TERMINATE_ON_HOST_MAINTENANCE" | "SHUTDOWN_ON_HOST_MAINTENANCE")) => {
            (word, "stop", Severity::Critical)
        }
        _ => return Reading::odd("maintenance-event", answer),
    };
    Reading::one(Notice { severity, lead: Some(MAINTENANCE_LEAD), ..Notice::new(Kind::Maintenance, action, word) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(status: u16, body: &str) -> Answer {
        let headers = vec![("metadata-flavor".to_owned(), "Google".to_owned())];
        Answer { status, headers, body: body.into() }
    }

    #[test]
    fn preemption() {
        for quiet in ["FALSE", "FALSE\n"] {
            assert_eq!(preempted(&at(200, quiet), ""), Reading::QUIET);
        }
        let want = Notice { lead: Some(LEAD), ..Notice::new(Kind::Interrupt, "terminate", "TRUE") };
        assert_eq!(preempted(&at(200, "TRUE"), ""), Reading::one(want));
        for (status, body) in [
            (200, ""),
            (200, "true"),
            (200, "TRUEFALSE"),
            (200, "\"TRUE\""),
            (200, "<html>TRUE</html>"),
            (200, "TRU"),
            (404, "TRUE"),
            (429, "TRUE"),
            (500, "TRUE"),
            (503, "TRUE"),
            (302, "TRUE"),
        ] {
            assert!(matches!(preempted(&at(status, body), ""), Reading::Unknown(_)), "{status} {body}");
        }
        assert_eq!(preempted(&at(403, "TRUE"), ""), Reading::NeedToken);
    }

    #[test]
    fn host_maintenance() {
        for (status, body) in [(200, "NONE"), (200, "NONE\n"), (404, "<html>")] {
            assert_eq!(maintenance(&at(status, body), ""), Reading::QUIET);
        }
        for (body, action, severity) in [
            ("MIGRATE_ON_HOST_MAINTENANCE", "live migration", Severity::Info),
            ("TERMINATE_ON_HOST_MAINTENANCE", "stop", Severity::Critical),
            ("SHUTDOWN_ON_HOST_MAINTENANCE", "stop", Severity::Critical),
        ] {
            let Reading::Notices(notices) = maintenance(&at(200, body), "") else { unreachable!() };
            assert_eq!(
                (notices[0].kind, notices[0].action, notices[0].severity),
                (Kind::Maintenance, action, severity)
            );
        }
        for (status, body) in [(200, ""), (200, "MIGRATE"), (200, "none"), (503, "NONE"), (200, "<html>NONE</html>")] {
            assert!(matches!(maintenance(&at(status, body), ""), Reading::Unknown(_)), "{status} {body}");
        }
    }

    #[test]
    fn only_an_answer_with_the_flavor_comes_from_google() {
        assert!(SERVICE.proves(&at(200, "FALSE")));
        let other = vec![("metadata-flavor".to_owned(), "ibm".to_owned())];
        for headers in [Vec::new(), other] {
            assert!(!SERVICE.proves(&Answer { status: 200, headers, body: b"TRUE".to_vec() }));
        }
    }
}
