//! Tencent Cloud CVM. A spot instance is told of its release about two minutes before.
//!
//! Sources: Tencent Cloud's pages "Querying spot instance repossession status" and "Instance metadata": 404 means
//! not announced (or not a spot instance), 200 carries `yyyy-MM-dd HH:mm:ss` in UTC+8 without saying so. There are
//! no tokens. The host name resolves only through the cloud's own name servers.

use std::time::Duration;

use crate::config::plan::Cloud;
use crate::event::Kind;
use crate::fetch::Answer;
use crate::spot::service::{Reading, Service, Topic, bare_time};
use crate::spot::timestamp;

/// Seconds by which the times of this service are ahead of UTC.
const EAST: i64 = 8 * 3600;

/// The metadata service.
pub const SERVICE: Service = Service {
    cloud: Cloud::TencentCloud,
    base: "http://metadata.tencentyun.com",
    interval: Duration::from_secs(5),
    header: None,
    proof: None,
    topics: &[Topic { kind: Kind::Interrupt, path: "/latest/meta-data/spot/termination-time", waits: false, classify }],
    token: None,
    document: None,
    items: [
        "/latest/meta-data/instance-id",
        "/latest/meta-data/placement/region",
        "/latest/meta-data/placement/zone",
        "/latest/meta-data/instance/instance-type",
        "/latest/meta-data/local-ipv4",
        "/latest/meta-data/public-ipv4",
        "",
    ],
    first: None,
    silence: "use Tencent Cloud's own name servers, or name another address in [spot] endpoint",
};

/// What an answer to `termination-time` means.
pub fn classify(answer: &Answer, _: &str) -> Reading {
    bare_time(answer, "release", |text| timestamp::naive(text, EAST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Wall;
    use crate::spot::service::Notice;

    #[test]
    fn times_are_those_of_china() {
        let answer = |status, body: &str| Answer { status, headers: Vec::new(), body: body.into() };
        let notice = Notice {
            deadline: Some(Wall(1_534_565_133_000)),
            ..Notice::new(Kind::Interrupt, "release", "2018-08-18 12:05:33")
        };
        assert_eq!(classify(&answer(200, "2018-08-18 12:05:33\n"), ""), Reading::one(notice));
        assert_eq!(classify(&answer(404, ""), ""), Reading::QUIET);
        for body in ["", "none", "18/08/2018 12:05:33", "2018-08-18T12:05:33Z", "2018-08-18 12:05:33 +0800"] {
            assert!(matches!(classify(&answer(200, body), ""), Reading::Unknown(_)), "{body}");
        }
    }
}
