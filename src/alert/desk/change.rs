//! The desk when the configuration changes: which lines go on, which get another sender, which end.

use super::Desk;
use crate::alert::line::{Channel, Line};
use crate::alert::outbox::Restored;
use crate::alert::record::Step;
use crate::alert::standing::Standing;
use crate::clock::Now;

impl Desk {
    /// The line of that sender; `None` if its channel is gone.
    pub(super) fn place(&self, sender: usize) -> Option<usize> {
        self.lines.iter().position(|line| line.sender == sender)
    }

    /// Goes on with these channels. A line whose channel did not change notices nothing, unless it waits for a person
    /// or `all` must change. Any other known one gets a new sender as soon as the old one has ended, which takes no
    /// longer than an attempt: whatever that attempt tells is not told again, and everything else waits for the new
    /// sender.
    pub(super) fn change(&mut self, channels: Vec<Channel>, all: bool, now: &Now) {
        let names: Vec<String> = channels.iter().map(|channel| channel.plan.name.clone()).collect();
        for (place, line) in self.lines.iter_mut().enumerate() {
            if names.contains(&line.plan.name) {
                continue;
            }
            say_gone(&line.plan.name, self.outbox.drop_channel(place, now));
            self.own.extend(line.losses.note(&line.plan.name, true, now));
            if let Some((file, _)) = line.mark.take() {
                self.saver.unmark(file);
            }
            self.saver.channels_dirty = true;
        }
        for channel in channels {
            match self.lines.iter().position(|line| line.plan.name == channel.plan.name) {
                Some(place) => {
                    let quiet = self.lines[place].hours.as_ref().and_then(|hours| hours.end(now)).is_some();
                    if self.lines[place].change(channel, all) {
                        if quiet {
                            self.outbox.keep_held(place);
                        }
                        self.outbox.take_back(place);
                    }
                }
                None => self.lines.push(Line::new(channel, Standing::default())),
            }
        }
        // Those that are gone come to lie behind.
        for (place, name) in names.iter().enumerate() {
            if let Some(from) = self.lines.iter().position(|line| line.plan.name == *name) {
                self.lines.swap(place, from);
            }
        }
        self.lines.truncate(names.len());
        self.outbox.adopt(names);
        for place in 0..self.lines.len() {
            self.succeed(place, now);
        }
    }

    /// Starts the next sender of a line if its last one has ended.
    pub(super) fn succeed(&mut self, place: usize, now: &Now) {
        let line = &mut self.lines[place];
        if self.stop.is_stopped() || line.next.is_none() || !line.ended {
            return;
        }
        self.senders += 1;
        if let Err(error) = line.start(self.senders, self.chance, &self.desk, now) {
            // The next change of the configuration tries again.
            log::error!("{}: no thread for it: {error}; its alerts are kept", line.plan.name);
        }
    }
}

/// Says what is dropped with channels that are gone from the configuration.
pub fn say_removed(restored: &Restored, lines: &[Line]) {
    let mut removed: Vec<(&str, usize)> = Vec::new();
    for record in &restored.records {
        for (name, step) in &record.channels {
            if *step != Step::Due || lines.iter().any(|line| line.plan.name == *name) {
                continue;
            }
            match removed.iter_mut().find(|(known, _)| known == name) {
                Some((_, count)) => *count += 1,
                None => removed.push((name, 1)),
            }
        }
    }
    for (name, count) in removed {
        say_gone(name, count);
    }
}

fn say_gone(name: &str, count: usize) {
    log::warn!("alert.{name}: the channel is gone, and {count} alerts that waited for it");
}
