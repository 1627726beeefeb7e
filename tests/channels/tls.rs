//! HTTPS against a real TLS server.
