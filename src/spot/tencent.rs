//! Tencent Cloud CVM. A spot instance is told of its release about two minutes before.
//!
//! Sources: Tencent Cloud's pages "Querying spot instance repossession status" and "Instance metadata": 404 means
//! not announced (or not a spot instance), 200 carries `yyyy-MM-dd HH:mm:ss` in UTC+8 without saying so. There are
//! no tokens. The host name resolves only through the cloud's own name servers.

use crate::config::plan::Cloud;
use crate::fetch::Answer;
use crate::spot::service::{Items, Reading, Service, bare_time};
use crate::spot::timestamp;

/// Seconds by which the times of this service are ahead of UTC.
const EAST: i64 = 8 * 3600;

/// The metadata service.
pub const SERVICE: Service = Service {
    cloud: Cloud::TencentCloud,
    base: "http://metadata.tencentyun.com",
    notice: "/latest/meta-data/spot/termination-time",
    classify,
    token: None,
    document: None,
    items: Items {
        instance: "/latest/meta-data/instance-id",
        region: "/latest/meta-data/placement/region",
        zone: "/latest/meta-data/placement/zone",
        instance_type: "/latest/meta-data/instance/instance-type",
        address: "/latest/meta-data/local-ipv4",
    },
    silence: "use Tencent Cloud's own name servers, or name another address in [spot] endpoint",
};

/// What an answer to `termination-time` means.
pub fn classify(answer: &Answer) -> Reading {
    bare_time(answer, "release", |text| timestamp::naive(text, EAST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Wall;

    #[test]
    fn times_are_those_of_china() {
        let answer = |status, body: &str| Answer { status, headers: Vec::new(), body: body.into() };
        match classify(&answer(200, "2018-08-18 12:05:33\n")) {
            Reading::Notice(notice) => assert_eq!(notice.deadline, Some(Wall(1_534_565_133_000))),
            other => unreachable!("{other:?}"),
        }
        assert_eq!(classify(&answer(404, "")), Reading::Quiet);
        for body in ["", "none", "18/08/2018 12:05:33", "2018-08-18T12:05:33Z", "2018-08-18 12:05:33 +0800"] {
            assert!(matches!(classify(&answer(200, body)), Reading::Unknown(_)), "{body}");
        }
    }
}
