//! What the server hears, and what it answers.

use std::net::SocketAddr;
use std::time::Duration;

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
    /// Its key is the old one, which is to be given up.
    pub old_key: bool,
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
    /// What changed, for the log.
    pub note: Note,
}

/// What a beat changed, for the log: the roster itself does not write one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Note {
    /// Nothing.
    Nothing,
    /// A host that was not known.
    New,
    /// It said goodbye.
    Stopped,
    /// It said goodbye for good and is off the roster.
    Left,
    /// It is back after a silence or a stop.
    Back,
    /// It is heard again, and nobody was told that it was not.
    Recovered,
    /// Its daemon was started anew.
    Restarted,
    /// It was booted anew.
    Rebooted,
}

impl Note {
    /// What follows the host's name in the log; empty for nothing.
    pub fn text(self) -> &'static str {
        match self {
            Note::Nothing => "",
            Note::New => "is watched from now on",
            Note::Stopped => "said goodbye",
            Note::Left => "left for good",
            Note::Back => "beats again",
            Note::Recovered => "beats again; its silence was not told",
            Note::Restarted => "was started anew",
            Note::Rebooted => "was booted anew",
        }
    }
}

/// Why a beat does not count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The name belongs to another user or to another host that is alive, or was seen with protocol 2.
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

/// Whether a host may have this name: 1 to 128 bytes of UTF-8 without control or bidi characters.
pub fn name_is_valid(name: &str) -> bool {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}'
                | '\u{2066}'..='\u{2069}')
    };
    (1..=128).contains(&name.len()) && !name.chars().any(hidden)
}
