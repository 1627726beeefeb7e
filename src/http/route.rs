//! Which path leads where.

use crate::http::{Request, Response, Scope, Site, agents, api, badge, health, intake, metrics, page, ping};

/// What answers.
pub type Answer = fn(&Site, &Request<'_>) -> Response;

/// A path and what answers there.
pub struct Route {
    /// `GET` stands for `HEAD` too; an empty one for every method.
    pub method: &'static str,
    /// The whole path; or its beginning, if it ends in a slash and is not the root.
    pub path: &'static str,
    /// What the sender's token must open; `None`: the function looks for itself, or everybody may.
    pub scope: Option<Scope>,
    /// What answers.
    pub answer: Answer,
    /// The answer is the same for everybody who may ask, and for a second: it costs much with thousands of hosts.
    pub cached: bool,
    /// It tells no secret and takes none, so that who guessed too often may ask all the same.
    pub open: bool,
}

const fn route(method: &'static str, path: &'static str, scope: Option<Scope>, answer: Answer) -> Route {
    Route { method, path, scope, answer, cached: false, open: false }
}

const fn cached(path: &'static str, answer: Answer) -> Route {
    Route { method: "GET", path, scope: Some(Scope::Read), answer, cached: true, open: false }
}

/// Every path; the first that fits.
pub const ROUTES: &[Route] = &[
    route("GET", "/", Some(Scope::Read), page::page),
    route("GET", "/badge/", Some(Scope::Read), badge::badge),
    Route { method: "GET", path: "/healthz", scope: None, answer: health::healthz, cached: false, open: true },
    cached("/metrics", metrics::metrics),
    cached("/api/status", api::status),
    route("", "/ping/", None, ping::ping),
    route("", "/event/alicloud/", None, intake::alicloud),
    route("POST", "/event/generic", Some(Scope::Message), intake::generic),
    // The agents' and users' paths of the server that these agents were written for.
    route("", "/agent/", None, agents::agent),
    route("", "/message/", Some(Scope::Message), agents::message),
    route("", "/job/", Some(Scope::Job), agents::job),
    Route { method: "GET", path: "/status", scope: None, answer: agents::status, cached: false, open: true },
];

/// What was found.
pub enum Found {
    /// This one, with its number.
    Route(usize, &'static Route),
    /// The path takes other methods only: these.
    Other(&'static str),
    /// No such path.
    Nothing,
}

/// Looks for what answers `method` at `path`.
pub fn find(method: &str, path: &str) -> Found {
    let mut found = Found::Nothing;
    // Nothing here is a file. What only a reader of paths would simplify has nothing to ask for.
    if path.contains("//") || path.contains('\\') || path.split('/').any(|part| matches!(part, "." | "..")) {
        return found;
    }
    for (index, route) in ROUTES.iter().enumerate() {
        let below = route.path.len() > 1 && route.path.ends_with('/');
        if !(path == route.path || (below && path.starts_with(route.path))) {
            continue;
        }
        match route.method {
            "" => return Found::Route(index, route),
            known if known == method || (known == "GET" && method == "HEAD") => return Found::Route(index, route),
            "GET" => found = Found::Other("GET, HEAD"),
            known => found = Found::Other(known),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let found = |method: &str, path: &str| match find(method, path) {
            Found::Route(_, route) => route.path,
            Found::Other(methods) => methods,
            Found::Nothing => "",
        };
        for (method, path, want) in [
            ("GET", "/", "/"),
            ("HEAD", "/metrics", "/metrics"),
            ("POST", "/metrics", "GET, HEAD"),
            ("OPTIONS", "/", "GET, HEAD"),
            ("GET", "/event/generic", "POST"),
            ("HEAD", "/event/generic", "POST"),
            ("PUT", "/ping/x/fail", "/ping/"),
            ("GET", "/ping", ""),
            ("GET", "/pings", ""),
            ("GET", "/badge/x.svg", "/badge/"),
            ("GET", "/badge/../x", ""),
            ("GET", "/badge//x", ""),
            ("GET", "/badge/a\\b", ""),
            ("GET", "/x", ""),
        ] {
            assert_eq!(found(method, path), want, "{method} {path}");
        }
    }

    /// Nobody may do anything without a scope, but where a function looks for itself or there is nothing to hide.
    #[test]
    fn what_is_open_is_known() {
        let open: Vec<&str> = ROUTES.iter().filter(|route| route.scope.is_none()).map(|route| route.path).collect();
        assert_eq!(open, ["/healthz", "/ping/", "/event/alicloud/", "/agent/", "/status"]);
        for route in ROUTES.iter().filter(|route| route.open) {
            assert!(["/healthz", "/status"].contains(&route.path), "{}", route.path);
        }
    }
}
