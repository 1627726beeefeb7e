//! Whether something that is tried again and again is up.
