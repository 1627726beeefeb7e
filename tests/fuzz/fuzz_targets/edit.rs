//! Sound documents with a few edits: what a bad disk, an older version or a clever stranger makes of them.

/// Pieces that parsers stumble over.
const PIECES: [&str; 20] = [
    "",
    "null",
    "-1",
    "0",
    "1e999",
    "-9223372036854775808",
    "9223372036854775807",
    "18446744073709551616",
    "\"\"",
    "{}",
    "[]",
    "[[[[[[[[",
    "{\"a\":",
    "\\u0000",
    "\\ud800",
    "\n",
    "\t",
    "\u{202e}",
    "\"",
    ",",
];

/// The document of `all` that the first byte of `edits` names, changed by the others: four bytes an edit.
pub fn edited(all: &[Vec<u8>], edits: &[u8]) -> Vec<u8> {
    let Some((which, edits)) = edits.split_first() else { return Vec::new() };
    let mut document = all[usize::from(*which) % all.len()].clone();
    for edit in edits.chunks_exact(4) {
        let [what, high, low, byte] = *edit else { continue };
        let at = usize::from(u16::from_be_bytes([high, low])) % (document.len() + 1);
        let word = document[at..].iter().position(|byte| b",:]}\" \n\t".contains(byte)).unwrap_or(document.len() - at);
        let piece = PIECES[usize::from(byte) % PIECES.len()].bytes();
        let end = match what % 5 {
            0 => at,
            1 | 2 => at + word,
            3 => (at + usize::from(byte)).min(document.len()),
            _ => (at + 1).min(document.len()),
        };
        match what % 5 {
            0 | 1 => drop(document.splice(at..end, piece)),
            2 => drop(document.splice(at..end, byte.to_string().into_bytes())),
            3 => drop(document.drain(at..end)),
            _ => drop(document.splice(at..end, [byte])),
        }
    }
    document
}
