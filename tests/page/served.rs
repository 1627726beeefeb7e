//! The page and the badges as the real binary serves them.

use std::net::SocketAddr;

use crate::common::ask::{Asker, get};
use crate::common::beat::Beater;
use crate::common::daemon::Daemon;
use crate::common::{SECRETS, TempDir, wait_for};

const CONFIG: &str = "name = \"vps\"\ntimezone = \"UTC\"\n[keepalive]\ngrace = 0\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\n\
    key = \"planted-key-0123456789\"\nnum = 2\n[http]\nlisten = \"127.0.0.1:0\"\n";

/// The row of a host.
fn row(page: &str, host: &str) -> Option<String> {
    let hosts = page.split("id=hosts").nth(1)?.split("</section>").next()?;
    let row = hosts.split("<tr><th scope=row>").find(|row| row.starts_with(&format!("<bdi>{host}</bdi>")))?;
    Some(row.to_owned())
}

fn row_with(web: SocketAddr, host: &str, part: &str) -> String {
    wait_for(&format!("{part} of {host} on the page"), || {
        let page = get(web, "/", "");
        assert_eq!(page.status, 200);
        row(&page.text(), host).filter(|row| row.contains(part))
    })
}

pub fn start(dir: &TempDir) -> (Daemon, SocketAddr, SocketAddr) {
    let mut daemon = Daemon::start(dir.path(), CONFIG);
    let line = daemon.wait_line("ready");
    let after = |word: &str| {
        let rest = line.split(word).nth(1).unwrap_or_else(|| panic!("no {word} in {line}"));
        rest.split([' ', ',', ';']).next().unwrap().parse().unwrap()
    };
    let (server, web) = (after("listening on "), after("HTTP at "));
    (daemon, server, web)
}

#[test]
fn a_host_comes_goes_and_is_remembered() {
    let dir = TempDir::new();
    let (mut daemon, server, web) = start(&dir);
    let name = format!("vps@{}", daemon.name());
    let first = get(web, "/", "");
    assert_eq!(first.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!((first.header("refresh"), first.header("cache-control")), (Some("10"), Some("no-store")));
    let policy = first.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
    assert!(
        first.text().contains("No host has been heard of yet.") && first.text().contains(&name),
        "{}",
        first.text()
    );
    assert_eq!(get(web, "/?hold", "").header("refresh"), None);
    let head = Asker::new(web).ask("HEAD", "/", &[], b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
    let stranger = Asker::new(web).ask("GET", "/", &[("Host", "evil.example.com")], b"");
    assert!(stranger.status == 401 && !stranger.text().contains(&name));

    let mut beater = Beater::new(server, SECRETS[0], "a b<i>@x");
    beater.beat().unwrap();
    let shown = "a b&lt;i&gt;@x";
    let badge = "/badge/a%20b%3Ci%3e@x.svg";
    assert!(row_with(web, shown, "up</span>").contains("127.0.0.1"));
    beater.period = 0.4;
    beater.beat().unwrap();
    row_with(web, shown, "offline</span>");
    let picture = get(web, badge, "");
    assert_eq!((picture.status, picture.header("content-type")), (200, Some("image/svg+xml")));
    assert!(picture.text().contains("aria-label=\"a b&lt;i&gt;@x: offline\""), "{}", picture.text());
    daemon.wait_line("offline: a b<i>@x");
    // Nobody reads less than a second of it: the day shows seconds.
    row_with(web, shown, " s down");
    beater.period = 30.0;
    beater.beat().unwrap();
    daemon.wait_line("online: a b<i>@x");
    let back = row_with(web, shown, "up</span>");
    assert!(back.contains("<title>2") && back.contains(" s down</title>"), "{back}");
    assert!(get(web, "/", "").text().contains("<h1 class=good>All is well</h1>"));
    assert!(get(web, badge, "").text().contains(": up\""));
    for (path, status) in [
        ("/badge/nobody.svg", 404),
        ("/badge/a%20b%3Ci%3e@x", 404),
        ("/badge/a%2.svg", 404),
        ("/badge/%ff.svg", 404),
        ("/badge/.svg", 404),
        ("/badge/../../etc/passwd.svg", 404),
    ] {
        assert_eq!(get(web, path, "").status, status, "{path}");
    }
    wait_for("the days on disk", || {
        let saved = std::fs::read_to_string(dir.join("state/days.json")).ok()?;
        (saved.contains("a b<i>@x") && !saved.contains("began")).then_some(())
    });
    daemon.kill();
    let (mut daemon, _, web) = start(&dir);
    let row = row_with(web, shown, "<title>2");
    assert!(row.contains(" s down</title>"), "{row}");
    assert!(daemon.stop().success());
}
