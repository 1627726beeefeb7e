//! What `status` says of the HTTP listener.

use super::{Status, address, maybe, problem};
use crate::json::Writer;
use crate::keepalive::ports::Listening;
use crate::run::table::line;

impl Status<'_> {
    pub(super) fn web_json(&self, out: &mut Writer) {
        if self.web.is_empty() {
            return;
        }
        out.key("http").open('{').key("addresses").open('[');
        for port in &self.web {
            out.text(&address(port));
        }
        out.close(']');
        maybe(out, "problem", problems(&self.web).as_deref());
        out.close('}');
    }

    pub(super) fn web_line(&self, text: &mut String) {
        if self.web.is_empty() {
            return;
        }
        let addresses: Vec<String> = self.web.iter().map(address).collect();
        line(text, &["HTTP at ", &addresses.join(", ")]);
        problem(text, problems(&self.web).as_deref());
    }
}

/// Why which addresses are not listened on.
pub(super) fn problems(ports: &[Listening]) -> Option<String> {
    let mut text = String::new();
    for port in ports {
        if let Some(error) = &port.error {
            let separator = if text.is_empty() { "" } else { "; " };
            text.push_str(&[separator, &port.wanted.to_string(), ": ", error].concat());
        }
    }
    (!text.is_empty()).then_some(text)
}
