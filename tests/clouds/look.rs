//! The command `spot`: one look.

use std::time::Duration;

use super::mock::{Kind, Script};
use super::{ALL, COMES, Cloud, answer, hook, script};
use crate::common::TempDir;
use crate::common::daemon::command;
use crate::common::http::{Answer, FakeHttp};

fn spot(config: &str) -> (i32, String) {
    spot_with(config, &[])
}

fn spot_with(config: &str, env: &[(&str, &str)]) -> (i32, String) {
    let dir = TempDir::new();
    let file = dir.join("c.toml");
    std::fs::write(&file, config).unwrap();
    let output = command().arg("--config").arg(&file).arg("spot").envs(env.iter().copied()).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

#[test]
fn one_look_shows_every_document() {
    for (name, id, path, _) in ALL {
        let cloud = Cloud::start(script(name, Kind::Interrupt));
        let config = cloud.config(name, &hook(), "");
        let (code, text) = spot(&config);
        println!("{text}");
        assert!(code == 0 && text.contains(id) && text.contains("nothing is announced"), "{name}: {code} {text}");
        let item = path.rsplit('/').next().unwrap();
        assert!(text.contains(item), "{name}: {text}");
        cloud.set(COMES);
        let (code, text) = spot(&config);
        println!("{text}");
        assert!(code == 1 && text.contains("would tell") && text.contains("will be reclaimed"), "{name}: {text}");
        assert!(cloud.http.asked().len() < 24, "once each: {:#?}", cloud.http.asked());
    }
}

#[test]
fn every_failure_of_a_look_has_a_hint() {
    let config = |name: &str, url: &str| format!("provider = \"{name}\"\n[spot]\nendpoint = \"{url}\"\n");
    for (name, id, ..) in ALL {
        // Nobody listens there.
        let (code, text) = spot(&config(name, "http://127.0.0.1:9"));
        assert!(code == 1 && text.contains("no connection") && text.contains("what to do"), "{name}: {text}");
        // It is another service.
        let other = FakeHttp::start(|_| Answer::status(404, "<html>404</html>"));
        let (code, text) = spot(&config(name, &other.url("")));
        assert!(
            code == 1 && text.contains("does not look like") && text.contains("`provider` right?"),
            "{name}: {text}"
        );
        // Something answers everything with one page or word.
        for body in ["<html>2026-05-01T18:02:00Z</html>", "TRUE", "[]", "{}"] {
            let portal = FakeHttp::start(move |_| Answer::ok(body));
            let (code, text) = spot(&config(name, &portal.url("")));
            assert!(code == 1 && !text.contains("would tell") && text.contains("what to do"), "{name} {body}: {text}");
        }
        // It is broken.
        let broken = Cloud::start(Script { error: Some(500), ..script(name, Kind::Interrupt) });
        let (code, text) = spot(&config(name, &broken.http.url("")));
        assert!(code == 1 && text.contains("500") && !text.contains(id), "{name}: {text}");
        assert!(text.contains("what to do") && !text.contains("`provider` right?"), "{name}: {text}");
    }
    // Tokens are demanded and not given, as beyond the hop limit.
    let hardened = Script { hardened: true, ..script("AWS", Kind::Interrupt) };
    let http = FakeHttp::start(move |asked| match asked.method.as_str() {
        "PUT" => Answer::Hang,
        _ => answer(&hardened, asked, 0, Duration::ZERO),
    });
    let (code, text) = spot(&config("AWS", &http.url("")));
    println!("{text}");
    assert!(code == 1 && text.contains("gives no token") && text.contains("HttpPutResponseHopLimit"), "{text}");
    let (code, text) = spot("provider = \"LocalHost\"\n");
    assert!(code == 78 && text.contains("no cloud to ask"), "{text}");
}

#[test]
fn neither_a_proxy_nor_a_redirect_leads_anywhere() {
    let trap = FakeHttp::start(|_| Answer::ok("TRUE"));
    let url = trap.url("");
    let env: Vec<(&str, &str)> = ["http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
        .into_iter()
        .map(|name| (name, url.as_str()))
        .collect();
    for (name, id, ..) in ALL {
        let cloud = Cloud::start(script(name, Kind::Interrupt));
        let (code, text) = spot_with(&cloud.config(name, &hook(), ""), &env);
        assert!(code == 0 && text.contains(id), "{name}: {text}");
        let to = format!("HTTP/1.1 302 X\r\nlocation: {url}/\r\nmetadata-flavor: Google\r\ncontent-length: 0\r\n\r\n");
        let moved = FakeHttp::start(move |_| Answer::Raw(to.clone().into_bytes()));
        let (code, text) =
            spot_with(&format!("provider = \"{name}\"\n[spot]\nendpoint = \"{}\"\n", moved.url("")), &env);
        assert!(code == 1 && text.contains("302"), "{name}: {text}");
    }
    assert_eq!(trap.asked().len(), 0, "{:?}", trap.asked());
}
