//! Templates, room and languages.
