//! What must hold for every answer of a metadata service, however odd.

use interrupt_callback::config::plan::Cloud;
use interrupt_callback::event::Kind;
use interrupt_callback::fetch::Answer;
use interrupt_callback::spot::service::{Reading, Service, Topic};

/// The name of the machine whose events count.
pub const ME: &str = "myvmss_3";

/// Classifies `answer` and panics if what comes out cannot be.
pub fn classified(cloud: Cloud, topic: &Topic, answer: &Answer) -> Reading {
    let reading = (topic.classify)(answer, ME);
    match &reading {
        Reading::Notices(notices) => {
            assert!(matches!(answer.status, 200 | 404), "{answer:?} says something");
            assert!(notices.is_empty() || answer.status == 200, "a notice from {answer:?}");
            assert!(notices.is_empty() || holds_one(cloud, &answer.body), "a notice from nothing: {answer:?}");
            for notice in notices {
                assert!(matches!(notice.kind, Kind::Interrupt | Kind::Rebalance | Kind::Maintenance));
                assert!(notice.key.len() <= 256 && notice.about.len() <= 512, "{notice:?}");
            }
        }
        Reading::Unknown(why) => assert!(!why.text.contains('\n') && why.text.len() < 300, "{why:?}"),
        Reading::NeedToken => assert!(matches!(answer.status, 401 | 403)),
    }
    reading
}

/// Whether `body` can hold a notice at all, by a much coarser look than the program's.
fn holds_one(cloud: Cloud, body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    // A key can be written with escapes; the coarse look does not read those.
    let has = |word: &str| text.contains(word) || text.contains('\\');
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    match cloud {
        Cloud::AliCloud | Cloud::TencentCloud | Cloud::Volcengine => digits >= 14 && text.trim().len() <= 25,
        Cloud::Aws => {
            (has("action") && has("time"))
                || (has("noticeTime") && digits >= 14)
                || text.trim() == "Terminated"
                || (has("Code") && has("active"))
        }
        Cloud::GoogleCloud => text.trim() == "TRUE" || text.trim().ends_with("_ON_HOST_MAINTENANCE"),
        Cloud::Azure => has("Events") && has("EventType") && has("EventId") && text.to_lowercase().contains(ME),
        Cloud::HuaweiCloud => has("action") && has("timestamp"),
    }
}

/// Bodies of real answers.
#[rustfmt::skip]
pub const SAMPLES: [&str; 20] = [
    "2026-05-01T18:02:00Z",
    "2018-08-18 12:05:33",
    r#"{"action":"terminate","time":"2026-05-01T18:02:00Z"}"#,
    r#"{"action":"stop","time":"2017-09-18T08:22:00Z"}"#,
    r#"{"noticeTime":"2026-05-01T17:55:00Z"}"#,
    "[]",
    r#"[{"NotBefore":"21 Jan 2019 09:00:43 GMT","Code":"system-reboot","Description":"scheduled reboot","EventId":"instance-event-0d59","NotAfter":"21 Jan 2019 09:17:23 GMT","State":"active"}]"#,
    r#"[{"NotBefore":"21 Jan 2019 09:00:43 GMT","Code":"instance-stop","Description":"[Canceled] x","EventId":"instance-event-1","State":"canceled"}]"#,
    "InService",
    "Terminated",
    "FALSE",
    "TRUE",
    "NONE",
    "MIGRATE_ON_HOST_MAINTENANCE",
    "TERMINATE_ON_HOST_MAINTENANCE",
    r#"{"DocumentIncarnation":1,"Events":[]}"#,
    r#"{"DocumentIncarnation":7,"Events":[{"EventId":"5f0c","EventStatus":"Scheduled","EventType":"Preempt","ResourceType":"VirtualMachine","Resources":["myvmss_3"],"NotBefore":"Fri, 01 May 2026 18:02:00 GMT","Description":"","EventSource":"Platform","DurationInSeconds":-1}]}"#,
    r#"{"DocumentIncarnation":7,"Events":[{"EventId":"5f0c","EventStatus":"Started","EventType":"Freeze","ResourceType":"VirtualMachine","Resources":["myvmss_1","myvmss_3"],"NotBefore":"","Description":"","EventSource":"Platform","DurationInSeconds":9}]}"#,
    r#"{"action":"terminate","timestamp":"2026-05-01 18:02:00"}"#,
    "<html><head><title>404 - Not Found</title></head><body>2026-05-01T18:02:00Z</body></html>",
];

/// All topics of all clouds.
pub fn topics() -> impl Iterator<Item = (Cloud, &'static Topic)> {
    Cloud::ALL.into_iter().flat_map(|cloud| Service::of(cloud).topics.iter().map(move |topic| (cloud, topic)))
}
