//! The commands `send` and `test`.
