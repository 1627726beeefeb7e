//! The status page: what it says, what strangers can do to it, and how it looks in a real browser.

#![cfg(feature = "status")]
#![allow(clippy::disallowed_methods, reason = "tests start threads, read clocks and dial")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod browser;
mod scene;
mod served;

use std::fs;
use std::path::PathBuf;

use browser::Browser;
use interrupt_callback::config::plan::Language;
use interrupt_callback::http::metrics::families::text as figures;
use interrupt_callback::http::page::{MAX_BARS, MAX_ROWS};
use scene::Scene;
use serde_json::Value;

/// The tags that the page uses, and its attributes.
const TAGS: &str = "html head meta title link style body svg defs pattern rect header p bdi h1 ul li b main section h2 small \
    table thead tbody tr th td span time nav a footer";
const ATTRIBUTES: &str = "lang charset name content rel href class aria-hidden aria-label aria-labelledby id width height x y \
    patternUnits viewBox preserveAspectRatio role fill scope datetime";

/// The tags of a page, with what stands in them. Panics where a browser would have to guess.
fn tags(html: &str) -> Vec<&str> {
    let body = html.strip_prefix("<!doctype html>\n").unwrap();
    let mut found = Vec::new();
    let mut rest = body;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let mut quoted = false;
        let end = rest.find(|c| {
            quoted ^= c == '"';
            c == '>' && !quoted
        });
        let end = end.unwrap_or_else(|| panic!("a tag has no end: {rest:.80}"));
        found.push(&rest[..end]);
        rest = &rest[end + 1..];
    }
    found
}

#[test]
fn what_strangers_say_is_never_markup() {
    for language in [Language::En, Language::Zh] {
        let html = Scene::hostile().html(language);
        assert!(
            html.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&gt;&lt;img src=//evil"),
            "it is shown as text"
        );
        assert!(!html.contains(['\u{202e}', '\u{0}']));
        let mut open = Vec::new();
        for tag in tags(&html) {
            let mut words = Vec::new();
            let mut quoted = false;
            for word in tag.split(|c| {
                quoted ^= c == '"';
                c == ' ' && !quoted
            }) {
                words.push(word);
            }
            let name = words[0];
            if let Some(name) = name.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name), "{tag}");
                continue;
            }
            assert!(TAGS.split_whitespace().any(|known| known == name), "a tag of somebody else: {tag}");
            for word in &words[1..] {
                let attribute = word.split('=').next().unwrap();
                let known = ATTRIBUTES.split_whitespace().any(|known| known == attribute);
                assert!(known || *word == "/", "an attribute of somebody else: {word} in {tag}");
            }
            if !matches!(name, "meta" | "link") && !tag.ends_with('/') {
                open.push(name);
            }
        }
        assert_eq!(open, Vec::<&str>::new());
    }
}

#[test]
fn the_headline_agrees_with_the_command() {
    for (scene, want) in [
        (Scene::well(), "All is well"),
        (Scene::crowd(1), "All is well"),
        (Scene::crowd(200), "2\u{a0}hosts are down"),
        (
            Scene::trouble(),
            "Reclaim of this machine is announced, 3\u{a0}hosts are down, 1\u{a0}agent is offline, 2\u{a0}probes fail, \
             1\u{a0}resource runs short, 1\u{a0}channel has trouble, 1\u{a0}monitor does not answer",
        ),
    ] {
        scene.show(Language::En, |page| {
            let (class, headline) = page.headline();
            assert_eq!(headline, want);
            assert_eq!(class == "good", page.status.well(), "{headline}");
        });
        let chinese = scene.show(Language::Zh, |page| page.headline().1);
        println!("{chinese}");
        assert!(!chinese.contains(|c: char| c.is_ascii_alphabetic()), "{chinese}");
    }
    let mut scene = Scene::well();
    scene.hosts.clear();
    scene.hosts.push(("lonely".into(), scene::host(interrupt_callback::keepalive::host::Standing::Offline, 5000, "")));
    assert_eq!(scene.show(Language::En, |page| page.headline().1), "1\u{a0}host is down");
}

#[test]
fn of_very_many_hosts_those_in_trouble_are_shown() {
    let html = Scene::crowd(10_000).html(Language::En);
    println!("{} bytes", html.len());
    let rows: Vec<&str> = html.split("<tr>").filter(|row| row.contains("<bdi>worker-")).collect();
    assert!(rows.len() >= MAX_ROWS, "{}", rows.len());
    let hosts = html.split("id=hosts").nth(1).unwrap().split("</section>").next().unwrap();
    assert_eq!(hosts.matches("<tr><th scope=row>").count(), MAX_ROWS);
    assert_eq!(hosts.matches("<svg").count(), MAX_BARS);
    assert!(hosts.contains("and 9500 more"));
    let states: Vec<bool> = hosts.split("<tr><th scope=row").skip(1).map(|row| row.contains("\"s bad\"")).collect();
    assert!(states[..100].iter().all(|bad| *bad) && !states[100..].contains(&true), "the 100 silent ones come first");
    assert!(hosts.find("worker-00007").unwrap() < hosts.find("worker-00107").unwrap());
    assert!(html.len() < 400_000, "{}", html.len());
}

#[test]
fn every_part_speaks_both_languages() {
    let scene = Scene::trouble();
    let (english, chinese) = (scene.html(Language::En), scene.html(Language::Zh));
    for (one, other) in [
        ("Reclaim notices", "回收通知"),
        (">Hosts", ">主机"),
        (">Probes", ">探测"),
        (">Resources", ">资源"),
        (">Jobs", ">任务"),
        (">Alert channels", ">告警通道"),
        (">Recent incidents", ">最近事件"),
        ("release <b>2026-11-21 19:03:00 +08:00</b> (in 3 min)", "释放 <b>2026-11-21 19:03:00 +08:00</b>（3 分钟后）"),
        ("offline</span>", "失联</span>"),
        ("2 of 3 work", "共 3 个，2 个正常"),
        ("silenced", "已静默"),
        ("to be reclaimed", "将被回收"),
        ("told 46 min ago", "46 分钟前已通知"),
        ("2026-11-21: 47 min down", "2026-11-21: 中断 47 分钟"),
        ("because of <bdi>db@aliyun", "起因：<bdi>db@aliyun"),
    ] {
        assert!(english.contains(one), "{one}");
        assert!(chinese.contains(other) && !chinese.contains(one), "{other}, {one}");
    }
    for text in ["99.95 % up in 81 days, down on 1 of them for 47 min", "never down in 81 days", "replica of db-2"] {
        assert!(english.contains(text), "{text}");
    }
}

fn folder() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/page");
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// `None`, said aloud, where there is no browser.
fn browser() -> Option<Browser> {
    let Some(program) = browser::find() else {
        assert!(std::env::var_os("IC_NO_SKIP").is_none(), "no browser");
        eprintln!(
            "SKIPPED: nobody looks at the page: install chromium-headless-shell, or name a Chromium in IC_CHROMIUM"
        );
        return None;
    };
    Some(Browser::start(&program))
}

/// What every page needs of a person who cannot see it, or not well: a check of our own, where axe-core is missing.
const OWN_RULES: &str = "(() => { const all = s => [...document.querySelectorAll(s)], bad = [];
    const need = (ok, what) => ok || bad.push(what);
    need(document.documentElement.lang, 'no language');
    need(document.title, 'no title');
    need(all('h1').length == 1, 'not one h1');
    need(all('main').length == 1 && all('header').length == 1 && all('footer').length == 1, 'no landmarks');
    for (const t of all('table')) {
        need(t.querySelectorAll('thead th[scope=col]').length > 1, 'a table without heads');
        for (const r of t.querySelectorAll('tbody tr')) need(r.querySelector('th[scope=row]'), 'a row without a head');
    }
    for (const s of all('svg')) need(s.getAttribute('aria-hidden') || (s.getAttribute('role') == 'img' &&
        s.getAttribute('aria-label')), 'a picture without words');
    for (const s of all('section')) need(document.getElementById(s.getAttribute('aria-labelledby')), 'a nameless section');
    for (const s of all('.s')) need(s.textContent.trim(), 'a state by colour alone');
    for (const a of all('a')) need(a.textContent.trim() && a.href, 'a link without words');
    need(new Set(all('[id]').map(e => e.id)).size == all('[id]').length, 'an id twice');
    need(all('script').length == 0 && all('*').every(e => [...e.attributes].every(a => !a.name.startsWith('on'))), 'a script');
    return bad; })()";

#[test]
fn in_a_real_browser() {
    let Some(mut browser) = browser() else { return };
    let axe = browser::axe();
    if axe.is_none() {
        assert!(std::env::var_os("IC_NO_SKIP").is_none(), "no axe-core");
        eprintln!("SKIPPED: no rules of axe-core: name its axe.min.js in IC_AXE; only our own are checked");
    }
    let folder = folder();
    for (name, language, scene) in [
        ("well", Language::En, Scene::well()),
        ("trouble", Language::En, Scene::trouble()),
        ("hostile", Language::En, Scene::hostile()),
        ("crowd", Language::En, Scene::crowd(10_000)),
        ("chinese", Language::Zh, Scene::trouble()),
    ] {
        let file = folder.join(format!("{name}.html"));
        fs::write(&file, scene.html(language)).unwrap();
        let url = format!("file://{}", file.display());
        for (way, width, scheme, medium) in [
            ("light", 1100, "light", ""),
            ("dark", 1100, "dark", ""),
            ("phone", 360, "light", ""),
            ("phone-dark", 360, "dark", ""),
            ("print", 800, "light", "print"),
        ] {
            browser.look(width, scheme, medium);
            browser.open(&url);
            let what = format!("{name}-{way}");
            let wide = browser.value("document.documentElement.scrollWidth").as_u64().unwrap();
            assert!(wide <= width.into(), "{what}: {wide} wide");
            let back = browser.value("getComputedStyle(document.body).backgroundColor");
            let dark = back.as_str().is_some_and(|colour| colour.starts_with("rgb(17,"));
            assert_eq!(dark, scheme == "dark", "{what}: {back}");
            browser.picture(&folder.join(format!("{what}.png")));
            let asked: Vec<String> =
                browser.requests().into_iter().filter(|asked| !asked.starts_with("data:")).collect();
            assert_eq!(asked, [&*url], "{what} asks for more");
            assert_eq!(browser.complaints(), Vec::<String>::new(), "{what}");
            assert_eq!(browser.value(OWN_RULES), serde_json::json!([]), "{what}");
            // In the crowd it would look at the same row five hundred times.
            if let Some(axe) = axe.as_ref().filter(|_| medium.is_empty() && name != "crowd") {
                check(&mut browser, axe, &what);
            }
        }
    }
}

/// As it is served: its policy refuses nothing that it needs, and it loads itself anew.
#[test]
fn served_to_a_real_browser() {
    let Some(mut browser) = browser() else { return };
    let dir = crate::common::TempDir::new();
    let (mut daemon, _, web) = served::start(&dir);
    let url = format!("http://{web}/");
    browser.look(1100, "dark", "");
    browser.open(&url);
    assert_eq!(browser.value("getComputedStyle(document.body).backgroundColor"), "rgb(17, 20, 23)", "its style holds");
    browser.picture(&folder().join("served.png"));
    let asked: Vec<String> = browser.requests().into_iter().filter(|asked| !asked.starts_with("data:")).collect();
    assert_eq!(asked, [&*url]);
    assert_eq!(browser.complaints(), Vec::<String>::new());
    // What the policy is for.
    browser.value(
        "document.body.insertAdjacentHTML('beforeend', '<img src=//127.0.0.1:9/x><p style=color:red onclick=x()>'); 0",
    );
    let refused = crate::common::wait_for("the policy's word", || {
        browser.value("0");
        Some(browser.complaints()).filter(|complaints| complaints.len() >= 2)
    });
    assert!(
        refused.iter().all(|complaint| complaint.contains("Content Security Policy") || complaint.contains("csp")),
        "{refused:#?}"
    );
    browser.again();
    assert!(daemon.stop().success());
}

/// Has axe-core look at the page.
fn check(browser: &mut Browser, axe: &str, what: &str) {
    browser.value(&format!("{axe}; 0"));
    let found = browser.value(
        "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}).then(r => \
         ({passes: r.passes.map(p => p.id), bad: r.violations.map(v => ({id: v.id, help: v.help, \
         at: v.nodes.slice(0, 3).map(n => n.html + ' ' + n.failureSummary)}))}))",
    );
    assert_eq!(found["bad"], serde_json::json!([]), "{what}: {:#}", found["bad"]);
    let passes = |id: &str| found["passes"].as_array().unwrap().iter().any(|pass: &Value| pass == id);
    for id in ["color-contrast", "svg-img-alt", "html-has-lang", "page-has-heading-one"] {
        assert!(passes(id), "{what}: {id} was not looked at: {}", found["passes"]);
    }
}

/// A host with a key may beat under any name, that of the server too: what Prometheus reads stays well-formed.
#[test]
fn no_sample_is_there_twice() {
    use interrupt_callback::resource::State;
    let mut scene = Scene::hostile();
    let mut again = scene.resources.clone();
    again.iter_mut().for_each(|one| one.state = if one.state == State::High { State::Normal } else { State::High });
    scene.resources.extend(again);
    let text = scene.show(Language::En, |page| figures(page.status, None));
    let mut samples: Vec<&str> =
        text.lines().filter(|line| !line.starts_with('#')).map(|line| line.rsplit_once(' ').unwrap().0).collect();
    let count = samples.len();
    samples.sort_unstable();
    samples.dedup();
    assert_eq!(samples.len(), count, "{text}");
    let high = text.lines().filter(|line| line.starts_with("ic_resource_high{") && line.ends_with(" 1")).count();
    assert!(high >= 2, "what runs short is what counts: {text}");
}
