//! What the desk shows to others.

use super::Desk;
use crate::alert::line::Line;
use crate::alert::standing::DeskStatus;
use crate::clock::{Now, Tick};
use crate::json::Writer;
use crate::run::threads::lock;

impl Desk {
    pub(super) fn show(&self, now: &Now) {
        let mut channels = Vec::with_capacity(self.lines.len());
        for (channel, line) in self.lines.iter().enumerate() {
            let held = quiet(line, now).map(|end| (self.outbox.held(channel), end)).filter(|(count, _)| *count > 0);
            channels.push(line.status(self.outbox.queued(channel), held));
        }
        let unwritable = self.saver.failure().map(|failure| (failure.why.clone(), failure.since));
        let status = DeskStatus { channels, events: self.outbox.len(), unsaved: self.outbox.unsaved(), unwritable };
        *lock(&self.status) = status;
    }
}

/// The end of the quiet hours that a channel is in.
fn quiet(line: &Line, now: &Now) -> Option<Tick> {
    line.hours.as_ref()?.end(now)
}

pub(super) fn standings_json(lines: &[Line]) -> Vec<u8> {
    let mut out = Writer::default();
    out.open('[');
    for line in lines {
        line.standing.write(&line.plan.name, &mut out);
    }
    out.close(']');
    out.into_bytes()
}
