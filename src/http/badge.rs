//! A small picture of how something is doing.

use crate::http::{Request, Response, Site};

/// Not built yet.
pub fn badge(site: &Site, request: &Request<'_>) -> Response {
    let _ = (site, request);
    Response::not_found()
}
