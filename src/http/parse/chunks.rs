//! A body in chunks (RFC 9112, 7.1), without extensions and trailers, which nobody sends.

use super::{BAD_LINE, MAX_BODY, Refused, TOO_LARGE};

/// Digits of a chunk's size: of one that would be too large.
const MAX_DIGITS: u8 = 6;

/// What must come next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    /// A digit of a size, or the CR after it, if there are digits.
    Size(u8),
    /// The LF after a size.
    SizeLf,
    Data,
    DataCr,
    DataLf,
    LastCr,
    LastLf,
    End,
}

/// Where in a body a reader is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chunks {
    at: At,
    /// Bytes of this chunk that are still to come.
    left: usize,
}

impl Default for Chunks {
    fn default() -> Chunks {
        Chunks { at: At::Size(0), left: 0 }
    }
}

impl Chunks {
    /// Adds what `bytes` hold of the body to `body`; how many of them were used, and whether the body is whole.
    ///
    /// # Errors
    /// When they are no chunks, or too many.
    pub fn take(&mut self, bytes: &[u8], body: &mut Vec<u8>) -> Result<(usize, bool), Refused> {
        let mut used = 0;
        while let (Some(byte), true) = (bytes.get(used).copied(), self.at != At::End) {
            if self.at == At::Data {
                let part = bytes.get(used..).unwrap_or_default();
                let part = part.get(..self.left.min(part.len())).unwrap_or_default();
                body.extend_from_slice(part);
                used += part.len();
                self.left -= part.len();
                if self.left == 0 {
                    self.at = At::DataCr;
                }
                continue;
            }
            used += 1;
            self.at = match (self.at, byte) {
                (At::Size(1..), b'\r') => At::SizeLf,
                (At::Size(digits), _) => At::Size(self.digit(digits, byte)?),
                (At::SizeLf, b'\n') if self.left == 0 => At::LastCr,
                (At::SizeLf, b'\n') if self.left > MAX_BODY - body.len() => return Err(TOO_LARGE),
                (At::SizeLf, b'\n') => At::Data,
                (At::DataCr, b'\r') => At::DataLf,
                (At::DataLf, b'\n') => At::Size(0),
                (At::LastCr, b'\r') => At::LastLf,
                (At::LastLf, b'\n') => At::End,
                _ => return Err(BAD_LINE),
            };
        }
        Ok((used, self.at == At::End))
    }

    fn digit(&mut self, before: u8, byte: u8) -> Result<u8, Refused> {
        let Some(digit) = char::from(byte).to_digit(16) else { return Err((400, "malformed chunk")) };
        if before == MAX_DIGITS {
            return Err(TOO_LARGE);
        }
        self.left = self.left * 16 + digit as usize;
        Ok(before + 1)
    }
}
