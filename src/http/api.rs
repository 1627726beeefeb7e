//! The state as JSON.

use crate::http::{Request, Response, Site};

/// What `status --json` prints.
pub fn status(site: &Site, _: &Request<'_>) -> Response {
    match site.answers() {
        Some(answers) => Response::json(200, answers.show(&mut |status| status.json())),
        None => Response::starting(),
    }
}
