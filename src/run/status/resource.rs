//! What `status` says of resources.

use super::Status;
use crate::json::Writer;

impl Status<'_> {
    pub(super) fn resources_json(&self, out: &mut Writer) {
        let _ = out;
    }

    pub(super) fn resources_table(&self, text: &mut String) {
        let _ = text;
    }
}
