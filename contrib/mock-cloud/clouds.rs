//! What the metadata services of the clouds answer, as their pages and SDKs describe it. Written apart from the
//! program, so that the two can be wrong only together with the sources.

use std::time::Duration;

/// What the mock is told to do.
#[derive(Clone, Debug)]
pub struct Script {
    /// A name in [`CLOUDS`].
    pub cloud: &'static Cloud,
    /// `interrupt`, `rebalance` or `maintenance`.
    pub kind: Kind,
    /// From the start to the notice.
    pub after: Duration,
    /// From the notice to its end.
    pub withdraw: Option<Duration>,
    /// From the notice to its time.
    pub lead: Duration,
    /// Requests without a good token are refused.
    pub hardened: bool,
    /// Every answer has this status.
    pub error: Option<u16>,
}

/// What is announced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The end of the instance.
    Interrupt,
    /// AWS: that it is likely.
    Rebalance,
    /// AWS, Google, Azure: a reboot, a migration.
    Maintenance,
}

/// A request, as far as answers depend on it.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `GET`, `PUT`, `POST`.
    pub method: String,
    /// Without the query.
    pub path: String,
    /// The query.
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The value of `name` in the query.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }
}

/// An answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Besides the length.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

fn ok(body: impl Into<String>) -> Response {
    Response { status: 200, headers: Vec::new(), body: body.into() }
}

fn status(status: u16) -> Response {
    // The real ones send pages, too.
    let body = format!("<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>");
    Response { status, headers: Vec::new(), body }
}

/// A metadata service.
#[derive(Debug)]
pub struct Cloud {
    /// Its name in `provider = "…"`.
    pub name: &'static str,
    /// Where it really is.
    pub address: &'static str,
    /// `PUT` path, header of the wanted life, header of the token.
    pub token: Option<[&'static str; 3]>,
    /// Header that each request must carry.
    pub header: Option<(&'static str, &'static str)>,
    /// What is always there.
    pub items: &'static [(&'static str, &'static str)],
    /// How long before its end an instance is told.
    pub lead: Duration,
    /// The answer for a notice at this time, or for none, if the path is one that can hold it.
    notice: fn(&str, Kind, Option<i64>) -> Option<Response>,
}

/// Every token is this one.
pub const TOKEN: &str = "AQAEAMockTokenOfTheDay==";

impl Script {
    /// Whether a notice stands so long after the start.
    pub fn stands(&self, elapsed: Duration) -> bool {
        elapsed >= self.after && self.withdraw.is_none_or(|withdraw| elapsed < self.after + withdraw)
    }

    /// The answer so long after the `start`, in seconds since 1970.
    pub fn answer(&self, request: &Request, start: i64, elapsed: Duration) -> Response {
        let mut response = self.inner(request, start, elapsed);
        if self.cloud.name == "GoogleCloud" {
            response.headers.push(("Metadata-Flavor", "Google".to_owned()));
            response.headers.push(("ETag", if self.stands(elapsed) { "b16b00b5" } else { "c0ffee00" }.to_owned()));
        }
        let now = start + i64::try_from(elapsed.as_secs()).unwrap_or(0);
        response.headers.push(("Date", rfc1123(now)));
        response
    }

    fn inner(&self, request: &Request, start: i64, elapsed: Duration) -> Response {
        let cloud = self.cloud;
        if let Some(error) = self.error {
            return status(error);
        }
        if request.header("x-forwarded-for").is_some() {
            return status(403);
        }
        if cloud.header.is_some_and(|(name, value)| request.header(name) != Some(value)) {
            return status(if cloud.name == "Azure" { 400 } else { 403 });
        }
        if let Some([path, life, header]) = cloud.token {
            if request.path == path {
                return match request.header(life).and_then(|life| life.parse().ok()) {
                    _ if request.method != "PUT" => status(405),
                    Some(1..=21_600_u32) => ok(TOKEN),
                    _ => status(400),
                };
            }
            let shown = request.header(header);
            if shown.is_some_and(|token| token != TOKEN) || (self.hardened && shown.is_none()) {
                return status(401);
            }
        }
        if request.method == "POST" && cloud.name == "Azure" {
            return ok("");
        }
        let time = start + i64::try_from((self.after + self.lead).as_secs()).unwrap_or(0);
        let time = self.stands(elapsed).then_some(time);
        let item = cloud.items.iter().find(|(path, _)| *path == request.path);
        (cloud.notice)(&request.path, self.kind, time)
            .or_else(|| item.map(|(_, body)| ok(*body)))
            .unwrap_or_else(|| status(404))
    }
}

/// 404, or what `body` makes of the time.
fn absent(time: Option<i64>, body: impl FnOnce(i64) -> String) -> Option<Response> {
    Some(time.map_or_else(|| status(404), |time| ok(body(time))))
}

fn alicloud(path: &str, _: Kind, time: Option<i64>) -> Option<Response> {
    match path {
        "/latest/meta-data/instance/spot/termination-time" => absent(time, utc),
        _ => None,
    }
}

fn tencent(path: &str, _: Kind, time: Option<i64>) -> Option<Response> {
    match path {
        "/latest/meta-data/spot/termination-time" => absent(time, |time| plain(time + 8 * 3600)),
        _ => None,
    }
}

fn aws(path: &str, kind: Kind, time: Option<i64>) -> Option<Response> {
    let of = |wanted: Kind| time.filter(|_| kind == wanted);
    match path {
        "/latest/meta-data/spot/instance-action" => {
            absent(of(Kind::Interrupt), |time| format!(r#"{{"action":"terminate","time":"{}"}}"#, utc(time)))
        }
        "/latest/meta-data/events/recommendations/rebalance" => {
            absent(of(Kind::Rebalance), |time| format!(r#"{{"noticeTime":"{}"}}"#, utc(time - 120)))
        }
        "/latest/meta-data/autoscaling/target-lifecycle-state" => Some(ok("InService")),
        "/latest/meta-data/events/maintenance/scheduled" => Some(ok(match of(Kind::Maintenance) {
            None => "[]".to_owned(),
            Some(time) => format!(
                r#"[{{"NotBefore":"{}","Code":"system-reboot","Description":"scheduled reboot","EventId":"instance-event-0d59937288b749b32","State":"active"}}]"#,
                &rfc1123(time)[5..]
            ),
        })),
        _ => None,
    }
}

fn google(path: &str, kind: Kind, time: Option<i64>) -> Option<Response> {
    let of = |wanted: Kind| time.is_some() && kind == wanted;
    match path {
        "/computeMetadata/v1/instance/preempted" => Some(ok(if of(Kind::Interrupt) { "TRUE" } else { "FALSE" })),
        "/computeMetadata/v1/instance/maintenance-event" => {
            Some(ok(if of(Kind::Maintenance) { "MIGRATE_ON_HOST_MAINTENANCE" } else { "NONE" }))
        }
        _ => None,
    }
}

fn azure(path: &str, kind: Kind, time: Option<i64>) -> Option<Response> {
    if path != "/metadata/scheduledevents" {
        return None;
    }
    let what = if kind == Kind::Maintenance { "Reboot" } else { "Preempt" };
    let event = |machine: &str, time: i64| {
        format!(
            r#"{{"EventId":"{machine}-602d9444-d2cd-49c7","EventStatus":"Scheduled","EventType":"{what}","ResourceType":"VirtualMachine","Resources":["{machine}"],"NotBefore":"{}","Description":"","EventSource":"Platform","DurationInSeconds":-1}}"#,
            rfc1123(time)
        )
    };
    // Another machine of the scale set is always about to go.
    let mut events = event("myvmss_7", 4_102_444_800);
    if let Some(time) = time {
        events = format!("{events},{}", event("myvmss_3", time));
    }
    Some(ok(format!(r#"{{"DocumentIncarnation":7,"Events":[{events}]}}"#)))
}

fn huawei(path: &str, _: Kind, time: Option<i64>) -> Option<Response> {
    match path {
        "/openstack/latest/spot/instance-action" => {
            absent(time, |time| format!(r#"{{"action":"terminate","timestamp":"{}"}}"#, plain(time)))
        }
        _ => None,
    }
}

fn volcengine(path: &str, _: Kind, time: Option<i64>) -> Option<Response> {
    match path {
        "/latest/spot_instance_termination_time" => absent(time, utc),
        _ => None,
    }
}

/// All clouds.
pub static CLOUDS: [Cloud; 7] = [
    Cloud {
        name: "AliCloud",
        address: "100.100.100.200:80",
        token: Some(["/latest/api/token", "x-aliyun-ecs-metadata-token-ttl-seconds", "x-aliyun-ecs-metadata-token"]),
        header: None,
        items: &[
            ("/latest/meta-data/instance-id", "i-bp67acfmxazb4ph"),
            (
                "/latest/dynamic/instance-identity/document",
                r#"{"zone-id":"cn-hangzhou-i","serial-number":"4a5b","instance-id":"i-bp67acfmxazb4ph","region-id":"cn-hangzhou","private-ipv4":"172.16.101.10","owner-account-id":"1","mac":"00:16:3e","image-id":"x","instance-type":"ecs.g7.large"}"#,
            ),
        ],
        lead: Duration::from_secs(300),
        notice: alicloud,
    },
    Cloud {
        name: "TencentCloud",
        address: "metadata.tencentyun.com:80",
        token: None,
        header: None,
        items: &[
            ("/latest/meta-data/instance-id", "ins-5b1pyn3w"),
            ("/latest/meta-data/placement/region", "ap-guangzhou"),
            ("/latest/meta-data/placement/zone", "ap-guangzhou-3"),
            ("/latest/meta-data/instance/instance-type", "S5.MEDIUM2"),
            ("/latest/meta-data/local-ipv4", "10.0.0.5"),
            ("/latest/meta-data/public-ipv4", "43.136.0.5"),
        ],
        lead: Duration::from_secs(120),
        notice: tencent,
    },
    Cloud {
        name: "AWS",
        address: "169.254.169.254:80",
        token: Some(["/latest/api/token", "x-aws-ec2-metadata-token-ttl-seconds", "x-aws-ec2-metadata-token"]),
        header: None,
        items: &[
            ("/latest/meta-data/instance-id", "i-0123456789abcdef0"),
            (
                "/latest/dynamic/instance-identity/document",
                r#"{"accountId":"123456789012","architecture":"x86_64","availabilityZone":"us-east-1a","billingProducts":null,"imageId":"ami-1","instanceId":"i-0123456789abcdef0","instanceType":"c7g.large","privateIp":"172.31.0.9","region":"us-east-1","version":"2017-09-30"}"#,
            ),
        ],
        lead: Duration::from_secs(120),
        notice: aws,
    },
    Cloud {
        name: "GoogleCloud",
        address: "169.254.169.254:80",
        token: None,
        header: Some(("metadata-flavor", "Google")),
        items: &[
            ("/computeMetadata/v1/instance/id", "4520031799277581759"),
            ("/computeMetadata/v1/instance/zone", "projects/123/zones/us-central1-a"),
            ("/computeMetadata/v1/instance/machine-type", "projects/123/machineTypes/e2-small"),
            ("/computeMetadata/v1/instance/network-interfaces/0/ip", "10.128.0.2"),
            ("/computeMetadata/v1/instance/network-interfaces/0/access-configs/0/external-ip", "34.71.0.2"),
        ],
        lead: Duration::from_secs(30),
        notice: google,
    },
    Cloud {
        name: "Azure",
        address: "169.254.169.254:80",
        token: None,
        header: Some(("metadata", "true")),
        items: &[(
            "/metadata/instance",
            r#"{"compute":{"evictionPolicy":"Deallocate","location":"westeurope","name":"myvmss_3","priority":"Spot","vmId":"02aab8a4-74ef-476e-8182-f6d2ba4166a6","vmSize":"Standard_A1","zone":"1"},"network":{"interface":[{"ipv4":{"ipAddress":[{"privateIpAddress":"10.0.0.4","publicIpAddress":"20.71.0.4"}]},"macAddress":"000D3A"}]}}"#,
        )],
        lead: Duration::from_secs(30),
        notice: azure,
    },
    Cloud {
        name: "HuaweiCloud",
        address: "169.254.169.254:80",
        token: Some(["/meta-data/latest/api/token", "x-metadata-token-ttl-seconds", "x-metadata-token"]),
        header: None,
        items: &[
            (
                "/openstack/latest/meta_data.json",
                r#"{"uuid":"d8e02d56-2648-49a3-bf97-6be8f1204f38","availability_zone":"cn-north-4a","region_id":"cn-north-4","hostname":"web.novalocal","name":"web"}"#,
            ),
            ("/latest/meta-data/instance-id", "i-0000"),
            ("/latest/meta-data/instance-type", "s6.large.2"),
            ("/latest/meta-data/local-ipv4", "192.168.0.7"),
        ],
        lead: Duration::from_secs(300),
        notice: huawei,
    },
    Cloud {
        name: "Volcengine",
        address: "100.96.0.96:80",
        token: None,
        header: None,
        items: &[("/latest/instance_id", "i-3tiefmkskq3vj0"), ("/latest/private_ipv4", "172.31.0.2")],
        lead: Duration::from_secs(300),
        notice: volcengine,
    },
];

/// `2026-05-01T18:02:00Z`.
pub fn utc(time: i64) -> String {
    plain(time).replace(' ', "T") + "Z"
}

/// `2026-05-01 18:02:00`.
pub fn plain(time: i64) -> String {
    let (year, month, day) = date(time);
    let second = time.rem_euclid(86_400);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

/// `Fri, 01 May 2026 18:02:00 GMT`.
pub fn rfc1123(time: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (year, month, day) = date(time);
    let weekday = DAYS[usize::try_from(time.div_euclid(86_400).rem_euclid(7)).unwrap_or(0)];
    format!("{weekday}, {day:02} {} {year:04} {} GMT", MONTHS[month - 1], &plain(time)[11..])
}

/// Year, month and day of the Gregorian calendar, found by counting.
fn date(time: i64) -> (i64, usize, i64) {
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let (mut days, mut year) = (time.div_euclid(86_400), 1970);
    while days >= 365 + i64::from(leap(year)) {
        days -= 365 + i64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + i64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    (year, month + 1, days + 1)
}
