//! What was told of notices and of blindness, as it is saved.

use serde_json::Value;

use crate::clock::{Boot, Wall};
use crate::event::{Id, Kind, Moment};
use crate::json::{self, Writer};
use crate::spot::notice::Standing;

/// Notices that stand at once; further ones are told when one of them has ended.
pub const MAX_STANDING: usize = 8;
/// So many of them may be something else than interrupts, for which there is always room.
pub const MAX_OTHERS: usize = 6;

/// What was told, kept across restarts.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct State {
    /// The boot in which the standing interrupts were seen.
    pub boot: Boot,
    /// Notices told so far.
    pub generation: u32,
    /// What was told and has not ended; at most [`MAX_STANDING`].
    pub standing: Vec<Standing>,
    /// The time of the interrupt that ended last.
    pub over: Option<Wall>,
    /// Since when the service cannot be seen, if that was told.
    pub blind: Option<Blind>,
}

/// Blindness that was told.
#[derive(Clone, PartialEq, Debug)]
pub struct Blind {
    /// Of its events.
    pub incident: Id,
    /// The last good answer.
    pub since: Moment,
}

/// As state; see [`crate::json`].
impl State {
    /// Writes it.
    pub fn write(&self) -> String {
        let mut out = Writer::default();
        out.open('{').key("boot").uint(self.boot.0).key("generation").uint(u64::from(self.generation));
        if let Some(over) = self.over {
            out.key("over").int(over.0);
        }
        out.key("standing").open('[');
        for standing in &self.standing {
            standing.write(&mut out);
        }
        out.close(']');
        if let Some(blind) = &self.blind {
            out.key("blind").text(&blind.incident.to_string());
            blind.since.write(out.key("since"));
        }
        out.close('}');
        out.into_string()
    }

    /// Reads what [`State::write`] wrote.
    pub fn read(saved: &str) -> Option<State> {
        let value = json::read(saved.as_bytes())?;
        let blind = |value: &Value| {
            let incident = Id::parse(json::text(value, "blind")?)?;
            Some(Blind { incident, since: Moment::read(value.get("since")?)? })
        };
        let standing = json::list(&value, "standing").iter().take(MAX_STANDING).filter_map(Standing::read);
        Some(State {
            boot: Boot(json::uint(&value, "boot")?),
            generation: u32::try_from(json::uint(&value, "generation")?).ok()?,
            standing: standing.collect(),
            over: json::int(&value, "over").map(Wall),
            blind: blind(&value),
        })
    }
}

impl State {
    /// The interrupt that stands.
    pub fn interrupt(&self) -> Option<&Standing> {
        self.standing.iter().find(|standing| standing.event.kind == Kind::Interrupt)
    }
}
