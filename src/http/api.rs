//! The state as JSON.

use crate::http::{Request, Response, Site};

/// Not built yet.
pub fn status(site: &Site, request: &Request<'_>) -> Response {
    let _ = (site, request);
    Response::not_found()
}
