//! Feishu and Lark custom bots: a signed `post`, and the verdict that hides in an answer of status 200.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::http::{self, Ready, host_of, longest_first, secrets_of};
use crate::alert::clean::quoted;
use crate::alert::message::{Line, Text};
use crate::alert::words::words;
use crate::alert::{Message, Verdict};
use crate::clock::{Now, Wall, millis};
use crate::config::plan::{ChannelPlan, Language};
use crate::fetch::Answer;
use crate::json::{Scalar, Writer, pick};
use crate::secret::Secret;
use crate::zone::Zone;

/// Bytes of a body; the service takes 20 KB and does not say which.
const MAX_BODY: usize = 20_000;
/// The service refuses signatures that are an hour off; some minutes less tell a wrong clock from a wrong secret.
const SIGNATURE_WINDOW: Duration = Duration::from_secs(55 * 60);
/// When a signature with the service's own time is tried.
const SIGN_AGAIN: Duration = Duration::from_secs(1);
/// The service's wish for code 11232, which means load.
const OVERLOAD_PAUSE: Duration = Duration::from_secs(60);

/// The request that tells `message`, signed with the first of the two times.
pub(super) fn prepare(
    plan: &ChannelPlan,
    (webhook, secret): (&Secret, &Secret),
    message: &Message,
    (time, now): (Wall, &Now),
    zone: &Zone,
) -> Ready {
    let text = super::rendered(plan, message, now, zone);
    let sign = (!secret.is_empty()).then(|| Signature::new(time, secret));
    let body = body(&text, plan.language, sign.as_ref());
    let url = webhook.reveal();
    let mut secrets = secrets_of(url);
    secrets.push(secret.reveal().to_owned());
    secrets.extend(sign.as_ref().map(|sign| sign.sign.clone()));
    let headers = [("Content-Type", "application/json; charset=utf-8"), ("User-Agent", http::USER_AGENT)];
    Ready {
        method: "POST",
        url: url.to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        body: Some(body),
        signed: sign.map(|sign| sign.time),
        secrets: longest_first(secrets),
    }
}

/// The two fields that prove the secret.
pub struct Signature {
    time: Wall,
    sign: String,
}

impl Signature {
    /// `base64(HMAC-SHA256(key = "<seconds>\n<secret>", data = ""))`: the text is the key, and nothing is signed.
    pub fn new(time: Wall, secret: &Secret) -> Signature {
        let key = [&time.secs().to_string(), "\n", secret.reveal()].concat();
        let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
        Signature { time, sign: STANDARD.encode(mac.finalize().into_bytes()) }
    }
}

/// What is sent: the seed's `post`, one paragraph for each line, at most 20 KB.
pub fn body(text: &Text, language: Language, sign: Option<&Signature>) -> Vec<u8> {
    let mut lines: Vec<String> = text.lines.iter().map(Line::whole).collect();
    // A post without a paragraph is not known to be taken.
    if lines.is_empty() {
        lines.push(text.title.clone());
    }
    let mut dropped = 0;
    loop {
        let body = post(&text.title, &lines, language, sign);
        // The last line is the id; it stays, below the note that takes the place of what was cut.
        let noted = usize::from(dropped > 0);
        if body.len() <= MAX_BODY || lines.len() < 2 + noted {
            return body;
        }
        let last = lines.len() - 2;
        lines.remove(last - noted);
        dropped += 1;
        let words = words(language);
        let note = words.fill(words.cut, "", None, dropped);
        if noted == 0 {
            lines.insert(last, note);
        } else {
            lines[last - 1] = note;
        }
    }
}

fn post(title: &str, lines: &[String], language: Language, sign: Option<&Signature>) -> Vec<u8> {
    let key = match language {
        Language::En => "en_us",
        Language::Zh => "zh_cn",
    };
    // `<` begins live markup such as a mention of everybody.
    let safe = |text: &str| text.replace('<', "＜");
    let mut out = Writer::default();
    out.raw(r#"{"content":{"post":{"#).key(key).open('{').key("title").text(&safe(title)).raw(r#""content":["#);
    for line in lines {
        out.raw(r#"[{"tag":"text","text":"#).text(&safe(line)).close('}').close(']');
    }
    out.close(']').close('}').close('}').close('}').raw(r#""msg_type":"post""#);
    if let Some(Signature { time, sign }) = sign {
        // The timestamp is text: so say the service's own samples.
        out.key("sign").text(sign).key("timestamp").text(&time.secs().to_string());
    }
    out.close('}');
    out.into_bytes()
}

/// The verdict of `answer`. Errors come with status 200 as well as others, so that the body decides where it can. If
/// `code` is there, it decides; `StatusCode` is what older deployments send.
pub fn verdict(answer: &Answer, now: Wall, told: &Ready) -> Verdict {
    let host = host_of(&told.url);
    let refused = http::refusal(answer, now, host, &told.secrets);
    let reply = pick(&answer.body, &["code", "StatusCode", "msg"]).unwrap_or_default();
    let code = match &reply[..] {
        [Some(Scalar::Int(code)), ..] | [None | Some(Scalar::Null), Some(Scalar::Int(code)), _] => *code,
        _ => {
            let why = [host, ": the answer is not of this service; a login page of the network?"].concat();
            return refused.unwrap_or(Verdict::Retry { why, after: None, channel: true, answered: false, sent: true });
        }
    };
    let msg = if let Some(Some(Scalar::Text(msg))) = reply.last() { msg } else { "" };
    let msg = quoted(msg, http::MAX_QUOTE, &told.secrets);
    let why = |hint: &str| [host, ": code ", &code.to_string(), ": ", &msg, hint].concat();
    let retry = |channel, after| Verdict::Retry { why: why(""), after, channel, answered: true, sent: true };
    match code {
        0 => refused.unwrap_or(Verdict::Delivered),
        9499 if msg.to_ascii_lowercase().contains("too many") => retry(true, http::retry_after(answer, now)),
        9499 | 19002 => Verdict::GiveUp(why("")),
        11232 => retry(true, Some(OVERLOAD_PAUSE)),
        11220 | 230_020 => retry(true, http::retry_after(answer, now)),
        19001 => Verdict::Broken(why(" (the bot was removed, or the address is wrong)")),
        19021 => match told.signed {
            None => Verdict::Broken(why(" (the bot wants a signature: set secret)")),
            Some(signed) if clock_was_wrong(answer, signed) => retry(true, Some(SIGN_AGAIN)),
            Some(_) => Verdict::Broken(why(" (the secret is wrong)")),
        },
        19022 => Verdict::Broken(why(" (this address is not on the bot's list)")),
        19024 => Verdict::Broken(why(" (the bot wants a keyword: put it into prefix)")),
        // Not known: gateways of the service answer 404, 429 and 5xx with codes of their own.
        _ => refused.unwrap_or_else(|| retry(false, None)),
    }
}

/// Whether a signature of time `signed` was refused for its time: it is far from that of the service. If that is not
/// known, whether the own clock was never set.
fn clock_was_wrong(answer: &Answer, signed: Wall) -> bool {
    match http::date_of(answer) {
        Some(date) => date.0.abs_diff(signed.0) > millis(SIGNATURE_WINDOW).unsigned_abs(),
        None => !signed.is_set(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::alert::Form;
    use crate::alert::message::render;
    use crate::clock::{Boot, Tick};
    use crate::event::{Event, Fact, Field, Id, Kind, Moment};

    const NOW: Wall = Wall(1_795_226_400_000);

    #[test]
    fn signatures_match_the_known_ones() {
        let hundred = "x".repeat(100);
        for (secs, secret, sign) in [
            (1_726_063_290, "Oh, you saw me.", "EG8eZFIOxDlxx0DqlxsEz8YgjXexLF4nmD4seu2WG14="),
            (1_700_000_000, "mysecret", "Jp33/xXhCipDEpjyHvEyc7mRSyXWHbNz6J8+C3qQKNo="),
            (1_599_360_473, "demo", "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8="),
            (1_700_000_000, "SECRET", "9st/5TeJu7lS2mv/qJq3skcz1M5+oBrSVM/mQRjuq8Q="),
            (1_700_000_000, "", "DaBQacIHB6FCKocfPme7o5BIrwne87ibBLj7EYGUds0="),
            (1_700_000_000, "密钥🔑", "Yz8CQcIt+linL8cacWM8WVjCila7BX02+2exX+BAvzI="),
            (1_700_000_000, &hundred, "IpC0RacoRNaRBizkx0LfRi8KVlnp+xEWFAGZ5lf5po4="),
            (1_700_000_010, "demo", "+YO6mm6a/+zxs+vb3m2ISk3ZUYbKmIUQDM87+MsA1W0="),
        ] {
            assert_eq!(Signature::new(Wall(secs * 1000 + 999), &Secret::new(secret)).sign, sign, "{secret}");
        }
    }

    #[test]
    fn the_body_of_a_notice() {
        let now = Now { tick: Tick(36_000_000), wall: NOW, boot: Boot(7) };
        let event = Event::new(Kind::Interrupt, Id(1), "<at user_id=\"all\">@vm", Moment::at(now.tick, &now))
            .with(Field::Deadline, Fact::Time(Moment::at_wall(Wall(NOW.0 + 290_000), &now)));
        let message = Message { id: Id(0x3fa2_0000_0000_0001), form: Form::One, members: vec![Arc::new(event)] };
        let shown = |language, sign: Option<&Signature>| {
            let text = render(&message, language, "[ic]", &now, &Zone::utc());
            String::from_utf8(body(&text, language, sign)).unwrap()
        };
        let sign = Signature::new(Wall(1_599_360_473_000), &Secret::new("demo"));
        assert_eq!(
            shown(Language::Zh, Some(&sign)),
            concat!(
                r#"{"content":{"post":{"zh_cn":{"title":"[ic] ＜at user_id=\"all\">@vm 将在 4 分 50 秒后被回收","content":["#,
                r#"[{"tag":"text","text":"时间：2026-11-21 02:00:00 +00:00"}],"#,
                r#"[{"tag":"text","text":"回收时间：2026-11-21 02:04:50 +00:00（4 分 50 秒后）"}],"#,
                r#"[{"tag":"text","text":"id 3fa20000"}]]}}},"msg_type":"post","#,
                r#""sign":"l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=","timestamp":"1599360473"}"#
            )
        );
        let unsigned = shown(Language::En, None);
        assert!(unsigned.starts_with(r#"{"content":{"post":{"en_us":{"title":"[ic] ＜at"#), "{unsigned}");
        assert!(unsigned.ends_with(r#"]]}}},"msg_type":"post"}"#), "{unsigned}");
        serde_json::from_str::<serde_json::Value>(&unsigned).unwrap();
    }

    #[test]
    fn a_long_body_is_cut_and_says_so() {
        let mut text = Text { title: "t".to_owned(), lines: vec![Line::plain("\"".repeat(600)); 40] };
        text.lines.push(Line::plain("id 1".to_owned()));
        let body = String::from_utf8(body(&text, Language::En, None)).unwrap();
        assert!(body.len() <= MAX_BODY);
        assert!(body.contains("… 24 lines cut\"}],[{\"tag\":\"text\",\"text\":\"id 1\"}]]"), "{body}");
        let bare = Text { title: "t".to_owned(), lines: Vec::new() };
        let body = super::body(&bare, Language::En, None);
        assert!(String::from_utf8(body).unwrap().contains(r#""content":[[{"tag":"text","text":"t"}]]"#));
    }

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Answer { status, headers, body: body.as_bytes().to_vec() }
    }

    fn judged(answer: &Answer, signed: Option<Wall>) -> Verdict {
        let ready = Ready {
            method: "POST",
            url: "http://h/x".to_owned(),
            headers: Vec::new(),
            body: None,
            signed,
            secrets: vec!["very-secret".to_owned()],
        };
        verdict(answer, NOW, &ready)
    }

    fn class(verdict: &Verdict) -> &'static str {
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
    fn every_answer_has_its_verdict() {
        let deep = format!("{{\"data\":{}", "[".repeat(16_000));
        for (status, body, expected) in [
            (200, r#"{"code":0}"#, "delivered"),
            (
                200,
                r#"{"code":0,"msg":"success","data":{},"Extra":null,"StatusCode":0,"StatusMessage":"success"}"#,
                "delivered",
            ),
            (200, r#"{"Extra":null,"StatusCode":0,"StatusMessage":"success"}"#, "delivered"),
            (200, r#"{"code":19021,"StatusCode":0}"#, "broken"),
            (200, r#"{"code":9499,"msg":"Bad Request"}"#, "given up"),
            (400, r#"{"code":9499,"msg":"Bad Request","data":{}}"#, "given up"),
            (200, r#"{"code":9499,"msg":"too many request"}"#, "channel"),
            (200, r#"{"code":11232,"msg":"frequency limited"}"#, "channel"),
            (200, r#"{"code":11220,"msg":"too many requests"}"#, "channel"),
            (200, r#"{"code":230020,"msg":"limit"}"#, "channel"),
            (200, r#"{"code":19001,"msg":"token invalid"}"#, "broken"),
            (200, r#"{"code":19002,"msg":"param invalid: msg_type"}"#, "given up"),
            (200, r#"{"code":19022,"msg":"Ip Not Allowed"}"#, "broken"),
            (200, r#"{"code":19024,"msg":"Key Words Not Found"}"#, "broken"),
            (200, r#"{"code":12345,"msg":"what"}"#, "message"),
            (429, r#"{"code":99991400,"msg":"request trigger frequency limit"}"#, "channel"),
            (404, r#"{"code":99991404,"msg":"no route"}"#, "broken"),
            (500, r#"{"code":0}"#, "channel"),
            (200, "{}", "unknown"),
            (200, r#"{"code":"0"}"#, "unknown"),
            (200, r#"{"code":0"#, "unknown"),
            (200, "not json", "unknown"),
            (200, "<html>login</html>", "unknown"),
            (200, "", "unknown"),
            (200, &deep, "unknown"),
            (204, "", "unknown"),
            (302, "<html>portal</html>", "broken"),
            (404, "404 page not found", "broken"),
            (502, "<html>bad gateway</html>", "channel"),
        ] {
            assert_eq!(class(&judged(&answer(status, &[], body), Some(NOW))), expected, "{status} {body:.60}");
        }
    }

    #[test]
    fn a_refused_signature_is_a_wrong_clock_or_a_wrong_secret() {
        let said = r#"{"code":19021,"msg":"sign match fail or timestamp is not within one hour from current time"}"#;
        let right = answer(200, &[("date", "Sat, 21 Nov 2026 02:00:00 GMT")], said);
        for (signed, expected) in [
            (Some(NOW), "broken"),
            (Some(Wall(NOW.0 - 3_000_000)), "broken"),
            (Some(Wall(NOW.0 - 3_599_000)), "channel"),
            (Some(Wall(NOW.0 + 7_200_000)), "channel"),
            (Some(Wall(5000)), "channel"),
            (None, "broken"),
        ] {
            assert_eq!(class(&judged(&right, signed)), expected, "{signed:?}");
        }
        assert_eq!(class(&judged(&answer(200, &[], said), Some(NOW))), "broken");
        assert_eq!(class(&judged(&answer(200, &[], said), Some(Wall(5000)))), "channel");
        let unset = answer(200, &[("date", "Thu, 01 Jan 1970 00:10:00 GMT")], said);
        assert_eq!(class(&judged(&unset, Some(NOW))), "broken", "a date of 1970 is no date");
        assert_eq!(class(&judged(&unset, Some(Wall(600_000)))), "channel");
    }

    #[test]
    fn reasons_help_and_hide() {
        let said = r#"{"code":19024,"msg":"Key Words\nNot Found very-secret"}"#;
        assert_eq!(
            judged(&answer(200, &[], said), None),
            Verdict::Broken(
                "h: code 19024: Key Words Not Found *** (the bot wants a keyword: put it into prefix)".to_owned()
            )
        );
        let load = judged(&answer(200, &[], r#"{"code":11232}"#), None);
        assert!(matches!(load, Verdict::Retry { after: Some(OVERLOAD_PAUSE), .. }), "{load:?}");
    }
}
