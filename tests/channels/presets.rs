//! Channels that are data.
