//! Heartbeats of what cannot run this program.

use crate::http::{Request, Response, Site};

/// Not built yet.
pub fn ping(site: &Site, request: &Request<'_>) -> Response {
    let _ = (site, request);
    Response::not_found()
}
