//! The status page.

use crate::http::{Request, Response, Site};

/// Not built yet.
pub fn page(site: &Site, request: &Request<'_>) -> Response {
    let _ = (site, request);
    Response::not_found()
}
