//! `keygen`: prints a new key.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Bytes of a new key.
const KEY_BYTES: usize = 32;

/// A line of 32 random bytes as base64url without padding, which needs no escaping in `ic://user:key@host`.
///
/// # Errors
/// When the system gives no random bytes.
pub fn key() -> io::Result<String> {
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    let mut line = URL_SAFE_NO_PAD.encode(key);
    line.push('\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keepalive::uri::encode_userinfo;

    #[test]
    fn keys_differ_and_need_no_escaping() {
        let (one, two) = (key().unwrap(), key().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), 44, "43 characters and a line feed");
        assert_eq!(encode_userinfo(one.trim_end()), one.trim_end());
    }
}
