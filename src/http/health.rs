//! Whether this daemon works.

use crate::http::{Request, Response, Site};

/// Not built yet.
pub fn healthz(site: &Site, request: &Request<'_>) -> Response {
    let _ = (site, request);
    Response::not_found()
}
