//! The roster: tables of what is told and when, and a long random life checked against its rules.

#![expect(clippy::unwrap_used, reason = "a test may fail wherever it wants to")]

mod lives;
mod tables;
mod world;
