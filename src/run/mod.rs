//! What holds the program together: threads, state on disk, the service manager, shutdown.

pub mod board;
pub mod notify;
pub mod threads;
