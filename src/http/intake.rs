//! Events from outside.

use crate::http::{Request, Response, Site};

/// Not built yet.
pub fn alicloud(site: &Site, request: &Request<'_>) -> Response {
    let _ = (site, request);
    Response::not_found()
}

/// Not built yet.
pub fn generic(site: &Site, request: &Request<'_>) -> Response {
    let _ = (site, request);
    Response::not_found()
}
