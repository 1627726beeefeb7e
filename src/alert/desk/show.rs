//! What the desk shows to others: its status, and what became of a message.

use super::Desk;
use crate::alert::inquiry::{Account, Progress};
use crate::alert::line::Line;
use crate::alert::record::Step;
use crate::alert::retry::ChannelState;
use crate::alert::standing::DeskStatus;
use crate::clock::{Now, Tick};
use crate::event::Id;
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

    /// What is known of a message.
    pub(super) fn account(&self, id: Id, now: &Now) -> Account {
        let mut account = Account { room: self.outbox.has_room_for_message(), ..Account::default() };
        if let Some(ended) = self.outbox.ended(id) {
            (account.known, account.kept) = (true, true);
            for (name, why) in ended {
                account.ways.push((name.clone(), why.clone().map_or(Progress::Told, Progress::Gone)));
            }
            return account;
        }
        let Some(record) = self.outbox.find(id) else {
            return account;
        };
        (account.known, account.kept) = (true, record.written);
        for way in &record.ways {
            let Some(line) = self.lines.get(way.channel) else { continue };
            let progress = match (way.step, line.state()) {
                (Step::Told, _) => Progress::Told,
                (Step::Gone, _) => Progress::Gone(way.why.as_deref().unwrap_or("dropped").to_owned()),
                (Step::Due, ChannelState::Parked { why, .. }) => Progress::Parked(why.clone()),
                (Step::Due, state) => match (quiet(line, now).filter(|_| !record.pressing), state) {
                    (Some(end), _) => Progress::Held(end),
                    (None, ChannelState::Retrying { why, .. }) => Progress::Failing(why.clone()),
                    (None, _) => Progress::Due,
                },
            };
            account.ways.push((line.plan.name.clone(), progress));
        }
        account
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
