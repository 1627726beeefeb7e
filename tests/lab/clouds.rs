//! Metadata services at their real addresses, with the configuration as it is by default.

#![expect(clippy::unwrap_used, reason = "a test may fail wherever it wants to")]

use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use crate::clouds::mock::{CLOUDS, Kind, Request, Script};
use interrupt_callback::clock;

use super::net::{Site, lab, run};
use super::resolver::{FakeDns, client};
use crate::common::daemon::{Daemon, command};
use crate::common::http::{Answer, Asked, FakeHttp};
use crate::common::{TempDir, wait_within};

/// Blindness is told after a minute.
const LONG: Duration = Duration::from_secs(120);
/// Where Tencent's name leads here.
const TENCENT: &str = "169.254.0.23";

/// A service whose notice stands from the beginning.
fn noticed(name: &str) -> impl FnMut(&Asked) -> Answer + Send + 'static {
    let cloud = CLOUDS.iter().find(|cloud| cloud.name == name).unwrap();
    let (after, kind) = (Duration::ZERO, Kind::Interrupt);
    let script = Script { cloud, kind, after, withdraw: None, lead: cloud.lead, hardened: false, error: None };
    let start = clock::wall().secs();
    move |asked: &Asked| {
        let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
        let headers = asked.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
        let request = Request { method: asked.method.clone(), path: path.to_owned(), query: query.to_owned(), headers };
        let response = script.answer(&request, start, Duration::ZERO);
        let headers: String =
            response.headers.iter().map(|(name, value)| [name, ": ", value, "\r\n"].concat()).collect();
        let head = format!("HTTP/1.1 {} X\r\ncontent-length: {}\r\n", response.status, response.body.len());
        Answer::Raw([head, headers, "\r\n".to_owned(), response.body].concat().into_bytes())
    }
}

fn config(name: &str, hook: &str) -> String {
    format!("provider = \"{name}\"\n[alert.hook]\nkind = \"webhook\"\nurl = \"{hook}\"\n")
}

/// The hook where a site reaches it.
fn at_hub(site: &Site, hook: &FakeHttp) -> String {
    format!("http://{}:{}/", site.hub(false), hook.address().port())
}

#[test]
fn real_addresses_with_the_default_configuration() {
    lab(|| {
        let site = Site::new(1);
        for address in ["100.100.100.200/32", "169.254.169.254/32", "100.96.0.96/32", "169.254.0.23/32"] {
            run(&["ip", "addr", "add", address, "dev", "lo"]);
        }
        run(&["ip", "-6", "addr", "add", "fd00:ec2::254/128", "dev", "lo", "nodad"]);
        site.inside(&["ip", "-6", "route", "add", "fd00:ec2::254/128", "via", &site.hub(true).to_string()]);
        let tencent: IpAddr = TENCENT.parse().unwrap();
        let _dns = FakeDns::start(site.hub(false), tencent);
        let shared = FakeHttp::start_at("169.254.169.254:80".parse().unwrap(), noticed("AWS"));
        let v6 = FakeHttp::start_at("[fd00:ec2::254]:80".parse().unwrap(), noticed("AWS"));
        let _own =
            [("100.100.100.200:80", "AliCloud"), ("100.96.0.96:80", "Volcengine"), ("169.254.0.23:80", "TencentCloud")]
                .map(|(address, name)| FakeHttp::start_at(address.parse().unwrap(), noticed(name)));
        let hook = FakeHttp::start_at("0.0.0.0:0".parse().unwrap(), |_| Answer::ok(""));
        for cloud in &CLOUDS {
            shared.set(noticed(if cloud.address.starts_with("169.254.169.254") { cloud.name } else { "AWS" }));
            let (count, dir) = (hook.asked().len(), TempDir::new());
            let config = config(cloud.name, &at_hub(&site, &hook));
            let _daemon = match cloud.name {
                "TencentCloud" => client(&site, dir.path(), site.hub(false), &config),
                _ => site.daemon(dir.path(), &config),
            };
            let told = hook.posts(count + 1).remove(count).text();
            println!("{} at {}: {told}", cloud.name, cloud.address);
            assert!(told.contains("\"interrupt\"") && told.contains(cloud.name), "{told}");
        }
        let (count, dir) = (hook.asked().len(), TempDir::new());
        shared.set(|_| Answer::status(404, ""));
        let config = config("AWS", &at_hub(&site, &hook)) + "[spot]\nipv6 = true\n";
        let _daemon = site.daemon(dir.path(), &config);
        assert!(hook.posts(count + 1)[count].text().contains("\"interrupt\""));
        assert!(!v6.asked().is_empty());
    });
}

#[test]
fn auto_goes_by_what_the_firmware_says() {
    lab(|| {
        let (dir, dmi) = (TempDir::new(), "/sys/class/dmi/id");
        run(&["mount", "-t", "tmpfs", "none", "/sys/class"]);
        fs::create_dir_all(dmi).unwrap();
        let file = dir.join("c.toml");
        fs::write(
            &file,
            "provider = \"Auto\"\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"0123456789abcdef\"\n",
        )
        .unwrap();
        let check = || {
            let output = command().arg("check").arg("--config").arg(&file).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
        };
        let text = check();
        assert!(text.contains("names no known cloud") && !text.contains("  spot "), "{text}");
        for (item, value, line) in [
            ("product_name", "Alibaba Cloud ECS\n", "spot     AliCloud every 10s"),
            ("sys_vendor", "Amazon EC2\n", "spot     AWS every 5s"),
            ("chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77\n", "spot     Azure every 1s"),
        ] {
            fs::write(format!("{dmi}/{item}"), value).unwrap();
            let text = check();
            assert!(text.contains(line) && !text.contains("no known cloud"), "{text}");
            fs::remove_file(format!("{dmi}/{item}")).unwrap();
        }
    });
}

/// Clock ticks that a process has used.
fn cpu(daemon: &Daemon) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", daemon.pid())).unwrap();
    let rest: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    rest[11].parse::<u64>().unwrap() + rest[12].parse::<u64>().unwrap()
}

#[test]
#[ignore = "long: blindness is told after 60 s"]
fn off_cloud_there_is_one_alert_and_no_noise() {
    lab(|| {
        let site = Site::new(1);
        // What goes to these addresses is lost without a word, as on most networks.
        let nobody = "10.77.1.99";
        site.inside(&[
            "ip",
            "neigh",
            "replace",
            nobody,
            "lladdr",
            "02:00:00:00:00:99",
            "nud",
            "permanent",
            "dev",
            "eth0",
        ]);
        for address in ["100.100.100.200/32", "169.254.169.254/32", "100.96.0.96/32"] {
            site.inside(&["ip", "route", "add", address, "via", nobody]);
        }
        let hook = FakeHttp::start_at("0.0.0.0:0".parse().unwrap(), |_| Answer::ok(""));
        let dirs: Vec<TempDir> = CLOUDS.iter().map(|_| TempDir::new()).collect();
        let mut daemons: Vec<Daemon> = CLOUDS
            .iter()
            .zip(&dirs)
            .map(|(cloud, dir)| site.daemon(dir.path(), &config(cloud.name, &at_hub(&site, &hook))))
            .collect();
        let told =
            wait_within(LONG, "an alert of each", || Some(hook.asked()).filter(|told| told.len() >= CLOUDS.len()));
        for (cloud, daemon) in CLOUDS.iter().zip(&mut daemons) {
            let own: Vec<String> =
                told.iter().map(Asked::text).filter(|text| text.contains(&format!("Cloud: {}", cloud.name))).collect();
            println!("{}: {own:?}", cloud.name);
            assert!(own.len() == 1 && own[0].contains("\"blind\"") && own[0].contains("What to do"), "{own:?}");
            let ticks = cpu(daemon);
            let text = daemon.output();
            let lines = text.lines().filter(|line| line.contains(cloud.name)).count();
            println!("{}: {ticks} ticks of CPU, {lines} lines", cloud.name);
            assert!(lines <= 4, "{text}");
            assert!(ticks < 200, "{}: {ticks} ticks in a minute", cloud.name);
        }
    });
}
