//! The heartbeat protocols at the socket: golden vectors, both sides against each other, and hostile input.

#![expect(clippy::unwrap_used, reason = "a test may fail wherever it wants to")]

mod fake;
mod sockets;
mod vectors;
