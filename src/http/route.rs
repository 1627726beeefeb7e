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
}

const fn route(method: &'static str, path: &'static str, scope: Option<Scope>, answer: Answer) -> Route {
    Route { method, path, scope, answer }
}

/// Every path; the first that fits.
pub const ROUTES: &[Route] = &[
    route("GET", "/", Some(Scope::Read), page::page),
    route("GET", "/badge/", Some(Scope::Read), badge::badge),
    route("GET", "/healthz", None, health::healthz),
    route("GET", "/metrics", Some(Scope::Read), metrics::metrics),
    route("GET", "/api/status", Some(Scope::Read), api::status),
    route("", "/ping/", None, ping::ping),
    route("", "/event/alicloud/", None, intake::alicloud),
    route("POST", "/event/generic", Some(Scope::Message), intake::generic),
    // The agents' and users' paths of the server that these agents were written for.
    route("", "/agent/", None, agents::agent),
    route("", "/message/", Some(Scope::Message), agents::message),
    route("", "/job/", Some(Scope::Job), agents::job),
    route("GET", "/status", None, agents::status),
];
