//! What `status` says of the callbacks.

use super::{Status, ago, maybe, seconds};
use crate::callback::result::cause_of;
use crate::callback::rules::Standing;
use crate::clock::millis;
use crate::json::Writer;
use crate::run::table::Rows;

/// Bytes of a result's words on the table.
const WORDS: usize = 120;

impl Status<'_> {
    pub(super) fn callbacks_json(&self, out: &mut Writer) {
        out.key("callbacks").open('[');
        for Standing { name, running, waiting, rests, last } in &self.callbacks {
            out.open('{').key("name").text(name).key("waiting").uint(*waiting as u64);
            if let Some((event, since)) = running {
                out.key("running").open('{').key("cause").text(&cause_of(event));
                out.key("incident").text(&event.incident.to_string());
                seconds(out, "seconds", self.since(*since));
                out.close('}');
            }
            maybe(out, "rests_until", rests.and_then(|rests| self.time(rests)).as_deref());
            if let Some((ended, outcome)) = last {
                out.key("last").open('{').key("good").flag(outcome.ending.is_good());
                out.key("result").text(&outcome.ending.words());
                maybe(out, "ended", self.time(*ended).as_deref());
                if let Some(took) = outcome.took {
                    seconds(out, "took", millis(took));
                }
                out.key("output").text(&outcome.head).key("output_end").text(&outcome.tail);
                out.key("output_dropped").uint(outcome.dropped).close('}');
            }
            out.close('}');
        }
        out.close(']');
    }

    pub(super) fn callbacks_table(&self, text: &mut String) {
        if self.callbacks.is_empty() {
            return;
        }
        text.push('\n');
        let mut rows = Rows::new(&["CALLBACK", "STATE", "WAITING", "LAST"]);
        for Standing { name, running, waiting, rests, last } in &self.callbacks {
            let state = match (running, rests.filter(|rests| *rests > self.now.tick)) {
                (Some((event, _)), _) => ["runs for ", &cause_of(event)].concat(),
                (None, Some(_)) => "rests".to_owned(),
                (None, None) => "ready".to_owned(),
            };
            let last = last.as_ref().map_or_else(String::new, |(ended, outcome)| {
                let words = crate::alert::clean::clean(&outcome.ending.words(), WORDS);
                [&*words, ", ", &ago(self.since(*ended))].concat()
            });
            rows.row(&[name, &state, &waiting.to_string(), &last]);
        }
        rows.columns(text);
    }
}
