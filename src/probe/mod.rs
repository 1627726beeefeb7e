//! Whether something that is tried again and again is up.

pub mod passive;
pub mod streak;
