//! The configuration.

pub mod plan;
