//! Acting: running what the owner of the machine asks for.

pub mod exec;
