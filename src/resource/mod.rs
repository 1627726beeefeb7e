//! How a machine is doing: load, memory, disk, temperature.

use crate::event::{Event, Field};

/// What a host says of itself in its beats. What it cannot know is left out.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Readings {
    /// Load average of the last minute, in hundredths.
    pub load: Option<u32>,
    /// Cores.
    pub cores: Option<u32>,
    /// Memory in use, in percent.
    pub memory: Option<u32>,
    /// Use of the fullest disk, in percent.
    pub disk: Option<u32>,
    /// The highest temperature, in tenths of a degree Celsius.
    pub temperature: Option<i32>,
    /// What was last said of it, at most 200 bytes.
    pub note: String,
}

impl Readings {
    /// Adds what is known to `event` as facts.
    pub fn add_to(&self, event: &mut Event) {
        if !self.note.is_empty() {
            event.facts.push((Field::Note, crate::event::Fact::Text(self.note.clone())));
        }
    }
}
