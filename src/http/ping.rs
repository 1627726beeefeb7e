//! Heartbeats of what cannot run this program.

use crate::alert::clean::clean;
use crate::http::auth::is;
use crate::http::{PingPlan, Request, Response, Site};
use crate::probe::book::Pinged;

/// Bytes of a body that are kept for the message.
const MAX_BODY: usize = 1024;
/// The answer if the disk fails or is slow, or too many wait for it.
const UNSAVED: &str = "OK, but the disk has not taken it yet: a crash of the monitor would lose it\n";

/// `/ping/TOKEN`, which says that all is well, and below it `/start`, `/fail` and exit codes, of which 0 is as good.
/// `GET`, `HEAD` and `POST` are alike; the body says more.
pub fn ping(site: &Site, request: &Request<'_>) -> Response {
    if !matches!(request.method, "GET" | "HEAD" | "POST") {
        return Response::text(405, "method not allowed\n").with("Allow", "GET, HEAD, POST");
    }
    let (token, word) = split(request.below("/ping/").unwrap_or_default());
    let plan = site.plan();
    let pings = plan.as_ref().map_or(&[][..], |plan| &plan.pings);
    let Some(name) = find(pings, token) else { return Response { denied: true, ..Response::not_found() } };
    let Some(what) = meant(word) else {
        return Response::text(404, "after the token comes nothing, /start, /fail or an exit code from 0 to 255\n");
    };
    let text = String::from_utf8_lossy(&request.body[..request.body.len().min(MAX_BODY)]);
    let desk = site.answers().and_then(|answers| answers.reloader.parts().probe_desk());
    let kept = match desk {
        Some(desk) => desk.pinged(name, what, clean(text.trim(), MAX_BODY)),
        None => None,
    };
    match kept {
        Some(true) => Response::text(200, "OK\n"),
        // It is told all the same.
        Some(false) => Response::text(200, UNSAVED),
        // A reload is under way, or the program ends.
        None => Response::text(503, "not now\n").with("Retry-After", "1"),
    }
}

/// The token and what follows it.
fn split(path: &str) -> (&str, Option<&str>) {
    path.split_once('/').map_or((path, None), |(token, word)| (token, Some(word)))
}

/// Whose token it is. All are looked at, so that the time tells nothing.
fn find<'p>(pings: &'p [PingPlan], token: &str) -> Option<&'p str> {
    let mut found = None;
    for ping in pings {
        if is(token, &ping.token) {
            found = Some(&*ping.name);
        }
    }
    found
}

fn meant(word: Option<&str>) -> Option<Pinged> {
    match word {
        None | Some("") => Some(Pinged::Good),
        Some("start") => Some(Pinged::Begun),
        Some("fail") => Some(Pinged::Failed(None)),
        Some(code) if code.bytes().all(|byte| byte.is_ascii_digit()) => match code.parse().ok()? {
            0 => Some(Pinged::Good),
            code => Some(Pinged::Failed(Some(code))),
        },
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::secret::Secret;

    #[test]
    fn what_is_meant() {
        for (word, want) in [
            (None, Some(Pinged::Good)),
            (Some(""), Some(Pinged::Good)),
            (Some("0"), Some(Pinged::Good)),
            (Some("start"), Some(Pinged::Begun)),
            (Some("fail"), Some(Pinged::Failed(None))),
            (Some("1"), Some(Pinged::Failed(Some(1)))),
            (Some("255"), Some(Pinged::Failed(Some(255)))),
            (Some("256"), None),
            (Some("-1"), None),
            (Some("+1"), None),
            (Some("Fail"), None),
            (Some("fail/"), None),
            (Some("start/1"), None),
            (Some("٣"), None),
        ] {
            assert_eq!(meant(word), want, "{word:?}");
        }
        assert_eq!(split("token"), ("token", None));
        assert_eq!(split("token/"), ("token", Some("")));
        assert_eq!(split("/"), ("", Some("")));
    }

    #[test]
    fn only_its_own_token_finds_a_ping() {
        let plan = |name: &str, token: &str| PingPlan {
            name: name.to_owned(),
            token: Secret::new(token),
            period: Duration::ZERO,
            grace: Duration::ZERO,
        };
        let pings = [plan("one", "first-token-012345"), plan("two", "second-token-01234"), plan("open", "")];
        assert_eq!(find(&pings, "second-token-01234"), Some("two"));
        for token in ["", "first-token-01234", "first-token-0123456", "FIRST-TOKEN-012345"] {
            assert_eq!(find(&pings, token), None, "{token}");
        }
    }
}
