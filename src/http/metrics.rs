//! Figures as Prometheus reads them.

use crate::http::{Request, Response, Site};

/// Not built yet.
pub fn metrics(site: &Site, request: &Request<'_>) -> Response {
    let _ = (site, request);
    Response::not_found()
}
