//! Any HTTP endpoint: what is asked for is sent, and every 2xx is a success unless the file says otherwise.

use super::http::{self, Ready, longest_first, secrets_of};
use super::rendered;
use super::rule::Rule;
use super::template::{expand, expand_json, fields, header_safe, percent_encoded, plain};
use crate::alert::{Message, Verdict, json};
use crate::clock::{Now, Wall};
use crate::config::plan::{ChannelPlan, Method, Template, WebhookPlan};
use crate::fetch::Answer;
use crate::json::Writer;
use crate::zone::Zone;

/// The request that tells `message`.
pub(super) fn prepare(plan: &ChannelPlan, hook: &WebhookPlan, message: &Message, now: &Now, zone: &Zone) -> Ready {
    let text = rendered(plan, message, now, zone);
    let fields = fields(message, &text, plan.language, now, zone);
    let (kind, body) = match &hook.body {
        None => ("application/json", json::document(message, &text, now, zone).into_bytes()),
        Some(Template::Json(tree)) => {
            let mut out = Writer::default();
            expand_json(tree, &fields, false, &mut out);
            ("application/json", out.into_bytes())
        }
        Some(Template::Text(text)) => ("text/plain; charset=utf-8", expand(text, &fields, plain).into_bytes()),
    };
    let body = (hook.method != Method::Get).then_some(body);
    let mut headers: Vec<(String, String)> = hook
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), header_safe(&expand(value.reveal(), &fields, plain))))
        .collect();
    let id = message.id.to_string();
    for (name, value) in [("User-Agent", http::USER_AGENT), ("X-IC-Event-Id", &id), ("Content-Type", kind)] {
        let taken = headers.iter().any(|(taken, _)| taken.eq_ignore_ascii_case(name));
        if !taken && (body.is_some() || name != "Content-Type") {
            headers.push((name.to_owned(), value.to_owned()));
        }
    }
    let url = expand(hook.url.reveal(), &fields, percent_encoded);
    let method = match hook.method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
    };
    Ready { method, url, headers, body, signed: None, secrets: secrets(hook) }
}

/// What `answer` means.
pub(super) fn verdict(hook: &WebhookPlan, answer: &Answer, now: Wall, ready: &Ready) -> Verdict {
    Rule { cases: &hook.answers, wait: &hook.wait }.judge(answer, now, ready)
}

/// What must not be quoted: the address, the header values of the file and the words in them.
fn secrets(hook: &WebhookPlan) -> Vec<String> {
    let mut secrets = secrets_of(hook.url.reveal());
    for (_, value) in &hook.headers {
        let value = value.reveal();
        secrets.push(value.to_owned());
        secrets.extend(value.split_whitespace().filter(|word| word.len() >= http::MIN_TOKEN).map(str::to_owned));
    }
    longest_first(secrets)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::alert::Form;
    use crate::alert::channel::tests::plan;
    use crate::clock::{Boot, Tick};
    use crate::config::plan::ChannelKind;
    use crate::event::{Event, Id, Kind, Moment};
    use crate::secret::Secret;

    const NOW: Now = Now { tick: Tick(36_000_000), wall: Wall(1_795_226_400_000), boot: Boot(7) };

    fn ready(method: Method, url: &str, headers: &[(&str, &str)], body: Option<Template>) -> Ready {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect();
        let hook =
            WebhookPlan { url: Secret::new(url), method, headers, body, answers: String::new(), wait: String::new() };
        let plan = plan(ChannelKind::Webhook(hook.clone()));
        let event = Event::new(Kind::Offline, Id(1), "a b&\"c\"@失", Moment::at(NOW.tick, &NOW));
        let message = Message { id: Id(255), form: Form::One, members: vec![Arc::new(event)] };
        prepare(&plan, &hook, &message, &NOW, &Zone::utc())
    }

    fn text(ready: &Ready) -> &str {
        str::from_utf8(ready.body.as_deref().unwrap()).unwrap()
    }

    #[test]
    fn the_event_is_the_body_unless_the_file_says_otherwise() {
        let usual = ready(Method::Post, "http://h/x", &[], None);
        assert!(text(&usual).starts_with(r#"{"id":"00000000000000ff","incident":"0000000000000001","kind":"offline""#));
        let agent = concat!("interrupt-callback/", env!("CARGO_PKG_VERSION"));
        assert_eq!(
            usual.headers,
            [("User-Agent", agent), ("X-IC-Event-Id", "00000000000000ff"), ("Content-Type", "application/json")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }

    #[test]
    fn fields_cannot_leave_their_place() {
        let tree = serde_json::json!({"t": "{title}!", "n": 3, "unknown": "{x}"});
        let json = ready(Method::Put, "http://h/{subject}?k={kind}&s={severity}", &[], Some(Template::Json(tree)));
        assert_eq!(text(&json), r#"{"n":3,"t":"a b&\"c\"@失 is offline!","unknown":"{x}"}"#);
        assert_eq!(json.url, "http://h/a%20b%26%22c%22%40%E5%A4%B1?k=offline&s=critical");
        let plain = ready(
            Method::Post,
            "http://h/",
            &[("content-type", "text/x"), ("Title", "{host}\r\nX: {at}")],
            Some(Template::Text("{host}|{zone}|{at}".to_owned())),
        );
        assert_eq!(text(&plain), "a b&\"c\"@失||2026-11-21T02:00:00+00:00");
        assert_eq!(plain.headers[0].1, "text/x");
        assert_eq!(plain.headers[1].1, "a b&\"c\"@???X: 2026-11-21T02:00:00+00:00");
        assert_eq!(plain.headers.len(), 4, "{:?}", plain.headers);
    }

    #[test]
    fn a_get_has_no_body() {
        let get = ready(Method::Get, "http://h/?q={title}", &[], None);
        assert_eq!((get.body, get.headers.len()), (None, 2));
    }

    #[test]
    fn secrets_of_headers_are_not_quoted() {
        let hook = WebhookPlan {
            url: Secret::new("https://h/path-token"),
            method: Method::Post,
            headers: vec![("Authorization".to_owned(), Secret::new("Bearer tok-123456"))],
            body: None,
            answers: String::new(),
            wait: String::new(),
        };
        let answer = Answer { status: 401, headers: Vec::new(), body: b"bad tok-123456 for /path-token".to_vec() };
        let verdict = http::refusal(&answer, NOW.wall, "h", &secrets(&hook)).unwrap();
        assert_eq!(verdict, Verdict::Broken("h: HTTP 401: bad *** for ***".to_owned()));
    }
}
