//! Alibaba Cloud ECS. A spot instance is told of its release about five minutes before.
//!
//! Sources: Alibaba Cloud's pages "Instance metadata items", "View instance metadata" and "Best practices for
//! preemptible instances": 404 means keep going, 200 carries `yyyy-MM-ddTHH:mm:ssZ` in UTC. With `HttpTokens =
//! required` every request needs a token, and a request for one must not carry `X-Forwarded-For`. Whatever the
//! attribute says, requests for tokens are answered, so a token is always tried first.

use std::time::Duration;

use crate::config::plan::Cloud;
use crate::event::Kind;
use crate::fetch::Answer;
use crate::spot::service::{Document, NOWHERE, Reading, Service, TokenRules, Topic, bare_time};
use crate::spot::timestamp;

/// The metadata service.
pub const SERVICE: Service = Service {
    cloud: Cloud::AliCloud,
    base: "http://100.100.100.200",
    interval: Duration::from_secs(10),
    header: None,
    proof: None,
    topics: &[Topic {
        kind: Kind::Interrupt,
        path: "/latest/meta-data/instance/spot/termination-time",
        waits: false,
        classify,
    }],
    token: Some(TokenRules {
        path: "/latest/api/token",
        ttl_header: "X-aliyun-ecs-metadata-token-ttl-seconds",
        header: "X-aliyun-ecs-metadata-token",
    }),
    document: Some(Document {
        path: "/latest/dynamic/instance-identity/document",
        keys: ["instance-id", "region-id", "zone-id", "instance-type", "private-ipv4", NOWHERE, NOWHERE],
    }),
    items: [
        "/latest/meta-data/instance-id",
        "/latest/meta-data/region-id",
        "/latest/meta-data/zone-id",
        "/latest/meta-data/instance/instance-type",
        "/latest/meta-data/private-ipv4",
        "/latest/meta-data/eipv4",
        "",
    ],
    first: None,
    silence: "is this host at Alibaba Cloud, and may it reach 100.100.100.200 (container, firewall, VPN)?",
};

/// What an answer to `termination-time` means. The item does not say what will be done; for a single instance the
/// documented behaviour is release.
pub fn classify(answer: &Answer, _: &str) -> Reading {
    bare_time(answer, "release", timestamp::utc)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Wall;
    use crate::spot::service::Notice;

    fn reading(status: u16, body: &[u8]) -> Reading {
        classify(&Answer { status, headers: Vec::new(), body: body.to_vec() }, "")
    }

    #[test]
    fn answers() {
        let notice = Reading::one(Notice {
            deadline: Some(Wall(1_777_658_520_000)),
            ..Notice::new(Kind::Interrupt, "release", "2026-05-01T18:02:00Z")
        });
        assert_eq!(reading(200, b"2026-05-01T18:02:00Z"), notice);
        assert_eq!(reading(200, b"2026-05-01T18:02:00Z\r\n"), notice);
        assert_eq!(reading(404, b""), Reading::QUIET);
        assert_eq!(reading(404, b"2026-05-01T18:02:00Z"), Reading::QUIET);
        assert_eq!(reading(401, b""), Reading::NeedToken);
        assert_eq!(reading(403, b""), Reading::NeedToken);
        for (status, body) in [
            (200, b"".as_slice()),
            (200, b"none"),
            (200, b"<html>2026-05-01T18:02:00Z</html>"),
            (200, b"2026-05-01 18:02:00"),
            (200, b"2026-02-30T18:02:00Z"),
            (200, b"\xff\xfe"),
            (200, &[b' '; 65_536]),
            (204, b""),
            (206, b"2026-05-01T18:02:00Z"),
            (302, b"2026-05-01T18:02:00Z"),
            (500, b"2026-05-01T18:02:00Z"),
            (405, b""),
            (410, b""),
        ] {
            assert!(matches!(reading(status, body), Reading::Unknown(_)), "{status} {body:?}");
        }
    }
}
