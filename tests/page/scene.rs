//! States to be shown: all is well, all kinds of trouble, strangers' names, very many hosts.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use interrupt_callback::alert::history::{History, Incident};
use interrupt_callback::alert::retry::ChannelState;
use interrupt_callback::alert::standing::{ChannelStatus, DeskStatus};
use interrupt_callback::clock::{Boot, Now, Tick, Wall};
use interrupt_callback::config::plan::{Cloud, Language};
use interrupt_callback::event::{Event, Fact, Field, Id, Kind, Moment};
use interrupt_callback::http::days::Days;
use interrupt_callback::http::page::Page;
use interrupt_callback::keepalive::client::ClientStatus;
use interrupt_callback::keepalive::host::{Cause, Host, Standing};
use interrupt_callback::keepalive::silences::{Lasts, Silences};
use interrupt_callback::probe;
use interrupt_callback::readings::Readings;
use interrupt_callback::resource;
use interrupt_callback::run::status::{Jobs, Status, WebAgent};
use interrupt_callback::spot::SpotStatus;
use interrupt_callback::spot::tracker::SpotState;
use interrupt_callback::zone::Zone;

const ME: &str = "vps@tokyo";
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
pub const NOW: Now = Now { tick: Tick(200 * DAY), wall: Wall(1_795_258_800_000), boot: Boot(7) };

/// What is to be shown.
pub struct Scene {
    pub zone: Zone,
    pub hosts: Vec<(Box<str>, Host)>,
    pub silences: Silences,
    pub probes: Vec<probe::Standing>,
    pub resources: Vec<resource::Standing>,
    pub spot: Option<SpotStatus>,
    pub monitors: Vec<ClientStatus>,
    pub desk: DeskStatus,
    pub jobs: Option<Jobs>,
    pub history: History,
    pub days: Mutex<Days>,
    pub agents: Vec<WebAgent>,
}

fn ago(ms: i64) -> Tick {
    Tick(NOW.tick.0 - ms)
}

fn agent(name: &str, state: &'static str) -> WebAgent {
    WebAgent { name: name.to_owned(), state, lasts: 9 * MINUTE, queued: 1, delayed: 0, running: 2 }
}

pub fn host(standing: Standing, silent: i64, note: &str) -> Host {
    let load = note.len() as u32 * 7 + 12;
    let readings = Readings {
        load: Some(load),
        cores: Some(4),
        memory: Some(43),
        disk: Some(71),
        temperature: Some(485),
        note: note.to_owned(),
        ..Readings::default()
    };
    Host {
        seq: 1,
        incident: Id(1),
        user: None,
        from: SocketAddr::from(([10, 8, 0, (load % 250) as u8], 40_000)),
        protocol: 2,
        standing,
        since: ago(silent),
        detected: None,
        cause: Cause::Silence,
        told: (standing == Standing::Offline).then(|| ago(silent - MINUTE)),
        begun: standing == Standing::Offline,
        group: None,
        remind: None,
        postponed: 0,
        flapping: None,
        last: ago(silent),
        about: false,
        deadline: NOW.tick + Duration::from_secs(40),
        lease_end: Tick(0),
        period: 30_000,
        worst_gap: 31_000,
        boot: 1,
        run: 1,
        run_seq: 1,
        announced: None,
        carried: Vec::new(),
        old_key: false,
        readings: Some(Box::new(readings)),
        uptime: Duration::from_secs(86_400 * 12 + 7200),
        former: (0, Tick(0)),
    }
}

pub fn probe(name: &str, kind: &'static str, target: &str, state: probe::State, detail: &str) -> probe::Standing {
    probe::Standing {
        name: name.to_owned(),
        kind,
        target: target.to_owned(),
        state,
        since: Some(ago(3 * HOUR)),
        last: Some(ago(12_000)),
        took: Some(Duration::from_millis(35)),
        detail: detail.to_owned(),
        because: None,
    }
}

fn channel(name: &str, state: ChannelState, queued: usize) -> ChannelStatus {
    ChannelStatus { name: name.to_owned(), queued, state, held: None, last_delivered: None, lost: 0 }
}

fn moment(ms_ago: i64) -> Moment {
    Moment::at(ago(ms_ago), &NOW)
}

/// The clocks so long ago.
fn then(ms_ago: i64) -> Now {
    Now { tick: ago(ms_ago), wall: Wall(NOW.wall.0 - ms_ago), boot: NOW.boot }
}

impl Scene {
    /// Seven hosts and two probes, of which nothing bad is to be said.
    pub fn well() -> Scene {
        let names = ["nas@home", "web-1@aliyun", "web-2@aliyun", "build@office", "router@cupboard", "pi@garden"];
        let notes = ["backup finished", "", "", "3 builds wait", "", ""];
        let host =
            |(name, note): (&str, &str)| ((*name).into(), host(Standing::Up, 4000 + 900 * name.len() as i64, note));
        let up = probe::State::Up;
        let mut scene = Scene {
            zone: Zone::load(Some("+08:00")).unwrap(),
            hosts: names.into_iter().zip(notes).map(host).collect(),
            silences: Silences::default(),
            probes: vec![
                probe("shop", "http", "shop.example.com", up, "200"),
                probe("ssh", "tcp", "10.8.0.4:22", up, ""),
                probe("nightly backup", "ping", "every 1 d", up, "exit 0"),
            ],
            resources: ["memory", "swap", "disk /", "disk /var"].map(resource_of).into_iter().collect(),
            spot: Some(SpotStatus {
                cloud: Cloud::AliCloud,
                identity: "i-2ze5u1 (ecs.g7.large, cn-beijing-h)".to_owned(),
                last_good: Some(ago(3000)),
                state: SpotState::Quiet,
            }),
            monitors: vec![ClientStatus {
                label: "ic://default@172.16.101.10:9080".to_owned(),
                server: Some("hub@office".to_owned()),
                last: Some(ago(9000)),
                failures: 0,
                error: None,
                farewell: None,
                passed_over: Vec::new(),
            }],
            desk: DeskStatus {
                channels: vec![channel("feishu", ChannelState::Well, 0), channel("mail", ChannelState::Well, 0)],
                ..DeskStatus::default()
            },
            jobs: Some(Jobs { running: 2, waiting: 5, failed: 0, hosts: vec![("build@office".to_owned(), 2)] }),
            history: History::default(),
            days: Mutex::new(Days::new(&Zone::utc())),
            agents: vec![agent("backup-pc", "online")],
        };
        scene.days.get_mut().unwrap().to_save(0, &then(80 * DAY));
        for (kind, who, began, lasted) in [
            (Kind::Offline, "nas@home", 71 * DAY, 3 * HOUR),
            (Kind::Offline, "nas@home", 40 * DAY, 12 * MINUTE),
            (Kind::Offline, "web-1@aliyun", 33 * DAY, 30 * HOUR),
            (Kind::Offline, "web-1@aliyun", 12 * DAY, 25 * MINUTE),
            (Kind::Offline, "pi@garden", 3 * DAY, 50 * MINUTE),
            (Kind::ProbeDown, "shop", 20 * DAY, 4 * HOUR),
            (Kind::ProbeDown, "shop", 2 * DAY, 3 * MINUTE),
            (Kind::Rebooted, "build@office", DAY, 0),
        ] {
            scene.happened(kind, who, began, Some(lasted));
        }
        scene
    }

    /// The same with every kind of trouble.
    pub fn trouble() -> Scene {
        let mut scene = Scene::well();
        let add = |scene: &mut Scene, name: &str, host: Host| scene.hosts.push((name.into(), host));
        add(&mut scene, "db@aliyun", host(Standing::Offline, 47 * MINUTE, "replica of db-2"));
        add(&mut scene, "printer@office", host(Standing::Offline, 5 * DAY, ""));
        let spot = Host { announced: Some(NOW.tick + Duration::from_secs(120)), ..host(Standing::Up, 9000, "") };
        add(&mut scene, "worker-7@spot", spot);
        add(&mut scene, "worker-3@spot", host(Standing::Reclaimed, 26 * HOUR, ""));
        add(&mut scene, "laptop@anna", host(Standing::Stopped, 9 * HOUR, ""));
        let unheard = Host { cause: Cause::Expected, readings: None, ..host(Standing::Offline, HOUR, "") };
        add(&mut scene, "camera@yard", unheard);
        assert!(
            scene.silences.add("printer*", Lasts::Open, &NOW) && scene.silences.add("pi@garden", Lasts::Open, &NOW)
        );
        scene.happened(Kind::Offline, "db@aliyun", 47 * MINUTE, None);
        scene.happened(Kind::ProbeDown, "intranet", 3 * HOUR, None);
        scene.happened(Kind::Interrupt, ME, 2 * MINUTE, None);
        let why = "connect to 10.8.0.9:443: connection refused";
        scene.probes.push(probe("intranet", "http", "intranet.example.com", probe::State::Down, why));
        let because = Some("db@aliyun".to_owned());
        let down = probe("reports", "http", "reports.example.com", probe::State::Down, "status 502, wanted 200");
        scene.probes.push(probe::Standing { because, ..down });
        scene.probes.push(probe::Standing {
            last: None,
            took: None,
            ..probe("dns", "dns", "resolver", probe::State::Unknown, "")
        });
        let high =
            resource::Standing { state: resource::State::High, value: "96 %".to_owned(), ..resource_of("disk /srv") };
        scene.resources.push(resource::Standing { host: "nas@home".to_owned(), ..high });
        scene.resources.push(resource::Standing { state: resource::State::Unknown, ..resource_of("temperature") });
        scene.spot.as_mut().unwrap().state =
            SpotState::Notice { until: Some(Wall(NOW.wall.0 + 3 * MINUTE)), action: "release".to_owned(), lead: None };
        let why = "status 200: code 19024, Key Words Not Found".to_owned();
        scene.desk.channels.push(channel(
            "ops",
            ChannelState::Parked { why, until: NOW.tick + Duration::from_secs(3000) },
            4,
        ));
        scene.agents.push(agent("build-box", "offline"));
        scene.monitors[0].failures = 4;
        scene.monitors[0].error = Some("connection timed out".to_owned());
        scene
    }

    /// Names and notes as a stranger with a key may choose them.
    pub fn hostile() -> Scene {
        let mut scene = Scene::trouble();
        let nasty = "<script>alert(1)</script>\"><img src=//evil.example/x onerror='x()'>\u{202e}gpj.exe\u{0}&lt;";
        let mut host = host(Standing::Offline, HOUR, nasty);
        host.announced = Some(NOW.tick);
        scene.hosts.push((nasty.into(), host));
        scene.probes.push(probe(nasty, "tcp", nasty, probe::State::Down, nasty));
        scene.resources.push(resource::Standing {
            host: nasty.to_owned(),
            value: nasty.to_owned(),
            state: resource::State::High,
            ..resource_of(nasty)
        });
        scene.monitors[0].label = nasty.to_owned();
        scene.monitors[0].error = Some(nasty.to_owned());
        scene.agents.push(agent(nasty, "offline"));
        scene.desk.unwritable = Some((nasty.to_owned(), moment(HOUR)));
        scene.spot.as_mut().unwrap().identity = nasty.to_owned();
        scene.happened(Kind::Offline, nasty, HOUR, None);
        scene
    }

    /// So many hosts, every hundredth of them silent.
    pub fn crowd(count: usize) -> Scene {
        let mut scene = Scene::well();
        scene.hosts.clear();
        for n in 0..count {
            let standing = if n % 100 == 7 { Standing::Offline } else { Standing::Up };
            let name = format!("worker-{n:05}@spot");
            scene.hosts.push((name.clone().into(), host(standing, 5000, "busy")));
            if n % 100 == 7 {
                scene.happened(Kind::Offline, &name, 30 * DAY, Some(HOUR));
            }
        }
        scene
    }

    fn happened(&mut self, kind: Kind, who: &str, began: i64, lasted: Option<i64>) {
        let incident = Id::of(&[who.as_bytes(), &began.to_be_bytes()]);
        let of_probe = kind == Kind::ProbeDown;
        let mut tell = |kind: Kind, when: i64| {
            let subject = if of_probe { ME } else { who };
            let mut event =
                Event::new(kind, incident, subject, moment(when)).with(Field::Since, Fact::Time(moment(began)));
            if of_probe {
                event = event.with_text(Field::Probe, who);
            }
            self.history.note(&event);
            self.days.get_mut().unwrap().note(&event, &then(when));
        };
        tell(kind, began);
        match lasted {
            Some(lasted) if lasted > 0 => tell(if of_probe { Kind::ProbeUp } else { Kind::Online }, began - lasted),
            _ => {}
        }
    }

    /// What `take` makes of it.
    pub fn show<T>(&self, language: Language, take: impl FnOnce(&Page<'_>) -> T) -> T {
        let status = Status {
            name: ME,
            folder: "/var/lib/interrupt-callback",
            zone: &self.zone,
            now: NOW,
            running: Duration::from_secs(93_784),
            server: Some(Vec::new()),
            hosts: self.hosts.clone(),
            silences: self.silences.standing(&NOW),
            windows: Vec::new(),
            held: None,
            spot: self.spot.clone(),
            monitors: self.monitors.clone(),
            callbacks: Vec::new(),
            jobs: self.jobs.clone(),
            queue: None,
            web: Vec::new(),
            agents: self.agents.clone(),
            probes: self.probes.clone(),
            resources: self.resources.clone(),
            desk: self.desk.clone(),
        };
        let incidents: Vec<Incident> = self.history.of("").into_iter().cloned().collect();
        take(&Page { status: &status, incidents: &incidents, days: &self.days, language })
    }

    pub fn html(&self, language: Language) -> String {
        self.show(language, |page| page.html())
    }
}

fn resource_of(name: &str) -> resource::Standing {
    resource::Standing {
        host: ME.to_owned(),
        resource: name.to_owned(),
        value: "43 %".to_owned(),
        limit: "90 %".to_owned(),
        state: resource::State::Normal,
        since: Some(ago(25 * MINUTE)),
    }
}
