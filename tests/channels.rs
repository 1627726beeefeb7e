//! Every channel: the exact request, what each answer means, and what the other end gets to see.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its fakes has failed")]

mod bots;
mod email;
mod every;
mod hostile;
mod presets;
mod secrets;
mod sheet;
mod storm;
pub mod tls;
mod told;
mod wording;
