//! A network of its own: the test runs again in private namespaces (user, mount, process, network), of which nothing
//! is left when it ends, however it ends.
//!
//! The test's own namespace is the hub. Each [`Site`] is a network namespace behind a pair of virtual interfaces,
//! `hN` on the hub and `eth0` in the site, with the networks 10.77.N.0/24 and fd77:N::/64; the hub is number 1 in
//! each, the site number 2. The hub forwards.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail wherever it wants to, and shows why")]

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::TempDir;
use crate::common::daemon::{Daemon, wrap};

/// Set in the inner run.
const INSIDE: &str = "IC_LAB";
/// An address that no interface has.
const NOBODY: &str = "02:00:00:00:00:99";

/// Runs `test` in a network of its own, whose loopback is up. `test` stands in the test function itself: its type
/// tells the function's name, by which this program is called again.
pub fn lab<F: FnOnce()>(test: F) {
    if std::env::var_os(INSIDE).is_some() {
        prepare();
        return test();
    }
    let unshare = match unshare() {
        Ok(words) => words,
        Err(why) => {
            assert!(std::env::var_os("IC_NO_SKIP").is_none(), "no network namespaces: {why}");
            eprintln!("SKIPPED: no network namespaces, links are not cut: {why}");
            return;
        }
    };
    let path = std::any::type_name::<F>();
    let name = path.split_once("::").unwrap().1.trim_end_matches("::{{closure}}");
    let mut again = Command::new(unshare[0]);
    again.args(&unshare[1..]).arg(std::env::current_exe().unwrap());
    again.args(["--exact", name, "--include-ignored", "--nocapture"]);
    // Process ids in there begin at 1: names made of them need a folder that differs.
    let dir = TempDir::new();
    let output = again.env(INSIDE, "1").env("TMPDIR", dir.path()).stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("1 passed"), "{name}: {}", output.status);
}

/// The words that make namespaces in which the caller is root, and end with them what runs in them: with a user
/// namespace, or as root without.
fn unshare() -> Result<Vec<&'static str>, String> {
    let script = "mount -t tmpfs none /run && mkdir /run/netns && ip netns add a && nsenter --net=/run/netns/a true \
        && ip link add h1 type veth peer name eth0 netns a";
    let mut why = Vec::new();
    for user in [&["--user", "--map-root-user"][..], &[]] {
        let rest = ["--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "--"];
        let words = [&["unshare"], user, &rest].concat();
        match Command::new(words[0]).args(&words[1..]).args(["sh", "-c", script]).output() {
            Ok(output) if output.status.success() => return Ok(words),
            Ok(output) => why.push(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => why.push(error.to_string()),
        }
    }
    Err(why.join("; "))
}

fn prepare() {
    run(&["mount", "-t", "tmpfs", "none", "/run"]);
    fs::create_dir("/run/netns").unwrap();
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
    run(&["ip", "link", "set", "lo", "up"]);
}

/// Runs a command that must succeed, and returns what it says.
pub fn run(words: &[impl AsRef<str>]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    let output = Command::new(words[0]).args(&words[1..]).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A place behind a link of its own.
pub struct Site {
    number: u8,
    /// `hN` on the hub.
    hub_end: String,
    /// The file by which its namespace is entered.
    namespace: String,
    hub_mac: String,
    site_mac: String,
}

impl Site {
    /// Site `number`, with its link up.
    pub fn new(number: u8) -> Site {
        let name = format!("site{number}");
        let namespace = format!("/run/netns/{name}");
        let hub_end = format!("h{number}");
        run(&["ip", "netns", "add", &name]);
        run(&["ip", "link", "add", &hub_end, "type", "veth", "peer", "name", "eth0", "netns", &name]);
        let mut site = Site { number, hub_end, namespace, hub_mac: String::new(), site_mac: String::new() };
        site.inside(&["ip", "link", "set", "lo", "up"]);
        site.mend_here();
        site.mend_there();
        site.hub_mac = mac(&["ip", "-o", "link", "show", &site.hub_end]);
        let show = ["ip", "-o", "link", "show", "eth0"].map(str::to_owned);
        site.site_mac = mac(&[site.enter(), show.to_vec()].concat());
        site
    }

    /// The words before a command that make it run there.
    pub fn enter(&self) -> Vec<String> {
        vec!["nsenter".into(), format!("--net={}", self.namespace), "--".into()]
    }

    /// Runs a command there, which must succeed.
    pub fn inside(&self, words: &[impl AsRef<str>]) {
        let mut all = self.enter();
        all.extend(words.iter().map(|word| word.as_ref().to_owned()));
        run(&all);
    }

    /// Starts a daemon there.
    pub fn daemon(&self, dir: &Path, config: &str) -> Daemon {
        Daemon::start_with(dir, config, |command| wrap(command, &self.enter()))
    }

    /// The hub, as seen from there.
    pub fn hub(&self, v6: bool) -> IpAddr {
        self.address(v6, 1)
    }

    /// Its own address.
    pub fn own(&self, v6: bool) -> IpAddr {
        self.address(v6, 2)
    }

    fn address(&self, v6: bool, host: u8) -> IpAddr {
        if v6 {
            Ipv6Addr::new(0xfd77, self.number.into(), 0, 0, 0, 0, 0, host.into()).into()
        } else {
            Ipv4Addr::new(10, 77, self.number, host).into()
        }
    }

    /// The site's interface goes down.
    pub fn cut_here(&self) {
        self.inside(&["ip", "link", "set", "eth0", "down"]);
    }

    /// The hub's interface goes down: the site sees no more than a lost carrier.
    pub fn cut_there(&self) {
        run(&["ip", "link", "set", &self.hub_end, "down"]);
    }

    /// The site's interface as it was: the kernel drops IPv6 addresses and routes with the link.
    pub fn mend_here(&self) {
        self.inside(&["ip", "link", "set", "eth0", "up"]);
        for v6 in [false, true] {
            self.inside(&address(v6, &self.with_prefix(v6, 2), "eth0"));
        }
        self.inside(&["ip", "route", "replace", "default", "via", &self.hub(false).to_string()]);
    }

    /// The hub's interface as it was.
    pub fn mend_there(&self) {
        run(&["ip", "link", "set", &self.hub_end, "up"]);
        for v6 in [false, true] {
            run(&address(v6, &self.with_prefix(v6, 1), &self.hub_end));
        }
    }

    fn with_prefix(&self, v6: bool, host: u8) -> String {
        format!("{}/{}", self.address(v6, host), if v6 { 64 } else { 24 })
    }

    /// What the site sends is lost on the way, without a word: it goes to nobody's link address.
    pub fn lose_what_it_sends(&self) {
        for v6 in [false, true] {
            self.inside(&neighbour(&self.hub(v6).to_string(), NOBODY, "eth0"));
        }
    }

    /// What the hub sends is lost on the way.
    pub fn lose_what_it_gets(&self) {
        for v6 in [false, true] {
            run(&neighbour(&self.own(v6).to_string(), NOBODY, &self.hub_end));
        }
    }

    /// Ends [`Site::lose_what_it_sends`] and [`Site::lose_what_it_gets`].
    pub fn lose_nothing(&self) {
        for v6 in [false, true] {
            self.inside(&neighbour(&self.hub(v6).to_string(), &self.hub_mac, "eth0"));
            run(&neighbour(&self.own(v6).to_string(), &self.site_mac, &self.hub_end));
        }
    }

    /// The hub is not there any more, though the link is up.
    pub fn take_the_hub_away(&self) {
        run(&["ip", "addr", "flush", "dev", &self.hub_end]);
    }

    /// Only IPv6 is spoken there.
    pub fn without_v4(&self) {
        self.inside(&["ip", "-4", "addr", "flush", "dev", "eth0"]);
    }
}

fn address(v6: bool, address: &str, dev: &str) -> Vec<String> {
    let family = if v6 { "-6" } else { "-4" };
    let mut words = vec!["ip", family, "addr", "replace", address, "dev", dev];
    if v6 {
        // Without the search for a second owner, during which an address cannot be used.
        words.push("nodad");
    }
    words.into_iter().map(str::to_owned).collect()
}

fn neighbour(address: &str, mac: &str, dev: &str) -> Vec<String> {
    let words = ["ip", "neigh", "replace", address, "lladdr", mac, "nud", "permanent", "dev", dev];
    words.map(str::to_owned).to_vec()
}

fn mac(show: &[impl AsRef<str>]) -> String {
    run(show).split_once("link/ether ").unwrap().1.split(' ').next().unwrap().to_owned()
}
