//! A small picture of how a host or a probe is doing, to be shown elsewhere.

use crate::http::page::html::Html;
use crate::http::{Request, Response, Site};
use crate::keepalive::host::{Host, Standing};
use crate::probe;
use crate::run::status::host::is_announced;

/// Colours behind the word: white on them has a contrast of at least 4.5 to 1.
pub const GOOD: &str = "#1f7a45";
/// See [`GOOD`].
pub const BAD: &str = "#b3202c";
/// See [`GOOD`].
pub const WARN: &str = "#8a5a00";
/// See [`GOOD`].
pub const REST: &str = "#59626d";
/// Behind the name.
pub const NAME: &str = "#3a424b";
/// Characters of a name.
const MAX_NAME: usize = 40;
/// Beside and between the words, in units of the picture.
const GAP: usize = 12;

/// `/badge/NAME.svg`, of the host or else the probe of that name.
pub fn badge(site: &Site, request: &Request<'_>) -> Response {
    let name = request.below("/badge/").and_then(|rest| rest.strip_suffix(".svg")).and_then(decode);
    let Some(name) = name else { return Response::not_found() };
    let Some(answers) = site.answers() else { return Response::starting() };
    let host = answers.board.lock().roster.hosts().get(&name).cloned();
    let probes = answers.reloader.parts().probes();
    let Some((word, colour)) = state(host.as_ref(), &probes, &name) else { return Response::not_found() };
    Response::new(200, "image/svg+xml", draw(&name, word, colour))
}

/// How the host is doing, or else the probe of that name: a word and a colour.
fn state(host: Option<&Host>, probes: &[probe::Standing], name: &str) -> Option<(&'static str, &'static str)> {
    if let Some(host) = host {
        return Some(match host.standing {
            Standing::Up if is_announced(host) => ("to be reclaimed", WARN),
            Standing::Up => ("up", GOOD),
            Standing::Offline => ("offline", BAD),
            Standing::Stopped => ("stopped", REST),
            Standing::Reclaimed => ("reclaimed", REST),
        });
    }
    let probe = probes.iter().find(|probe| probe.name == name)?;
    Some(match probe.state {
        probe::State::Up => ("up", GOOD),
        probe::State::Down => ("down", BAD),
        probe::State::Unknown => ("unknown", REST),
    })
}

/// Percent-decodes a name; `None` if a sign of percent begins no byte, or if it is no UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        let byte = match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                rest = after;
                let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                digit(*high)? << 4 | digit(*low)?
            }
            (b'%', _) => return None,
            (byte, _) => *byte,
        };
        bytes.push(byte);
    }
    String::from_utf8(bytes).ok()
}

/// The width of a text of 11 units, about: no font is the same everywhere, so the text is then made as wide.
fn width(text: &str) -> usize {
    let tenths = |c: char| match c {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | '\'' | '|' | '!' => 32,
        'f' | 'r' | 't' | ' ' | '-' | '(' | ')' | '/' => 44,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 104,
        'A'..='Z' => 77,
        '\u{1100}'.. => 115,
        _ => 68,
    };
    text.chars().map(tenths).sum::<usize>().div_ceil(10)
}

fn draw(name: &str, word: &str, colour: &str) -> String {
    let mut label: String = name.chars().take(MAX_NAME).collect();
    if label.len() < name.len() {
        label.push('…');
    }
    let (left, right) = (width(&label), width(word));
    let (middle, all) = (left + GAP, left + right + 2 * GAP);
    let mut out = Html::default();
    out.raw("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"").number(all).raw("\" height=\"20\" role=\"img\"");
    out.raw(" aria-label=\"").text(&label).raw(": ").text(word).raw("\"><title>").text(&label).raw(": ").text(word);
    out.raw("</title><clipPath id=\"c\"><rect width=\"").number(all).raw("\" height=\"20\" rx=\"3\"/></clipPath>");
    out.raw("<g clip-path=\"url(#c)\"><rect width=\"").number(middle).raw("\" height=\"20\" fill=\"").raw(NAME);
    out.raw("\"/><rect x=\"").number(middle).raw("\" width=\"").number(all - middle).raw("\" height=\"20\" fill=\"");
    out.raw(colour).raw("\"/></g><g fill=\"#fff\" font-family=\"Verdana,DejaVu Sans,sans-serif\" font-size=\"11\">");
    for (x, length, text) in [(GAP / 2, left, &*label), (middle + GAP / 2, right, word)] {
        out.raw("<text x=\"").number(x).raw("\" y=\"14\" textLength=\"").number(length);
        out.raw("\" lengthAdjust=\"spacingAndGlyphs\">").text(text).raw("</text>");
    }
    out.raw("</g></svg>\n");
    out.into_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_decoded_strictly() {
        for (text, want) in [
            ("nas@home", Some("nas@home")),
            ("a%20b%2Fc", Some("a b/c")),
            ("%e5%A4%B1", Some("失")),
            ("100%25", Some("100%")),
            ("a+b", Some("a+b")),
            ("", Some("")),
            ("%", None),
            ("%4", None),
            ("%4g", None),
            ("%+1", None),
            ("%-1", None),
            ("%%41", None),
            ("%ff", None),
            ("%ed%a0%80", None),
            ("é%80", None),
        ] {
            assert_eq!(decode(text).as_deref(), want, "{text}");
        }
    }

    #[test]
    fn a_badge_is_as_wide_as_its_words_and_holds_no_markup_of_strangers() {
        let svg = draw("<a href=\"x\">&'\u{202e}", "up", GOOD);
        println!("{svg}");
        assert!(svg.contains("&lt;a href=&quot;x&quot;&gt;&amp;&#39;\u{FFFD}") && !svg.contains("<a"));
        assert_eq!(svg.matches('<').count(), svg.matches('>').count());
        for (name, want) in [("nas", 20), ("nas@home", 60), ("失联失联", 46), ("", 0)] {
            assert!(width(name).abs_diff(want) <= 2, "{name}: {}", width(name));
        }
        let long = draw(&"x".repeat(500), "up", BAD);
        assert!(long.len() < 1500, "{}", long.len());
    }
}
