//! What `status` says of probes.

use super::{Status, ago, maybe, seconds};
use crate::clock::millis;
use crate::json::Writer;
use crate::probe::State;
use crate::run::table::Rows;

impl Status<'_> {
    /// A probe is down, or a resource is high.
    pub(super) fn is_failing(&self) -> bool {
        self.probes.iter().any(|probe| probe.state == State::Down)
            || self.resources.iter().any(|resource| resource.state == crate::resource::State::High)
    }

    pub(super) fn probes_json(&self, out: &mut Writer) {
        out.key("probes").open('[');
        for probe in &self.probes {
            out.open('{').key("name").text(&probe.name).key("kind").text(probe.kind);
            maybe(out, "target", Some(&*probe.target).filter(|target| !target.is_empty()));
            out.key("state").text(probe.state.name());
            maybe(out, "since", probe.since.and_then(|since| self.time(since)).as_deref());
            maybe(out, "last", probe.last.and_then(|last| self.time(last)).as_deref());
            if let Some(took) = probe.took {
                seconds(out, "took", millis(took));
            }
            maybe(out, "detail", Some(&*probe.detail).filter(|detail| !detail.is_empty()));
            maybe(out, "because", probe.because.as_deref());
            out.close('}');
        }
        out.close(']');
    }

    /// What is down comes first.
    pub(super) fn probes_table(&self, text: &mut String) {
        if self.probes.is_empty() {
            return;
        }
        text.push('\n');
        let mut rows = Rows::new(&["PROBE", "STATE", "SINCE", "LAST", "DETAIL"]);
        let when = |tick| Option::map_or(tick, String::new(), |tick| ago(self.since(tick)));
        for down in [true, false] {
            for probe in self.probes.iter().filter(|probe| (probe.state == State::Down) == down) {
                let mut detail = probe.detail.clone();
                if let Some(because) = &probe.because {
                    detail.push_str(&[" (not told: ", because, ")"].concat());
                }
                let parts = [probe.kind, if probe.target.is_empty() { "" } else { " " }, &probe.target];
                let gap = if detail.is_empty() { "" } else { ": " };
                let detail = [&parts.concat(), gap, &detail].concat();
                rows.row(&[&probe.name, probe.state.name(), &when(probe.since), &when(probe.last), &detail]);
            }
        }
        rows.columns(text);
    }
}
