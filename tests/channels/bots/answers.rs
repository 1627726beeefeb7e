//! What each answer means.

use std::time::Duration;

use interrupt_callback::alert::Verdict;

use super::of;
use crate::channels::sheet::{class, judged, notice, ready};

const RIGHT: &[(&str, &str)] = &[("date", "Sat, 21 Nov 2026 02:00:00 GMT")];
const AHEAD: &[(&str, &str)] = &[("date", "Sat, 21 Nov 2026 04:00:00 GMT")];

/// Status, body, class, and what the reason must hold.
type Row = (u16, &'static str, &'static str, &'static str);

const ANY: &[Row] = &[
    (200, "{}", "unknown", "login page"),
    (200, "not json", "unknown", ""),
    (200, "<html>login</html>", "unknown", ""),
    (200, "", "unknown", ""),
    (204, "", "unknown", ""),
    (200, "[0]", "unknown", ""),
    (200, "null", "unknown", ""),
    (302, "<html>portal</html>", "broken", "redirects"),
    (404, "404 page not found", "broken", ""),
    (502, "<html>bad gateway</html>", "channel", "HTTP 502"),
    (413, "", "given up", ""),
];

const FEISHU: &[Row] = &[
    (200, r#"{"code":0}"#, "delivered", ""),
    (
        200,
        r#"{"code":0,"msg":"success","data":{},"Extra":null,"StatusCode":0,"StatusMessage":"success"}"#,
        "delivered",
        "",
    ),
    (200, r#"{"Extra":null,"StatusCode":0,"StatusMessage":"success"}"#, "delivered", ""),
    (200, r#"{"code":19021,"StatusCode":0,"msg":"sign match fail"}"#, "broken", "the secret is wrong"),
    (200, r#"{"code":9499,"msg":"Bad Request"}"#, "given up", "Bad Request"),
    (400, r#"{"code":9499,"msg":"Bad Request","data":{}}"#, "given up", ""),
    (200, r#"{"code":9499,"msg":"Too Many Request"}"#, "channel", ""),
    (200, r#"{"code":11232,"msg":"frequency limited"}"#, "channel", ""),
    (200, r#"{"code":11220,"msg":"too many requests"}"#, "channel", ""),
    (200, r#"{"code":230020,"msg":"limit"}"#, "channel", ""),
    (
        200,
        r#"{"code":19001,"msg":"param invalid: incoming webhook access token invalid"}"#,
        "broken",
        "bot was removed",
    ),
    (200, r#"{"code":19002,"msg":"param invalid: msg_type"}"#, "given up", ""),
    (200, r#"{"code":19022,"msg":"Ip Not Allowed"}"#, "broken", "not on the bot's list"),
    (200, r#"{"code":19024,"msg":"Key Words Not Found"}"#, "broken", "put it into prefix"),
    (200, r#"{"code":12345,"msg":"what"}"#, "message", "code 12345: what"),
    (429, r#"{"code":99991400,"msg":"request trigger frequency limit"}"#, "channel", ""),
    (404, r#"{"code":99991404,"msg":"no route"}"#, "broken", ""),
    (500, r#"{"code":0}"#, "channel", ""),
    (200, r#"{"code":"0"}"#, "unknown", ""),
    (200, r#"{"code":0"#, "unknown", ""),
    (200, r#"{"code":false}"#, "unknown", ""),
    (200, r#"{"errcode":0}"#, "unknown", ""),
    // What other services' codes are called means nothing here.
    (200, r#"{"code":403,"msg":"forbidden"}"#, "message", "code 403: forbidden"),
    (200, r#"{"code":130101,"msg":"x"}"#, "message", ""),
];

const DINGTALK: &[Row] = &[
    (200, r#"{"errcode":0,"errmsg":"ok"}"#, "delivered", ""),
    (200, r#"{"status":0,"errcode":0,"errmsg":"ok"}"#, "delivered", ""),
    (200, r#"{"status":1111,"errcode":0}"#, "channel", ""),
    (200, r#"{"status":1111,"wait":5,"source":"x5","punish":"deny"}"#, "channel", ""),
    (
        200,
        r#"{"status":1111,"wait":5,"source":"x5","punish":"deny","uuid":"u","errcode":130101,"errmsg":"send too fast, exceed 20 times per minute"}"#,
        "channel",
        "code 130101: send too fast, exceed 20 times per minute",
    ),
    (200, r#"{"errcode":-1,"errmsg":"system busy"}"#, "channel", "system busy"),
    (
        200,
        r#"{"errcode":310000,"errmsg":"keywords not in content, more: [https://ding-doc.dingtalk.com/x]"}"#,
        "broken",
        "put it into prefix",
    ),
    (200, r#"{"errcode":310000,"errmsg":"description:关键词不匹配;solution:x;"}"#, "broken", "put it into prefix"),
    (200, r#"{"errcode":310000,"errmsg":"sign not match, more: [x]"}"#, "broken", "the secret is wrong"),
    (
        200,
        r#"{"errcode":310000,"errmsg":"description:机器人发送签名不匹配;solution:请确认签名和生成签名的时间戳必须都放在调用的网址中"}"#,
        "broken",
        "the secret is wrong",
    ),
    (200, r#"{"errcode":310000,"errmsg":"invalid timestamp, more: [x]"}"#, "channel", "clock of this host"),
    (200, r#"{"errcode":310000,"errmsg":"description:机器人发送签名过期"}"#, "channel", "clock of this host"),
    (200, r#"{"errcode":310000,"errmsg":"ip 192.0.2.7 not in whitelist"}"#, "broken", "not on the bot's list"),
    (200, r#"{"errcode":310000,"errmsg":"what"}"#, "broken", "security settings"),
    (200, r#"{"errcode":300005,"errmsg":"token is not exist"}"#, "broken", "the bot was removed"),
    (200, r#"{"errcode":40035,"errmsg":"invalid parameter"}"#, "given up", ""),
    (200, r#"{"errcode":90030,"errmsg":"webhook over limit"}"#, "channel", ""),
    (200, r#"{"errcode":460101,"errmsg":"message too long"}"#, "message", ""),
    (200, r#"{"errcode":"0"}"#, "unknown", ""),
    (200, r#"{"code":0}"#, "unknown", ""),
    (200, r#"{"status":0}"#, "unknown", ""),
    (200, r#"{"errcode":93000,"errmsg":"x"}"#, "message", "code 93000: x"),
    (503, r#"{"errcode":0}"#, "channel", ""),
];

const WECOM: &[Row] = &[
    (200, r#"{"errcode":0,"errmsg":"ok"}"#, "delivered", ""),
    (200, r#"{"errcode":-1,"errmsg":"system busy"}"#, "channel", ""),
    (200, r#"{"errcode":45009,"errmsg":"api freq out of limit"}"#, "channel", ""),
    (
        200,
        r#"{"errcode":93000,"errmsg":"invalid webhook url, hint: [17], from ip: 192.0.2.7"}"#,
        "broken",
        "invalid webhook url (the bot",
    ),
    (
        403,
        r#"{"errcode":93000,"errmsg":"invalid webhook url, hint: [17], from ip: 192.0.2.7"}"#,
        "broken",
        "the bot was removed",
    ),
    (
        200,
        r#"{"errcode":40058,"errmsg":"markdown.content exceed max length 4096. invalid Request Parameter, hint: [17], from ip: 192.0.2.7"}"#,
        "given up",
        "invalid Request Parameter",
    ),
    (200, r#"{"errcode":12345}"#, "message", ""),
    (200, r#"{"errcode":300005,"errmsg":"x"}"#, "message", "code 300005: x"),
    (200, r#"{"errcode":null}"#, "unknown", ""),
];

const TELEGRAM: &[Row] = &[
    (200, r#"{"ok":true,"result":{"message_id":7,"chat":{"id":-1001,"ok":false}}}"#, "delivered", ""),
    (200, r#"{"ok":false}"#, "unknown", ""),
    (200, r#"{"ok":"true"}"#, "unknown", ""),
    (200, r#"{"ok":false,"error_code":0}"#, "unknown", ""),
    (401, r#"{"ok":false,"error_code":401,"description":"Unauthorized"}"#, "broken", "token is wrong"),
    (404, r#"{"ok":false,"error_code":404,"description":"Not Found"}"#, "broken", "token or server is wrong"),
    (
        403,
        r#"{"ok":false,"error_code":403,"description":"Forbidden: bot was blocked by the user"}"#,
        "broken",
        "has blocked the bot",
    ),
    (
        403,
        r#"{"ok":false,"error_code":403,"description":"Forbidden: user is deactivated"}"#,
        "broken",
        "account is gone",
    ),
    (
        403,
        r#"{"ok":false,"error_code":403,"description":"Forbidden: bot was kicked from the supergroup chat"}"#,
        "broken",
        "into the chat again",
    ),
    (
        403,
        r#"{"ok":false,"error_code":403,"description":"Forbidden: bot is not a member of the channel chat"}"#,
        "broken",
        "into the chat again",
    ),
    (
        403,
        r#"{"ok":false,"error_code":403,"description":"Forbidden: bot can't initiate conversation with a user"}"#,
        "broken",
        "write to the bot first",
    ),
    (
        403,
        r#"{"ok":false,"error_code":403,"description":"Forbidden: bot can't send messages to bots"}"#,
        "broken",
        "chat_id is wrong",
    ),
    (400, r#"{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}"#, "broken", "chat_id is wrong"),
    (
        400,
        r#"{"ok":false,"error_code":400,"description":"Bad Request: group chat was deactivated"}"#,
        "broken",
        "group is gone",
    ),
    (403, r#"{"ok":false,"error_code":403,"description":"Forbidden: the group chat was deleted"}"#, "broken", ""),
    (
        400,
        r#"{"ok":false,"error_code":400,"description":"Bad Request: have no rights to send a message"}"#,
        "broken",
        "let the bot write",
    ),
    (
        400,
        r#"{"ok":false,"error_code":400,"description":"Bad Request: message thread not found"}"#,
        "broken",
        "thread is wrong",
    ),
    (400, r#"{"ok":false,"error_code":400,"description":"Bad Request: message is too long"}"#, "given up", ""),
    (400, r#"{"ok":false,"error_code":400,"description":"Bad Request: something else"}"#, "message", "something else"),
    (
        400,
        r#"{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded to a supergroup chat","parameters":{"migrate_to_chat_id":-1009876543210}}"#,
        "channel",
        "it goes on as -1009876543210",
    ),
    (
        429,
        r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 5","parameters":{"retry_after":5}}"#,
        "channel",
        "retry after 5",
    ),
    (500, r#"{"ok":false,"error_code":500,"description":"Internal Server Error"}"#, "channel", ""),
];

fn reason(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Delivered => "",
        Verdict::Retry { why, .. } | Verdict::Broken(why) | Verdict::GiveUp(why) => why,
    }
}

#[test]
fn every_answer_has_its_verdict() {
    for (sheet, rows) in
        [("feishu-post", FEISHU), ("dingtalk-text", DINGTALK), ("wecom-text", WECOM), ("telegram", TELEGRAM)]
    {
        let plan = of(sheet);
        let ready = ready(&plan, &notice("x"));
        for (status, body, expected, hint) in ANY.iter().chain(rows) {
            let verdict = judged(&plan, &ready, *status, RIGHT, body);
            assert_eq!(class(&verdict), *expected, "{sheet} {status} {body}: {verdict:?}");
            let reason = reason(&verdict);
            assert!(reason.contains(hint), "{sheet} {status} {body}: {verdict:?}");
            assert!(!hint.starts_with("code ") || reason.ends_with(hint), "{sheet} {status} {body}: {verdict:?}");
        }
        let deep = format!("{{\"data\":{}", "[".repeat(16_000));
        assert_eq!(class(&judged(&plan, &ready, 200, &[], &deep)), "unknown", "{sheet}");
    }
}

#[test]
fn a_refused_signature_is_a_wrong_clock_or_a_wrong_secret() {
    let unset = &[("date", "Thu, 01 Jan 1970 00:10:00 GMT")];
    for (sheet, unsigned, said) in [
        (
            "feishu-post",
            "lark-card",
            r#"{"code":19021,"msg":"sign match fail or timestamp is not within one hour from current time"}"#,
        ),
        ("dingtalk-text", "", r#"{"errcode":310000,"errmsg":"sign not match"}"#),
    ] {
        let plan = of(sheet);
        let mut ready = ready(&plan, &notice("x"));
        let now = ready.signed.unwrap();
        let mut class_of = |signed: i64, headers: &[(&str, &str)]| {
            ready.signed = Some(interrupt_callback::clock::Wall(signed));
            class(&judged(&plan, &ready, 200, headers, said))
        };
        for (signed, headers, expected) in [
            (now.0, RIGHT, "broken"),
            (now.0 - 3_000_000, RIGHT, "broken"),
            (now.0 - 3_599_000, RIGHT, "channel"),
            (now.0, AHEAD, "channel"),
            (5000, RIGHT, "channel"),
            (now.0, &[][..], "broken"),
            (5000, &[][..], "channel"),
            // A date of 1970 is no date.
            (now.0, unset, "broken"),
            (600_000, unset, "channel"),
        ] {
            assert_eq!(class_of(signed, headers), expected, "{sheet} {signed} {headers:?}");
        }
        if !unsigned.is_empty() {
            let plan = of(unsigned);
            let verdict = judged(&plan, &crate::channels::sheet::ready(&plan, &notice("x")), 200, AHEAD, said);
            assert!(reason(&verdict).contains("set secret") && class(&verdict) == "broken", "{verdict:?}");
        }
    }
}

#[test]
fn the_wish_of_the_service_is_kept() {
    for (sheet, headers, body, secs) in [
        ("feishu-post", &[][..], r#"{"code":11232}"#, Some(60)),
        ("feishu-post", &[("x-ogw-ratelimit-reset", "9")], r#"{"code":9499,"msg":"too many request"}"#, Some(9)),
        ("feishu-post", &[], r#"{"code":11220}"#, None),
        ("dingtalk-text", &[], r#"{"errcode":130101,"wait":5}"#, Some(60)),
        ("dingtalk-text", &[], r#"{"errcode":130101,"wait":600}"#, Some(600)),
        ("dingtalk-text", &[], r#"{"errcode":130101,"wait":-5}"#, Some(60)),
        ("dingtalk-text", &[], r#"{"errcode":90030}"#, Some(1800)),
        ("wecom-text", &[], r#"{"errcode":45009}"#, Some(60)),
        ("wecom-text", &[], r#"{"errcode":-1}"#, None),
        ("telegram", &[], r#"{"ok":false,"error_code":429,"parameters":{"retry_after":35}}"#, Some(35)),
        ("telegram", &[("retry-after", "50")], r#"{"ok":false,"error_code":429}"#, Some(50)),
    ] {
        let plan = of(sheet);
        let verdict = judged(&plan, &ready(&plan, &notice("x")), 200, headers, body);
        let Verdict::Retry { after, channel: true, answered: true, .. } = verdict else { panic!("{verdict:?}") };
        assert_eq!(after, secs.map(Duration::from_secs), "{sheet} {body}");
    }
}

#[test]
fn reasons_hide_secrets_and_what_changes_each_time() {
    let wecom = of("wecom-text");
    let ready = ready(&wecom, &notice("x"));
    let said = |hint: u32| {
        let body = format!(r#"{{"errcode":93000,"errmsg":"invalid webhook url, hint: [{hint}], from ip: 192.0.2.7"}}"#);
        judged(&wecom, &ready, 200, &[], &body)
    };
    assert_eq!(said(1), said(2));
    for (sheet, body) in [
        ("feishu-post", r#"{"code":19024,"msg":"tok demo https://open.feishu.cn/open-apis/bot/v2/hook/tok\nx"}"#),
        ("dingtalk-text", r#"{"errcode":310000,"errmsg":"access_token=tok-0123 SECdemo"}"#),
        ("wecom-text", r#"{"errcode":93000,"errmsg":"bad tok-0123"}"#),
        (
            "telegram",
            r#"{"ok":false,"error_code":404,"description":"/bot123456:AAH-tok-0123/sendMessage AAH-tok-0123"}"#,
        ),
    ] {
        let plan = of(sheet);
        let ready = crate::channels::sheet::ready(&plan, &notice("x"));
        let verdict = judged(&plan, &ready, 200, &[], body);
        let why = reason(&verdict).replace("(token or", "").replace("access_token", "");
        assert!(why.contains("***") && !why.contains("tok") && !why.contains("demo") && !why.contains('\n'), "{why}");
    }
    let late = r#"{"errcode":310000,"errmsg":"invalid timestamp"}"#;
    let plan = of("dingtalk-text");
    let ready = crate::channels::sheet::ready(&plan, &notice("x"));
    let sign = ready.url.rsplit('=').next().unwrap();
    assert!(reason(&judged(&plan, &ready, 200, &[], late)).contains("invalid timestamp (the clock"));
    let echo = format!(r#"{{"errcode":310000,"errmsg":"sign not match: {sign}"}}"#);
    assert!(!reason(&judged(&plan, &ready, 200, &[], &echo)).contains(sign));
    let written = crate::channels::sheet::plan("[alert.dingtalk]\ntoken = \"a+b-c+d\"");
    let ready = crate::channels::sheet::ready(&written, &notice("x"));
    let echo = r#"{"errcode":300005,"errmsg":"token a+b-c+d is not exist"}"#;
    let verdict = judged(&written, &ready, 200, &[], echo);
    assert!(reason(&verdict).contains("token *** is not exist"), "{verdict:?}");
    let fast = r#"{"errcode":130101,"errmsg":"send too fast"}"#;
    let plan = of("dingtalk-text");
    let verdict = judged(&plan, &crate::channels::sheet::ready(&plan, &notice("x")), 200, &[], fast);
    assert_eq!(reason(&verdict), "oapi.dingtalk.com: code 130101: send too fast");
}
