//! Many alerts at a channel with a limit.
