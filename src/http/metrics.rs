//! Figures as Prometheus reads them: its text format 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

pub mod families;
#[cfg(test)]
mod tests;

use std::fs;

use crate::http::{Request, Response, Site};
use crate::json::decimal;

/// Bytes of `/proc/self/status`.
const MAX_STATUS: u64 = 16 * 1024;

/// All figures.
pub fn metrics(site: &Site, _: &Request<'_>) -> Response {
    let Some(answers) = site.answers() else { return Response::starting() };
    let memory = resident();
    let text = answers.show(&mut |status| families::text(status, memory));
    Response::new(200, "text/plain; version=0.0.4; charset=utf-8", text)
}

/// Bytes of memory that this process has.
fn resident() -> Option<u64> {
    use std::io::Read as _;
    let mut text = String::new();
    fs::File::open("/proc/self/status").ok()?.take(MAX_STATUS).read_to_string(&mut text).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}

/// The text under way.
#[derive(Default)]
pub struct Figures {
    text: String,
    /// Whose samples follow.
    name: &'static str,
    /// What its lines begin with; empty once they are written. A family without samples is left out.
    head: [&'static str; 2],
}

impl Figures {
    /// Begins a family. A name that ends in `_total` is that of a counter.
    pub fn family(&mut self, name: &'static str, help: &'static str) -> &mut Figures {
        (self.name, self.head) = (name, [name, help]);
        self
    }

    /// A sample of the family.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: &str) {
        let [name, help] = self.head;
        if !name.is_empty() {
            let kind = if name.ends_with("_total") { " counter\n" } else { " gauge\n" };
            for part in ["# HELP ", name, " ", help, "\n# TYPE ", name, kind] {
                self.text.push_str(part);
            }
            self.head = [""; 2];
        }
        self.text.push_str(self.name);
        let mut before = "{";
        for (label, value) in labels {
            for part in [before, label, "=\""] {
                self.text.push_str(part);
            }
            self.label(value);
            self.text.push('"');
            before = ",";
        }
        self.text.push_str(if before == "{" { " " } else { "} " });
        self.text.push_str(value);
        self.text.push('\n');
    }

    /// A whole number.
    pub fn count(&mut self, labels: &[(&str, &str)], count: usize) {
        self.sample(labels, &count.to_string());
    }

    /// Yes or no.
    pub fn flag(&mut self, labels: &[(&str, &str)], flag: bool) {
        self.sample(labels, if flag { "1" } else { "0" });
    }

    /// So many milliseconds, in seconds.
    pub fn seconds(&mut self, labels: &[(&str, &str)], ms: i64) {
        self.sample(labels, &decimal(ms, 3));
    }

    /// The text.
    pub fn into_text(self) -> String {
        self.text
    }

    fn label(&mut self, value: &str) {
        for c in value.chars() {
            match c {
                '\\' => self.text.push_str("\\\\"),
                '"' => self.text.push_str("\\\""),
                '\n' => self.text.push_str("\\n"),
                c => self.text.push(c),
            }
        }
    }
}
