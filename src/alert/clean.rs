//! Text from strangers, made harmless before a person or a log sees it.

/// What stands in for a secret.
const HIDDEN: &str = "***";

/// Shortest secret, in bytes, that is looked for: shorter ones hide nothing and would riddle every text.
const MIN_SECRET: usize = 3;

/// `text` in one line of at most `cap` bytes: white space becomes a space, control and bidi characters, which could
/// reorder or break what stands around them, become U+FFFD.
pub fn clean(text: &str, cap: usize) -> String {
    let mut out = String::with_capacity(text.len().min(cap));
    for c in text.chars() {
        let c = match c {
            '\t' | '\n' | '\r' | '\u{2028}' | '\u{2029}' | '\u{85}' => ' ',
            c if c.is_control() || is_bidi(c) => '\u{FFFD}',
            c => c,
        };
        out.push(c);
        if out.len() > cap {
            break;
        }
    }
    cut(out, cap)
}

/// `text` with at most `cap` bytes, cut at a character and marked with `…` if it was longer.
pub fn cut(mut text: String, cap: usize) -> String {
    const MARK: char = '…';
    if text.len() > cap {
        let mut end = cap.saturating_sub(MARK.len_utf8());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push(MARK);
    }
    text
}

/// What a service or a program said, fit for a log: one line of at most `cap` bytes without any of `secrets`.
pub fn quoted(text: &str, cap: usize, secrets: &[String]) -> String {
    // Secrets go before the cut, which could leave half of one standing.
    let mut text = clean(text.trim(), text.len().saturating_mul(3));
    for secret in secrets.iter().filter(|secret| secret.len() >= MIN_SECRET) {
        text = text.replace(secret.as_str(), HIDDEN);
    }
    cut(text, cap)
}

/// `template` with its fields in braces replaced, each value added by `add`. Braces in values are not looked at, and
/// what is no field stays as it stands.
pub fn expand(template: &str, fields: &[(&str, String)], add: &mut dyn FnMut(&mut String, &str)) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        rest = after;
        let named = after.split_once('}');
        let field = named.and_then(|(name, _)| fields.iter().find(|(known, _)| *known == name));
        match (named, field) {
            (Some((_, after)), Some((_, value))) => {
                add(&mut out, value);
                rest = after;
            }
            _ => out.push('{'),
        }
    }
    out.push_str(rest);
    out
}

/// Characters that change the direction of the text after them.
pub fn is_bidi(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_one_line() {
        assert_eq!(clean("a\r\nb\tc", 99), "a  b c");
        assert_eq!(clean("a\u{1b}[31m\u{202e}b\0", 99), "a\u{FFFD}[31m\u{FFFD}b\u{FFFD}");
        assert_eq!(clean("失联\u{2028}x", 99), "失联 x");
    }

    #[test]
    fn cuts_fall_between_characters() {
        for cap in 0..20 {
            let text = clean("失联失联失联", cap);
            assert!(text.len() <= cap.max('…'.len_utf8()), "{cap}: {text}");
        }
        assert_eq!(clean("失联", 6), "失联");
        assert_eq!(clean("失联了", 7), "失…");
    }

    #[test]
    fn secrets_do_not_survive_a_quotation() {
        let secrets = ["hunter2-hunter2".to_owned(), "ab".to_owned()];
        assert_eq!(quoted("bad key hunter2-hunter2, cabin", 99, &secrets), "bad key ***, cabin");
        let long = format!("{}hunter2-hunter2", "x".repeat(250));
        assert!(!quoted(&long, 256, &secrets).contains("hunter"), "half a secret is left at the cut");
        assert_eq!(quoted("  \r\n", 9, &secrets), "");
    }
}
