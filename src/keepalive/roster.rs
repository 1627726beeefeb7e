//! The watchdog's decisions: who is known, who is silent, what is to be told.

use std::net::SocketAddr;
use std::time::Duration;

use crate::alert::pending::Pending;
use crate::clock::{Now, Tick};
use crate::keepalive::beat::Report;

/// A beat or goodbye whose sender has proved to hold a key.
pub struct Heard<'a> {
    /// The user whose key it was; `default` for the server's own, and for protocol 1.
    pub user: &'a str,
    /// The name it beats for.
    pub name: &'a str,
    /// Where it came from.
    pub from: SocketAddr,
    /// 1 or 2.
    pub protocol: u8,
    /// What it says. For protocol 1 a beat with the server's own period and no run.
    pub report: &'a Report,
}

/// The answer to a beat that counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Granted {
    /// When the server wants the next one.
    pub next: Duration,
    /// For how long this host's work stays its own.
    pub lease: Duration,
}

/// Why a beat does not count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The name belongs to another user, or was seen with protocol 2.
    NameTaken,
    /// The name is empty, too long or holds control or bidi characters.
    NameInvalid,
    /// The roster is full.
    Full,
    /// The announced period is not a number from 0.1 s to 1 day.
    PeriodInvalid,
}

impl Refusal {
    /// Its name on the wire.
    pub fn code(self) -> &'static str {
        match self {
            Refusal::NameTaken => "name-taken",
            Refusal::NameInvalid => "name-invalid",
            Refusal::Full => "full",
            Refusal::PeriodInvalid => "period-invalid",
        }
    }
}

/// Everything the server knows of its hosts.
#[derive(Default)]
pub struct Roster {}

impl Roster {
    /// Takes in a beat or goodbye.
    ///
    /// # Errors
    /// When it does not count; nothing changed then, but an alert may be pending.
    pub fn hear(&mut self, _heard: &Heard<'_>, _now: &Now, _pending: &mut Pending) -> Result<Granted, Refusal> {
        Err(Refusal::Full)
    }

    /// A protocol 1 beat with the right key came although protocol 1 is refused: tells it once per name.
    pub fn refused_old(&mut self, _name: &str, _from: SocketAddr, _now: &Now, _pending: &mut Pending) {}

    /// Tells what is due and says when to come again.
    pub fn scan(&mut self, now: &Now, _pending: &mut Pending) -> Tick {
        now.tick + Duration::from_secs(1)
    }
}

/// Whether a host may have this name: 1 to 128 bytes of UTF-8 without control or bidi characters.
pub fn name_is_valid(name: &str) -> bool {
    let bidi =
        |c: char| matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    (1..=128).contains(&name.len())
        && !name.chars().any(|c| c.is_control() || bidi(c) || matches!(c, '\u{2028}' | '\u{2029}'))
}
