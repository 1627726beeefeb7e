//! Agents and scripts that speak the HTTP API of LetServerRun.

use crate::http::{Request, Response, Site};

/// Not built yet.
pub fn agent(site: &Site, request: &Request<'_>) -> Response {
    let _ = (site, request);
    Response::not_found()
}

/// Not built yet.
pub fn message(site: &Site, request: &Request<'_>) -> Response {
    let _ = (site, request);
    Response::not_found()
}

/// Not built yet.
pub fn job(site: &Site, request: &Request<'_>) -> Response {
    let _ = (site, request);
    Response::not_found()
}

/// Not built yet.
pub fn status(site: &Site, request: &Request<'_>) -> Response {
    let _ = (site, request);
    Response::not_found()
}
