//! E-mail against a real SMTP server.
