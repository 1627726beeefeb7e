//! From a request to its answer: who asks, what for, and whether that is open to them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::clock;
use crate::http::agents::refusal;
use crate::http::auth::{Judgement, judge};
use crate::http::guard::Guard;
use crate::http::parse::Raw;
use crate::http::route::{self, Found};
use crate::http::{HttpPlan, Request, Response, Scope, Site};
use crate::keepalive::admission::Source;
use crate::run::threads::lock;

/// Who counts wrong secrets.
pub type Gate = Mutex<Guard>;

/// The answer to a request from `peer`, and whether that has just shown that it holds a secret.
pub fn answer(site: &Site, gate: &Gate, peer: IpAddr, raw: &Raw<'_>) -> (Arc<Response>, bool) {
    let (source, mut proved) = (Source::of(peer), false);
    let response = judged(site, gate, (peer, source), raw, &mut proved);
    if response.denied {
        wrong(gate, source);
    } else if proved {
        lock(gate).proved(source, clock::tick());
    }
    (response, proved)
}

fn judged(
    site: &Site,
    gate: &Gate,
    (peer, source): (IpAddr, Source),
    raw: &Raw<'_>,
    proved: &mut bool,
) -> Arc<Response> {
    let (path, query) = raw.target.split_once('?').unwrap_or((raw.target, ""));
    let say = |plain: Response, shown| {
        // Headers that tell what to do are the same.
        let words = refusal::in_words(plain.status, path, shown);
        Arc::new(words.map_or(plain.clone(), |words| Response { headers: plain.headers, ..words }))
    };
    let Some(plan) = site.plan() else { return say(Response::starting(), false) };
    let (index, route) = match route::find(raw.method, path) {
        Found::Route(index, route) => (index, route),
        Found::Nothing => return Arc::new(Response::not_found()),
        Found::Other(methods) => {
            return Arc::new(Response::text(405, "method not allowed\n").with("Allow", methods));
        }
    };
    // What is not marked by a header is in the path: a page of somebody else's could guess, or use up the guesses of
    // whoever looks at it.
    if route.scope.is_none() && !route.open && is_cross_site(raw) {
        return Arc::new(Response::text(403, "not from the page of another site\n"));
    }
    if let Some(left) = lock(gate).blocked(source, route.scope.is_none(), clock::tick()).filter(|_| !route.open) {
        return say(too_many(left), true);
    }
    let mut judgement = judge(raw, query, &plan);
    *proved = !judgement.who.is_empty();
    if plan.is_open() && peer.to_canonical().is_loopback() && is_own(raw) {
        judgement.scopes = judgement.scopes.with(Scope::Read);
    }
    if let Some(refusal) = route.scope.and_then(|scope| refused(scope, &judgement, &plan)) {
        return say(refusal, judgement.shown);
    }
    if site.answers().is_none() {
        return say(Response::starting(), false);
    }
    let request = Request {
        method: raw.method,
        path,
        query,
        headers: raw.headers,
        body: raw.body,
        peer,
        scopes: judgement.scopes,
        who: &judgement.who,
    };
    let response = if route.cached {
        site.cached(index, &mut || (route.answer)(site, &request))
    } else {
        Arc::new((route.answer)(site, &request))
    };
    // Where a route looks for itself it has found what it looked for.
    *proved |= route.scope.is_none() && !route.open && response.status < 400;
    response
}

/// Why the route is not open to whoever asks.
fn refused(scope: Scope, judgement: &Judgement, plan: &HttpPlan) -> Option<Response> {
    if judgement.scopes.has(scope) {
        return None;
    }
    if !judgement.who.is_empty() {
        let name = Scope::NAMES[scope as usize];
        return Some(Response::text(403, &["this token lacks the scope \"", name, "\"\n"].concat()));
    }
    let text = match plan.is_open() && scope == Scope::Read {
        true => "without a token this is answered to this machine, at 127.0.0.1, [::1] and localhost, only\n",
        false => "a token is needed\n",
    };
    let mut response = Response::text(401, text).with("WWW-Authenticate", "Bearer");
    if plan.basic.is_some() && scope == Scope::Read {
        response = response.with("WWW-Authenticate", "Basic realm=\"status\", charset=\"UTF-8\"");
    }
    response.denied = judgement.shown;
    Some(response)
}

fn wrong(gate: &Gate, source: Source) {
    let line = lock(gate).wrong(source, clock::tick());
    if let Some(line) = line {
        log::warn!("{line}");
    }
}

fn too_many(left: Duration) -> Response {
    Response::text(429, "too many wrong tokens or passwords\n").with("Retry-After", (left.as_secs() + 1).to_string())
}

/// Whether a request was made on this machine and for it. A name may lead here by somebody else's will, so that a page
/// in a browser on this machine could read along; a page may learn who is up from the width of a badge that it shows
/// nobody; and a proxy on this machine passes on what others ask.
fn is_own(raw: &Raw<'_>) -> bool {
    // Whoever follows a link looks for themselves.
    let follows = raw.headers.iter().any(|(name, value)| is_named(name, "sec-fetch-dest") && *value == b"document");
    let own = follows || !is_cross_site(raw);
    own && raw.headers.iter().all(|(name, value)| {
        let is = |known: &str| is_named(name, known);
        if is("host") {
            is_own_name(value)
        } else {
            !["forwarded", "x-forwarded-for", "x-real-ip", "via"].into_iter().any(is)
        }
    })
}

/// Whether a browser says that another site's page asks (Fetch Metadata, <https://www.w3.org/TR/fetch-metadata/>).
fn is_cross_site(raw: &Raw<'_>) -> bool {
    raw.headers.iter().any(|(name, value)| is_named(name, "sec-fetch-site") && *value == b"cross-site")
}

fn is_named(name: &str, known: &str) -> bool {
    name.eq_ignore_ascii_case(known)
}

/// Whether a `Host` is an address or this machine's name for itself: what no DNS server can point elsewhere.
fn is_own_name(host: &[u8]) -> bool {
    let Ok(host) = std::str::from_utf8(host) else { return false };
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, port),
        _ => (host, ""),
    };
    let inner = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let address = match inner {
        Some(inner) => inner.parse::<Ipv6Addr>().is_ok(),
        None => name.parse::<Ipv4Addr>().is_ok() || name.eq_ignore_ascii_case("localhost"),
    };
    address && port.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_here_by_this_machines_own_will() {
        for (host, want) in [
            ("127.0.0.1", true),
            ("127.0.0.1:9081", true),
            ("192.0.2.1:80", true),
            ("[::1]", true),
            ("[::1]:9081", true),
            ("localhost", true),
            ("LocalHost:9081", true),
            ("", false),
            ("::1", false),
            ("[::1", false),
            ("localhost.", false),
            ("localhost:x", false),
            ("localhost.example.com", false),
            ("127.0.0.1.example.com", false),
            ("a@127.0.0.1", false),
            ("127.1", false),
            ("evil", false),
        ] {
            assert_eq!(is_own_name(host.as_bytes()), want, "{host}");
        }
        assert!(!is_own_name(b"\xff"));
    }
}
