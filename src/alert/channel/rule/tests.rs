//! The language of conditions, and what becomes of an answer.

use super::*;

const NOW: Wall = Wall(1_795_226_400_000);

fn answer(status: u16, body: &str) -> Answer {
    Answer { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
}

fn ready() -> Ready {
    Ready {
        method: "POST",
        url: "http://h/x".to_owned(),
        headers: Vec::new(),
        body: None,
        signed: None,
        secrets: vec!["very-secret".to_owned()],
    }
}

/// `cases` one a line.
fn judged(cases: &str, answer: &Answer) -> Verdict {
    Rule { cases, wait: "wait.for" }.judge(answer, NOW, &ready())
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Delivered => "delivered",
        Verdict::Retry { answered: false, .. } => "unknown",
        Verdict::Retry { channel: true, .. } => "channel",
        Verdict::Retry { channel: false, .. } => "message",
        Verdict::Broken(_) => "broken",
        Verdict::GiveUp(_) => "given up",
    }
}

#[test]
fn conditions_hold() {
    let deep = format!("{{\"x\":{}", "[".repeat(60_000));
    for (when, status, body, expected) in [
        ("200", 200, "", "delivered"),
        ("2xx", 204, "", "delivered"),
        ("201,4xx", 404, "", "delivered"),
        ("200", 201, "{}", "unknown"),
        ("200", 200, "200", "delivered"),
        ("202", 200, "202", "unknown"),
        ("id", 200, r#"{"id":0}"#, "delivered"),
        ("id", 200, r#"{"id":{}}"#, "delivered"),
        ("id", 200, r#"{"id":null}"#, "unknown"),
        ("id", 200, r#"{"a":{"id":1}}"#, "unknown"),
        ("a.id", 200, r#"{"a":{"id":1}}"#, "delivered"),
        ("a.*.id", 200, r#"{"a":[{},{"id":1}]}"#, "delivered"),
        ("code=0", 200, r#"{"code":0}"#, "delivered"),
        ("code=0", 200, r#"{"code":"0"}"#, "delivered"),
        ("code=0", 200, r#"{"code":0.5}"#, "broken"),
        ("code=0", 200, r#"{"code":1}"#, "broken"),
        ("code=0", 500, r#"{"code":0}"#, "channel"),
        ("code=0", 200, r#"{"code":0"#, "unknown"),
        ("code=0", 200, r#"{"code":0} x"#, "unknown"),
        ("code=-1,7", 200, r#"{"code":-1}"#, "delivered"),
        ("code=-1,7", 200, r#"{"code":7}"#, "delivered"),
        ("ok=true", 200, r#"{"ok":true}"#, "delivered"),
        ("ok=true", 200, r#"{"ok":false}"#, "broken"),
        ("msg~BUSY", 200, r#"{"msg":"too busy"}"#, "delivered"),
        ("msg~'too busy'", 200, r#"{"msg":"too busy"}"#, "delivered"),
        ("msg~'too  busy'", 200, r#"{"msg":"too busy"}"#, "broken"),
        ("msg=\"a,b\"", 200, r#"{"msg":"a,b"}"#, "delivered"),
        ("msg=a,b", 200, r#"{"msg":"a,b"}"#, "broken"),
        ("body=ok", 200, "ok\n", "delivered"),
        ("body=ok", 200, "OK", "broken"),
        ("body=ok", 200, "", "unknown"),
        ("body=ok", 200, "<html>ok</html>", "unknown"),
        ("body=ok", 200, r#"{"body":"ok"}"#, "broken"),
        ("200 code=0 id", 200, r#"{"code":0,"id":1}"#, "delivered"),
        ("200 code=0 id", 200, r#"{"code":0}"#, "broken"),
        ("code=0", 200, "<html>login</html>", "unknown"),
        ("code=0", 200, "", "unknown"),
        ("x", 200, &deep, "unknown"),
        ("code=0", 302, "", "broken"),
        ("code=0", 404, "", "broken"),
        ("code=0", 422, "", "message"),
        ("code=0", 413, "", "given up"),
    ] {
        let verdict = judged(&["ok ", when].concat(), &answer(status, body));
        assert_eq!(word(&verdict), expected, "{when} {status} {body:.60}: {verdict:?}");
    }
}

#[test]
fn the_first_case_decides() {
    let cases = "retry:60 code=900\ngive_up 413\ngive_up code=9\nbroken msg~key\nok code=0";
    for (status, body, expected) in [
        (200, r#"{"code":900,"msg":"key"}"#, "channel"),
        (400, r#"{"code":900}"#, "channel"),
        (413, "", "given up"),
        (200, r#"{"code":9}"#, "given up"),
        (500, r#"{"code":1,"msg":"bad key"}"#, "broken"),
        (200, r#"{"code":0}"#, "delivered"),
        (503, "", "channel"),
    ] {
        assert_eq!(word(&judged(cases, &answer(status, body))), expected, "{status} {body}");
    }
    assert_eq!(word(&judged("give_up code=1", &answer(200, "anything"))), "delivered", "as ever");
}

#[test]
fn waits_are_the_services_own() {
    let after = |secs, status, headers: &[(&str, &str)], body: &str| {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let answer = Answer { headers, ..answer(status, body) };
        match judged(&format!("retry:{secs} code=1\nok code=0"), &answer) {
            Verdict::Retry { after, .. } => after.map(|after| after.as_millis()),
            verdict => panic!("{verdict:?}"),
        }
    };
    assert_eq!(after(60, 200, &[], r#"{"code":1}"#), Some(60_000));
    assert_eq!(after(0, 200, &[], r#"{"code":1}"#), None);
    assert_eq!(after(60, 200, &[], r#"{"code":1,"wait":{"for":64.57}}"#), Some(64_570));
    assert_eq!(after(60, 200, &[], r#"{"code":1,"wait":{"for":-3}}"#), Some(60_000));
    assert_eq!(after(60, 200, &[], r#"{"code":1,"wait":{"for":1e300}}"#), Some(86_400_000));
    assert_eq!(after(60, 200, &[("retry-after", "5")], r#"{"code":1,"wait":{"for":64}}"#), Some(5000));
    assert_eq!(after(60, 429, &[], r#"{"wait":{"for":7}}"#), Some(7000));
    assert_eq!(after(60, 422, &[], r#"{"wait":{"for":7}}"#), None, "a refusal of this message alone");
    let rule = Rule { cases: "", wait: "retry_after_ms" };
    let verdict = rule.judge(&answer(429, r#"{"retry_after_ms":2500}"#), NOW, &ready());
    assert!(matches!(verdict, Verdict::Retry { after: Some(after), .. } if after.as_millis() == 2500), "{verdict:?}");
}

#[test]
fn a_reason_says_what_to_do_and_no_secret() {
    let verdict = judged("broken code=1\tmend it", &answer(200, r#"{"code":1,"msg":"no very-secret"}"#));
    let why = r#"h: HTTP 200: {"code":1,"msg":"no ***"} (mend it)"#;
    assert_eq!(verdict, Verdict::Broken(why.to_owned()));
}

#[test]
fn bad_conditions() {
    for (when, why) in [
        ("", "is empty"),
        ("  ", "is empty"),
        ("20", "has a status that does not exist; write 200, 2xx or 200,202"),
        ("200,", "has a status that does not exist; write 200, 2xx or 200,202"),
        ("600", "has a status that does not exist; write 200, 2xx or 200,202"),
        ("2xé", "has a status that does not exist; write 200, 2xx or 200,202"),
        ("=0", "has a term without the name of a place; terms are 200, id, code=0, msg~busy"),
        ("a..b", "has a term without the name of a place; terms are 200, id, code=0, msg~busy"),
        ("a=1, b", "has an empty entry in a list"),
        ("code = 0", "has a term without the name of a place; terms are 200, id, code=0, msg~busy"),
        ("body", "says nothing of the body; write body=ok or body~ok"),
        ("a~", "looks for no words after ~"),
        ("a~''", "looks for no words after ~"),
        ("a=\"b", "lacks a closing quote"),
        ("a=\"b\"c", "has something right behind a closing quote"),
    ] {
        assert_eq!(check(when), Err(why), "{when:?}");
    }
    for when in ["200", "id", "a.b.*", "code=", "失=败", "a='=~ ' 2xx", "x=a=b"] {
        assert_eq!(check(when), Ok(()), "{when}");
    }
    assert_eq!(check_path("retry_after"), Ok(()));
    for path in ["a b", "a=1", "200", ""] {
        assert!(check_path(path).is_err(), "{path:?}");
    }
}

#[test]
fn nothing_that_is_written_in_a_condition_can_break_it() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let pieces = ["a", "=", "~", "\"", "'", " ", ",", ".", "2", "xx", "200", "body", "é", "*", "/", "#"];
    for _ in 0..20_000 {
        let mut when = String::new();
        for _ in 0..random % 9 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            when.push_str(pieces[(random >> 32) as usize % pieces.len()]);
        }
        random = random.wrapping_add(1);
        if check(&when).is_ok() {
            judged(&["ok ", &when].concat(), &answer(200, r#"{"a":["x",{"a":2}],"body":"é"}"#));
        }
    }
}
