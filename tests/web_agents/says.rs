//! What scripts say to people.

use super::site::{CI, Site, WEB1, WEB2};
use crate::common::SECRETS;
use crate::common::ask::{Reply, ask, get};

#[test]
fn messages_are_told_once_with_their_source() {
    let site = Site::start("", "");
    for (token, path, body, status) in [
        (CI, "/message/info", r##"{"message":"built","source":"me/repo","color":"#173177"}"##, 201),
        (CI, "/message/warning", r#"{"message":"broken\nline 2\nline 3"}"#, 201),
        (CI, "/message/text", r#"{"message":"text"}"#, 201),
        (CI, "/message/auto", r#"{"message":"auto"}"#, 201),
        (CI, "/message/loud", r#"{"message":"x"}"#, 404),
        (CI, "/message/info", r#"{"message":" \n"}"#, 400),
        (CI, "/message/info", "", 400),
        (CI, "/message/info", r#"{"message":["x"]}"#, 400),
        (SECRETS[0], "/message/info", r#"{"message":"may not"}"#, 403),
        (WEB1, "/message/info", r#"{"message":"may not"}"#, 401),
        (WEB2, "/agent/info", r#"{"message":"old path"}"#, 202),
        (WEB2, "/agent/message/auto", r#"{"message":"new path","source":"ci"}"#, 202),
    ] {
        assert_eq!(site.ask("POST", path, token, body).status, status, "{path} {body}");
    }
    // What is not in the query of a GET unless the file says so.
    assert_eq!(get(site.web, &format!("/message/info?token={CI}&msg=x"), "").status, 400);
    assert_eq!(site.ask("GET", "/message/info?msg=x", CI, "").status, 405);
    let told = site.told(6, "message");
    assert_eq!(told.len(), 6, "{told:?}");
    let find = |headline: &str| told.iter().find(|event| event["facts"]["headline"] == headline).unwrap();
    for (headline, subject, severity) in [
        ("built", "me/repo", "info"),
        ("broken", "ci", "warning"),
        ("text", "ci", "info"),
        ("auto", "ci", "info"),
        ("old path", "web2", "info"),
        ("new path", "web2", "info"),
    ] {
        let event = find(headline);
        assert_eq!((&event["subject"], &event["severity"]), (&subject.into(), &severity.into()));
    }
    assert_eq!(find("broken")["facts"]["message"], "line 2\nline 3");
}

#[test]
fn a_key_makes_a_repetition_harmless_also_after_a_crash() {
    let mut site = Site::start("", "");
    let say = |site: &Site, path: &str, body: &str| -> Reply {
        let bearer = format!("Bearer {CI}");
        let headers = [("Authorization", &*bearer), ("Idempotency-Key", "run-17")];
        ask(site.web, "POST", path, &headers, body.as_bytes())
    };
    site.ask("GET", "/agent/job", WEB1, "");
    for _ in 0..3 {
        for _ in 0..3 {
            assert_eq!(say(&site, "/message/info", r#"{"message":"once"}"#).status, 201);
            assert_eq!(say(&site, "/job/add", r#"{"message":"w once"}"#).status, 201);
        }
        site.server.kill();
        site.restart();
    }
    assert_eq!(site.pop(WEB1).1, "once");
    assert_eq!(site.ask("GET", "/agent/job", WEB1, "").status, 204);
    assert_eq!(site.ask("POST", "/message/info", CI, r#"{"message":"last"}"#).status, 201);
    site.hook.wait(1, |asked| asked.text().contains("last"));
    let told = site.told(2, "message");
    let headlines: Vec<_> = told.iter().map(|event| event["facts"]["headline"].as_str().unwrap()).collect();
    // A message that was on its way when the daemon was killed may arrive again, as every alert: with the same id.
    let mut ids: Vec<_> = told.iter().map(|event| event["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 2, "{headlines:?}");
}

#[test]
fn a_browser_may_try_it_out_where_the_file_allows_that() {
    let site = Site::start("allow_query_token = true", "");
    site.ask("GET", "/agent/job", WEB1, "");
    for (path, status) in [
        (format!("/message/info?token={CI}&msg=a+b%20%E5%A4%B1"), 201),
        (format!("/message/info?token={CI}&msg=%ff"), 400),
        (format!("/message/info?token={CI}"), 400),
        (format!("/job/add?token={CI}&msg=w+date"), 201),
        (format!("/job/add?token={WEB1}&msg=w+date"), 401),
        ("/job/add?msg=w+date".to_owned(), 400),
    ] {
        assert_eq!(get(site.web, &path, "").status, status, "{path}");
    }
    assert_eq!(site.told(1, "message")[0]["facts"]["headline"], "a b 失");
    assert_eq!(site.pop(WEB1).1, "date");
}

#[test]
fn nobody_to_tell_is_said() {
    let site = Site::start("", "");
    let config = std::fs::read_to_string(site.dir.join("srv/config.toml")).unwrap();
    let file = config.replace("[http]\n", "min_severity = \"warning\"\n[http]\n");
    std::fs::write(site.dir.join("srv/config.toml"), file).unwrap();
    assert!(site.server.ask(&["reload"]).status.success());
    assert_eq!(site.outcome("POST", "/message/info", CI, r#"{"message":"x"}"#), (503, "ServerError".to_owned()));
    assert_eq!(site.outcome("POST", "/message/warning", CI, r#"{"message":"x"}"#).0, 201);
}

/// Scripts look for the same words whoever refuses.
#[test]
fn refusals_have_the_words_of_that_service() {
    let site = Site::start("", "");
    for path in ["/message/info", "/job/add"] {
        for (token, status, key) in
            [("planted-wrong-token", 401, "Unauthorized"), (WEB1, 401, "Unauthorized"), (SECRETS[0], 403, "Forbidden")]
        {
            assert_eq!(site.outcome("POST", path, token, "{}"), (status, key.to_owned()), "{path} {token}");
        }
        let none = ask(site.web, "POST", path, &[], b"{}");
        assert_eq!((none.status, none.json()["error"].as_str()), (400, Some("BadRequest")), "{path}");
    }
    let guesses: Vec<_> = (0..20).map(|_| site.outcome("POST", "/job/add", "planted-wrong-token", "")).collect();
    assert_eq!(guesses[19], (429, "TooManyRequests".to_owned()));
    let reply = site.ask("GET", "/agent/job", WEB1, "");
    assert!(reply.status == 429 && reply.header("retry-after").is_some() && reply.json()["message"].is_string());
}

/// One is done, and who comes meanwhile learns to ask again.
#[test]
fn the_same_key_twice_at_once_is_done_once() {
    let site = Site::start("", "");
    site.ask("GET", "/agent/job", WEB1, "");
    let bearer = format!("Bearer {CI}");
    for round in 0..20 {
        let (key, start) = (format!("run-{round}"), std::sync::Barrier::new(6));
        let said = format!("{{\"message\":\"said {round}\"}}");
        let add = || {
            start.wait();
            let headers = [("Authorization", &*bearer), ("Idempotency-Key", &*key)];
            assert_eq!(ask(site.web, "POST", "/message/info", &headers, said.as_bytes()).status, 201);
            ask(site.web, "POST", "/job/add", &headers, br#"{"message":"w once"}"#).status
        };
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let askers: Vec<_> = (0..6).map(|_| scope.spawn(add)).collect();
            askers.into_iter().map(|asker| asker.join().unwrap()).collect()
        });
        assert!(statuses.contains(&201) && statuses.iter().all(|status| [201, 503].contains(status)), "{statuses:?}");
        assert_eq!(site.pop(WEB1).1, "once");
        assert_eq!(site.ask("GET", "/agent/job", WEB1, "").status, 204, "round {round}");
    }
    let mut told: Vec<String> = site.told(20, "message").iter().map(|event| event["id"].to_string()).collect();
    told.sort_unstable();
    told.dedup();
    assert_eq!((told.len(), site.told(20, "message").len()), (20, 20));
}
