//! What the file may say of agents, and what a reload makes of it.

use super::site::{CI, WEB1, WEB2, config};
use crate::common::TempDir;
use crate::common::daemon::{Daemon, run};
use crate::common::http::{Answer, FakeHttp};

#[test]
fn names_are_told_apart() {
    let dir = TempDir::new();
    let agent = |name: &str, more: &str| format!("[[http.agent]]\nname = \"{name}\"\n{more}\n");
    let token = |n: u8| format!("token = \"planted-sign-secret-{n}\"\n");
    for (text, why) in [
        (agent("a", &token(1)) + &agent("a", &token(2)), "is the name or alias of \"a\" too"),
        (agent("a", &token(1)) + &agent("b", &(token(2) + "alias = \"a\"")), "is the name or alias of \"a\" too"),
        (agent("a", &(token(1) + "alias = \"b\"")) + &agent("b", &token(2)), "is the name or alias of \"a\" too"),
        (agent("a", &(token(1) + "alias = \"a\"")), "is the name too"),
        (agent("Status", &token(1)), "is a word that the service keeps for itself"),
        (agent("a b", &token(1)), "must be 1 to 50 characters without blanks"),
        (agent("", &token(1)), "must be 1 to 50 characters without blanks"),
        (agent(&"x".repeat(51), &token(1)), "must be 1 to 50 characters without blanks"),
        (agent("a", &token(1)) + &agent("b", &token(1)), "is the token of \"a\" too"),
        (agent("a", ""), "http.agent.token: missing"),
        (agent("a", "token = \"with blank\""), "which no token may"),
        (agent("a", &(token(1) + "notify = \"sometimes\"")), "\"sometimes\" is not known"),
        (agent("a", &(token(1) + "nmae = \"x\"")), "did you mean \"name\"?"),
    ] {
        let file = dir.join("c.toml");
        std::fs::write(&file, format!("[http]\n{text}")).unwrap();
        let output = run(&["--config", file.to_str().unwrap(), "check"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(78), "{text}");
        assert!(said.contains(why), "{why}: {said}");
    }
    let file = dir.join("c.toml");
    let text = agent("失败", &(token(1) + "alias = \"x\"\nnotify = \"never\"")) + &agent(&"失".repeat(50), &token(2));
    std::fs::write(&file, format!("[http]\n{text}")).unwrap();
    let output = run(&["--config", file.to_str().unwrap(), "check"]);
    assert!(output.status.success(), "{output:?}");
}

/// Whoever holds a secret for one purpose must not have another one by it; and paths stand in logs.
#[test]
fn one_secret_has_one_purpose() {
    let dir = TempDir::new();
    let parts = [
        ("[[http.token]]\nname = \"ci\"\nscopes = [\"read\"]\ntoken = ", "the token \"ci\""),
        ("[http.basic]\nuser = \"me\"\npassword = ", "the user \"me\""),
        ("[[http.agent]]\nname = \"a\"\ntoken = ", "the agent \"a\""),
        ("[[http.ping]]\nname = \"cron\"\nperiod = \"1d\"\ntoken = ", "the ping \"cron\""),
        ("[http.event]\nalicloud = ", "[http.event] \"alicloud\""),
    ];
    for (at, (first, earlier)) in parts.iter().enumerate() {
        for (second, later) in &parts[at + 1..] {
            for (other, code) in [(WEB1, 78), (WEB2, 0)] {
                let file = dir.join("c.toml");
                std::fs::write(&file, format!("[http]\n{first}\"{WEB1}\"\n{second}\"{other}\"\n")).unwrap();
                let output = run(&["--config", file.to_str().unwrap(), "check"]);
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                let why = format!("{later} has the secret of {earlier}");
                assert_eq!((output.status.code(), said.contains(&why)), (Some(code), code == 78), "{why}: {said}");
                assert!(!said.contains("planted"), "{said}");
            }
        }
    }
}

#[test]
fn agents_come_and_go_with_a_reload() {
    let hook = FakeHttp::start(|_| Answer::ok("{}"));
    let dir = TempDir::new();
    let full = config(&hook, "", "");
    let cut = |name: &str| {
        let from = full.find(&format!("[[http.agent]]\nname = \"{name}\"")).unwrap();
        let to = full[from + 1..].find("[[http").unwrap() + from + 1;
        [&full[..from], &full[to..]].concat()
    };
    let without = |text: &str, name: &str| -> String {
        let from = text.find(&format!("[[http.agent]]\nname = \"{name}\"")).unwrap();
        let to = text[from + 1..].find("[[http").unwrap() + from + 1;
        [&text[..from], &text[to..]].concat()
    };
    let none = without(&cut("web1"), "web2");
    let mut server = Daemon::start(dir.path(), &none);
    let web = server.ready_web();
    let ask = |method: &str, path: &str, token: &str, body: &str| {
        let bearer = format!("Bearer {token}");
        crate::common::ask::ask(web, method, path, &[("Authorization", &bearer)], body.as_bytes()).status
    };
    assert_eq!(ask("GET", "/agent/job", WEB1, ""), 401);
    assert_eq!(ask("POST", "/job/add", CI, r#"{"message":"web1 x"}"#), 404);
    let file = dir.join("config.toml");
    let head = std::fs::read_to_string(&file).unwrap().replace(&none, "");
    let load = |text: &str| {
        // The port stays.
        let text = text.replace("127.0.0.1:0", &web.to_string());
        std::fs::write(&file, head.clone() + &text).unwrap();
        let output = server.ask(&["reload"]);
        assert!(output.status.success(), "{output:?}");
    };
    load(&full);
    assert_eq!(ask("GET", "/agent/job", WEB1, ""), 204);
    assert_eq!(ask("GET", "/agent/job", WEB2, ""), 204);
    assert_eq!(ask("POST", "/job/add", CI, r#"{"message":"w stays"}"#), 201);
    assert_eq!(ask("POST", "/job/add", CI, r#"{"message":"web2 goes"}"#), 201);
    load(&cut("web2"));
    assert_eq!((ask("GET", "/agent/job", WEB1, ""), ask("GET", "/agent/job", WEB2, "")), (200, 401));
    let told = &hook.wait(1, |asked| asked.tells("job.expired", "web2"))[0].json();
    assert_eq!(told["facts"]["reason"], "its agent is no longer in the configuration");
    load(&none);
    assert_eq!(ask("GET", "/agent/job", WEB1, ""), 401);
    load(&full);
    assert_eq!((ask("GET", "/agent/job", WEB1, ""), ask("GET", "/agent/job", WEB2, "")), (204, 204));
    assert!(server.stop().success());
}
