//! Channels that are data.

use crate::config::plan::Language;

/// One service.
#[derive(PartialEq, Eq, Debug)]
pub struct Preset {
    /// Its name in `kind`.
    pub name: &'static str,
    /// The language it speaks unless told otherwise.
    pub language: Language,
    /// Messages a minute that the service takes.
    pub per_minute: Option<u32>,
}

/// All of them.
pub const PRESETS: &[Preset] = &[];
