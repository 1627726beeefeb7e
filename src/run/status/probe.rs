//! What `status` says of probes.

use super::Status;
use crate::json::Writer;

impl Status<'_> {
    pub(super) fn probes_json(&self, out: &mut Writer) {
        let _ = out;
    }

    pub(super) fn probes_table(&self, text: &mut String) {
        let _ = text;
    }
}
