//! Clients at real sockets, against fakes that misbehave.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fake;
mod fetch;
mod spot;
